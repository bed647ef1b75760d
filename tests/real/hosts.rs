//! Which names lead where.

use crate::buckets::{GCS_ADDRESS, GCS_HOST, S3_ADDRESS, S3_HOST, STS_ADDRESS, STS_HOST};
use crate::{aws, azurite, entra, google, openbao};

/// The names of this world that a hosts file must know.
pub(crate) fn hosts() -> Vec<(&'static str, &'static str)> {
    let mut hosts = vec![
        (S3_ADDRESS, S3_HOST),
        (STS_ADDRESS, STS_HOST),
        (GCS_ADDRESS, GCS_HOST),
        (azurite::ADDRESS, azurite::HOST),
        (openbao::TLS_ADDRESS, openbao::TLS_HOST),
    ];
    hosts.extend(google::HOSTS.map(|name| (google::ADDRESS, name)));
    hosts.extend(lab::Aws::names().iter().map(|name| (aws::ADDRESS, *name)));
    hosts.extend(lab::Entra::names().iter().map(|name| (entra::ADDRESS, *name)));
    hosts
}
