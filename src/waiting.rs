//! What is being waited for, told on stderr when it takes long.

use std::{
    collections::BTreeMap,
    fmt,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::{Either, select};
use tokio::time::{Instant, sleep};

use crate::report::Report;

/// A wait of this length is normal.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_secs(3);
/// No more names than this in a line.
const NAMED: usize = 4;

/// The far sides that have not answered yet, by name.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<BTreeMap<String, usize>>);

/// A far side is waited for as long as this lives.
pub(crate) struct Wait<'a> {
    waiting: &'a Waiting,
    name: String,
}

impl Waiting {
    pub(crate) fn on(&self, name: impl Into<String>) -> Wait<'_> {
        let name = name.into();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default() += 1;
        Wait { waiting: self, name }
    }

    /// Does the work; when it takes long, says every few seconds what it waits for.
    pub(crate) async fn tell<T>(&self, report: &mut Report<'_>, work: impl Future<Output = T>) -> T {
        self.tell_by(|line| report.progress(line), work).await
    }

    /// The same, by other means than a report of one's own.
    pub(crate) async fn tell_by<T>(
        &self,
        mut say: impl FnMut(fmt::Arguments<'_>),
        work: impl Future<Output = T>,
    ) -> T {
        let begun = Instant::now();
        let mut work = pin!(work);
        let mut pause = PATIENCE;
        loop {
            match select(work, pin!(sleep(pause))).await {
                Either::Left((done, _)) => return done,
                Either::Right(((), rest)) => work = rest,
            }
            let names = self.names();
            if !names.is_empty() {
                say(format_args!("waiting for {names} ({} s)", begun.elapsed().as_secs()));
            }
            pause = BETWEEN;
        }
    }

    fn names(&self) -> String {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = waiting.keys().take(NAMED).cloned().collect();
        if waiting.len() > NAMED {
            names.push(format!("{} more", waiting.len() - NAMED));
        }
        names.join(", ")
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_left() {
        let waiting = Waiting::default();
        let all: Vec<_> = ["e", "a", "b", "c", "d", "f"].into_iter().map(|name| waiting.on(name)).collect();
        let twice = waiting.on("a");
        assert_eq!(waiting.names(), "a, b, c, d, 2 more");
        drop(all);
        assert_eq!(waiting.names(), "a");
        drop(twice);
        assert_eq!(waiting.names(), "");
    }
}
