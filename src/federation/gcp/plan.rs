//! PURE. What is wanted × what is there → what must change, in the order in which it must be done:
//! services, pool, provider, bindings.

use super::{
    Deed, Planned, Plans, Settings, Step,
    bindings::bindings,
    mark::{Owner, mark},
    names::{Ids, check_email, check_subject},
    state::{Life, State},
    step::ordered,
    wanted::{RULES, Wanted, knows_a_key},
};
use crate::{
    error::{Code, Error, Result},
    federation::{Trust, TrustedIssuer},
    google::needs,
    plan::{self, Action, Change, FieldChange, Gate, Target},
    shell,
};

/// What cannot work is refused before Google is asked anything.
pub(super) fn check(want: &Trust, settings: &Settings) -> Result<()> {
    check_subject(&want.subject()?)?;
    RULES.check(want)?;
    settings.impersonate.as_deref().map_or(Ok(()), check_email)?;
    want.rights.iter().chain(&want.revoked).try_for_each(|right| super::named(right).map(drop))
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
    let Plans { changes: bindings, impossible } = bindings(want, settings, state)?;
    changes.extend(bindings);
    ordered(changes.iter_mut().collect());
    Ok(Plans { changes, impossible })
}

/// What could not be seen, and what will not work although nothing stands against it.
fn notes(want: &Trust, state: &State) -> Vec<Planned> {
    let mut notes = Vec::new();
    if let Some(said) = &state.project_unseen {
        let why = format!(
            "Resource Manager does not show it ({said}); other services say that its number is {}",
            state.project.number
        );
        notes.push(leave(format!("project {}", state.ids.project), why));
    }
    if let Some(said) = &state.services.unseen {
        let why = format!("they may not be looked at ({said}), and are taken as enabled");
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
    let change = |action, why: &str, permission: &str, fields: Vec<FieldChange>, deed| {
        let permission = format!("iam.workloadIdentityPools.{permission}");
        let step = step(action, &object, why).fields(fields).requires(needs(&permission, &on_project(state)));
        Change::new(step, Step::Pool(deed))
    };
    let Some(life) = state.pool.as_ref().map(|pool| &pool.life) else {
        let why = "the cluster needs a pool of its own: all of a pool's providers share their principals";
        return Ok(change(Action::Create, why, "create", Vec::new(), Deed::Create(wanted.pool())));
    };
    match life.owner(&want.cluster_id) {
        Owner::This => {}
        Owner::Other(_) => {
            return Err(of_another_cluster(&object, life, want, &state.ids, &update_pool(&state.ids)));
        }
        Owner::None => return foreign_pool(&object, life, state),
        // It does not say whose it is; a provider in it that believes this very cluster does.
        Owner::Unnamed => match state.provider() {
            Some(provider) if provider.believes(want) || knows_a_key(provider, &want.keys) => {}
            Some(provider) if provider.is_oidc && provider.issuer != want.issuer.as_str() => {
                return Err(other_issuer(&state.ids.shown_provider(), state, &provider.issuer, want));
            }
            // Others log in through it, and this cluster does not.
            None if state.neighbours().next().is_some() => {
                return Err(of_another_cluster(&object, life, want, &state.ids, &update_pool(&state.ids)));
            }
            _ => return Err(of_no_named_cluster(&object, life, want, &state.ids, &update_pool(&state.ids))),
        },
    }
    let (differences, patch) = wanted.pool_changes(life);
    if life.deleted {
        let why = "it was deleted less than 30 days ago, and its name cannot be given to another until then";
        return Ok(change(Action::Restore, why, "undelete", differences, Deed::Restore(patch)));
    }
    Ok(match differences.is_empty() {
        true => leave(object, "it is as it should be".to_owned()),
        false if life.disabled => change(
            Action::Enable,
            "it is disabled: no token of it is accepted",
            "update",
            differences,
            Deed::Patch(patch),
        ),
        false => change(Action::Update, "it differs", "update", differences, Deed::Patch(patch)),
    })
}

/// One that somebody else made is used if it needs no change, and is nobody else's in fact.
fn foreign_pool(object: &str, life: &Life, state: &State) -> Result<Planned> {
    let problem = if life.deleted {
        "is soft-deleted, and its name cannot be used for 30 days"
    } else if life.disabled {
        "is disabled"
    } else if state.neighbours().next().is_some() {
        "has other providers, whose tokens would be the same principals as this cluster's"
    } else {
        return Ok(leave(
            object.to_owned(),
            "keyless did not make it; it is as it should be and is used as it is".to_owned(),
        ));
    };
    Err(Error::failed(
        Code::GooglePoolForeign,
        format!("the {object} was not made by keyless, and {problem}"),
    )
    .caused_by(format_args!("its description is `{}`", life.description.escape_debug()))
    .hint("give the cluster a pool of its own: another google.pool")
    .hint("or, if it is yours: enable or undelete it by hand, and start again"))
}

/// What another cluster's setup has made is that cluster's. `update` is what gcloud would be told to do with it.
fn of_another_cluster(object: &str, life: &Life, want: &Trust, ids: &Ids, update: &str) -> Error {
    Error::failed(Code::GoogleOtherCluster, format!("the {object} belongs to another cluster"))
        .caused_by(format_args!("its description is `{}`", life.description.escape_debug()))
        .hint("two clusters in one pool are the same principals: choose another google.pool")
        .hint(format!(
            "if that cluster is no more and this one takes its place: {}, and run setup again",
            describe(want, ids, update)
        ))
}

/// Everybody can write such a description; it takes the cluster's name in it to take something over.
fn of_no_named_cluster(object: &str, life: &Life, want: &Trust, ids: &Ids, update: &str) -> Error {
    Error::failed(
        Code::GoogleOwnerUnknown,
        format!("the {object} does not say which cluster it was made for"),
    )
    .caused_by(format_args!("its description is `{}`", life.description.escape_debug()))
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

fn update_provider(ids: &Ids) -> String {
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
    let change = |action, why: String, permission: &str, fields: Vec<FieldChange>, deed| {
        let permission = format!("iam.workloadIdentityPoolProviders.{permission}");
        let step = step(action, &object, why).fields(fields).requires(needs(&permission, &on_project(state)));
        Change::new(step, Step::Provider(deed))
    };
    let keys = match want.issuer {
        TrustedIssuer::Published(_) => "it fetches the keys from there",
        TrustedIssuer::Signed(_) => "with uploaded keys",
    };
    let Some(found) = state.provider() else {
        let why = format!("Google must believe {}: {keys}", want.issuer);
        return Ok(change(Action::Create, why, "create", Vec::new(), Deed::Create(wanted.provider())));
    };
    let owner = found.life.owner(&want.cluster_id);
    if let Owner::Other(_) = owner {
        let update = update_provider(&state.ids);
        return Err(of_another_cluster(&object, &found.life, want, &state.ids, &update));
    }
    if owner == Owner::None || !found.is_oidc {
        let mut differences = wanted.unfit(found);
        if !found.is_oidc {
            let [before, after] = ["not an OIDC provider", "an OIDC provider"].map(|text| Some(text.into()));
            differences = vec![FieldChange::new("kind", before, after)];
        }
        if found.life.deleted || !differences.is_empty() {
            let update = describe(want, &state.ids, &update_provider(&state.ids));
            return Err(foreign_provider(&object, &found.life, &differences, &update));
        }
        let why = "keyless did not make it; it is as it should be and is used as it is";
        return Ok(leave(object, why.to_owned()));
    }
    let moved = found.issuer != want.issuer.as_str();
    if owner == Owner::Unnamed && moved && !knows_a_key(found, &want.keys) {
        return Err(other_issuer(&object, state, &found.issuer, want));
    }
    if owner == Owner::Unnamed && !found.believes(want) && !knows_a_key(found, &want.keys) {
        let update = update_provider(&state.ids);
        return Err(of_no_named_cluster(&object, &found.life, want, &state.ids, &update));
    }
    let (differences, patch) = wanted.provider_changes(found)?;
    if found.life.deleted {
        let why = "it was deleted less than 30 days ago, and its name cannot be given to another until then";
        return Ok(change(Action::Restore, why.to_owned(), "undelete", differences, Deed::Restore(patch)));
    }
    let others = wanted.others(found);
    let kept = match others.is_empty() {
        true => String::new(),
        false => format!("; it also admits {}", others.join(", ")),
    };
    if differences.is_empty() {
        return Ok(leave(object, format!("it is as it should be{kept}")));
    }
    let differs = |field: &str| differences.iter().any(|change| change.path == field);
    let mut why = Vec::new();
    if found.life.disabled {
        why.push("it is disabled: no token is exchanged".to_owned());
    }
    if moved {
        why.push(format!("the issuer moves: tokens of {} are refused from then on", found.issuer));
    }
    if why.is_empty() {
        why.push("it differs".to_owned());
    }
    if differs("attributeMapping") {
        why.push("another mapping changes who is meant by the bindings of this pool".to_owned());
    }
    let why = why.join("; ") + &kept;
    let action = if found.life.disabled { Action::Enable } else { Action::Update };
    let mut change = change(action, why, "update", differences, Deed::Patch(patch));
    // Tokens of the issuer that is trusted now are refused from then on.
    change.step.gate = (moved && !found.issuer.is_empty()).then_some(Gate::AfterIssuerSwitch);
    Ok(change)
}

/// `update` writes the mark of this cluster on it.
fn foreign_provider(object: &str, life: &Life, differences: &[FieldChange], update: &str) -> Error {
    let what = if life.deleted { "is soft-deleted" } else { "differs from what is needed" };
    let mut error = Error::failed(
        Code::GoogleProviderForeign,
        format!("the {object} was not made by keyless, and {what}"),
    )
    .caused_by(format_args!("its description is `{}`", life.description.escape_debug()));
    for difference in differences {
        error = error.caused_by(difference.in_words());
    }
    error
        .hint("choose another google.provider or google.pool; what others have made is not touched")
        .hint(format!("or, if it is this cluster's: change it by hand, or let setup do it: {update}"))
}

/// Nothing shows that it is the same cluster whose issuer has moved (its mark does not name the cluster, and no key is
/// known to both), and to take over another cluster's provider would give this one its access.
fn other_issuer(object: &str, state: &State, have: &str, want: &Trust) -> Error {
    let (ids, issuer) = (&state.ids, want.issuer.as_str());
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

/// At Google.
pub(super) fn step(action: Action, name: impl Into<String>, reason: impl Into<String>) -> plan::Step {
    plan::Step::new(Target::ProviderResource, action, name, reason)
}

pub(super) fn leave(object: String, why: String) -> Planned {
    Change::no_op(Target::ProviderResource, object, why)
}
