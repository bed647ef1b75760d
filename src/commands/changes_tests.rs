//! What is done at the same time, and what a failure does to the rest.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;

use super::*;
use crate::{
    cli::Output,
    federation::{Find, Plan, Right, Rules, Step, Trial, Trust, gcp},
    oidc::Token,
    relying_party::Finding,
    secret_store::Access,
};

/// Takes a moment for each change, fails at some, and keeps what it did.
#[derive(Default)]
struct Provider {
    fails: Vec<&'static str>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    log: Mutex<Vec<String>>,
}

impl Provider {
    fn note(&self, what: &str, object: &str) {
        self.log.lock().unwrap().push(format!("{what} {object}"));
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a provider")
    }
}

#[async_trait]
impl Federation for Provider {
    fn rules(&self) -> &'static Rules {
        unreachable!("nothing is planned")
    }

    async fn plan(&self, _: &Trust) -> Result<Plan> {
        Ok(Plan::default())
    }

    async fn apply(&self, change: &Change, say: &mut (dyn for<'a> FnMut(&'a str) + Send)) -> Result<()> {
        self.note("begin", &change.object);
        let now = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        say("waits");
        let fails = self.fails.iter().position(|fails| *fails == change.object);
        // The one that is planned first fails last.
        let moment = 30 - 10 * fails.unwrap_or_default() as u64;
        tokio::time::sleep(std::time::Duration::from_millis(moment)).await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        self.note("end", &change.object);
        match fails {
            Some(_) => Err(Error::failed("refused", change.object.clone())),
            None => Ok(()),
        }
    }

    async fn withdraw(&self, _: &Trust) -> Result<Vec<Change>> {
        Ok(Vec::new())
    }

    async fn audience(&self) -> Result<String> {
        Ok(String::new())
    }

    async fn access(&self) -> Result<Access> {
        Err(Error::failed("unused", "nobody asks"))
    }

    fn named(&self, right: &Right) -> Result<Option<Right>> {
        Ok(Some(right.clone()))
    }

    async fn find(&self, _: &Find) -> Result<BTreeSet<String>> {
        Ok(BTreeSet::new())
    }

    async fn probe(&self, _: &Token, _: &Trial, _: &mut (dyn for<'a> FnMut(&'a str) + Send)) -> Vec<Finding> {
        Vec::new()
    }
}

fn change(verb: Verb, object: &str, step: gcp::Step) -> Change {
    Change {
        verb,
        object: object.to_owned(),
        why: String::new(),
        differences: Vec::new(),
        needs: format!("the right to {object}"),
        step: Step::Gcp(step),
    }
}

fn grants(count: usize) -> Vec<Change> {
    let names = (0..count).map(|number| format!("secret{number:02}"));
    names.map(|name| change(Verb::Grant, &name, gcp::Step::grant_on(&name))).collect()
}

async fn run(provider: &Provider, changes: &[Change]) -> (Result<()>, String) {
    let (mut data, mut talk) = (Vec::new(), Vec::new());
    let mut report = Report::new(Output::Text, false, &mut data, &mut talk);
    let done = apply(provider, changes, &mut report).await;
    (done, String::from_utf8(talk).unwrap())
}

#[tokio::test]
async fn grants_are_made_eight_at_a_time_and_shown_in_their_order() {
    let provider = Provider::default();
    let (done, talk) = run(&provider, &grants(30)).await;
    done.unwrap();
    assert_eq!(provider.most.load(Ordering::Relaxed), 8);
    let shown: Vec<_> = talk.lines().filter(|line| !line.starts_with(' ')).collect();
    let expected: Vec<_> = (0..30).map(|number| format!("granting secret{number:02}")).collect();
    assert_eq!(shown, expected);
    assert_eq!(talk.lines().filter(|line| *line == "  waits").count(), 30);
}

#[tokio::test]
async fn what_depends_on_something_waits_for_it() {
    let provider = Provider::default();
    let (enable, pool) =
        (gcp::Step::Enable(vec!["sts.googleapis.com"]), gcp::Step::Enable(vec!["iam.googleapis.com"]));
    let mut changes = vec![change(Verb::Enable, "first", enable), change(Verb::Enable, "second", pool)];
    changes.extend(grants(2));
    changes.push(Change { verb: Verb::Leave, ..grants(1).remove(0) });
    run(&provider, &changes).await.0.unwrap();
    let log = provider.log.lock().unwrap().clone();
    assert_eq!(log[..4], ["begin first", "end first", "begin second", "end second"]);
    assert_eq!(log[4..6], ["begin secret00", "begin secret01"]);
    assert_eq!(log.len(), 8, "what is left is left");
}

#[tokio::test]
async fn after_a_failure_nothing_begins_and_what_has_begun_is_finished() {
    let provider = Provider { fails: vec!["secret02", "secret05"], ..Provider::default() };
    let (done, _) = run(&provider, &grants(30)).await;
    let error = done.unwrap_err();
    assert_eq!(error.message, "secret02", "the first in the order of the plan");
    assert!(error.hints[0].contains("the right to secret02"), "{error}");
    let log = provider.log.lock().unwrap();
    let count = |what: &str| log.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!((count("begin"), count("end")), (8, 8));
}
