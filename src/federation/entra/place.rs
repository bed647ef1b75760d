//! PURE. Names of Azure's resources, and the addresses that follow from them. No address comes from a name that could lead
//! to another host.

use crate::{
    azure::Scope,
    base_url::base_url,
    error::{Code, Error, Result},
};

/// A service that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// The token endpoint of Entra.
    Login,
    ResourceManager,
    Graph,
    KeyVault,
}

/// Base URLs in place of those of Azure, without a trailing slash.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "EntraEndpoints")]
pub(crate) struct Endpoints {
    login: Option<String>,
    resource_manager: Option<String>,
    graph: Option<String>,
    key_vault: Option<String>,
}

impl Api {
    /// For people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Login => "Microsoft Entra",
            Self::ResourceManager => "Azure Resource Manager",
            Self::Graph => "Microsoft Graph",
            Self::KeyVault => "Key Vault",
        }
    }

    /// What the administrator's token is asked for.
    pub(super) fn scope(self) -> Option<Scope> {
        match self {
            Self::Login => None,
            Self::ResourceManager => Some(Scope::ResourceManager),
            Self::Graph => Some(Scope::Graph),
            Self::KeyVault => Some(Scope::KeyVault),
        }
    }
}

impl Endpoints {
    /// Those that are set, by their settings.
    pub(super) fn set(&self) -> Vec<(String, String)> {
        let all = [
            ("login", &self.login),
            ("resourceManager", &self.resource_manager),
            ("graph", &self.graph),
            ("keyVault", &self.key_vault),
        ];
        let set =
            all.into_iter().filter_map(|(name, url)| Some((format!("entra.endpoints.{name}"), url.clone()?)));
        set.collect()
    }

    /// Whether a credential may be sent to each of them.
    pub(super) fn check(&self) -> Result<()> {
        self.set().iter().try_for_each(|(setting, url)| base_url(setting, url).map(drop))
    }

    /// `vault` is the name of the key vault.
    pub(super) fn of(&self, api: Api, vault: &str) -> String {
        let (set, usual) = match api {
            Api::Login => (&self.login, "https://login.microsoftonline.com".to_owned()),
            Api::ResourceManager => (&self.resource_manager, "https://management.azure.com".to_owned()),
            Api::Graph => (&self.graph, "https://graph.microsoft.com".to_owned()),
            Api::KeyVault => (&self.key_vault, vault_url(vault)),
        };
        set.as_ref().map_or(usual, |url| url.trim_end_matches('/').to_owned())
    }
}

/// As a store names the vault.
pub(super) fn vault_url(vault: &str) -> String {
    format!("https://{vault}.vault.azure.net")
}

/// The vault of such a URL; `None`: it is none of Azure's public cloud.
pub(super) fn vault_of(url: &str) -> Option<&str> {
    let url = url.strip_prefix("https://")?;
    let name = url.strip_suffix('/').unwrap_or(url).strip_suffix(".vault.azure.net")?;
    is_vault(name).then_some(name)
}

/// A GUID, in lower case.
pub(super) fn guid(setting: &str, text: &str) -> Result<String> {
    match is_guid(text) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(refuse(setting, text, "a GUID such as 00000000-0000-0000-0000-000000000000")),
    }
}

pub(super) fn is_guid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>
pub(super) fn resource_group(setting: &str, text: &str) -> Result<String> {
    let fits = (1..=90).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.()".contains(&byte))
        && !text.ends_with('.')
        && !text.starts_with('.');
    let form = "the name of a resource group: letters, digits and _ - . ( )";
    if fits { Ok(text.to_owned()) } else { Err(refuse(setting, text, form)) }
}

pub(super) fn vault(setting: &str, text: &str) -> Result<String> {
    let form = "the name of a key vault: 3 to 24 letters, digits and hyphens";
    if is_vault(text) { Ok(text.to_ascii_lowercase()) } else { Err(refuse(setting, text, form)) }
}

