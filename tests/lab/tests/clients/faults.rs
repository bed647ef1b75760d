use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lab::{Ca, Counted, Fault, KillSwitch, Moment, Web};

use crate::{Output, curl, run};

struct Site {
    _dir: tempfile::TempDir,
    ca_file: std::path::PathBuf,
    web: Web,
}

impl Site {
    fn start() -> Self {
        let (dir, ca) = (tempfile::tempdir().unwrap(), Ca::new());
        std::fs::write(dir.path().join("file"), "0123456789").unwrap();
        let web = Web::start(&ca, &["127.0.0.1"], dir.path());
        Self { ca_file: ca.write(dir.path()), _dir: dir, web }
    }

    fn ask(&self, args: &[&str]) -> Option<Output> {
        Some(run(curl(&self.ca_file)?.arg(format!("https://{}/file", self.web.addr())).args(args)))
    }
}

#[test]
fn faults_are_what_they_say() {
    for version in ["--http1.1", "--http2"] {
        let site = Site::start();
        let faults = site.web.faults();
        let ask = || site.ask(&[version]);

        faults.next(1, "GET", "/file", Fault::status(503));
        let Some(output) = ask() else { return };
        assert!(output.out.contains(" 503"), "{output}");
        assert!(ask().unwrap().out.ends_with("0123456789"));

        faults.next(1, "", "file", Fault::CutBody);
        let output = ask().unwrap();
        assert!(!output.ok && output.out.ends_with("01234"), "{version} {output}");
        faults.next(1, "", "", Fault::CloseBeforeAnswer);
        let output = ask().unwrap();
        assert!(!output.ok && output.out.is_empty(), "{output}");
        faults.next(1, "", "", Fault::CloseAfterEffect);
        assert!(!ask().unwrap().ok);

        let start = Instant::now();
        faults.next(1, "", "", Fault::Trickle(Duration::from_millis(30)));
        assert!(ask().unwrap().out.ends_with("0123456789"));
        assert!(start.elapsed() >= Duration::from_millis(300));
        faults.next(1, "", "", Fault::Delay(Duration::from_millis(100)));
        assert!(ask().unwrap().ok);

        faults.next(1, "", "", Fault::html());
        assert!(ask().unwrap().out.contains("<html>"));
        faults.next(1, "", "", Fault::kubernetes_status());
        assert!(ask().unwrap().out.contains(r#""kind":"Status""#));
        // Without end and length: only a limit of the client stops it.
        faults.next(1, "", "", Fault::Huge(None));
        let output = site.ask(&[version, "--max-time", "0.3", "--output", "/dev/null"]).unwrap();
        assert!(!output.ok && output.err.contains("timed out"), "{output}");
        faults.next(1, "", "", Fault::gibibyte());
        let output = site.ask(&[version, "--max-filesize", "1000000"]).unwrap();
        assert!(output.err.contains("Maximum file size exceeded"), "{output}");

        let calls = faults.requests();
        assert_eq!((calls[0].status, calls[2].status, calls[3].status), (Some(503), Some(200), None));
        assert!(calls.iter().all(|call| call.path == "/file" && call.header("user-agent").is_some()));
    }
}

#[test]
fn kill_switch_blocks_from_its_call() {
    for (moment, status) in [(Moment::BeforeEffect, None), (Moment::AfterEffect, Some(200))] {
        let site = Site::start();
        let acted = Arc::new(AtomicUsize::new(0));
        let switch = KillSwitch::new(2, moment, {
            let acted = acted.clone();
            move || {
                acted.fetch_add(1, Ordering::SeqCst);
            }
        });
        site.web.faults().kill_switch(&switch);
        let Some(first) = site.ask(&[]) else { return };
        assert!(first.ok && !switch.tripped());
        assert!(!site.ask(&[]).unwrap().ok);
        assert!(!site.ask(&[]).unwrap().ok);
        assert_eq!((switch.calls(), acted.load(Ordering::SeqCst)), (3, 1));
        assert_eq!(site.web.faults().requests()[1].status, status);
        assert_eq!(site.web.faults().requests()[2].status, None);
    }
}

#[test]
fn kill_switch_counts_only_chosen_requests() {
    let site = Site::start();
    let switch = KillSwitch::among(Counted::Writes, 2, Moment::AfterEffect, || ());
    site.web.faults().kill_switch(&switch);
    let Some(first) = site.ask(&["--request", "DELETE"]) else { return };
    assert!(first.ok && site.ask(&[]).unwrap().ok && !switch.tripped());
    assert!(!site.ask(&["--request", "DELETE"]).unwrap().ok);
    assert!(switch.tripped(), "at the second of those that it counts");
    assert!(!site.ask(&[]).unwrap().ok, "and nothing goes on after that");
    assert_eq!(switch.calls(), 2);
    let calls = site.web.faults().requests();
    assert_eq!(
        calls.iter().map(|call| call.status).collect::<Vec<_>>(),
        [Some(405), Some(200), Some(405), None]
    );
}
