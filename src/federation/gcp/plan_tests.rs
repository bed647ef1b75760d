//! By values: what is there, and what is planned.

use std::collections::BTreeMap;

use lab::{Curve, SigningKey};
use serde_json::{Value, json};

use super::{
    mark::mark,
    names::{Ids, Number, Project},
    plan::plan,
    roles::ACCESSOR,
    state::{Life, Pool, Provider, Seen, Services, State},
    tests::{CLUSTER, ISSUER, PRINCIPAL, SUBJECT, issuer, settings, trust},
    *,
};
use crate::{
    error::{Code, Error},
    google::Policy,
    plan::Action,
};

pub(super) const EMAIL: &str = "eso-reader@acme-prod.iam.gserviceaccount.com";
const OTHER: &str = "system:serviceaccount:shop:reader";

/// What is wanted and what is there, to be damaged.
pub(super) struct Case {
    pub(super) key: SigningKey,
    pub(super) settings: Settings,
    pub(super) want: Trust,
    pub(super) state: State,
}

fn life() -> Life {
    Life { deleted: false, disabled: false, description: mark(CLUSTER, ISSUER) }
}

pub(super) fn policy(role: &str, member: &str) -> Seen {
    Seen::Known(Policy::new(json!({"etag": "e", "bindings": [{"role": role, "members": [member]}]})))
}

pub(super) fn no_member() -> Seen {
    Seen::Known(Policy::new(json!({"etag": "ACAB"})))
}

/// Everything is as desired, with uploaded keys and direct access.
pub(super) fn right() -> Case {
    let key = SigningKey::ec(Curve::P256);
    let want = trust(&[&key]);
    let mapping = [
        ("google.subject", "assertion.sub"),
        ("attribute.namespace", "assertion['kubernetes.io']['namespace']"),
        ("attribute.service_account_name", "assertion['kubernetes.io']['serviceaccount']['name']"),
    ];
    let provider = Provider {
        id: "cluster".to_owned(),
        life: life(),
        mapping: mapping.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        condition: format!("assertion.sub in ['{SUBJECT}']"),
        issuer: ISSUER.to_owned(),
        audiences: Vec::new(),
        discovery: String::new(),
        jwks: want.keys.to_json(),
        is_oidc: true,
    };
    let state = State {
        ids: Ids::parse("acme-prod", "keyless-lab", "cluster").unwrap(),
        project: Project { id: "acme-prod".to_owned(), number: Number::parse("123456789012").unwrap() },
        project_unseen: None,
        services: Services { missing: Vec::new(), unseen: None },
        pool: Some(Pool { life: life() }),
        providers: vec![provider],
        uniform: None,
        bucket_project: None,
        policies: vec![
            (Holder::Project, Seen::Unknown),
            (Holder::Secret("db".to_owned()), policy(ACCESSOR, PRINCIPAL)),
        ],
    };
    Case { key, settings: settings("http://127.0.0.1:1", "t"), want, state }
}

impl Case {
    pub(super) fn provider(&mut self) -> &mut Provider {
        &mut self.state.providers[0]
    }

    pub(super) fn pool(&mut self) -> &mut Life {
        &mut self.state.pool.as_mut().unwrap().life
    }

    pub(super) fn seen(&mut self, holder: Holder, seen: Seen) {
        self.state.policies.retain(|(other, _)| *other != holder);
        self.state.policies.push((holder, seen));
    }

    pub(super) fn neighbour(&mut self) {
        let mut other = self.state.providers[0].clone();
        (other.id, other.issuer) = ("github".to_owned(), "https://token.actions.example.com".to_owned());
        other.life.description = "CI".to_owned();
        self.state.providers.push(other);
    }

    pub(super) fn plan(&self) -> Result<Vec<Planned>, Error> {
        let issuer = issuer(self.settings.mode, self.want.issuer.as_str());
        let want = Trust { issuer, ..self.want.clone() };
        plan(&want, &self.settings, &self.state).map(|plan| plan.changes)
    }
}

/// What is planned after this was done to what is right; `Leave`s left out.
pub(super) fn planned(damage: impl FnOnce(&mut Case)) -> Vec<Planned> {
    let mut case = right();
    damage(&mut case);
    let changes = case.plan().unwrap_or_else(|error| panic!("{error}"));
    for change in &changes {
        let leaves = change.step.action == Action::NoOp;
        assert_eq!(leaves, change.act.is_none(), "{change:?}");
        assert_eq!(leaves, change.step.requires.is_empty(), "{change:?}");
        assert!(!change.step.reason.is_empty() && !change.step.name.is_empty(), "{change:?}");
        assert!(leaves || change.step.needs().contains("(roles/"), "{change:?}");
    }
    changes.into_iter().filter(|change| change.step.action != Action::NoOp).collect()
}

fn fields(change: &Planned) -> Vec<&str> {
    change.step.fields.iter().map(|difference| difference.path.as_str()).collect()
}

