//! Whose pool and provider it is, and an issuer that moves: by values, and against the stand-in.

use lab::{Curve, SigningKey};
use serde_json::json;

use super::{
    mark::mark,
    plan_tests::{Case, right},
    tests::*,
    withdraw::withdraw,
    *,
};
use crate::federation::reading;
use crate::{
    error::{Code, Error},
    plan::{Action, ownership::older_mark},
};

const OTHER: &str = "ffffffff-7f0f-4c55-9f0e-3b6f8f1f2a11";
const DOCUMENTS: &str = "https://storage.googleapis.com/acme-oidc";

fn theirs() -> String {
    mark(OTHER, ISSUER)
}

fn refused(damage: impl FnOnce(&mut Case)) -> Error {
    let mut case = right();
    damage(&mut case);
    case.plan().map(|changes| panic!("{changes:#?}")).unwrap_err()
}

fn changes(damage: impl FnOnce(&mut Case)) -> Vec<Planned> {
    let mut case = right();
    damage(&mut case);
    let changes = case.plan().unwrap_or_else(|error| panic!("{error}"));
    changes.into_iter().filter(|change| change.step.action != Action::NoOp).collect()
}

#[test]
fn objects_of_other_clusters_are_refused() {
    type Damage = fn(&mut Case);
    let states: [Damage; 4] = [
        |_| {},
        |case| (case.pool().deleted, case.provider().life.deleted) = (true, true),
        |case| (case.pool().disabled, case.provider().life.disabled) = (true, true),
        |case| case.provider().issuer = "https://moved.example".into(),
    ];
    for state in states {
        let pool = refused(|case| {
            state(case);
            case.pool().description = theirs();
        });
        let provider = refused(|case| {
            state(case);
            case.provider().life.description = theirs();
        });
        for (error, object) in [(pool, "pool keyless-lab"), (provider, "provider cluster")] {
            assert_eq!(error.code, Code::GoogleOtherCluster, "{error}");
            assert!(error.message.contains(object) && error.causes[0].contains(OTHER), "{error}");
            assert!(error.hints[0].contains("another google.pool"), "{error}");
            assert!(
                error.hints[1].contains(&format!("--description='{}'", mark(CLUSTER, ISSUER))),
                "{error}"
            );
        }
    }
}

#[test]
fn older_marks_are_ours_and_updated() {
    for older in [older_mark(ISSUER), older_mark("https://old.example"), "managed by keyless".to_owned()] {
        let changes = changes(|case| {
            case.pool().description = older.clone();
            case.provider().life.description = older.clone();
        });
        assert_eq!(verbs(&changes), [Action::Update, Action::Update], "{changes:#?}");
        for change in &changes {
            let difference = &change.step.fields[0];
            assert_eq!((change.step.fields.len(), &*difference.path), (1, "description"));
            let values = (&difference.before, &difference.after);
            assert_eq!(values, (&Some(json!(older)), &Some(json!(mark(CLUSTER, ISSUER)))));
        }
    }
}

/// With a mark of this cluster no key has to be known to both; with an older one it has.
#[test]
fn marked_cluster_may_move_its_issuer() {
    let moves = |older: bool, known: bool| {
        let mut case = right();
        case.provider().issuer = "https://old.example".into();
        case.provider().life.description =
            if older { older_mark("https://old.example") } else { mark(CLUSTER, "https://old.example") };
        if !known {
            case.provider().jwks.clear();
        }
        case.plan()
    };
    for (older, known) in [(false, false), (false, true), (true, true)] {
        let changes = moves(older, known).unwrap();
        let provider = changes.iter().find(|change| change.step.name.starts_with("provider")).unwrap();
        assert_eq!(provider.step.action, Action::Update);
        assert!(
            provider.step.reason.contains("tokens of https://old.example are refused from then on"),
            "{}",
            provider.step.reason
        );
        let issuer = provider.step.fields.iter().find(|it| it.path == "oidc.issuerUri").unwrap();
        let values = (&issuer.before, &issuer.after);
        assert_eq!(values, (&Some(json!("https://old.example")), &Some(json!(ISSUER))));
    }
    assert_eq!(moves(true, false).unwrap_err().code, Code::GoogleOtherIssuer);
    // Disabled and moved: both are reported.
    let changes = changes(|case| {
        case.provider().issuer = "https://old.example".into();
        case.provider().life.disabled = true;
    });
    assert_eq!(changes[0].step.action, Action::Enable);
    assert!(
        changes[0].step.reason.contains("disabled")
            && changes[0].step.reason.contains("refused from then on")
    );
}

