//! What goes with the trust, and what stays.

use serde_json::{Value, json};

use super::{
    super::tests::{CURRENT, Case, controller, google, with_key},
    *,
};
use crate::{
    cluster::snapshot::{Minting, Version},
    federation::{gcp::GoogleLogin, vault::VaultLogin},
    plan::Action,
};

/// What setup made, in the order in which it goes.
struct Made {
    store: Object,
    role_binding: Object,
    role: Object,
    account: Object,
}

impl Made {
    fn new() -> Self {
        let mut case = Case::new(google(), CURRENT, Version(2, 5, 0));
        case.controller = Some(controller(Some(Version(2, 5, 0)), Minting::Named));
        let made = |kind: &str| case.planned(kind).manifest;
        Self {
            store: made("ClusterSecretStore"),
            role_binding: made("RoleBinding"),
            role: made("Role"),
            account: made("ServiceAccount"),
        }
    }

    fn verbs(&self, other_users: Option<&[String]>) -> Vec<Action> {
        let (workload, access) = ("external-secrets/eso-reader".parse().unwrap(), google());
        let planned = withdraw(Given {
            store: Some(&self.store),
            account: Some(&self.account),
            role: Some(&self.role),
            role_binding: Some(&self.role_binding),
            workload: &workload,
            withdrawn: &[&access],
            other_users,
        });
        for one in planned.iter().filter(|one| one.step.action == Action::NoOp) {
            assert!(!one.changes_something() && !one.step.reason.is_empty(), "{one:?}");
        }
        planned.iter().map(|one| one.step.action).collect()
    }
}

#[test]
fn only_what_is_ours_is_withdrawn() {
    let mut made = Made::new();
    assert_eq!(made.verbs(Some(&[])), [Action::Delete; 4]);
    made.store = with_key();
    made.account.0["metadata"]["labels"] = json!({});
    assert_eq!(made.verbs(Some(&[])), [Action::NoOp, Action::Delete, Action::Delete, Action::NoOp]);
}

#[test]
fn store_of_another_login_stays() {
    let mut made = Made::new();
    let federation = "/spec/provider/gcpsm/auth/workloadIdentityFederation/audience";
    *made.store.0.pointer_mut(federation).unwrap() = json!("//iam.googleapis.com/projects/1/other");
    assert_eq!(made.verbs(Some(&[])), [Action::NoOp, Action::Delete, Action::Delete, Action::Delete]);
}

#[test]
fn altered_role_or_binding_stays() {
    type Damage = fn(&mut Made);
    let cases: [(Damage, [Action; 3]); 5] = [
        (|made| made.role.0["rules"] = json!([]), [Action::Delete, Action::NoOp, Action::Delete]),
        (
            |made| made.role.0["rules"][0]["verbs"] = json!(["*"]),
            [Action::Delete, Action::NoOp, Action::Delete],
        ),
        (
            |made| made.role_binding.0["roleRef"]["name"] = json!("edit"),
            [Action::NoOp, Action::Delete, Action::Delete],
        ),
        (
            |made| {
                let more = json!({"kind": "Group", "name": "ci"});
                made.role_binding.0["subjects"].as_array_mut().unwrap().push(more);
            },
            [Action::NoOp, Action::Delete, Action::Delete],
        ),
        (
            |made| made.role_binding.0["subjects"] = json!([{"kind": "User", "name": "eve"}]),
            [Action::NoOp, Action::Delete, Action::Delete],
        ),
    ];
    for (damage, expected) in cases {
        let mut made = Made::new();
        damage(&mut made);
        assert_eq!(made.verbs(Some(&[]))[1..], expected);
    }
}

#[test]
fn identity_that_others_use_stays() {
    let made = Made::new();
    let kept = [Action::Delete, Action::NoOp, Action::NoOp, Action::NoOp];
    assert_eq!(made.verbs(Some(&["SecretStore shop/other".to_owned()])), kept);
    assert_eq!(made.verbs(None), kept, "stores could not be listed");
}

#[test]
fn store_relies_only_on_matching_trust() {
    let store =
        |provider: Value| Store(Object(json!({ "kind": "SecretStore", "spec": { "provider": provider } })));
    let google = GoogleLogin {
        project_id: "acme-prod".into(),
        project_number: "1".into(),
        audience: "//iam.googleapis.com/a".into(),
        token_audience: "https://iam.googleapis.com/a".into(),
        impersonate: None,
        location: None,
    };
    let by = |audience: &str| json!({ "audience": audience, "serviceAccountRef": { "name": "a" } });
    let own = json!({ "workloadIdentityFederation": by("//iam.googleapis.com/a") });
    let key = json!({ "workloadIdentityFederation": by("//iam.googleapis.com/a"), "secretRef": {} });
    let other = json!({ "workloadIdentityFederation": by("//iam.googleapis.com/b") });
    for (auth, relies) in [(own, true), (key, false), (other, false), (json!({}), false)] {
        assert_eq!(relies_on(&store(json!({ "gcpsm": { "auth": auth } })), &google), relies, "{auth}");
    }
    let vault = VaultLogin {
        server: "https://vault.acme.example".into(),
        namespace: None,
        kv: "kv".into(),
        mount: "keyless".into(),
        role: "eso".into(),
        audience: "vault".into(),
        ca_pem: None,
    };
    let at = |server: &str, auth: Value| store(json!({ "vault": { "server": server, "auth": auth } }));
    let jwt = |path: &str| json!({ "jwt": { "path": path, "kubernetesServiceAccountToken": {} } });
    let stored = json!({ "jwt": { "path": "keyless", "secretRef": { "name": "a" } } });
    for (server, auth, relies) in [
        ("https://vault.acme.example", jwt("keyless"), true),
        ("https://vault.acme.example/", jwt("/keyless/"), true),
        ("https://vault.acme.example", jwt("jwt"), false),
        ("https://other.acme.example", jwt("keyless"), false),
        ("https://vault.acme.example", stored, false),
    ] {
        assert_eq!(relies_on(&at(server, auth.clone()), &vault), relies, "{server} {auth}");
    }
}
