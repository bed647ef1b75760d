//! PURE. The publisher that setup gave its rights, by the settings.
//!
//! A file that no flag names may have come with the folder: it does not decide whose right is taken away.

use crate::{
    bucket::{Bucket, KeylessWriter},
    config::Settings,
    federation::{Publishes, Workload},
    publication::location::DocumentLocation,
};

/// With the name of the provider that it logs in through. Without a bucket it is admitted by the provider alone, and goes with
/// that.
pub(super) fn of(
    settings: &Settings,
    bucket: Option<&dyn Bucket>,
    place: Option<&DocumentLocation>,
) -> Option<(Workload, String)> {
    let account = settings.publisher.clone().filter(|_| is_decided(settings))?;
    let name = &settings.bucket.as_ref()?.place.name;
    match bucket?.keyless_writer() {
        KeylessWriter::Through(provider) => {
            let documents = Publishes::Documents(place?.documents_in(name));
            Some((Workload::publisher(account, documents), provider.to_owned()))
        }
        KeylessWriter::ByHand(_) | KeylessWriter::StoredKey | KeylessWriter::NoLogin => None,
    }
}

/// The publisher that only a file names that no flag names.
pub(super) fn undecided(settings: &Settings) -> Option<String> {
    let account = settings.publisher.as_ref().filter(|_| !is_decided(settings))?;
    Some(format!(
        "The publisher {account} is not looked at, and keeps what it was given: --config does not name {}",
        settings.file.display()
    ))
}

/// By a person: who it is, and where it writes.
fn is_decided(settings: &Settings) -> bool {
    settings.publisher_is_decided && !settings.undecided.names_bucket()
}
