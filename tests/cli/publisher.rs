//! The publisher's own identity: `setup --publisher` gives it its rights, and it publishes by its projected token alone.

mod apart;
mod locked_out;
mod moved;
mod refused;

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use lab::SigningKey;
use serde_json::{Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate},
    google::{mark, untouched},
    steps::{forget, recorded_writes, writes_what_it_shows},
    world::Ran,
};

const ISSUER: &str = "https://storage.googleapis.com/acme-oidc/prod";
const SETUP: [&str; 7] = ["setup", "--yes", "--watch-for", "0s", "--config", "keyless.yaml", "--publisher"];
/// No flag names the settings file, if there is one.
const UNNAMED: [&str; 5] = ["setup", "--yes", "--watch-for", "0s", "--publisher"];
const TEARDOWN: [&str; 4] = ["teardown", "--yes", "--config", "keyless.yaml"];
const SUBJECT: &str = "system:serviceaccount:keyless-system:keyless";
const WRITER: &str = "roles/storage.objectUser";
const EXPRESSION: &str = r#"resource.name == "projects/_/buckets/acme-oidc/objects/prod/openid/v1/jwks" || resource.name == "projects/_/buckets/acme-oidc/objects/prod/.well-known/openid-configuration""#;

/// A cluster whose documents are to lie in a Google bucket.
fn with_bucket() -> Estate {
    let estate = Estate::new();
    estate.world.cluster.change_servers(|server| server.issuers = vec![ISSUER.to_owned()]);
    estate.unnamed_settings("bucket: {url: gs://acme-oidc/prod, project: acme-prod}");
    estate
}

fn pool(estate: &Estate) -> String {
    let text = estate.settings_text();
    text.lines().find_map(|line| line.trim().strip_prefix("pool: ")).unwrap().to_owned()
}

fn principal(estate: &Estate) -> String {
    let of_pool =
        "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools";
    format!("{of_pool}/{}/subject/{SUBJECT}", pool(estate))
}

fn condition(estate: &Estate) -> String {
    let provider = estate.google.provider(&pool(estate), "cluster").unwrap();
    provider["attributeCondition"].as_str().unwrap().to_owned()
}

/// The bindings by which the publisher may write.
fn bindings(estate: &Estate) -> Vec<Value> {
    let all = estate.google.storage().bindings("acme-oidc").unwrap_or_default();
    let writes = |binding: &&Value| binding["role"] == WRITER;
    all.as_array().into_iter().flatten().filter(writes).cloned().collect()
}

/// `publish` with nothing but a token of this subject, as it is projected into the pod.
fn publish_as(estate: &Estate, subject: &str, more: &[&str]) -> Ran {
    publish_by(estate, &estate.world.key, subject, more)
}

