//! `keyless`: see `keyless --help`, and the crate documentation of the library for the way of the data.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyless::run(std::env::args_os())
}
