//! PURE. What is, against what is wanted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    AUDIENCE, Planned, Settings, Step,
    again::Before,
    observe::{Provider, Role},
    obstacle, policy,
    statements::{self, Statements},
    wanted::{self, mark, ownership, provider_arn, role_arn},
};
use crate::{
    error::{Code, Result},
    federation::{
        Documents, Trust, Workload,
        resource::{change, in_turn, leave},
    },
    plan::{
        self, Action, Desired, FieldChange, Fit, Gate, Permits, UNCHANGED, USED, decide, ownership::Ownership,
    },
    warning::Warning,
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
            let url = want.issuer.as_str().to_owned();
            let step = Step::CreateProvider { url, mark: mark(want), arn: arn.clone() };
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
                Step::AddClient { arn: arn.clone(), seen: have.cloned().unwrap_or_default() },
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
    let mut changes = vec![plan_role(settings, want, workload, have)?];
    changes.extend(plan_policy(settings, want, workload, have)?);
    in_turn(&mut changes.iter_mut().collect::<Vec<_>>(), before);
    Ok(changes)
}

fn plan_role(settings: &Settings, want: &Trust, workload: &Workload, have: Option<&Role>) -> Result<Planned> {
    let (object, arn) = (role_object(settings), role_arn(settings));
    let subject = workload.subject()?;
    let wanted = wanted::trust(settings, want, &subject);
    let ownership = have.map(|have| ownership(have.mark.as_deref(), want));
    let trusts = have.and_then(|have| have.trust.as_ref());
    let trusted = trusts.and_then(|trust| wanted::trusted(settings, trust));
    if ownership == Some(Ownership::This) {
        match &trusted {
            // Another workload has the role by its own right.
            Some(trusted) if trusted.subject != subject.as_str() => {
                return Err(obstacle::role_of_another(settings, workload));
            }
            Some(_) => {}
            None => return Err(obstacle::unread_trust(settings, &wanted)),
        }
    }
    let fits = trusts.is_some_and(|have| policy::same(have, &wanted));
    let seen = ownership.map_or(plan::Observed::Absent, |it| plan::Observed::active(it, Fit::of(fits)));
    let action = decide(Desired::Present(Permits::OURS), seen)
        .map_err(|obstacle| obstacle::of_role(settings, want, have, obstacle))?;
    let others = have.map(|have| others(settings, have)).filter(|others| !others.is_empty());
    if let (Action::Update, Some(others)) = (action, &others) {
        return Err(obstacle::role_with_other_policies(settings, others));
    }
    let also = others.map(|others| format!("; it also has what keyless did not write: {others}"));
    let also = also.unwrap_or_default();
    let before = trusted.as_ref().map(|trusted| json!(trusted.subject));
    let field = FieldChange::new("trusts", before, Some(json!(subject.as_str())));
    Ok(match action {
        Action::NoOp => leave(&object, format!("{UNCHANGED}{also}")),
        Action::Create => {
            let why = format!("tokens of {} get its rights, for an hour at most", workload.account);
            let description = wanted::description(workload);
            let step = Step::CreateRole { trust: wanted, mark: mark(want), description };
            change(action, &object, why, vec![field], step)
                .requires(format!("iam:CreateRole on {arn}"))
                .requires(format!("iam:TagRole on {arn}"))
        }
        action => {
            // Tokens of the issuer that is trusted now are refused from then on.
            let moves = trusted.is_some_and(|trusted| trusted.issuer != wanted::bare_issuer(want));
            let why = format!("{DIFFERS}{also}");
            let before = Box::new(Before::of(&have.cloned().unwrap_or_default()).or_trust(&wanted));
            let step = Step::UpdateTrust { trust: wanted, before };
            let mut change = change(action, &object, why, vec![field], step)
                .requires(format!("iam:UpdateAssumeRolePolicy on {arn}"));
            change.step.gate = moves.then_some(Gate::AfterIssuerSwitch);
            change
        }
    })
}

