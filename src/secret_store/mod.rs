//! PURE. Trust → manifests for External Secrets Operator.

/// What a secret store must say to reach its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Google {
        project_id: String,
        project_number: String,
        /// `//iam.googleapis.com/projects/NUMBER/…`: what is sent to Google's token service.
        audience: String,
        /// `https://iam.googleapis.com/projects/NUMBER/…`: what the token itself carries.
        token_audience: String,
        impersonate: Option<String>,
    },
    Vault {
        server: String,
        kv: String,
        mount: String,
        role: String,
        audience: String,
        ca_pem: Option<String>,
    },
}
