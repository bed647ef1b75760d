//! What a right is for, really done with a workload's login: read, listed, or for rights to write, asked for.

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Gcp, diagnose,
    names::check_secret,
    probe::{Say, nonsense},
    roles,
    search::{self, Caller, MOST},
};
use crate::{
    error::Check,
    federation::{
        Find, Reading, Right, Trial,
        property::{Lookup, is_map, member_then_path},
    },
    google::{Outcome, Refusal},
    relying_party::Finding,
    secret::Secret,
};

const READ: Check = Check::GoogleSecret;
const PROPERTY: Check = Check::GoogleProperty;
const METADATA: Check = Check::GoogleMetadata;
const VERSIONS: Check = Check::GoogleVersions;
const SEARCH: Check = Check::GoogleSearch;
const WRITE: Check = Check::GoogleWrite;
/// How many of what is found are read at the same time.
const AT_ONCE: usize = 16;

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
pub(super) fn subject(trial: &Trial) -> String {
    match trial {
        Trial::Read { secret, .. } => format!("read of the secret {secret}"),
        Trial::Metadata { secret, .. } => format!("metadata of the secret {secret}"),
        Trial::Versions { secret } => format!("list of the versions of {secret}"),
        Trial::Find(find) => format!("search for {find}"),
        Trial::Write(right) => format!("right to {right}"),
    }
}

pub(super) async fn run(gcp: &Gcp, access: &Secret, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
    if let Some(secret) = trial.right().secret()
        && let Err(error) = check_secret(secret)
    {
        return vec![Finding::refused(check(trial), subject(trial), &error)];
    }
    let trying = Trying { gcp, access, check: check(trial), subject: subject(trial) };
    match trial {
        Trial::Read { secret, readings } => trying.read(secret, readings, say).await,
        Trial::Metadata { secret, properties } => vec![trying.metadata(secret, properties, say).await],
        Trial::Versions { secret } => vec![trying.versions(secret, say).await],
        Trial::Find(find) => vec![trying.find(find, say).await],
        Trial::Write(right) => vec![trying.write(right, say).await],
    }
}

/// One trial with one login.
struct Trying<'a> {
    gcp: &'a Gcp,
    access: &'a Secret,
    check: Check,
    subject: String,
}