/// The same, by a token that this key signed.
#[expect(clippy::disallowed_methods, reason = "the stand-in's clock is this machine's")]
fn publish_by(estate: &Estate, key: &SigningKey, subject: &str, more: &[&str]) -> Ran {
    let dir = estate.world.dir.path();
    let audience = format!(
        "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/{}/providers/cluster",
        pool(estate)
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let account: Vec<_> = subject.rsplitn(3, ':').collect();
    let token = key.jws(&json!({
        "iss": ISSUER, "sub": subject, "aud": [audience], "iat": now, "nbf": now, "exp": now + 900,
        "kubernetes.io": {"namespace": account[1], "serviceaccount": {"name": account[0], "uid": "u"}},
    }));
    fs::write(dir.join("token"), token).unwrap();
    let credentials = json!({
        "type": "external_account", "audience": audience,
        "token_url": format!("{}/v1/token", estate.google.http_url()),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "credential_source": {"file": dir.join("token").to_str().unwrap()},
    });
    fs::write(dir.join("adc.json"), credentials.to_string()).unwrap();
    let mut command = estate.command(&[&["publish"], more].concat());
    command
        .env_remove("GOOGLE_OAUTH_ACCESS_TOKEN")
        .env("GOOGLE_APPLICATION_CREDENTIALS", dir.join("adc.json"));
    Ran::of(&mut command)
}

#[test]
fn publisher_writes_by_its_token_alone() {
    let estate = with_bucket();
    let ran =
        estate.run(&SETUP).ends(0).says("login.google.audience=//iam.googleapis.com/projects/123456789012/");
    assert!(ran.out.contains("keyless render chart-values"), "{}", ran.out);
    assert!(
        estate.settings_text().contains("publisher: keyless-system/keyless"),
        "{}",
        estate.settings_text()
    );
    let granted = json!([{
        "role": WRITER, "members": [principal(&estate)], "condition": {
            "title": "keyless publisher", "description": mark(&estate).replace(DEFAULT_ISSUER, ISSUER),
            "expression": EXPRESSION,
        },
    }]);
    assert_eq!(Value::from(bindings(&estate)), granted);
    let admitted = condition(&estate);
    assert!(admitted.contains(&format!("'{SUBJECT}'")) && admitted.contains("keyless-gcp"), "{admitted}");
    estate.run(&SETUP).ends(0).says("nothing to do");

    publish_as(&estate, SUBJECT, &[]).ends(0).says("unchanged: 1 key");
    let new = SigningKey::rsa(2048);
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    publish_as(&estate, SUBJECT, &[]).ends(0).says("published: 2 keys");
    let jwks = estate.google.storage().object("acme-oidc", "prod/openid/v1/jwks").unwrap();
    assert!(String::from_utf8(jwks.body).unwrap().contains(&new.kid()));
}

#[test]
fn publisher_reaches_two_objects_only() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let storage = estate.google.storage();
    storage.put("acme-oidc", "other/openid/v1/jwks", "application/json", None, br#"{"keys":[]}"#);
    let before = storage.objects("acme-oidc");
    let elsewhere =
        ["--bucket", "gs://acme-oidc/other", "--issuer", "https://storage.googleapis.com/acme-oidc/other"];
    publish_as(&estate, SUBJECT, &elsewhere).fails(3, "bucket-forbidden", &["storage.objects."]);
    for subject in
        ["system:serviceaccount:keyless-system:keyless-probe", "system:serviceaccount:shop:keyless"]
    {
        publish_as(&estate, subject, &[]).fails(3, "bucket-credentials", &[]);
    }
    // The store's account is admitted, and has no right on the bucket.
    let store = "system:serviceaccount:external-secrets:keyless-gcp";
    publish_as(&estate, store, &[]).fails(3, "bucket-forbidden", &["storage.objects."]);
    assert_eq!(storage.objects("acme-oidc"), before);
}

#[test]
fn publishers_steps_are_what_is_written() {
    let estate = with_bucket();
    writes_what_it_shows(&estate, &["setup", "--watch-for", "0s", "--config", "keyless.yaml", "--publisher"]);
    // Another place needs another condition.
    estate.google.storage().own_bucket("acme-oidc-2");
    writes_what_it_shows(&estate, &["teardown", "--config", "keyless.yaml"]);
    assert_eq!(bindings(&estate), Vec::<Value>::new());
}

#[test]
fn bindings_of_others_are_untouched() {
    let estate = with_bucket();
    let storage = estate.google.storage();
    storage.own_bucket("acme-oidc");
    let theirs = json!({
        "role": WRITER, "members": ["user:a@acme.example"],
        "condition": {"title": "until-2031", "expression": "resource.name == \"x\""},
    });
    storage.bind("acme-oidc", theirs.clone());
    estate.run(&SETUP).ends(0);
    assert_eq!(bindings(&estate).len(), 2);
    estate.run(&TEARDOWN).ends(0);
    assert_eq!(bindings(&estate), [theirs]);
}

#[test]
fn right_on_whole_bucket_is_named() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let by_hand = json!({"role": WRITER, "members": [principal(&estate)]});
    estate.google.storage().bind("acme-oidc", by_hand.clone());
    estate.run(&SETUP).ends(0).says("on the whole bucket, which keyless did not grant");
    estate.run(&TEARDOWN).ends(0).says("keyless did not grant it");
    assert_eq!(bindings(&estate), [by_hand]);
}

