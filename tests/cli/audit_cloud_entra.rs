//! `keyless audit --cloud` from outside: the applications and managed identities that the cluster names at Entra.

mod refused;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{ClientKey, Entra};
use serde_json::{Value, json};

use crate::{
    entra::log_in,
    estate::{DEFAULT_ISSUER as ISSUER, Estate},
    world::Ran,
};

const SUBJECT: &str = "system:serviceaccount:external-secrets:reader";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";

/// A cluster whose one store is at Azure.
struct Scene {
    estate: Estate,
    azure: Entra,
    login: (String, String),
}

impl Scene {
    /// It logs in with its ServiceAccount's token, as a managed identity that takes no other one.
    fn zero() -> Self {
        let estate = Estate::new();
        estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
        let azure = Entra::start(&estate.world.ca);
        for name in Entra::names() {
            estate.world.internet.route(name, azure.addr());
        }
        azure.add_identity("eso", json!({}));
        azure.federate("eso", "reader", ISSUER, SUBJECT);
        let login = azure.reader();
        let scene = Self { estate, azure, login };
        scene.account(&json!({"azure.workload.identity/client-id": scene.azure.client_id_of("eso")}));
        scene.store("gcp", &by_account());
        scene
    }

    /// It logs in with a client secret.
    fn stored() -> (Self, (String, String)) {
        let scene = Self::zero();
        let application = scene.azure.add_application();
        scene.secret("azure-key", &application.0, &application.1);
        scene.store("gcp", &by_secret("azure-key"));
        (scene, application)
    }

    fn account(&self, annotations: &Value) {
        self.estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "reader", "namespace": "external-secrets", "annotations": annotations}}));
    }

    fn secret(&self, name: &str, id: &str, secret: &str) {
        self.estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": "external-secrets"},
            "data": {"id": STANDARD.encode(id), "secret": STANDARD.encode(secret)}}));
    }

    fn store(&self, name: &str, more: &Value) {
        let mut settings = json!({"tenantId": Entra::tenant(),
            "vaultUrl": format!("https://{}.vault.azure.net", Entra::vault())});
        for (member, value) in more.as_object().unwrap() {
            settings[member] = value.clone();
        }
        self.estate.world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1",
            "kind": "ClusterSecretStore", "metadata": {"name": name}, "spec": {"provider": {"azurekv": settings}}}));
    }

    fn cloud_with(&self, more: &[&str]) -> Ran {
        let arguments = [&["audit", "--cloud", "--ca-file", "ca.pem"], more].concat();
        let mut command = self.estate.world.command(&arguments);
        log_in(&mut command, &self.login);
        let ran = Ran::of(&mut command);
        assert!(!ran.out.contains(&self.login.1) && !ran.err.contains(&self.login.1));
        ran
    }

    fn cloud(&self) -> Ran {
        self.cloud_with(&[])
    }

    fn report(&self, code: i32) -> Value {
        self.cloud_with(&["-o", "json"]).ends(code).json()
    }
}

fn by_account() -> Value {
    json!({"authType": "WorkloadIdentity",
        "serviceAccountRef": {"name": "reader", "namespace": "external-secrets"}})
}

fn by_secret(secret: &str) -> Value {
    let half = |key: &str| json!({"name": secret, "namespace": "external-secrets", "key": key});
    json!({"authType": "ServicePrincipal",
        "authSecretRef": {"clientId": half("id"), "clientSecret": half("secret")}})
}

fn federated(subject: &str) -> Value {
    json!({"name": "reader", "issuer": ISSUER, "subject": subject, "audiences": ["api://AzureADTokenExchange"]})
}

fn state_of(report: &Value) -> &str {
    report["legs"][2]["state"].as_str().unwrap()
}

#[test]
fn identity_of_one_account_is_zero() {
    let scene = Scene::zero();
    let ran = scene.cloud().ends(0);
    assert!(ran.out.starts_with("ZERO (cluster + consumption + cloud): "), "{}", ran.out);
    let asked: Vec<_> = scene.azure.heard().into_iter().map(|call| call.action).collect();
    for wanted in ["Application.Read.All", "Microsoft.ManagedIdentity/userAssignedIdentities/read"] {
        assert!(asked.iter().any(|action| action == wanted), "{wanted}: {asked:?}");
    }
    assert!(asked.iter().all(|action| action.to_lowercase().contains("read")), "{asked:?}");
    let asked_as = &scene.report(0)["evidence"]["askedAs"][0];
    for id in [Entra::tenant(), &scene.login.0] {
        assert!(asked_as["identity"].as_str().unwrap().contains(&id.to_lowercase()), "{asked_as}");
    }
    scene.estate.run(&["audit"]).ends(0).says("ZERO (cluster + consumption): ");
}

