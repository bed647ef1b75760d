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

    let said = kubectl(0, &["get", "--raw", "/openid/v1/jwks"]);
    assert_eq!(said.out, format!(r#"{{"keys":[{}]}}"#, keys[0].jwk_text()), "{said}");
    let said = kubectl(1, &["get", "--raw", "/openid/v1/jwks"]);
    assert_eq!(said.out, format!(r#"{{"keys":[{},{}]}}"#, keys[0].jwk_text(), keys[1].jwk_text()), "{said}");
    let said = kubectl(1, &["get", "--raw", "/.well-known/openid-configuration"]);
    let expected = format!(
        r#"{{"issuer":"{ISSUER}","jwks_uri":"https://{}/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256","RS256"]}}"#,
        cluster.server(1).addr()
    );
    assert_eq!(said.out, expected, "{said}");

    let slice = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    let said = kubectl(0, &["get", "--raw", slice]);
    let slice_object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(slice_object["endpoints"][1]["addresses"], json!(["127.0.0.2"]));
    assert_eq!(slice_object["ports"][0]["port"], json!(cluster.server(0).addr().port()));
    cluster.change(|shared| shared.endpoint_slice = false);
    let said = kubectl(0, &["get", "--raw", slice]);
    assert!(said.err.contains("(NotFound)"), "{said}");

    let said = kubectl(0, &["create", "token", "default", "--audience", "sts", "--duration", "900s"]);
    let token = said.out.trim();
    let claims = keys[0].verify(token).unwrap_or_else(|| panic!("{said}"));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(["sts"])));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert_eq!(jws_part(token, 0).unwrap(), json!({"alg": "RS256", "kid": keys[0].kid()}));

    let said = kubectl(0, &["create", "token", "default", "--duration", "5m"]);
    assert!(said.err.contains("may not specify a duration less than 10 minutes"), "{said}");
    let said = kubectl(0, &["create", "token", "nobody"]);
    assert!(said.err.contains(r#"serviceaccounts "nobody" not found"#), "{said}");
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
    let said = kubectl(&["get", "--raw", "/openid/v1/jwks"]);
    assert!(said.err.contains(r#"forbidden: User "jane" cannot get path "/openid/v1/jwks""#), "{said}");
    cluster.revoke("jane", Right::CreateToken);
    let said = kubectl(&["create", "token", "default"]);
    let words = r#"serviceaccounts "default" is forbidden: User "jane" cannot create resource "serviceaccounts/token" in API group "" in the namespace "default""#;
    assert!(said.err.contains(words), "{said}");
    cluster.expire("jane");
    let said = kubectl(&["get", "--raw", "/openid/v1/jwks"]);
    assert!(said.err.contains("Unauthorized") || said.err.contains("must be logged in"), "{said}");
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

    let said = ask(&["--http1.1", "-H", &bearer]);
    assert!(said.starts_with("http/1.1 200"), "{said}");
    assert!(said.contains("content-type: application/jwk-set+json\r\n"), "{said}");
    assert!(said.contains("cache-control: public, max-age=3600\r\n"), "{said}");
    assert!(!said.contains("etag"), "{said}");
    assert!(ask(&["--http2", "-H", &bearer]).starts_with("http/2 200"));
    assert!(ask(&["-H", &bearer, "-H", "Accept: application/json"]).contains(" 406"));
    let said = ask(&["-H", &bearer, "--head"]);
    assert!(said.contains(" 405"), "{said}");
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
        let said = run(curl(&ca_file).unwrap().args([&url, "-H", &header]));
        said.out.split(' ').nth(1).map(str::to_owned).unwrap_or_default()
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
            let said = run(&mut openssl);
            assert_eq!(said.out, key.public_pem(), "{said}");
        }
    }
}
