//! What a right is for, really done with a workload's login: read, listed, or for rights to write, asked for.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Settings,
    api::{Api, Reply},
    paths::{Folder, SecretPath, paths},
    probe::{READ, judge_read},
};
use crate::{
    error::{Check, Code, Error, Result},
    federation::{Find, FindBy, Reading, Right, Trial},
    relying_party::Finding,
    secret::Secret,
};

const METADATA: Check = Check::VaultMetadata;
const VERSIONS: Check = Check::VaultVersions;
const SEARCH: Check = Check::VaultSearch;
const WRITE: Check = Check::VaultWrite;
/// More than this is found by a search only if it is wrong.
const MOST: usize = 5000;
/// What a secret's metadata has beside the custom ones, as far as the operator reads it.
const NOTED: [&str; 3] = ["created_time", "current_version", "delete_version_after"];

/// The check that a trial ends in.
pub(super) fn check(trial: &Trial) -> Check {
    match trial {
        Trial::Read { .. } => READ,
        Trial::Metadata { .. } => METADATA,
        Trial::Versions { .. } => VERSIONS,
        Trial::Find(_) => SEARCH,
        Trial::Write(_) => WRITE,
    }
}

/// What is tried, for people.
pub(super) fn subject(trial: &Trial, settings: &Settings) -> String {
    let kv = &settings.kv;
    match trial {
        Trial::Read { secret, .. } => format!("read of {kv}/{secret}"),
        Trial::Metadata { secret, .. } => format!("metadata of {kv}/{secret}"),
        Trial::Versions { secret } => format!("versions of {kv}/{secret}"),
        Trial::Find(find) => format!("search for {find}"),
        Trial::Write(right) => format!("right to {right}"),
    }
}

pub(super) async fn run(api: &Api, settings: &Settings, session: &Secret, trial: &Trial) -> Vec<Finding> {
    let (check, subject) = (check(trial), subject(trial, settings));
    let tried = match trial {
        Trial::Read { secret, readings } => match SecretPath::of(secret, &settings.kv) {
            Ok(path) => return read(api, settings, session, &path, readings, subject).await,
            Err(error) => Err(error),
        },
        Trial::Metadata { secret, properties } => metadata(api, settings, session, secret, properties).await,
        // The operator lists none: a version is read by its number, which the trial to read does.
        Trial::Versions { .. } => Ok(Seen::NotProved("nothing lists versions here".to_owned())),
        Trial::Find(find) => search(api, settings, session, find).await,
        Trial::Write(right) => write(api, settings, session, right).await,
    };
    vec![match tried {
        Ok(Seen::Passed(seen)) => Finding::passed(check, subject, seen),
        Ok(Seen::Failed { seen, cause, remedy, of_the_thing }) => {
            let failed = Finding::failed(check, subject, seen, cause, remedy);
            if of_the_thing { failed.of_the_thing() } else { failed }
        }
        Ok(Seen::NotProved(why)) => Finding::skipped(check, subject, format!("not proved: {why}")),
        Err(error) if error.code == Code::VaultForbidden => Finding::failed(
            check,
            subject,
            error.causes.join("; "),
            format!("the policy of the role {} does not give this right", settings.role),
            "run `keyless setup`, which shows what it takes and grants it",
        ),
        Err(error) => Finding::refused(check, subject, &error),
    }]
}

enum Seen {
    Passed(String),
    Failed { seen: String, cause: String, remedy: String, of_the_thing: bool },
    NotProved(String),
}

