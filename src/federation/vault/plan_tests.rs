//! Plans by value: no server.

use serde_json::json;

use super::*;
use crate::{
    error::{Code, Kind},
    federation::{
        TrustedIssuer, changes as changes_of,
        vault::{Mode, paths::PathRules, wanted, withdraw::withdraw},
        workload,
    },
    oidc::KeySet,
    plan::Change,
};

pub(in super::super) const ISSUER: &str = "https://oidc.lab.test/prod";
pub(super) const CLUSTER: &str = "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
pub(in super::super) const OWN_LOGIN: &str = "path \"auth/token/lookup-self\" {\n  capabilities = [\"read\"]\n}\n\
                         path \"auth/token/revoke-self\" {\n  capabilities = [\"update\"]\n}\n";
pub(super) const OURS: &str =
    "managed by keyless in cluster 0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11 for https://oidc.lab.test/prod";

pub(in super::super) fn settings() -> Settings {
    Settings {
        address: "https://vault.lab.test:8200".into(),
        mount: "keyless".into(),
        mount_from_store: false,
        role_prefix: "eso".into(),
        role: "eso".into(),
        kv: "kv".into(),
        mode: Mode::Discovery,
        ca_pem: None,
        issuer_ca_pem: None,
        namespace: None,
        token: None,
    }
}

fn keys(pems: &[String]) -> KeySet {
    KeySet::new(pems.iter().flat_map(|pem| keys_from_pem(pem.as_bytes(), "test").unwrap())).unwrap()
}

/// As a server in this mode is told it.
pub(in super::super) fn issuer(mode: Mode, text: &str) -> TrustedIssuer {
    match mode {
        Mode::Discovery | Mode::JwksUrl => TrustedIssuer::Published(text.parse().unwrap()),
        Mode::StaticKeys => TrustedIssuer::Signed(text.parse().unwrap()),
    }
}

/// The same trust as these settings go with it.
pub(in super::super) fn in_mode(settings: &Settings, want: &Trust) -> Trust {
    Trust { issuer: issuer(settings.mode, want.issuer.as_str()), ..want.clone() }
}

pub(in super::super) fn plan(settings: &Settings, want: &Trust, observed: &Observed) -> Result<Vec<Planned>> {
    let want = in_mode(settings, want);
    let mut changes = plan_shared(settings, &want, observed)?;
    for workload in &want.workloads {
        let before = changes.iter().rfind(|change| change.is_pending()).map(|it| it.step.name.clone());
        changes.extend(plan_workload(settings, &want, workload, observed, before)?);
    }
    Ok(changes)
}

pub(in super::super) fn policy(settings: &Settings, want: &Trust) -> String {
    let rules = PathRules::of(&want.workloads[0].rights, &settings.kv).unwrap();
    wanted::policy(settings, want, &rules)
}

pub(in super::super) fn trust() -> Trust {
    Trust {
        issuer: issuer(Mode::Discovery, ISSUER),
        cluster_id: CLUSTER.into(),
        keys: keys(&[lab::SigningKey::ec(lab::Curve::P256).public_pem()]),
        proof: None,
        signing: Vec::new(),
        staged: Vec::new(),
        former: Vec::new(),
        workloads: vec![workload("external-secrets/eso-reader", &["db"])],
    }
}

/// What the server holds after everything was applied.
pub(in super::super) fn done(settings: &Settings, want: &Trust) -> Observed {
    let mount = super::super::observe::Mount { kind: "jwt".into(), description: mark::of_mount(want) };
    // As OpenBao gives it back: every member, most of them empty.
    let mut config = object(json!({
        "bound_issuer": "", "default_role": "", "jwks_ca_pem": "", "jwks_url": "", "jwt_supported_algs": [],
        "jwt_validation_pubkeys": [], "oidc_client_id": "", "oidc_discovery_ca_pem": "", "oidc_discovery_url": "",
        "provider_config": {}, "status": "valid", "namespace_in_state": true
    }));
    config.extend(object(wanted::config(settings, &in_mode(settings, want)).unwrap()));
    let mut role = object(json!({ "bound_claims": null, "token_bound_cidrs": [], "token_type": "default" }));
    role.extend(object(wanted::role(settings, &want.workloads[0]).unwrap()));
    let policy = Some(policy(settings, want));
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

pub(super) fn verbs<A>(changes: &[Change<A>]) -> Vec<Action> {
    changes.iter().map(|change| change.step.action).collect()
}

/// `nothing` where there is no value.
pub(super) fn fields(change: &Planned) -> Vec<(&str, &'static str, &'static str)> {
    let text = |value: &Option<Value>| -> &'static str {
        let text = match value {
            None => "nothing".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(", ")
            }
            Some(other) => other.to_string(),
        };
        text.leak()
    };
    change.step.fields.iter().map(|it| (it.path.as_str(), text(&it.before), text(&it.after))).collect()
}

pub(super) fn act(change: &Planned) -> &Step {
    change.act.as_ref().unwrap()
}