impl Trying<'_> {
    /// Each version once, and what is read out of it.
    async fn read(&self, secret: &str, readings: &[Reading], say: Say<'_>) -> Vec<Finding> {
        let whole = [Reading::default()];
        let readings = if readings.is_empty() { whole.as_slice() } else { readings };
        let mut versions: Vec<_> = readings.iter().map(|it| (it.version.as_deref(), it.or_enabled)).collect();
        versions.dedup();
        let (mut seen, mut findings) = (Vec::new(), Vec::new());
        for (version, or_enabled) in versions {
            let answer = match self.version(secret, version, or_enabled, say).await {
                Ok(answer) => answer,
                Err(refusal) => return vec![self.failed(&refusal, secret)],
            };
            let data = answer["payload"]["data"].as_str().and_then(|data| STANDARD.decode(data).ok());
            let Some(data) = data else { return vec![nonsense(READ, self.subject.clone(), "payload")] };
            let of_this = readings.iter().filter(|reading| reading.version.as_deref() == version);
            for judged in of_this.filter_map(|reading| judge(secret, reading, &data)) {
                if judged.is_failed() {
                    return vec![judged];
                }
                findings.push(judged);
            }
            // Its length, and nothing of what is in it.
            let bytes = format!("{} bytes", data.len());
            seen.push(version.map_or_else(|| bytes.clone(), |version| format!("version {version}: {bytes}")));
        }
        findings.insert(0, Finding::passed(READ, self.subject.clone(), seen.join(", ")));
        findings
    }

    /// A version as the operator reads it: where the store says so, the newest enabled one if the latest is not.
    async fn version(
        &self,
        secret: &str,
        version: Option<&str>,
        or_enabled: bool,
        say: Say<'_>,
    ) -> Outcome<Value> {
        let why = format!("the right to read {secret}");
        let name = version.unwrap_or("latest");
        let path: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let answer = self.get(&format!("{}/versions/{path}:access", self.url(secret)), &why, say).await;
        match answer {
            Err(refusal) if or_enabled && version.is_none() && diagnose::is_not_enabled(&refusal) => {
                let enabled = self.enabled(secret, say).await?;
                let Some(newest) = newest(&enabled) else { return Err(refusal) };
                self.get(&format!("{}/versions/{newest}:access", self.url(secret)), &why, say).await
            }
            answer => answer,
        }
    }

    async fn metadata(&self, secret: &str, properties: &[String], say: Say<'_>) -> Finding {
        let why = format!("the right to see {secret}");
        let found = match self.get(&self.url(secret), &why, say).await {
            Ok(found) => found,
            Err(refusal) => return self.failed(&refusal, secret),
        };
        let missing: Vec<_> =
            properties.iter().filter(|property| search::noted(&found, property).is_none()).collect();
        if missing.is_empty() {
            return Finding::passed(self.check, self.subject.clone(), "labels and annotations can be read");
        }
        let missing: Vec<_> = missing.into_iter().map(|it| it.escape_debug().to_string()).collect();
        Finding::failed(
            self.check,
            self.subject.clone(),
            format!("no {}", missing.join(", ")),
            "an ExternalSecret reads labels or annotations that the secret does not have",
            format!("`gcloud secrets update {secret} --update-labels=…`, or correct the ExternalSecret's property: labels.NAME or annotations.NAME"),
        )
        .of_the_thing()
    }

    async fn versions(&self, secret: &str, say: Say<'_>) -> Finding {
        match self.enabled(secret, say).await {
            Ok(enabled) => {
                let count = enabled["versions"].as_array().map_or(0, Vec::len);
                Finding::passed(self.check, self.subject.clone(), format!("{count} enabled"))
            }
            Err(refusal) => self.failed(&refusal, secret),
        }
    }

    async fn enabled(&self, secret: &str, say: Say<'_>) -> Outcome<Value> {
        let url = format!("{}/versions?filter=state%3AENABLED", self.url(secret));
        self.get(&url, &format!("the right to list the versions of {secret}"), say).await
    }

    /// Everything that is found is read: what may not be read ends the operator's search.
    async fn find(&self, find: &Find, say: Say<'_>) -> Finding {
        if let Err(error) = search::check(find, self.gcp.ids.location.as_deref()) {
            return Finding::refused(self.check, self.subject.clone(), &error);
        }
        let mut spreading = self.gcp.spreading("the right to list secrets");
        let found = loop {
            match search::list(self.gcp, Caller::Workload(self.access), find).await {
                Ok(found) => break found,
                Err(refusal) if refusal.is_forbidden() && spreading.wait(say).await => {}
                Err(refusal) => return self.failed(&refusal, &self.gcp.ids.project),
            }
        };
        if found.len() > MOST {
            let why = format!("not proved: more than {MOST} are found");
            return Finding::skipped(self.check, self.subject.clone(), why);
        }
        let read = async |name: String| {
            // Nothing more is shown than for the first that cannot be read.
            let read = self.version(&name, None, false, &mut |_: &str| ()).await;
            (name, read.err())
        };
        let count = found.len();
        let mut reads = Box::pin(stream::iter(found).map(read).buffered(AT_ONCE));
        while let Some((name, refusal)) = reads.next().await {
            let Some(refusal) = refusal else { continue };
            let (cause, remedy) = diagnose::read(&refusal, &name, self.reader());
            let seen = format!("{name} is found and cannot be read: {}", refusal.summary());
            return Finding::failed(self.check, self.subject.clone(), seen, cause, remedy);
        }
        Finding::passed(self.check, self.subject.clone(), format!("{count} found, and read"))
    }

    /// <https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/testIamPermissions>: asks, and
    /// does nothing.
    async fn write(&self, right: &Right, say: Say<'_>) -> Finding {
        let wanted = roles::permissions(right.kind);
        let url = format!("{}:testIamPermissions", self.url(&right.on));
        let body = json!({ "permissions": wanted });
        let why = format!("the right to {right}");
        let mut spreading = self.gcp.spreading(&why);
        loop {
            let answer = match self.gcp.api.call_as(self.access, Method::POST, &url, Some(&body)).await {
                Ok(answer) => answer,
                Err(refusal) if refusal.is_forbidden() && spreading.wait(say).await => continue,
                Err(refusal) => return self.failed(&refusal, &right.on),
            };
            let held: Vec<_> =
                answer["permissions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let missing: Vec<_> = wanted.iter().filter(|it| !held.contains(it)).copied().collect();
            if missing.is_empty() {
                let seen = format!("held: {} (asked for, not used)", wanted.join(", "));
                return Finding::passed(self.check, self.subject.clone(), seen);
            }
            if !spreading.wait(say).await {
                return Finding::failed(
                    self.check,
                    self.subject.clone(),
                    format!("not held: {}", missing.join(", ")),
                    format!("{} was not given this right, or there is no such secret", self.reader()),
                    "run `keyless setup`, which shows what it takes and grants it",
                );
            }
        }
    }

    async fn get(&self, url: &str, why: &str, say: Say<'_>) -> Outcome<Value> {
        self.gcp.until_spread(self.access, Method::GET, url, None, why, say).await
    }

    fn url(&self, secret: &str) -> String {
        format!("{}/v1/{}/secrets/{secret}", self.gcp.secret_manager(), self.gcp.ids.secrets())
    }

    fn reader(&self) -> &str {
        self.gcp.settings.impersonate.as_deref().unwrap_or("the workload")
    }

    fn failed(&self, refusal: &Refusal, on: &str) -> Finding {
        let (cause, remedy) = match self.check {
            READ => diagnose::read(refusal, on, self.reader()),
            _ => diagnose::looked(refusal, on, self.reader()),
        };
        let failed = Finding::failed(self.check, self.subject.clone(), refusal.summary(), cause, remedy);
        match diagnose::is_of_the_secret(refusal) {
            true => failed.of_the_thing(),
            false => failed,
        }
    }
}

