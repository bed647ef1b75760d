//! A request that waits until a test lets it go on: what happens between two requests does not depend on time then.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::Fault;

/// Where a request of [`Fault::gate`] waits
pub struct Gate {
    arrived: Receiver<()>,
    barrier: Barrier,
}

/// The request's side of a [`Gate`]
#[derive(Clone)]
pub struct Barrier {
    arrived: Sender<()>,
    opened: Arc<Notify>,
}

impl Fault {
    /// The request is carried out and answered once the gate is open; one request for each time that it is opened
    pub fn gate() -> (Self, Gate) {
        let (sender, arrived) = channel();
        let barrier = Barrier { arrived: sender, opened: Arc::new(Notify::new()) };
        (Self::Gate(barrier.clone()), Gate { arrived, barrier })
    }
}

impl Gate {
    /// Waits for a request
    ///
    /// # Panics
    ///
    /// None comes within a minute.
    pub fn arrived(&self) {
        self.arrived.recv_timeout(Duration::from_secs(60)).expect("a request comes to the gate");
    }

    /// Lets it go on
    pub fn open(&self) {
        self.barrier.opened.notify_one();
    }
}

impl Barrier {
    pub(super) async fn pass(&self) {
        // Without a test that waits, nothing opens it.
        if self.arrived.send(()).is_ok() {
            self.opened.notified().await;
        }
    }
}
