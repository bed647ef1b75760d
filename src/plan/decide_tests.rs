//! Every line of the table, and what must hold for each of them.

use std::collections::BTreeMap;

use super::*;

const OWNERSHIPS: [Ownership; 5] = [
    Ownership::This,
    Ownership::OtherCluster,
    Ownership::OtherIssuer,
    Ownership::Unproven,
    Ownership::Foreign,
];
const LIFECYCLES: [Lifecycle; 3] = [Lifecycle::Active, Lifecycle::Disabled, Lifecycle::SoftDeleted];
const FITS: [Fit; 3] = [Fit::Equal, Fit::Different, Fit::Unfit];
const FOREIGNS: [Foreign; 3] = [Foreign::Refuse, Foreign::Use, Foreign::Update];

fn desires() -> Vec<Desired> {
    let present = [true, false].into_iter().flat_map(|create| {
        FOREIGNS.into_iter().map(move |foreign| Desired::Present(Permits { create, foreign }))
    });
    present.chain([true, false].map(|used_by_others| Desired::Absent { used_by_others })).collect()
}

fn observations() -> Vec<Observed> {
    let mut all = vec![Observed::Absent];
    for ownership in OWNERSHIPS {
        for lifecycle in LIFECYCLES {
            all.extend(FITS.map(|fit| Observed::Present { ownership, lifecycle, fit }));
        }
    }
    all
}

fn table() -> Vec<(Desired, Observed, Result<Action, Obstacle>)> {
    let of = |desired| observations().into_iter().map(move |it| (desired, it, decide(desired, it)));
    desires().into_iter().flat_map(of).collect()
}

/// What is there after the action, if it did what it is for.
fn done(action: Action, before: Observed) -> Observed {
    match (action, before) {
        (Action::Create, _) => Observed::active(Ownership::This, Fit::Equal),
        (Action::Delete, _) => Observed::Absent,
        (Action::Restore | Action::Enable | Action::Update, Observed::Present { ownership, .. }) => {
            Observed::active(ownership, Fit::Equal)
        }
        _ => before,
    }
}

#[test]
fn table_has_every_line() {
    assert_eq!(table().len(), 8 * 46);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (.., decision) in table() {
        *counts.entry(format!("{decision:?}")).or_default() += 1;
    }
    let expected = [
        // Ours that is disabled or soft-deleted × not unfit × six sets of permits.
        ("Ok(Enable)", 12),
        ("Ok(Restore)", 12),
        // Ours that differs × 6, another's that differs × 2 with its permission.
        ("Ok(Update)", 8),
        ("Ok(Create)", 3),
        // Ours, active or disabled × every fit, unused.
        ("Ok(Delete)", 6),
        // Ours and equal × 6, another's and equal × 4; to be absent: absent × 2, soft-deleted × 6.
        ("Ok(NoOp)", 18),
        ("Err(Missing)", 3),
        ("Err(OtherCluster)", 72),
        ("Err(OtherIssuer)", 72),
        ("Err(Unproven)", 72),
        // All of 72 but 4 no-ops and 2 updates.
        ("Err(Foreign)", 66),
        ("Err(Unfit)", 18),
        ("Err(Used)", 6),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(name, count)| (name.to_owned(), count)).into();
    assert_eq!(counts, expected);
}

#[test]
fn another_clusters_is_never_touched() {
    use Ownership::{OtherCluster, OtherIssuer, Unproven};
    for (desired, observed, decision) in table() {
        if let Observed::Present { ownership: OtherCluster | OtherIssuer | Unproven, .. } = observed {
            assert!(decision.is_err(), "{desired:?} {observed:?} {decision:?}");
        }
    }
}

#[test]
fn foreign_is_changed_only_with_permission() {
    for (desired, observed, decision) in table() {
        let Observed::Present { ownership: Ownership::Foreign, lifecycle, fit } = observed else { continue };
        let permitted = matches!(desired, Desired::Present(Permits { foreign: Foreign::Update, .. }));
        match decision {
            Ok(Action::NoOp) => assert_eq!((lifecycle, fit), (Lifecycle::Active, Fit::Equal)),
            Ok(Action::Update) => assert!(permitted, "{desired:?} {observed:?}"),
            Ok(action) => panic!("{action:?} of what another owner created: {desired:?} {observed:?}"),
            Err(obstacle) => assert_eq!(obstacle, Obstacle::Foreign),
        }
    }
}

#[test]
fn only_what_is_ours_is_deleted() {
    for (desired, observed, decision) in table() {
        let unused = desired == Desired::Absent { used_by_others: false };
        let live = matches!(
            observed,
            Observed::Present {
                ownership: Ownership::This,
                lifecycle: Lifecycle::Active | Lifecycle::Disabled,
                ..
            }
        );
        assert_eq!(decision == Ok(Action::Delete), unused && live, "{desired:?} {observed:?}");
    }
}

#[test]
fn only_what_is_absent_is_created() {
    for (desired, observed, decision) in table() {
        let permitted = matches!(desired, Desired::Present(Permits { create: true, .. }));
        let absent = observed == Observed::Absent;
        assert_eq!(decision == Ok(Action::Create), permitted && absent, "{desired:?} {observed:?}");
    }
}

#[test]
fn second_run_changes_nothing() {
    for (desired, observed, decision) in table() {
        let Ok(action) = decision else { continue };
        let after = done(action, observed);
        assert_eq!(decide(desired, after), Ok(Action::NoOp), "{desired:?} {observed:?} {action:?} {after:?}");
    }
}

#[test]
fn only_absent_is_missing() {
    for (desired, observed, decision) in table() {
        let missing = decision == Err(Obstacle::Missing);
        assert_eq!(decision.is_err() && observed == Observed::Absent, missing, "{desired:?} {observed:?}");
    }
}

#[test]
fn fewer_permits_never_do_more() {
    let rank = |foreign| FOREIGNS.iter().position(|it| *it == foreign);
    for (desired, observed, decision) in table() {
        let (Desired::Present(permits), Ok(action)) = (desired, decision) else { continue };
        for more in FOREIGNS.into_iter().filter(|more| rank(*more) >= rank(permits.foreign)) {
            let wider = Permits { create: true, foreign: more };
            assert_eq!(decide(Desired::Present(wider), observed), Ok(action), "{permits:?} {observed:?}");
        }
    }
}

#[test]
fn shared_resource_is_never_refused() {
    for ownership in [Ownership::This, Ownership::Foreign] {
        for fit in [Fit::Equal, Fit::Different] {
            let decision = decide(Desired::Present(Permits::SHARED), Observed::active(ownership, fit));
            assert_eq!(decision, Ok(if fit == Fit::Equal { Action::NoOp } else { Action::Update }));
        }
    }
}
