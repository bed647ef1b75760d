//! Worlds with a provider, a bucket of a cloud, or both.

use std::{fs, rc::Rc};

use lab::{Access, Aws, Azure, Entra, Flavour, S3, Vault};
use serde_json::json;

use super::Stage;
use crate::{
    aws, entra,
    estate::{DEFAULT_ISSUER, Estate, RETIRE, SETUP, store},
    world::World,
};

const S3_ISSUER: &str = "https://acme-oidc.s3.eu-central-1.amazonaws.com";
const GS_ISSUER: &str = "https://storage.googleapis.com/acme-oidc";
const S3_HOSTS: [&str; 2] = ["s3.eu-central-1.amazonaws.com", "acme-oidc.s3.eu-central-1.amazonaws.com"];

/// A cluster whose API servers are never changed, and the namespace that `deploy/base` makes.
fn estate() -> Rc<Estate> {
    let estate = Estate::new();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}});
    estate.world.cluster.put_object(namespace);
    Rc::new(estate)
}

pub(super) fn google() -> Stage {
    Stage::estate(&estate())
}

/// A cluster beside another one, and results that were kept.
pub(super) fn audit() -> Stage {
    let (estate, test) = (estate(), World::with_operator());
    crate::audit_fleet::know(&[("prod", &estate.world), ("test", &test)]);
    let kept = estate.run(&["audit", "-o", "json"]).ends(1).out;
    Stage::estate(&estate).file("last-week.json", &kept).file("today.json", &kept).keeps(test)
}

/// Someone answers for the stored key.
pub(super) fn google_with_exception() -> Stage {
    let estate = estate();
    let report = estate.run(&["audit", "-o", "json"]).ends(1).json();
    let [credential] = report["credentials"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    let exceptions = json!({"apiVersion": "keyless/exceptions/v1", "exceptions": [{
        "id": credential["id"], "at": ["Secret external-secrets/gcp-key"], "reason": "ticket SEC-112",
        "owner": "platform-team", "expires": lab::day_in(30), "control": "the key reads one secret"}]});
    Stage::estate(&estate).file("exceptions.yaml", exceptions.to_string())
}

pub(super) fn google_set_up() -> Stage {
    let estate = estate();
    estate.run(&SETUP).ends(0);
    Stage::estate(&estate)
}

pub(super) fn google_retired() -> Stage {
    let estate = estate();
    estate.run(&RETIRE).ends(0);
    Stage::estate(&estate)
}

/// An application reads another secret since the first setup.
pub(super) fn google_new_secret() -> Stage {
    let estate = estate();
    estate.run(&SETUP).ends(0);
    estate.google.add_secret("api", br#"{"password":"hunter3"}"#);
    estate.reads("shop", "api", "api");
    Stage::estate(&estate)
}

/// A store of the whole cluster and one of the namespace `shop`.
pub(super) fn google_two(set_up: bool) -> Stage {
    let estate = estate();
    let mut own = store("gcp", "gcp-key");
    own["kind"] = json!("SecretStore");
    own["metadata"]["namespace"] = json!("shop");
    own["spec"].as_object_mut().unwrap().remove("conditions");
    let key = estate.google.create_key(&estate.email);
    let mut secret = crate::estate::secret("own-key", &key);
    secret["metadata"]["namespace"] = json!("shop");
    let reference = &mut own["spec"]["provider"]["gcpsm"]["auth"]["secretRef"]["secretAccessKeySecretRef"];
    *reference = json!({"name": "own-key", "key": "key.json"});
    estate.google.add_secret("api", br#"{"password":"hunter3"}"#);
    let reader = format!("serviceAccount:{}", estate.email);
    estate.google.grant("secrets/api", "roles/secretmanager.secretAccessor", &reader);
    estate.world.cluster.put_object(secret);
    estate.world.cluster.put_object(own);
    let spec = json!({"secretStoreRef": {"name": "gcp", "kind": "SecretStore"},
        "data": [{"secretKey": "value", "remoteRef": {"key": "api"}}]});
    estate.user("shop", "api", &spec);
    estate.until_read("shop", "api");
    if set_up {
        estate.run(&[&SETUP[..], &["--store", "gcp", "--store", "shop/gcp"]].concat()).ends(0);
    }
    Stage::estate(&estate)
}

/// A settings file for each of two clusters, which are two contexts of one kubeconfig.
pub(super) fn google_fleet() -> Stage {
    let estate = estate();
    let text = fs::read_to_string(&estate.world.kubeconfig).unwrap();
    let more = "contexts:\n- name: prod\n  context: {cluster: lab, user: admin}\n- name: test\n  context: {cluster: lab, user: admin}\n";
    fs::write(&estate.world.kubeconfig, text.replacen("contexts:\n", more, 1)).unwrap();
    let uid = estate.world.cluster_uid();
    let settings = format!("apiVersion: keyless/v1\ncluster: {{uid: {uid}}}\n");
    Stage::estate(&estate).file("clusters/prod.yaml", &settings).file("clusters/test.yaml", &settings)
}

/// An S3 store at AWS, which takes part in the network of this world.
fn amazon(world: &World) -> S3 {
    let s3 = S3::start_tls(&world.ca, &S3_HOSTS, Flavour::Aws);
    s3.change(|settings| {
        settings.region = "eu-central-1".into();
        settings.domains = vec![S3_HOSTS[0].into()];
    });
    S3_HOSTS.iter().for_each(|host| world.internet.route(host, s3.addr()));
    s3
}

/// Secrets at Google, documents at AWS. After the first line the API servers are told the new issuer.
pub(super) fn google_s3() -> Stage {
    let estate = estate();
    let s3 = amazon(&estate.world);
    S3_HOSTS.iter().for_each(|host| estate.google.resolve(host, s3.addr()));
    let credentials = s3.credentials();
    let cluster = estate.clone();
    Stage::of(&estate.command(&["audit"]), (estate.clone(), s3))
        .with("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        .with("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .then(move |line| signs_after(&cluster, 0, line, S3_ISSUER))
}

fn signs_after(estate: &Estate, wanted: usize, line: usize, issuer: &str) {
    if line == wanted {
        let both = || vec![issuer.to_owned(), DEFAULT_ISSUER.to_owned()];
        estate.world.cluster.change_servers(|server| server.issuers = both());
    }
}

/// Secrets and documents at Google: before and after the API servers were told the new issuer.
pub(super) fn google_gs(step: usize) -> Stage {
    let estate = estate();
    if step > 0 {
        let named = ["--bucket", "gs://acme-oidc", "--project", "acme-prod"];
        estate.run(&[&SETUP[..], &named].concat());
        signs_after(&estate, 0, 0, GS_ISSUER);
    }
    Stage::estate(&estate)
        .file("now.yaml", "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n")
}

/// A Vault on loopback that holds the same secret.
fn open_bao(estate: &Estate) -> Vault {
    let vault = Vault::start(&estate.world.ca, &["bao.lab.test"]);
    vault.enable_kv("kv");
    vault.put_secret("kv", "db", json!({"password": "hunter2"}));
    vault
}

fn with_vault(estate: &Rc<Estate>, vault: Vault) -> Stage {
    Stage::estate(estate).with("VAULT_ADDR", vault.url()).with("VAULT_TOKEN", vault.root_token()).keeps(vault)
}

/// The store reads Google, and is to be moved.
pub(super) fn google_and_vault() -> Stage {
    let estate = estate();
    let vault = open_bao(&estate);
    with_vault(&estate, vault)
}

/// The store reads Vault with a token in a Secret.
pub(super) fn vault(set_up: bool) -> Stage {
    let estate = estate();
    let vault = open_bao(&estate);
    let cluster = &estate.world.cluster;
    cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "vault-token", "namespace": "external-secrets"},
        "stringData": {"token": vault.lasting_token(0)}}));
    let mut own = store("gcp", "gcp-key");
    own["spec"]["provider"] = json!({"vault": {"server": vault.url(), "path": "kv", "version": "v2",
        "auth": {"tokenSecretRef": {"name": "vault-token", "namespace": "external-secrets", "key": "token"}}}});
    cluster.put_object(own);
    cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
    estate.until_read("shop", "db");
    let stage = with_vault(&estate, vault);
    if set_up {
        let ran = super::super::line::play(&stage, "keyless setup --yes");
        ran.ends(0);
    }
    stage
}

