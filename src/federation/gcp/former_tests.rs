use serde_json::json;

use super::{
    super::{
        documents::TITLE,
        mark::mark,
        plan_tests::right,
        tests::{CLUSTER, ISSUER},
    },
    *,
};
use crate::plan::ownership::older_mark;

const POOL: &str =
    "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab";
const WRITTEN: &str = r#"resource.name == "projects/_/buckets/old/objects/p/openid/v1/jwks" || resource.name == "projects/_/buckets/old/objects/p/.well-known/openid-configuration""#;

fn me() -> String {
    format!("{POOL}/subject/system:serviceaccount:keyless-system:keyless")
}

/// What becomes of this one binding: whether it goes, and whom a warning names.
fn judged(role: &str, member: &str, title: &str, description: &str, expression: &str) -> (bool, Vec<String>) {
    let policy = Policy::new(json!({ "etag": "e", "bindings": [{
        "role": role, "members": [member],
        "condition": { "title": title, "description": description, "expression": expression },
    }] }));
    let found = find(&policy, "old", &me(), CLUSTER);
    let goes = found.iter().any(|it| matches!(it, Found::Goes { .. }));
    let stay = found.into_iter().filter_map(|it| match it {
        Found::Stays { member, .. } => Some(member),
        Found::Goes { .. } => None,
    });
    (goes, stay.collect())
}

#[test]
fn own_binding_as_written_goes() {
    for issuer in [ISSUER, "https://storage.googleapis.com/old/p"] {
        assert_eq!(judged(WRITER, &me(), TITLE, &mark(CLUSTER, issuer), WRITTEN), (true, vec![]));
    }
}

#[test]
fn anything_else_stays() {
    let mine = mark(CLUSTER, ISSUER);
    let other = format!("{POOL}/subject/system:serviceaccount:shop:keyless");
    for (member, title, description, expression, named) in [
        // Of this cluster's publisher, and changed.
        (me(), TITLE, mine.clone(), "true".to_owned(), true),
        (me(), TITLE, mine.clone(), format!("{WRITTEN} || true"), true),
        (me(), TITLE, mine.clone(), WRITTEN.replace("buckets/old", "buckets/another"), true),
        (me(), TITLE, mine.clone(), WRITTEN.replace("p/openid/v1/jwks", ""), true),
        (me(), TITLE, mine.clone(), WRITTEN.replace("==", "!="), true),
        (me(), TITLE, mine.clone(), String::new(), true),
        (me(), "until-2031", mine.clone(), WRITTEN.to_owned(), true),
        (me(), TITLE, older_mark(ISSUER), WRITTEN.to_owned(), true),
        // Marked as this cluster's, and of another member.
        (other.clone(), TITLE, mine.clone(), WRITTEN.to_owned(), true),
        ("user:a@acme.example".to_owned(), TITLE, mine.clone(), WRITTEN.to_owned(), true),
        (format!("{}x", me()), TITLE, mine, WRITTEN.to_owned(), true),
        // Nothing says that it is this cluster's.
        (me(), TITLE, mark("other", ISSUER), WRITTEN.to_owned(), false),
        (me(), TITLE, "by hand".to_owned(), WRITTEN.to_owned(), false),
        (me(), TITLE, String::new(), WRITTEN.to_owned(), false),
        (other, TITLE, older_mark(ISSUER), WRITTEN.to_owned(), false),
    ] {
        let expected = if named { vec![member.clone()] } else { vec![] };
        let judged = judged(WRITER, &member, title, &description, &expression);
        assert_eq!(judged, (false, expected), "{member} {title} {description} {expression}");
    }
}

#[test]
fn other_roles_are_nobodys_former() {
    let mine = mark(CLUSTER, ISSUER);
    for role in ["roles/storage.objectViewer", "roles/storage.admin", "roles/storage.objectUser2"] {
        assert_eq!(judged(role, &me(), TITLE, &mine, WRITTEN), (false, vec![]), "{role}");
    }
    let plain = json!({ "bindings": [{ "role": WRITER, "members": [me()] }] });
    assert!(find(&Policy::new(plain), "old", &me(), CLUSTER).is_empty());
}

fn documents(are_at_issuer: bool) -> Documents {
    let objects = ["p/openid/v1/jwks", "p/.well-known/openid-configuration"].map(str::to_owned);
    Documents { bucket: "new".to_owned(), objects: objects.into(), are_at_issuer, each_was_asked: true }
}