#[test]
fn everything_is_new() {
    let changes = plan(&settings(), &trust(), &Observed::default()).unwrap();
    assert_eq!(verbs(&changes), [Action::Create; 4]);
    let objects: Vec<_> = changes.iter().map(|change| change.step.name.as_str()).collect();
    assert_eq!(
        objects,
        [
            "auth method keyless (jwt)",
            "configuration of auth/keyless",
            "policy keyless-eso",
            "role eso of auth/keyless"
        ]
    );
    assert!(changes.iter().all(|change| !change.step.requires.is_empty()));
    assert_eq!(*act(&changes[0]), Step::Mount { description: OURS.into() });
    assert_eq!(
        *act(&changes[1]),
        Step::Configure(
            json!({ "bound_issuer": ISSUER, "oidc_discovery_url": ISSUER, "oidc_discovery_ca_pem": "" })
        )
    );
    assert_eq!(
        *act(&changes[2]),
        Step::WritePolicy(format!(
            "# managed by keyless in cluster {CLUSTER} for auth/keyless/role/eso\n\
                 path \"kv/data/db\" {{\n  capabilities = [\"read\"]\n}}\n{OWN_LOGIN}"
        ))
    );
    let Step::WriteRole(role) = act(&changes[3]) else { panic!() };
    assert_eq!(role["role_type"], "jwt");
    assert_eq!(role["bound_audiences"], json!(["vault"]));
    assert_eq!(role["bound_subject"], "system:serviceaccount:external-secrets:eso-reader");
    assert_eq!(role["token_policies"], json!(["keyless-eso"]));
    assert_eq!((&role["token_ttl"], &role["token_max_ttl"]), (&json!(900), &json!(900)));
    assert_eq!((&role["token_period"], &role["token_no_default_policy"]), (&json!(0), &json!(true)));
}

