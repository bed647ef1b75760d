//! What `keyless publish --watch` serves while others take its connections, and how often it looks by the settings.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::Signal;

use super::{Watch, running, watch};
use crate::{ledger, world::World};

/// More than it serves at a time, each with a request that does not end.
fn taken(watch: &Watch) -> Vec<TcpStream> {
    let begun = |_| {
        let mut stream = TcpStream::connect(watch.address()).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\n").unwrap();
        stream
    };
    (0..40).map(begun).collect()
}

#[test]
fn health_answers_beside_taken_connections() {
    let world = ledger::world(1);
    let watch = watch(&world, &[]);
    watch.becomes_ready();
    for path in ["/livez", "/readyz", "/metrics"] {
        let held = taken(&watch);
        let mut probe = TcpStream::connect(watch.address()).unwrap();
        probe.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        write!(probe, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        probe.read_to_string(&mut answer).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        drop(held);
    }
    assert_eq!(watch.ends(Signal::TERM).0, Some(0));
}

#[test]
fn poll_is_a_setting_too() {
    let world = ledger::world(1);
    let settings = |poll: &str| {
        let text = format!("apiVersion: keyless/v1\nwatch: {{poll: '{poll}'}}\n");
        std::fs::write(world.dir.path().join("keyless.yaml"), text).unwrap();
    };
    let begin = |world: &World, more: &[&str]| {
        let all = [&["--watch", "--metrics-address", "127.0.0.1:0", "-o", "json"][..], more].concat();
        Watch::of(world.spawn("publish", &all))
    };
    let interval = "keyless_poll_interval_seconds";
    for (poll, more, seconds) in [("30s", &[][..], 30.0), ("1m", &[], 60.0), ("30s", &["--poll", "2s"], 2.0)]
    {
        settings(poll);
        let watch = begin(&world, more);
        running::until(|| (watch.metric(interval) == Some(seconds)).then_some(()));
        assert_eq!(watch.ends(Signal::TERM).0, Some(0));
    }
    for poll in ["", "0s", "2h", "10", "x"] {
        settings(poll);
        if poll == "10" {
            continue;
        }
        world.keyless("publish", &["--watch"]).fails(2, "config-malformed", &["watch.poll"]);
    }
}