#[test]
fn stored_secret_and_second_one_count() {
    let (scene, application) = Scene::stored();
    let report = scene.report(1);
    assert_eq!((&report["count"], &report["complete"]), (&json!(1), &json!(true)), "{report}");
    assert_eq!(state_of(&report), "found");
    let sister = scene.azure.add_secret(&application.0);
    let ran = scene.cloud().ends(1);
    for wanted in
        [&*application.0, "[KL304 issued-entra-credential]", "2030-01-01", "az ad app credential delete"]
    {
        assert!(ran.out.contains(wanted), "`{wanted}` is not in\n{}", ran.out);
    }
    for secret in [&application.1, &sister] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{}", ran.out);
    }
    assert_eq!(scene.report(1)["count"], json!(2));
    scene.azure.add_principal_secret(&application.0);
    scene.azure.add_other_login(&application.0, false);
    let report = scene.report(1);
    assert_eq!((&report["count"], &report["complete"]), (&json!(4), &json!(true)), "{report}");
    // Each ends where it lies.
    let app = &application.0;
    scene
        .cloud()
        .ends(1)
        .says(&format!("az ad app credential delete --id {app} "))
        .says(&format!("az ad sp credential delete --id {app} "));
}

/// Graph leaves the certificate itself out of most answers, and names it by its thumbprint.
#[test]
fn certificate_and_its_copy_are_one() {
    let (scene, application) = Scene::stored();
    scene.azure.remove_secrets(&application.0);
    let certificate = scene.estate.world.ca.client("eso", ClientKey::Rsa);
    let der: String = certificate.cert_pem.lines().filter(|line| !line.starts_with('-')).collect();
    let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &STANDARD.decode(der).unwrap());
    let thumbprint = STANDARD.encode(thumbprint.as_ref());
    scene.azure.add_certificate(
        &application.0,
        &json!({"customKeyIdentifier": thumbprint, "endDateTime": "2030-01-01T00:00:00Z"}),
    );
    let file = format!("{}{}", certificate.cert_pem, certificate.key_pem);
    scene.secret("azure-key", &application.0, &file);
    let half = |key: &str| json!({"name": "azure-key", "namespace": "external-secrets", "key": key});
    scene.store(
        "gcp",
        &json!({"authType": "ServicePrincipal",
            "authSecretRef": {"clientId": half("id"), "clientCertificate": half("secret")}}),
    );
    let report = scene.report(1);
    // By a value that the user who adds one sets, they are counted as one, and that they are is not known.
    assert_eq!((&report["count"], &report["complete"]), (&json!(1), &json!(false)), "{report:#}");
    scene.cloud().ends(1).says("--cert").says("that the user who adds the certificate sets");
    // One of another name is another one, and whose the copy is then is not known.
    scene.azure.change(|settings| settings.swapped = Some((thumbprint.clone(), STANDARD.encode([7; 20]))));
    let report = scene.report(1);
    assert_eq!((&report["count"], &report["complete"]), (&json!(2), &json!(false)), "{report:#}");
    scene.azure.change(|settings| settings.swapped = None);
    // In a form that is not read, it may be the same or another one.
    scene.secret("azure-key", &application.0, "\u{30}PKCS#12, as far as this test goes");
    let report = scene.report(1);
    assert_eq!(report["complete"], json!(false), "{report:#}");
    assert!(report["notSeen"].to_string().contains("PKCS#12"), "{report:#}");
}

/// Where an application is looked for in vain, the reader learns where that was.
#[test]
fn tenant_that_was_asked_is_told() {
    let scene = Scene::zero();
    scene.account(&json!({"azure.workload.identity/client-id": OTHER}));
    scene.cloud().ends(3).says(&format!("the tenant {}, which was asked, has no such", Entra::tenant()));
    scene.azure.change(|settings| settings.opaque_tokens = true);
    scene.cloud().ends(3).says("the tenant of the login, which is not known to be");
    // Nothing that another tenant answers is about the one that the settings name.
    let scene = Scene::zero();
    scene.azure.change(|settings| settings.token_tenant = OTHER.into());
    scene.cloud().ends(3).says(&format!("the login is of the tenant {OTHER}"));
}

#[test]
fn secret_outside_of_cluster_is_found() {
    let scene = Scene::zero();
    let application = scene.azure.add_application();
    scene.azure.federate_application(&application.0, federated(SUBJECT));
    scene.account(&json!({"azure.workload.identity/client-id": application.0}));
    let ran = scene.cloud().ends(1);
    assert!(ran.out.starts_with("1 LONG-LIVED credential was issued to an identity"), "{}", ran.out);
    // It may not sign in, which one call changes.
    scene.azure.enable(&application.0, false);
    scene.cloud().ends(1).says("may not sign in now");
    scene.azure.end_secrets(&application.0, "2026-02-03T00:00:00Z");
    let ran = scene.cloud().ends(0).says("has expired on 2026-02-03");
    assert!(ran.out.starts_with("ZERO (cluster + consumption + cloud): "), "{}", ran.out);
    // An end that is none is no end.
    scene.azure.end_secrets(&application.0, "soon");
    scene.cloud().ends(3).says("INCOMPLETE");
    scene.azure.remove_secrets(&application.0);
    scene.cloud().ends(0);
}

