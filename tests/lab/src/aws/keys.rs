//! Users of IAM and their access keys.

use super::ACCOUNT;
use super::error::{Refusal, Result};
use super::state::{Caller, State};
use super::xml::{Form, around, page, tag};
use crate::clock;

/// `None`: no action of this part
pub(crate) fn action(
    action: &str,
    form: &Form,
    caller: &Caller,
    state: &mut State,
) -> Option<Result<String>> {
    Some(match action {
        "GetUser" => user(form, caller, state),
        "ListAccessKeys" => list(form, caller, state),
        "GetAccessKeyLastUsed" => last_used(form, caller, state),
        "UpdateAccessKey" => update(form, caller, state),
        "DeleteAccessKey" => delete(form, caller, state),
        _ => return None,
    })
}

fn arn_of(user: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{user}")
}

/// The user that is named, or the caller; the action must be allowed on it
fn subject(action: &str, form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let name = form.get("UserName").or(caller.user.as_deref()).map(str::to_owned);
    let name = name
        .ok_or_else(|| Refusal::validation("Must specify userName when calling with non-User credentials"))?;
    let arn = arn_of(&name);
    let shown = if state.users.contains_key(&name) { arn.clone() } else { format!("user {name}") };
    state.may_in(caller, &format!("iam:{action}"), &arn, &shown, &[])?;
    if !state.users.contains_key(&name) {
        return Err(Refusal::no_such_entity(format!("The user with name {name} cannot be found.")));
    }
    Ok(name)
}

fn user(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let name = subject("GetUser", form, caller, state)?;
    let user = &state.users[&name];
    let parts = [
        tag("Path", "/"),
        tag("UserName", &name),
        tag("UserId", &user.id),
        tag("Arn", &arn_of(&name)),
        tag("CreateDate", &clock::rfc3339(user.created)),
    ];
    Ok(around("User", &parts.concat()))
}

fn list(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let name = subject("ListAccessKeys", form, caller, state)?;
    let keys = state.keys.iter().filter(|(_, key)| key.user == name);
    let piece = |(id, key): (&String, &super::state::AccessKey)| {
        [
            tag("UserName", &name),
            tag("AccessKeyId", id),
            tag("Status", if key.active { "Active" } else { "Inactive" }),
            tag("CreateDate", &clock::rfc3339(key.created)),
        ]
        .concat()
    };
    Ok(page(form, "AccessKeyMetadata", keys.map(piece).collect(), state.settings.page(100)))
}

fn last_used(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let id = form.need("AccessKeyId")?;
    let user = state.keys.get(id).map(|key| key.user.clone());
    let arn = user.as_deref().map_or_else(|| "*".to_owned(), arn_of);
    state.may(caller, "iam:GetAccessKeyLastUsed", &arn)?;
    let Some(key) = state.keys.get(id) else {
        let message = format!("The Access Key with id {id} cannot be found.");
        return Err(Refusal::new(403, "AccessDenied", message));
    };
    let (date, service, region) = match &key.last_used {
        Some((at, service, region)) => (tag("LastUsedDate", &clock::rfc3339(*at)), &**service, &**region),
        None => (String::new(), "N/A", "N/A"),
    };
    let parts = date + &tag("ServiceName", service) + &tag("Region", region);
    Ok(tag("UserName", &key.user) + &around("AccessKeyLastUsed", &parts))
}

fn no_key(id: &str) -> Refusal {
    Refusal::no_such_entity(format!("The Access Key with id {id} cannot be found."))
}

fn update(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let name = subject("UpdateAccessKey", form, caller, state)?;
    let (id, status) = (form.need("AccessKeyId")?, form.need("Status")?);
    let active = match status {
        "Active" => true,
        "Inactive" => false,
        _ => {
            return Err(Refusal::validation(format!(
                "1 validation error detected: Value '{status}' at 'status' failed to satisfy constraint: Member must \
                 satisfy enum value set: [Active, Expired, Inactive]"
            )));
        }
    };
    let key = state.keys.get_mut(id).filter(|key| key.user == name).ok_or_else(|| no_key(id))?;
    key.active = active;
    Ok(String::new())
}

fn delete(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let name = subject("DeleteAccessKey", form, caller, state)?;
    let id = form.need("AccessKeyId")?;
    if state.keys.get(id).is_none_or(|key| key.user != name) {
        return Err(no_key(id));
    }
    state.keys.remove(id);
    Ok(String::new())
}
