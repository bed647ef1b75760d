use serde_json::json;

use super::{
    super::{
        plan_tests::{Case, right},
        tests::{CLUSTER, ISSUER},
    },
    *,
};
use crate::federation::Publishes;

const ME: &str = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/subject/system:serviceaccount:keyless-system:keyless";

fn documents() -> Documents {
    let objects = ["openid/v1/jwks", ".well-known/openid-configuration"].map(|path| format!("p/{path}"));
    Documents {
        bucket: "acme".to_owned(),
        objects: objects.into(),
        are_at_issuer: true,
        each_was_asked: true,
    }
}

fn publisher() -> Workload {
    Workload::publisher("keyless-system/keyless".parse().unwrap(), Publishes::Documents(documents()))
}

fn with(bindings: &serde_json::Value) -> Case {
    let mut case = right();
    let policy = Policy::new(json!({ "etag": "e", "bindings": bindings }));
    case.seen(Holder::Bucket("acme".to_owned()), Seen::Known(policy));
    case.state.uniform = Some(true);
    case
}

fn planned(case: &Case) -> Result<Planned> {
    plan(&case.want, &publisher(), &documents(), ME, &case.state).map(|mut all| all.remove(0))
}

/// A binding of the publisher with this description and expression.
fn binding(description: &str, expression: &str) -> serde_json::Value {
    json!({ "role": WRITER, "members": [ME],
        "condition": { "title": TITLE, "description": description, "expression": expression } })
}

