//! Files of credentials that a library reads by itself and keeps to itself: they are read here as well, so that what is
//! secret in them is left out of all output.

use std::{fs::File, io::Read, path::Path};

use crate::redact;

/// A longer file holds no credential.
const LONGEST: u64 = 64 << 10;

/// The content, as far as it can be a credential. `None`: it cannot be read, which the library reports.
pub(crate) fn content(path: &Path) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    // A pipe could be read only once.
    let file = std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)
        .and_then(|_| File::open(path).ok())?;
    file.take(LONGEST).read_to_end(&mut content).ok()?;
    Some(content)
}

/// Remembers what is secret in a file, if there is one.
pub(crate) fn remember(path: &Path) {
    content(path).iter().for_each(|content| redact::remember_content(content));
}
