//! PURE. A result of `keyless audit -o json`, as it was saved. It is read whole or refused; nothing of it is quoted.

use std::{collections::BTreeSet, path::Path};

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

use super::place::Place;
use crate::{
    audit::{
        document::SCHEMA,
        fleet::SCHEMA as FLEET_SCHEMA,
        verdict::{Gate, Outcome},
    },
    cluster::snapshot::Mode,
    credentials::{Class, KINDS},
    error::{Code, Error, Result},
    hex::hex,
};

/// A result with some hundred thousand places.
pub(crate) const MAX_REPORT: usize = 64 << 20;

/// One audit, as its result tells it.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    /// Of the cluster.
    pub(super) uid: String,
    pub(super) outcome: Outcome,
    pub(super) headline: String,
    pub(super) gate: Gate,
    pub(super) mode: Mode,
    /// When it began, in seconds since 1970; results of former versions do not tell.
    pub(super) started: Option<u64>,
    pub(super) credentials: Vec<Known>,
    pub(super) findings: Vec<Named>,
    /// How many things could not be read or judged.
    pub(super) not_seen: usize,
    /// SHA-256 of the file, in hexadecimal.
    pub(super) digest: String,
}

/// One distinct credential.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) what: String,
    pub(super) class: Class,
    /// The kinds by which it was recognised, by their codes.
    pub(super) kinds: BTreeSet<String>,
    pub(super) places: BTreeSet<Place>,
    /// Places beyond those.
    pub(super) more: usize,
    pub(super) is_excepted: bool,
}

/// A finding that is no credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Named {
    pub(super) code: String,
    pub(super) object: String,
    pub(super) why: String,
}

