//! SIGINT and SIGTERM end every command within [`GRACE`], also as PID 1, where the kernel ignores both by default.
//!
//! ```text
//!  first signal ─► the command is dropped at its next await ─► exit 130 or 143
//!                └► unless it holds: it cleans up and returns, for at most GRACE
//!  GRACE over, or a second signal ─► the process ends
//! ```
//!
//! The end of `--timeout` is one more request to end, and leaves the same state.
//!
//! The signals are waited for on a thread of their own, so that a command that blocks its thread ends as well.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::{
    select,
    signal::unix::{self, SignalKind},
    sync::watch,
};

use crate::{
    error::{Code, Error, Result},
    report::Lines,
    signal::Signal,
};

/// From the first signal to the end of the process, unless [`Interrupt::set_grace`] was called: people expect less than two
/// seconds.
const GRACE: Duration = Duration::from_millis(1500);

/// How long the final message of a command that hangs may take to be written.
const FINAL_MESSAGE: Duration = Duration::from_millis(200);

/// Whether the program was asked to end. Clones are one and the same.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    signal: watch::Sender<Option<Signal>>,
    holds: watch::Sender<usize>,
    last_words: Mutex<Vec<String>>,
    grace: Mutex<Duration>,
}

/// While it lives, a signal does not drop the command: what must not be left half done is done, or undone.
#[derive(Debug)]
#[must_use]
pub(crate) struct Hold(Interrupt);

