//! Where the output goes: a disk that is full, a reader that went away.

use std::{fs::File, io, process::Stdio};

use crate::{
    estate::{Estate, SETUP},
    world::{Ran, World},
};

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn full_disk_exits_3_with_reason() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    for arguments in [
        vec!["--help"],
        vec!["audit", "--help"],
        vec!["--version"],
        vec!["config", "schema"],
        vec!["audit"],
        vec!["audit", "-o", "json"],
        vec!["coupling"],
        vec!["doctor"],
        vec!["verify", "--issuer", crate::world::ISSUER, "--ca-file", "ca.pem"],
        vec!["render", "issuer", "--distro", "k3s", "--issuer", crate::world::ISSUER],
    ] {
        let output = world.command(&arguments).stdout(full()).output().unwrap();
        let ran = Ran::from(output).ends(3);
        assert!(
            ran.err.contains("error[output]: ") && ran.err.contains("No space left"),
            "{arguments:?}: {}",
            ran.err
        );
    }
}

#[test]
fn closed_pipe_keeps_exit_code_silently() {
    let world = World::new(1);
    for arguments in [
        vec!["--help"],
        vec!["audit"],
        vec!["audit", "-o", "json"],
        vec!["coupling"],
        vec!["config", "schema"],
    ] {
        let whole = world.run(&arguments);
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let ran = Ran::from(world.command(&arguments).stdout(writer).output().unwrap());
        assert_eq!((ran.code, &ran.err), (whole.code, &whole.err), "{arguments:?}");
    }
}

/// A plan that could not be shown is not carried out.
#[test]
fn unshown_plan_is_not_applied() {
    let estate = Estate::new();
    let before = estate.store();
    let output = estate.command(&SETUP).stdout(full()).output().unwrap();
    Ran::from(output).fails(3, "output", &["stdout"]);
    assert_eq!(estate.store()["spec"], before["spec"]);
    assert!(estate.google.federation().is_empty());
    assert!(!estate.world.dir.path().join("keyless.yaml").exists());
    estate.run(&SETUP).ends(0);
}

/// As JSON, a run says once, at its end, what was planned and how it ended.
#[test]
fn unwritten_outcome_is_no_success() {
    let estate = Estate::new();
    let output = estate.command(&SETUP).args(["-o", "json"]).stdout(full()).output().unwrap();
    Ran::from(output).fails(3, "output", &["stdout"]);
}

#[test]
fn missing_stderr_changes_nothing() {
    let world = World::new(1);
    let code = world.run(&["audit"]).code;
    let output = world.command(&["audit", "-vvv"]).stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), code);
}
