//! Roles of IAM and their policies.

use std::collections::BTreeMap;

use super::error::{Refusal, Result, refused};
use super::policy::{Verdict, decide};
use super::state::{Caller, Role, State, random_id};
use super::xml::{Form, around, page, tag, tag_list};
use super::{ACCOUNT, documents};
use crate::clock;
use crate::wire::percent_encode;

/// `None`: no action of this part
pub(crate) fn action(
    action: &str,
    form: &Form,
    caller: &Caller,
    state: &mut State,
) -> Option<Result<String>> {
    Some(match action {
        "CreateRole" => create(form, caller, state),
        "ListRoles" => list(form, caller, state),
        "GetRole" => with_role(action, form, caller, state, |name, role| {
            Ok(around("Role", &(shown(name, role) + &tag_list(&role.tags))))
        }),
        "DeleteRole" => delete(form, caller, state),
        "UpdateAssumeRolePolicy" => with_role(action, form, caller, state, |_, role| {
            let text = form.need("PolicyDocument")?;
            documents::trust(text)?;
            role.trust = text.to_owned();
            Ok(String::new())
        }),
        "TagRole" => with_role(action, form, caller, state, |_, role| {
            role.tags.extend(form.tags());
            Ok(String::new())
        }),
        "UntagRole" => with_role(action, form, caller, state, |_, role| {
            form.list("TagKeys").iter().for_each(|key| drop(role.tags.remove(key)));
            Ok(String::new())
        }),
        "ListRoleTags" => {
            let longest = state.settings.page(100);
            with_role(action, form, caller, state, |_, role| {
                let pieces = role.tags.iter().map(|(key, value)| tag("Key", key) + &tag("Value", value));
                Ok(page(form, "Tags", pieces.collect(), longest))
            })
        }
        "PutRolePolicy" => with_role(action, form, caller, state, |name, role| {
            let (policy, text) = (form.need("PolicyName")?, form.need("PolicyDocument")?);
            check_name("policyName", policy, 128)?;
            documents::permissions(text)?;
            let mut inline = role.inline.clone();
            inline.insert(policy.to_owned(), text.to_owned());
            let size: usize =
                inline.values().map(|text| text.chars().filter(|c| !c.is_whitespace()).count()).sum();
            if size > 10_240 {
                let message = format!("Maximum policy size of 10240 bytes exceeded for role {name}");
                return refused(409, "LimitExceeded", message);
            }
            role.inline = inline;
            Ok(String::new())
        }),
        "GetRolePolicy" => with_role(action, form, caller, state, |name, role| {
            let policy = form.need("PolicyName")?;
            let text = role.inline.get(policy).ok_or_else(|| no_policy(policy))?;
            let document = tag("PolicyDocument", &percent_encode(text, ""));
            Ok(tag("RoleName", name) + &tag("PolicyName", policy) + &document)
        }),
        "ListRolePolicies" => {
            let longest = state.settings.page(100);
            with_role(action, form, caller, state, |_, role| {
                let names = role.inline.keys().map(|name| super::xml::escape(name)).collect();
                Ok(page(form, "PolicyNames", names, longest))
            })
        }
        "DeleteRolePolicy" => with_role(action, form, caller, state, |_, role| {
            let policy = form.need("PolicyName")?;
            role.inline.remove(policy).map(|_| String::new()).ok_or_else(|| no_policy(policy))
        }),
        "ListAttachedRolePolicies" => {
            let longest = state.settings.page(100);
            with_role(action, form, caller, state, |_, role| {
                let piece = |arn: &String| {
                    let name = arn.rsplit('/').next().unwrap_or_default();
                    tag("PolicyName", name) + &tag("PolicyArn", arn)
                };
                Ok(page(form, "AttachedPolicies", role.attached.keys().map(piece).collect(), longest))
            })
        }
        "SimulatePrincipalPolicy" => simulate(form, caller, state),
        _ => return None,
    })
}

/// What the policies of a role say to one action on one resource; policies of resources are not looked at
fn simulate(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let source = form.need("PolicySourceArn")?;
    state.may(caller, "iam:SimulatePrincipalPolicy", source)?;
    let found = state.roles.iter().find(|(name, role)| role.arn(name) == source);
    let Some(name) = found.map(|(name, _)| name.clone()) else {
        return Err(Refusal::no_such_entity(format!("Policy source {source} not found.")));
    };
    let (actions, resources) = (form.list("ActionNames"), form.list("ResourceArns"));
    let ([action], [resource]) = (actions.as_slice(), resources.as_slice()) else {
        return Err(Refusal::validation("One action and one resource are judged here."));
    };
    let context: Vec<_> = (1..)
        .map_while(|at| {
            let part = |part: &str| form.get(&format!("ContextEntries.member.{at}.{part}"));
            Some((part("ContextKeyName")?.to_owned(), vec![part("ContextKeyValues.member.1")?.to_owned()]))
        })
        .collect();
    let decision = match decide(&state.policies_of(&name), action, resource, &context) {
        Verdict::Allowed => "allowed",
        Verdict::Denied => "explicitDeny",
        Verdict::Silent => "implicitDeny",
    };
    let one =
        [tag("EvalActionName", action), tag("EvalResourceName", resource), tag("EvalDecision", decision)];
    Ok(page(form, "EvaluationResults", vec![one.concat()], state.settings.page(100)))
}

