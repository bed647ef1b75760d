//! PURE. What is wanted × what is there → what must change, in the order in which it must be done:
//! services, pool, provider, bindings.

use super::{
    Deed, Patch, Planned, Plans, Settings, Step,
    bindings::bindings,
    mark::{mark, of_pool, of_provider},
    names::{Ids, check_email, check_subject},
    state::{Life, Provider, State},
    step::ordered,
    wanted::{RULES, Wanted},
};
use crate::{
    error::{Code, Error, Result},
    federation::{
        Trust, TrustedIssuer,
        resource::{leave, step},
    },
    google::needs,
    plan::{
        Action, Change, Desired, FieldChange, Fit, Gate, Observed, Obstacle, Permits, UNCHANGED, USED,
        decide,
        ownership::{Ownership, described},
    },
    shell,
};

/// Why a soft-deleted one of ours is not left to expire.
const RESTORED: &str =
    "it was deleted less than 30 days ago, and its name cannot be given to another until then";

/// What cannot work is refused before Google is asked anything.
pub(super) fn check(want: &Trust, settings: &Settings) -> Result<()> {
    want.subjects()?.iter().try_for_each(check_subject)?;
    RULES.check(want)?;
    settings.impersonate.as_deref().map_or(Ok(()), check_email)?;
    refuse_one_account_for_several(want, settings)?;
    want.named().into_iter().try_for_each(|right| super::named(right).map(drop))
}

/// All that become one service account can do what any of them may.
fn refuse_one_account_for_several(want: &Trust, settings: &Settings) -> Result<()> {
    let become_it: Vec<_> = want.workloads.iter().filter(|it| it.publishes.is_none()).collect();
    let (Some(email), [first, second, ..]) = (&settings.impersonate, become_it.as_slice()) else {
        return Ok(());
    };
    Err(Error::usage(
        Code::GoogleAccountShared,
        format!("{} and {} would both become the service account {email}", first.account, second.account),
    )
    .caused_by("each of them could then read what the other one reads")
    .hint("leave google.impersonate out: direct access grants each ServiceAccount its own secrets")
    .hint("or let the stores share one ServiceAccount, or set each up with a settings file of its own"))
}

/// What must change, and what is right already.
pub(super) fn plan(want: &Trust, settings: &Settings, state: &State) -> Result<Plans> {
    check(want, settings)?;
    let wanted = Wanted::new(want)?;
    let mut changes = notes(want, state);
    changes.extend(services(state));
    changes.push(pool(want, &wanted, state)?);
    changes.extend(neighbours(want, state));
    changes.push(provider(want, &wanted, state)?);
    let Plans { changes: bindings, impossible, own } = bindings(want, settings, state)?;
    changes.extend(bindings);
    ordered(changes.iter_mut().collect());
    Ok(Plans { changes, impossible, own })
}

/// What could not be seen, and what will not work although nothing prevents it.
fn notes(want: &Trust, state: &State) -> Vec<Planned> {
    let mut notes = Vec::new();
    if let Some(message) = &state.project_unseen {
        let why = format!(
            "Resource Manager does not show it ({message}); other services say that its number is {}",
            state.project.number
        );
        notes.push(leave(format!("project {}", state.ids.project), why));
    }
    if let Some(message) = &state.services.unseen {
        let why = format!("they may not be looked at ({message}), and are taken as enabled");
        notes.push(leave(format!("services of {}", state.ids.project), why));
    }
    let aside = RULES.left_aside(want).into_iter().map(|key| format!("{} ({})", key.kid(), key.describe()));
    let aside: Vec<_> = aside.collect();
    if want.issuer.published().is_some() && !aside.is_empty() {
        let why = "Google takes RSA and EC P-256 keys only: it refuses tokens signed with these";
        notes.push(leave(format!("keys {}", aside.join(", ")), why.to_owned()));
    }
    notes
}

