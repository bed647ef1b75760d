use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;
use crate::{
    cluster::snapshot::tests::{inventory, objects},
    federation::{
        Source,
        cloud::tests::{account, seen},
    },
};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "0a1b2c3d-0000-4000-8000-000000000001";

fn section(yaml: &str) -> EntraSection {
    EntraSection::read(&Source {
        file: Some((yaml, Path::new("keyless.yaml"))),
        environment: &|_| None,
        has_bucket: true,
        ca_pem: None,
        is_of_user: &|_| true,
    })
    .unwrap()
}

fn look(text: &str, accounts: &str) -> Named {
    let inventory = inventory(&objects(text));
    let accounts = seen(accounts);
    named(
        &section(""),
        TENANT,
        &Scope {
            inventory: &inventory,
            accounts: &accounts,
            issuer: &crate::federation::OwnIssuer::unknown(),
            now: 0,
            is_of_several: false,
        },
    )
}

fn store(settings: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: azure}}\n\
         spec: {{provider: {{azurekv: {{vaultUrl: \"https://v.vault.azure.net\", {settings}}}}}}}\n"
    )
}

const BY_ACCOUNT: &str = "authType: WorkloadIdentity, serviceAccountRef: {name: a, namespace: b}";

#[test]
fn annotated_service_account_names_application() {
    let upper = CLIENT.to_ascii_uppercase();
    let named =
        look(&store(BY_ACCOUNT), &account(&format!("azure.workload.identity/client-id: \"{upper}\"")));
    assert_eq!(named.applications.keys().collect::<Vec<_>>(), [CLIENT]);
    assert!(named.unseen.is_empty(), "{:?}", named.unseen);
}

#[test]
fn plain_service_account_names_nothing() {
    let named = look(&store(BY_ACCOUNT), &account(""));
    assert!(named.is_empty() && named.unseen.is_empty(), "{named:?}");
}

#[test]
fn identity_of_machine_is_named() {
    let named = look(&store(&format!("authType: ManagedIdentity, identityId: \"{CLIENT}\"")), "");
    assert_eq!(named.applications.keys().collect::<Vec<_>>(), [CLIENT]);
    let id = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/eso";
    let named = look(&store(&format!("authType: ManagedIdentity, identityId: \"{id}\"")), "");
    assert_eq!(named.identities.keys().collect::<Vec<_>>(), [id]);
}

#[test]
fn generator_names_application_too() {
    let text = "apiVersion: generators.external-secrets.io/v1alpha1\nkind: ACRAccessToken\n\
        metadata: {name: acr, namespace: b}\nspec: {registry: r, auth: {workloadIdentity: {serviceAccountRef: {name: a}}}}\n";
    let named = look(text, &account(&format!("azure.workload.identity/client-id: \"{CLIENT}\"")));
    assert_eq!(named.applications.keys().collect::<Vec<_>>(), [CLIENT]);
    for auth in [
        "{}",
        "{somethingNew: {}}",
        "{managedIdentity: {}}",
        "{workloadIdentity: {}}",
        "{servicePrincipal: {}, managedIdentity: {}}",
    ] {
        let text = format!(
            "apiVersion: generators.external-secrets.io/v1alpha1\nkind: ACRAccessToken\n\
             metadata: {{name: acr, namespace: b}}\nspec: {{registry: r, auth: {auth}}}\n"
        );
        assert!(!look(&text, "").unseen.is_empty(), "{auth}");
    }
}

#[test]
fn unknown_login_is_unseen() {
    let good = account(&format!("azure.workload.identity/client-id: \"{CLIENT}\""));
    for settings in [
        "authType: SomethingNew",
        "authType: 7",
        "authType: WorkloadIdentity",
        "authType: ManagedIdentity",
        "authType: ManagedIdentity, identityId: x",
        "authType: ServicePrincipal",
        "tenantId: t",
        &format!("{BY_ACCOUNT}, tenantId: 99999999-2222-3333-4444-555555555555"),
        &format!("{BY_ACCOUNT}, tenantId: 7"),
        &format!("{BY_ACCOUNT}, environmentType: ChinaCloud"),
        &format!("{BY_ACCOUNT}, environmentType: [PublicCloud]"),
        &format!("{BY_ACCOUNT}, customCloudConfig: {{activeDirectoryEndpoint: \"https://evil.example\"}}"),
    ] {
        let named = look(&store(settings), &good);
        assert!(named.is_empty() && !named.unseen.is_empty(), "{settings}: {named:?}");
    }
}

#[test]
fn malformed_client_id_is_not_asked() {
    for id in
        ["x", "../users", "{0a1b2c3d-0000-4000-8000-000000000001}", "0a1b2c3d-0000-4000-8000-00000000000')"]
    {
        let named =
            look(&store(BY_ACCOUNT), &account(&format!("azure.workload.identity/client-id: \"{id}\"")));
        assert!(named.is_empty(), "{id}");
        assert_eq!(named.unseen.len(), 1, "{id}: {:?}", named.unseen);
    }
    let elsewhere = format!(
        "azure.workload.identity/client-id: \"{CLIENT}\", azure.workload.identity/tenant-id: \"{CLIENT}\""
    );
    let named = look(&store(BY_ACCOUNT), &account(&elsewhere));
    assert!(named.is_empty() && named.unseen.len() == 1, "{named:?}");
}

#[test]
fn unread_service_account_is_not_seen() {
    let named = look(&store(BY_ACCOUNT), "");
    assert!(named.is_empty() && named.unseen.len() == 1, "{named:?}");
}

#[test]
fn application_of_settings_is_asked_for() {
    let inventory = inventory(&[]);
    let scope = Scope {
        inventory: &inventory,
        accounts: &BTreeMap::new(),
        issuer: &crate::federation::OwnIssuer::unknown(),
        now: 0,
        is_of_several: false,
    };
    let named = named(&section(&format!("entra: {{keyApplication: {CLIENT}}}")), TENANT, &scope);
    assert_eq!(named.applications.keys().collect::<Vec<_>>(), [CLIENT]);
}

/// A Secret may hold the secrets of several applications: each is one that a store names, or it is not asked for.
#[test]
fn only_named_values_are_known() {
    let of = |begin: &str| format!("{begin}8Q~{}", "x".repeat(34));
    let both = "authSecretRef: {clientId: {name: s, namespace: b, key: id}, clientSecret: {name: s, namespace: b, key: secret}}";
    let secret = |values: &[(&str, &str)]| {
        let data: Vec<_> =
            values.iter().map(|(key, value)| format!("{key}: {}", STANDARD.encode(value))).collect();
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: b}}\ndata: {{{}}}\n",
            data.join(", ")
        )
    };
    let (own, other) = (of("aB3"), of("cD4"));
    let alone = [("id", CLIENT), ("secret", &*own)];
    let named = look(&format!("{}{}", store(both), secret(&alone)), "");
    assert!(named.unseen.is_empty() && named.stored.len() == 1, "{named:?}");
    let with_other = [&alone[..], &[("old", &*other)]].concat();
    let named = look(&format!("{}{}", store(both), secret(&with_other)), "");
    assert_eq!((named.unseen.len(), named.stored.len()), (1, 1), "{named:?}");
}

/// Whatever kind a key is taken for, it is what logs in if it lies where the login has its certificate.
#[test]
fn each_key_of_certificate_is_judged() {
    let store = |name: &str, secret: &str| {
        let login = format!(
            "authSecretRef: {{clientId: {{name: ids, namespace: b, key: id}}, clientCertificate: {{name: {secret}, namespace: b, key: app.pem}}}}"
        );
        format!("---\n{}", store(&login).replace("{name: azure}", &format!("{{name: {name}}}")))
    };
    let secret = |name: &str, key: &str, value: &str| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: b}}\ndata: {{{key}: {}}}\n",
            STANDARD.encode(value)
        )
    };
    let (rsa, other) = (&*crate::credentials::fakes::RSA, crate::credentials::fakes::other_rsa());
    let text = [
        store("one", "one"),
        store("two", "two"),
        store("three", "three"),
        secret("ids", "id", CLIENT),
        secret("one", "app.pem", rsa),
        secret("two", "app.pem", &other),
        secret("three", "app.pem", "0 as PKCS#12"),
    ];
    let named = look(&text.concat(), "");
    let client = named.stored.values().next().unwrap();
    assert_eq!((named.stored.len(), client.certificates.len()), (1, 2), "{named:?}");
    let keys: Vec<_> = client.files.iter().map(|(file, it)| (&*file.name, it.has_key)).collect();
    assert_eq!(keys, [("one", true), ("three", false), ("two", true)]);
}