#[test]
fn each_refusal_makes_it_incomplete() {
    let scene = Scene::zero();
    const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
    let federated = format!("{IDENTITY}/federatedIdentityCredentials/read");
    for permission in ["Application.Read.All", &*format!("{IDENTITY}/read"), &*federated] {
        scene.azure.deny(permission);
        let ran = scene.cloud().ends(3);
        assert!(ran.out.starts_with("INCOMPLETE: "), "{}", ran.out);
        assert!(ran.out.contains(permission), "{permission}: {}", ran.out);
        let report = scene.report(3);
        assert_eq!((state_of(&report), &report["count"]), ("incomplete", &Value::Null), "{report}");
        scene.azure.allow(permission);
    }
    scene.cloud().ends(0);
    // One whose client ID lies in a Secret is looked for in the list of the tenant.
    let (scene, _) = Scene::stored();
    scene.azure.deny("Application.Read.All");
    assert_eq!(scene.report(1)["complete"], json!(false));
}

#[test]
fn wide_federated_credential_is_finding() {
    let scene = Scene::zero();
    scene.azure.federate("eso", "ci", "https://ci.example", "repo:acme/infra:ref:refs/heads/main");
    let ran = scene.cloud().ends(1);
    assert!(ran.out.contains("[KL405 wide-federated-credential]"), "{}", ran.out);
    assert!(ran.out.contains("repo:acme/infra"), "{}", ran.out);
    assert_eq!(state_of(&scene.report(1)), "found");
    // ServiceAccounts of another cluster, by the same names.
    let scene = Scene::zero();
    scene.azure.federate("eso", "other", "https://oidc.lab.test/other", SUBJECT);
    scene.cloud().ends(1).says("KL405").says("ServiceAccounts of another issuer");
    let scene = Scene::zero();
    let application = scene.azure.add_application();
    scene.azure.remove_secrets(&application.0);
    scene.account(&json!({"azure.workload.identity/client-id": application.0}));
    scene.cloud().ends(0);
    for subject in ["system:serviceaccount:shop:a", "system:serviceaccount:shop:b", SUBJECT] {
        scene.azure.federate_application(&application.0, federated(subject));
    }
    scene.cloud().ends(0);
    // On the second page, and without a subject: one with an expression, which Graph does not show.
    scene
        .azure
        .federate_application(&application.0, json!({"name": "flexible", "issuer": ISSUER, "subject": null}));
    scene.cloud().ends(3).says("INCOMPLETE").says("names no subject");
}

/// What a tenant writes decides what is asked for, never where, nor with which credential.
#[test]
fn planted_names_are_not_zero() {
    let scene = Scene::zero();
    let planted = |more: Value| {
        let mut settings = by_account();
        for (member, value) in more.as_object().unwrap() {
            settings[member] = value.clone();
        }
        scene.store("planted", &settings);
        let ran = scene.cloud().ends(3);
        assert!(ran.out.starts_with("INCOMPLETE: "), "{more}: {}", ran.out);
        ran
    };
    let ran = planted(json!({"tenantId": OTHER}));
    assert!(ran.out.contains(OTHER), "{}", ran.out);
    planted(json!({"environmentType": "ChinaCloud"}));
    planted(json!({"environmentType": "AzureStackCloud", "useAzureSDK": true,
        "customCloudConfig": {"activeDirectoryEndpoint": "https://evil.lab.test"}}));
    planted(json!({"authType": "SomethingNew"}));
    planted(json!({"authType": "WorkloadIdentity", "serviceAccountRef": null}));
    planted(json!({"authType": "ManagedIdentity"}));
    planted(json!({"authType": "ManagedIdentity", "identityId": OTHER}));
    planted(json!({"authType": "ManagedIdentity", "identityId": "/subscriptions/x/../../evil"}));
    let elsewhere = format!(
        "/subscriptions/{OTHER}/resourceGroups/platform/providers/Microsoft.ManagedIdentity/userAssignedIdentities/eso"
    );
    planted(json!({"authType": "ManagedIdentity", "identityId": elsewhere}));
    planted(json!({"authType": "ServicePrincipal"}));
    // A value of any Secret can be named as a client ID: it goes nowhere.
    let value = "12345678-aaaa-bbbb-cccc-1234567890ab";
    scene.secret("azure-key", value, "no client secret at all");
    scene.store("planted", &by_secret("azure-key"));
    let before = scene.azure.heard().len();
    let ran = scene.cloud().ends(1).says("INCOMPLETE");
    let heard = scene.azure.heard().split_off(before);
    assert!(!ran.out.contains(value) && !ran.err.contains(value), "{}", ran.out);
    assert!(heard.iter().all(|call| !call.on.contains(value)), "{heard:?}");
    scene.estate.world.cluster.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, "planted");
    // A client ID that is none, and one that the tenant does not have.
    for id in ["../users", "x", OTHER] {
        scene.account(&json!({"azure.workload.identity/client-id": id}));
        scene.cloud().ends(3).says("INCOMPLETE");
    }
    scene.account(&json!({"azure.workload.identity/client-id": scene.azure.client_id_of("eso"),
        "azure.workload.identity/tenant-id": OTHER}));
    scene.store(
        "gcp",
        &json!({"tenantId": null, "authType": "WorkloadIdentity",
        "serviceAccountRef": {"name": "reader", "namespace": "external-secrets"}}),
    );
    scene.cloud().ends(3).says(OTHER);
}
