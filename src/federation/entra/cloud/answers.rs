//! PURE. What the answers of Microsoft Graph and Azure Resource Manager say. An answer of another form than the documented
//! one says nothing.

use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::jiff::civil::DateTime;
use serde_json::Value;

use super::super::place::{self, is_guid};
use crate::{
    credentials::{KeyCertificate, Thumbprint},
    federation::{Subject, cloud::Admits, own_issuer::ISSUER_NOT_KNOWN},
};

/// A client secret or a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) key_id: String,
    pub(super) is_certificate: bool,
    /// Whose it is: the application's, or its service principal's.
    pub(super) of: Side,
    /// The first characters of a secret.
    pub(super) hint: Option<String>,
    /// Of a certificate: `key:sha256:…`.
    pub(super) public_half: Option<String>,
    /// Of a certificate. Where Entra does not show the certificate, it is `customKeyIdentifier`, which the user who adds one sets.
    pub(super) thumbprint: Option<Thumbprint>,
    pub(super) begins: Option<String>,
    /// `None`: it is not known to end.
    pub(super) ends: Option<String>,
}

/// Which of the two objects of an application lists a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Application,
    Principal,
}

impl Credential {
    /// `now`: RFC 3339, UTC.
    pub(super) fn is_expired(&self, now: &str) -> bool {
        let end = self.ends.as_deref().and_then(|end| end.get(..SECONDS));
        end.zip(now.get(..SECONDS)).is_some_and(|(end, now)| end < now)
    }
}

/// `2026-11-27T12:00:00`.
const SECONDS: usize = 19;
/// Entra is younger: an end before that is a mistake, and no end.
const FIRST_YEAR: i16 = 2000;

/// What a service principal is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Application,
    /// With the resource, where it is one that a person made.
    ManagedIdentity(Option<String>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) kind: Kind,
    /// The tenant of the application.
    pub(super) owner: String,
    pub(super) is_enabled: bool,
    pub(super) credentials: Vec<Credential>,
}

/// What is asked of a service principal.
pub(super) const OF_PRINCIPAL: &str = "$select=appId,accountEnabled,appOwnerOrganizationId,servicePrincipalType,alternativeNames,passwordCredentials,keyCredentials";
/// What is asked of an application.
pub(super) const OF_APPLICATION: &str = "$select=appId,passwordCredentials,keyCredentials";

/// The service principal of this application.
pub(super) fn principal(answer: &Value, app: &str) -> Result<Principal, &'static str> {
    is_about(answer, app)?;
    let Value::Bool(is_enabled) = answer["accountEnabled"] else {
        return Err("it does not say whether the application may sign in");
    };
    let owner = || answer["appOwnerOrganizationId"].as_str().filter(|id| is_guid(id)).map(str::to_owned);
    let credentials = credentials(answer, Side::Principal)?;
    match answer["servicePrincipalType"].as_str() {
        Some("Application") => Ok(Principal {
            kind: Kind::Application,
            owner: owner().ok_or("it does not say of which tenant it is")?.to_ascii_lowercase(),
            is_enabled,
            credentials,
        }),
        Some("ManagedIdentity") => {
            let names = answer["alternativeNames"].as_array().ok_or("it has no list of alternative names")?;
            let resource = resource(names)?;
            // Azure holds the certificates of these, and replaces them.
            let credentials = credentials.into_iter().filter(|it| !it.is_certificate).collect();
            let owner = owner().unwrap_or_default();
            Ok(Principal { kind: Kind::ManagedIdentity(resource), owner, is_enabled, credentials })
        }
        _ => Err("it is a service principal of a type that is not known"),
    }
}

