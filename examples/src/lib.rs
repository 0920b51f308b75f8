//! Small programs that use the skyreels crates, one per file in `examples/`.