/// What names the form. All of it may be missing from a file that is something else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<String>,
    command: Option<String>,
    schema: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    target: Target,
    verdict: String,
    headline: String,
    gate: Gate,
    mode: Mode,
    complete: bool,
    #[serde(deserialize_with = "Option::deserialize")]
    count: Option<usize>,
    evidence: Option<When>,
    credentials: Vec<Credential>,
    excepted: Vec<Excepted>,
    findings: Vec<Named>,
    not_judged: Vec<serde::de::IgnoredAny>,
    not_seen: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Target {
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct Cluster {
    uid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct When {
    started_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    id: String,
    what: String,
    class: Class,
    /// Results of former versions have those of `places` only.
    #[serde(default)]
    codes: Vec<String>,
    secrets: Vec<Key>,
    config_maps: Vec<Key>,
    objects: Vec<String>,
    more_places: usize,
    places: Vec<Named>,
}

#[derive(Deserialize)]
struct Key {
    namespace: String,
    name: String,
    #[serde(deserialize_with = "Option::deserialize")]
    key: Option<String>,
}

#[derive(Deserialize)]
struct Excepted {
    credential: Credential,
}

impl Saved {
    /// Reads a result.
    ///
    /// Errors, all of them of usage: it is none, of another version, contradicts itself, or does not name its cluster.
    pub(crate) fn parse(content: &str, path: &Path) -> Result<Self> {
        let name = path.display();
        let malformed = || {
            Error::usage(Code::AuditReportMalformed, format!("{name} is no result of an audit"))
                .hint("save one: keyless audit --report json=FILE")
        };
        let head: Head =
            serde_json::from_str(content).map_err(|error| malformed().caused_by_chain(&error))?;
        if head.command.as_deref() != Some("audit") {
            return Err(malformed().caused_by("`command` in it is not audit"));
        }
        if head.schema.as_deref() == Some(FLEET_SCHEMA) {
            return Err(Error::usage(Code::AuditReportCluster, format!("{name} is about several clusters"))
                .caused_by("only two results of one cluster can be compared")
                .hint("make a result for each cluster: keyless audit --context NAME --report json=FILE"));
        }
        if head.api_version.as_deref() != Some(crate::report::API_VERSION)
            || head.schema.as_deref() != Some(SCHEMA)
        {
            return Err(Error::usage(
                Code::AuditReportVersion,
                format!("{name} is of a version that this program does not read"),
            )
            .caused_by(format_args!("it reads `schema` {SCHEMA}"))
            .hint("use the version of keyless that wrote it, or make the audit again"));
        }
        let file: File =
            serde_json::from_str(content).map_err(|error| malformed().caused_by_chain(&error))?;
        let outcome = outcome(&file).ok_or_else(|| {
            malformed().caused_by("its verdict, its count and what it lists contradict each other")
        })?;
        let uid = file.target.cluster.and_then(|cluster| cluster.uid).filter(|uid| !uid.is_empty());
        if uid.as_deref().is_some_and(|uid| !is_uid(uid)) {
            return Err(malformed().caused_by("`target.cluster.uid` in it is no UID"));
        }
        let uid = uid.ok_or_else(|| {
            Error::usage(Code::AuditReportCluster, format!("{name} does not tell which cluster it is about"))
                .caused_by("`target.cluster.uid` in it is empty: the audit could not read it")
                .hint("grant `get` on the namespace kube-system, as deploy/auditor does, and make the audit again")
        })?;
        let started = file.evidence.and_then(|it| it.started_at);
        let plain = file.credentials.into_iter().map(|it| Known::of(it, false));
        let excepted = file.excepted.into_iter().map(|it| Known::of(it.credential, true));
        Ok(Self {
            uid,
            outcome,
            headline: file.headline,
            gate: file.gate,
            mode: file.mode,
            started: started.and_then(|time| u64::try_from(time.as_second()).ok()),
            credentials: plain.chain(excepted).collect(),
            findings: file.findings,
            not_seen: file.not_judged.len() + file.not_seen.len(),
            digest: hex(digest(&SHA256, content.as_bytes()).as_ref()),
        })
    }

    /// Refuses a result of another cluster. `whose` names the other side, e.g. `prod.json` or `this cluster`.
    pub(crate) fn is_of(&self, uid: &str, path: &Path, whose: &str) -> Result<()> {
        if self.uid == uid {
            return Ok(());
        }
        Err(Error::usage(
            Code::AuditReportCluster,
            format!("{} is about another cluster than {whose}", path.display()),
        )
        .caused_by(format_args!("UID in {}: {}", path.display(), self.uid))
        .caused_by(format_args!("UID of {whose}: {uid}"))
        .hint("compare results of one cluster"))
    }

    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// When it began, in seconds since 1970.
    pub(crate) fn started(&self) -> Option<u64> {
        self.started
    }

    /// Everything was looked at and could be judged.
    pub(super) fn is_complete(&self) -> bool {
        self.outcome.is_complete()
    }
}

/// It is shown in errors: nothing else gets into them by it.
fn is_uid(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What its parts come to, where they agree.
fn outcome(file: &File) -> Option<Outcome> {
    let nothing_missing = file.not_seen.is_empty() && file.not_judged.is_empty();
    let covers = |credential: &Credential| file.gate.covers(credential.class);
    let within = file.credentials.iter().filter(|credential| covers(credential)).count();
    let found = within > 0 || !file.findings.is_empty();
    let excepted = file.excepted.iter().any(|it| covers(&it.credential));
    let outcome = match (file.verdict.as_str(), found, nothing_missing) {
        ("found", true, complete) => Outcome::Found { complete },
        ("incomplete", false, false) => Outcome::Incomplete,
        ("nothing-to-judge", false, true) => Outcome::NothingToJudge,
        ("zero-except", false, true) if excepted => Outcome::ZeroExcept,
        ("zero", false, true) if !excepted => Outcome::Zero,
        _ => return None,
    };
    let count = match outcome {
        Outcome::Zero => Some(0),
        Outcome::Found { .. } if within > 0 => Some(within),
        _ => None,
    };
    // Only the mode deep sees everything.
    let complete = outcome.is_complete();
    let agrees = complete == file.complete && count == file.count && (!complete || file.mode == Mode::Deep);
    agrees.then_some(outcome)
}

impl Known {
    fn of(it: Credential, is_excepted: bool) -> Self {
        let of_hits = it.places.into_iter().map(|place| place.code);
        let is_kind = |code: &String| KINDS.iter().any(|kind| kind.code == code);
        let of_keys = |kind: &'static str, keys: Vec<Key>| {
            keys.into_iter().map(move |key| Place::of(kind, &key.namespace, &key.name, key.key))
        };
        let objects = it.objects.into_iter().map(|object| Place { object, key: None });
        let places = of_keys("Secret", it.secrets).chain(of_keys("ConfigMap", it.config_maps)).chain(objects);
        Self {
            kinds: it.codes.into_iter().chain(of_hits).filter(is_kind).collect(),
            id: it.id,
            what: it.what,
            class: it.class,
            places: places.collect(),
            more: it.more_places,
            is_excepted,
        }
    }
}
