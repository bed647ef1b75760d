//! The program while it watches: its lines so far, and what it serves.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Child,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const LONG: Duration = Duration::from_secs(60);

#[track_caller]
pub(super) fn until<T>(mut done: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(done) = done() {
            return done;
        }
        assert!(began.elapsed() < LONG, "it does not happen");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(super) struct Watch {
    child: Child,
    readers: Option<[JoinHandle<()>; 2]>,
    lines: Arc<Mutex<Vec<String>>>,
    messages: Arc<Mutex<Vec<String>>>,
}

fn collect(from: impl Read + Send + 'static, into: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let into = into.clone();
    thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).for_each(|line| into.lock().unwrap().push(line));
    })
}

impl Watch {
    pub(super) fn of(mut child: Child) -> Self {
        let (lines, messages) = (Arc::default(), Arc::default());
        let readers =
            [collect(child.stdout.take().unwrap(), &lines), collect(child.stderr.take().unwrap(), &messages)];
        Self { child, readers: Some(readers), lines, messages }
    }

    pub(super) fn messages(&self) -> String {
        self.messages.lock().unwrap().join("\n")
    }

    /// Where it serves.
    pub(super) fn address(&self) -> SocketAddr {
        until(|| {
            let messages = self.messages();
            let line = messages.lines().find(|line| line.starts_with("serving "))?;
            line.rsplit(' ').next()?.parse().ok()
        })
    }

    /// Status and body of what it serves there.
    pub(super) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address())
            .unwrap_or_else(|error| panic!("{error}; it printed\n{}", self.messages()));
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The value of a series, if there is one.
    pub(super) fn metric(&self, series: &str) -> Option<f64> {
        let (status, body) = self.get("/metrics");
        assert_eq!(status, 200);
        let line =
            body.lines().find(|line| line.strip_prefix(series).is_some_and(|it| it.starts_with(' ')))?;
        Some(line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    #[track_caller]
    pub(super) fn becomes_ready(&self) {
        let began = Instant::now();
        while self.get("/readyz").0 != 200 {
            assert!(began.elapsed() < LONG, "{}\n{}", self.get("/readyz").1, self.messages());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ends after the signal: its exit code, its JSON lines, its messages.
    pub(super) fn ends(mut self, signal: Signal) -> (Option<i32>, Vec<Value>, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let status = self.child.wait().unwrap();
        self.readers.take().into_iter().flatten().for_each(|reader| reader.join().unwrap());
        let lines = self.lines.lock().unwrap();
        let lines = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (status.code(), lines, self.messages())
    }
}

/// A test that fails leaves no process behind.
impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
