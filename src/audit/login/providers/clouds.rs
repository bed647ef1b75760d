//! Stores of clouds that know logins by tokens of the cluster, or by the platform.

use serde_json::Value;

use super::{super::leaf::Leaf::*, Effective, Provider, first, first_or_unknown, has};

pub(super) const ALL: &[&Provider] = &[&GCPSM, &AWS, &AZUREKV, &IBM, &ORACLE, &ALIBABA, &VOLCENGINE];

const GCPSM: Provider = Provider {
    name: "gcpsm",
    leaves: &[
        (
            Plain,
            &[
                "projectID",
                "location",
                "secretVersionSelectionPolicy",
                "auth.workloadIdentity.clusterLocation",
                "auth.workloadIdentity.clusterName",
                "auth.workloadIdentity.clusterProjectID",
                "auth.workloadIdentityFederation.audience",
                "auth.workloadIdentityFederation.gcpServiceAccountEmail",
                "auth.workloadIdentityFederation.awsSecurityCredentials.region",
            ],
        ),
        // Must be what the external account says itself, which is judged there.
        (Address, &["auth.workloadIdentityFederation.externalTokenEndpoint"]),
        (GoogleSecret, &["auth.secretRef.secretAccessKeySecretRef"]),
        (Secret, &["auth.workloadIdentityFederation.awsSecurityCredentials.awsCredentialsSecretRef"]),
        (
            Account,
            &["auth.workloadIdentity.serviceAccountRef", "auth.workloadIdentityFederation.serviceAccountRef"],
        ),
        (CredConfig, &["auth.workloadIdentityFederation.credConfig"]),
    ],
    effective: google,
    inner: None,
};

/// `secretRef`, then `workloadIdentity`, then federation, then the pod's own.
pub(super) fn google(settings: &Value) -> Effective {
    const FEDERATION: &str = "auth.workloadIdentityFederation";
    const SOURCES: [&str; 3] = [
        "auth.workloadIdentityFederation.awsSecurityCredentials",
        "auth.workloadIdentityFederation.serviceAccountRef",
        "auth.workloadIdentityFederation.credConfig",
    ];
    if let Some(branch) = first(settings, &["auth.secretRef", "auth.workloadIdentity"]) {
        return branch;
    }
    if !has(settings, FEDERATION) {
        return Effective::Pod;
    }
    // External Secrets Operator takes exactly one.
    let sources: Vec<_> = SOURCES.into_iter().filter(|path| has(settings, path)).collect();
    match sources[..] {
        [source] => Effective::Branch(source),
        [] => Effective::Unknown(format!("{FEDERATION} names no source of tokens")),
        _ => Effective::Unknown(format!("{FEDERATION} names several sources of tokens")),
    }
}

const AWS: Provider = Provider {
    name: "aws",
    leaves: &[
        (
            Plain,
            &[
                "additionalRoles[]",
                "externalID",
                "prefix",
                "region",
                "role",
                "secretsManager.forceDeleteWithoutRecovery",
                "secretsManager.recoveryWindowInDays",
                "service",
                "sessionTags[].key",
                "sessionTags[].value",
                "transitiveTagKeys[]",
            ],
        ),
        (Account, &["auth.jwt.serviceAccountRef"]),
        (PublicSecret, &["auth.secretRef.accessKeyIDSecretRef"]),
        (Secret, &["auth.secretRef.secretAccessKeySecretRef"]),
        (SessionToken, &["auth.secretRef.sessionTokenSecretRef"]),
    ],
    // Then the SDK's own chain.
    effective: |settings| first(settings, &["auth.jwt", "auth.secretRef"]).unwrap_or(Effective::Pod),
    inner: None,
};