pub(super) fn patch(change: &Planned) -> (&str, &Value) {
    let Some(Step::Pool(deed) | Step::Provider(deed)) = &change.act else { panic!("{change:?}") };
    match deed {
        Deed::Patch(patch) | Deed::Restore(patch) => (&patch.mask, &patch.body),
        Deed::Create(_) | Deed::Delete | Deed::Upload(_) => panic!("{change:?}"),
    }
}

#[test]
fn what_is_right_is_left() {
    assert!(planned(|_| {}).is_empty());
    let case = right();
    let verbs: Vec<_> = case.plan().unwrap().iter().map(|change| change.step.action).collect();
    assert_eq!(verbs, [Action::NoOp; 3], "pool, provider and binding are shown");
}

#[test]
fn plan_from_nothing_follows_design_order() {
    let changes = planned(|case| {
        case.state.services.missing = vec!["sts.googleapis.com"];
        case.state.pool = None;
        case.state.providers.clear();
        case.seen(Holder::Secret("db".to_owned()), no_member());
    });
    let verbs: Vec<_> = changes.iter().map(|change| change.step.action).collect();
    assert_eq!(verbs, [Action::Enable, Action::Create, Action::Create, Action::Grant]);
    assert_eq!(changes[1].step.name, "pool keyless-lab in acme-prod");
    assert_eq!(changes[2].step.name, "provider cluster in the pool keyless-lab");
    assert_eq!(changes[3].step.fields[0].after, Some(json!(PRINCIPAL)));
    assert!(
        changes[3].step.needs().starts_with("secretmanager.secrets.setIamPolicy (roles/secretmanager.admin)")
    );
}

#[test]
fn each_difference_has_its_exact_mask() {
    type Damage = fn(&mut Case);
    let damages: [(Damage, &str, Value); 9] = [
        (
            |case| drop(case.provider().mapping.remove("attribute.namespace")),
            "attributeMapping",
            json!({"attributeMapping": {"attribute.namespace": "assertion['kubernetes.io']['namespace']", "attribute.service_account_name": "assertion['kubernetes.io']['serviceaccount']['name']", "google.subject": "assertion.sub"}}),
        ),
        (
            |case| case.provider().condition.clear(),
            "attributeCondition",
            json!({"attributeCondition": format!("assertion.sub in ['{SUBJECT}']")}),
        ),
        (
            |case| {
                case.provider().condition =
                    "assertion['kubernetes.io']['namespace'] in ['external-secrets']".into()
            },
            "attributeCondition",
            json!({"attributeCondition": format!("assertion.sub in ['{SUBJECT}']")}),
        ),
        (
            |case| case.provider().audiences = vec!["a".into(), "b".into()],
            "oidc.allowedAudiences",
            json!({"oidc": {"allowedAudiences": []}}),
        ),
        (
            |case| case.provider().discovery = "https://other.example/.well-known/x".into(),
            "oidc.discoveryUri",
            json!({"oidc": {"discoveryUri": ""}}),
        ),
        (|case| case.provider().life.disabled = true, "disabled", json!({"disabled": false})),
        (
            |case| case.provider().life.description = "managed by keyless for https://old.example".into(),
            "description",
            json!({"description": mark(CLUSTER, ISSUER)}),
        ),
        (
            |case| {
                case.settings.mode = Mode::Documents;
            },
            "oidc.jwksJson",
            json!({"oidc": {"jwksJson": ""}}),
        ),
        (
            |case| case.provider().issuer = "https://old.example".into(),
            "oidc.issuerUri",
            json!({"oidc": {"issuerUri": ISSUER}}),
        ),
    ];
    for (damage, mask, body) in damages {
        let changes = planned(damage);
        assert_eq!(changes.len(), 1, "{mask}: {changes:#?}");
        assert_eq!(patch(&changes[0]), (mask, &body));
        assert_eq!(fields(&changes[0]), [mask]);
    }
    let changes = planned(|case| {
        case.provider().life.disabled = true;
        case.provider().audiences = vec!["a".into()];
        case.provider().condition = "true".into();
    });
    assert_eq!(changes[0].step.action, Action::Enable);
    assert_eq!(patch(&changes[0]).0, "attributeCondition,disabled,oidc.allowedAudiences");
}

#[test]
fn changed_mapping_names_its_consequence() {
    let changes = planned(|case| {
        case.provider().mapping =
            BTreeMap::from([("google.subject".to_owned(), "assertion.email".to_owned())]);
    });
    assert!(changes[0].step.reason.contains("changes who is meant"), "{}", changes[0].step.reason);
    assert!(changes[0].step.fields[0].in_words().contains("assertion.email"));
}

#[test]
fn keys_are_compared_as_keys() {
    let reordered = planned(|case| {
        let jwk = case.key.jwk();
        let members: Vec<_> = jwk.as_object().unwrap().iter().rev().collect();
        let text: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}: {value}")).collect();
        case.provider().jwks = format!("{{ \"keys\": [ {{ {} }} ] }}", text.join(", "));
    });
    assert!(reordered.is_empty(), "{reordered:#?}");
    let added = planned(|case| case.want = trust(&[&case.key, &SigningKey::ec(Curve::P256)]));
    assert_eq!(fields(&added[0]), ["oidc.jwksJson"]);
    assert_eq!(
        added[0].step.fields[0].after.as_ref().unwrap().as_array().unwrap().len(),
        2,
        "both kids are named"
    );
    let odd = planned(|case| case.provider().jwks = "not a key set".into());
    assert!(odd[0].step.fields[0].in_words().contains("cannot be read"));
}