/// The identity that a person made; `None`: it is that of a machine, which says so.
fn resource(names: &[Value]) -> Result<Option<String>, &'static str> {
    const OTHER: &str = "its alternative names do not say which managed identity it is";
    let names: Vec<_> = names.iter().map(Value::as_str).collect::<Option<_>>().ok_or(OTHER)?;
    let says = |text: &str| names.iter().any(|name| name.eq_ignore_ascii_case(text));
    let is_one = |name: &&&str| name.to_ascii_lowercase().contains("/userassignedidentities/");
    let mut ids = names.iter().filter(is_one).map(|name| identity_id(name));
    match (ids.next(), ids.next()) {
        (Some(Some(id)), None) if !says("isExplicit=False") => Ok(Some(id)),
        (None, _) if says("isExplicit=False") && !says("isExplicit=True") => Ok(None),
        _ => Err(OTHER),
    }
}

/// The credentials of this application.
pub(super) fn application(answer: &Value, app: &str) -> Result<Vec<Credential>, &'static str> {
    is_about(answer, app)?;
    credentials(answer, Side::Application)
}

/// The client ID of an entry of the list of service principals.
pub(super) fn app_id(entry: &Value) -> Result<&str, &'static str> {
    entry["appId"].as_str().filter(|id| is_guid(id)).ok_or("an entry has no client ID")
}

fn is_about(answer: &Value, app: &str) -> Result<(), &'static str> {
    let is_it = answer["appId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(app));
    is_it.then_some(()).ok_or("it is about another application")
}

fn credentials(answer: &Value, of: Side) -> Result<Vec<Credential>, &'static str> {
    let list = |member: &str| answer[member].as_array().ok_or("it has no list of secrets and certificates");
    let mut all = Vec::new();
    for (entries, is_certificate) in [(list("passwordCredentials")?, false), (list("keyCredentials")?, true)]
    {
        for entry in entries {
            let key_id = entry["keyId"].as_str().filter(|id| is_guid(id));
            let key_id = key_id.ok_or("it lists a secret or certificate without an ID")?.to_ascii_lowercase();
            let read = |member: &str| match &entry[member] {
                Value::Null => Ok(None),
                Value::String(text) => time(text).map(|time| Some((text.clone(), time))).ok_or(()),
                _ => Err(()),
            };
            let begins = read("startDateTime")
                .map_err(|()| "the begin of a secret or certificate is no time that it can have")?;
            let ends = read("endDateTime")
                .map_err(|()| "the end of a secret or certificate is no time that it can have")?;
            if let (Some((_, begin)), Some((_, end))) = (&begins, &ends)
                && end < begin
            {
                return Err("a secret or certificate ends before it begins");
            }
            let hint = entry["hint"].as_str().filter(|hint| super::super::key::is_hint(hint));
            let certificate = entry["key"].as_str().filter(|_| is_certificate).and_then(certificate);
            // Of a certificate that is shown and cannot be read, nothing is known.
            let is_named = is_certificate && entry["key"].is_null();
            let named = || entry["customKeyIdentifier"].as_str().filter(|_| is_named);
            all.push(Credential {
                key_id,
                is_certificate,
                of,
                hint: hint.filter(|_| !is_certificate).map(str::to_owned),
                thumbprint: match &certificate {
                    Some(certificate) => Some(certificate.thumbprint),
                    None => named().and_then(thumbprint),
                },
                public_half: certificate.map(|it| it.public_half),
                begins: begins.map(|(text, _)| text),
                ends: ends.map(|(text, _)| text),
            });
        }
    }
    Ok(all)
}

/// In DER, in base64. Graph leaves it out of many answers.
fn certificate(text: &str) -> Option<KeyCertificate> {
    KeyCertificate::of_der(&STANDARD.decode(text).ok()?)
}

/// `customKeyIdentifier`: the thumbprint in base64, or its hexadecimal digits, as some tools write them.
fn thumbprint(text: &str) -> Option<Thumbprint> {
    let of_digits = |digits: &[u8]| {
        let pairs = digits.chunks_exact(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit))?;
            u8::from_str_radix(pair, 16).ok()
        });
        pairs.collect::<Option<Vec<u8>>>().filter(|_| digits.len() == 40)?.try_into().ok()
    };
    of_digits(text.as_bytes()).or_else(|| {
        let bytes = STANDARD.decode(text).ok()?;
        of_digits(&bytes).or_else(|| bytes.try_into().ok())
    })
}