impl Interrupt {
    /// One that no signal reaches, until [`Interrupt::request`].
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            signal: watch::Sender::new(None),
            holds: watch::Sender::new(0),
            last_words: Mutex::default(),
            grace: Mutex::new(GRACE),
        }))
    }

    /// From now on SIGINT and SIGTERM are requests to end, and so is the end of this time.
    pub(crate) fn listen(&self, limit: Option<Duration>) -> Result<()> {
        let failed = |error: io::Error| {
            Error::failed(Code::Runtime, "the program cannot wait for signals on this system")
                .caused_by(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let context = runtime.enter();
        let mut interrupt = unix::signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = unix::signal(SignalKind::terminate()).map_err(failed)?;
        drop(context);
        let shared = self.clone();
        let wait = move || {
            runtime.block_on(async {
                let mut next = async || {
                    select! {
                        _ = interrupt.recv() => Signal::Interrupt,
                        _ = terminate.recv() => Signal::Terminate,
                    }
                };
                let over = async {
                    match limit {
                        Some(limit) => tokio::time::sleep(limit).await,
                        None => std::future::pending().await,
                    }
                };
                let signal = select! {
                    biased;
                    signal = next() => signal,
                    () = over => Signal::Timeout(limit.unwrap_or_default()),
                };
                shared.request(signal);
                // A second signal ends the wait.
                let grace = *shared.0.grace.lock().unwrap_or_else(PoisonError::into_inner);
                drop(tokio::time::timeout(grace, next()).await);
                shared.end(signal);
            });
        };
        thread::Builder::new().name("signals".into()).spawn(wait).map_err(failed)?;
        Ok(())
    }

    /// Asks the program to end. The first request counts.
    pub(crate) fn request(&self, signal: Signal) {
        self.0.signal.send_if_modified(|now| {
            let first = now.is_none();
            now.get_or_insert(signal);
            first
        });
    }

    /// The signal, if there was one.
    pub(crate) fn requested(&self) -> Option<Signal> {
        *self.0.signal.borrow()
    }

    /// A safe point: an error once there was a signal.
    pub(crate) fn check(&self) -> Result<()> {
        self.requested().map_or(Ok(()), |signal| Err(Error::interrupted(signal)))
    }

    /// Does the work, or gives it up as soon as there is a signal.
    pub(crate) async fn unless<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        select! {
            biased;
            signal = self.signal() => Err(Error::interrupted(signal)),
            done = work => Ok(done),
        }
    }

    /// Keeps the command from being dropped for as long as the guard lives. After a signal there is less than
    /// [`GRACE`] left: stop the work by [`Interrupt::unless`], clean up, and return its error.
    pub(crate) fn hold(&self) -> Hold {
        self.0.holds.send_modify(|holds| *holds += 1);
        Hold(self.clone())
    }

    /// What is printed when the program ends by a signal: the state that it leaves and how to go on. Takes the place
    /// of what was there before.
    #[allow(dead_code, reason = "for the commands that clean up")]
    pub(crate) fn set_last_words(&self, words: impl IntoIterator<Item = String>) {
        let words = words.into_iter().collect();
        *self.0.last_words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    pub(crate) fn last_words(&self) -> Vec<String> {
        self.0.last_words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For a command that runs in a pod for as long as the pod lives: a write that has begun may take this time to end. A
    /// second signal ends the process all the same.
    pub(crate) fn set_grace(&self, grace: Duration) {
        *self.0.grace.lock().unwrap_or_else(PoisonError::into_inner) = grace;
    }

    /// Runs a command until its end, or until it must be dropped.
    pub(crate) async fn run<T>(&self, command: impl Future<Output = Result<T>>) -> Result<T> {
        select! {
            biased;
            done = command => done,
            signal = self.released() => Err(Error::interrupted(signal)),
        }
    }

    /// Waits for a signal.
    pub(crate) async fn signal(&self) -> Signal {
        let mut signal = self.0.signal.subscribe();
        match signal.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            // The sender lives in `self`.
            _ => std::future::pending().await,
        }
    }

    /// There was a signal, and nothing holds.
    async fn released(&self) -> Signal {
        let signal = self.signal().await;
        drop(self.0.holds.subscribe().wait_for(|holds| *holds == 0).await);
        signal
    }

    /// The end of a command that did not end by itself: its own thread hangs. Its report is out of reach: this writes the final message.
    fn end(&self, signal: Signal) {
        let error = self.last_words().into_iter().fold(Error::interrupted(signal), Error::hint);
        // What reads stderr may hang as well.
        let (sender, written) = mpsc::channel();
        thread::spawn(move || {
            drop(Lines(io::stderr()).write_all(error.to_string().as_bytes()));
            let _ = sender.send(());
        });
        let _ = written.recv_timeout(FINAL_MESSAGE);
        std::process::exit(signal.exit_code().into());
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.0.holds.send_modify(|holds| *holds -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::error::Kind;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    async fn sleeps() -> Result<()> {
        sleep(LONG).await;
        Ok(())
    }

    #[tokio::test]
    async fn first_signal_drops_waiting_command() {
        let interrupt = Interrupt::new();
        interrupt.request(Signal::Terminate);
        interrupt.request(Signal::Interrupt);
        let error = timeout(LONG, interrupt.run(sleeps())).await.unwrap().unwrap_err();
        assert_eq!(error.kind, Kind::Interrupted(Signal::Terminate));
        assert!(interrupt.check().is_err());
    }

    #[tokio::test]
    async fn held_command_cleans_up_first() {
        let interrupt = Interrupt::new();
        let mut cleaned = false;
        let command = async {
            let _hold = interrupt.hold();
            let stopped = interrupt.unless(sleeps()).await;
            sleep(SHORT).await;
            cleaned = true;
            stopped?
        };
        let ask = async {
            sleep(SHORT).await;
            interrupt.request(Signal::Interrupt);
        };
        let (ended, ()) = tokio::join!(interrupt.run(command), ask);
        assert_eq!(ended.unwrap_err().kind, Kind::Interrupted(Signal::Interrupt));
        assert!(cleaned);
    }

    #[tokio::test]
    async fn released_hold_lets_command_drop() {
        let interrupt = Interrupt::new();
        drop(interrupt.hold());
        interrupt.request(Signal::Interrupt);
        assert!(timeout(LONG, interrupt.run(sleeps())).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn finished_command_keeps_its_result() {
        let interrupt = Interrupt::new();
        interrupt.request(Signal::Interrupt);
        assert_eq!(interrupt.run(async { Ok(7) }).await.unwrap(), 7);
        assert_eq!(Interrupt::new().unless(async { 7 }).await.unwrap(), 7);
    }

    #[test]
    fn last_words_replace_former_ones() {
        let interrupt = Interrupt::new();
        interrupt.set_last_words(["one".to_owned()]);
        interrupt.clone().set_last_words(["two".to_owned(), "three".to_owned()]);
        assert_eq!(interrupt.last_words(), ["two", "three"]);
        interrupt.set_last_words([]);
        assert!(interrupt.last_words().is_empty());
    }
}
