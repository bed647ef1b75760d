//! The lock on a folder: one writer at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use super::describe;
use crate::{
    error::{Code, Error, Result},
    retry::{Attempts, Backoff},
};

/// The folder, locked against other writers; `None` where the file system has no locks.
pub(super) async fn lock(folder: &Path, backoff: Backoff) -> Result<Option<File>> {
    // Opened as a folder or not at all: opening a pipe that took its place would wait for a writer.
    let flags = libc::O_DIRECTORY | libc::O_NONBLOCK;
    let handle = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(folder)
        .map_err(|error| describe(&error, "open", folder))?;
    let mut attempts = Attempts::begin(backoff);
    loop {
        match handle.try_lock() {
            Ok(()) => return Ok(Some(handle)),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(describe(&error, "lock", folder)),
            Err(TryLockError::WouldBlock) if attempts.pause(None).await => {}
            Err(TryLockError::WouldBlock) => {
                let waited = attempts.elapsed();
                let holder = holder(&handle).map(|pid| format!("process {pid}"));
                let holder = holder.unwrap_or_else(|| "another process".to_owned());
                return Err(Error::failed(
                    Code::BucketLocked,
                    format!("{holder} has held the lock on {} for {} s", folder.display(), waited.as_secs()),
                )
                .hint("keyless locks a folder for milliseconds: see what the process is (`ps`, `lsof`), and end it if it hangs"));
            }
        }
    }
}

/// The process that holds the lock on this file, as the kernel lists it (proc(5), `/proc/locks`).
fn holder(file: &File) -> Option<u32> {
    let found = file.metadata().ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 1234 08:02:12345 0 EOF`; the last of the three numbers is the inode.
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let inode = fields.get(5)?.rsplit(':').next()?.parse::<u64>().ok()?;
        let held = fields.get(1) == Some(&"FLOCK") && inode == found.ino();
        held.then(|| fields.get(4)?.parse().ok()).flatten()
    })
}
