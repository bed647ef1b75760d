use super::*;
use crate::plan::{Action, Step, Target};

fn plan(names: &[&str]) -> Plan {
    let step = |name: &&str| {
        Step::new(Target::ClusterObject, Action::Update, *name, "a reason").field(
            "spec.x",
            Some(json!(1)),
            Some(json!(name)),
        )
    };
    Plan { steps: names.iter().map(step).collect(), notes: Vec::new() }
}

fn target(uid: &str) -> Value {
    json!({"cluster": {"context": "prod", "server": "https://k8s.example", "uid": uid}, "provider": null})
}

fn saved(names: &[&str]) -> SavedPlan {
    let arguments = vec!["setup".to_owned(), "--retire-key".to_owned()];
    SavedPlan::new(arguments, "/srv/platform".into(), target("a"), &plan(names))
}

#[test]
fn saved_plan_is_read_back_whole() {
    let saved = saved(&["A x", "B y"]);
    let read = SavedPlan::parse(&saved.to_text(), "p.json").unwrap();
    assert_eq!(read, saved);
    assert!(read.check(&target("a"), &plan(&["A x", "B y"])).is_ok());
}

#[test]
fn other_reason_is_no_difference() {
    let mut now = plan(&["A x"]);
    now.steps[0].reason = "3 s later".into();
    assert!(saved(&["A x"]).check(&target("a"), &now).is_ok());
}

#[test]
fn any_other_difference_is_refused() {
    let mut action = plan(&["A x", "B y"]);
    action.steps[1].action = Action::Delete;
    let mut field = plan(&["A x", "B y"]);
    field.steps[0].fields[0].after = Some(json!("other"));
    let mut gate = plan(&["A x", "B y"]);
    gate.steps[0].gate = Some(crate::plan::Gate::OnRetireKey);
    for (now, uid, named) in [
        (plan(&["A x"]), "a", "in the saved plan only: update B y"),
        (plan(&["A x", "B y", "C z"]), "a", "in the plan of now only: update C z"),
        (plan(&[]), "a", "in the saved plan only: update A x"),
        (plan(&["B y", "A x"]), "a", "the order of the steps"),
        (plan(&["A x", "B y"]), "b", "the cluster or the account"),
        (action, "a", "in the plan of now only: delete B y"),
        (field, "a", "in the plan of now only: update A x"),
        (gate, "a", "in the plan of now only: update A x"),
    ] {
        let error = saved(&["A x", "B y"]).check(&target(uid), &now).unwrap_err();
        assert_eq!(error.code, Code::PlanChanged);
        assert!(error.causes.iter().any(|cause| cause.contains(named)), "{named}: {:?}", error.causes);
    }
}

#[test]
fn malformed_files_are_refused_unquoted() {
    let whole = saved(&["A x"]).to_text();
    let mut unknown: Value = serde_json::from_str(&whole).unwrap();
    unknown["hvs.secret"] = json!("hunter2");
    let mut newer: Value = serde_json::from_str(&whole).unwrap();
    newer["apiVersion"] = json!("keyless/saved-plan/v2");
    let mut untyped: Value = serde_json::from_str(&whole).unwrap();
    untyped["arguments"] = json!("setup --yes hunter2");
    for text in [
        "",
        "hunter2",
        "{}",
        "[]",
        "null",
        &whole[..whole.len() / 2],
        &unknown.to_string(),
        &newer.to_string(),
        &untyped.to_string(),
        &format!("{whole}{whole}"),
    ] {
        let error = SavedPlan::parse(text, "p.json").unwrap_err();
        assert_eq!(error.code, Code::PlanFile, "{text}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