/// The number of the newest of these versions.
fn newest(list: &Value) -> Option<u64> {
    let versions = list["versions"].as_array().into_iter().flatten();
    versions.filter_map(|version| version["name"].as_str()?.rsplit('/').next()?.parse().ok()).max()
}

/// What is read out of a value, where that is more than the whole of it. Never the value itself.
fn judge(secret: &str, reading: &Reading, data: &[u8]) -> Option<Finding> {
    let subject = match &reading.property {
        Some(property) => format!("property {} of the secret {secret}", property.escape_debug()),
        None if reading.is_map => format!("members of the secret {secret}"),
        None => return None,
    };
    let failed = |seen: &str, cause: &str| {
        let remedy = format!(
            "`gcloud secrets versions add {secret} --data-file=FILE` with a JSON object that has it, or correct the ExternalSecret"
        );
        Some(Finding::failed(PROPERTY, subject.clone(), seen, cause, remedy).of_the_thing())
    };
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return failed("the value is not JSON", "an ExternalSecret reads a member of it");
    };
    let found =
        match reading.property.as_deref().map_or(Lookup::Found(&value), |it| member_then_path(&value, it)) {
            Lookup::Found(found) => found,
            Lookup::Missing => {
                return failed("not there", "an ExternalSecret reads a member that the secret does not have");
            }
            Lookup::NotJudged => {
                let why = "not proved: keyless follows paths of members only, and this one says more";
                return Some(Finding::skipped(PROPERTY, subject, why));
            }
        };
    if reading.is_map && !is_map(found) {
        return failed("not a JSON object", "dataFrom.extract takes the members of an object");
    }
    None
}