#[test]
fn withdrawal_leaves_objects_of_other_clusters() {
    type Damage = fn(&mut Case);
    let cases: [(Damage, [Action; 3]); 3] = [
        (|case| case.pool().description = theirs(), [Action::NoOp, Action::Delete, Action::NoOp]),
        // Without its pool, the other cluster's provider is gone as well.
        (|case| case.provider().life.description = theirs(), [Action::NoOp; 3]),
        (
            |case| {
                case.pool().description = theirs();
                case.provider().life.description = theirs();
            },
            [Action::NoOp; 3],
        ),
    ];
    for (damage, expected) in cases {
        let mut case = right();
        damage(&mut case);
        let changes = crate::federation::changes(withdraw(&case.want, &case.state).unwrap());
        assert_eq!(verbs(&changes), expected, "{changes:#?}");
        assert!(
            changes[0].step.reason.contains(OTHER),
            "its principal is the other's: {}",
            changes[0].step.reason
        );
    }
}

#[tokio::test]
async fn pool_of_other_cluster_stays_unchanged() {
    let far = Far::new();
    far.set_up().await.unwrap();
    let mut other = trust(&[&SigningKey::ec(Curve::P256)]);
    other.cluster_id = OTHER.to_owned();
    let before = (far.pool(), far.provider(), far.google.policy("secrets/db"));
    far.google.faults().forget();
    let error = do_all(&far.gcp(), &other).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleOtherCluster, "{error}");
    let gcp = far.gcp();
    let changes = crate::federation::changes(gcp.withdraw(&other).await.unwrap());
    assert!(verbs(&changes).iter().all(|verb| *verb == Action::NoOp), "{changes:#?}");
    assert_eq!(far.writes(), Vec::<String>::new());
    assert_eq!((far.pool(), far.provider(), far.google.policy("secrets/db")), before);

    // In the same pool, beside the other cluster's provider.
    let mut beside = far.settings.clone();
    beside.provider = "other-cluster".to_owned();
    let error = do_all(&connect(&beside), &other).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleOtherCluster, "{error}");
    // Taken over with the words that the error says.
    for provider in [None, Some("cluster")] {
        far.google.write("keyless-lab", provider, |it| it["description"] = json!("managed by keyless"));
    }
    other.keys = keys(&[&far.key]);
    do_all(&far.gcp(), &other).await.unwrap();
    assert_eq!(far.provider()["description"], mark(OTHER, ISSUER));
}

#[tokio::test]
async fn name_taken_by_cluster_is_refused() {
    let far = Far::new();
    let gcp = far.gcp();
    let planned = gcp.plan(&far.trust()).await.unwrap().changes;
    far.google.write("keyless-lab", None, |it| it["description"] = json!(theirs()));
    let pool = planned.iter().find(|change| change.step.name.starts_with("pool")).unwrap();
    let error = pool.run(&mut |_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleConflict, "{error}");
    assert_eq!(far.pool()["description"], theirs());
}

/// Documents, uploaded keys, and back, each with the issuer that it had and with another.
#[tokio::test]
async fn modes_can_be_switched_both_ways() {
    for (first, second) in [(Mode::Documents, Mode::Uploaded), (Mode::Uploaded, Mode::Documents)] {
        for moves in [false, true] {
            let mut far = Far::new();
            let mut want = far.trust();
            for (step, mode) in [first, second, first].into_iter().enumerate() {
                let text = if moves && step % 2 == 1 { ISSUER } else { DOCUMENTS };
                want.issuer = issuer(mode, text);
                // The keys rotate meanwhile: none is known to both.
                let key = SigningKey::ec(Curve::P256);
                want.keys = keys(&[&key]);
                far.settings.mode = mode;
                let changes = do_all(&far.gcp(), &want).await.unwrap_or_else(|error| panic!("{error}"));
                let provider =
                    changes.iter().find(|change| change.step.name.starts_with("provider")).unwrap();
                let expected = if step == 0 { Action::Create } else { Action::Update };
                assert_eq!(provider.step.action, expected, "{changes:#?}");
                assert_eq!(provider.step.reason.contains("refused from then on"), moves && step > 0);
                let oidc = far.provider()["oidc"].clone();
                assert_eq!(oidc["issuerUri"], text);
                match mode {
                    Mode::Documents => assert!(oidc["jwksJson"].is_null(), "{oidc:#}"),
                    Mode::Uploaded => {
                        assert!(oidc["jwksJson"].as_str().unwrap().contains(&key.kid()));
                        let token = token(&key, |claims| claims["iss"] = json!(text));
                        let findings = far.gcp().probe(&token, &reading("db"), &mut |_: &str| ()).await;
                        assert!(findings.iter().all(|finding| !finding.is_failed()), "{findings:?}");
                    }
                }
                let again = do_all(&far.gcp(), &want).await.unwrap();
                assert!(verbs(&again).iter().all(|verb| *verb == Action::NoOp), "{again:#?}");
            }
        }
    }
}
