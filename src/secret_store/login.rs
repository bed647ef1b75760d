//! How a store logs in at each provider, and which versions of External Secrets Operator can do it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Access,
    plan::{Have, Want},
};
use crate::{
    cluster::snapshot::Version,
    error::{Code, Error, Result},
    report::Warning,
};

/// Names a Google service account on a ServiceAccount. ESO obeys it since [`ANNOTATION_SINCE`], wanted or not.
pub(super) const IMPERSONATION_ANNOTATION: &str = "iam.gke.io/gcp-service-account";

/// A ServiceAccount of the cluster works as the source of Google tokens; 0.20.0 and 0.20.1 have the field, but
/// compare its audience with nothing.
const GOOGLE_SINCE: Version = Version(0, 20, 2);
const ANNOTATION_SINCE: Version = Version(2, 3, 0);
const EMAIL_SINCE: Version = Version(2, 5, 0);
/// `external-secrets.io/v1`.
const V1_SINCE: Version = Version(0, 16, 0);

const FEDERATION: &str = "spec.provider.gcpsm.auth.workloadIdentityFederation";
const VAULT_NAMESPACE: &str = "spec.provider.vault.namespace";
const VAULT_TOKEN: &str = "spec.provider.vault.auth.jwt.kubernetesServiceAccountToken";
/// What ESO mints tokens for Vault for when nothing else is said.
const VAULT_AUDIENCE: &str = "vault";

/// In which way the store acts as a Google service account, if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Impersonation {
    No,
    /// A field of the store.
    Field(String),
    /// An annotation of the ServiceAccount.
    Annotation(String),
}

impl Impersonation {
    pub(super) fn annotation(&self) -> Option<&str> {
        match self {
            Self::Annotation(email) => Some(email),
            Self::No | Self::Field(_) => None,
        }
    }
}

