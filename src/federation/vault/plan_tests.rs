//! Plans by value: no server.

use serde_json::json;

use super::*;
use crate::{
    error::Kind,
    federation::vault::{Mode, wanted},
    oidc::{Issuer, KeySet},
};

const ISSUER: &str = "https://oidc.lab.test/prod";
const OURS: &str = "managed by keyless for https://oidc.lab.test/prod";

fn settings() -> Settings {
    Settings {
        address: "https://vault.lab.test:8200".into(),
        mount: "keyless".into(),
        role: "eso".into(),
        kv: "kv".into(),
        mode: Mode::Discovery,
        ca_pem: None,
        namespace: None,
        token: None,
    }
}

fn keys(pems: &[String]) -> KeySet {
    KeySet::new(pems.iter().flat_map(|pem| keys_from_pem(pem.as_bytes(), "test").unwrap())).unwrap()
}

fn trust() -> Trust {
    Trust {
        issuer: ISSUER.parse::<Issuer>().unwrap(),
        cluster_id: "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11".to_owned(),
        keys: keys(&[lab::SigningKey::ec(lab::Curve::P256).public_pem()]),
        workload: "external-secrets/eso-reader".parse().unwrap(),
        secrets: vec!["db".into()],
    }
}

/// What the server holds after everything was applied.
fn done(settings: &Settings, want: &Trust) -> Observed {
    let mount = Mount { kind: "jwt".into(), description: OURS.into() };
    // As OpenBao gives it back: every member, most of them empty.
    let mut config = object(json!({
        "bound_issuer": "", "default_role": "", "jwks_ca_pem": "", "jwks_url": "", "jwt_supported_algs": [],
        "jwt_validation_pubkeys": [], "oidc_client_id": "", "oidc_discovery_ca_pem": "", "oidc_discovery_url": "",
        "provider_config": {}, "status": "valid", "namespace_in_state": true
    }));
    config.extend(object(wanted::config(settings, want).unwrap()));
    let mut role = object(json!({ "bound_claims": null, "token_bound_cidrs": [], "token_type": "default" }));
    role.extend(object(wanted::role(settings, want)));
    let policy = Some(wanted::policy(settings, &want.secrets).unwrap());
    Observed {
        mount: Some(mount),
        config: Some(config),
        role: Some(role),
        policy,
        kv: Engine::KvV2,
        capabilities: Default::default(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn verbs(changes: &[Change]) -> Vec<Verb> {
    changes.iter().map(|change| change.verb).collect()
}

fn fields(change: &Change) -> Vec<(&str, &str, &str)> {
    change.differences.iter().map(|it| (it.field.as_str(), it.have.as_str(), it.want.as_str())).collect()
}

fn step(change: &Change) -> &Step {
    match &change.step {
        federation::Step::Vault(step) => step,
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_is_new() {
    let changes = plan(&settings(), &trust(), &Observed::default()).unwrap();
    assert_eq!(verbs(&changes), [Verb::Create; 4]);
    let objects: Vec<_> = changes.iter().map(|change| change.object.as_str()).collect();
    assert_eq!(
        objects,
        [
            "auth method keyless (jwt)",
            "configuration of auth/keyless",
            "policy keyless-eso",
            "role eso of auth/keyless"
        ]
    );
    assert!(changes.iter().all(|change| !change.needs.is_empty()));
    assert_eq!(*step(&changes[0]), Step::Mount { description: OURS.into() });
    assert_eq!(
        *step(&changes[1]),
        Step::Configure(
            json!({ "bound_issuer": ISSUER, "oidc_discovery_url": ISSUER, "oidc_discovery_ca_pem": "" })
        )
    );
    assert_eq!(
        *step(&changes[2]),
        Step::WritePolicy(
            "# managed by keyless for auth/keyless/role/eso\npath \"kv/data/db\" {\n  capabilities = [\"read\"]\n}\n"
                .into()
        )
    );
    let Step::WriteRole(role) = step(&changes[3]) else { panic!() };
    assert_eq!(role["role_type"], "jwt");
    assert_eq!(role["bound_audiences"], json!(["vault"]));
    assert_eq!(role["bound_subject"], "system:serviceaccount:external-secrets:eso-reader");
    assert_eq!(role["token_policies"], json!(["keyless-eso"]));
    assert_eq!((&role["token_ttl"], &role["token_max_ttl"]), (&json!(900), &json!(900)));
}

#[test]
fn what_the_token_may_not_do_is_said_before_anything_is_done() {
    let capabilities = [
        ("sys/auth/keyless", vec!["create", "update"]),
        ("auth/keyless/config", vec!["update"]),
        ("sys/policies/acl/keyless-eso", vec!["deny"]),
        ("auth/keyless/role/eso", vec!["root"]),
    ];
    let capabilities = capabilities
        .into_iter()
        .map(|(path, list)| (path.to_owned(), list.into_iter().map(str::to_owned).collect()))
        .collect();
    let observed = Observed { capabilities, ..Observed::default() };
    let needs: Vec<_> =
        plan(&settings(), &trust(), &observed).unwrap().into_iter().map(|change| change.needs).collect();
    assert_eq!(
        needs,
        [
            "create, update, sudo on sys/auth/keyless; this token lacks sudo",
            "create, update on auth/keyless/config",
            "create, update on sys/policies/acl/keyless-eso; this token lacks create, update",
            "create, update on auth/keyless/role/eso",
        ]
    );
}

#[test]
fn what_is_right_is_left_in_every_mode() {
    for mode in [Mode::Discovery, Mode::JwksUrl, Mode::StaticKeys] {
        let ca = Some("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_owned());
        let settings = Settings { mode, ca_pem: ca, ..settings() };
        let want = trust();
        let changes = plan(&settings, &want, &done(&settings, &want)).unwrap();
        assert_eq!(verbs(&changes), [Verb::Leave; 4], "{mode:?}: {changes:?}");
        assert!(changes.iter().all(|change| matches!(change.step, federation::Step::None)));
    }
}

#[test]
fn each_mode_names_one_source_of_keys() {
    let ca = Some("CA\n".to_owned());
    let config =
        |mode| wanted::config(&Settings { mode, ca_pem: ca.clone(), ..settings() }, &trust()).unwrap();
    assert_eq!(
        config(Mode::Discovery),
        json!({ "bound_issuer": ISSUER, "oidc_discovery_url": ISSUER, "oidc_discovery_ca_pem": "CA" })
    );
    assert_eq!(
        config(Mode::JwksUrl),
        json!({ "bound_issuer": ISSUER, "jwks_url": format!("{ISSUER}/openid/v1/jwks"), "jwks_ca_pem": "CA" })
    );
    let keys = config(Mode::StaticKeys);
    assert_eq!((keys.as_object().unwrap().len(), &keys["bound_issuer"]), (2, &json!(ISSUER)));
    assert!(keys["jwt_validation_pubkeys"][0].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
}

#[test]
fn moving_from_documents_to_static_keys_shows_every_field() {
    let (old, want) = (settings(), trust());
    let new = Settings { mode: Mode::StaticKeys, ..settings() };
    let changes = plan(&new, &want, &done(&old, &want)).unwrap();
    assert_eq!(verbs(&changes), [Verb::Leave, Verb::Update, Verb::Leave, Verb::Leave]);
    let kid = want.keys.iter().next().unwrap().kid();
    assert_eq!(
        fields(&changes[1]),
        [("oidc_discovery_url", ISSUER, "nothing"), ("jwt_validation_pubkeys", "nothing", kid)]
    );
}

#[test]
fn a_new_key_is_written_and_order_is_not_a_difference() {
    let settings = Settings { mode: Mode::StaticKeys, ..settings() };
    let two = [
        lab::SigningKey::ec(lab::Curve::P256).public_pem(),
        lab::SigningKey::ec(lab::Curve::P384).public_pem(),
    ];
    let (one, both) = (Trust { keys: keys(&two[..1]), ..trust() }, Trust { keys: keys(&two), ..trust() });
    let changes = plan(&settings, &both, &done(&settings, &one)).unwrap();
    assert_eq!(changes[1].verb, Verb::Update);
    let mut turned = done(&settings, &both);
    let config = turned.config.as_mut().unwrap();
    config.get_mut("jwt_validation_pubkeys").unwrap().as_array_mut().unwrap().reverse();
    assert_eq!(verbs(&plan(&settings, &both, &turned).unwrap()), [Verb::Leave; 4]);
}

#[test]
fn what_was_changed_by_hand_is_shown_and_mended() {
    let (settings, want) = (settings(), trust());
    let mut observed = done(&settings, &want);
    let config = observed.config.as_mut().unwrap();
    config.insert("bound_issuer".into(), json!(""));
    config.insert("default_role".into(), json!("other"));
    let role = observed.role.as_mut().unwrap();
    role.insert("bound_audiences".into(), json!(["vault", "https://kubernetes.default.svc"]));
    role.insert("bound_subject".into(), json!(""));
    role.insert("token_policies".into(), json!(["keyless-eso", "admin"]));
    role.insert("token_period".into(), json!(3600));
    observed.policy = Some(format!(
        "{}\npath \"kv/data/*\" {{ capabilities = [\"read\"] }}\n",
        wanted::policy_mark(&settings)
    ));
    let changes = plan(&settings, &want, &observed).unwrap();
    assert_eq!(verbs(&changes), [Verb::Leave, Verb::Update, Verb::Update, Verb::Update]);
    assert_eq!(fields(&changes[1]), [("bound_issuer", "nothing", ISSUER)]);
    let Step::Configure(config) = step(&changes[1]) else { panic!() };
    assert_eq!(config["default_role"], "other", "a write replaces all: what is not ours is kept");
    assert_eq!(
        fields(&changes[2]),
        [(
            "policy",
            "path \"kv/data/*\" { capabilities = [\"read\"] }",
            "path \"kv/data/db\" { capabilities = [\"read\"] }"
        )]
    );
    assert_eq!(
        fields(&changes[3]),
        [
            ("bound_audiences", "vault, https://kubernetes.default.svc", "vault"),
            ("bound_subject", "nothing", "system:serviceaccount:external-secrets:eso-reader"),
            ("token_policies", "keyless-eso, admin", "keyless-eso"),
            ("token_period", "3600", "nothing"),
        ]
    );
}

#[test]
fn what_is_somebody_elses_ends_it_before_anything_is_done() {
    type Change = fn(&mut Observed);
    let cases: [(&str, Change); 8] = [
        ("vault-mount-in-use", |it| it.mount.as_mut().unwrap().kind = "kubernetes".into()),
        ("vault-mount-in-use", |it| {
            it.mount.as_mut().unwrap().description =
                "managed by keyless for https://oidc.lab.test/other".into();
        }),
        ("vault-mount-in-use", |it| it.mount.as_mut().unwrap().description = "managed by keyless".into()),
        ("vault-config-foreign", |it| {
            it.mount.as_mut().unwrap().description = "for the CI".into();
            it.config.as_mut().unwrap().insert("bound_issuer".into(), json!("https://gitlab.example.com"));
        }),
        ("vault-config-foreign", |it| {
            it.mount.as_mut().unwrap().description = String::new();
            it.config.as_mut().unwrap().insert("bound_issuer".into(), json!(""));
        }),
        ("vault-role-foreign", |it| {
            it.role.as_mut().unwrap().insert("token_policies".into(), json!(["admin"]));
        }),
        ("vault-policy-foreign", |it| it.policy = Some("path \"kv/*\" {}".into())),
        ("vault-kv-version", |it| it.kv = Engine::Other("KV version 1".into())),
    ];
    for (position, (code, spoil)) in cases.into_iter().enumerate() {
        let mut observed = done(&settings(), &trust());
        spoil(&mut observed);
        let error = plan(&settings(), &trust(), &observed).unwrap_err();
        assert_eq!((error.code, error.kind), (code, Kind::Failed), "case {position}: {error}");
        assert!(!error.hints.is_empty(), "case {position}: {error}");
    }
}

#[test]
fn a_mount_of_somebody_else_that_believes_the_same_is_used() {
    let (settings, want) = (settings(), trust());
    let mut observed = done(&settings, &want);
    observed.mount.as_mut().unwrap().description = "by terraform".into();
    assert_eq!(verbs(&plan(&settings, &want, &observed).unwrap()), [Verb::Leave; 4]);
    observed.config = None;
    let changes = plan(&settings, &want, &observed).unwrap();
    assert_eq!(verbs(&changes), [Verb::Leave, Verb::Create, Verb::Leave, Verb::Leave]);
    let changes = withdraw(&settings, &want, &observed, &["eso".into()]);
    assert_eq!(verbs(&changes), [Verb::Remove, Verb::Remove, Verb::Leave]);
    assert!(changes[2].why.contains("somebody else's"), "{}", changes[2].why);
}

#[test]
fn the_way_back_takes_only_what_is_ours() {
    let (settings, want) = (settings(), trust());
    let observed = done(&settings, &want);
    let changes = withdraw(&settings, &want, &observed, &["eso".into()]);
    let steps: Vec<_> = changes.iter().map(step).cloned().collect();
    assert_eq!(steps, [Step::RemoveRole, Step::RemovePolicy, Step::Unmount]);

    let changes = withdraw(&settings, &want, &observed, &["ci".into(), "eso".into()]);
    assert_eq!(verbs(&changes), [Verb::Remove, Verb::Remove, Verb::Leave]);
    assert!(changes[2].why.contains("ci"), "{}", changes[2].why);

    let changes = withdraw(&settings, &want, &Observed::default(), &[]);
    assert_eq!(verbs(&changes), [Verb::Leave; 3]);

    let mut foreign = observed;
    foreign.mount.as_mut().unwrap().description = "managed by keyless for https://oidc.lab.test/b".into();
    foreign.role.as_mut().unwrap().insert("token_policies".into(), json!(["admin"]));
    foreign.policy = Some("# mine".into());
    let changes = withdraw(&settings, &want, &foreign, &[]);
    assert_eq!(verbs(&changes), [Verb::Leave; 3]);
    assert!(changes[2].why.contains("another cluster"), "{}", changes[2].why);
}

#[test]
fn secrets_that_would_open_more_than_themselves() {
    for secret in
        ["*", "team/+/db", "db\" { } path \"x", "{{identity.entity.id}}", "a//b", "../x", "", "a b", "a\nb"]
    {
        let want = Trust { secrets: vec![secret.into()], ..trust() };
        let error = plan(&settings(), &want, &Observed::default()).unwrap_err();
        assert_eq!((error.code, error.kind), ("vault-setting", Kind::Usage), "{secret:?}");
    }
    let want = Trust { secrets: vec!["team/db".into(), "/a.b@c".into(), "team/db".into()], ..trust() };
    let text = wanted::policy(&settings(), &want.secrets).unwrap();
    assert_eq!(text.matches("path").count(), 2, "{text}");
    assert_eq!(wanted::policy(&settings(), &[]).unwrap(), "# managed by keyless for auth/keyless/role/eso\n");
}

#[test]
fn names_and_addresses_that_cannot_be_meant() {
    for address in
        ["vault:8200", "ftp://h", "https://u:hunter2@h", "https://h/v1", "https://h/ui/", "https://h?x", ""]
    {
        let error = wanted::check_address(address).unwrap_err();
        assert_eq!(error.code, "vault-address", "{address}");
        assert!(!format!("{error}").contains("hunter2"), "{error}");
    }
    for path in ["", "/", "a//b", "../x", "a b", "a*"] {
        assert_eq!(wanted::path("vault.mount", path).unwrap_err().code, "vault-setting", "{path}");
    }
    assert_eq!(wanted::path("vault.kv", "/team/kv/").unwrap(), "team/kv");
}

#[test]
fn why_a_server_cannot_fetch_the_keys() {
    let cases = [
        (
            "Get \"https://h\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "vault-ca",
        ),
        ("could not parse CA PEM value successfully", "vault-ca"),
        ("issuer did not match the returned issuer, expected \"a\" got \"b\"", "vault-issuer-differs"),
        ("dial tcp 127.0.0.1:9: connect: connection refused", "vault-cannot-fetch"),
        ("dial tcp: lookup oidc.lab.test: no such host", "vault-cannot-fetch"),
        ("404 Not Found: <Error><Code>NoSuchKey</Code>", "vault-cannot-fetch"),
        ("error checking jwks URL", "vault-cannot-fetch"),
        ("something else", "vault-refused"),
    ];
    for (said, code) in cases {
        let error = Error::failed("vault-refused", "it refuses").caused_by(said).hint("look");
        let error = wanted::explain_fetch(error, &settings());
        assert_eq!(error.code, code, "{said}");
        assert_eq!(error.causes, [said], "what the server said is kept");
        assert!(!error.hints.is_empty());
    }
    let error = Error::failed("vault-forbidden", "no");
    assert_eq!(wanted::explain_fetch(error, &settings()).code, "vault-forbidden");
}
