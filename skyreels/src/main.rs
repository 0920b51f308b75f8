//! The `skyreels` program.

mod program;

fn main() -> std::process::ExitCode {
    program::main()
}