/// Whether what is installed can log in this way.
pub(super) fn capable(
    want: &Want<'_>,
    have: &Have<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Impersonation> {
    if !have.schema.has_v1() {
        let served = have.schema.served().join(", ");
        let needed = if matches!(want.access, Access::Google { .. }) { GOOGLE_SINCE } else { V1_SINCE };
        return Err(too_old(have, needed, &format!("external-secrets.io/v1 is not served (only {served})")));
    }
    match want.access {
        Access::Google { impersonate, .. } => google(want, have, impersonate.as_deref(), warnings),
        Access::Vault { audience, namespace, .. } => {
            if !have.schema.knows(&format!("{VAULT_TOKEN}.serviceAccountRef")) {
                return Err(too_old(have, V1_SINCE, &format!("the installed schema has no {VAULT_TOKEN}")));
            }
            // The one field by which the default audience can be replaced; elsewhere it is only added to.
            if audience != VAULT_AUDIENCE && !have.schema.knows(&format!("{VAULT_TOKEN}.audiences")) {
                return Err(Error::failed(
                    Code::EsoAudience,
                    format!("the installed schema cannot mint tokens for `{audience}` alone"),
                )
                .hint(format!("ESO always adds `{VAULT_AUDIENCE}` there: bind the role to the audience `{VAULT_AUDIENCE}`")));
            }
            if let Some(namespace) = namespace.as_ref().filter(|_| !have.schema.knows(VAULT_NAMESPACE)) {
                return Err(Error::failed(
                    Code::EsoFieldMissing,
                    format!(
                        "the installed schema has no {VAULT_NAMESPACE}: a store cannot name `{namespace}`"
                    ),
                )
                .hint("upgrade External Secrets Operator with its custom resource definitions")
                .hint(
                    "or use a KV engine and an auth method of the root namespace: leave vault.namespace out",
                ));
            }
            Ok(Impersonation::No)
        }
    }
}

fn google(
    want: &Want<'_>,
    have: &Have<'_>,
    impersonate: Option<&str>,
    warnings: &mut Vec<Warning>,
) -> Result<Impersonation> {
    for field in ["serviceAccountRef.audiences", "audience"] {
        if !have.schema.knows(&format!("{FEDERATION}.{field}")) {
            return Err(too_old(
                have,
                GOOGLE_SINCE,
                &format!("the installed schema has no {FEDERATION}.{field}"),
            ));
        }
    }
    let version = have.controller.and_then(|controller| controller.version);
    if let Some(version) = version.filter(|version| *version < GOOGLE_SINCE) {
        return Err(too_old(have, GOOGLE_SINCE, &format!("the controller is {version}")));
    }
    let at_least = |needed: Version| version.is_some_and(|version| version >= needed);
    if let Some(email) = impersonate {
        // With an older controller beside a newer schema the field would be there and do nothing.
        let field = have.schema.knows(&format!("{FEDERATION}.gcpServiceAccountEmail"));
        return if field && version.is_none_or(|version| version >= EMAIL_SINCE) {
            Ok(Impersonation::Field(email.to_owned()))
        } else if at_least(ANNOTATION_SINCE) {
            Ok(Impersonation::Annotation(email.to_owned()))
        } else {
            Err(too_old(have, EMAIL_SINCE, &format!("it cannot act as {email}: neither the field gcpServiceAccountEmail ({EMAIL_SINCE}) nor the annotation ({ANNOTATION_SINCE}) is there"))
                .hint("or grant the secrets to the ServiceAccount itself, without a Google service account in between"))
        };
    }
    let annotated = have.account.and_then(|account| account.annotation(IMPERSONATION_ANNOTATION));
    // On an account of ours it comes from an earlier plan, and this one takes it away.
    if let Some(email) = annotated.filter(|_| have.account.is_some_and(|account| !account.is_ours())) {
        let what = format!(
            "the ServiceAccount {} carries the annotation {IMPERSONATION_ANNOTATION}: {email}",
            want.workload
        );
        if version.is_none_or(|version| version >= ANNOTATION_SINCE) {
            return Err(Error::failed(Code::EsoImpersonationAnnotation, what)
                .caused_by(format!("since {ANNOTATION_SINCE} ESO acts as that Google service account, and a grant to the ServiceAccount itself is not used"))
                .hint(format!("kubectl annotate serviceaccount -n {} {} {IMPERSONATION_ANNOTATION}-", want.workload.namespace, want.workload.name))
                .hint("or name another ServiceAccount, or impersonate on purpose"));
        }
        warnings.push(Warning::new(
            Code::EsoImpersonationAnnotation,
            format!("{what}; from {ANNOTATION_SINCE} on ESO would act as it, and an upgrade would break this login: remove it"),
        ));
    }
    Ok(Impersonation::No)
}

fn too_old(have: &Have<'_>, needed: Version, why: &str) -> Error {
    let what = have.controller.map_or_else(|| "External Secrets Operator".to_owned(), |it| it.describe());
    Error::failed(Code::EsoTooOld, format!("{what} cannot do this: {why}"))
        .hint(format!("upgrade it to {needed} or later, with its custom resource definitions (they are upgraded separately when installCRDs is off)"))
}

/// `spec.provider` as it shall be. Settings of the same provider that are none of ours stay.
pub(super) fn provider(want: &Want<'_>, old: Option<&Value>, impersonation: &Impersonation) -> Value {
    let mut account = json!({ "name": want.workload.name });
    if want.store.is_cluster() {
        account["namespace"] = json!(want.workload.namespace);
    }
    let same = |name: &str| old.and_then(|old| old.get(name)).filter(|old| old.is_object()).cloned();
    match want.access {
        Access::Google { project_id, audience, token_audience, location, .. } => {
            let mut settings = same("gcpsm").unwrap_or_else(|| json!({}));
            // ESO sends this list and nothing else as the token's audience: without it the token would be one for
            // the API server itself, sent to Google.
            account["audiences"] = json!([token_audience]);
            let mut federation = json!({ "audience": audience, "serviceAccountRef": account });
            if let Impersonation::Field(email) = impersonation {
                federation["gcpServiceAccountEmail"] = json!(email);
            }
            settings["projectID"] = json!(project_id);
            if let Some(location) = location {
                settings["location"] = json!(location);
            }
            settings["auth"] = json!({ "workloadIdentityFederation": federation });
            json!({ "gcpsm": settings })
        }
        Access::Vault { server, kv, mount, role, audience, ca_pem, namespace } => {
            let mut settings = same("vault").unwrap_or_else(|| json!({}));
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
            // Audiences of the reference would be added to `vault`, not replace it.
            let mut token = json!({ "serviceAccountRef": account });
            if audience != VAULT_AUDIENCE {
                token["audiences"] = json!([audience]);
            }
            let jwt = json!({ "path": mount, "role": role, "kubernetesServiceAccountToken": token });
            // Without a namespace of its own, the login is made where the secrets are: there is the role.
            settings["auth"] = json!({ "jwt": jwt });
            json!({ "vault": settings })
        }
    }
}
