//! PURE. What the environment says of Vault: `VAULT_ADDR`, `VAULT_NAMESPACE` and `VAULT_TOKEN`, or their names at OpenBao, as
//! the servers' own clients take them.
//!
//! An administrator's token goes to an address that an administrator has named, in the settings, in the environment or
//! at the prompt, and to no other. Here is the only place where the two come together.

use super::Settings;
use crate::{
    base_url::base_url,
    error::{Code, Error, Result},
    secret::Secret,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// As it was given; whether it can be used is looked at when it is used.
    pub(super) address: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) token: Option<Secret>,
}

impl Client {
    /// Gives the token to settings whose address an administrator has named.
    pub(super) fn settings(&self, named: Settings) -> Result<Settings> {
        let own = self.address.as_ref().filter(|_| self.token.is_some());
        if let Some(own) = own.filter(|own| own.trim_end_matches('/') != named.address.trim_end_matches('/'))
        {
            return Err(Error::usage(
                Code::VaultAddressDiffers,
                format!(
                    "the address of Vault is {}, and VAULT_ADDR is {}: it is not known which of them the token is for",
                    named.address,
                    own.escape_debug()
                ),
            )
            .hint("unset VAULT_ADDR (BAO_ADDR), or set vault.address to the same server"));
        }
        Ok(Settings { token: self.token.clone(), ..named })
    }

    /// The settings at the address of the environment, if it names one.
    pub(super) fn named(&self, without_address: &Settings) -> Result<Option<Settings>> {
        let Some(address) = &self.address else { return Ok(None) };
        let address = base_url("VAULT_ADDR", address)?;
        let namespace = without_address.namespace.clone().or_else(|| self.namespace.clone());
        self.settings(Settings { address, namespace, ..without_address.clone() }).map(Some)
    }

    /// The settings at an address that was typed in or confirmed.
    pub(super) fn answered(&self, address: &str, without_address: &Settings) -> Result<Settings> {
        let address = base_url("vault.address", address)?;
        self.settings(Settings { address, ..without_address.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mode;
    use super::*;

    fn client(address: Option<&str>, token: Option<&str>) -> Client {
        Client {
            address: address.map(str::to_owned),
            namespace: Some("team".into()),
            token: token.map(|token| Secret::new(token.into())),
        }
    }

    fn at(address: &str) -> Settings {
        Settings {
            address: address.into(),
            mount: "keyless".into(),
            role_prefix: "external-secrets".into(),
            mount_from_store: false,
            role: "eso".into(),
            kv: "kv".into(),
            mode: Mode::StaticKeys,
            ca_pem: None,
            issuer_ca_pem: None,
            namespace: None,
            token: None,
        }
    }

    #[test]
    fn token_goes_to_named_address_only() {
        let own = client(Some("https://bao.example:8200/"), Some("hvs.x"));
        assert!(own.settings(at("https://bao.example:8200")).unwrap().token.is_some());
        let named = own.named(&at("")).unwrap().unwrap();
        assert_eq!(
            (named.address.as_str(), named.namespace.as_deref()),
            ("https://bao.example:8200", Some("team"))
        );
        assert!(named.token.is_some());
        let error = own.settings(at("https://evil.example")).unwrap_err();
        assert_eq!(error.code, Code::VaultAddressDiffers);
        assert!(!error.to_string().contains("hvs.x"));
        // Without a token, nothing goes anywhere.
        assert!(client(Some("https://bao.example"), None).settings(at("https://other.example")).is_ok());
        assert!(client(None, Some("hvs.x")).named(&at("")).unwrap().is_none());
    }

    #[test]
    fn address_in_the_clear_is_refused() {
        for address in [
            "http://bao.example",
            "http://10.0.0.1:8200",
            "ftp://bao.example",
            "bao.example",
            "https://u:p@bao.example",
        ] {
            let error = client(Some(address), Some("hvs.x")).named(&at("")).unwrap_err();
            assert_eq!(error.code, Code::BaseUrl, "{address}");
            assert_eq!(
                client(None, None).answered(address, &at("")).unwrap_err().code,
                Code::BaseUrl,
                "{address}"
            );
        }
        for address in ["http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost:8200"] {
            assert!(client(Some(address), None).named(&at("")).unwrap().is_some(), "{address}");
        }
    }
}
