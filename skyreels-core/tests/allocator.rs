//! Memory that a program keeps.

#![cfg_attr(not(all(target_os = "linux", target_env = "gnu")), allow(dead_code))]

/// Bytes of a result of an operation.
const BYTES: usize = 64 << 20;

/// How often this process found a page missing.
fn faults() -> u64 {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name in parentheses may hold anything; the number is the eighth after it.
    let (_, fields) = status.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(7).unwrap().parse().unwrap()
}

/// Faults while a block is filled.
fn filling() -> u64 {
    let before = faults();
    let block = vec![1u8; BYTES];
    assert_eq!(std::hint::black_box(&block)[BYTES / 2], 1);
    faults() - before
}

/// As a program does it: first of all, in its first thread. The test harness would be there before, with threads.
fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.iter().any(|argument| argument == "--list") {
        if !asked.iter().any(|argument| argument == "--ignored") {
            println!("what_is_freed_need_not_be_handed_out_again: test");
        }
        return;
    }
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        skyreels_core::keep_freed_memory();
        // What small things have taken of the first one's place, the second one misses.
        let [first, _, third] = [0; 3].map(|_| filling());
        // Pages may be of any size.
        assert!(first > 8 && third * 4 < first, "{first} {third}");
    }
}
