//! From a device string to a device: the only place that names backends.
//!
//! | string | device | feature |
//! |---|---|---|
//! | `auto` | the first CUDA card when there is one, else the CPU | |
//! | `cpu` | Burn's `flex` backend, AVX-512 chosen at run time | `flex` |
//! | `cuda`, `cuda:N` | NVIDIA card N | `cuda` |
//! | `tch`, `tch:cuda:N` | LibTorch on the CPU or on NVIDIA card N | `tch` |
//! | `ndarray` | Burn's `ndarray` backend | `ndarray` |
//! | `ws://HOST:PORT`, `ws://HOST:PORT/N` | device N of a machine that [serves](serve) its own | `remote` |

// Burn 0.22 deprecates LibTorch and ndarray and 0.23 drops them: this file is what changes then.
#![allow(deprecated)]

mod remote;

use burn::tensor::Device;

pub use self::remote::{TOKEN_VARIABLE, serve};
use crate::{Error, Result};

/// Who computes on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Burn's `flex`: plain host memory, handed over without a copy.
    Flex,
    /// Burn's `ndarray`: host memory too.
    NdArray,
    /// LibTorch.
    LibTorch,
    /// A CubeCL runtime: CUDA and other cards.
    Cube,
    /// Another process computes, on whatever it has.
    Remote,
    /// Any other.
    Other,
}

impl Backend {
    /// The backend behind a device, seen through autodiff.
    ///
    /// Burn tells a library that is built without backends no more of a device than its name.
    pub fn of(device: &Device) -> Self {
        let name = format!("{device:?}");
        let known = [
            // Its name has an address in it, and that may have any of the other names.
            ("Remote(", Self::Remote),
            ("Flex", Self::Flex),
            ("NdArray", Self::NdArray),
            ("LibTorch", Self::LibTorch),
            ("Cube", Self::Cube),
            ("Cuda", Self::Cube),
        ];
        known.into_iter().find(|(part, _)| name.contains(part)).map_or(Self::Other, |(_, backend)| backend)
    }

    /// True when Burn can sum tensors over several devices of this kind by itself (NCCL on CUDA); on others of 0.22 its
    /// `all_reduce` panics.
    pub fn has_collective(device: &Device) -> bool {
        Self::of(device) == Self::Cube && format!("{device:?}").contains("Cuda")
    }

    /// True when tensors lie in this process's memory.
    pub fn is_host(self) -> bool {
        matches!(self, Self::Flex | Self::NdArray)
    }
}

/// What a device string names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request<'a> {
    Auto,
    Cpu,
    Cuda(usize),
    Torch,
    TorchCuda(usize),
    NdArray,
    /// `ws://HOST:PORT`, and which of its devices.
    Remote(&'a str, usize),
}

/// Opens the device that `name` stands for (see the table of this module).
///
/// # Errors
/// [`Error::Device`] when the name is unknown, its backend is not compiled in, no such card is there, or a server cannot be
/// reached; the message names the missing feature or driver.
pub fn open(name: &str) -> Result<Device> {
    match parse(name)? {
        Request::Auto => auto(),
        Request::Cpu => cpu(name),
        Request::Cuda(index) => cuda(name, index),
        Request::Torch => torch(name),
        Request::TorchCuda(index) => torch_cuda(name, index),
        Request::NdArray => ndarray(name),
        Request::Remote(server, index) => remote::connect(name, server, index),
    }
}

/// Opens every device of a list with commas, `cuda:0,cuda:1`.
///
/// # Errors
/// Those of [`open`].
pub fn open_all(names: &str) -> Result<Vec<Device>> {
    names.split(',').map(open).collect()
}

/// The device strings that this build and this machine can open, best first.
pub fn available() -> Vec<String> {
    let mut names: Vec<String> = (0..cuda_cards()).map(|index| format!("cuda:{index}")).collect();
    let candidates =
        [("cpu", cfg!(feature = "flex")), ("tch", cfg!(feature = "tch")), ("ndarray", cfg!(feature = "ndarray"))];
    names.extend(candidates.iter().filter(|(_, compiled)| *compiled).map(|(name, _)| (*name).to_string()));
    names
}

const KNOWN: &str = "use auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N";

fn parse(name: &str) -> Result<Request<'_>> {
    let index = |digits: &str| {
        digits.parse().map_err(|_| device_error(name, "the device's index is not a number", "write it as in `cuda:1`"))
    };
    if let Some(rest) = name.strip_prefix(remote::SCHEME) {
        let (host, digits) = rest.split_once('/').unwrap_or((rest, "0"));
        let port = |digits: &str| digits.parse::<u16>().is_ok();
        if !host.rsplit_once(':').is_some_and(|(name, digits)| !name.is_empty() && port(digits)) {
            return Err(device_error(name, "it names no host and port", "write it as in `ws://gpu-node:3000/1`"));
        }
        return Ok(Request::Remote(&name[..remote::SCHEME.len() + host.len()], index(digits)?));
    }
    match name {
        "auto" => Ok(Request::Auto),
        "cpu" | "flex" => Ok(Request::Cpu),
        "cuda" => Ok(Request::Cuda(0)),
        "tch" => Ok(Request::Torch),
        "tch:cuda" => Ok(Request::TorchCuda(0)),
        "ndarray" => Ok(Request::NdArray),
        _ => match (name.strip_prefix("cuda:"), name.strip_prefix("tch:cuda:")) {
            (Some(digits), _) => Ok(Request::Cuda(index(digits)?)),
            (_, Some(digits)) => Ok(Request::TorchCuda(index(digits)?)),
            _ => Err(device_error(name, "unknown device", KNOWN)),
        },
    }
}

