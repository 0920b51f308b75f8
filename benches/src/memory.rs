//! Memory of this process and of its device.

use skyreels_core::Device;

/// Largest memory this process has held, in MiB; `None` where the system does not say.
pub fn peak_rss_mib() -> Option<f64> {
    status_mib("VmHWM:")
}

/// Bytes that are held for `device`: what its allocator has reserved, or for one in this process's memory the process.
/// `None` where nobody says.
pub fn held_bytes(device: &Device) -> Option<u64> {
    reserved_bytes(device).or_else(|| Some((status_mib("VmRSS:")? * MIB) as u64))
}

/// The same, the most there has been: an allocator keeps what it has reserved until it is asked to clean up.
pub fn most_held_bytes(device: &Device) -> Option<u64> {
    reserved_bytes(device).or_else(|| Some((peak_rss_mib()? * MIB) as u64))
}

const MIB: f64 = (1 << 20) as f64;

fn reserved_bytes(device: &Device) -> Option<u64> {
    device.memory_pool_usage().map(|usage| usage.bytes_reserved)
}

fn status_mib(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
