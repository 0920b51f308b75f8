//! The `skyreels` program.
fn main() {}
