//! PURE. Which logins there can be, in the order in which Azure's own tools try them: client secret in the environment,
//! workload identity, managed identity, Azure CLI.

use std::{ffi::OsString, path::PathBuf};

use crate::{
    base_url::base_url,
    error::{Code, Error, Result},
    secret::Secret,
};

const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The address of the metadata service on every virtual machine of Azure.
pub(super) const METADATA: &str = "http://169.254.169.254";

/// A login that can be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    ClientSecret(Application, Secret),
    /// The file holds a token of the cluster. It is read for each login, as the kubelet replaces it.
    WorkloadIdentity(Application, PathBuf),
    ManagedIdentity {
        /// Base URL of the metadata service.
        address: String,
        client_id: Option<String>,
    },
    AzureCli {
        tenant: Option<String>,
    },
}

/// Who logs in, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Application {
    /// Base URL of the token service.
    pub(super) authority: String,
    pub(super) tenant: String,
    pub(super) client_id: String,
}

/// What there is to try, and why not the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    pub(super) list: Vec<Source>,
    pub(super) skipped: Vec<String>,
}

impl Sources {
    pub(super) fn of(environment: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let text = |name: &str| {
            let value = environment(name).map(|value| value.to_string_lossy().into_owned());
            value.filter(|value| !value.is_empty())
        };
        let wanted = Wanted::of(text("AZURE_TOKEN_CREDENTIALS").as_deref())?;
        let tenant = text("AZURE_TENANT_ID").map(|id| plain("AZURE_TENANT_ID", id)).transpose()?;
        let client_id = text("AZURE_CLIENT_ID").map(|id| plain("AZURE_CLIENT_ID", id)).transpose()?;
        let authority = match text("AZURE_AUTHORITY_HOST") {
            Some(host) => base_url("AZURE_AUTHORITY_HOST", &with_scheme(host))?,
            None => AUTHORITY.to_owned(),
        };
        let application = tenant.clone().zip(client_id.clone());
        let application = application.map(|(tenant, client_id)| Application { authority, tenant, client_id });
        let mut sources = Self::default();
        if wanted.takes(Wanted::Environment) {
            let secret = text("AZURE_CLIENT_SECRET");
            match (&application, secret) {
                (Some(application), Some(secret)) => {
                    sources.list.push(Source::ClientSecret(application.clone(), Secret::new(secret)));
                }
                (Some(_), None) if text("AZURE_CLIENT_CERTIFICATE_PATH").is_some() => {
                    return Err(Error::usage(
                        Code::AzureCredentials,
                        "AZURE_CLIENT_CERTIFICATE_PATH names a login that keyless cannot use",
                    )
                    .hint("use a workload identity (AZURE_FEDERATED_TOKEN_FILE), `az login`, or AZURE_CLIENT_SECRET, and unset it"));
                }
                (None, Some(_)) => sources.skip(
                    "AZURE_CLIENT_SECRET is set, but AZURE_TENANT_ID and AZURE_CLIENT_ID are not both set",
                ),
                _ => sources.skip("AZURE_CLIENT_SECRET is not set"),
            }
        }
        if wanted.takes(Wanted::WorkloadIdentity) {
            let file = environment("AZURE_FEDERATED_TOKEN_FILE").filter(|file| !file.is_empty());
            match (&application, file) {
                (Some(application), Some(file)) => {
                    sources.list.push(Source::WorkloadIdentity(application.clone(), file.into()));
                }
                (None, Some(_)) => sources.skip(
                    "AZURE_FEDERATED_TOKEN_FILE is set, but AZURE_TENANT_ID and AZURE_CLIENT_ID are not both set",
                ),
                _ => sources.skip("AZURE_FEDERATED_TOKEN_FILE is not set"),
            }
        }
        if wanted.takes(Wanted::ManagedIdentity) {
            let address = match text("AZURE_POD_IDENTITY_AUTHORITY_HOST") {
                Some(host) if host.trim_end_matches('/') == METADATA => METADATA.to_owned(),
                Some(host) => base_url("AZURE_POD_IDENTITY_AUTHORITY_HOST", &host)?,
                None => METADATA.to_owned(),
            };
            sources.list.push(Source::ManagedIdentity { address, client_id });
        }
        if wanted.takes(Wanted::AzureCli) {
            sources.list.push(Source::AzureCli { tenant });
        }
        Ok(sources)
    }

    fn skip(&mut self, why: &str) {
        self.skipped.push(why.to_owned());
    }
}

/// What `AZURE_TOKEN_CREDENTIALS` restricts the logins to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    /// Logins of deployed programs.
    Production,
    Environment,
    WorkloadIdentity,
    ManagedIdentity,
    AzureCli,
}

impl Wanted {
    fn of(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self::All) };
        match text.trim().to_ascii_lowercase().as_str() {
            "prod" => Ok(Self::Production),
            "dev" | "azureclicredential" => Ok(Self::AzureCli),
            "environmentcredential" => Ok(Self::Environment),
            "workloadidentitycredential" => Ok(Self::WorkloadIdentity),
            "managedidentitycredential" => Ok(Self::ManagedIdentity),
            _ => Err(Error::usage(
                Code::AzureCredentials,
                "AZURE_TOKEN_CREDENTIALS names a login that keyless cannot use",
            )
            .hint(
                "write `prod`, `dev`, EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential or \
                 AzureCLICredential, or unset it",
            )),
        }
    }

    fn takes(self, one: Self) -> bool {
        match self {
            Self::All => true,
            Self::Production => one != Self::AzureCli,
            wanted => wanted == one,
        }
    }
}

