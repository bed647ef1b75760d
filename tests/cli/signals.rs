//! SIGINT and SIGTERM end every command within two seconds, also as PID 1 of a container, and leave a state from which
//! the next run goes on.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use lab::{Fault, Faults};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    estate::{Estate, RETIRE},
    terminal::Terminal,
    world::World,
};

const LONG: Duration = Duration::from_secs(60);
const WITHIN: Duration = Duration::from_secs(2);

/// The program while it runs, and the process that was started for it.
struct Running {
    child: Child,
    pid: Pid,
    stderr: BufReader<ChildStderr>,
    output: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, pid, stderr, output: String::new() }
    }

    /// As PID 1 of a namespace of its own, where the kernel ignores every signal without a handler.
    fn as_init(command: &Command) -> Self {
        let mut outer = Command::new("/usr/bin/unshare");
        outer
            .args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(command.get_current_dir().unwrap())
            .stdin(Stdio::null());
        let mut running = Self::start(outer);
        let children = format!("/proc/{0}/task/{0}/children", running.pid.as_raw_pid());
        running.pid = until(|| {
            let pid = fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok()?;
            Pid::from_raw(pid)
        });
        running
    }

    /// Until it has asked this far side.
    fn asked(self, faults: &Faults) -> Self {
        until(|| (!faults.requests().is_empty()).then_some(()));
        self
    }

    /// Until it has written this on stderr.
    fn says(mut self, text: &str) -> Self {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let length = self.stderr.read_line(&mut line).unwrap();
            self.output.push_str(&line);
            assert!(length > 0, "it ended without `{text}`:\n{}", self.output);
        }
        self
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// How it ends after the signal, and what it says.
    #[track_caller]
    fn ends(mut self, signal: Signal, code: i32) -> String {
        let began = Instant::now();
        self.signal(signal);
        let status = self.child.wait().unwrap();
        let took = began.elapsed();
        std::io::Read::read_to_string(&mut self.stderr, &mut self.output).unwrap();
        assert_eq!(status.code(), Some(code), "{}", self.output);
        assert!(took < WITHIN, "it took {took:?}:\n{}", self.output);
        assert!(self.output.contains("error[interrupted]: stopped by SIG"), "{}", self.output);
        self.output
    }
}

#[track_caller]
fn until<T>(mut done: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(done) = done() {
            return done;
        }
        assert!(began.elapsed() < LONG, "it does not happen");
        thread::sleep(Duration::from_millis(5));
    }
}

fn hang(faults: &Faults) {
    faults.always("", "", Fault::Delay(LONG));
}

#[test]
fn sigterm_ends_init_while_server_hangs() {
    let estate = Estate::new();
    estate.settings(&format!(
        "bucket: {{url: \"file://{}\"}}\nissuer: https://oidc.lab.test/prod",
        estate.world.www.display()
    ));
    let faults = estate.world.cluster.server(0).faults();
    hang(faults);
    for arguments in [&["publish"][..], &["verify"], &["audit"], &["setup", "--yes"], &["teardown", "--yes"]]
    {
        faults.forget();
        let running = Running::as_init(&estate.command(arguments)).asked(faults);
        running.ends(Signal::TERM, 143);
    }
}

#[test]
fn sigint_ends_command_with_130() {
    let world = World::new(1);
    let faults = world.cluster.server(0).faults();
    hang(faults);
    for as_init in [false, true] {
        faults.forget();
        let command = world.command(&["audit", "-o", "json"]);
        let running = if as_init { Running::as_init(&command) } else { Running::start(command) };
        running.asked(faults).ends(Signal::INT, 130);
    }
}

