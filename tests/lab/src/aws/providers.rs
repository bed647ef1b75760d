//! OpenID Connect providers of IAM.

use super::ACCOUNT;
use super::error::{Refusal, Result, refused};
use super::service::Service;
use super::state::{Caller, Provider, State};
use super::xml::{Form, members, page, tag, tag_list};
use crate::clock;

/// `None`: no action of this part
pub(crate) fn action(
    action: &str,
    form: &Form,
    caller: &Caller,
    service: &Service,
) -> Option<Result<String>> {
    Some(match action {
        "CreateOpenIDConnectProvider" => create(form, caller, service),
        "GetOpenIDConnectProvider" => get(form, caller, &mut service.lock()),
        "ListOpenIDConnectProviders" => list(caller, &mut service.lock()),
        "ListOpenIDConnectProviderTags" => tags(form, caller, &mut service.lock()),
        "AddClientIDToOpenIDConnectProvider" => change(action, form, caller, service, |provider| {
            let client = form.need("ClientID")?.to_owned();
            if !provider.clients.contains(&client) {
                provider.clients.push(client);
            }
            check_clients(&provider.clients)
        }),
        "RemoveClientIDFromOpenIDConnectProvider" => change(action, form, caller, service, |provider| {
            let client = form.need("ClientID")?;
            provider.clients.retain(|it| it != client);
            Ok(())
        }),
        "UpdateOpenIDConnectProviderThumbprint" => change(action, form, caller, service, |provider| {
            provider.thumbprints = thumbprints(form)?;
            Ok(())
        }),
        "TagOpenIDConnectProvider" => change(action, form, caller, service, |provider| {
            provider.tags.extend(form.tags());
            if provider.tags.len() > 50 {
                return refused(409, "LimitExceeded", "The number of tags has reached the maximum limit.");
            }
            Ok(())
        }),
        "UntagOpenIDConnectProvider" => change(action, form, caller, service, |provider| {
            for key in form.list("TagKeys") {
                provider.tags.remove(&key);
            }
            Ok(())
        }),
        "DeleteOpenIDConnectProvider" => delete(form, caller, &mut service.lock()),
        _ => return None,
    })
}

pub(crate) fn arn_of(url: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{url}")
}

fn create(form: &Form, caller: &Caller, service: &Service) -> Result<String> {
    let url = form.need("Url")?;
    let (bare, tags, clients) = (bare(url)?, form.tags(), form.list("ClientIDList"));
    let given = thumbprints(form)?;
    check_clients(&clients)?;
    let arn = arn_of(&bare);
    {
        let mut state = service.lock();
        state.may(caller, "iam:CreateOpenIDConnectProvider", &arn)?;
        if !tags.is_empty() {
            state.may(caller, "iam:TagOpenIDConnectProvider", &arn)?;
        }
        if state.providers.contains_key(&bare) {
            let message = format!("Provider with url {url} already exists.");
            return refused(409, "EntityAlreadyExists", message);
        }
        if state.providers.len() >= state.settings.most_providers {
            let most = state.settings.most_providers;
            let message = format!("Cannot exceed quota for OpenIdConnectProvidersPerAccount: {most}");
            return refused(409, "LimitExceeded", message);
        }
    }
    // Without a thumbprint, IAM connects to the issuer and takes the one that it sees.
    if given.is_empty() && service.world.key_set(&format!("https://{bare}"), None).is_err() {
        return refused(
            400,
            "OpenIdIdpCommunicationError",
            "The request failed because IAM cannot connect to the OpenID Connect identity provider URL.",
        );
    }
    let thumbprints = if given.is_empty() { vec![crate::keys::random_hex(20)] } else { given };
    let mut state = service.lock();
    let (created, unseen) = (state.now(), state.settings.unseen_exchanges);
    let shown = tag("OpenIDConnectProviderArn", &arn) + &tag_list(&tags);
    state.providers.insert(bare, Provider { clients, thumbprints, tags, created, unseen });
    Ok(shown)
}

