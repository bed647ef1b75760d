use std::path::Path;
use std::process::Command;

use lab::{Access, Ca, Gcs, Internet};

use crate::{Output, client, curl, run};

/// gcloud with nothing of the machine's own configuration
fn gcloud(gcs: &Gcs, dir: &Path) -> Option<Command> {
    let mut gcloud = client("gcloud")?;
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("CLOUDSDK_") || name.starts_with("GOOGLE_"))
    {
        gcloud.env_remove(name);
    }
    gcloud
        .env("CLOUDSDK_CONFIG", dir.join("gcloud"))
        .env("CLOUDSDK_CORE_PROJECT", "lab-project")
        .env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1")
        .env("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1")
        .env("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1")
        .env("CLOUDSDK_AUTH_TOKEN_HOST", format!("{}/token", gcs.url()))
        .env("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", format!("{}/storage/v1/", gcs.url()));
    Some(gcloud)
}

#[test]
fn gcloud_opens_bucket_and_uploads() {
    let (dir, gcs) = (tempfile::tempdir().unwrap(), Gcs::start());
    // The token comes from the token endpoint, for an assertion signed with the key file.
    let key_file = gcs.service_account_file(dir.path());
    let say = |args: &[&str]| -> Option<Output> {
        let mut gcloud = gcloud(&gcs, dir.path())?;
        gcloud.env("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", &key_file);
        Some(run(gcloud.arg("storage").args(args)))
    };
    let create = [
        "buckets",
        "create",
        "gs://issuer",
        "--location=EU",
        "--uniform-bucket-level-access",
        "--no-public-access-prevention",
    ];
    let Some(output) = say(&create) else { return };
    assert!(output.ok, "{output}");
    let granted = |call: &lab::Call| call.path == "/token" && call.status == Some(200);
    assert!(gcs.faults().requests().iter().any(granted));

    let file = dir.path().join("openid-configuration");
    std::fs::write(&file, r#"{"issuer":"x"}"#).unwrap();
    let (file, to) = (file.to_str().unwrap(), "gs://issuer/.well-known/openid-configuration");
    let copy = [
        "cp",
        file,
        to,
        "--content-type=application/json",
        "--cache-control=public, max-age=300",
        "--if-generation-match=0",
    ];
    let output = say(&copy).unwrap();
    assert!(output.ok, "{output}");
    let object = gcs.object("issuer", ".well-known/openid-configuration").unwrap();
    assert_eq!(object.body, br#"{"issuer":"x"}"#);
    assert_eq!(object.cache_control.as_deref(), Some("public, max-age=300"));
    let output = say(&copy).unwrap();
    assert!(!output.ok && output.err.contains("412"), "{output}");

    let url = format!("{}/issuer/.well-known/openid-configuration", gcs.url());
    let read = || run(client("curl").unwrap().args(["-si", &url])).out;
    if client("curl").is_some() {
        let output = read();
        assert!(output.contains(" 403") && output.contains("<Code>AccessDenied</Code>"), "{output}");
    }
    gcs.prevent_public_access("issuer", "enforced");
    let bind = [
        "buckets",
        "add-iam-policy-binding",
        "gs://issuer",
        "--member=allUsers",
        "--role=roles/storage.objectViewer",
    ];
    let output = say(&bind).unwrap();
    assert!(!output.ok && output.err.contains("public access prevention is enforced"), "{output}");
    gcs.prevent_public_access("issuer", "inherited");
    let output = say(&bind).unwrap();
    assert!(output.ok, "{output}");
    assert_eq!(gcs.bindings("issuer").unwrap().as_array().unwrap().len(), 3);
    if client("curl").is_some() {
        let output = read();
        assert!(
            output.contains("cache-control: public, max-age=300\r\n") && output.contains(r#"{"issuer":"x"}"#),
            "{output}"
        );
    }
    let output = say(&["cat", to]).unwrap();
    assert_eq!(output.out, r#"{"issuer":"x"}"#, "{output}");
}

#[test]
fn curl_speaks_the_json_api() {
    let (dir, ca, internet) = (tempfile::tempdir().unwrap(), Ca::new(), Internet::start());
    let (ca_file, gcs) = (ca.write(dir.path()), Gcs::start_tls(&ca));
    Gcs::names().iter().for_each(|name| internet.route(name, gcs.addr()));
    let Some(_) = curl(&ca_file) else { return };
    let ask = |token: Option<&str>, args: &[&str]| {
        let mut curl = curl(&ca_file).unwrap();
        if let Some(token) = token {
            curl.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        // The answer of the proxy to CONNECT comes first.
        let output = run(curl.args(["--proxy", &internet.url(), "--suppress-connect-headers"]).args(args));
        let status = output.out.split(' ').nth(1).unwrap_or_default().to_owned();
        (status, output.out)
    };
    let token = gcs.token();
    let (api, token) = ("https://storage.googleapis.com/storage/v1/b", token.as_str());
    let insert = format!("{api}?project=lab-project");
    gcs.foreign_bucket("taken");
    assert_eq!(ask(None, &[&insert, "-d", r#"{"name":"b-1"}"#]).0, "401");
    assert!(ask(Some("nonsense"), &[&insert, "-d", "{}"]).1.contains("Invalid Credentials"));
    assert_eq!(ask(Some(&gcs.add_token(Access::ReadOnly)), &[&insert, "-d", r#"{"name":"b-1"}"#]).0, "403");
    assert_eq!(ask(Some(token), &[&insert, "-d", r#"{"name":"b-1"}"#]).0, "200");
    assert!(ask(Some(token), &[&insert, "-d", r#"{"name":"b-1"}"#]).1.contains("you already own it"));
    assert!(ask(Some(token), &[&insert, "-d", r#"{"name":"taken"}"#]).1.contains("not available"));
    assert_eq!(ask(Some(token), &[&format!("{api}/taken")]).0, "403");
    assert_eq!(ask(Some(token), &[&format!("{api}/nothing")]).0, "404");

    let upload =
        "https://storage.googleapis.com/upload/storage/v1/b/b-1/o?uploadType=media&name=openid/v1/jwks";
    assert_eq!(ask(Some(token), &[&format!("{upload}&ifGenerationMatch=0"), "-d", "{}"]).0, "200");
    assert_eq!(ask(Some(token), &[&format!("{upload}&ifGenerationMatch=0"), "-d", "{}"]).0, "412");
    let generation = gcs.object("b-1", "openid/v1/jwks").unwrap().generation;
    assert_eq!(ask(Some(token), &[&format!("{upload}&ifGenerationMatch={generation}"), "-d", "[]"]).0, "200");
    let media = format!("{api}/b-1/o/openid%2Fv1%2Fjwks?alt=media");
    assert!(ask(Some(token), &[&media]).1.ends_with("[]"));
    assert_eq!(ask(Some(token), &[&format!("{api}/b-1/o/absent")]).0, "404");

    let public = [
        "https://storage.googleapis.com/b-1/openid/v1/jwks",
        "https://b-1.storage.googleapis.com/openid/v1/jwks",
    ];
    assert!(public.iter().all(|url| ask(None, &[url]).0 == "403"));
    let (policy, etag) = (format!("{api}/b-1/iam"), r#""etag":"AAAA""#);
    let bindings = r#""bindings":[{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}]"#;
    let put = |body: String| ask(Some(token), &["-X", "PUT", "-d", &body, &policy]);
    assert!(put(format!("{{{bindings},{etag}}}")).1.contains("conditionNotMet"));
    assert_eq!(put(format!("{{{bindings}}}")).0, "200");
    for url in public {
        let (status, output) = ask(None, &[url]);
        assert!(status == "200" && output.contains("cache-control: public, max-age=3600"), "{output}");
    }
    // Readers of objects may not list: what is absent looks forbidden.
    assert_eq!(ask(None, &["https://storage.googleapis.com/b-1/absent"]).0, "403");
    gcs.change(|settings| settings.organisation_prevents_public_access = true);
    assert_eq!(ask(None, &[public[0]]).0, "403");
    assert_eq!(ask(Some(token), &["-X", "DELETE", &media]).0, "204");
    assert!(gcs.objects("b-1").is_empty());
}
