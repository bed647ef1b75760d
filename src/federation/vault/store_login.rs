//! PURE. How a store of External Secrets Operator logs in at Vault or OpenBao, and which versions can do it.
//! <https://external-secrets.io/latest/provider/hashicorp-vault/>

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    cluster::snapshot::Version,
    error::{Code, Error, Result},
    secret_store::{Difference, Have, Means, PublicFields, StoreLogin, V1_SINCE, Want, too_old},
    warning::Warning,
};

/// The member of a store's `spec.provider`.
pub(super) const MEMBER: &str = "vault";

/// What its settings hold beside secrets. `headers` may hold what opens a proxy.
pub(super) const PUBLIC: PublicFields = PublicFields {
    values: &[
        "auth.appRole.path",
        "auth.appRole.roleId",
        "auth.cert.path",
        "auth.gcp.location",
        "auth.gcp.path",
        "auth.gcp.projectID",
        "auth.gcp.role",
        "auth.gcp.workloadIdentity.clusterLocation",
        "auth.gcp.workloadIdentity.clusterName",
        "auth.gcp.workloadIdentity.clusterProjectID",
        "auth.iam.externalID",
        "auth.iam.path",
        "auth.iam.region",
        "auth.iam.role",
        "auth.iam.vaultAwsIamServerID",
        "auth.iam.vaultRole",
        "auth.jwt.kubernetesServiceAccountToken.audiences",
        "auth.jwt.kubernetesServiceAccountToken.expirationSeconds",
        "auth.jwt.path",
        "auth.jwt.role",
        "auth.kubernetes.mountPath",
        "auth.kubernetes.role",
        "auth.ldap.path",
        "auth.ldap.username",
        "auth.namespace",
        "auth.userPass.path",
        "auth.userPass.username",
        "caBundle",
        "checkAndSet.required",
        "forwardInconsistent",
        "namespace",
        "path",
        "readYourWrites",
        "server",
        "version",
    ],
    references: &[
        "auth.appRole.roleRef",
        "auth.appRole.secretRef",
        "auth.cert.clientCert",
        "auth.cert.secretRef",
        "auth.gcp.secretRef.secretAccessKeySecretRef",
        "auth.gcp.serviceAccountRef",
        "auth.gcp.workloadIdentity.serviceAccountRef",
        "auth.iam.jwt.serviceAccountRef",
        "auth.iam.secretRef.accessKeyIDSecretRef",
        "auth.iam.secretRef.secretAccessKeySecretRef",
        "auth.iam.secretRef.sessionTokenSecretRef",
        "auth.jwt.kubernetesServiceAccountToken.serviceAccountRef",
        "auth.jwt.secretRef",
        "auth.kubernetes.secretRef",
        "auth.kubernetes.serviceAccountRef",
        "auth.ldap.secretRef",
        "auth.tokenSecretRef",
        "auth.userPass.secretRef",
        "caProvider",
        "tls.certSecretRef",
        "tls.keySecretRef",
    ],
};

const NAMESPACE: &str = "spec.provider.vault.namespace";
const TOKEN: &str = "spec.provider.vault.auth.jwt.kubernetesServiceAccountToken";

/// What a store must say to reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultLogin {
    pub(crate) server: String,
    pub(crate) kv: String,
    pub(crate) mount: String,
    pub(crate) role: String,
    pub(crate) audience: String,
    pub(crate) ca_pem: Option<String>,
    /// Of the login and of the secrets.
    pub(crate) namespace: Option<String>,
}