fn services(state: &State) -> Option<Planned> {
    let missing = &state.services.missing;
    (!missing.is_empty()).then(|| {
        let name = format!("{} in {}", missing.join(", "), state.ids.project);
        let step = step(Action::Enable, name, "these services are needed, and are not enabled")
            .requires(needs("serviceusage.services.enable", &on_project(state)));
        Change::new(step, Step::Enable(missing.clone()))
    })
}

fn pool(want: &Trust, wanted: &Wanted, state: &State) -> Result<Planned> {
    let object = state.ids.shown_pool();
    let life = state.pool.as_ref().map(|pool| &pool.life);
    let ownership = of_pool(state, want);
    let (differences, patch) = life.map(|life| wanted.pool_changes(life)).unwrap_or_default();
    let observed = match (life, ownership) {
        (Some(life), Some(ownership)) => {
            let fit = match ownership {
                // All of a pool's providers share their principals.
                Ownership::Foreign if state.neighbours().next().is_some() => Fit::Unfit,
                Ownership::Foreign => Fit::of(!life.disabled),
                _ => Fit::of(differences.is_empty()),
            };
            Observed::Present { ownership, lifecycle: life.lifecycle(), fit }
        }
        _ => Observed::Absent,
    };
    let action = decide(Desired::Present(Permits::OURS_OR_FITTING), observed)
        .map_err(|obstacle| pool_refused(&object, obstacle, want, state))?;
    let (why, permission, deed) = match action {
        Action::NoOp => return Ok(unchanged(object, ownership, "")),
        Action::Create => {
            let why = "the cluster needs a pool of its own: all of a pool's providers share their principals";
            (why, "create", Deed::Create(wanted.pool()))
        }
        Action::Restore => (RESTORED, "undelete", Deed::Restore(patch)),
        Action::Enable => ("it is disabled: no token of it is accepted", "update", Deed::Patch(patch)),
        _ => ("it differs", "update", Deed::Patch(patch)),
    };
    let permission = format!("iam.workloadIdentityPools.{permission}");
    let step =
        step(action, &object, why).fields(differences).requires(needs(&permission, &on_project(state)));
    Ok(Change::new(step, Step::Pool(deed)))
}

/// `kept` follows the reason.
fn unchanged(object: String, ownership: Option<Ownership>, kept: &str) -> Planned {
    let why = if ownership == Some(Ownership::Foreign) { USED } else { UNCHANGED };
    leave(object, format!("{why}{kept}"))
}

fn pool_refused(object: &str, obstacle: Obstacle, want: &Trust, state: &State) -> Error {
    let ids = &state.ids;
    let life = state.pool.as_ref().map(|pool| pool.life.clone()).unwrap_or_default();
    let update = update_pool(ids);
    match obstacle {
        Obstacle::OtherCluster => of_another_cluster(object, &life, want, ids, &update),
        Obstacle::OtherIssuer => other_issuer(&ids.shown_provider(), state, want),
        Obstacle::Unproven => of_no_named_cluster(object, &life, want, ids, &update),
        Obstacle::Foreign | Obstacle::Unfit | Obstacle::Missing | Obstacle::Used => {
            foreign_pool(object, &life)
        }
    }
}

/// One that keyless did not create is used if it needs no change, and no one else logs in through it.
fn foreign_pool(object: &str, life: &Life) -> Error {
    let problem = if life.deleted {
        "is soft-deleted, and its name cannot be used for 30 days"
    } else if life.disabled {
        "is disabled"
    } else {
        "has other providers, whose tokens would be the same principals as this cluster's"
    };
    Error::failed(Code::GooglePoolForeign, format!("the {object} was not made by keyless, and {problem}"))
        .caused_by(described(&life.description))
        .hint("give the cluster a pool of its own: another google.pool")
        .hint("or, if it is yours: enable or undelete it by hand, and start again")
}

/// What another cluster's setup has made is that cluster's. `update` is what gcloud would be told to do with it.
pub(super) fn of_another_cluster(object: &str, life: &Life, want: &Trust, ids: &Ids, update: &str) -> Error {
    Error::failed(Code::GoogleOtherCluster, format!("the {object} belongs to another cluster"))
        .caused_by(described(&life.description))
        .hint("two clusters in one pool are the same principals: choose another google.pool")
        .hint(format!(
            "if that cluster is no more and this one takes its place: {}, and run setup again",
            describe(want, ids, update)
        ))
}

