use serde_json::json;

use super::*;

fn data(value: Value) -> Data {
    value.as_object().unwrap().clone()
}

/// As OpenBao 2.7.2 answers for a token without an end.
fn lookup(changes: &[(&str, Value)]) -> Data {
    let mut answer = data(json!({"accessor": "a", "creation_time": 1_795_770_210, "creation_ttl": 0,
        "display_name": "token", "entity_id": "", "expire_time": null, "explicit_max_ttl": 0, "id": "",
        "meta": null, "num_uses": 0, "orphan": true, "path": "auth/token/create", "policies": ["default"],
        "renewable": false, "ttl": 0, "type": "service"}));
    for (name, value) in changes {
        answer.insert((*name).to_owned(), value.clone());
    }
    answer
}

#[test]
fn token_lasts_as_its_answer_says() {
    let end = ("expire_time", json!("2026-12-27T09:03:30Z"));
    for (changes, lasts) in [
        (vec![], Lasts::Forever),
        (vec![("policies", json!(["default", "root"]))], Lasts::Root),
        (vec![end.clone(), ("ttl", json!(60)), ("policies", json!(["root"]))], Lasts::Root),
        (vec![end.clone(), ("ttl", json!(60))], Lasts::Ends),
        // In its last second.
        (vec![end.clone()], Lasts::Ends),
        (vec![end.clone(), ("ttl", json!(60)), ("period", json!(3600))], Lasts::Renewed(3600)),
        (
            vec![end.clone(), ("ttl", json!(60)), ("period", json!(3600)), ("explicit_max_ttl", json!(7200))],
            Lasts::Ends,
        ),
        (
            vec![end, ("ttl", json!(60)), ("period", json!(3600)), ("path", json!("auth/keyless/login"))],
            Lasts::Ends,
        ),
    ] {
        assert_eq!(token(&lookup(&changes), "a").unwrap().lasts, lasts, "{changes:?}");
    }
}

#[test]
fn token_of_another_form_says_nothing() {
    for (name, value) in [
        ("accessor", json!("b")),
        ("accessor", Value::Null),
        ("policies", Value::Null),
        ("policies", json!([1])),
        ("ttl", json!("0")),
        ("ttl", json!(60)),
        ("expire_time", json!(0)),
    ] {
        assert!(token(&lookup(&[(name, value.clone())]), "a").is_err(), "{name} {value}");
    }
    let mut without = lookup(&[]);
    without.remove("expire_time");
    assert!(token(&without, "a").is_err());
}

#[test]
fn token_shows_no_control_characters() {
    let shown = token(&lookup(&[("display_name", json!("\u{1b}[2J\nZERO"))]), "a").unwrap().shown;
    assert!(!shown.contains(['\u{1b}', '\n']), "{shown:?}");
}

#[test]
fn secret_id_ends_as_it_says() {
    let answer = |end: &str, uses: u64, last: &str| {
        data(
            json!({"secret_id_accessor": "a", "creation_time": "2026-11-27T09:03:31Z", "expiration_time": end,
            "last_updated_time": last, "secret_id_num_uses": uses, "secret_id_ttl": 0}),
        )
    };
    let created = "2026-11-27T09:03:31Z";
    let never = secret_id(&answer(NEVER, 0, created), "a").unwrap();
    assert!(!never.has_end && never.shown.contains("Vault does not keep when it was used last"), "{never:?}");
    let used = secret_id(&answer("2026-12-27T00:00:00Z", 2, "2026-11-28T00:00:00Z"), "a").unwrap();
    assert!(used.has_end && used.shown.contains("used last 2026-11-28T00:00:00Z"), "{used:?}");
    for broken in [answer("", 0, ""), answer("never", 0, ""), data(json!({"error": "failed to find"}))] {
        assert!(secret_id(&broken, "a").is_err(), "{broken:?}");
    }
    assert!(secret_id(&answer(NEVER, 0, ""), "b").is_err());
}

#[test]
fn app_role_must_say_its_limits() {
    let role =
        |bound: Value, ttl: Value| app_role(&data(json!({"bind_secret_id": bound, "secret_id_ttl": ttl})));
    assert_eq!(role(json!(true), json!(0)), Ok(AppRole { is_bound: true, has_end: false }));
    assert_eq!(role(json!(false), json!(60)), Ok(AppRole { is_bound: false, has_end: true }));
    assert!(role(Value::Null, json!(60)).is_err() && role(json!(true), json!("60")).is_err());
}

#[test]
fn jwt_role_takes_who_is_bound() {
    let role = |subject: &str, claims: Value, kind: &str| {
        jwt_role(&data(json!({"role_type": "jwt", "bound_subject": subject, "bound_claims": claims,
            "bound_claims_type": kind})))
    };
    let account = "/kubernetes.io/serviceaccount/name";
    let namespace = "/kubernetes.io/namespace";
    for (subject, claims, kind) in [
        ("system:serviceaccount:a:b", Value::Null, "string"),
        ("", json!({"sub": "system:serviceaccount:a:b"}), "glob"),
        ("", json!({"sub": "*"}), "string"),
        ("", json!({(account): "b", (namespace): ["a", "c"]}), "string"),
    ] {
        assert_eq!(role(subject, claims.clone(), kind), Ok(Takes::Named), "{claims}");
    }
    for (claims, kind) in [
        (Value::Null, "string"),
        (json!({}), "string"),
        (json!({"aud": "vault"}), "string"),
        (json!({"sub": "*"}), "glob"),
        (json!({"sub": ["system:serviceaccount:a:b", "system:*"]}), "glob"),
        (json!({"sub": "system:serviceaccount:*:b"}), "glob"),
        (json!({(account): "b"}), "string"),
        (json!({(account): "b", (namespace): "*"}), "glob"),
    ] {
        let takes = role("", claims.clone(), kind);
        assert!(matches!(takes, Ok(Takes::Anyone(_))), "{claims}: {takes:?}");
    }
    for (claims, kind) in [
        (json!({"sub": "system:serviceaccount:a:*"}), "glob"),
        (json!({(namespace): "a"}), "string"),
        (json!({"email": "a@example.com"}), "string"),
    ] {
        let takes = role("", claims.clone(), kind);
        assert!(matches!(takes, Ok(Takes::NotKnown(_))), "{claims}: {takes:?}");
    }
    assert!(role("", json!([]), "string").is_err() && role("", json!({"sub": 1}), "string").is_err());
    assert!(role("", json!({"sub": "*"}), "regex").is_err());
    assert!(jwt_role(&data(json!({}))).is_err());
}

#[test]
fn kubernetes_role_takes_who_is_bound() {
    let role = |names: Value, namespaces: Value| {
        kubernetes_role(&data(json!({"bound_service_account_names": names,
            "bound_service_account_namespaces": namespaces, "bound_service_account_namespace_selector": ""})))
    };
    assert_eq!(role(json!(["a"]), json!(["b"])), Ok(Takes::Named));
    for (names, namespaces) in [(json!(["*"]), json!(["*"])), (json!(["a"]), json!(["*"]))] {
        assert!(matches!(role(names, namespaces), Ok(Takes::Anyone(_))));
    }
    for (names, namespaces) in
        [(json!(["*"]), json!(["b"])), (json!(["a-*"]), json!(["b"])), (json!(["a"]), json!([]))]
    {
        assert!(matches!(role(names, namespaces), Ok(Takes::NotKnown(_))));
    }
    assert!(role(Value::Null, json!(["b"])).is_err() && role(json!("a"), json!(["b"])).is_err());
}
