//! PURE. How long to wait.

/// All in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// For how long a relying party may keep a document, as the documents are served; once judged, as they were served
    /// lately too.
    pub(crate) cache: u64,
    /// The longest life of a token that is used outside the cluster.
    pub(crate) longest_token: u64,
    /// By how much clocks may differ.
    pub(crate) skew: u64,
    /// Two looks that are further apart than this are two sights of a key.
    pub(crate) between_sights: u64,
}

/// A day: what External Secrets Operator and CSI drivers ask for is far below it.
pub(crate) const LONGEST_TOKEN: u64 = 24 * 3600;
/// The clock difference that clouds tolerate at most (AWS some 5 minutes).
const SKEW: u64 = 300;
/// What stores without a header choose (Cloud Storage: one hour).
const CACHE_WITHOUT_HEADER: u64 = 3600;
/// A header that another user wrote must not keep keys for ever.
pub(super) const LONGEST_CACHE: u64 = 7 * 24 * 3600;
/// How long documents may be kept that were served before anything was recorded of that: the longest that is common.
pub(super) const UNKNOWN_CACHE: u64 = 24 * 3600;
const BETWEEN_SIGHTS: u64 = 30;

impl Policy {
    /// `served`: `max-age` of each document as it is served now; `None` where it gives none. No document: `wanted`, the
    /// time that is written with them.
    pub(crate) fn new(served: &[Option<u64>], wanted: u64, longest_token: u64) -> Self {
        let cache = served.iter().map(|age| age.unwrap_or(CACHE_WITHOUT_HEADER)).max().unwrap_or(0);
        Self {
            cache: cache.max(wanted).min(LONGEST_CACHE),
            longest_token,
            skew: SKEW,
            between_sights: BETWEEN_SIGHTS,
        }
    }

    /// From when no API server has a key until no relying party needs it.
    pub(crate) fn retention(&self) -> u64 {
        self.longest_token.saturating_add(self.cache).saturating_add(self.skew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_cache_time_served_counts() {
        for (served, cache) in [
            (&[][..], 300),
            (&[Some(60)], 300),
            (&[Some(300), Some(900)], 900),
            (&[Some(300), None], 3600),
            (&[Some(u64::MAX)], 7 * 24 * 3600),
        ] {
            assert_eq!(Policy::new(served, 300, LONGEST_TOKEN).cache, cache, "{served:?}");
        }
    }

    #[test]
    fn retention_never_overflows() {
        assert_eq!(Policy::new(&[], 300, u64::MAX).retention(), u64::MAX);
    }
}
