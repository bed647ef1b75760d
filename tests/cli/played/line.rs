//! One line of a page, typed by a person at a terminal into a shell in which `keyless` is the program under test.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{blocks::Table, stages::Stage};
use crate::{terminal::Terminal, world::Ran};

const LONGEST: Duration = Duration::from_secs(120);

/// `keyless` as a person has it on `PATH`. Two things are not waited for: the ten minutes in which `setup` watches the store
/// after it disabled a key, and the end of `publish --watch`, which gets the signal of Ctrl-C's kind.
const PROGRAM: &str = r#"#!/bin/bash
case " $* " in
  *" --watch-for "* | *" --undo "*) ;;
  " setup "*) exec KEYLESS "$@" --watch-for 0s ;;
  " publish"*" --watch "*) exec timeout --foreground --preserve-status -s TERM 4 KEYLESS "$@" ;;
esac
exec KEYLESS "$@"
"#;

/// Puts the program into a folder of its own.
pub(super) fn install(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder).unwrap();
    let program = folder.join("keyless");
    std::fs::write(&program, PROGRAM.replace("KEYLESS", env!("CARGO_BIN_EXE_keyless"))).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What of a line is run; `None`: another program's.
pub(super) fn run_part<'a>(table: &Table, line: &'a str) -> Option<&'a str> {
    let is_other = |part: &str| {
        let name = part.split_whitespace().next().unwrap_or_default();
        table.others.contains_key(name)
    };
    if is_other(line) {
        return None;
    }
    // What is piped into another program is made all the same.
    let end = line.match_indices(" | ").find(|(at, bar)| is_other(&line[at + bar.len()..]));
    Some(end.map_or(line, |(at, _)| &line[..at]))
}

/// Runs it to its end. Each question is answered as the world says, `y` if it is a yes or no.
pub(super) fn play(stage: &Stage, line: &str) -> Ran {
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", line]).stdout(Stdio::piped()).stderr(Stdio::piped());
    stage.place(&mut command);
    let mut terminal = Terminal::of(&mut command);
    command.process_group(0);
    let mut child = command.spawn().unwrap();
    drop(command);
    let (mut out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let answers = stage.answers.clone();
    let err = thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(err).lines() {
            let line = line.unwrap();
            if let Some(answer) = answer(&answers, &line) {
                terminal.write_all(answer.as_bytes()).unwrap();
                terminal.write_all(b"\n").unwrap();
            }
            text += &line;
            text += "\n";
        }
        text
    });
    let end = Instant::now() + LONGEST;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
            let err = err.join().unwrap();
            panic!("`{line}` does not end:\n{err}");
        }
        thread::sleep(Duration::from_millis(10));
    };
    Ran {
        command: line.to_owned(),
        code: status.code(),
        out: out.join().unwrap().unwrap(),
        err: err.join().unwrap(),
    }
}

fn answer(answers: &[(&str, String)], line: &str) -> Option<String> {
    if line.ends_with("? [y/N]") {
        return Some("y".into());
    }
    let (question, offered) = line.split_once('?')?;
    let own = answers.iter().find(|(part, _)| question.contains(part)).map(|(_, answer)| answer.clone());
    match (own, offered) {
        (Some(own), _) => Some(own),
        (None, offered) if offered.starts_with(" [") && offered.ends_with(']') => Some(String::new()),
        _ => None,
    }
}