const AZUREKV: Provider = Provider {
    name: "azurekv",
    leaves: &[
        (
            Plain,
            &[
                "authType",
                "environmentType",
                "identityId",
                "tenantId",
                "useAzureSDK",
                "customCloudConfig.keyVaultDNSSuffix",
            ],
        ),
        (
            Address,
            &[
                "vaultUrl",
                "customCloudConfig.activeDirectoryEndpoint",
                "customCloudConfig.keyVaultEndpoint",
                "customCloudConfig.resourceManagerEndpoint",
            ],
        ),
        (PublicSecret, &["authSecretRef.clientId", "authSecretRef.tenantId"]),
        (Secret, &["authSecretRef.clientSecret", "authSecretRef.clientCertificate"]),
        (Account, &["serviceAccountRef"]),
    ],
    effective: azure,
    inner: None,
};

/// `authType` alone decides; without one it is a service principal with a stored secret.
fn azure(settings: &Value) -> Effective {
    match settings.get("authType").filter(|kind| !kind.is_null()).map(Value::as_str) {
        None | Some(Some("ServicePrincipal" | "")) => Effective::Branch("authSecretRef"),
        Some(Some("ManagedIdentity")) => Effective::Platform("authType: ManagedIdentity"),
        Some(Some("WorkloadIdentity")) if has(settings, "serviceAccountRef") => {
            Effective::Branch("serviceAccountRef")
        }
        Some(Some("WorkloadIdentity")) => Effective::Pod,
        _ => Effective::Unknown("its authType is unknown to keyless".into()),
    }
}

const IBM: Provider = Provider {
    name: "ibm",
    leaves: &[
        (Plain, &["auth.containerAuth.profile"]),
        (Address, &["serviceUrl", "auth.containerAuth.iamEndpoint", "auth.secretRef.iamEndpoint"]),
        (Secret, &["auth.secretRef.secretApiKeySecretRef"]),
        (TokenFile, &["auth.containerAuth.tokenLocation"]),
    ],
    effective: |settings| first_or_unknown(settings, &["auth.secretRef", "auth.containerAuth"]),
    inner: None,
};

const ORACLE: Provider = Provider {
    name: "oracle",
    leaves: &[
        (
            Plain,
            &[
                "auth.tenancy",
                "auth.user",
                "compartment",
                "encryptionKey",
                "principalType",
                "region",
                "vault",
            ],
        ),
        (PublicSecret, &["auth.secretRef.fingerprint"]),
        (Secret, &["auth.secretRef.privatekey"]),
        (Account, &["serviceAccountRef"]),
    ],
    effective: |settings| match settings["principalType"].as_str() {
        Some("InstancePrincipal") => Effective::Platform("principalType: InstancePrincipal"),
        Some("Workload") if has(settings, "serviceAccountRef") => Effective::Branch("serviceAccountRef"),
        Some("Workload") => Effective::Own("principalType: Workload"),
        _ => first_or_unknown(settings, &["auth"]),
    },
    inner: None,
};

const ALIBABA: Provider = Provider {
    name: "alibaba",
    leaves: &[
        (Plain, &["auth.rrsa.oidcProviderArn", "auth.rrsa.roleArn", "auth.rrsa.sessionName", "regionID"]),
        (PublicSecret, &["auth.secretRef.accessKeyIDSecretRef"]),
        (Secret, &["auth.secretRef.accessKeySecretSecretRef"]),
        (TokenFile, &["auth.rrsa.oidcTokenFilePath"]),
    ],
    effective: |settings| first_or_unknown(settings, &["auth.rrsa", "auth.secretRef"]),
    inner: None,
};

const VOLCENGINE: Provider = Provider {
    name: "volcengine",
    leaves: &[
        (Plain, &["region"]),
        (PublicSecret, &["auth.secretRef.accessKeyID"]),
        (Secret, &["auth.secretRef.secretAccessKey"]),
        (SessionToken, &["auth.secretRef.token"]),
    ],
    effective: |settings| first(settings, &["auth"]).unwrap_or(Effective::Pod),
    inner: None,
};