/// Everybody can write such a description; it takes the cluster's name in it to take something over.
pub(super) fn of_no_named_cluster(object: &str, life: &Life, want: &Trust, ids: &Ids, update: &str) -> Error {
    Error::failed(
        Code::GoogleOwnerUnknown,
        format!("the {object} does not say which cluster it was made for"),
    )
    .caused_by(described(&life.description))
    .caused_by("nothing in it believes the keys of this cluster, so it may be another's")
    .hint("choose another google.pool, one for each cluster")
    .hint(format!("if it is this cluster's: {}, and run setup again", describe(want, ids, update)))
}

/// The command that writes the mark of this cluster on something.
fn describe(want: &Trust, ids: &Ids, update: &str) -> String {
    format!(
        "`gcloud iam workload-identity-pools {update} --location=global --project={} --description={}`",
        ids.project,
        shell::quote(&mark(&want.cluster_id, want.issuer.as_str()))
    )
}

fn update_pool(ids: &Ids) -> String {
    format!("update {}", ids.pool)
}

pub(super) fn update_provider(ids: &Ids) -> String {
    format!("providers update-oidc {} --workload-identity-pool={}", ids.provider, ids.pool)
}

/// Other issuers whose tokens would be taken for this cluster's.
fn neighbours(want: &Trust, state: &State) -> Vec<Planned> {
    let others = state.neighbours().filter(|other| other.issuer != want.issuer.as_str());
    others
        .map(|other| {
            let issuer = if other.issuer.is_empty() { "no OIDC issuer" } else { &other.issuer };
            let why = format!(
                "it is in the same pool, so a subject of its issuer ({issuer}) with the same name has the same access: \
                 one pool for each cluster"
            );
            leave(format!("provider {} in the pool {}", other.id, state.ids.pool), why)
        })
        .collect()
}

fn provider(want: &Trust, wanted: &Wanted, state: &State) -> Result<Planned> {
    let object = state.ids.shown_provider();
    let found = state.provider();
    let ownership = found.map(|found| of_provider(found, want));
    let (differences, patch) = match found {
        Some(found) if ownership == Some(Ownership::This) => wanted.provider_changes(found)?,
        Some(found) => (unfit(wanted, found), Patch::default()),
        None => Default::default(),
    };
    let observed = match (found, ownership) {
        (Some(found), Some(ownership)) => {
            let fit = if found.is_oidc { Fit::of(differences.is_empty()) } else { Fit::Unfit };
            Observed::Present { ownership, lifecycle: found.life.lifecycle(), fit }
        }
        _ => Observed::Absent,
    };
    let action = decide(Desired::Present(Permits::OURS_OR_FITTING), observed)
        .map_err(|obstacle| provider_refused(&object, obstacle, &differences, want, state))?;
    let others = found.filter(|_| ownership == Some(Ownership::This)).map(|found| wanted.others(found));
    let kept = match others.unwrap_or_default() {
        others if others.is_empty() => String::new(),
        others => format!("; it also admits {}", others.join(", ")),
    };
    let believed = found.map(|found| found.issuer.as_str()).unwrap_or_default();
    let (why, permission, deed) = match action {
        Action::NoOp => return Ok(unchanged(object, ownership, &kept)),
        Action::Create => {
            let keys = match want.issuer {
                TrustedIssuer::Published(_) => "it fetches the keys from there",
                TrustedIssuer::Signed(_) => "with uploaded keys",
            };
            let why = format!("Google must believe {}: {keys}", want.issuer);
            (why, "create", Deed::Create(wanted.provider()))
        }
        Action::Restore => (RESTORED.to_owned(), "undelete", Deed::Restore(patch)),
        _ => (why_changed(action, &differences, believed) + &kept, "update", Deed::Patch(patch)),
    };
    // Tokens of the issuer that is trusted now are refused from then on.
    let moves = matches!(action, Action::Enable | Action::Update)
        && !believed.is_empty()
        && differs(&differences, "oidc.issuerUri");
    let permission = format!("iam.workloadIdentityPoolProviders.{permission}");
    let step = step(action, &object, why)
        .fields(differences)
        .requires(needs(&permission, &on_project(state)))
        .gated(moves.then_some(Gate::AfterIssuerSwitch));
    Ok(Change::new(step, Step::Provider(deed)))
}