fn is_vault(text: &str) -> bool {
    (3..=24).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The longest name of a managed identity.
pub(super) const LONGEST_IDENTITY: usize = 128;

pub(super) fn identity(setting: &str, text: &str) -> Result<String> {
    let fits = (3..=LONGEST_IDENTITY).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let form = "the name of a managed identity: 3 to 128 letters, digits, - and _";
    if fits { Ok(text.to_owned()) } else { Err(refuse(setting, text, form)) }
}

/// Why a vault cannot have a secret of this name. A clause.
pub(super) fn cannot_name(key: &str) -> Option<String> {
    let name = secret_name(key);
    let fits = (1..=127).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (!fits).then(|| {
        format!(
            "Key Vault takes names of 1 to 127 letters, digits and hyphens, and `{}` is none",
            key.escape_debug()
        )
    })
}

/// The operator takes `secret/NAME` for `NAME`; `key/NAME` and `cert/NAME` are no secrets.
pub(super) fn secret_name(key: &str) -> &str {
    key.strip_prefix("secret/").unwrap_or(key)
}

/// The name of a secret in a scope: in lower case, as Azure compares it.
pub(super) fn secret(key: &str) -> Result<String> {
    match cannot_name(key) {
        None => Ok(secret_name(key).to_ascii_lowercase()),
        Some(why) => Err(Error::usage(
            Code::EntraSetting,
            format!("`{}` cannot be a secret of Key Vault", key.escape_debug()),
        )
        .caused_by(why)
        .hint("correct the key in the object that names it; keys and certificates of a vault are not read through this provider")),
    }
}

fn refuse(setting: &str, text: &str, form: &str) -> Error {
    Error::usage(Code::EntraSetting, format!("`{}` cannot be {setting}", text.escape_debug()))
        .hint(format!("{setting} is {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_from_names_alone() {
        let usual = Endpoints::default();
        assert_eq!(usual.of(Api::KeyVault, "acme"), "https://acme.vault.azure.net");
        assert_eq!(usual.of(Api::ResourceManager, "acme"), "https://management.azure.com");
        let set: Endpoints =
            serde_json::from_value(serde_json::json!({"graph": "http://127.0.0.1:1/"})).unwrap();
        assert_eq!(set.of(Api::Graph, "acme"), "http://127.0.0.1:1");
        assert_eq!(set.set(), [("entra.endpoints.graph".to_owned(), "http://127.0.0.1:1/".to_owned())]);
        let http: Endpoints =
            serde_json::from_value(serde_json::json!({"login": "http://evil.example"})).unwrap();
        assert_eq!(http.check().unwrap_err().code, Code::BaseUrl);
    }

    #[test]
    fn vault_of_url_is_exact() {
        for url in ["https://acme.vault.azure.net", "https://acme.vault.azure.net/"] {
            assert_eq!(vault_of(url), Some("acme"));
        }
        for url in [
            "",
            "acme",
            "http://acme.vault.azure.net",
            "https://acme.vault.azure.cn",
            "https://acme.vault.azure.net.evil.example",
            "https://a/b.vault.azure.net",
            "https://acme.vault.azure.net:8443",
            "https://user@acme.vault.azure.net",
            "https://acme.vault.azure.net//",
        ] {
            assert_eq!(vault_of(url), None, "{url}");
        }
    }

    #[test]
    fn names_that_leave_path_are_refused() {
        for text in ["", "..", "a/b", "a?b", "a%2f", "a b", "ü", "a."] {
            assert_eq!(resource_group("it", text).unwrap_err().code, Code::EntraSetting, "{text}");
        }
        for text in ["", "ab", "1ab", "a--b", "ab-", "a.b", "a/b", &"a".repeat(25)] {
            assert_eq!(vault("it", text).unwrap_err().code, Code::EntraSetting, "{text}");
        }
        for text in ["", "ab", "_ab", "a.b", "a/b", &"a".repeat(129)] {
            assert_eq!(identity("it", text).unwrap_err().code, Code::EntraSetting, "{text}");
        }
        for text in
            ["", "a", "{00000000-0000-0000-0000-000000000000}", "00000000-0000-0000-0000-00000000000g"]
        {
            assert_eq!(guid("it", text).unwrap_err().code, Code::EntraSetting, "{text}");
        }
        let upper = "ABCDEFAB-0000-0000-0000-000000000000";
        assert_eq!(guid("it", upper).unwrap(), upper.to_ascii_lowercase());
    }

    #[test]
    fn secret_is_named_as_operator_does() {
        assert_eq!(secret("db").unwrap(), "db");
        assert_eq!(secret("secret/DB-1").unwrap(), "db-1");
        for key in ["", "prod/db", "key/db", "cert/db", "a_b", "a.b", "*", "ü", &"a".repeat(128)] {
            assert_eq!(secret(key).unwrap_err().code, Code::EntraSetting, "{key}");
        }
    }
}
