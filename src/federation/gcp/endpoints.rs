//! Where Google's APIs are.

/// Base URLs of Google's services, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Endpoints {
    pub(crate) iam: String,
    pub(crate) iam_credentials: String,
    pub(crate) policy_analyzer: String,
    pub(crate) resource_manager: String,
    pub(crate) secret_manager: String,
    pub(crate) service_usage: String,
    pub(crate) storage: String,
    pub(crate) sts: String,
}

impl Endpoints {
    /// Each by its name in `keyless.yaml`.
    pub(crate) fn all(&self) -> [(&'static str, &str); 8] {
        [
            ("iam", &self.iam),
            ("iamCredentials", &self.iam_credentials),
            ("policyAnalyzer", &self.policy_analyzer),
            ("resourceManager", &self.resource_manager),
            ("secretManager", &self.secret_manager),
            ("serviceUsage", &self.service_usage),
            ("storage", &self.storage),
            ("sts", &self.sts),
        ]
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            iam: "https://iam.googleapis.com".into(),
            iam_credentials: "https://iamcredentials.googleapis.com".into(),
            policy_analyzer: "https://policyanalyzer.googleapis.com".into(),
            resource_manager: "https://cloudresourcemanager.googleapis.com".into(),
            secret_manager: "https://secretmanager.googleapis.com".into(),
            service_usage: "https://serviceusage.googleapis.com".into(),
            storage: "https://storage.googleapis.com".into(),
            sts: "https://sts.googleapis.com".into(),
        }
    }
}
