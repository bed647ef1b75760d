//! What a right is for, really done with a workload's access token: read, listed. Rights to write are not given by keyless,
//! and not tried.

use std::collections::BTreeSet;

use http::HeaderValue;
use serde_json::Value;

use super::{
    Entra,
    api::Caller,
    place::{self, Api},
    refusal::{Outcome, Refusal},
    search,
};
use crate::{
    error::Check,
    federation::{
        Reading, Trial,
        judged::{self, Judged, Seen, subject},
    },
    plan::Say,
    relying_party::Finding,
};

const READ: Check = Check::EntraRead;
const PROPERTY: Check = Check::EntraProperty;
/// Of the vault's own API.
pub(super) const API: &str = "7.4";

/// The check that a trial ends in.
pub(super) fn check(trial: &Trial) -> Check {
    match trial {
        Trial::Read { .. } => READ,
        Trial::Metadata { .. } => Check::EntraMetadata,
        Trial::Versions { .. } => Check::EntraVersions,
        Trial::Find(_) => Check::EntraSearch,
        Trial::Write(_) => Check::EntraWrite,
    }
}

pub(super) async fn run(entra: &Entra, bearer: &HeaderValue, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
    let (check, subject) = (check(trial), subject(trial));
    let mut spreading = entra.spreading();
    let tried = loop {
        let tried = match trial {
            Trial::Read { secret, readings } => match read(entra, bearer, secret, readings).await {
                Ok(findings) => return findings.into_iter().map(|it| it.finding(&subject)).collect(),
                Err(refusal) => Err(refusal),
            },
            Trial::Metadata { secret, properties } => metadata(entra, bearer, secret, properties).await,
            // They are read by their IDs, which the trial to read does.
            Trial::Versions { .. } => Ok(Seen::NotProved("nothing lists versions here".to_owned())),
            Trial::Find(find) => search::search(entra, bearer, find).await,
            Trial::Write(_) => Ok(Seen::NotProved("keyless gives no right to write in Key Vault".to_owned())),
        };
        match tried {
            Err(refusal) if refusal.is_forbidden() && spreading.wait(&refusal.summary(), say).await => {}
            tried => break tried,
        }
    };
    vec![match tried {
        Ok(seen) => Judged { check, more: String::new(), seen }.finding(&subject),
        Err(refusal) => refused(entra, check, subject, &refusal),
    }]
}

fn refused(entra: &Entra, check: Check, subject: String, refusal: &Refusal) -> Finding {
    let identity = &entra.settings.identity;
    if refusal.is_absent() || refusal.is_disabled() {
        let cause = "it does not exist on this side, is disabled, or has not this version";
        let remedy = "`az keyvault secret set --vault-name VAULT --name NAME --file FILE`; the store reads it by this name";
        return Finding::failed(check, subject, refusal.summary(), cause, remedy).of_the_thing();
    }
    if !refusal.is_forbidden() {
        let error = refusal.clone().error("trying it", "this right");
        return Finding::refused(check, subject, &error);
    }
    // Key Vault has one status for all of these.
    let cause = format!(
        "no role of the identity {identity} gives this right, a new one is not known everywhere yet, or the firewall of the vault does not let this machine in"
    );
    let remedy =
        "run `keyless setup`, which shows what it takes and assigns it; a new role may take ten minutes";
    Finding::failed(check, subject, refusal.summary(), cause, remedy)
}

/// Each version once, and what is read out of it. Never the content: its number of bytes.
async fn read(
    entra: &Entra,
    bearer: &HeaderValue,
    secret: &str,
    readings: &[Reading],
) -> Outcome<Vec<Judged>> {
    let whole = [Reading::default()];
    let readings = if readings.is_empty() { whole.as_slice() } else { readings };
    let versions: BTreeSet<_> = readings.iter().map(|reading| reading.version.as_deref()).collect();
    let mut all = Vec::new();
    for version in versions {
        let bundle = bundle(entra, bearer, secret, version).await?;
        let value = bundle["value"].as_str().ok_or_else(|| Refusal::without(Api::KeyVault, "no value"))?;
        let of_this = readings.iter().filter(|reading| reading.version.as_deref() == version);
        all.extend(judged::value((READ, PROPERTY), version, value.as_bytes(), of_this));
    }
    Ok(all)
}

/// As the operator asks: the newest version, or one by its ID.
pub(super) async fn bundle(
    entra: &Entra,
    bearer: &HeaderValue,
    secret: &str,
    version: Option<&str>,
) -> Outcome<Value> {
    let name = place::secret(secret).map_err(Refusal::unanswered)?;
    let version = version.unwrap_or_default();
    if !version.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::without(
            Api::KeyVault,
            "no version of this ID: it is no name that a vault gives",
        ));
    }
    let path = format!("/secrets/{name}/{version}?api-version={API}");
    let answer = entra.client.get(Api::KeyVault, Caller::Workload(bearer), &path).await?;
    is_about(&entra.settings.vault, &name, version, &answer["id"])?;
    Ok(answer)
}

/// Refuses an answer about another secret than was asked for.
fn is_about(vault: &str, name: &str, version: &str, id: &Value) -> Outcome<()> {
    let id = id.as_str().unwrap_or_default();
    let begin = format!("{}/secrets/{name}/", place::vault_url(vault));
    let lower = id.to_ascii_lowercase();
    match lower.strip_prefix(&begin.to_ascii_lowercase()) {
        Some(seen) if version.is_empty() || seen.eq_ignore_ascii_case(version) => Ok(()),
        _ => Err(Refusal::about_another(Api::KeyVault, name, Some(id))),
    }
}

/// The tags come with the value.
async fn metadata(entra: &Entra, bearer: &HeaderValue, secret: &str, properties: &[String]) -> Outcome<Seen> {
    let answer = bundle(entra, bearer, secret, None).await?;
    let tags = answer["tags"].as_object();
    let has = |name: &str| tags.is_some_and(|tags| tags.contains_key(name));
    let missing: Vec<_> = properties
        .iter()
        .filter(|name| !name.is_empty() && !has(name))
        .map(|name| name.escape_debug().to_string())
        .collect();
    if missing.is_empty() {
        return Ok(Seen::Passed(format!("{} tags", tags.map_or(0, serde_json::Map::len))));
    }
    Ok(Seen::Failed {
        seen: format!("no {}", missing.join(", ")),
        cause: "objects read tags that the secret does not have".to_owned(),
        remedy: "tag the secret, or correct the object that reads it".to_owned(),
        of_the_thing: true,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answer_is_about_one_secret() {
        let at = |end: &str| json!(format!("https://acme.vault.azure.net/secrets/{end}"));
        assert!(is_about("acme", "db", "", &at("DB/0123")).is_ok());
        assert!(is_about("acme", "db", "0123", &at("db/0123")).is_ok());
        for (version, id) in [
            ("", at("db")),
            ("", at("db2/0123")),
            ("0123", at("db/4567")),
            ("", json!("https://other.vault.azure.net/secrets/db/0123")),
            ("", Value::Null),
        ] {
            assert!(is_about("acme", "db", version, &id).is_err(), "{version} {id}");
        }
    }
}