/// The URL without its scheme
fn bare(url: &str) -> Result<String> {
    let invalid = || Refusal::new(400, "InvalidInput", "Invalid Open ID Connect Provider URL");
    if url.len() > 255 {
        return Err(Refusal::validation(
            "1 validation error detected: Value at 'url' failed to satisfy constraint: Member must have length less \
             than or equal to 255",
        ));
    }
    let bare = url.strip_prefix("https://").ok_or_else(invalid)?;
    let host = bare.split('/').next().unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || "?#@:".contains(c);
    if host.is_empty() || bare.contains(odd) { Err(invalid()) } else { Ok(bare.to_owned()) }
}

fn check_clients(clients: &[String]) -> Result<()> {
    if clients.len() > 100 {
        let message = "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100";
        return refused(409, "LimitExceeded", message);
    }
    if clients.iter().any(|client| client.is_empty() || client.len() > 255) {
        return Err(Refusal::validation(
            "1 validation error detected: Value at 'clientIDList' failed to satisfy constraint: Member must have \
             length between 1 and 255",
        ));
    }
    Ok(())
}

fn thumbprints(form: &Form) -> Result<Vec<String>> {
    let list = form.list("ThumbprintList");
    let odd = |it: &String| it.len() != 40 || !it.bytes().all(|byte| byte.is_ascii_hexdigit());
    if list.len() > 5 {
        let message = "Thumbprint list must contain fewer than 5 entries.";
        return refused(400, "InvalidInput", message);
    }
    if list.iter().any(odd) {
        return Err(Refusal::validation(
            "1 validation error detected: Value at 'thumbprintList' failed to satisfy constraint: Member must have \
             length 40",
        ));
    }
    Ok(list)
}

fn absent(arn: &str) -> Refusal {
    Refusal::no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}"))
}

fn key(arn: &str) -> String {
    arn.strip_prefix(&arn_of("")).unwrap_or_default().to_owned()
}

fn get(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let arn = form.need("OpenIDConnectProviderArn")?;
    state.may(caller, "iam:GetOpenIDConnectProvider", arn)?;
    let provider = state.providers.get(&key(arn)).ok_or_else(|| absent(arn))?;
    let text = |list: &[String], name: &str| members(name, list.iter().map(|it| super::xml::escape(it)));
    Ok([
        tag("Url", &key(arn)),
        text(&provider.clients, "ClientIDList"),
        text(&provider.thumbprints, "ThumbprintList"),
        tag("CreateDate", &clock::rfc3339(provider.created)),
        tag_list(&provider.tags),
    ]
    .concat())
}

fn list(caller: &Caller, state: &mut State) -> Result<String> {
    state.may(caller, "iam:ListOpenIDConnectProviders", &arn_of("*"))?;
    let arns = state.providers.keys().map(|url| tag("Arn", &arn_of(url)));
    Ok(members("OpenIDConnectProviderList", arns))
}

fn tags(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let arn = form.need("OpenIDConnectProviderArn")?;
    state.may(caller, "iam:ListOpenIDConnectProviderTags", arn)?;
    let provider = state.providers.get(&key(arn)).ok_or_else(|| absent(arn))?;
    let pieces = provider.tags.iter().map(|(key, value)| tag("Key", key) + &tag("Value", value)).collect();
    Ok(page(form, "Tags", pieces, state.settings.page(100)))
}

fn change(
    action: &str,
    form: &Form,
    caller: &Caller,
    service: &Service,
    change: impl FnOnce(&mut Provider) -> Result<()>,
) -> Result<String> {
    let arn = form.need("OpenIDConnectProviderArn")?;
    let mut state = service.lock();
    state.may(caller, &format!("iam:{action}"), arn)?;
    let mut changed = state.providers.get(&key(arn)).ok_or_else(|| absent(arn))?.clone();
    change(&mut changed)?;
    state.providers.insert(key(arn), changed);
    Ok(String::new())
}

fn delete(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    let arn = form.need("OpenIDConnectProviderArn")?;
    state.may(caller, "iam:DeleteOpenIDConnectProvider", arn)?;
    // "This operation is idempotent; it does not fail or return an error if you call the operation for a provider
    // that does not exist" (IAM API reference).
    state.providers.remove(&key(arn));
    Ok(String::new())
}
