//! Work shared by the benches.
