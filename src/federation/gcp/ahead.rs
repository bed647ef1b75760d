//! Answers to what a plan asks, asked before. Each serves one look; none is older than a minute, and none is left after a
//! write.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use super::state::{Holder, Provider};
use crate::google::{Outcome, Policy};

/// A user may take long to answer a question between two looks.
const FRESH: Duration = Duration::from_secs(60);

/// What Google has answered, and no look has used yet.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) project: Answers<(), Value>,
    pub(super) services: Answers<(), Value>,
    pub(super) pool: Answers<(), Value>,
    pub(super) providers: Answers<(), Vec<Provider>>,
    pub(super) policies: Answers<Holder, Policy>,
}

impl Ahead {
    /// Something is written: what was answered before may not be so any more.
    pub(super) fn forget(&self) {
        self.project.forget();
        self.services.forget();
        self.pool.forget();
        self.providers.forget();
        self.policies.forget();
    }
}

/// Answers to questions of one kind, and when they came.
pub(super) struct Answers<Q, A> {
    /// For how long they count.
    fresh: Duration,
    all: Mutex<BTreeMap<Q, (Instant, Outcome<A>)>>,
}

impl<Q, A> Default for Answers<Q, A> {
    fn default() -> Self {
        Self { fresh: FRESH, all: Mutex::default() }
    }
}

impl<Q: Ord + Clone, A: Clone> Answers<Q, A> {
    /// The answer that is there, which then serves no other look; else a new one.
    pub(super) async fn take_or(&self, question: &Q, ask: impl Future<Output = Outcome<A>>) -> Outcome<A> {
        let known = self.all().remove(question);
        match known {
            Some((at, answer)) if at.elapsed() < self.fresh => answer,
            _ => ask.await,
        }
    }

    /// The same, and the answer stays for the next look.
    pub(super) async fn see_or(&self, question: &Q, ask: impl Future<Output = Outcome<A>>) -> Outcome<A> {
        let known = self.all().get(question).cloned();
        if let Some((at, answer)) = known
            && at.elapsed() < self.fresh
        {
            return answer;
        }
        let answer = ask.await;
        let entry = (Instant::now(), answer.clone());
        self.all().insert(question.clone(), entry);
        answer
    }

    fn forget(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Q, (Instant, Outcome<A>)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often it was asked, and that as the answer.
    async fn ask(asked: &AtomicUsize) -> Outcome<usize> {
        Ok(asked.fetch_add(1, Ordering::Relaxed) + 1)
    }

    #[tokio::test]
    async fn answer_serves_one_look() {
        let (answers, asked) = (Answers::<u8, usize>::default(), AtomicUsize::new(0));
        assert_eq!(answers.see_or(&1, ask(&asked)).await.unwrap(), 1);
        assert_eq!(answers.see_or(&1, ask(&asked)).await.unwrap(), 1, "it stays for the look");
        assert_eq!(answers.see_or(&2, ask(&asked)).await.unwrap(), 2, "another question");
        assert_eq!(answers.take_or(&1, ask(&asked)).await.unwrap(), 1);
        assert_eq!(answers.take_or(&1, ask(&asked)).await.unwrap(), 3, "it is used up");
    }

    #[tokio::test]
    async fn old_or_forgotten_answer_serves_none() {
        let (answers, asked) = (Answers::<(), usize>::default(), AtomicUsize::new(0));
        answers.see_or(&(), ask(&asked)).await.unwrap();
        answers.forget();
        assert_eq!(answers.see_or(&(), ask(&asked)).await.unwrap(), 2);
        let answers = Answers { fresh: Duration::ZERO, ..answers };
        assert_eq!(answers.see_or(&(), ask(&asked)).await.unwrap(), 3);
        assert_eq!(answers.take_or(&(), ask(&asked)).await.unwrap(), 4);
    }
}
