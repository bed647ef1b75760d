//! The words of the server, each with its cause and remedy. All of them were seen from OpenBao.

use serde_json::json;

use super::*;
use crate::relying_party::Outcome;

fn settings() -> Settings {
    Settings {
        address: "https://vault.lab.test".into(),
        mount: "keyless".into(),
        mount_from_store: false,
        role_prefix: "external-secrets".into(),
        role: "eso".into(),
        kv: "kv".into(),
        mode: super::super::Mode::Discovery,
        ca_pem: None,
        issuer_ca_pem: None,
        namespace: None,
        token: None,
    }
}

fn token() -> Token {
    let claims = json!({
        "iss": "https://oidc.lab.test/prod", "sub": "system:serviceaccount:es:eso", "aud": ["vault"],
        "iat": 1, "nbf": 1, "exp": 901
    });
    Token::parse(&lab::SigningKey::ec(lab::Curve::P256).jws(&claims)).unwrap()
}

#[test]
fn refused_login_has_cause_and_remedy() {
    let cases = [
        ("error validating token: invalid expiration time (exp) claim: token is expired", "expired", "clock"),
        ("error validating token: invalid not before (nbf) claim: token not yet valid", "future", "NTP"),
        (
            "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience",
            "audience vault",
            "bound_audiences",
        ),
        (
            "audience claim found in JWT but no audiences bound to the role",
            "audience vault",
            "bound_audiences",
        ),
        (
            "error validating token: invalid subject (sub) claim",
            "system:serviceaccount:es:eso",
            "bound_subject",
        ),
        ("error validating token: invalid issuer (iss) claim", "https://oidc.lab.test/prod", "render issuer"),
        (
            "error validating token: error verifying token signature: failed to verify id token signature",
            "the key",
            "keyless publish",
        ),
        (
            "error validating token: error verifying token signature: no known key successfully validated the token signature",
            "the key",
            "static keys",
        ),
        (
            "error verifying token signature: fetching keys oidc: failed to decode keys: unsupported key type/format",
            "cannot read",
            "RSA and EC",
        ),
        (
            "error verifying token signature: fetching keys oidc: get keys failed",
            "cannot fetch",
            "static-keys",
        ),
        ("role \"eso\" could not be found", "no role eso", "keyless setup"),
        ("missing role", "no role eso", "keyless setup"),
        ("permission denied", "no auth method", "vault.mount"),
    ];
    for (reply, cause_has, remedy_has) in cases {
        let error = Error::failed(Code::VaultRefused, "status 400").caused_by(reply);
        let finding = refused_login("login".into(), error, &settings(), &token());
        let Outcome::Failed { seen, cause, remedy } = finding.outcome else { panic!("{reply}") };
        assert_eq!(seen, reply, "the server's message is shown");
        assert!(cause.contains(cause_has), "{reply}: {cause}");
        assert!(remedy.contains(remedy_has), "{reply}: {remedy}");
    }
    let odd = Error::failed(Code::VaultRefused, "status 400").caused_by("something new").hint("look");
    let finding = refused_login("login".into(), odd, &settings(), &token());
    assert!(finding.to_text().contains("something new"), "{}", finding.to_text());
}

#[test]
fn secret_is_counted_and_never_shown() {
    let read =
        |status, body| judge_read("read".into(), Ok(Reply { status, body }), &settings(), &[])[0].to_text();
    let text =
        read(200, json!({ "data": { "data": { "password": "hunter2", "port": 5432 }, "metadata": {} } }));
    assert_eq!(text, "ok    read: 2 fields, 11 bytes");
    let text = read(404, json!({ "data": { "data": null, "metadata": { "deletion_time": "2026" } } }));
    assert!(text.contains("deleted"), "{text}");
    let text = read(404, json!({ "errors": [] }));
    assert!(text.contains("does not exist"), "{text}");
    let text =
        read(404, json!({ "errors": ["no handler for route \"kv/data/db\". route entry not found."] }));
    assert!(text.contains("nothing is mounted"), "{text}");
    let text = read(200, json!({ "data": { "password": "hunter2" } }));
    assert!(text.contains("not KV version 2") && !text.contains("hunter2"), "{text}");
}

fn of(property: &str) -> Reading {
    Reading { property: Some(property.into()), ..Reading::default() }
}

#[test]
fn missing_member_of_secret_is_named() {
    let read = |member: &str| {
        let body =
            json!({ "data": { "data": { "password": "hunter2", "tls": { "key": "x" }, "a.b": "c" } } });
        judge_read("read".into(), Ok(Reply { status: 200, body }), &settings(), &[of(member)])
    };
    // The last is more than a path: it is not judged, and the finding tells it.
    assert!(matches!(&read("@keys")[1].outcome, Outcome::Skipped(why) if why.contains("not proved")));
    for there in ["password", "tls.key", "a.b", "@keys"] {
        assert!(!read(there)[0].is_failed(), "{there}");
    }
    let of_the_thing = read("user");
    assert!(of_the_thing[0].is_of_the_thing, "the secret is there, and can be read");
    let text = of_the_thing[0].to_text();
    assert!(text.contains("no user") && text.contains("kv patch") && !text.contains("hunter2"), "{text}");
}