#[test]
fn other_workloads_stay_in_the_condition() {
    let changes = planned(|case| case.provider().condition = format!("assertion.sub in [\"{OTHER}\"]"));
    let expected = format!("assertion.sub in ['{OTHER}', '{SUBJECT}']");
    assert_eq!(patch(&changes[0]).1["attributeCondition"], expected);
    assert!(changes[0].step.reason.contains(OTHER), "{}", changes[0].step.reason);
    let mut case = right();
    case.provider().condition = expected.clone();
    let changes = case.plan().unwrap();
    assert!(changes.iter().all(|change| change.step.action == Action::NoOp));
    assert!(changes[1].step.reason.contains(OTHER), "what is kept is shown: {}", changes[1].step.reason);

    // What is in no list of subjects is not kept.
    for condition in [
        "assertion.sub in ['a' + 'b']",
        "assertion.sub in []",
        "assertion.sub in ['*']",
        "true || assertion.sub in ['x']",
    ] {
        let changes = planned(|case| case.provider().condition = condition.into());
        assert_eq!(patch(&changes[0]).1["attributeCondition"], format!("assertion.sub in ['{SUBJECT}']"));
    }
    // A deleted provider comes back for the one that asks.
    let changes = planned(|case| {
        case.provider().condition = expected.clone();
        case.provider().life.deleted = true;
    });
    assert_eq!(patch(&changes[0]).1["attributeCondition"], format!("assertion.sub in ['{SUBJECT}']"));

    let mut case = right();
    let many: Vec<_> =
        (0..80).map(|n| format!("'system:serviceaccount:shop:a-rather-long-name-{n}'")).collect();
    case.provider().condition = format!("assertion.sub in [{}]", many.join(", "));
    case.provider().condition.truncate(4090);
    let end = case.provider().condition.rfind(", ").unwrap();
    case.provider().condition.truncate(end);
    case.provider().condition.push(']');
    let error = case.plan().unwrap_err();
    assert_eq!(error.code, Code::GoogleConditionTooLong, "{error}");
}

#[test]
fn deleted_or_disabled_objects_are_restored() {
    let changes = planned(|case| {
        case.pool().deleted = true;
        case.pool().disabled = true;
        case.provider().life.deleted = true;
    });
    let verbs: Vec<_> = changes.iter().map(|change| change.step.action).collect();
    assert_eq!(verbs, [Action::Restore, Action::Restore]);
    assert_eq!(patch(&changes[0]), ("disabled", &json!({"disabled": false})));
    assert_eq!(patch(&changes[1]).0, "");
    let changes = planned(|case| case.pool().disabled = true);
    assert_eq!((changes[0].step.action, patch(&changes[0]).0), (Action::Enable, "disabled"));
    // Deleted by someone who had decided it: it may come back for another issuer.
    let changes = planned(|case| {
        case.provider().life.deleted = true;
        case.provider().issuer = "https://old.example".into();
        case.provider().jwks.clear();
    });
    assert_eq!(changes[0].step.action, Action::Restore);
    assert_eq!(patch(&changes[0]).0, "oidc.issuerUri,oidc.jwksJson");
}

#[test]
fn correct_foreign_objects_are_used() {
    let theirs = planned(|case| {
        case.pool().description = "Terraform".into();
        case.provider().life.description.clear();
        case.provider().condition.clear();
        case.provider().mapping.remove("attribute.namespace");
    });
    assert!(theirs.is_empty(), "{theirs:#?}");
}

#[test]
fn keys_that_google_ignores_are_named() {
    let mut case = right();
    case.settings.mode = Mode::Documents;
    case.provider().jwks.clear();
    let aside = SigningKey::ec(Curve::P384);
    case.want = trust(&[&case.key, &aside]);
    let changes = case.plan().unwrap();
    assert_eq!(changes[0].step.action, Action::NoOp);
    assert!(
        changes[0].step.name.contains(&format!("{} (EC P-384)", aside.kid())),
        "{}",
        changes[0].step.name
    );
    let nine: Vec<_> = (0..9).map(|_| SigningKey::ec(Curve::P256)).collect();
    case.want = trust(&nine.iter().collect::<Vec<_>>());
    assert!(case.plan().is_ok(), "no limit when they are fetched");
}

#[test]
fn neighbours_in_pool_are_reported() {
    let mut case = right();
    case.neighbour();
    let changes = case.plan().unwrap();
    assert!(
        changes[1].step.name.contains("github")
            && changes[1].step.reason.contains("one pool for each cluster")
    );
    case.state.providers[1].life.disabled = true;
    assert_eq!(case.plan().unwrap().len(), 3, "nothing comes through a disabled one");
}