#[test]
fn binding_for_another_cluster_is_refused() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let uid = estate.world.cluster_uid();
    let mut theirs = bindings(&estate).remove(0);
    let description = theirs["condition"]["description"].as_str().unwrap().replace(&uid, "other");
    theirs["condition"]["description"] = description.into();
    estate.google.storage().bind("acme-oidc", theirs);
    forget(&estate);
    estate.run(&SETUP).fails(3, "publisher-binding", &["another cluster"]);
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
}

#[test]
fn changed_condition_is_set_right() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let right = bindings(&estate);
    let mut wide = right[0].clone();
    wide["condition"]["expression"] = json!("true");
    estate.google.storage().bind("acme-oidc", wide);
    estate.run(&SETUP).ends(0);
    assert_eq!(bindings(&estate), right);
}

#[test]
fn wildcard_condition_admits_named_subjects_only() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let right = condition(&estate);
    estate.google.write(&pool(&estate), Some("cluster"), |it| {
        it["attributeCondition"] = json!("assertion.sub.startsWith('system:serviceaccount:')");
    });
    estate.run(&SETUP).ends(0);
    let mut subjects: Vec<_> = right.split('\'').collect();
    let now = condition(&estate);
    let mut then: Vec<_> = now.split('\'').collect();
    subjects.sort_unstable();
    then.sort_unstable();
    assert_eq!(then, subjects);
}

/// A change by hand between plan and write is read again, and stays.
#[test]
fn change_by_others_meanwhile_stays() {
    let estate = with_bucket();
    estate.google.storage().own_bucket("acme-oidc");
    let conflict = lab::Fault::answer(
        412,
        "application/json",
        r#"{"error": {"code": 412, "message": "At least one of the pre-conditions you specified did not hold.",
            "errors": [{"reason": "conditionNotMet"}]}}"#,
    );
    estate.google.faults().next(1, "PUT", "/storage/v1/b/acme-oidc/iam", conflict);
    estate.run(&SETUP).ends(0);
    assert_eq!(bindings(&estate).len(), 1);
}

#[test]
fn publisher_of_uploaded_keys_is_admitted() {
    let estate = Estate::new();
    let ran = estate.run(&UNNAMED).ends(0);
    assert!(condition(&estate).contains(&format!("'{SUBJECT}'")), "{}", condition(&estate));
    for named in ["iam.workloadIdentityPoolProviders.update", &principal(&estate), "login.google.audience="] {
        assert!(ran.out.contains(named), "{named} is not in\n{}", ran.out);
    }
    assert!(estate.google.storage().buckets().is_empty());
}

#[test]
fn each_missing_right_is_named() {
    let estate = with_bucket();
    estate.run(&SETUP[..6]).ends(0);
    for permission in [
        "storage.buckets.get",
        "storage.buckets.getIamPolicy",
        "iam.workloadIdentityPoolProviders.update",
        "storage.buckets.setIamPolicy",
    ] {
        estate.google.deny(permission);
        let ran = estate.run(&SETUP);
        assert_eq!(ran.code, Some(3), "{permission}: {}", ran.err);
        let hint = ran.err.lines().find(|line| line.contains("hint: ") && line.contains(permission));
        assert!(hint.is_some_and(|hint| hint.contains("(roles/")), "{permission}: {}", ran.err);
        estate.google.allow(permission);
        assert_eq!(bindings(&estate), Vec::<Value>::new(), "{permission}");
    }
    estate.run(&SETUP).ends(0);
    assert_eq!(bindings(&estate).len(), 1);
}

