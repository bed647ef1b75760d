//! PURE. The publisher that setup gave its rights, by the settings.

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
    let account = settings.publisher.clone()?;
    let name = &settings.bucket.as_ref()?.place.name;
    match bucket?.keyless_writer() {
        KeylessWriter::Through(provider) => {
            let documents = Publishes::Documents(place?.documents_in(name));
            Some((Workload::publisher(account, documents), provider.to_owned()))
        }
        KeylessWriter::ByHand(_) | KeylessWriter::StoredKey | KeylessWriter::NoLogin => None,
    }
}
