//! PURE. What is, against what is wanted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    AUDIENCE, Planned, Settings, Step,
    observe::{Provider, Role},
    obstacle, policy,
    wanted::{self, mark, ownership, provider_arn, role_arn, subjects},
};
use crate::{
    error::Result,
    federation::{Naming, Trust, Workload},
    plan::{
        self, Action, Change, Desired, FieldChange, Fit, Gate, Permits, Target, UNCHANGED, USED, decide,
        ownership::Ownership,
    },
};

/// Why one of ours is updated.
const DIFFERS: &str = "it is ours and differs from what is wanted";

/// The OIDC provider, which all workloads share.
pub(super) fn plan_provider(settings: &Settings, want: &Trust, have: Option<&Provider>) -> Result<Planned> {
    let (object, arn) = (provider_object(want), provider_arn(settings, want));
    let ownership = have.map(|have| ownership(have.mark.as_deref(), want));
    let takes = have.is_some_and(|have| have.client_ids.iter().any(|id| id == AUDIENCE));
    let seen = ownership.map_or(plan::Observed::Absent, |it| plan::Observed::active(it, Fit::of(takes)));
    let action = decide(Desired::Present(Permits::OURS_OR_FITTING), seen)
        .map_err(|obstacle| obstacle::of_provider(settings, want, have, obstacle))?;
    let ids = |ids: &[String]| Some(json!(ids));
    Ok(match action {
        Action::NoOp if ownership == Some(Ownership::Foreign) => leave(&object, USED),
        Action::NoOp => leave(&object, UNCHANGED),
        Action::Create => {
            let step = Step::CreateProvider { url: want.issuer.as_str().to_owned(), mark: mark(want) };
            let why = format!("AWS fetches the keys of {}", want.issuer);
            let field = FieldChange::new("clientIds", None, ids(&[AUDIENCE.to_owned()]));
            change(action, &object, why, vec![field], step)
                .requires(format!("iam:CreateOpenIDConnectProvider on {arn}"))
                .requires(format!("iam:TagOpenIDConnectProvider on {arn}"))
        }
        action => {
            let before = have.map(|have| have.client_ids.clone()).unwrap_or_default();
            let mut after = before.clone();
            after.push(AUDIENCE.to_owned());
            let field = FieldChange::new("clientIds", ids(&before), ids(&after));
            change(
                action,
                &object,
                "it does not take the audience of the operator's tokens",
                vec![field],
                Step::AddClient(arn.clone()),
            )
            .requires(format!("iam:AddClientIDToOpenIDConnectProvider on {arn}"))
        }
    })
}

/// Role and policy of a workload; `settings` name its role. `before`: the step that comes before them.
pub(super) fn plan_workload(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    have: Option<&Role>,
    before: Option<String>,
) -> Result<Vec<Planned>> {
    let mut changes =
        vec![plan_role(settings, want, workload, have)?, plan_policy(settings, want, workload, have)?];
    in_turn(&mut changes.iter_mut().collect::<Vec<_>>(), before);
    Ok(changes)
}

fn plan_role(settings: &Settings, want: &Trust, workload: &Workload, have: Option<&Role>) -> Result<Planned> {
    let (object, arn) = (role_object(settings), role_arn(settings));
    let subject = workload.subject()?;
    let wanted = wanted::trust(settings, want, &subject);
    let ownership = have.map(|have| ownership(have.mark.as_deref(), want));
    let trusts = have.and_then(|have| have.trust.as_ref());
    if let (Some(have), Some(Ownership::This)) = (have, ownership) {
        // Another workload has the role by its own right. What lets in more than single ones is narrowed where the settings
        // name the role.
        match have.trust.as_ref().and_then(subjects) {
            Some(all) if all == [subject.as_str()] => {}
            None if workload.naming == Naming::AsSet => {}
            _ => return Err(obstacle::role_of_another(settings, workload)),
        }
    }
    let fits = trusts.is_some_and(|have| policy::same(have, &wanted));
    let seen = ownership.map_or(plan::Observed::Absent, |it| plan::Observed::active(it, Fit::of(fits)));
    let action = decide(Desired::Present(Permits::OURS), seen)
        .map_err(|obstacle| obstacle::of_role(settings, want, have, obstacle))?;
    if action == Action::Update && have.is_some_and(|have| !have.others.is_empty()) {
        return Err(obstacle::role_with_other_policies(settings, &others(have)));
    }
    let also = match have.map(|have| have.others.as_slice()) {
        Some([_, ..]) => format!("; it also has policies that keyless did not write: {}", others(have)),
        _ => String::new(),
    };
    let before = trusts.map(|trust| {
        json!(subjects(trust).map_or_else(|| "more than single ServiceAccounts".into(), |all| all.join(", ")))
    });
    let field = FieldChange::new("trusts", before, Some(json!(subject.as_str())));
    Ok(match action {
        Action::NoOp => leave(&object, format!("{UNCHANGED}{also}")),
        Action::Create => {
            let why = format!("tokens of {} get its rights, for an hour at most", workload.account);
            change(action, &object, why, vec![field], Step::CreateRole { trust: wanted, mark: mark(want) })
                .requires(format!("iam:CreateRole on {arn}"))
                .requires(format!("iam:TagRole on {arn}"))
        }
        action => {
            // Tokens of the issuer that is trusted now are refused from then on.
            let moves = trusts.is_some_and(|trust| trust_of_other_issuer(trust, &wanted));
            let why = format!("{DIFFERS}{also}");
            let mut change = change(action, &object, why, vec![field], Step::UpdateTrust(wanted))
                .requires(format!("iam:UpdateAssumeRolePolicy on {arn}"));
            change.step.gate = moves.then_some(Gate::AfterIssuerSwitch);
            change
        }
    })
}