/// Each version once, and what is read out of it.
async fn read(
    api: &Api,
    settings: &Settings,
    session: &Secret,
    path: &SecretPath,
    readings: &[Reading],
    subject: String,
) -> Vec<Finding> {
    let whole = [Reading::default()];
    let readings = if readings.is_empty() { whole.as_slice() } else { readings };
    let versions: BTreeSet<_> = readings.iter().map(|reading| reading.version.as_deref()).collect();
    let mut findings = Vec::new();
    for version in versions {
        let of_this: Vec<_> =
            readings.iter().filter(|reading| reading.version.as_deref() == version).cloned().collect();
        let answer = one_version(api, settings, session, path, version).await;
        let subject = match version {
            Some(version) => format!("{subject}, version {}", version.escape_debug()),
            None => subject.clone(),
        };
        if let (Some(asked), Ok(reply)) = (version, &answer)
            && let Some(other) = other_version(reply, asked)
        {
            findings.push(Finding::failed(
                READ,
                subject,
                format!("version {other}"),
                "the server answers with another version than was asked for: a proxy or a cache is in between",
                "let the operator and this machine reach the server itself",
            ));
            continue;
        }
        findings.extend(judge_read(subject, answer, settings, &of_this));
    }
    findings
}

/// The version that an answer is about, if it is not the one that was asked for. 0 asks for the newest.
fn other_version(reply: &Reply, asked: &str) -> Option<u64> {
    let asked: u64 = asked.parse().ok().filter(|asked| *asked != 0)?;
    reply.data()?.get("metadata")?.get("version")?.as_u64().filter(|other| *other != asked)
}

/// As the operator asks: with `?version=` where an object names one.
async fn one_version(
    api: &Api,
    settings: &Settings,
    session: &Secret,
    path: &SecretPath,
    version: Option<&str>,
) -> Result<Reply> {
    let query = match version {
        Some(version) => {
            let version: String = url::form_urlencoded::byte_serialize(version.as_bytes()).collect();
            format!("?version={version}")
        }
        None => String::new(),
    };
    api.call(Method::GET, &format!("{}/data/{path}{query}", settings.kv), None, Some(session)).await
}

async fn metadata(
    api: &Api,
    settings: &Settings,
    session: &Secret,
    secret: &str,
    properties: &[String],
) -> Result<Seen> {
    let path = SecretPath::of(secret, &settings.kv)?;
    let Some(noted) = noted(api, settings, session, &path).await? else {
        return Ok(Seen::Failed {
            seen: "nothing there".to_owned(),
            cause: "the secret does not exist on this side".to_owned(),
            remedy: format!("`vault kv put -mount={} …`; the store reads it by this name", settings.kv),
            of_the_thing: true,
        });
    };
    let missing: Vec<_> = properties
        .iter()
        .filter(|name| !name.is_empty() && !noted.contains_key(*name))
        .map(|name| name.escape_debug().to_string())
        .collect();
    if missing.is_empty() {
        return Ok(Seen::Passed(format!("{} members", noted.len())));
    }
    Ok(Seen::Failed {
        seen: format!("no {}", missing.join(", ")),
        cause: "ExternalSecrets read custom metadata that the secret does not have".to_owned(),
        remedy: format!(
            "`vault kv metadata patch -mount={} -custom-metadata=NAME=VALUE {path}`",
            settings.kv
        ),
        of_the_thing: true,
    })
}

/// The custom metadata of a secret, and what is noted of every one.
async fn noted(
    api: &Api,
    settings: &Settings,
    session: &Secret,
    path: &SecretPath,
) -> Result<Option<Map<String, Value>>> {
    let reply =
        api.call(Method::GET, &format!("{}/metadata/{path}", settings.kv), None, Some(session)).await?;
    let Some(data) = reply.data().filter(|_| reply.status != 404) else { return Ok(None) };
    let mut noted: Map<String, Value> =
        NOTED.iter().filter_map(|name| Some(((*name).to_owned(), data.get(*name)?.clone()))).collect();
    noted.extend(data.get("custom_metadata").and_then(Value::as_object).cloned().unwrap_or_default());
    Ok(Some(noted))
}