#[test]
fn condition_names_two_objects_only() {
    let wanted = condition(&right().want, &documents());
    assert_eq!(
        wanted.expression,
        r#"resource.name == "projects/_/buckets/acme/objects/p/openid/v1/jwks" || resource.name == "projects/_/buckets/acme/objects/p/.well-known/openid-configuration""#
    );
    assert!(wanted.description.chars().count() <= 256 && wanted.title.len() <= 100);
    // A quote in a name ends no text.
    let odd = Documents {
        bucket: "acme".to_owned(),
        objects: vec![r#"a" || true || ""#.to_owned()],
        ..documents()
    };
    let odd = condition(&right().want, &odd).expression;
    assert_eq!(odd, r#"resource.name == "projects/_/buckets/acme/objects/a\" || true || \"""#);
}

#[test]
fn publisher_gets_one_binding_once() {
    let case = with(&json!([]));
    let change = planned(&case).unwrap();
    assert_eq!(change.step.action, Action::Grant);
    let Some(Step::GrantIf { mut binding, old, new }) = change.act else { panic!("{:?}", change.step) };
    assert!(old.is_empty());
    let mut policy = binding.seen.take().unwrap();
    assert!(policy.grant_if(binding.role, &binding.member, &old, &new));
    let mut after = right();
    after.seen(Holder::Bucket("acme".to_owned()), Seen::Known(policy));
    assert!(!planned(&after).unwrap().is_pending());
}

#[test]
fn own_binding_is_set_right() {
    let mark = mark(CLUSTER, ISSUER);
    let mine = condition(&right().want, &documents()).expression;
    for bindings in [
        json!([binding(&mark, "true")]),
        json!([binding(&mark, &mine), binding(&mark, "true")]),
        json!([binding(&super::mark(CLUSTER, "https://former.example"), &mine)]),
    ] {
        let change = planned(&with(&bindings)).unwrap();
        assert_eq!(change.step.action, Action::Update, "{bindings}");
        let Some(Step::GrantIf { mut binding, old, new }) = change.act else { panic!() };
        let mut policy = binding.seen.take().unwrap();
        policy.grant_if(binding.role, &binding.member, &old, &new);
        assert_eq!(policy.conditions(WRITER, ME), [new], "{bindings}");
    }
}

/// They may still be read: what becomes of that right is decided apart.
#[test]
fn right_on_other_documents_stays_beside() {
    let mark = mark(CLUSTER, ISSUER);
    let mine = condition(&right().want, &documents()).expression;
    let other = mine.replace("objects/p/", "objects/q/");
    let case = with(&json!([binding(&mark, &other)]));
    let change = planned(&case).unwrap();
    assert_eq!(change.step.action, Action::Grant);
    assert!(!change.step.reason.contains("left beside it"), "{:?}", change.step);
    assert_eq!(done(&case).conditions(WRITER, ME).len(), 2);
    let both = with(&json!([binding(&mark, &other), binding(&mark, &mine)]));
    assert!(!planned(&both).unwrap().is_pending());
    let mut theirs = binding(&mark, &other);
    theirs["members"] = json!(["principal://a"]);
    let all = plan(&case.want, &publisher(), &documents(), ME, &with(&json!([theirs])).state).unwrap();
    assert_eq!(all.len(), 1, "the former publisher's");
}

#[test]
fn bindings_of_others_are_not_replaced() {
    let theirs = json!([binding("by hand", "true")]);
    let change = planned(&with(&theirs)).unwrap();
    assert_eq!(change.step.action, Action::Grant);
    assert!(change.step.reason.contains("left beside it"), "{:?}", change.step);
    let wide = json!([{ "role": WRITER, "members": [ME] }]);
    assert!(!planned(&with(&wide)).unwrap().is_pending());
    for other in [mark("other", ISSUER), "managed by keyless".to_owned()] {
        let refused = planned(&with(&json!([binding(&other, "true")]))).unwrap_err();
        assert_eq!(refused.code, Code::PublisherBinding, "{other}");
    }
}

#[test]
fn only_marked_bindings_are_withdrawn() {
    let mark = mark(CLUSTER, ISSUER);
    let pending = |bindings| {
        let case = with(&bindings);
        let all = withdraw(&case.want, &publisher(), ME, &case.state);
        (all.len(), all.iter().filter(|one| one.change.is_pending()).count())
    };
    assert_eq!(pending(json!([])), (0, 0));
    assert_eq!(pending(json!([binding(&mark, "true"), binding(&mark, "false")])), (1, 1));
    assert_eq!(pending(json!([binding("by hand", "true")])), (0, 0));
    assert_eq!(pending(json!([binding(&super::mark("other", ISSUER), "true")])), (1, 0));
    assert_eq!(pending(json!([{ "role": WRITER, "members": [ME] }])), (1, 0));
}

/// The bindings after everything that is planned was done.
fn done(case: &Case) -> Policy {
    let mut policy = case.state.policy(&Holder::Bucket("acme".to_owned())).unwrap().clone();
    for change in plan(&case.want, &publisher(), &documents(), ME, &case.state).unwrap() {
        match change.act {
            Some(Step::GrantIf { binding, old, new }) => {
                policy.grant_if(binding.role, &binding.member, &old, &new)
            }
            Some(Step::RevokeIf { binding, old }) => policy.revoke_if(binding.role, &binding.member, &old),
            act => panic!("{act:?}"),
        };
    }
    policy
}

#[test]
fn former_publishers_lose_their_right() {
    let mark = mark(CLUSTER, ISSUER);
    let of = |member: &str, description: &str| {
        json!({ "role": WRITER, "members": [member],
            "condition": { "title": TITLE, "description": description, "expression": "true" } })
    };
    let theirs = [
        of("principal://a", &super::mark("other", ISSUER)),
        of("principal://a", "by hand"),
        of("principal://a", "managed by keyless"),
        json!({ "role": WRITER, "members": ["principal://a"] }),
    ];
    let former = [of("principal://a", &mark), of("user:b@acme.example", &mark)];
    let case = with(&[&theirs[..], &former].concat().into());
    let all = plan(&case.want, &publisher(), &documents(), ME, &case.state).unwrap();
    let shown: Vec<_> = all.iter().map(|it| (it.step.action, it.step.reason.as_str())).collect();
    let gone = (Action::Revoke, "it is not the publisher any more");
    assert_eq!(shown[1..], [gone, gone]);
    let after = done(&case);
    let mut wanted = Policy::new(json!({ "etag": "e", "bindings": theirs }));
    wanted.grant_if(WRITER, ME, &[], &condition(&case.want, &documents()));
    assert_eq!(after, wanted);
    let mut again = right();
    again.seen(Holder::Bucket("acme".to_owned()), Seen::Known(after));
    let again = plan(&again.want, &publisher(), &documents(), ME, &again.state).unwrap();
    assert!(again.len() == 1 && !again[0].is_pending());
    // The way back takes both.
    let pending = withdraw(&case.want, &publisher(), ME, &case.state);
    assert_eq!(pending.iter().filter(|one| one.change.is_pending()).count(), 2);
}

#[test]
fn access_per_object_is_refused() {
    let mut case = with(&json!([]));
    case.state.uniform = Some(false);
    assert_eq!(planned(&case).unwrap_err().code, Code::BucketAccessPerObject);
}
