//! Secret stores of their own that know logins by tokens of the cluster.

use serde_json::Value;

use super::{super::leaf::Leaf::*, Effective, Provider, first, first_or_unknown, has};

pub(super) const ALL: &[&Provider] =
    &[&VAULT, &OPENBAO, &AKEYLESS, &CONJUR, &DOPPLER, &INFISICAL, &KUBERNETES, &CRD, &PULUMI];

pub(super) const VAULT: Provider = Provider {
    name: "vault",
    leaves: &[
        (
            Plain,
            &[
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
                "auth.jwt.kubernetesServiceAccountToken.audiences[]",
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
                "checkAndSet.required",
                "forwardInconsistent",
                "namespace",
                "path",
                "readYourWrites",
                "version",
            ],
        ),
        (Address, &["server"]),
        (Headers, &["headers"]),
        (Authority, &["caBundle", "caProvider"]),
        (Connection, &["tls.certSecretRef", "tls.keySecretRef"]),
        (
            PublicSecret,
            &["auth.appRole.roleRef", "auth.cert.clientCert", "auth.iam.secretRef.accessKeyIDSecretRef"],
        ),
        (
            Secret,
            &[
                "auth.appRole.secretRef",
                "auth.cert.secretRef",
                "auth.iam.secretRef.secretAccessKeySecretRef",
                "auth.jwt.secretRef",
                "auth.kubernetes.secretRef",
                "auth.ldap.secretRef",
                "auth.tokenSecretRef",
                "auth.userPass.secretRef",
            ],
        ),
        (GoogleSecret, &["auth.gcp.secretRef.secretAccessKeySecretRef"]),
        (SessionToken, &["auth.iam.secretRef.sessionTokenSecretRef"]),
        (
            Account,
            &[
                "auth.gcp.serviceAccountRef",
                "auth.gcp.workloadIdentity.serviceAccountRef",
                "auth.iam.jwt.serviceAccountRef",
                "auth.jwt.kubernetesServiceAccountToken.serviceAccountRef",
                "auth.kubernetes.serviceAccountRef",
            ],
        ),
    ],
    effective: vault,
    inner: None,
};

/// The first of these that is there takes effect; within it, the first again.
fn vault(settings: &Value) -> Effective {
    let there = |path: &&&str| has(settings, path);
    let order = [
        "auth.tokenSecretRef",
        "auth.appRole",
        "auth.kubernetes",
        "auth.ldap",
        "auth.userPass",
        "auth.jwt",
        "auth.cert",
        "auth.iam",
        "auth.gcp",
    ];
    match order.iter().find(there).copied() {
        Some("auth.kubernetes") => {
            first(settings, &["auth.kubernetes.serviceAccountRef", "auth.kubernetes.secretRef"])
                .unwrap_or(Effective::Own("auth.kubernetes"))
        }
        Some("auth.jwt") => {
            first_or_unknown(settings, &["auth.jwt.secretRef", "auth.jwt.kubernetesServiceAccountToken"])
        }
        Some("auth.iam") => {
            first(settings, &["auth.iam.jwt", "auth.iam.secretRef"]).unwrap_or(Effective::Pod)
        }
        Some("auth.gcp") => first(
            settings,
            &["auth.gcp.secretRef", "auth.gcp.serviceAccountRef", "auth.gcp.workloadIdentity"],
        )
        .unwrap_or(Effective::Pod),
        Some(path) => Effective::Branch(path),
        None => Effective::Unknown("auth names no login".into()),
    }
}