fn auto() -> Result<Device> {
    match available().first() {
        Some(name) => open(name),
        None => Err(not_compiled("auto", "flex")),
    }
}

fn device_error(device: &str, reason: &str, help: &str) -> Error {
    Error::Device { device: device.into(), reason: reason.into(), help: help.into() }
}

fn not_compiled(device: &str, feature: &str) -> Error {
    device_error(
        device,
        "its backend is not part of this build",
        &format!("build with `--features {feature}`, or choose one of: {}", available().join(", ")),
    )
}

#[cfg(feature = "flex")]
fn cpu(_: &str) -> Result<Device> {
    Ok(Device::flex())
}

#[cfg(not(feature = "flex"))]
fn cpu(name: &str) -> Result<Device> {
    Err(not_compiled(name, "flex"))
}

#[cfg(feature = "cuda")]
fn cuda_cards() -> usize {
    Device::enumerate(burn::tensor::DeviceType::Cuda).len()
}

#[cfg(not(feature = "cuda"))]
fn cuda_cards() -> usize {
    0
}

#[cfg(feature = "cuda")]
fn cuda(name: &str, index: usize) -> Result<Device> {
    // A card that is not there would only fail at its first kernel, far from here.
    match cuda_cards() {
        0 => Err(device_error(name, "no NVIDIA card was found", "install the NVIDIA driver (libcuda) or use `cpu`")),
        count if index >= count => Err(device_error(
            name,
            &format!("there are only {count} cards"),
            &format!("use cuda:0 to cuda:{}", count - 1),
        )),
        _ => Ok(Device::cuda(index)),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(name: &str, _: usize) -> Result<Device> {
    Err(not_compiled(name, "cuda"))
}

#[cfg(feature = "tch")]
fn torch(_: &str) -> Result<Device> {
    Ok(Device::libtorch())
}

#[cfg(not(feature = "tch"))]
fn torch(name: &str) -> Result<Device> {
    Err(not_compiled(name, "tch"))
}

#[cfg(feature = "tch")]
fn torch_cuda(name: &str, index: usize) -> Result<Device> {
    match Device::enumerate(burn::tensor::DeviceType::LibTorch).iter().count() {
        // LibTorch lists its CPU first, its cards after it.
        count if index >= count.saturating_sub(1) => Err(device_error(
            name,
            "LibTorch sees no such card",
            "install a CUDA build of LibTorch and the NVIDIA driver, or use `tch`",
        )),
        _ => Ok(Device::libtorch_cuda(index)),
    }
}

#[cfg(not(feature = "tch"))]
fn torch_cuda(name: &str, _: usize) -> Result<Device> {
    Err(not_compiled(name, "tch"))
}

#[cfg(feature = "ndarray")]
fn ndarray(_: &str) -> Result<Device> {
    Ok(Device::ndarray())
}

#[cfg(not(feature = "ndarray"))]
fn ndarray(name: &str) -> Result<Device> {
    Err(not_compiled(name, "ndarray"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_string_is_understood() {
        assert_eq!(parse("auto").unwrap(), Request::Auto);
        assert_eq!(parse("cpu").unwrap(), Request::Cpu);
        assert_eq!(parse("cuda").unwrap(), Request::Cuda(0));
        assert_eq!(parse("cuda:1").unwrap(), Request::Cuda(1));
        assert_eq!(parse("tch").unwrap(), Request::Torch);
        assert_eq!(parse("tch:cuda:2").unwrap(), Request::TorchCuda(2));
        assert_eq!(parse("ndarray").unwrap(), Request::NdArray);
        assert_eq!(parse("ws://node:3000").unwrap(), Request::Remote("ws://node:3000", 0));
        assert_eq!(parse("ws://10.0.0.1:3000/7").unwrap(), Request::Remote("ws://10.0.0.1:3000", 7));
    }

    #[test]
    fn unknown_strings_are_errors_that_list_the_known_ones() {
        for name in ["", "gpu", "cuda:x", "cuda:-1", "tch:1"] {
            let message = parse(name).unwrap_err().to_string();
            assert!(message.contains("cuda"), "{message}");
        }
        for name in [
            "ws://",
            "ws://node",
            "ws://:3000",
            "ws://node:x",
            "ws://node:99999",
            "ws://node:3000/x",
            "ws://node:3000/0/1",
        ] {
            let message = parse(name).unwrap_err().to_string();
            assert!(message.contains("write it as"), "{message}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_that_is_not_compiled_in_names_its_feature() {
        let message = open("cuda").unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }

    #[cfg(all(feature = "flex", feature = "ndarray"))]
    #[test]
    fn a_device_tells_its_backend() {
        assert_eq!(Backend::of(&Device::flex()), Backend::Flex);
        assert_eq!(Backend::of(&Device::ndarray()), Backend::NdArray);
    }

    #[cfg(all(feature = "flex", not(feature = "cuda")))]
    #[test]
    fn auto_is_the_cpu_without_a_card() {
        assert_eq!(open("auto").unwrap(), Device::flex());
    }
}