fn differs(differences: &[FieldChange], field: &str) -> bool {
    differences.iter().any(|change| change.path == field)
}

/// In what a provider that keyless did not create would have to change.
fn unfit(wanted: &Wanted, found: &Provider) -> Vec<FieldChange> {
    if found.is_oidc {
        return wanted.unfit(found);
    }
    let [before, after] = ["not an OIDC provider", "an OIDC provider"].map(|text| Some(text.into()));
    vec![FieldChange::new("kind", before, after)]
}

/// `believed`: the issuer as it is now.
fn why_changed(action: Action, differences: &[FieldChange], believed: &str) -> String {
    let mut why = Vec::new();
    if action == Action::Enable {
        why.push("it is disabled: no token is exchanged".to_owned());
    }
    if differs(differences, "oidc.issuerUri") {
        why.push(format!("the issuer moves: tokens of {believed} are refused from then on"));
    }
    if why.is_empty() {
        why.push("it differs".to_owned());
    }
    if differs(differences, "attributeMapping") {
        why.push("another mapping changes who is meant by the bindings of this pool".to_owned());
    }
    why.join("; ")
}

fn provider_refused(
    object: &str,
    obstacle: Obstacle,
    differences: &[FieldChange],
    want: &Trust,
    state: &State,
) -> Error {
    let (ids, found) = (&state.ids, state.provider());
    let life = found.map(|found| found.life.clone()).unwrap_or_default();
    let update = update_provider(ids);
    match obstacle {
        Obstacle::OtherCluster => of_another_cluster(object, &life, want, ids, &update),
        Obstacle::OtherIssuer => other_issuer(object, state, want),
        Obstacle::Unproven => of_no_named_cluster(object, &life, want, ids, &update),
        Obstacle::Foreign | Obstacle::Unfit | Obstacle::Missing | Obstacle::Used => {
            foreign_provider(object, &life, differences, &describe(want, ids, &update))
        }
    }
}

/// `update` writes the mark of this cluster on it.
fn foreign_provider(object: &str, life: &Life, differences: &[FieldChange], update: &str) -> Error {
    let what = if life.deleted { "is soft-deleted" } else { "differs from what is needed" };
    let mut error = Error::failed(
        Code::GoogleProviderForeign,
        format!("the {object} was not made by keyless, and {what}"),
    )
    .caused_by(described(&life.description));
    for difference in differences {
        error = error.caused_by(difference.in_words());
    }
    error
        .hint("choose another google.provider or google.pool; what others have made is not touched")
        .hint(format!("or, if it is this cluster's: change it by hand, or let setup do it: {update}"))
}

/// Nothing shows that it is the same cluster whose issuer has moved (its mark does not name the cluster, and no key is
/// known to both), and to take over another cluster's provider would give this one its access.
fn other_issuer(object: &str, state: &State, want: &Trust) -> Error {
    let (ids, issuer) = (&state.ids, want.issuer.as_str());
    let have = state.provider().map_or("", |provider| provider.issuer.as_str());
    Error::failed(Code::GoogleOtherIssuer, format!("the {object} believes another issuer"))
        .caused_by(format_args!("it believes {have}, and the cluster's tokens come from {issuer}"))
        .hint("if that is another cluster: choose another google.pool, one for each cluster")
        .hint(format!(
            "if this cluster's issuer has moved: {} for the pool, and {} for the provider, and run setup again",
            describe(want, ids, &update_pool(ids)),
            describe(want, ids, &update_provider(ids)),
        ))
}

pub(super) fn on_project(state: &State) -> String {
    format!("the project {}", state.ids.project)
}