const OPENBAO: Provider = Provider {
    name: "openBao",
    leaves: &[
        (
            Plain,
            &[
                "auth.appRole.path",
                "auth.appRole.roleId",
                "auth.kubernetes.path",
                "auth.kubernetes.role",
                "auth.namespace",
                "auth.userPass.path",
                "auth.userPass.username",
                "namespace",
                "path",
                "version",
            ],
        ),
        (Address, &["server"]),
        (Authority, &["caBundle", "caProvider"]),
        (PublicSecret, &["auth.appRole.roleRef"]),
        (
            Secret,
            &[
                "auth.appRole.secretRef",
                "auth.kubernetes.secretRef",
                "auth.tokenSecretRef",
                "auth.userPass.secretRef",
            ],
        ),
        (Account, &["auth.kubernetes.serviceAccountRef"]),
    ],
    effective: |settings| {
        let stored = ["auth.tokenSecretRef", "auth.appRole", "auth.userPass", "auth.kubernetes.secretRef"];
        first(settings, &stored)
            .unwrap_or_else(|| first_or_unknown(settings, &["auth.kubernetes.serviceAccountRef"]))
    },
    inner: None,
};

const AKEYLESS: Provider = Provider {
    name: "akeyless",
    leaves: &[
        (Plain, &["authSecretRef.kubernetesAuth.accessID", "authSecretRef.kubernetesAuth.k8sConfName"]),
        (Address, &["akeylessGWApiURL"]),
        (Authority, &["caBundle", "caProvider"]),
        (PublicSecret, &["authSecretRef.secretRef.accessID", "authSecretRef.secretRef.accessType"]),
        (Secret, &["authSecretRef.kubernetesAuth.secretRef", "authSecretRef.secretRef.accessTypeParam"]),
        (Account, &["authSecretRef.kubernetesAuth.serviceAccountRef", "authSecretRef.serviceAccountRef"]),
    ],
    effective: |settings| {
        let by_kubernetes =
            ["authSecretRef.kubernetesAuth.serviceAccountRef", "authSecretRef.kubernetesAuth.secretRef"];
        if has(settings, "authSecretRef.kubernetesAuth") {
            return first(settings, &by_kubernetes).unwrap_or(Effective::Own("authSecretRef.kubernetesAuth"));
        }
        first_or_unknown(settings, &["authSecretRef.secretRef", "authSecretRef.serviceAccountRef"])
    },
    inner: None,
};

const CONJUR: Provider = Provider {
    name: "conjur",
    leaves: &[
        (Plain, &["auth.apikey.account", "auth.jwt.account", "auth.jwt.hostId", "auth.jwt.serviceID"]),
        (Address, &["url"]),
        (Authority, &["caBundle", "caProvider"]),
        (PublicSecret, &["auth.apikey.userRef"]),
        (Secret, &["auth.apikey.apiKeyRef", "auth.jwt.secretRef"]),
        (Account, &["auth.jwt.serviceAccountRef"]),
    ],
    effective: |settings| {
        first_or_unknown(settings, &["auth.apikey", "auth.jwt.secretRef", "auth.jwt.serviceAccountRef"])
    },
    inner: None,
};

const DOPPLER: Provider = Provider {
    name: "doppler",
    leaves: &[
        (
            Plain,
            &[
                "auth.oidcConfig.expirationSeconds",
                "auth.oidcConfig.identity",
                "config",
                "format",
                "nameTransformer",
                "project",
            ],
        ),
        (Secret, &["auth.secretRef.dopplerToken"]),
        (Account, &["auth.oidcConfig.serviceAccountRef"]),
    ],
    effective: |settings| first_or_unknown(settings, &["auth.secretRef", "auth.oidcConfig"]),
    inner: None,
};