fn no_policy(name: &str) -> Refusal {
    Refusal::no_such_entity(format!("The role policy with name {name} cannot be found."))
}

fn check_name(member: &str, name: &str, longest: usize) -> Result<()> {
    let letters = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let rule = if name.len() > longest {
        format!("Member must have length less than or equal to {longest}")
    } else if !name.chars().all(letters) {
        "The specified value for is invalid. It must contain only alphanumeric characters and/or the following: \
         +=,.@_-"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::validation(format!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: {rule}"
    )))
}

fn shown(name: &str, role: &Role) -> String {
    let description = role.description.as_deref().map_or(String::new(), |text| tag("Description", text));
    [
        tag("Path", &role.path),
        tag("RoleName", name),
        tag("RoleId", &role.id),
        tag("Arn", &role.arn(name)),
        tag("CreateDate", &clock::rfc3339(role.created)),
        tag("AssumeRolePolicyDocument", &percent_encode(&role.trust, "")),
        description,
        tag("MaxSessionDuration", &role.longest_session.to_string()),
    ]
    .concat()
}

fn create(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let (name, trust) = (form.need("RoleName")?, form.need("AssumeRolePolicyDocument")?);
    check_name("roleName", name, 64)?;
    let path = form.get("Path").unwrap_or("/").to_owned();
    if !path.starts_with('/') || !path.ends_with('/') {
        return Err(Refusal::validation("The specified value for path is invalid."));
    }
    let longest_session = form.get("MaxSessionDuration").map_or(Some(3600), |text| text.parse().ok());
    let longest_session = longest_session.filter(|seconds| (3600..=43_200).contains(seconds));
    let role = Role {
        id: random_id("AROA"),
        path,
        created: state.now(),
        description: form.get("Description").map(str::to_owned),
        longest_session: longest_session.ok_or_else(|| {
            Refusal::validation(
                "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member \
                 must have value between 3600 and 43200",
            )
        })?,
        trust: trust.to_owned(),
        tags: form.tags(),
        inline: BTreeMap::new(),
        attached: BTreeMap::new(),
        unseen: state.settings.unseen_exchanges,
    };
    let arn = role.arn(name);
    state.may(caller, "iam:CreateRole", &arn)?;
    if !role.tags.is_empty() {
        state.may(caller, "iam:TagRole", &arn)?;
    }
    documents::trust(trust)?;
    if state.roles.keys().any(|other| other.eq_ignore_ascii_case(name)) {
        return refused(409, "EntityAlreadyExists", format!("Role with name {name} already exists."));
    }
    let out = around("Role", &(shown(name, &role) + &tag_list(&role.tags)));
    state.roles.insert(name.to_owned(), role);
    Ok(out)
}

fn list(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let prefix = form.get("PathPrefix").unwrap_or("/");
    state.may(caller, "iam:ListRoles", &format!("arn:aws:iam::{ACCOUNT}:role{prefix}"))?;
    let roles = state.roles.iter().filter(|(_, role)| role.path.starts_with(prefix));
    let pieces = roles.map(|(name, role)| shown(name, role)).collect();
    Ok(page(form, "Roles", pieces, state.settings.page(100)))
}

/// An action about one role, which is left as it was if the action is refused
fn with_role(
    action: &str,
    form: &Form,
    caller: &Caller,
    state: &mut State,
    act: impl FnOnce(&str, &mut Role) -> Result<String>,
) -> Result<String> {
    let name = form.need("RoleName")?;
    check_name("roleName", name, 64)?;
    // Names are told apart by case only in what they show.
    let found = state.roles.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    let found = found.map(|(name, role)| (name.clone(), role.arn(name)));
    let arn = found.as_ref().map_or_else(|| format!("role {name}"), |(_, arn)| arn.clone());
    let asked = found.as_ref().map_or_else(|| format!("arn:aws:iam::{ACCOUNT}:role/{name}"), |_| arn.clone());
    state.may_in(caller, &format!("iam:{action}"), &asked, &arn, &[])?;
    let Some(role) = found.as_ref().and_then(|(name, _)| state.roles.get_mut(name)) else {
        return Err(Refusal::no_such_entity(format!("The role with name {name} cannot be found.")));
    };
    act(&found.unwrap_or_default().0, role)
}

fn delete(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let mut name = String::new();
    with_role("DeleteRole", form, caller, state, |found, role| {
        name = found.to_owned();
        let conflict = |what: &str| {
            refused(409, "DeleteConflict", format!("Cannot delete entity, must {what} policies first."))
        };
        match (role.inline.is_empty(), role.attached.is_empty()) {
            (_, false) => conflict("detach all"),
            (false, _) => conflict("delete"),
            _ => Ok(String::new()),
        }
    })?;
    state.roles.remove(&name);
    Ok(String::new())
}
