//! By values: what cannot be planned, and the way back.

use lab::{Curve, SigningKey};
use serde_json::json;

use super::{
    plan_tests::{Case, EMAIL, policy, right},
    roles::{ACCESSOR, WORKLOAD_USER},
    state::Seen,
    tests::{PRINCIPAL, keys, trust},
    withdraw::withdraw,
    *,
};
use crate::federation::reads;
use crate::{
    error::Code,
    federation::changes,
    google::Policy,
    plan::{Action, ownership::older_mark},
};

/// Nothing of this is touched, and each says what to do.
#[test]
fn what_is_refused() {
    type Damage = fn(&mut Case);
    let theirs: Damage = |case| case.provider().life.description = "Terraform".into();
    let their_pool: Damage = |case| case.pool().description = "Terraform".into();
    let unnamed: Damage = |case| case.provider().life.description = older_mark("https://other.example");
    let nothing: Damage = |_| {};
    let cases: Vec<(Code, Damage, Damage)> = vec![
        (Code::GooglePoolForeign, their_pool, |case| case.pool().disabled = true),
        (Code::GooglePoolForeign, their_pool, |case| case.pool().deleted = true),
        (Code::GooglePoolForeign, their_pool, |case| case.neighbour()),
        (Code::GoogleProviderForeign, theirs, |case| case.provider().life.disabled = true),
        (Code::GoogleProviderForeign, theirs, |case| case.provider().life.deleted = true),
        (Code::GoogleProviderForeign, theirs, |case| case.provider().issuer = "https://x.example".into()),
        (Code::GoogleProviderForeign, theirs, |case| case.provider().condition = "false".into()),
        (Code::GoogleProviderForeign, theirs, |case| case.provider().mapping.clear()),
        (Code::GoogleProviderForeign, theirs, |case| case.provider().audiences = vec!["a".into()]),
        (Code::GoogleProviderForeign, theirs, |case| case.provider().jwks.clear()),
        (Code::GoogleProviderForeign, theirs, |case| {
            case.provider().discovery = "https://x.example/d".into()
        }),
        (Code::GoogleProviderForeign, theirs, |case| case.settings.mode = Mode::Documents),
        (Code::GoogleProviderForeign, nothing, |case| case.provider().is_oidc = false),
        // Another issuer, no key in common, and a mark that names no cluster.
        (Code::GoogleOtherIssuer, unnamed, |case| {
            case.provider().issuer = "https://other.example".into();
            case.provider().jwks.clear();
        }),
        (Code::GoogleOtherIssuer, unnamed, |case| {
            case.provider().issuer = "https://other.example".into();
            case.provider().jwks = keys(&[&SigningKey::ec(Curve::P256)]).to_json();
        }),
        (Code::GoogleOtherCluster, nothing, |case| {
            case.neighbour();
            case.state.providers.remove(0);
            case.pool().description = older_mark("https://other.example");
        }),
        (Code::GoogleSubjectTooLong, nothing, |case| case.want.workloads[0].account.name = "a".repeat(89)),
        (Code::GoogleSecretName, nothing, |case| {
            case.want.workloads[0].rights.extend(reads(&["projects/p/secrets/db"]))
        }),
        (Code::GoogleServiceAccount, nothing, |case| case.settings.impersonate = Some("eso-reader".into())),
        (Code::GoogleKeyType, nothing, |case| case.want = trust(&[&case.key, &SigningKey::ec(Curve::P384)])),
        (Code::GoogleKeyType, nothing, |case| case.want = trust(&[&SigningKey::ec(Curve::P521)])),
        (
            Code::GoogleKeyType,
            |case| case.settings.mode = Mode::Documents,
            |case| {
                case.want = trust(&[&SigningKey::ec(Curve::P384)]);
            },
        ),
        (Code::GoogleTooManyKeys, nothing, |case| {
            let nine: Vec<_> = (0..9).map(|_| SigningKey::ec(Curve::P256)).collect();
            case.want = trust(&nine.iter().collect::<Vec<_>>());
        }),
        (Code::GoogleSecretMissing, nothing, |case| case.seen(Holder::Secret("db".into()), Seen::Absent)),
        (
            Code::GoogleServiceAccountMissing,
            |case| case.settings.impersonate = Some(EMAIL.into()),
            |case| case.seen(Holder::Account(EMAIL.into()), Seen::Absent),
        ),
    ];
    for (code, first, second) in cases {
        let mut case = right();
        first(&mut case);
        second(&mut case);
        let error = case.plan().map(|changes| panic!("{code}: {changes:#?}")).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(!error.hints.is_empty(), "{error}");
    }
}

#[test]
fn the_way_back() {
    let undone = |damage: fn(&mut Case)| {
        let mut case = right();
        damage(&mut case);
        changes(withdraw(&case.want, &case.state).unwrap())
    };
    let verbs = |changes: &[Planned]| changes.iter().map(|change| change.step.action).collect::<Vec<_>>();
    let changes = undone(|_| {});
    assert_eq!(verbs(&changes), [Action::Revoke, Action::Delete, Action::Delete]);
    assert!(changes[1].step.name.starts_with("provider") && changes[2].step.name.starts_with("pool"));
    assert!(changes[2].step.reason.contains("30 days"));
    assert!(
        changes[2]
            .step
            .needs()
            .starts_with("iam.workloadIdentityPools.delete (roles/iam.workloadIdentityPoolAdmin)")
    );

    let theirs = undone(|case| {
        case.pool().description = "Terraform".into();
        case.provider().life.description.clear();
    });
    assert_eq!(verbs(&theirs), [Action::Revoke, Action::NoOp, Action::NoOp]);
    assert!(theirs[2].step.reason.contains("`Terraform`"), "{}", theirs[2].step.reason);

    let shared = undone(|case| case.neighbour());
    assert_eq!(verbs(&shared), [Action::Revoke, Action::Delete, Action::NoOp]);
    assert_eq!(
        verbs(&undone(|case| case.pool().deleted = true)),
        [Action::Revoke, Action::Delete, Action::NoOp]
    );

    let gone = undone(|case| {
        case.state.pool = None;
        case.state.providers.clear();
        case.seen(Holder::Secret("db".into()), Seen::Absent);
    });
    assert!(gone.is_empty(), "{gone:#?}");

    let account = undone(|case| {
        case.seen(Holder::Account(EMAIL.into()), policy(WORKLOAD_USER, PRINCIPAL));
        case.seen(Holder::Project, policy(ACCESSOR, "user:ann@example.com"));
    });
    assert_eq!(verbs(&account), [Action::Revoke, Action::Revoke, Action::Delete, Action::Delete]);
    assert!(account[1].step.name.contains(WORKLOAD_USER), "{}", account[1].step.name);

    let conditional = undone(|case| {
        let binding = json!({"role": ACCESSOR, "members": [PRINCIPAL], "condition": {"title": "t"}});
        case.seen(Holder::Secret("db".into()), Seen::Known(Policy::new(json!({"bindings": [binding]}))));
    });
    assert_eq!(conditional[0].step.action, Action::NoOp);
}
