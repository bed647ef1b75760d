//! Libraries that panic on some inputs, such as a lifetime beyond the end of the clock. Here that is an error like any
//! other: nothing is printed, as the message may quote the input, and the caller says what was wrong.

use std::{
    cell::Cell,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
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

/// Looks at one thing on this thread, and does not wait. `None`: it panicked, or there was nothing. What `look` changes must hold
/// even if it ends in the middle.
pub(crate) fn caught<T>(look: impl FnOnce() -> Option<T>) -> Option<T> {
    let was_active = ACTIVE.replace(true);
    let ended = catch_unwind(AssertUnwindSafe(look));
    ACTIVE.set(was_active);
    ended.ok().flatten()
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

    #[test]
    fn panic_of_one_look_is_caught() {
        let look = |number: usize| {
            caught(|| {
                assert!(is_active());
                [1, 2].get(number).copied().or_else(|| panic!("it quotes the input"))
            })
        };
        assert_eq!((look(0), look(7), look(1)), (Some(1), None, Some(2)));
        assert!(!is_active());
    }
}