/// Only the store's own URL proves what relying parties read.
#[test]
fn domain_may_lead_to_former_bucket() {
    let issuer = right().want.issuer;
    let before = read_before("old", &[], &documents(false));
    let why = documents(false).why_former_stays(&issuer, &before).unwrap();
    assert!(why.contains(ISSUER) && why.contains("may still lead to gs://old"), "{why}");
    assert_eq!(documents(true).why_former_stays(&issuer, &before), None);
    let warning = stays("old", &me(), &why, &documents(false)).message;
    let command = format!("remove-iam-policy-binding gs://old --role={WRITER} --member={} --all`)", me());
    assert!(warning.contains(&command), "{warning}");
}

/// Who may write which documents in the bucket of this run: the members that lose it.
fn here(member: &str, title: &str, description: &str, prefix: &str) -> Vec<(String, bool)> {
    let expression =
        WRITTEN.replace("buckets/old", "buckets/new").replace("objects/p/", &format!("objects/{prefix}"));
    let policy = Policy::new(json!({ "bindings": [{ "role": WRITER, "members": [member],
        "condition": { "title": title, "description": description, "expression": expression } }] }));
    let found = find_here(&policy, &documents(true), &me(), CLUSTER).into_iter();
    found
        .map(|it| match it {
            Found::Goes { member, .. } => (member, true),
            Found::Stays { member, .. } => (member, false),
        })
        .collect()
}

#[test]
fn other_documents_here_are_former() {
    let mine = mark(CLUSTER, ISSUER);
    let other = format!("{POOL}/subject/system:serviceaccount:shop:keyless");
    // A copy of this cluster has the same ID, and a publisher of its own.
    for (member, goes) in [(me(), true), (other, false)] {
        assert_eq!(here(&member, TITLE, &mine, "q/"), [(member.clone(), goes)]);
        // The right of this run, and what is planned beside it.
        assert!(here(&member, TITLE, &mine, "p/").is_empty());
        assert!(here(&member, "until-2031", &mine, "q/").is_empty());
        assert!(here(&member, TITLE, &mark("other", ISSUER), "q/").is_empty());
        assert!(here(&member, TITLE, "by hand", "q/").is_empty());
    }
    let condition =
        Condition { title: TITLE.into(), description: mine, expression: WRITTEN.replace("/old/", "/new/") };
    let binding = Binding { holder: Holder::Bucket("new".into()), role: WRITER, member: me(), seen: None };
    let change =
        goes(&documents(true), &right().state, binding, vec![condition], vec!["grant".into()]).unwrap();
    assert!(change.step.name.ends_with("for other documents"), "{:?}", change.step);
    assert_eq!(change.step.gate, Some(Gate::AfterIssuerSwitch));
    let warning = stays("new", &me(), "why", &documents(false)).message;
    assert!(warning.contains("--all`, then run setup again"), "{warning}");
}

#[test]
fn revocation_waits_for_the_new_right() {
    let case = right();
    let documents = documents(true);
    let holder = Holder::Bucket("old".to_owned());
    let binding = Binding { holder, role: WRITER, member: me(), seen: None };
    let change = goes(&documents, &case.state, binding, Vec::new(), vec!["grant".to_owned()]).unwrap();
    assert_eq!(change.step.action, Action::Revoke);
    assert_eq!(change.step.depends_on, ["grant"]);
    assert_eq!(change.step.gate, Some(Gate::AfterIssuerSwitch));
    assert!(change.step.reason.contains("gs://new"), "{:?}", change.step);
}

#[test]
fn names_in_warnings_are_no_commands() {
    let warning = stays("old$(x)", "user:`x`';rm", "why", &documents(true)).message;
    assert!(warning.contains("'gs://old$(x)'"), "{warning}");
    assert!(warning.contains(r"'user:`x`'\'';rm'"), "{warning}");
    let warning = stays("old", "user:x y\n", "why", &documents(true)).message;
    assert!(!warning.contains("gcloud") && !warning.contains('\n'), "{warning}");
    let many: Vec<_> = (0..7).map(|number| format!("b{number}")).collect();
    let warning = not_looked_at(&many, "no").message;
    assert!(warning.contains("b0, b1, b2, b3, b4 and 2 more"), "{warning}");
}