/// Whether a trust document names another provider than this one.
fn trust_of_other_issuer(trust: &Value, wanted: &Value) -> bool {
    let provider = |document: &Value| {
        let statement = document.get("Statement")?;
        let statement = statement.get(0).unwrap_or(statement);
        statement.pointer("/Principal/Federated").cloned()
    };
    provider(trust).is_some_and(|have| Some(have) != provider(wanted))
}

/// The policy is its role's owner's.
fn plan_policy(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    have: Option<&Role>,
) -> Result<Planned> {
    let object = policy_object(settings);
    let (text, held) = held(settings, workload, have)?;
    let (given, kept) = policy::given_and_kept(workload, settings, &held)?;
    let wanted = policy::document(settings, &given)?;
    let stays = match kept.is_empty() {
        true => String::new(),
        false => format!(
            "; as before, it also gives {}: --revoke-unused takes back what no object asks for",
            policy::shown(&kept)
        ),
    };
    // Without a right there is no policy: AWS takes none without a statement.
    let desired = match given.is_empty() {
        true => Desired::Absent { used_by_others: false },
        false => Desired::Present(Permits::OURS),
    };
    let ownership = have.map_or(Ownership::This, |have| ownership(have.mark.as_deref(), want));
    let is_there = have.is_some_and(|have| have.policy.is_some());
    let seen = match is_there {
        true => {
            let same = text.is_some_and(|text| policy::same(text, &wanted));
            plan::Observed::active(ownership, Fit::of(same))
        }
        false => plan::Observed::Absent,
    };
    let action =
        decide(desired, seen).map_err(|obstacle| obstacle::of_role(settings, want, have, obstacle))?;
    let arn = role_arn(settings);
    let shown = |given: &BTreeSet<policy::Given>| {
        Some(Value::from(policy::shown(given))).filter(|_| !given.is_empty())
    };
    let field = FieldChange::new("policy", shown(&held), shown(&given));
    Ok(match action {
        Action::NoOp if given.is_empty() => leave(&object, "no secret is named yet: it gives nothing"),
        Action::NoOp => leave(&object, format!("{UNCHANGED}{stays}")),
        Action::Delete => {
            change(action, &object, "nothing asks for what it gives", vec![field], Step::DeletePolicy)
                .requires(format!("iam:DeleteRolePolicy on {arn}"))
        }
        action => {
            let why = match action {
                Action::Create => "exactly what the objects of the cluster ask for, nothing else".to_owned(),
                _ => format!("{DIFFERS}{stays}"),
            };
            change(action, &object, why, vec![field], Step::PutPolicy(wanted))
                .requires(format!("iam:PutRolePolicy on {arn}"))
        }
    })
}

/// The policy as it is, and what the workload was given by it.
fn held<'a>(
    settings: &Settings,
    workload: &Workload,
    have: Option<&'a Role>,
) -> Result<(Option<&'a Value>, BTreeSet<policy::Given>)> {
    let Some(text) = have.and_then(|have| have.policy.as_ref()) else { return Ok((None, BTreeSet::new())) };
    // By a role that lets in other tokens, this workload was given nothing.
    let subject = workload.subject()?;
    let lets_in = have.and_then(|have| have.trust.as_ref()).and_then(subjects);
    if lets_in.is_none_or(|all| all != [subject.as_str()]) {
        return Ok((text.as_ref(), BTreeSet::new()));
    }
    match text.as_ref().and_then(|text| policy::held(text, settings)) {
        Some(held) => Ok((text.as_ref(), held)),
        None if workload.revokes_unused => Ok((text.as_ref(), BTreeSet::new())),
        None => Err(obstacle::unread_policy(settings)),
    }
}

pub(super) fn others(have: Option<&Role>) -> String {
    let all = have.map(|have| have.others.as_slice()).unwrap_or_default();
    all.join(", ").escape_debug().to_string()
}

pub(super) fn provider_object(want: &Trust) -> String {
    format!("OIDC provider {}", wanted::bare_issuer(want))
}

pub(super) fn role_object(settings: &Settings) -> String {
    format!("role {}", settings.role)
}

pub(super) fn policy_object(settings: &Settings) -> String {
    format!("policy {} of the role {}", policy::NAME, settings.role)
}

fn leave(object: &str, why: impl Into<String>) -> Planned {
    Change::no_op(Target::ProviderResource, object, why)
}

pub(super) fn step(action: Action, object: &str, why: impl Into<String>) -> plan::Step {
    plan::Step::new(Target::ProviderResource, action, object, why)
}

fn change(
    action: Action,
    object: &str,
    why: impl Into<String>,
    fields: Vec<FieldChange>,
    act: Step,
) -> Planned {
    Change::new(step(action, object, why).fields(fields), act)
}

/// One after the other, the first one after `before`. Returns the last one that changes something.
pub(super) fn in_turn(changes: &mut [&mut Planned], mut before: Option<String>) -> Option<String> {
    for change in changes {
        if change.is_pending() {
            change.step.depends_on = before.replace(change.step.name.clone()).into_iter().collect();
        }
    }
    before
}

/// A change names what it takes.
trait Requires {
    fn requires(self, permission: String) -> Self;
}

impl Requires for Planned {
    fn requires(mut self, permission: String) -> Self {
        self.step.requires.push(permission);
        self
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;