#[test]
fn missing_capabilities_are_reported_in_advance() {
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
    let needs: Vec<_> = plan(&settings(), &trust(), &observed)
        .unwrap()
        .into_iter()
        .map(|change| change.step.needs())
        .collect();
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
fn correct_state_stays_in_every_mode() {
    for mode in [Mode::Discovery, Mode::JwksUrl, Mode::StaticKeys] {
        let ca = Some("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_owned());
        let settings = Settings { mode, issuer_ca_pem: ca, ..settings() };
        let want = trust();
        let changes = plan(&settings, &want, &done(&settings, &want)).unwrap();
        assert_eq!(verbs(&changes), [Action::NoOp; 4], "{mode:?}: {changes:?}");
        assert!(changes.iter().all(|change| change.act.is_none()));
    }
}

#[test]
fn each_mode_names_one_key_source() {
    let ca = Some("CA\n".to_owned());
    let config = |mode| {
        let settings = Settings { mode, issuer_ca_pem: ca.clone(), ..settings() };
        wanted::config(&settings, &in_mode(&settings, &trust())).unwrap()
    };
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
fn move_to_static_keys_shows_fields() {
    let (old, want) = (settings(), trust());
    let new = Settings { mode: Mode::StaticKeys, ..settings() };
    let changes = plan(&new, &want, &done(&old, &want)).unwrap();
    assert_eq!(verbs(&changes), [Action::NoOp, Action::Update, Action::NoOp, Action::NoOp]);
    let kid = want.keys.iter().next().unwrap().kid();
    assert_eq!(
        fields(&changes[1]),
        [("oidc_discovery_url", ISSUER, "nothing"), ("jwt_validation_pubkeys", "nothing", kid)]
    );
}

#[test]
fn new_key_is_written_order_ignored() {
    let settings = Settings { mode: Mode::StaticKeys, ..settings() };
    let two = [
        lab::SigningKey::ec(lab::Curve::P256).public_pem(),
        lab::SigningKey::ec(lab::Curve::P384).public_pem(),
    ];
    let (one, both) = (Trust { keys: keys(&two[..1]), ..trust() }, Trust { keys: keys(&two), ..trust() });
    let changes = plan(&settings, &both, &done(&settings, &one)).unwrap();
    assert_eq!(changes[1].step.action, Action::Update);
    let mut turned = done(&settings, &both);
    let config = turned.config.as_mut().unwrap();
    config.get_mut("jwt_validation_pubkeys").unwrap().as_array_mut().unwrap().reverse();
    assert_eq!(verbs(&plan(&settings, &both, &turned).unwrap()), [Action::NoOp; 4]);
}

#[test]
fn manual_changes_are_shown_and_repaired() {
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
    role.insert("token_no_default_policy".into(), json!(false));
    role.insert("clock_skew_leeway".into(), json!(86_400));
    role.insert("groups_claim".into(), json!("groups"));
    observed.policy = Some(format!(
        "{}\npath \"kv/data/*\" {{ capabilities = [\"read\"] }}\n",
        mark::of_policy(&settings, &want)
    ));
    let changes = plan(&settings, &want, &observed).unwrap();
    assert_eq!(verbs(&changes), [Action::NoOp, Action::Update, Action::Update, Action::Update]);
    assert_eq!(fields(&changes[1]), [("bound_issuer", "nothing", ISSUER)]);
    let Step::Configure(config) = act(&changes[1]) else { panic!() };
    assert_eq!(config["default_role"], "other", "a write replaces all: what is not ours is kept");
    assert_eq!(
        fields(&changes[2]),
        [(
            "policy",
            "path \"kv/data/*\" { capabilities = [\"read\"] }",
            "path \"kv/data/db\" { capabilities = [\"read\"] } \
             path \"auth/token/lookup-self\" { capabilities = [\"read\"] } \
             path \"auth/token/revoke-self\" { capabilities = [\"update\"] }"
        )]
    );
    assert_eq!(
        fields(&changes[3]),
        [
            ("bound_audiences", "vault, https://kubernetes.default.svc", "vault"),
            ("bound_subject", "nothing", "system:serviceaccount:external-secrets:eso-reader"),
            ("token_policies", "keyless-eso, admin", "keyless-eso"),
            ("token_no_default_policy", "nothing", "true"),
            ("token_period", "3600", "nothing"),
            ("clock_skew_leeway", "86400", "nothing"),
            ("groups_claim", "groups", "nothing"),
        ]
    );
}

#[test]
fn foreign_objects_are_refused_in_advance() {
    type Change = fn(&mut Observed);
    let cases: [(Code, Change); 10] = [
        (Code::VaultMountInUse, |it| it.mount.as_mut().unwrap().kind = "kubernetes".into()),
        (Code::VaultOtherIssuer, |it| {
            it.mount.as_mut().unwrap().description =
                "managed by keyless for https://oidc.lab.test/other".into();
        }),
        (Code::VaultOtherIssuer, |it| it.mount.as_mut().unwrap().description = "managed by keyless".into()),
        (Code::VaultOtherCluster, |it| {
            it.mount.as_mut().unwrap().description = OURS.replace(CLUSTER, "of-another-cluster");
        }),
        (Code::VaultOtherCluster, |it| {
            let text = it.policy.take().unwrap();
            it.policy = Some(text.replace(CLUSTER, "of-another-cluster"));
        }),
        (Code::VaultConfigForeign, |it| {
            it.mount.as_mut().unwrap().description = "for the CI".into();
            it.config.as_mut().unwrap().insert("bound_issuer".into(), json!("https://gitlab.example.com"));
        }),
        (Code::VaultConfigForeign, |it| {
            it.mount.as_mut().unwrap().description = String::new();
            it.config.as_mut().unwrap().insert("bound_issuer".into(), json!(""));
        }),
        (Code::VaultRoleForeign, |it| {
            it.role.as_mut().unwrap().insert("token_policies".into(), json!(["admin"]));
        }),
        (Code::VaultPolicyForeign, |it| it.policy = Some("path \"kv/*\" {}".into())),
        (Code::VaultKvVersion, |it| it.kv = Engine::Other("KV version 1".into())),
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
fn equivalent_foreign_mount_is_used() {
    let (settings, want) = (settings(), trust());
    let mut observed = done(&settings, &want);
    observed.mount.as_mut().unwrap().description = "by terraform".into();
    assert_eq!(verbs(&plan(&settings, &want, &observed).unwrap()), [Action::NoOp; 4]);
    observed.config = None;
    let changes = plan(&settings, &want, &observed).unwrap();
    assert_eq!(verbs(&changes), [Action::NoOp, Action::Create, Action::NoOp, Action::NoOp]);
    let changes = changes_of(withdraw(&settings, &want, &observed, &["eso".into()], None));
    assert_eq!(verbs(&changes), [Action::Delete, Action::Delete, Action::NoOp]);
    assert!(changes[2].step.reason.contains("keyless did not make it"), "{}", changes[2].step.reason);
}

#[test]
fn withdrawal_removes_only_what_is_ours() {
    let (settings, want) = (settings(), trust());
    let observed = done(&settings, &want);
    let changes = changes_of(withdraw(&settings, &want, &observed, &["eso".into()], None));
    let steps: Vec<_> = changes.iter().map(act).cloned().collect();
    assert_eq!(steps, [Step::RemoveRole, Step::RemovePolicy, Step::Unmount]);

    let changes = changes_of(withdraw(&settings, &want, &observed, &["ci".into(), "eso".into()], None));
    assert_eq!(verbs(&changes), [Action::Delete, Action::Delete, Action::NoOp]);
    assert!(changes[2].step.reason.contains("ci"), "{}", changes[2].step.reason);

    let changes = changes_of(withdraw(&settings, &want, &Observed::default(), &[], None));
    assert_eq!(verbs(&changes), [Action::NoOp; 3]);

    let mut foreign = observed;
    foreign.mount.as_mut().unwrap().description = "managed by keyless for https://oidc.lab.test/b".into();
    foreign.role.as_mut().unwrap().insert("token_policies".into(), json!(["admin"]));
    foreign.policy = Some("# mine".into());
    let changes = changes_of(withdraw(&settings, &want, &foreign, &[], None));
    assert_eq!(verbs(&changes), [Action::NoOp; 3]);
    assert!(changes[2].step.reason.contains("another issuer"), "{}", changes[2].step.reason);
}
