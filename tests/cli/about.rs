//! The program about itself: version, completions, manual pages.

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use crate::world::{Ran, World};

#[test]
fn version_tells_what_was_built() {
    let world = World::new(1);
    let text = world.run(&["version"]).ends(0);
    let json = world.run(&["version", "-o", "json"]).ends(0).json();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["tls"]["stack"], "rustls");
    // What the handshakes of the program begin with.
    assert_eq!(json["tls"]["keyExchange"][0], "X25519MLKEM768");
    let platform = json["platform"].as_str().unwrap();
    assert!(
        platform.starts_with(std::env::consts::ARCH) && platform.contains(std::env::consts::OS),
        "{platform}"
    );
    assert!(json["rustc"].as_str().is_some_and(|rustc| rustc.starts_with("rustc 1.")), "{json}");
    // Nothing is guessed: the build of this test was told no commit, unless the environment had one.
    assert_eq!(json["commit"], option_env!("KEYLESS_COMMIT").map_or(serde_json::Value::Null, Into::into));
    for line in [format!("keyless {}\n", env!("CARGO_PKG_VERSION")), format!("target: {platform}\n")] {
        assert!(text.out.contains(&line), "{}", text.out);
    }
    assert!(world.cluster.server(0).faults().requests().is_empty());
    let short = world.run(&["--version"]).ends(0).out;
    assert_eq!(short, format!("keyless {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn commands_about_program_need_no_settings() {
    let world = World::new(1);
    fs::write(world.dir.path().join("keyless.yaml"), "nonsense: [").unwrap();
    for arguments in [&["version"][..], &["completions", "bash"], &["man"]] {
        world.run(arguments).ends(0);
    }
}

/// What bash offers for a line that ends at the cursor.
fn offered(world: &World, line: &str) -> Vec<String> {
    let script = world.dir.path().join("completion.bash");
    fs::write(&script, world.run(&["completions", "bash"]).ends(0).out).unwrap();
    let words: Vec<_> = line.split(' ').collect();
    let ask = format!(
        "set -eu; source \"$0\"; COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; \
         set +eu; _keyless keyless \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1,
    );
    let mut bash = Command::new("/bin/bash");
    bash.args(["--norc", "-c", &ask]).arg(&script).env_clear().env("PATH", "/usr/bin:/bin");
    let ran = Ran::from(bash.output().unwrap()).ends(0);
    assert_eq!(ran.err, "");
    ran.out.lines().filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_flags() {
    let world = World::new(1);
    assert_eq!(offered(&world, "keyless aud"), ["audit"]);
    assert_eq!(offered(&world, "keyless keys rev"), ["revoke"]);
    assert_eq!(offered(&world, "keyless audit --mo"), ["--mode"]);
    assert!(offered(&world, "keyless audit --mode ").contains(&"refs".to_owned()));
    assert!(offered(&world, "keyless audit -o ").contains(&"sarif".to_owned()));
    // A flag that the command refuses is not offered.
    assert_eq!(offered(&world, "keyless audit --buck"), Vec::<String>::new());
    assert_eq!(offered(&world, "keyless publish --buck"), ["--bucket"]);
}

#[test]
fn completions_exist_for_each_shell() {
    let world = World::new(1);
    for (shell, begins, program) in [
        ("bash", "_keyless() {", Some("/bin/bash")),
        ("zsh", "#compdef keyless", Some("/usr/bin/zsh")),
        ("fish", "# Print an optspec", Some("/usr/bin/fish")),
        ("elvish", "\nuse builtin;", None),
        ("powershell", "\nusing namespace", None),
    ] {
        let ran = world.run(&["completions", shell]).ends(0);
        assert!(ran.out.starts_with(begins), "{shell}: {}", &ran.out[..200]);
        assert!(ran.out.contains("--retire-key") && !ran.out.contains("no-such"), "{shell}");
        let json = world.run(&["completions", shell, "-o", "json"]).ends(0).json();
        assert_eq!(json["script"].as_str().unwrap().trim_end(), ran.out.trim_end());
        let Some(program) = program.filter(|program| Path::new(program).exists()) else { continue };
        let mut check = Command::new(program);
        let mut check = check.arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        check.stdin.take().unwrap().write_all(ran.out.as_bytes()).unwrap();
        Ran::from(check.wait_with_output().unwrap()).ends(0);
    }
    world.run(&["completions", "tcsh"]).ends(2).says("possible values: bash");
}

#[test]
fn manual_page_is_rendered_without_warnings() {
    let world = World::new(1);
    let page = world.run(&["man"]).ends(0).out;
    for heading in [".TH keyless 1", ".SH NAME", ".SH SYNOPSIS", ".SH SUBCOMMANDS", ".SH EXTRA"] {
        assert!(page.contains(heading), "{heading} is not in\n{page}");
    }
    let groff = Path::new("/usr/bin/groff");
    if groff.exists() {
        let file = world.dir.path().join("keyless.1");
        fs::write(&file, &page).unwrap();
        let mut groff = Command::new(groff);
        let ran =
            Ran::from(groff.args(["-k", "-man", "-ww", "-z", "-Tutf8"]).arg(&file).output().unwrap()).ends(0);
        assert_eq!(ran.err, "");
    }
}

#[test]
fn manual_pages_cover_every_command() {
    let world = World::new(1);
    fs::create_dir(world.dir.path().join("man1")).unwrap();
    let json = world.run(&["man", "--dir", "man1", "-o", "json"]).ends(0).json();
    let count = fs::read_dir(world.dir.path().join("man1")).unwrap().count();
    assert_eq!(json["files"].as_array().unwrap().len(), count);
    for line in include_str!("../../fixtures/cli/flags.txt").lines() {
        let (command, flags) = line.split_once(':').unwrap();
        let name = command.replace(' ', "-");
        let page = fs::read_to_string(world.dir.path().join(format!("man1/{name}.1"))).unwrap();
        for flag in flags.split_whitespace() {
            assert!(page.contains(&flag.replace('-', "\\-")), "{name}: {flag}");
        }
        assert_eq!(page.contains("\\-\\-bucket"), flags.contains("--bucket"), "{name}");
    }
    // Again: the same, over what is there.
    world.run(&["man", "--dir", "man1"]).ends(0);
}

#[test]
fn manual_pages_make_their_folder() {
    let world = World::new(1);
    world.run(&["man", "--dir", "share/man1"]).ends(0);
    assert!(world.dir.path().join("share/man1/keyless-setup.1").is_file());
    // A file is where the folder is to be.
    world.run(&["man", "--dir", "ca.pem/man1"]).fails(3, "man-unwritable", &["ca.pem/man1", "--dir"]);
    symlink("/nowhere/page", world.dir.path().join("keyless.1")).unwrap();
    world.run(&["man", "--dir", "."]).fails(3, "man-unwritable", &["keyless.1", "leads to nothing"]);
}
