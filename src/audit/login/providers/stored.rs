//! Stores that log in with something stored, whatever they are told, and those that log in with nothing.

use serde_json::Value;

use super::{super::leaf::Leaf::*, Effective, Provider, first};

pub(super) const ALL: &[&Provider] = &[
    &BARBICAN,
    &BEYONDTRUST,
    &BITWARDEN,
    &CHEF,
    &CLOUDRU,
    &DELINEA,
    &DEVICE42,
    &DVLS,
    &FAKE,
    &FORTANIX,
    &GITHUB,
    &GITLAB,
    &KEEPER,
    &NGROK,
    &ONBOARDBASE,
    &ONEPASSWORD,
    &ONEPASSWORD_SDK,
    &PASSBOLT,
    &PASSWORD_DEPOT,
    &PREVIDER,
    &SCALEWAY,
    &SECRETSERVER,
    &SENHASEGURA,
    &WEBHOOK,
    &YANDEX_CERTIFICATES,
    &YANDEX_LOCKBOX,
];

/// Their members that log in are all there is.
fn everything(_: &Value) -> Effective {
    Effective::Branch("")
}

const fn provider(name: &'static str, leaves: super::Leaves) -> Provider {
    Provider { name, leaves, effective: everything, inner: None }
}

const BARBICAN: Provider = provider(
    "barbican",
    &[
        (Plain, &["auth.username.value", "domainName", "region", "tenantName"]),
        (Address, &["authURL"]),
        (PublicSecret, &["auth.username.secretRef"]),
        (Secret, &["auth.password.secretRef"]),
    ],
);

const BEYONDTRUST: Provider = provider(
    "beyondtrust",
    &[
        (
            Plain,
            &[
                "auth.certificate.value",
                "auth.clientId.value",
                "server.apiVersion",
                "server.clientTimeOutSeconds",
                "server.decrypt",
                "server.retrievalType",
                "server.separator",
                "server.verifyCA",
            ],
        ),
        (Address, &["server.apiUrl"]),
        (PublicSecret, &["auth.certificate.secretRef", "auth.clientId.secretRef"]),
        (Secret, &["auth.apiKey.secretRef", "auth.certificateKey.secretRef", "auth.clientSecret.secretRef"]),
        (Literal, &["auth.apiKey.value", "auth.certificateKey.value", "auth.clientSecret.value"]),
    ],
);

const BITWARDEN: Provider = provider(
    "bitwardensecretsmanager",
    &[
        (Plain, &["organizationID", "projectID"]),
        (Address, &["apiURL", "bitwardenServerSDKURL", "identityURL"]),
        (Authority, &["caBundle", "caProvider"]),
        (Secret, &["auth.secretRef.credentials"]),
    ],
);

const CHEF: Provider = provider(
    "chef",
    &[(Plain, &["username"]), (Address, &["serverUrl"]), (Secret, &["auth.secretRef.privateKeySecretRef"])],
);

const CLOUDRU: Provider = provider(
    "cloudrusm",
    &[
        (Plain, &["projectID"]),
        (PublicSecret, &["auth.secretRef.accessKeyIDSecretRef"]),
        (Secret, &["auth.secretRef.accessKeySecretSecretRef"]),
    ],
);

const DELINEA: Provider = provider(
    "delinea",
    &[
        (Plain, &["clientId.value", "tenant", "tld"]),
        (PublicSecret, &["clientId.secretRef"]),
        (Secret, &["clientSecret.secretRef"]),
        (Literal, &["clientSecret.value"]),
    ],
);

const DEVICE42: Provider =
    provider("device42", &[(Address, &["host"]), (Secret, &["auth.secretRef.credentials"])]);

const DVLS: Provider = provider(
    "dvls",
    &[
        (Plain, &["insecure"]),
        (Address, &["serverUrl"]),
        (PublicSecret, &["auth.secretRef.appId"]),
        (Secret, &["auth.secretRef.appSecret"]),
    ],
);

/// Its values are the secrets themselves.
const FAKE: Provider = provider(
    "fake",
    &[(Plain, &["data[].key", "data[].version", "validationResult"]), (Literal, &["data[].value"])],
);

const FORTANIX: Provider = provider("fortanix", &[(Address, &["apiUrl"]), (Secret, &["apiKey.secretRef"])]);

