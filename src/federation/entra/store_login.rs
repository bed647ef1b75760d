//! PURE. How a store of External Secrets Operator logs in at Key Vault, and which versions can do it.
//! <https://external-secrets.io/latest/provider/azure-key-vault/>

use serde_json::{Value, json};

use super::place;
use crate::{
    cluster::snapshot::Version,
    error::{Code, Error, Result},
    secret_store::{Difference, Have, Means, PublicFields, StoreLogin, V1_SINCE, Want, too_old},
    shell,
    warning::Warning,
};

/// The member of a store's `spec.provider`.
pub(super) const MEMBER: &str = "azurekv";

/// What its settings hold beside secrets.
pub(super) const PUBLIC: PublicFields = PublicFields {
    values: &[
        "authType",
        "customCloudConfig.activeDirectoryEndpoint",
        "customCloudConfig.keyVaultDNSSuffix",
        "customCloudConfig.keyVaultEndpoint",
        "customCloudConfig.resourceManagerEndpoint",
        "environmentType",
        "identityId",
        "tenantId",
        "useAzureSDK",
        "vaultUrl",
    ],
    references: &[
        "authSecretRef.clientCertificate",
        "authSecretRef.clientId",
        "authSecretRef.clientSecret",
        "authSecretRef.tenantId",
        "serviceAccountRef",
    ],
};
/// On a ServiceAccount, the client ID of the identity that it becomes.
pub(super) const CLIENT_ANNOTATION: &str = "azure.workload.identity/client-id";
/// The operator refuses a tenant that is named twice.
const TENANT_ANNOTATION: &str = "azure.workload.identity/tenant-id";
/// Azure chooses the client ID when the identity is created.
const LATER: &str = "(known once the managed identity exists)";

const REFERENCE: &str = "spec.provider.azurekv.serviceAccountRef";

/// What a store must say to reach the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntraLogin {
    pub(super) vault: String,
    pub(super) tenant: String,
    /// `None`: the identity is not there yet.
    pub(super) client_id: Option<String>,
}

