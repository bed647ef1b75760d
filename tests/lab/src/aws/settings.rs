//! What a test can set.

use std::time::Duration;

/// How the account behaves
#[derive(Clone)]
pub struct AwsSettings {
    /// Amazon's clock minus the real one, in seconds
    pub clock_offset: i64,
    /// So many exchanges do not see a new provider or a new role
    pub unseen_exchanges: u32,
    /// How long key sets of issuers are kept; a key that is missing is looked for once more
    pub jwks_cache: Duration,
    /// How many providers the account may have
    pub most_providers: usize,
    /// The longest page of a list, if it is shorter than Amazon's
    pub longest_page: Option<usize>,
    /// In every answer, the second text in place of the first: as something else between would answer
    pub swapped: Option<(String, String)>,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            clock_offset: 0,
            unseen_exchanges: 0,
            jwks_cache: Duration::ZERO,
            most_providers: 100,
            longest_page: None,
            swapped: None,
        }
    }
}

impl AwsSettings {
    pub(crate) fn swap(&self, text: String) -> String {
        match &self.swapped {
            Some((from, to)) => text.replace(from, to),
            None => text,
        }
    }

    pub(crate) fn page(&self, usual: usize) -> usize {
        self.longest_page.map_or(usual, |page| page.min(usual))
    }
}
