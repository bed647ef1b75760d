//! PURE. What a look at Google can find.

use crate::{
    credentials::{Class, Severity},
    federation::cloud::IssuedKind,
};

pub(crate) static KINDS: [IssuedKind; 4] = [
    IssuedKind {
        code: "KL301",
        id: "issued-google-key",
        class: Some(Class::Root),
        severity: Severity::Critical,
        summary: "a Google service account that the cluster names has a user-managed key, whether a copy of it lies in the cluster or not",
        remedy: "Prove that nothing uses the key, disable it, wait some days, then gcloud iam service-accounts keys delete KEY --iam-account=ACCOUNT. A disabled key counts: one call enables it.",
    },
    IssuedKind {
        code: "KL302",
        id: "issued-google-hmac",
        class: Some(Class::Root),
        severity: Severity::High,
        summary: "a Google service account that the cluster names has an HMAC key for Cloud Storage",
        remedy: "gcloud storage hmac update ID --deactivate, wait some days, then gcloud storage hmac delete ID.",
    },
    IssuedKind {
        code: "KL305",
        id: "key-creation-policy",
        class: None,
        severity: Severity::Medium,
        summary: "whether the organisation forbids new keys of service accounts, for the projects that were looked at",
        remedy: "Enforce iam.disableServiceAccountKeyCreation on the project. It does not end keys that exist.",
    },
    IssuedKind {
        code: "KL402",
        id: "wide-federation",
        class: None,
        severity: Severity::High,
        summary: "a workload identity provider that a store names lets in every subject of its issuer",
        remedy: "Give the provider an attribute condition that names the subjects, e.g. assertion.sub in ['system:serviceaccount:NAMESPACE:NAME'].",
    },
];

pub(super) static KEY: &IssuedKind = &KINDS[0];
pub(super) static HMAC_KEY: &IssuedKind = &KINDS[1];
pub(super) static POLICY: &IssuedKind = &KINDS[2];
pub(super) static WIDE: &IssuedKind = &KINDS[3];
