//! What is done at the same time, and what a failure does to the rest.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;

use super::*;
use crate::{
    cli::Output,
    plan::{Action, Gate, Say, Step, Summary, Target},
};

/// What acts do, and how many of them at the same time.
#[derive(Default)]
struct Log {
    fails: Vec<&'static str>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    lines: Mutex<Vec<String>>,
}

impl Log {
    fn note(&self, what: &str, name: &str) {
        self.lines.lock().unwrap().push(format!("{what} {name}"));
    }
}

/// Takes a moment; some fail.
struct Slow<'p> {
    name: String,
    log: &'p Log,
}

#[async_trait]
impl Act for Slow<'_> {
    async fn run(&self, say: Say<'_>) -> Result<()> {
        let Self { name, log } = self;
        log.note("begin", name);
        let now = log.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        log.most.fetch_max(now, Ordering::Relaxed);
        say("waits");
        let fails = log.fails.iter().position(|fails| fails == name);
        // The one that is planned first fails last.
        let moment = 30 - 10 * fails.unwrap_or_default() as u64;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        log.under_way.fetch_sub(1, Ordering::Relaxed);
        log.note("end", name);
        match fails {
            Some(_) => Err(Error::failed(Code::ClusterRefused, name.clone())),
            None => Ok(()),
        }
    }
}

fn change<'p>(log: &'p Log, name: &str, depends_on: &[&str]) -> Change<Box<dyn Act + 'p>> {
    let mut step = Step::new(Target::ProviderResource, Action::Grant, name, "a reason")
        .requires(format!("the right to {name}"));
    step.depends_on = depends_on.iter().map(|name| (*name).to_owned()).collect();
    Change::new(step, Box::new(Slow { name: name.to_owned(), log }))
}

fn grants(log: &Log, count: usize) -> Vec<Change<Box<dyn Act + '_>>> {
    (0..count).map(|number| change(log, &format!("secret{number:02}"), &[])).collect()
}

async fn run(changes: &[Change<Box<dyn Act + '_>>]) -> (Result<()>, String) {
    let (mut data, mut messages) = (Vec::new(), Vec::new());
    let mut report = Report::new(Output::Text, false, &mut data, &mut messages);
    let done = apply(changes, &mut report).await;
    (done, String::from_utf8(messages).unwrap())
}

#[tokio::test]
async fn eight_parallel_steps_show_in_order() {
    let log = Log::default();
    let (done, messages) = run(&grants(&log, 30)).await;
    done.unwrap();
    assert_eq!(log.most.load(Ordering::Relaxed), 8);
    let shown: Vec<_> = messages.lines().filter(|line| !line.starts_with(' ')).collect();
    let expected: Vec<_> = (0..30).map(|number| format!("granting secret{number:02}")).collect();
    assert_eq!(shown, expected);
    assert_eq!(messages.lines().filter(|line| *line == "  waits").count(), 30);
}

#[tokio::test]
async fn dependent_step_awaits_its_own_only() {
    let log = Log::default();
    let mut changes = vec![
        change(&log, "pool", &[]),
        change(&log, "provider", &["pool"]),
        change(&log, "enable", &[]),
        change(&log, "role", &["provider", "not in this plan", "role"]),
    ];
    changes.push(Change::no_op(Target::ProviderResource, "kept", "a reason"));
    run(&changes).await.0.unwrap();
    let lines = log.lines.lock().unwrap().clone();
    let at = |line: &str| lines.iter().position(|it| it == line).unwrap();
    assert_eq!(lines[..2], ["begin pool", "begin enable"]);
    assert!(at("end pool") < at("begin provider") && at("end provider") < at("begin role"), "{lines:?}");
    assert_eq!(lines.len(), 8, "what is kept is left alone");
}

#[tokio::test]
async fn later_steps_are_not_begun() {
    let log = Log::default();
    let gates = [
        Gate::AfterIssuerSwitch,
        Gate::OnceNothingBreaks,
        Gate::OnRetireKey,
        Gate::AtItsSource,
        Gate::AfterProbe,
        Gate::AfterRefresh,
    ];
    let mut changes: Vec<_> = gates.map(|gate| change(&log, &format!("{gate:?}"), &[])).into();
    changes.iter_mut().zip(gates).for_each(|(change, gate)| change.step.gate = Some(gate));
    changes.push(change(&log, "role", &["AfterIssuerSwitch"]));
    run(&changes).await.0.unwrap();
    let lines = log.lines.lock().unwrap().clone();
    let begun = |name: &str| lines.contains(&format!("begin {name}"));
    // Exactly those that the plan counts as later.
    let later = changes.iter().filter(|change| !begun(&change.step.name)).count();
    assert_eq!(later, Summary::of(changes.iter().map(|change| &change.step)).later, "{lines:?}");
    assert!(!begun("OnRetireKey") && !begun("AfterIssuerSwitch") && begun("role"), "{lines:?}");
}

#[tokio::test]
async fn circular_steps_are_not_done() {
    let log = Log::default();
    let changes = vec![change(&log, "a", &["b"]), change(&log, "b", &["a"])];
    let error = run(&changes).await.0.unwrap_err();
    assert_eq!(error.code, Code::PlanOrder);
    assert!(log.lines.lock().unwrap().is_empty());
}

#[tokio::test]
async fn failure_begins_nothing_more() {
    let log = Log { fails: vec!["secret02", "secret05"], ..Log::default() };
    let (done, _) = run(&grants(&log, 30)).await;
    let error = done.unwrap_err();
    assert_eq!(error.message, "secret02", "the first in the order of the plan");
    assert!(error.hints[0].contains("the right to secret02"), "{error}");
    let lines = log.lines.lock().unwrap();
    let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!((count("begin"), count("end")), (8, 8));
}
