use lab::{Anonymous, Ca, Cluster, Curve, KeyFile, Right, SigningKey, jws_part};
use serde_json::{Value, json};

use crate::{client, curl, run};

const ISSUER: &str = "https://issuer.example.com/lab";

#[test]
fn kubectl_reads_documents_and_mints_tokens() {
    let Some(_) = client("kubectl") else { return };
    let (dir, ca) = (tempfile::tempdir().unwrap(), Ca::new());
    let keys = [SigningKey::rsa(2048), SigningKey::ec(Curve::P256)];
    let cluster = Cluster::start(&ca, 2, ISSUER, &keys[0]);
    cluster.server(1).change(|server| server.key_files.push(KeyFile::from(&keys[1])));
    let kubectl = |server: usize, args: &[&str]| {
        let config = cluster.kubeconfig_at(dir.path(), "admin", &cluster.server(server).url());
        run(client("kubectl").unwrap().arg("--kubeconfig").arg(config).args(args))
    };

    let output = kubectl(0, &["get", "--raw", "/openid/v1/jwks"]);
    assert_eq!(output.out, format!(r#"{{"keys":[{}]}}"#, keys[0].jwk_text()), "{output}");
    let output = kubectl(1, &["get", "--raw", "/openid/v1/jwks"]);
    assert_eq!(
        output.out,
        format!(r#"{{"keys":[{},{}]}}"#, keys[0].jwk_text(), keys[1].jwk_text()),
        "{output}"
    );
    let output = kubectl(1, &["get", "--raw", "/.well-known/openid-configuration"]);
    let expected = format!(
        r#"{{"issuer":"{ISSUER}","jwks_uri":"https://{}/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256","RS256"]}}"#,
        cluster.server(1).addr()
    );
    assert_eq!(output.out, expected, "{output}");

    let slice = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    let output = kubectl(0, &["get", "--raw", slice]);
    let slice_object: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(slice_object["endpoints"][1]["addresses"], json!(["127.0.0.2"]));
    assert_eq!(slice_object["ports"][0]["port"], json!(cluster.server(0).addr().port()));
    cluster.change(|shared| shared.endpoint_slice = false);
    let output = kubectl(0, &["get", "--raw", slice]);
    assert!(output.err.contains("(NotFound)"), "{output}");

    let output = kubectl(0, &["create", "token", "default", "--audience", "sts", "--duration", "900s"]);
    let token = output.out.trim();
    let claims = keys[0].verify(token).unwrap_or_else(|| panic!("{output}"));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(["sts"])));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert_eq!(jws_part(token, 0).unwrap(), json!({"alg": "RS256", "kid": keys[0].kid()}));

    let output = kubectl(0, &["create", "token", "default", "--duration", "5m"]);
    assert!(output.err.contains("may not specify a duration less than 10 minutes"), "{output}");
    let output = kubectl(0, &["create", "token", "absent"]);
    assert!(output.err.contains(r#"serviceaccounts "absent" not found"#), "{output}");
}

#[test]
fn kubectl_reports_the_missing_right() {
    let Some(_) = client("kubectl") else { return };
    let (dir, ca) = (tempfile::tempdir().unwrap(), Ca::new());
    let cluster = Cluster::start(&ca, 1, ISSUER, &SigningKey::ec(Curve::P256));
    cluster.add_user("jane", &Right::ALL);
    let config = cluster.kubeconfig_as(dir.path(), "jane");
    let kubectl = |args: &[&str]| run(client("kubectl").unwrap().arg("--kubeconfig").arg(&config).args(args));

    assert!(kubectl(&["get", "--raw", "/openid/v1/jwks"]).ok);
    cluster.revoke("jane", Right::Jwks);
    let output = kubectl(&["get", "--raw", "/openid/v1/jwks"]);
    assert!(output.err.contains(r#"forbidden: User "jane" cannot get path "/openid/v1/jwks""#), "{output}");
    cluster.revoke("jane", Right::CreateToken);
    let output = kubectl(&["create", "token", "default"]);
    let words = r#"serviceaccounts "default" is forbidden: User "jane" cannot create resource "serviceaccounts/token" in API group "" in the namespace "default""#;
    assert!(output.err.contains(words), "{output}");
    cluster.expire("jane");
    let output = kubectl(&["get", "--raw", "/openid/v1/jwks"]);
    assert!(output.err.contains("Unauthorized") || output.err.contains("must be logged in"), "{output}");
}

#[test]
fn curl_sees_endpoints_like_kubernetes() {
    let (dir, ca) = (tempfile::tempdir().unwrap(), Ca::new());
    let ca_file = ca.write(dir.path());
    let Some(_) = curl(&ca_file) else { return };
    let cluster = Cluster::start(&ca, 1, ISSUER, &SigningKey::ec(Curve::P384));
    let url = format!("{}/openid/v1/jwks", cluster.server(0).url());
    let bearer = format!("Authorization: Bearer {}", cluster.token_of("admin"));
    let ask = |args: &[&str]| run(curl(&ca_file).unwrap().arg(&url).args(args)).out.to_lowercase();

    let output = ask(&["--http1.1", "-H", &bearer]);
    assert!(output.starts_with("http/1.1 200"), "{output}");
    assert!(output.contains("content-type: application/jwk-set+json\r\n"), "{output}");
    assert!(output.contains("cache-control: public, max-age=3600\r\n"), "{output}");
    assert!(!output.contains("etag"), "{output}");
    assert!(ask(&["--http2", "-H", &bearer]).starts_with("http/2 200"));
    assert!(ask(&["-H", &bearer, "-H", "Accept: application/json"]).contains(" 406"));
    let output = ask(&["-H", &bearer, "--head"]);
    assert!(output.contains(" 405"), "{output}");
    assert!(ask(&[]).contains(" 403"));
    assert!(ask(&["-H", "Authorization: Bearer nonsense"]).contains(" 401"));
    cluster.change(|shared| shared.anonymous = Anonymous::Off);
    assert!(ask(&[]).contains(" 401"));
    cluster.change(|shared| shared.anonymous = Anonymous::Allowed);
    assert!(ask(&[]).contains(" 200"));

    cluster.server(0).change(|server| server.issuers = vec![format!("{ISSUER}?y=1")]);
    assert!(ask(&[]).contains(" 404"));
    cluster.server(0).stop();
    assert!(ask(&[]).contains("") && !run(curl(&ca_file).unwrap().arg(&url)).ok);
    cluster.server(0).restart();
    assert!(ask(&[]).contains(" 404"));
}

#[test]
fn minted_token_works_for_its_audience() {
    let (dir, ca) = (tempfile::tempdir().unwrap(), Ca::new());
    let ca_file = ca.write(dir.path());
    let (Some(_), Some(_)) = (client("kubectl"), curl(&ca_file)) else { return };
    let (key, other) = (SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P256));
    let cluster = Cluster::start(&ca, 1, ISSUER, &key);
    let config = cluster.kubeconfig(dir.path());
    let status = |audience: &str| {
        let mut kubectl = client("kubectl").unwrap();
        kubectl.arg("--kubeconfig").arg(&config).args(["create", "token", "default", "--audience", audience]);
        let header = format!("Authorization: Bearer {}", run(&mut kubectl).out.trim());
        let url = format!("{}/openid/v1/jwks", cluster.server(0).url());
        let output = run(curl(&ca_file).unwrap().args([&url, "-H", &header]));
        output.out.split(' ').nth(1).map(str::to_owned).unwrap_or_default()
    };
    assert_eq!(status(ISSUER), "200");
    assert_eq!(status("somewhere-else"), "401");
    // A signing key that is missing from the server's own key files: it rejects its own tokens.
    cluster.server(0).change(|server| server.signing_key = other);
    assert_eq!(status(ISSUER), "401");
}

#[test]
fn openssl_reads_every_key_form() {
    let Some(_) = client("openssl") else { return };
    let dir = tempfile::tempdir().unwrap();
    let kinds = [SigningKey::rsa(2048), SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P384)];
    for key in kinds.into_iter().chain([SigningKey::ec(Curve::P521)]) {
        for (private, text) in
            [(true, key.private_pem()), (true, key.traditional_pem()), (false, key.public_pem())]
        {
            let file = dir.path().join("key.pem");
            std::fs::write(&file, &text).unwrap();
            let mut openssl = client("openssl").unwrap();
            openssl.args(["pkey", "-pubout", "-in"]).arg(&file);
            if !private {
                openssl.arg("-pubin");
            }
            let output = run(&mut openssl);
            assert_eq!(output.out, key.public_pem(), "{output}");
        }
    }
}