/// Azure's tools take the authority with and without `https://`.
fn with_scheme(host: String) -> String {
    if host.contains("://") { host } else { format!("https://{host}") }
}

/// A GUID or a domain: it becomes part of a URL.
fn plain(variable: &str, id: String) -> Result<String> {
    let fits = id.len() <= 255
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if fits {
        return Ok(id);
    }
    Err(Error::usage(Code::AzureCredentials, format!("{variable} cannot be an ID"))
        .hint("it is a GUID such as 00000000-0000-0000-0000-000000000000, without blanks; a tenant may be a domain name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(set: &[(&str, &str)]) -> Result<Sources> {
        Sources::of(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value)))
    }

    const TENANT: (&str, &str) = ("AZURE_TENANT_ID", "11111111-2222-3333-4444-555555555555");
    const CLIENT: (&str, &str) = ("AZURE_CLIENT_ID", "66666666-7777-8888-9999-000000000000");
    const SECRET: (&str, &str) = ("AZURE_CLIENT_SECRET", "CANARY-secret");
    const FILE: (&str, &str) =
        ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token");

    fn names(sources: &Sources) -> Vec<&'static str> {
        let name = |source: &Source| match source {
            Source::ClientSecret(..) => "secret",
            Source::WorkloadIdentity(..) => "workload",
            Source::ManagedIdentity { .. } => "managed",
            Source::AzureCli { .. } => "cli",
        };
        sources.list.iter().map(name).collect()
    }

    #[test]
    fn logins_are_tried_in_vendors_order() {
        for (set, expected) in [
            (&[][..], &["managed", "cli"][..]),
            (&[TENANT, CLIENT], &["managed", "cli"]),
            (&[TENANT, CLIENT, SECRET, FILE], &["secret", "workload", "managed", "cli"]),
            (&[TENANT, CLIENT, FILE], &["workload", "managed", "cli"]),
            (&[TENANT, SECRET, FILE], &["managed", "cli"]),
            (&[CLIENT, SECRET], &["managed", "cli"]),
            (&[("AZURE_CLIENT_SECRET", ""), TENANT, CLIENT], &["managed", "cli"]),
            (&[TENANT, CLIENT, FILE, ("AZURE_TOKEN_CREDENTIALS", "prod")], &["workload", "managed"]),
            (&[TENANT, CLIENT, FILE, ("AZURE_TOKEN_CREDENTIALS", "dev")], &["cli"]),
            (
                &[TENANT, CLIENT, FILE, ("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential")],
                &["workload"],
            ),
        ] {
            assert_eq!(names(&sources(set).unwrap()), expected, "{set:?}");
        }
        let found = sources(&[TENANT, CLIENT, SECRET]).unwrap();
        assert!(!format!("{found:?}").contains("CANARY"), "{found:?}");
        let Source::ClientSecret(application, _) = &found.list[0] else { panic!("{found:?}") };
        assert_eq!(application.authority, "https://login.microsoftonline.com");
        assert_eq!(sources(&[TENANT, SECRET]).unwrap().skipped.len(), 2, "each is named");
    }

    #[test]
    fn authority_is_a_safe_base_url() {
        for (text, wanted) in [
            ("https://login.microsoftonline.us/", "https://login.microsoftonline.us"),
            ("login.partner.microsoftonline.cn", "https://login.partner.microsoftonline.cn"),
            ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ] {
            let found = sources(&[TENANT, CLIENT, SECRET, ("AZURE_AUTHORITY_HOST", text)]).unwrap();
            let Source::ClientSecret(application, _) = &found.list[0] else { panic!("{found:?}") };
            assert_eq!(application.authority, wanted);
        }
        for text in ["http://login.example.com", "https://u:CANARY@h.example", "ftp://h", "https://h/?a=b"] {
            let error = sources(&[("AZURE_AUTHORITY_HOST", text)]).unwrap_err();
            assert_eq!(error.code, Code::BaseUrl, "{text}");
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn variables_that_cannot_be_used() {
        for set in [
            &[("AZURE_TENANT_ID", "a/../b")][..],
            &[("AZURE_TENANT_ID", ".")],
            &[("AZURE_CLIENT_ID", "a b")],
            &[("AZURE_CLIENT_ID", "a\n")],
            &[("AZURE_TENANT_ID", "tenant?x=y")],
            &[TENANT, CLIENT, ("AZURE_CLIENT_CERTIFICATE_PATH", "/c.pem")],
            &[("AZURE_TOKEN_CREDENTIALS", "VisualStudioCodeCredential")],
        ] {
            let error = sources(set).unwrap_err();
            assert_eq!(error.code, Code::AzureCredentials, "{set:?}: {error}");
        }
        for host in ["http://metadata.example.com", "http://169.254.169.253"] {
            let error = sources(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", host)]).unwrap_err();
            assert_eq!(error.code, Code::BaseUrl, "{host}");
        }
    }
}
