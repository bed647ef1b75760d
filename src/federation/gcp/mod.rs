//! Google: a workload identity pool, an OIDC provider in it, and roles for its principals.

use crate::secret::Secret;

/// Which pool and provider, and how secrets are reached.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Project ID or number.
    pub(crate) project: String,
    pub(crate) pool: String,
    pub(crate) provider: String,
    pub(crate) mode: Mode,
    pub(crate) grant: Grant,
    /// E-mail address of the Google service account to become, if direct access is not wanted.
    pub(crate) impersonate: Option<String>,
    pub(crate) endpoints: Endpoints,
    /// A short-lived token from the environment, used instead of looking for credentials.
    pub(crate) access_token: Option<Secret>,
}

/// How Google gets the cluster's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// It fetches the public documents.
    Documents,
    /// They are uploaded into the provider: no bucket, no change of the API server.
    Uploaded,
}

/// On what the role is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Grant {
    /// On the whole project.
    Project,
    /// On each secret.
    Secrets,
}

/// Base URLs of Google's services, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Endpoints {
    pub(crate) iam: String,
    pub(crate) iam_credentials: String,
    pub(crate) resource_manager: String,
    pub(crate) secret_manager: String,
    pub(crate) service_usage: String,
    pub(crate) sts: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            iam: "https://iam.googleapis.com".into(),
            iam_credentials: "https://iamcredentials.googleapis.com".into(),
            resource_manager: "https://cloudresourcemanager.googleapis.com".into(),
            secret_manager: "https://secretmanager.googleapis.com".into(),
            service_usage: "https://serviceusage.googleapis.com".into(),
            sts: "https://sts.googleapis.com".into(),
        }
    }
}

/// How a change is done.
#[derive(Clone, Debug)]
pub(crate) enum Step {}
