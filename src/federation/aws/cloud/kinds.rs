//! PURE. What a look at AWS can find.

use crate::{
    credentials::{Class, Severity},
    federation::cloud::IssuedKind,
};

pub(crate) static KINDS: [IssuedKind; 3] = [
    IssuedKind {
        code: "KL303",
        id: "issued-aws-key",
        class: Some(Class::Root),
        severity: Severity::Critical,
        summary: "an IAM user whose access key the cluster names has an active access key, whether a copy of it lies in the cluster or not",
        remedy: "Prove that nothing uses the key, aws iam update-access-key --user-name USER --access-key-id ID --status Inactive, wait some days, then aws iam delete-access-key.",
    },
    IssuedKind {
        code: "KL309",
        id: "inactive-aws-key",
        class: None,
        severity: Severity::Medium,
        summary: "an IAM user whose access key the cluster names has an inactive access key: it opens nothing now, and one call makes it active",
        remedy: "When nothing misses it: aws iam delete-access-key --user-name USER --access-key-id ID.",
    },
    IssuedKind {
        code: "KL404",
        id: "wide-role-trust",
        class: None,
        severity: Severity::High,
        summary: "an IAM role that a store becomes can be assumed by more than ServiceAccounts that its trust policy names",
        remedy: "Let the trust policy name the provider of the cluster alone, with StringEquals on its :aud and on its :sub, e.g. system:serviceaccount:NAMESPACE:NAME.",
    },
];

pub(super) static KEY: &IssuedKind = &KINDS[0];
pub(super) static INACTIVE: &IssuedKind = &KINDS[1];
pub(super) static WIDE: &IssuedKind = &KINDS[2];
