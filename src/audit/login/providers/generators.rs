//! Generators: what logs in to make a value, by the same rules as a store.

use serde_json::Value;

use super::{super::leaf::Leaf::*, Effective, Provider, clouds, first, first_or_unknown, stored, vaults};

pub(super) const ALL: &[&Provider] = &[
    &ACR,
    &CLOUDSMITH,
    &ECR,
    &FAKE,
    &GCR,
    &GITHUB,
    &GITLAB,
    &GRAFANA,
    &MFA,
    &QUAY,
    &STS,
    &VAULT_DYNAMIC_SECRET,
    &WEBHOOK,
];

const ACR: Provider = Provider {
    name: "ACRAccessToken",
    leaves: &[
        (Plain, &["auth.managedIdentity.identityId", "environmentType", "registry", "scope", "tenantId"]),
        (PublicSecret, &["auth.servicePrincipal.secretRef.clientId"]),
        (Secret, &["auth.servicePrincipal.secretRef.clientSecret"]),
        (Account, &["auth.workloadIdentity.serviceAccountRef"]),
    ],
    effective: |settings| {
        if let Some(branch) = first(settings, &["auth.servicePrincipal"]) {
            return branch;
        }
        if super::has(settings, "auth.managedIdentity") {
            return Effective::Platform("auth.managedIdentity");
        }
        match super::has(settings, "auth.workloadIdentity") {
            true => first(settings, &["auth.workloadIdentity.serviceAccountRef"]).unwrap_or(Effective::Pod),
            false => Effective::Unknown("auth names no login".into()),
        }
    },
    inner: None,
};

const CLOUDSMITH: Provider = Provider {
    name: "CloudsmithAccessToken",
    leaves: &[
        (Plain, &["orgSlug", "serviceSlug"]),
        (Address, &["apiUrl"]),
        (Account, &["serviceAccountRef"]),
    ],
    effective: |settings| first_or_unknown(settings, &["serviceAccountRef"]),
    inner: None,
};

/// Of a generator the Secret wins over the token; of a store it is the other way round.
fn aws(settings: &Value) -> Effective {
    first(settings, &["auth.secretRef", "auth.jwt"]).unwrap_or(Effective::Pod)
}

const ECR: Provider = Provider {
    name: "ECRAuthorizationToken",
    leaves: &[
        (Plain, &["region", "role", "scope"]),
        (Account, &["auth.jwt.serviceAccountRef"]),
        (PublicSecret, &["auth.secretRef.accessKeyIDSecretRef"]),
        (Secret, &["auth.secretRef.secretAccessKeySecretRef"]),
        (SessionToken, &["auth.secretRef.sessionTokenSecretRef"]),
    ],
    effective: aws,
    inner: None,
};

const STS: Provider = Provider {
    name: "STSSessionToken",
    leaves: &[
        (Plain, &["region", "requestParameters.serialNumber", "requestParameters.sessionDuration", "role"]),
        // A code of a device of a moment ago: of no use by now.
        (Plain, &["requestParameters.tokenCode"]),
        (Account, &["auth.jwt.serviceAccountRef"]),
        (PublicSecret, &["auth.secretRef.accessKeyIDSecretRef"]),
        (Secret, &["auth.secretRef.secretAccessKeySecretRef"]),
        (SessionToken, &["auth.secretRef.sessionTokenSecretRef"]),
    ],
    effective: aws,
    inner: None,
};

const FAKE: Provider = Provider {
    name: "Fake",
    leaves: &[(Plain, &["controller"]), (Literal, &["data.*"])],
    effective: |_| Effective::Branch(""),
    inner: None,
};

const GCR: Provider = Provider {
    name: "GCRAccessToken",
    leaves: &[
        (
            Plain,
            &[
                "projectID",
                "auth.workloadIdentity.clusterLocation",
                "auth.workloadIdentity.clusterName",
                "auth.workloadIdentity.clusterProjectID",
                "auth.workloadIdentityFederation.audience",
                "auth.workloadIdentityFederation.gcpServiceAccountEmail",
                "auth.workloadIdentityFederation.awsSecurityCredentials.region",
            ],
        ),
        (Address, &["auth.workloadIdentityFederation.externalTokenEndpoint"]),
        (GoogleSecret, &["auth.secretRef.secretAccessKeySecretRef"]),
        (Secret, &["auth.workloadIdentityFederation.awsSecurityCredentials.awsCredentialsSecretRef"]),
        (
            Account,
            &["auth.workloadIdentity.serviceAccountRef", "auth.workloadIdentityFederation.serviceAccountRef"],
        ),
        (CredConfig, &["auth.workloadIdentityFederation.credConfig"]),
    ],
    effective: clouds::google,
    inner: None,
};

const GITHUB: Provider = Provider {
    name: "GithubAccessToken",
    leaves: &[
        (Plain, &["appID", "installID", "permissions.*", "repositories[]"]),
        (Address, &["url"]),
        (Secret, &["auth.privateKey.secretRef"]),
    ],
    effective: |_| Effective::Branch(""),
    inner: None,
};

const GITLAB: Provider = Provider {
    name: "GitlabDeployToken",
    leaves: &[
        (Plain, &["expiresAt", "groupID", "name", "projectID", "scopes[]", "username"]),
        (Address, &["url"]),
        (Secret, &["auth.token.secretRef"]),
    ],
    effective: |_| Effective::Branch(""),
    inner: None,
};

const GRAFANA: Provider = Provider {
    name: "Grafana",
    leaves: &[
        (Plain, &["auth.basic.username", "serviceAccount.name", "serviceAccount.role"]),
        (Address, &["url"]),
        (Secret, &["auth.basic.password", "auth.token"]),
    ],
    effective: |_| Effective::Branch(""),
    inner: None,
};

const MFA: Provider = Provider {
    name: "MFA",
    leaves: &[(Plain, &["algorithm", "length", "timePeriod", "when"]), (Secret, &["secret"])],
    effective: |_| Effective::Branch(""),
    inner: None,
};

const QUAY: Provider = Provider {
    name: "QuayAccessToken",
    leaves: &[(Plain, &["robotAccount"]), (Address, &["url"]), (Account, &["serviceAccountRef"])],
    effective: |settings| first_or_unknown(settings, &["serviceAccountRef"]),
    inner: None,
};

const VAULT_DYNAMIC_SECRET: Provider = Provider {
    name: "VaultDynamicSecret",
    leaves: &[
        (
            Plain,
            &[
                "allowEmptyResponse",
                "controller",
                "method",
                "path",
                "resultType",
                "retrySettings.maxRetries",
                "retrySettings.retryInterval",
            ],
        ),
        (Parameters, &["parameters"]),
    ],
    effective: |_| Effective::Inner,
    inner: Some(("provider", &vaults::VAULT)),
};

const WEBHOOK: Provider = Provider { name: "Webhook", ..stored::WEBHOOK };
