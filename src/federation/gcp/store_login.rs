//! PURE. How a store of External Secrets Operator logs in at Google, and which versions can do it.
//! <https://external-secrets.io/latest/provider/google-secrets-manager/>

use serde_json::{Value, json};

use crate::{
    cluster::snapshot::Version,
    error::{Code, Error, Result},
    secret_store::{Difference, Have, Means, PublicFields, StoreLogin, Want, too_old},
    warning::Warning,
};

/// The member of a store's `spec.provider`.
pub(super) const MEMBER: &str = "gcpsm";

/// What its settings hold beside secrets.
pub(super) const PUBLIC: PublicFields = PublicFields {
    values: &[
        "auth.workloadIdentity.clusterLocation",
        "auth.workloadIdentity.clusterName",
        "auth.workloadIdentity.clusterProjectID",
        "auth.workloadIdentityFederation.audience",
        "auth.workloadIdentityFederation.awsSecurityCredentials.region",
        "auth.workloadIdentityFederation.externalTokenEndpoint",
        "auth.workloadIdentityFederation.gcpServiceAccountEmail",
        "location",
        "projectID",
        "secretVersionSelectionPolicy",
    ],
    references: &[
        "auth.secretRef.secretAccessKeySecretRef",
        "auth.workloadIdentity.serviceAccountRef",
        "auth.workloadIdentityFederation.awsSecurityCredentials.awsCredentialsSecretRef",
        "auth.workloadIdentityFederation.credConfig",
        "auth.workloadIdentityFederation.serviceAccountRef",
    ],
};
/// Names a Google service account on a ServiceAccount. ESO obeys it since [`ANNOTATION_SINCE`], wanted or not.
pub(super) const IMPERSONATION_ANNOTATION: &str = "iam.gke.io/gcp-service-account";

/// A ServiceAccount of the cluster works as the source of Google tokens; 0.20.0 and 0.20.1 have the field, but
/// compare its audience with nothing.
const SINCE: Version = Version(0, 20, 2);
const ANNOTATION_SINCE: Version = Version(2, 3, 0);
const EMAIL_SINCE: Version = Version(2, 5, 0);

const FEDERATION: &str = "spec.provider.gcpsm.auth.workloadIdentityFederation";

/// What a store must say to reach Google.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoogleLogin {
    pub(crate) project_id: String,
    pub(crate) project_number: String,
    /// `//iam.googleapis.com/projects/NUMBER/…`: what is sent to Google's token service.
    pub(crate) audience: String,
    /// `https://iam.googleapis.com/projects/NUMBER/…`: what the token itself carries.
    pub(crate) token_audience: String,
    pub(crate) impersonate: Option<String>,
    /// Of regional secrets.
    pub(crate) location: Option<String>,
}

impl StoreLogin for GoogleLogin {
    fn member(&self) -> &'static str {
        MEMBER
    }

    fn since(&self) -> Version {
        SINCE
    }

    fn means(&self, want: &Want<'_>, have: &Have<'_>, warnings: &mut Vec<Warning>) -> Result<Means> {
        for field in ["serviceAccountRef.audiences", "audience"] {
            if !have.schema.knows(&format!("{FEDERATION}.{field}")) {
                let why = format!("the installed schema has no {FEDERATION}.{field}");
                return Err(too_old(have, SINCE, &why));
            }
        }
        let version = have.controller.and_then(|controller| controller.version);
        if let Some(version) = version.filter(|version| *version < SINCE) {
            return Err(too_old(have, SINCE, &format!("the controller is {version}")));
        }
        match &self.impersonate {
            Some(email) => impersonation(email, version, have),
            None => no_impersonation(version, want, have, warnings),
        }
    }

    fn provider(&self, mut account: Value, old: Value, means: &Means) -> Value {
        let mut settings = old;
        // ESO sends this list and nothing else as the token's audience: without it the token would be one for the API
        // server itself, sent to Google.
        account["audiences"] = json!([self.token_audience]);
        let mut federation = json!({ "audience": self.audience, "serviceAccountRef": account });
        if let Some(email) = &means.field {
            federation["gcpServiceAccountEmail"] = json!(email);
        }
        settings["projectID"] = json!(self.project_id);
        if let Some(location) = &self.location {
            settings["location"] = json!(location);
        }
        settings["auth"] = json!({ "workloadIdentityFederation": federation });
        settings
    }

    fn differences(&self, spec: &Value) -> Vec<Difference> {
        let text = |member: &str| spec[member].as_str().unwrap_or_default();
        let location = self.location.as_deref().unwrap_or_default();
        [
            Difference::between(
                MEMBER,
                "projectID",
                text("projectID"),
                &[&self.project_id, &self.project_number],
            ),
            Difference::between(MEMBER, "location", text("location"), &[location]),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn refuse(&self, store: &str, differences: &[Difference]) -> Result<()> {
        let is_project = |it: &&Difference| it.field.ends_with(".projectID") && !it.have.is_empty();
        let Some(difference) = differences.iter().find(is_project) else { return Ok(()) };
        Err(Error::usage(
            Code::GoogleProjectDiffers,
            format!(
                "the store {store} reads secrets of the project {}, and google.project is {}",
                difference.have.escape_debug(),
                difference.want
            ),
        )
        .hint("keyless makes the pool and grants the secrets in one project: set google.project to the project of the secrets")
        .hint("or, if the secrets have moved, change projectID of the store first"))
    }

    fn is_used_by(&self, spec: &Value) -> bool {
        let is_there = |pointer: &str| spec.pointer(pointer).is_some_and(|value| !value.is_null());
        let audience = spec.pointer("/auth/workloadIdentityFederation/audience").and_then(Value::as_str);
        // A stored key would win.
        !is_there("/auth/secretRef") && audience == Some(&self.audience)
    }

    fn whole_value(&self) -> &'static str {
        "Google gives the whole payload"
    }

    fn metadata(&self) -> &'static str {
        "Google gives labels"
    }

    /// <https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create>
    fn cannot_name(&self, key: &str) -> Option<String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let can = (1..=255).contains(&key.len()) && key.bytes().all(fits);
        (!can).then(|| {
            format!(
                "Google cannot name a secret `{}`: letters, digits, `-` and `_` only, 255 at most",
                key.escape_debug()
            )
        })
    }
}

fn impersonation(email: &str, version: Option<Version>, have: &Have<'_>) -> Result<Means> {
    // With an older controller beside a newer schema the field would be there and do nothing.
    let field = have.schema.knows(&format!("{FEDERATION}.gcpServiceAccountEmail"));
    if field && version.is_none_or(|version| version >= EMAIL_SINCE) {
        return Ok(Means { field: Some(email.to_owned()), annotation: None });
    }
    if version.is_some_and(|version| version >= ANNOTATION_SINCE) {
        let annotation = Some((IMPERSONATION_ANNOTATION, email.to_owned()));
        return Ok(Means { field: None, annotation });
    }
    let why = format!(
        "it cannot act as {email}: neither the field gcpServiceAccountEmail ({EMAIL_SINCE}) nor the annotation ({ANNOTATION_SINCE}) is there"
    );
    Err(too_old(have, EMAIL_SINCE, &why).hint(
        "or grant the secrets to the ServiceAccount itself, without a Google service account in between",
    ))
}

fn no_impersonation(
    version: Option<Version>,
    want: &Want<'_>,
    have: &Have<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Means> {
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
    Ok(Means::default())
}