const GITHUB: Provider = provider(
    "github",
    &[
        (Plain, &["appID", "environment", "installationID", "organization", "repository"]),
        (Address, &["uploadURL", "url"]),
        (Secret, &["auth.privateKey"]),
    ],
);

const GITLAB: Provider = provider(
    "gitlab",
    &[
        (Plain, &["environment", "groupIDs[]", "inheritFromGroups", "projectID"]),
        (Address, &["url"]),
        (Authority, &["caBundle", "caProvider"]),
        (Secret, &["auth.SecretRef.accessToken"]),
    ],
);

const KEEPER: Provider = provider("keepersecurity", &[(Plain, &["folderID"]), (Secret, &["authRef"])]);

const NGROK: Provider = provider(
    "ngrok",
    &[(Plain, &["vault.name"]), (Address, &["apiUrl"]), (Secret, &["auth.apiKey.secretRef"])],
);

const ONBOARDBASE: Provider = provider(
    "onboardbase",
    &[
        (Plain, &["environment", "project"]),
        (Address, &["apiHost"]),
        (Secret, &["auth.apiKeyRef", "auth.passcodeRef"]),
    ],
);

const ONEPASSWORD: Provider = provider(
    "onepassword",
    &[
        (Plain, &["vaults.*"]),
        (Address, &["connectHost"]),
        (Secret, &["auth.secretRef.connectTokenSecretRef"]),
    ],
);

const ONEPASSWORD_SDK: Provider = provider(
    "onepasswordSDK",
    &[
        (Plain, &["cache.maxSize", "cache.ttl", "integrationInfo.name", "integrationInfo.version", "vault"]),
        (Secret, &["auth.serviceAccountSecretRef"]),
    ],
);

const PASSBOLT: Provider = provider(
    "passbolt",
    &[(Address, &["host"]), (Secret, &["auth.passwordSecretRef", "auth.privateKeySecretRef"])],
);

const PASSWORD_DEPOT: Provider = provider(
    "passworddepot",
    &[(Plain, &["database"]), (Address, &["host"]), (Secret, &["auth.secretRef.credentials"])],
);

const PREVIDER: Provider =
    provider("previder", &[(Address, &["baseUri"]), (Secret, &["auth.secretRef.accessToken"])]);

const SCALEWAY: Provider = provider(
    "scaleway",
    &[
        (Plain, &["accessKey.value", "projectId", "region"]),
        (Address, &["apiUrl"]),
        (PublicSecret, &["accessKey.secretRef"]),
        (Secret, &["secretKey.secretRef"]),
        (Literal, &["secretKey.value"]),
    ],
);

const SECRETSERVER: Provider = provider(
    "secretserver",
    &[
        (Plain, &["domain", "username.value"]),
        (Address, &["serverURL"]),
        (Authority, &["caBundle", "caProvider"]),
        (PublicSecret, &["username.secretRef"]),
        (Secret, &["password.secretRef"]),
        (Literal, &["password.value"]),
    ],
);

const SENHASEGURA: Provider = provider(
    "senhasegura",
    &[
        (Plain, &["auth.clientId", "ignoreSslCertificate", "module"]),
        (Address, &["url"]),
        (Secret, &["auth.clientSecretSecretRef"]),
    ],
);

pub(super) const WEBHOOK: Provider = Provider {
    name: "webhook",
    leaves: &[
        (Plain, &["method", "result.jsonPath", "secrets[].name", "timeout"]),
        (Template, &["body", "url"]),
        (Headers, &["headers"]),
        (Authority, &["caBundle", "caProvider"]),
        (PublicSecret, &["auth.ntlm.usernameSecret"]),
        (Secret, &["auth.ntlm.passwordSecret", "secrets[].secretRef"]),
    ],
    effective: |settings| {
        let stored = settings["secrets"].as_array().is_some_and(|secrets| !secrets.is_empty());
        first(settings, &["auth"])
            .or(stored.then_some(Effective::Branch("secrets")))
            .unwrap_or(Effective::Nothing)
    },
    inner: None,
};

const YANDEX_CERTIFICATES: Provider = provider("yandexcertificatemanager", YANDEX);
const YANDEX_LOCKBOX: Provider = provider("yandexlockbox", YANDEX);

const YANDEX: super::Leaves = &[
    (Plain, &["fetching.byName.folderID"]),
    (Address, &["apiEndpoint"]),
    (Authority, &["caProvider"]),
    (Secret, &["auth.authorizedKeySecretRef"]),
];
