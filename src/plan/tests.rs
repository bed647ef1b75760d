use serde_json::json;

use super::*;
use crate::report::Line;

const ACTIONS: [Action; 9] = [
    Action::Create,
    Action::Delete,
    Action::Disable,
    Action::Enable,
    Action::Grant,
    Action::NoOp,
    Action::Restore,
    Action::Revoke,
    Action::Update,
];

fn step(action: Action) -> Step {
    Step::new(Target::Document, action, format!("s3://acme/{action:?}"), "a reason")
}

#[test]
fn no_op_is_not_pending() {
    let mut plan = Plan::default();
    ACTIONS.into_iter().for_each(|action| plan.then(step(action)));
    assert_eq!((plan.steps.len(), plan.pending()), (9, 8));
    assert_eq!(plan.steps[0].depends_on, Vec::<String>::new());
    assert_eq!(plan.steps[1].depends_on, ["s3://acme/Create"]);
}

#[test]
fn step_shows_fields_and_permissions() {
    let mut plan = Plan::default();
    plan.then(
        step(Action::Update)
            .field(
                "jwks_uri",
                Some(json!("https://a.example/keys.json")),
                Some(json!("https://a.example/jwks")),
            )
            .field("max", None, Some(json!(3)))
            .requires("s3:PutObject"),
    );
    assert_eq!(
        plan.lines().iter().map(Line::text).collect::<Vec<_>>(),
        [
            "~ update  s3://acme/Update: a reason",
            "    jwks_uri: https://a.example/keys.json → https://a.example/jwks",
            "    max: (none) → 3",
            "    needs s3:PutObject",
        ]
    );
}

#[test]
fn sensitive_values_appear_nowhere() {
    let mut step = step(Action::Update);
    let (before, after) = (Some(json!("hunter1")), Some(json!("hunter2")));
    step.fields.push(FieldChange { path: "token".into(), before, after, sensitive: true });
    let plan = Plan { steps: vec![step], notes: Vec::new() };
    let shown = format!(
        "{}{}",
        plan.lines().iter().map(Line::text).collect::<String>(),
        serde_json::to_string(&plan).unwrap()
    );
    assert!(shown.contains("token") && !shown.contains("hunter"), "{shown}");
}

#[test]
fn json_names_every_member() {
    let targets = [
        Target::Bucket,
        Target::ClusterObject,
        Target::Document,
        Target::Key,
        Target::ProviderResource,
        Target::SettingsFile,
    ];
    let names = json!(["bucket", "cluster-object", "document", "key", "provider-resource", "settings-file"]);
    assert_eq!(serde_json::to_value(targets).unwrap(), names);
    let actions =
        json!(["create", "delete", "disable", "enable", "grant", "no-op", "restore", "revoke", "update"]);
    assert_eq!(serde_json::to_value(ACTIONS).unwrap(), actions);
    let mut gated = step(Action::Create).field("a", None, Some(json!(1))).requires("p");
    gated.gate = Some(Gate::OnRetireKey);
    assert_eq!(
        serde_json::to_value(&gated).unwrap(),
        json!({"target": "document", "action": "create", "name": "s3://acme/Create", "reason": "a reason",
            "fields": [{"path": "a", "before": null, "after": 1, "sensitive": false}],
            "requires": ["p"], "dependsOn": [], "gate": "on-retire-key"})
    );
    let gates = [Gate::AfterIssuerSwitch, Gate::AfterProbe, Gate::OnRetireKey];
    assert_eq!(serde_json::to_value(gates).unwrap()[0], "after-issuer-switch");
}

#[test]
fn every_action_says_what_it_does() {
    for action in ACTIONS {
        assert!(step(action).progress().ends_with(&format!("s3://acme/{action:?}")));
    }
}
