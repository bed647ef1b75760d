//! What `keyless version` says of the build, and how the shipped program is linked. Reads nothing but what Cargo says, and
//! the compiler's version: no clock, no git, so that the same source gives the same bytes.

use std::{env, process::Command};

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script by variables")]
fn main() {
    println!("cargo::rerun-if-changed=build");
    let cargo = |name: &str| env::var(name).unwrap_or_default();
    // The static program moves itself to where it is loaded: packed, its 34,000 relocations take 30 KiB instead of 800.
    // Others may run with a C library that does not know the packed form.
    if cargo("CARGO_CFG_TARGET_OS") == "linux"
        && cargo("CARGO_CFG_TARGET_ENV") == "gnu"
        && cargo("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static")
    {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    println!(
        "cargo::rustc-env=KEYLESS_TARGET={}",
        env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned())
    );
    let compiler = env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    let version =
        compiler.filter(|ran| ran.status.success()).and_then(|ran| String::from_utf8(ran.stdout).ok());
    if let Some(version) = version.as_deref().map(str::trim).filter(|version| !version.is_empty()) {
        println!("cargo::rustc-env=KEYLESS_RUSTC={version}");
    }
}
