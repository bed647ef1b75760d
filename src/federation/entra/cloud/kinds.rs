//! PURE. What a look at Microsoft Entra can find.

use crate::{
    credentials::{Class, Severity},
    federation::cloud::IssuedKind,
};

pub(crate) static KINDS: [IssuedKind; 2] = [
    IssuedKind {
        code: "KL304",
        id: "issued-entra-credential",
        class: Some(Class::Root),
        severity: Severity::Critical,
        summary: "an Entra application whose client ID the cluster names has a client secret or a certificate that has not expired",
        remedy: "Prove in the sign-in logs that nothing uses it, then az ad app credential delete --id APPLICATION --key-id KEY, for a certificate with --cert; one of its service principal: az ad sp credential delete.",
    },
    IssuedKind {
        code: "KL405",
        id: "wide-federated-credential",
        class: None,
        severity: Severity::High,
        summary: "an application or managed identity that a store logs in as trusts tokens of more than named ServiceAccounts",
        remedy: "Let each federated credential name one subject: system:serviceaccount:NAMESPACE:NAME.",
    },
];

pub(super) static CREDENTIAL: &IssuedKind = &KINDS[0];
pub(super) static WIDE: &IssuedKind = &KINDS[1];