/// The policy is its role's owner's.
fn plan_policy(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    have: Option<&Role>,
) -> Result<Vec<Planned>> {
    let object = policy_object(settings);
    // An earlier step of the plan may write it.
    let trust = wanted::trust(settings, want, &workload.subject()?);
    let have_statements = statements(settings, have)?;
    let held = held(settings, workload, have, &have_statements);
    let (asked, kept) = policy::given_and_kept(workload, settings, &held)?;
    let former = policy::of_former_documents(workload, settings, &held);
    // What relying parties read must be kept up to date: the new right first, the former one goes by a step of its own.
    let given: BTreeSet<_> = asked.union(&former).cloned().collect();
    let others = &have_statements.others;
    let wanted = policy::document(settings, &given, others)?;
    let stays = match kept.is_empty() {
        true => String::new(),
        false => format!(
            "; as before, it also gives {}: --revoke-unused takes back what no object asks for",
            policy::shown(&kept)
        ),
    };
    let also = match others.is_empty() {
        true => "",
        false => "; what keyless did not write in it stays as it is",
    };
    // Without a right there is no policy: AWS takes none without a statement.
    let desired = match given.is_empty() && others.is_empty() {
        true => Desired::Absent { used_by_others: false },
        false => Desired::Present(Permits::OURS),
    };
    let ownership = have.map_or(Ownership::This, |have| ownership(have.mark.as_deref(), want));
    let is_there = have.is_some_and(|have| have.policy.is_some());
    let seen = match is_there {
        true => {
            plan::Observed::active(ownership, Fit::of(policy::is_given(settings, &given, &have_statements)))
        }
        false => plan::Observed::Absent,
    };
    let action =
        decide(desired, seen).map_err(|obstacle| obstacle::of_role(settings, want, have, obstacle))?;
    let arn = role_arn(settings);
    let shown = |given: &BTreeSet<policy::Given>| {
        Some(Value::from(policy::shown(given))).filter(|_| !given.is_empty())
    };
    let mut fields = vec![FieldChange::new("policy", shown(&held), shown(&given))];
    if !others.is_empty() {
        let others = || Some(Value::from(others.clone()));
        fields.push(FieldChange::new("statements that keyless did not write", others(), others()));
    }
    let narrowed = match have.zip(workload.documents()).filter(|_| !former.is_empty()) {
        Some((have, documents)) if documents.why_former_stays(&want.issuer, "").is_none() => {
            let before = Before::of(have).or_trust(&trust).or_policy(Some(&wanted));
            Some(narrow(settings, documents, (shown(&given), &asked, others), before)?)
        }
        _ => None,
    };
    let first = match action {
        Action::NoOp if given.is_empty() => {
            leave(&object, format!("no secret is named yet: it gives nothing{also}"))
        }
        Action::NoOp => leave(&object, format!("{UNCHANGED}{stays}{also}")),
        Action::Delete => {
            let before = Before::of(&have.cloned().unwrap_or_default()).or_trust(&trust).or_policy(None);
            let step = Step::DeletePolicy(Box::new(before));
            change(action, &object, "nothing asks for what it gives", fields, step)
                .requires(format!("iam:DeleteRolePolicy on {arn}"))
        }
        action => {
            let why = match action {
                Action::Create if workload.publishes.is_some() => {
                    "the publisher writes exactly these two documents, nothing else".to_owned()
                }
                _ if !former.is_empty() => {
                    format!(
                        "{DIFFERS}; the former documents may still be read: the right to write them stays for now{also}"
                    )
                }
                Action::Create => "exactly what the objects of the cluster ask for, nothing else".to_owned(),
                _ => format!("{DIFFERS}{stays}{also}"),
            };
            let before = have.map(|have| Before::of(have).or_trust(&trust).or_policy(Some(&wanted)));
            let step = Step::PutPolicy { document: wanted, before: before.map(Box::new) };
            change(action, &object, why, fields, step).requires(format!("iam:PutRolePolicy on {arn}"))
        }
    };
    Ok([first].into_iter().chain(narrowed).collect())
}

/// Takes back the right to write former documents: they are read until every API server signs as the issuer of this run.
/// That relying parties then read the others is known by now.
fn narrow(
    settings: &Settings,
    documents: &Documents,
    (before, asked, others): (Option<Value>, &BTreeSet<policy::Given>, &[Value]),
    seen: Before,
) -> Result<Planned> {
    // The step before it is about the same policy.
    let object = format!("{}, former documents", policy_object(settings));
    let why = format!("the publisher writes to s3://{} instead", documents.bucket);
    let field = FieldChange::new("policy", before, Some(policy::shown(asked).into()));
    let document = policy::document(settings, asked, others)?;
    let step = Step::PutPolicy { document, before: Some(Box::new(seen)) };
    let mut change = change(Action::Update, &object, why, vec![field], step)
        .requires(format!("iam:PutRolePolicy on {}", role_arn(settings)));
    change.step.gate = Some(Gate::AfterIssuerSwitch);
    Ok(change)
}

/// Why the publisher still can write former documents, and how a person takes that back; `None`: it cannot, or a step of the
/// plan does it.
pub(super) fn former_documents_stay(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    have: Option<&Role>,
) -> Option<Warning> {
    let documents = workload.documents()?;
    let held = held(settings, workload, have, &statements(settings, have).ok()?);
    let former = policy::of_former_documents(workload, settings, &held);
    let objects: BTreeSet<_> = former.iter().map(|(object, _)| object.as_str()).collect();
    let objects = Vec::from_iter(objects).join(" and ").escape_debug().to_string();
    let why = documents.why_former_stays(&want.issuer, &objects).filter(|_| !former.is_empty())?;
    let text = format!(
        "the right of the role {} to write {objects} stays: {why}; if nothing needs it, remove the policy by hand{}, then run \
         setup again, which grants what the publisher writes now",
        settings.role,
        wanted::removal_of_policy(&settings.role)
    );
    Some(Warning::new(Code::TrustLeft, text))
}

/// What the policy says.
fn statements(settings: &Settings, have: Option<&Role>) -> Result<Statements> {
    match have.and_then(|have| have.policy.as_ref()) {
        None => Ok(Statements::default()),
        Some(text) => text
            .as_ref()
            .and_then(|text| statements::read(text, settings))
            .ok_or_else(|| obstacle::unread_policy(settings)),
    }
}

/// What the workload was given by it.
fn held(
    settings: &Settings,
    workload: &Workload,
    have: Option<&Role>,
    statements: &Statements,
) -> BTreeSet<policy::Given> {
    // By a role that may let in other tokens, this workload was given nothing.
    let trust = have.and_then(|have| have.trust.as_ref());
    match wanted::lets_in_only(settings, trust, workload) {
        true => statements.given.clone(),
        false => BTreeSet::new(),
    }
}

/// Whether keyless wrote all that the policy says.
pub(super) fn is_ours_alone(settings: &Settings, have: &Role) -> bool {
    statements(settings, Some(have)).is_ok_and(|it| it.others.is_empty())
}

/// What the role has that keyless did not write: policies, and statements in its own.
pub(super) fn others(settings: &Settings, have: &Role) -> String {
    let mut all = have.others.clone();
    if !is_ours_alone(settings, have) {
        all.push(format!("statements in the policy {}", policy::NAME));
    }
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

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;