/// A settings file that lies in the folder may be anybody's: it does not choose who writes the cluster's keys.
#[test]
fn unnamed_file_chooses_no_publisher() {
    let estate = with_bucket();
    let text = "bucket: {url: gs://acme-oidc/prod, project: acme-prod}\ncluster:\n  publisher: shop/theirs";
    estate.unnamed_settings(text);
    let ran = estate.run(&UNNAMED[..4]).ends(0);
    assert!(ran.err.contains("name it: --config keyless.yaml"), "{}", ran.err);
    assert!(!condition(&estate).contains("theirs"), "{}", condition(&estate));
    assert_eq!(bindings(&estate), Vec::<Value>::new());
    // A person names the file.
    estate.run(&SETUP[..6]).ends(0);
    assert!(condition(&estate).contains("system:serviceaccount:shop:theirs"), "{}", condition(&estate));
    assert_eq!(bindings(&estate).len(), 1);
}

/// Nor where a publisher writes that a person has chosen, nor who it is.
#[test]
fn unnamed_file_grants_publisher_nothing() {
    let bucket = "bucket: {url: gs://acme-oidc/prod, project: acme-prod}";
    for (file, flags, named) in [
        (bucket.to_owned(), vec![], "bucket.url"),
        ("bucket: {project: acme-evil}".into(), vec!["--bucket", "gs://acme-oidc/prod"], "bucket.project"),
        (
            format!("issuer: {ISSUER}"),
            vec!["--bucket", "gs://acme-oidc", "--project", "acme-prod"],
            "alone says issuer",
        ),
        (
            "google: {project: acme-prod}".into(),
            vec!["--bucket", "gs://acme-oidc/prod", "--project", "acme-prod"],
            "alone says the account of google",
        ),
    ] {
        let estate = Estate::new();
        estate.world.cluster.change_servers(|server| server.issuers = vec![ISSUER.to_owned()]);
        estate.unnamed_settings(&file);
        forget(&estate);
        let remedy = "--config keyless.yaml";
        estate.run(&[&UNNAMED[..], &flags].concat()).fails(2, "publisher-undecided", &[named, remedy]);
        assert_eq!(recorded_writes(&estate), Vec::<String>::new(), "{file}");
        untouched(&estate, &file);
        // The remedy.
        estate.run(&[&SETUP[..], &flags].concat()).ends(0);
        assert_eq!(bindings(&estate).len(), 1, "{file}");
    }
    // By flags and variables alone, and beside a file that says nothing of it.
    let estate = with_bucket();
    estate.settings("store: {name: gcp}");
    let flags = ["--bucket", "gs://acme-oidc/prod", "--project", "acme-prod"];
    estate.run(&[&UNNAMED[..], &flags].concat()).ends(0);
    let estate = with_bucket();
    estate
        .settings("bucket:\n  url: gs://evil-oidc/prod\n  project: acme-evil\ngoogle:\n  project: acme-evil");
    let mut command = estate.command(&UNNAMED);
    command
        .env("KEYLESS_BUCKET_URL", "gs://acme-oidc/prod")
        .env("KEYLESS_BUCKET_PROJECT", "acme-prod")
        .env("KEYLESS_GOOGLE_PROJECT", "acme-prod");
    Ran::of(&mut command).ends(0);
    assert_eq!(bindings(&estate).len(), 1);
}

#[test]
fn publisher_alone_has_no_store() {
    let estate = with_bucket();
    estate.run(&[&SETUP[..6], &["--retire-key"]].concat()).ends(0);
    forget(&estate);
    let before = bindings(&estate);
    let all = [&SETUP[..], &["keyless-system/keyless", "--all"]].concat();
    let named = ["keyless-system/keyless", "--store NAME --publisher keyless-system/keyless"];
    estate.run(&all).fails(2, "publisher-no-store", &named);
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    assert_eq!(bindings(&estate), before);
    // The remedy.
    let store = [&SETUP[..], &["keyless-system/keyless", "--store", "gcp"]].concat();
    estate.run(&store).ends(0);
    assert_eq!(bindings(&estate).len(), 1);
}
