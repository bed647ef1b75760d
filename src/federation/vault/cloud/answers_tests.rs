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
        // A role of a method may make them.
        (
            vec![
                end.clone(),
                ("ttl", json!(60)),
                ("period", json!(3600)),
                ("path", json!("auth/keyless/login")),
            ],
            Lasts::Renewed(3600),
        ),
        (vec![end.clone(), ("ttl", json!(LONG))], Lasts::Ends),
        (vec![end.clone(), ("ttl", json!(LONG + 1))], Lasts::Until("2026-12-27T09:03:30Z".into())),
        // Renewed in time, it lives until then.
        (
            vec![
                end,
                ("ttl", json!(60)),
                ("period", json!(3600)),
                ("explicit_max_ttl", json!(315_360_000)),
                ("creation_time", json!(0)),
            ],
            Lasts::Until("1979-12-30T00:00:00Z".into()),
        ),
    ] {
        assert_eq!(token(&lookup(&changes), "a").unwrap().lasts, lasts, "{changes:?}");
    }
}

/// A gateway that knows no such path is not taken for a server without tokens.
#[test]
fn missing_tokens_are_no_answer() {
    assert!(own_accessor(None).is_err() && own_accessor(Some(&data(json!({})))).is_err());
    assert_eq!(own_accessor(Some(&data(json!({"accessor": ""})))), Ok(""));
    let some = BTreeSet::from(["a".to_owned()]);
    for (own, accessors, is_whole) in [
        ("a", &some, true),
        ("b", &some, false),
        ("a", &BTreeSet::new(), false),
        // A batch token has no accessor.
        ("", &some, true),
        ("", &BTreeSet::new(), false),
    ] {
        assert_eq!(root_tokens(own, accessors).is_ok(), is_whole, "{own} {accessors:?}");
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
        ("expire_time", json!("never")),
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
    let now = 1_795_770_211; // 2026-11-27T09:03:31Z
    let secret_id = |data: &Data, accessor: &str| secret_id(data, accessor, now);
    let never = secret_id(&answer(NEVER, 0, created), "a").unwrap();
    assert!(
        never.ends == Ends::Never && never.shown.contains("Vault does not keep when it was used last"),
        "{never:?}"
    );
    let used = secret_id(&answer("2026-12-27T00:00:00Z", 2, "2026-11-28T00:00:00Z"), "a").unwrap();
    assert!(used.ends == Ends::Soon && used.shown.contains("used last 2026-11-28T00:00:00Z"), "{used:?}");
    for (end, ends) in [
        ("2026-12-29T09:03:31Z", Ends::Soon),
        ("2026-12-29T09:03:32.5Z", Ends::Late("2026-12-29T09:03:32.5Z".into())),
        ("2036-11-27T09:03:31+01:00", Ends::Late("2036-11-27T09:03:31+01:00".into())),
    ] {
        assert_eq!(secret_id(&answer(end, 0, created), "a").unwrap().ends, ends, "{end}");
    }
    for broken in [
        answer("", 0, ""),
        answer("never", 0, ""),
        answer("2026-99-99T00:00:00Z", 0, ""),
        data(json!({"error": "failed to find"})),
    ] {
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
    for (claims, kind) in
        [(json!({"sub": "system:serviceaccount:a:*"}), "glob"), (json!({(namespace): "a"}), "string")]
    {
        let takes = role("", claims.clone(), kind);
        assert!(matches!(takes, Ok(Takes::Namespace(_))), "{claims}: {takes:?}");
    }
    let takes = role("", json!({"email": "a@example.com"}), "string");
    assert!(matches!(takes, Ok(Takes::NotKnown(_))), "{takes:?}");
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
    for names in ["*", "a-*"] {
        assert!(matches!(role(json!([names]), json!(["b"])), Ok(Takes::Namespace(_))));
    }
    for (names, namespaces) in [(json!(["a"]), json!(["b-*"])), (json!(["a"]), json!([]))] {
        assert!(matches!(role(names, namespaces), Ok(Takes::NotKnown(_))));
    }
    assert!(role(Value::Null, json!(["b"])).is_err() && role(json!("a"), json!(["b"])).is_err());
}