/// A real one in RFC 3339, UTC, and nothing that a terminal could take for more.
pub(super) fn time(text: &str) -> Option<DateTime> {
    let bytes = text.as_bytes();
    let form = "dddd-dd-ddTdd:dd:dd".bytes();
    let fits = (SECONDS + 1..=40).contains(&bytes.len())
        && text.ends_with('Z')
        && bytes.iter().zip(form).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            _ => *byte == form,
        })
        && bytes[SECONDS..bytes.len() - 1].iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let time: DateTime = text.strip_suffix('Z').filter(|_| fits)?.parse().ok()?;
    (time.year() >= FIRST_YEAR).then_some(time)
}

/// `/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME`.
pub(super) fn identity_id(text: &str) -> Option<String> {
    let parts: Vec<_> = text.split('/').collect();
    let ["", subscriptions, subscription, groups, group, providers, provider, kind, name] = parts.as_slice()
    else {
        return None;
    };
    let fixed = [
        (subscriptions, "subscriptions"),
        (groups, "resourceGroups"),
        (providers, "providers"),
        (provider, "Microsoft.ManagedIdentity"),
        (kind, "userAssignedIdentities"),
    ];
    let fits = fixed.iter().all(|(part, name)| part.eq_ignore_ascii_case(name))
        && is_guid(subscription)
        && place::resource_group("it", group).is_ok()
        && place::identity("it", name).is_ok();
    fits.then(|| {
        format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        )
    })
}

/// A managed identity with this ID, in this tenant.
pub(super) fn identity(answer: &Value, id: &str, tenant: &str) -> Result<(), &'static str> {
    let is = |value: &Value, wanted: &str| value.as_str().is_some_and(|it| it.eq_ignore_ascii_case(wanted));
    match () {
        () if !is(&answer["id"], id) => Err("it is about another identity"),
        () if !is(&answer["properties"]["tenantId"], tenant) => Err("it is of another tenant"),
        () => Ok(()),
    }
}

/// An entry of Graph, or the properties of one of Azure Resource Manager. Entra compares subjects byte for byte.
/// <https://learn.microsoft.com/graph/api/resources/federatedidentitycredential>
/// `own`: the issuer of the cluster, where it is known.
pub(super) fn admits(entry: &Value, own: Option<&str>) -> Admits {
    let Some(issuer) = entry["issuer"].as_str().filter(|issuer| !issuer.is_empty()) else {
        return Admits::NotKnown("a federated credential names no issuer");
    };
    let (it, issuer) = (issuer, issuer.escape_debug());
    let expression = &entry["claimsMatchingExpression"];
    let expression = expression["value"].as_str().or(expression.as_str());
    match (entry["subject"].as_str().filter(|subject| !subject.is_empty()), expression) {
        (Some(subject), None) if Subject::account_of(subject).is_some() => match own {
            Some(own) if own == it => Admits::Named,
            Some(own) => Admits::More(format!(
                "ServiceAccounts of another issuer, {issuer}; this cluster's is {}",
                own.escape_debug()
            )),
            None => Admits::NotKnown(ISSUER_NOT_KNOWN),
        },
        (Some(subject), None) => {
            Admits::More(format!("{} of {issuer}, which is no ServiceAccount", subject.escape_debug()))
        }
        (None, Some(expression)) if expression.contains("matches") => {
            Admits::More(format!("every subject of {issuer} that fits {}", expression.escape_debug()))
        }
        // Of those with an expression, Graph 1.0 shows neither.
        _ => Admits::NotKnown("a federated credential names no subject"),
    }
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
