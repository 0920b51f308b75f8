//! How this process gets its memory.

/// Keeps memory that was freed for the next tensor, instead of giving it back to the system. For programs, before they compute: a
/// library leaves such things to its program.
///
/// The system's allocator maps every large block anew and returns it when it is freed, so that each result of an operation is
/// paid for twice: the system clears its pages, and hands them out one fault after the other. Peak memory stays what it is; what
/// a process has once held it keeps until it ends.
///
/// Call it first of all, before there is another thread. It does something for the C library of GNU alone.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` may be called at any time; it returns 0 where it knows no such setting, and nothing is lost then.
    #[allow(unsafe_code)]
    unsafe {
        // Blocks of any size lie on the heap, which all threads share, and which never shrinks.
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}
