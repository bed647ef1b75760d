//! Libraries that panic on some inputs, such as a lifetime beyond the end of the clock. Here that is an error like any
//! other: nothing is printed, as the message may quote the input, and the caller says what was wrong.

use std::{
    cell::Cell,
    io,
    thread::{Builder, JoinHandle},
};

thread_local! {
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is caught by this module: the panic hook stays silent then.
pub(crate) fn is_active() -> bool {
    ACTIVE.get()
}

/// Runs a library on a thread of its own, for as long as it is needed. A panic ends the thread.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(|| {
        ACTIVE.set(true);
        run();
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_panic_ends_only_its_thread() {
        assert!(!is_active());
        let ended = thread("guarded", || {
            assert!(is_active());
            "x".parse::<u8>().unwrap();
        });
        assert!(ended.unwrap().join().is_err());
        thread("guarded", || {}).unwrap().join().unwrap();
        assert!(!is_active());
    }
}
