//! Colour, and how little a run prints that is asked to be quiet.

use std::io::Write;

use crate::{
    terminal::Terminal,
    world::{ISSUER, Ran, World},
};

const ESCAPE: char = '\u{1b}';

/// Arguments of a dry run of publish, with further ones.
fn dry_run(world: &World, variables: &[(&str, &str)], more: &[&str]) -> Ran {
    let bucket = format!("file://{}", world.www.display());
    let arguments = ["publish", "--dry-run", "--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"];
    Ran::of(world.command(&[&arguments[..], more].concat()).envs(variables.iter().copied()))
}

/// What a terminal shows of it, if it takes no colour.
fn plain(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn plan_and_error_are_coloured() {
    let world = World::new(1);
    let plan = dry_run(&world, &[], &[]).ends(1);
    let coloured = dry_run(&world, &[], &["--color", "always"]).ends(1);
    assert_eq!(plain(&coloured.out), plan.out, "colour changes no word");
    assert_eq!(plain(&coloured.err), plan.err);
    assert!(coloured.out.contains("\u{1b}[32m+\u{1b}[0m"), "{}", coloured.out);
    let bad = ["audit", "--context", "none"];
    let error = world.run(&bad).ends(2);
    let red = world.run(&[&bad[..], &["--color=always"]].concat()).ends(2);
    assert_eq!(plain(&red.err), error.err);
    assert!(red.err.starts_with("\u{1b}[1m\u{1b}[31merror[kubeconfig]\u{1b}[0m: "), "{}", red.err);
    crate::snapshot::transcript("colour-none", &[plan, error]);
    let shown = |ran: Ran| Ran {
        out: ran.out.replace(ESCAPE, "<ESC>"),
        err: ran.err.replace(ESCAPE, "<ESC>"),
        ..ran
    };
    crate::snapshot::transcript("colour-always", &[shown(coloured), shown(red)]);
}

#[test]
fn environment_chooses_colour_for_pipes() {
    let world = World::new(1);
    let force = ("CLICOLOR_FORCE", "1");
    for (variables, more, coloured) in [
        (&[][..], &[][..], false),
        (&[("TERM", "xterm-256color")], &[], false),
        (&[force], &[], true),
        (&[force, ("NO_COLOR", "1")], &[], false),
        (&[force], &["--color", "never"], false),
        (&[("NO_COLOR", "1")], &["--color", "always"], true),
    ] {
        let ran = dry_run(&world, variables, more).ends(1);
        assert_eq!(ran.out.contains(ESCAPE), coloured, "{variables:?} {more:?}: {}", ran.out);
    }
    // So it is where the arguments are refused.
    for (more, coloured) in [(&["--color=always"][..], true), (&[], false)] {
        let ran = world.run(&[&["audit", "--nonsense"], more].concat()).ends(2);
        assert_eq!(
            ran.err.starts_with("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: unexpected"),
            coloured,
            "{}",
            ran.err
        );
        assert!(plain(&ran.err).starts_with("error: unexpected argument '--nonsense'"), "{}", ran.err);
    }
}

#[test]
fn documents_have_no_colour() {
    let world = World::new(1);
    for arguments in [
        &["config", "schema"][..],
        &["completions", "bash"],
        &["render", "rbac", "--for", "audit"],
        &["man"],
        &["audit", "-o", "json"],
        &["audit", "-o", "html"],
        &["audit", "-o", "junit"],
        &["explain", "-o", "json"],
        &["audit", "-o", "json", "--context", "none"],
    ] {
        let plain = world.run(arguments);
        let coloured = world.run(&[arguments, &["--color", "always"]].concat());
        assert!(!coloured.out.contains(ESCAPE), "{arguments:?}");
        assert_eq!(plain.code, coloured.code, "{arguments:?}");
    }
    let report = world.dir.path().join("audit.html");
    world.run(&["audit", "--color", "always", "--report", "html=audit.html"]);
    assert!(!std::fs::read_to_string(report).unwrap().contains(ESCAPE));
}

#[test]
fn quiet_run_prints_its_result() {
    let world = World::new(1);
    let ran = dry_run(&world, &[], &["-q"]).ends(1);
    assert_eq!((ran.out.lines().count(), ran.err.as_str()), (1, ""), "{}", ran.out);
    assert!(ran.out.starts_with("pending: "), "{}", ran.out);
    let loud = world.keyless("publish", &["--dry-run"]);
    assert_eq!(loud.out.lines().last(), ran.out.lines().last());
    // A quiet run does the same.
    let done = world.keyless("publish", &["--quiet"]).ends(0);
    assert_eq!((done.out.lines().count(), done.err.as_str()), (1, ""), "{}", done.out);
    assert_eq!(world.published(), [world.key.kid()]);
    let verified = world.keyless("verify", &["-q"]);
    assert!(verified.out.lines().count() == 1 && verified.out.contains(" passed, "), "{}", verified.out);
    assert_eq!(verified.code, world.keyless("verify", &[]).code);
    let audited = world.run(&["audit", "-q"]);
    assert_eq!((audited.out.lines().count(), audited.err.as_str()), (1, ""), "{}", audited.out);
    assert_eq!(audited.code, world.run(&["audit"]).code);
}

/// What a person is asked about is never held back.
#[test]
fn quiet_question_shows_its_plan() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let bucket = format!("file://{}", world.www.display());
    let arguments = ["teardown", "--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"];
    let plan = world.run(&[&arguments[..], &["--dry-run"]].concat()).ends(1);
    let mut command = world.command(&[&arguments[..], &["-q"]].concat());
    let mut terminal = Terminal::of(&mut command);
    terminal.write_all(b"n\n").unwrap();
    let ran = Ran::of(&mut command).ends(1);
    assert_eq!(ran.out, plan.out);
    assert!(
        ran.err.contains("[y/N]") && ran.err.ends_with("Cancelled. Nothing was changed.\n"),
        "{}",
        ran.err
    );
    assert_eq!(world.published(), [world.key.kid()]);
}

#[test]
fn quiet_changes_no_error_or_json() {
    let world = World::new(1);
    let bad = ["audit", "--context", "none"];
    let (loud, quiet) = (world.run(&bad), world.run(&[&bad[..], &["-q"]].concat()));
    assert_eq!((&loud.out, &loud.err, loud.code), (&quiet.out, &quiet.err, quiet.code));
    let json =
        |more: &[&str]| world.keyless("publish", &[&["--dry-run", "-o", "json"], more].concat()).ends(1);
    assert_eq!(json(&["-q"]).json()["plan"]["steps"], json(&[]).json()["plan"]["steps"]);
    assert_eq!(json(&["-q"]).err, "");
}

#[test]
fn quiet_is_refused_where_idle() {
    let world = World::new(1);
    for arguments in [
        &["status", "-q"][..],
        &["-q", "config", "view"],
        &["explain", "--quiet"],
        &["keys", "-q"],
        &["audit", "-q", "-v"],
        &["publish", "--watch", "-q"],
    ] {
        let ran = world.run(arguments).ends(2);
        assert!(ran.err.contains("--quiet"), "{arguments:?}: {}", ran.err);
    }
}
