//! What a test can set.

use std::time::Duration;

/// Settings that may change while it runs
#[derive(Clone)]
pub struct GoogleSettings {
    /// How many polls of an operation are answered "not done"
    pub operation_polls: u32,
    /// After this time an operation has taken effect even if no client polls it
    pub operation_time: Duration,
    /// Operations stay undone for ever, and have no effect
    pub operations_never_end: bool,
    /// How long a policy that was written does not count yet
    pub propagation: Duration,
    /// How long the token service keeps a key set that it read
    pub jwks_cache: Duration,
    /// `constraints/iam.workloadIdentityPoolProviders`: the only issuers that providers may have
    pub allowed_issuers: Option<Vec<String>>,
    /// `constraints/iam.allowedPolicyMemberDomains`: no federated or public members in policies
    pub members_restricted: bool,
    /// `constraints/iam.disableServiceAccountKeyCreation`
    pub key_creation_forbidden: bool,
    /// Entries of a page of HMAC keys
    pub hmac_page: usize,
    /// Google's clock minus the real one, in seconds
    pub clock_offset: i64,
    /// The project that requests of users count for which name none: `764086051850` with a login of gcloud's
    pub client_project: Option<&'static str>,
    pub(super) refresh_token: String,
}

impl Default for GoogleSettings {
    fn default() -> Self {
        Self {
            operation_polls: 1,
            operation_time: Duration::from_secs(1),
            operations_never_end: false,
            propagation: Duration::ZERO,
            jwks_cache: Duration::ZERO,
            allowed_issuers: None,
            members_restricted: false,
            key_creation_forbidden: false,
            hmac_page: 250,
            clock_offset: 0,
            client_project: None,
            refresh_token: String::new(),
        }
    }
}
