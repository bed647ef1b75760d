//! Answers to what a plan asks, asked before. Each serves one look; none is older than a minute, and none is left after a
//! write.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A user may take long to answer a question between two looks.
const FRESH: Duration = Duration::from_secs(60);

/// Answers to questions of one kind, and when they came.
#[derive(Debug)]
pub(in crate::federation) struct Answers<Q, A> {
    /// For how long they count.
    fresh: Duration,
    all: Mutex<BTreeMap<Q, (Instant, A)>>,
}

impl<Q, A> Default for Answers<Q, A> {
    fn default() -> Self {
        Self { fresh: FRESH, all: Mutex::default() }
    }
}

impl<Q: Ord + Clone, A: Clone> Answers<Q, A> {
    /// The answer that is there, which then serves no other look; else a new one.
    pub(in crate::federation) async fn take_or(&self, question: &Q, ask: impl Future<Output = A>) -> A {
        let known = self.all().remove(question);
        match known {
            Some((at, answer)) if at.elapsed() < self.fresh => answer,
            _ => ask.await,
        }
    }

    /// The same, and the answer stays for the next look.
    pub(in crate::federation) async fn see_or(&self, question: &Q, ask: impl Future<Output = A>) -> A {
        if let Some(answer) = self.known(question) {
            return answer;
        }
        let answer = ask.await;
        self.put(question, answer.clone());
        answer
    }

    /// The answer that is there, which stays for the next look; else a new one, which serves no other.
    pub(in crate::federation) async fn known_or(&self, question: &Q, ask: impl Future<Output = A>) -> A {
        match self.known(question) {
            Some(answer) => answer,
            None => ask.await,
        }
    }

    fn known(&self, question: &Q) -> Option<A> {
        let known = self.all().get(question).cloned();
        known.filter(|(at, _)| at.elapsed() < self.fresh).map(|(_, answer)| answer)
    }

    /// An answer that came with another one, for the looks to come.
    pub(in crate::federation) fn put(&self, question: &Q, answer: A) {
        self.all().insert(question.clone(), (Instant::now(), answer));
    }

    /// Something is written: what was answered before may not be so any more.
    pub(in crate::federation) fn forget(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Q, (Instant, A)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often it was asked, and that as the answer.
    async fn ask(asked: &AtomicUsize) -> usize {
        asked.fetch_add(1, Ordering::Relaxed) + 1
    }

    #[tokio::test]
    async fn answer_serves_one_look() {
        let (answers, asked) = (Answers::<u8, usize>::default(), AtomicUsize::new(0));
        assert_eq!(answers.see_or(&1, ask(&asked)).await, 1);
        assert_eq!(answers.see_or(&1, ask(&asked)).await, 1, "it stays for the look");
        assert_eq!(answers.see_or(&2, ask(&asked)).await, 2, "another question");
        assert_eq!(answers.known_or(&1, ask(&asked)).await, 1, "and is not used up");
        assert_eq!(answers.take_or(&1, ask(&asked)).await, 1);
        assert_eq!(answers.take_or(&1, ask(&asked)).await, 3, "it is used up");
        assert_eq!(answers.known_or(&1, ask(&asked)).await, 4);
        assert_eq!(answers.known_or(&1, ask(&asked)).await, 5, "it was not kept");
    }

    #[tokio::test]
    async fn old_or_forgotten_answer_serves_none() {
        let (answers, asked) = (Answers::<(), usize>::default(), AtomicUsize::new(0));
        answers.see_or(&(), ask(&asked)).await;
        answers.forget();
        assert_eq!(answers.see_or(&(), ask(&asked)).await, 2);
        let answers = Answers { fresh: Duration::ZERO, ..answers };
        assert_eq!(answers.see_or(&(), ask(&asked)).await, 3);
        assert_eq!(answers.take_or(&(), ask(&asked)).await, 4);
    }
}