impl StoreLogin for EntraLogin {
    fn member(&self) -> &'static str {
        MEMBER
    }

    fn since(&self) -> Version {
        V1_SINCE
    }

    fn means(&self, want: &Want<'_>, have: &Have<'_>, _warnings: &mut Vec<Warning>) -> Result<Means> {
        if have.account.is_some_and(|account| account.annotation(TENANT_ANNOTATION).is_some()) {
            let (namespace, name) = (&want.workload.namespace, &want.workload.name);
            return Err(Error::failed(
                Code::EntraSetting,
                format!("the ServiceAccount {} names a tenant, and the store does as well", want.workload),
            )
            .caused_by("External Secrets Operator refuses a tenant that is named twice")
            .hint(format!(
                "take it out: `kubectl annotate serviceaccount --namespace {} {} {TENANT_ANNOTATION}-`",
                shell::quote(namespace),
                shell::quote(name)
            )));
        }
        let client_id = self.client_id.clone().unwrap_or_else(|| LATER.to_owned());
        match have.schema.knows(REFERENCE) {
            true => Ok(Means { field: None, annotation: Some((CLIENT_ANNOTATION, client_id)) }),
            false => Err(too_old(have, V1_SINCE, &format!("the installed schema has no {REFERENCE}"))),
        }
    }

    fn provider(&self, account: Value, old: Value, _means: &Means) -> Value {
        let mut settings = old;
        // Other logins. A secret that is named beside the reference would be used in its place.
        for other in ["authSecretRef", "identityId"] {
            settings.as_object_mut().map(|members| members.remove(other));
        }
        settings["authType"] = json!("WorkloadIdentity");
        if settings["vaultUrl"].as_str().and_then(place::vault_of) != Some(&self.vault) {
            settings["vaultUrl"] = json!(place::vault_url(&self.vault));
        }
        settings["tenantId"] = json!(self.tenant);
        // Audiences of the reference would be added to the usual one.
        settings["serviceAccountRef"] = account;
        settings
    }

    fn differences(&self, spec: &Value) -> Vec<Difference> {
        let text = |member: &str| spec[member].as_str().unwrap_or_default();
        let url = text("vaultUrl");
        let have = match place::vault_of(url) {
            Some(vault) if vault.eq_ignore_ascii_case(&self.vault) => place::vault_url(&self.vault),
            _ => url.to_owned(),
        };
        let tenant = match text("tenantId") {
            // Managed identities and pods know theirs by themselves.
            "" => self.tenant.clone(),
            tenant => tenant.to_ascii_lowercase(),
        };
        let cloud = text("environmentType");
        let cloud = if cloud.is_empty() { "PublicCloud" } else { cloud };
        [
            Difference::between(MEMBER, "vaultUrl", &have, &[&place::vault_url(&self.vault)]),
            Difference::between(MEMBER, "tenantId", &tenant, &[&self.tenant]),
            Difference::between(MEMBER, "environmentType", cloud, &["PublicCloud"]),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The tenant and the cloud are replaced in the store: then nothing shows any more that it read elsewhere.
    fn refuse(&self, store: &str, differences: &[Difference]) -> Result<()> {
        let other = |it: &&Difference| !it.field.ends_with(".vaultUrl");
        match differences.iter().find(other) {
            Some(difference) => Err(Error::usage(
                Code::EntraOtherTenant,
                format!(
                    "the store {store} has {} `{}`, and the settings mean `{}`",
                    difference.field,
                    difference.have.escape_debug(),
                    difference.want
                ),
            )
            .hint("set entra.tenant and entra.vault to those of the secrets; keyless knows Azure's public cloud only")),
            None => Ok(()),
        }
    }

    /// Which identity that is, the ServiceAccount says.
    fn is_used_by(&self, spec: &Value) -> bool {
        spec["authType"] == "WorkloadIdentity"
            && spec.get("serviceAccountRef").is_some_and(|reference| !reference.is_null())
            && spec["vaultUrl"]
                .as_str()
                .and_then(place::vault_of)
                .is_some_and(|vault| vault.eq_ignore_ascii_case(&self.vault))
    }

    fn given_name(&self) -> Option<(&'static str, Option<&str>)> {
        Some((LATER, self.client_id.as_deref()))
    }

    fn whole_value(&self) -> &'static str {
        "Key Vault gives the text of the secret as it is"
    }

    fn metadata(&self) -> &'static str {
        "Key Vault gives the tags of the secret"
    }

    fn refuses_latest(&self) -> Option<&'static str> {
        Some("Key Vault takes the ID of a version, or none for the newest")
    }

    fn cannot_name(&self, key: &str) -> Option<String> {
        place::cannot_name(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "00000000-0000-0000-0000-0000000000bb";

    fn login() -> EntraLogin {
        EntraLogin { vault: "acme".into(), tenant: TENANT.into(), client_id: Some("c".into()) }
    }

    #[test]
    fn store_keeps_no_other_login() {
        let account = json!({ "name": "reader", "namespace": "eso" });
        let old = json!({
            "vaultUrl": "https://acme.vault.azure.net/", "tenantId": TENANT, "useAzureSDK": true,
            "authSecretRef": { "clientId": { "name": "k" }, "clientSecret": { "name": "k" } }, "identityId": "x",
        });
        let spec = login().provider(account.clone(), old, &Means::default());
        assert_eq!(
            spec,
            json!({
                "authType": "WorkloadIdentity", "vaultUrl": "https://acme.vault.azure.net/", "tenantId": TENANT,
                "useAzureSDK": true, "serviceAccountRef": account,
            })
        );
        assert!(login().differences(&spec).is_empty() && login().is_used_by(&spec));
        let new = login().provider(json!({}), json!({}), &Means::default());
        assert_eq!(new["vaultUrl"], "https://acme.vault.azure.net");
    }

    #[test]
    fn other_place_is_told_from_same() {
        let fields = |spec: Value| -> Vec<String> {
            login()
                .differences(&spec)
                .into_iter()
                .map(|it| it.field.rsplit('.').next().unwrap().to_owned())
                .collect()
        };
        let same = json!({ "vaultUrl": "https://ACME.vault.azure.net" , "environmentType": "PublicCloud"});
        assert!(fields(same.clone()).is_empty());
        for (member, value) in [
            ("vaultUrl", "https://other.vault.azure.net"),
            ("vaultUrl", "https://acme.vault.azure.cn"),
            ("vaultUrl", ""),
            ("tenantId", "00000000-0000-0000-0000-0000000000cc"),
            ("environmentType", "ChinaCloud"),
        ] {
            let mut other = same.clone();
            other[member] = json!(value);
            assert_eq!(fields(other.clone()), [member], "{value}");
            let refused = login().refuse("main", &login().differences(&other));
            assert_eq!(refused.is_err(), member != "vaultUrl", "{member}");
        }
        assert!(!login().is_used_by(&json!({ "vaultUrl": "https://acme.vault.azure.net" })));
    }
}