/// Everything that is found is read: what may not be read ends the operator's search.
async fn search(api: &Api, settings: &Settings, session: &Secret, find: &Find) -> Result<Seen> {
    let found = list(api, settings, session, find).await?;
    if found.len() > MOST {
        return Ok(Seen::NotProved(format!("more than {MOST} are found")));
    }
    for path in &found {
        match one_version(api, settings, session, path, None).await {
            // One without a value is passed over by the operator as well.
            Ok(_) => {}
            Err(error) if error.code == Code::VaultForbidden => {
                return Ok(Seen::Failed {
                    seen: format!("{path} is found and cannot be read"),
                    cause: format!("the policy of the role {} does not give this secret", settings.role),
                    remedy: "run `keyless setup`, which shows what is found and asks to grant it".to_owned(),
                    of_the_thing: false,
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Seen::Passed(format!("{} found, and read", found.len())))
}

/// The secrets that a search finds; no more than one above [`MOST`].
pub(super) async fn list(
    api: &Api,
    settings: &Settings,
    token: &Secret,
    find: &Find,
) -> Result<BTreeSet<SecretPath>> {
    let begin = Folder::of(&find.below, &settings.kv)?;
    let (mut found, mut folders, mut asked) = (BTreeSet::new(), vec![begin], 0);
    while let Some(folder) = folders.pop() {
        asked += 1;
        if asked > MOST {
            return Err(Error::failed(
                Code::VaultSearchTooBroad,
                format!("{} has more than {MOST} folders", settings.kv),
            )
            .hint("name a folder in the ExternalSecret: find.path"));
        }
        let path = format!("{}/metadata/{}?list=true", settings.kv, folder.as_str());
        let reply = api.call(Method::GET, &path, None, Some(token)).await?;
        let keys = reply.data().and_then(|data| data.get("keys")).and_then(Value::as_array);
        for key in keys.into_iter().flatten().filter_map(Value::as_str) {
            let name = format!("{}{key}", folder.as_str());
            if key.ends_with('/') {
                folders.push(Folder::of(&format!("/{name}"), &settings.kv)?);
                continue;
            }
            let path = SecretPath::of(&format!("/{name}"), &settings.kv)?;
            let fits = match &find.by {
                FindBy::Name(pattern) => pattern.matches(&name),
                FindBy::Tags(tags) => {
                    let noted = noted(api, settings, token, &path).await?.unwrap_or_default();
                    tags.iter().all(|(name, value)| noted.get(name).is_some_and(|it| it == value.as_str()))
                }
            };
            if fits {
                found.insert(path);
            }
            if found.len() > MOST || folders.len() > MOST {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// `sys/capabilities-self` (<https://developer.hashicorp.com/vault/api-docs/system/capabilities-self>): asks, and does
/// nothing.
async fn write(api: &Api, settings: &Settings, session: &Secret, right: &Right) -> Result<Seen> {
    let wanted = paths(right, &settings.kv)?;
    let names: Vec<_> = wanted.iter().map(|(path, _)| path).collect();
    let body = json!({ "paths": names });
    let reply = match api.call(Method::POST, "sys/capabilities-self", Some(&body), Some(session)).await {
        Ok(reply) => reply,
        Err(Error { code: Code::VaultForbidden, .. }) => {
            return Ok(Seen::NotProved(
                "the login may not ask what it may do; run `keyless setup`".to_owned(),
            ));
        }
        Err(error) => return Err(error),
    };
    let mut missing = Vec::new();
    for (path, capabilities) in &wanted {
        let held = reply.data().and_then(|data| data.get(path)).and_then(Value::as_array);
        let held: Vec<_> = held.into_iter().flatten().filter_map(Value::as_str).collect();
        let lacks = capabilities.iter().filter(|it| !held.contains(it) && !held.contains(&"root"));
        missing.extend(lacks.map(|it| format!("{it} on {path}")));
    }
    if missing.is_empty() {
        return Ok(Seen::Passed("held (asked for, not used)".to_owned()));
    }
    Ok(Seen::Failed {
        seen: format!("not held: {}", missing.join(", ")),
        cause: format!("the policy of the role {} does not give this right", settings.role),
        remedy: "run `keyless setup`, which shows what it takes and grants it".to_owned(),
        of_the_thing: false,
    })
}