pub(super) fn aws() -> Stage {
    let scene = aws::Scene::signing_as(S3_ISSUER);
    let s3 = amazon(&scene.world);
    s3.belongs_to(&scene.aws);
    S3_HOSTS.iter().for_each(|host| scene.aws.resolve(host, s3.addr()));
    fs::remove_file(scene.world.dir.path().join("keyless.yaml")).unwrap();
    let stage = Stage::of(&scene.command(&scene.administrator, &["audit"]), ());
    stage.with("KEYLESS_AWS_ACCOUNT", Aws::account()).with("KEYLESS_AWS_KEY_USER", "eso").keeps((scene, s3))
}

pub(super) fn entra() -> Stage {
    let scene = entra::Scene::signing_as(S3_ISSUER, lab::SigningKey::from_stock());
    let s3 = amazon(&scene.world);
    S3_HOSTS.iter().for_each(|host| scene.azure.resolve(host, s3.addr()));
    let credentials = s3.credentials();
    fs::remove_file(scene.world.dir.path().join("keyless.yaml")).unwrap();
    let stage = Stage::of(&scene.command(&scene.administrator, &["audit"]), ());
    let answers = [
        ("ubscription", Entra::subscription()),
        ("esource group", Entra::group()),
        ("vault", Entra::vault()),
    ];
    stage
        .with("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        .with("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .with("KEYLESS_ENTRA_TENANT", Entra::tenant())
        .with("KEYLESS_ENTRA_KEY_APPLICATION", scene.application.0.clone())
        .answers(&answers)
        .keeps((scene, s3))
}

/// Documents at AWS, and no provider.
pub(super) fn s3() -> Stage {
    let world = Rc::new(World::signing_as(1, S3_ISSUER));
    let s3 = amazon(&world);
    let credentials = s3.credentials();
    Stage::world(&world)
        .with("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        .with("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .keeps(s3)
}

/// Documents in a storage account, and no provider.
pub(super) fn azure(issuer: &str) -> Stage {
    let world = Rc::new(World::signing_as(1, issuer));
    let azure = Azure::start_tls(&world.ca);
    Azure::names().iter().for_each(|name| world.internet.route(name, azure.addr()));
    let (id, secret) = azure.add_client(Access::Full);
    Stage::world(&world)
        .with("AZURE_TENANT_ID", Azure::tenant())
        .with("AZURE_CLIENT_ID", id)
        .with("AZURE_CLIENT_SECRET", secret)
        .keeps(azure)
}