#[test]
fn interrupted_command_is_json_too() {
    let world = World::new(1);
    let faults = world.cluster.server(0).faults();
    hang(faults);
    let mut command = world.command(&["audit", "-o", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    until(|| (!faults.requests().is_empty()).then_some(()));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let answer: serde_json::Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(answer["error"]["code"], "interrupted", "{answer}");
}

/// A plugin blocks the thread on which everything else runs.
fn with_hanging_plugin(world: &World) -> Command {
    let text = fs::read_to_string(&world.kubeconfig).unwrap();
    let (head, rest) = text.split_once("    token: ").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let plugin = "    exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, args: [-c, \"touch began; sleep 60\"], interactiveMode: Never}\n";
    fs::write(&world.kubeconfig, format!("{head}{plugin}{rest}")).unwrap();
    world.command(&["audit"])
}

fn began(world: &World) {
    until(|| world.dir.path().join("began").exists().then_some(()));
}

#[test]
fn sigterm_ends_init_while_plugin_hangs() {
    let world = World::new(1);
    let running = Running::as_init(&with_hanging_plugin(&world));
    began(&world);
    running.ends(Signal::TERM, 143);
}

#[test]
fn second_signal_ends_it_at_once() {
    let world = World::new(1);
    let running = Running::start(with_hanging_plugin(&world));
    began(&world);
    running.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(200));
    let again = Instant::now();
    running.ends(Signal::INT, 143);
    assert!(again.elapsed() < Duration::from_millis(700), "it took {:?}", again.elapsed());
}

/// Nothing that it writes comes through any more.
#[test]
fn sigterm_ends_command_whose_reader_hangs() {
    let world = World::new(1);
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
    let mut child = world
        .command(&["config", "schema"])
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    // It has begun to write when the pipe is full.
    until(|| (rustix::io::ioctl_fionread(&reader).unwrap() >= 4096).then_some(()));
    let began = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(began.elapsed() < WITHIN, "it took {:?}", began.elapsed());
}

/// The old key is disabled by then, and the store moved.
#[test]
fn setup_resumes_after_sigterm_while_watching() {
    let estate = Estate::new();
    let command = estate.command(&["setup", "--yes", "--retire-key", "--watch-for", "1h"]);
    Running::as_init(&command).says("watching").ends(Signal::TERM, 143);
    estate.run(&RETIRE).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
}

#[test]
fn signal_ends_open_question() {
    let estate = Estate::new();
    let mut command = estate.command(&["setup"]);
    let terminal = Terminal::of(&mut command);
    Running::start(command).says("[y/N]").ends(Signal::INT, 130);
    drop(terminal);
    assert_eq!(estate.key_disabled(), Some(false));
}

/// No, or the end of input: an answer, not an error.
#[test]
fn declined_prompt_changes_nothing() {
    for (answer, declined) in [("n\n", true), ("\n", true), ("no\n", true), ("\u{4}", true), ("yes\n", false)]
    {
        let world = World::new(1);
        world.keyless("publish", &[]).ends(0);
        let bucket = format!("file://{}", world.www.display());
        let mut command = world.command(&[
            "teardown",
            "--bucket",
            &bucket,
            "--issuer",
            crate::world::ISSUER,
            "--ca-file",
            "ca.pem",
        ]);
        let mut terminal = Terminal::of(&mut command);
        let mut running = Running::start(command).says("[y/N]");
        terminal.write_all(answer.as_bytes()).unwrap();
        let status = running.child.wait().unwrap();
        std::io::Read::read_to_string(&mut running.stderr, &mut running.output).unwrap();
        let output = running.output;
        assert_eq!(status.code(), Some(i32::from(declined)), "{answer:?}: {output}");
        assert_eq!(output.ends_with("\nCancelled. Nothing was changed.\n"), declined, "{answer:?}: {output}");
        assert!(!output.contains("error["), "{output}");
        assert_eq!(Path::new(&world.jwks()).exists(), declined);
    }
}

#[test]
fn timeout_stops_command_like_sigterm() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s"]).ends(0);
    hang(estate.world.cluster.server(0).faults());
    for arguments in [&["publish"][..], &["verify"], &["audit"], &["status"], &["setup", "--yes"]] {
        let began = Instant::now();
        let arguments = [arguments, &["--timeout", "300ms", "-o", "json"]].concat();
        let output = estate.command(&arguments).output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {answer}");
        assert_eq!(answer["error"]["code"], "time-limit", "{arguments:?}: {answer}");
        assert!(began.elapsed() < WITHIN, "{arguments:?} took {:?}", began.elapsed());
    }
}

#[test]
fn timeout_ends_hanging_plugin_too() {
    let world = World::new(1);
    let mut command = with_hanging_plugin(&world);
    let output = command.args(["--timeout", "1s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("error[time-limit]: the command did not end within the time of --timeout"),
        "{told}"
    );
}

#[test]
fn setup_resumes_after_timeout_while_watching() {
    let estate = Estate::new();
    let watch = ["setup", "--yes", "--retire-key", "--watch-for", "1h", "--timeout"];
    estate.run(&[&watch[..], &["20s"]].concat()).ends(3).says("error[time-limit]");
    estate.run(&RETIRE).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
}

#[test]
fn timeouts_that_are_none_are_refused() {
    let world = World::new(1);
    for time in ["", "-1s", "1 m", "1d", "soon", "9999999h"] {
        world.run(&["audit", &format!("--timeout={time}")]).ends(2).says("--timeout");
    }
    for arguments in [
        ["publish", "--watch", "--timeout=1m"],
        ["publish", "--timeout=1m", "--watch"],
        ["--timeout=1m", "publish", "--watch"],
        ["--quiet", "publish", "--watch"],
        ["publish", "--quiet", "--watch"],
    ] {
        world.run(&arguments).ends(2).says("cannot be used with");
    }
    world.run(&["explain", "--timeout", "1m"]).ends(2).says("has no use for --timeout");
}