const INFISICAL: Provider = Provider {
    name: "infisical",
    leaves: &[
        (
            Plain,
            &[
                "secretsScope.environmentSlug",
                "secretsScope.expandSecretReferences",
                "secretsScope.projectSlug",
                "secretsScope.recursive",
                "secretsScope.secretsPath",
            ],
        ),
        (Address, &["hostAPI"]),
        (Authority, &["caBundle", "caProvider"]),
        (
            PublicSecret,
            &[
                "auth.awsAuthCredentials.identityId",
                "auth.azureAuthCredentials.identityId",
                "auth.azureAuthCredentials.resource",
                "auth.gcpIamAuthCredentials.identityId",
                "auth.gcpIdTokenAuthCredentials.identityId",
                "auth.jwtAuthCredentials.identityId",
                "auth.kubernetesAuthCredentials.identityId",
                "auth.ldapAuthCredentials.identityId",
                "auth.ldapAuthCredentials.ldapUsername",
                "auth.ociAuthCredentials.fingerprint",
                "auth.ociAuthCredentials.identityId",
                "auth.ociAuthCredentials.region",
                "auth.ociAuthCredentials.tenancyId",
                "auth.ociAuthCredentials.userId",
                "auth.universalAuthCredentials.clientId",
            ],
        ),
        (
            Secret,
            &[
                "auth.gcpIamAuthCredentials.serviceAccountKeyFilePath",
                "auth.jwtAuthCredentials.jwt",
                "auth.ldapAuthCredentials.ldapPassword",
                "auth.ociAuthCredentials.privateKey",
                "auth.ociAuthCredentials.privateKeyPassphrase",
                "auth.tokenAuthCredentials.accessToken",
                "auth.universalAuthCredentials.clientSecret",
            ],
        ),
    ],
    // A path of a token file that a Secret holds (`serviceAccountTokenPath`) is on no list: what it leads to is not seen.
    effective: |settings| {
        let stored = [
            "auth.universalAuthCredentials",
            "auth.gcpIamAuthCredentials",
            "auth.jwtAuthCredentials",
            "auth.ldapAuthCredentials",
            "auth.ociAuthCredentials",
            "auth.tokenAuthCredentials",
        ];
        if let Some(branch) = first(settings, &stored) {
            return branch;
        }
        if has(settings, "auth.kubernetesAuthCredentials") {
            return Effective::Own("auth.kubernetesAuthCredentials");
        }
        match ["auth.awsAuthCredentials", "auth.azureAuthCredentials", "auth.gcpIdTokenAuthCredentials"]
            .iter()
            .any(|path| has(settings, path))
        {
            true => Effective::Pod,
            false => Effective::Unknown("auth names no login".into()),
        }
    },
    inner: None,
};

const KUBERNETES: Provider = Provider {
    name: "kubernetes",
    leaves: &[
        (Plain, &["remoteNamespace"]),
        (Address, &["server.url"]),
        (Authority, &["server.caBundle", "server.caProvider"]),
        (PublicSecret, &["auth.cert.clientCert"]),
        (Secret, &["auth.cert.clientKey", "auth.token.bearerToken", "authRef"]),
        (Account, &["auth.serviceAccount"]),
    ],
    effective: |settings| {
        first_or_unknown(settings, &["authRef", "auth.token", "auth.cert", "auth.serviceAccount"])
    },
    inner: None,
};

const CRD: Provider = Provider {
    name: "crd",
    leaves: &[
        (
            Plain,
            &[
                "remoteNamespace",
                "resource.group",
                "resource.kind",
                "resource.version",
                "whitelist.rules[].name",
                "whitelist.rules[].namespace",
                "whitelist.rules[].properties[]",
            ],
        ),
        (Address, &["server.url"]),
        (Authority, &["server.caBundle", "server.caProvider"]),
        (PublicSecret, &["auth.cert.clientCert"]),
        (Secret, &["auth.cert.clientKey", "auth.token.bearerToken", "authRef"]),
        (Account, &["auth.serviceAccount", "serviceAccountRef"]),
    ],
    effective: |settings| {
        first_or_unknown(
            settings,
            &["authRef", "auth.token", "auth.cert", "auth.serviceAccount", "serviceAccountRef"],
        )
    },
    inner: None,
};

const PULUMI: Provider = Provider {
    name: "pulumi",
    leaves: &[
        (
            Plain,
            &[
                "environment",
                "organization",
                "project",
                "auth.oidcConfig.expirationSeconds",
                "auth.oidcConfig.organization",
            ],
        ),
        (Address, &["apiUrl"]),
        (Secret, &["accessToken.secretRef", "auth.accessToken.secretRef"]),
        (Account, &["auth.oidcConfig.serviceAccountRef"]),
    ],
    effective: |settings| first_or_unknown(settings, &["accessToken", "auth.accessToken", "auth.oidcConfig"]),
    inner: None,
};