impl StoreLogin for VaultLogin {
    fn member(&self) -> &'static str {
        MEMBER
    }

    fn since(&self) -> Version {
        V1_SINCE
    }

    fn means(&self, _want: &Want<'_>, have: &Have<'_>, _warnings: &mut Vec<Warning>) -> Result<Means> {
        if !have.schema.knows(&format!("{TOKEN}.serviceAccountRef")) {
            return Err(too_old(have, V1_SINCE, &format!("the installed schema has no {TOKEN}")));
        }
        // The one field by which the default audience can be replaced; elsewhere it is only added to.
        let audience = &self.audience;
        if audience != super::AUDIENCE && !have.schema.knows(&format!("{TOKEN}.audiences")) {
            let usual = super::AUDIENCE;
            return Err(Error::failed(
                Code::EsoAudience,
                format!("the installed schema cannot mint tokens for `{audience}` alone"),
            )
            .hint(format!("ESO always adds `{usual}` there: bind the role to the audience `{usual}`")));
        }
        if let Some(namespace) = self.namespace.as_ref().filter(|_| !have.schema.knows(NAMESPACE)) {
            return Err(Error::failed(
                Code::EsoFieldMissing,
                format!("the installed schema has no {NAMESPACE}: a store cannot name `{namespace}`"),
            )
            .hint("upgrade External Secrets Operator with its custom resource definitions")
            .hint("or use a KV engine and an auth method of the root namespace: leave vault.namespace out"));
        }
        Ok(Means::default())
    }

    fn provider(&self, account: Value, old: Value, _means: &Means) -> Value {
        let Self { server, kv, mount, role, audience, ca_pem, namespace } = self;
        let mut settings = old;
        settings["server"] = json!(server);
        settings["path"] = json!(kv);
        settings["version"] = json!("v2");
        let mut forget = |member: &str| settings.as_object_mut().map(|members| members.remove(member));
        if ca_pem.is_some() {
            forget("caProvider");
        }
        if namespace.is_none() {
            forget("namespace");
        }
        if let Some(pem) = ca_pem {
            settings["caBundle"] = json!(STANDARD.encode(pem));
        }
        if let Some(namespace) = namespace {
            settings["namespace"] = json!(namespace);
        }
        // Audiences of the reference would be added to the usual one, not replace it.
        let mut token = json!({ "serviceAccountRef": account });
        if audience != super::AUDIENCE {
            token["audiences"] = json!([audience]);
        }
        // Without a namespace of its own, the login is made where the secrets are: there is the role.
        settings["auth"] =
            json!({ "jwt": { "path": mount, "role": role, "kubernetesServiceAccountToken": token } });
        settings
    }

    fn differences(&self, spec: &Value) -> Vec<Difference> {
        let text = |member: &str| spec[member].as_str().unwrap_or_default();
        let namespace = self.namespace.as_deref().unwrap_or_default();
        [
            Difference::between(
                MEMBER,
                "server",
                text("server").trim_end_matches('/'),
                &[self.server.trim_end_matches('/')],
            ),
            Difference::between(MEMBER, "path", text("path").trim_matches('/'), &[self.kv.trim_matches('/')]),
            Difference::between(MEMBER, "namespace", text("namespace").trim_matches('/'), &[namespace]),
            // Where no kind is given, it is the second.
            Difference::between(MEMBER, "version", text("version"), &["v2", ""]),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn is_used_by(&self, spec: &Value) -> bool {
        let text = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str);
        let is_there = |pointer: &str| spec.pointer(pointer).is_some_and(|value| !value.is_null());
        is_there("/auth/jwt/kubernetesServiceAccountToken")
            && text("/namespace").unwrap_or_default() == self.namespace.as_deref().unwrap_or_default()
            && text("/server").map(|it| it.trim_end_matches('/')) == Some(self.server.trim_end_matches('/'))
            && text("/auth/jwt/path").unwrap_or("jwt").trim_matches('/') == self.mount.trim_matches('/')
    }

    fn is_login_of(&self, spec: &Value) -> bool {
        let role = spec.pointer("/auth/jwt/role").and_then(Value::as_str);
        self.is_used_by(spec) && role.is_some_and(|role| role.eq_ignore_ascii_case(&self.role))
    }

    fn whole_value(&self) -> &'static str {
        "a KV v2 engine gives the JSON of the whole map"
    }

    fn metadata(&self) -> &'static str {
        "a KV v2 engine gives its custom metadata"
    }

    fn refuses_latest(&self) -> Option<&'static str> {
        Some("a KV v2 engine knows numbers only")
    }

    /// Segments between single slashes, printable, not a step up or down, and not what URLs read as something else.
    fn cannot_name(&self, key: &str) -> Option<String> {
        let can = key.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
            && key.chars().all(|it| !it.is_control() && !it.is_whitespace() && !"?#%*+".contains(it));
        (!can).then(|| format!("a KV v2 engine cannot have a secret at the path `{}`", key.escape_debug()))
    }
}
