//! PURE. The one value that every form is derived from.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::clean::{self, Clean};
use crate::{
    audit::{Outcome, verdict::Verdict},
    hex::hex,
    rfc3339::rfc3339,
    target::{ClusterTarget, Target},
};

/// One audit: what it came to, of which cluster, and when.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(super) verdict: Verdict,
    /// The JSON result as it is printed, with the line break at its end.
    pub(super) json: Arc<str>,
    /// `None`: no cluster is named.
    pub(super) cluster: Option<ClusterTarget>,
    /// Of this program.
    pub(super) version: &'static str,
    /// When the audit ended, in seconds since 1970.
    pub(super) time: u64,
}

impl Evidence {
    /// `json` is the result of `-o json`, whose digest the other forms name. `clean` is what every text passes: in a
    /// report it is one line without secrets.
    pub(crate) fn new(
        verdict: &Verdict,
        json: String,
        target: &Target,
        version: &'static str,
        time: u64,
        clean: Clean<'_>,
    ) -> Self {
        let cluster = target.cluster.as_ref().map(|cluster| clean::cluster(cluster, clean));
        Self { verdict: clean::verdict(verdict, clean), json: json.into(), cluster, version, time }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.verdict.outcome()
    }

    /// SHA-256 of the JSON result, in hexadecimal digits.
    pub(super) fn json_digest(&self) -> String {
        sha256(self.json.as_bytes())
    }

    pub(super) fn time_in_words(&self) -> String {
        rfc3339(self.time)
    }

    pub(super) fn context(&self) -> Option<&str> {
        self.cluster.as_ref()?.context.as_deref()
    }

    pub(super) fn server(&self) -> Option<&str> {
        self.cluster.as_ref().map(|cluster| cluster.server.as_str())
    }

    pub(super) fn cluster_uid(&self) -> Option<&str> {
        self.cluster.as_ref()?.uid.as_deref()
    }

    /// What names the cluster best.
    pub(super) fn cluster_name(&self) -> &str {
        self.context().or(self.server()).unwrap_or("of this pod")
    }

    /// `mission` or `platform`, as `--gate` takes it.
    pub(super) fn gate(&self) -> &'static str {
        self.verdict.gate.name()
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}
