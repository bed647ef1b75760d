//! PURE. The file of exceptions: who answers for which credential, why, and until when. An exception moves a credential to
//! another number; it never hides it, and it never covers what could not be read or judged.

use std::{collections::BTreeSet, path::Path};

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::jiff::{ToSpan, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::{Hit, Rule, Weight, catalogue::code_of, verdict::Root, verdict::Verdict};
use crate::{
    credentials::{KINDS, Severity},
    error::{Code, Error, Result},
    hex::hex,
    redact,
    target::is_uid,
};

/// What is wrong with an entry is a finding of this rule.
pub(super) const RULE: Rule = Rule {
    code: "KL220",
    id: "exception",
    class: None,
    severity: Severity::Medium,
    summary: "an entry of the exceptions file has expired, reaches too far, does not name exactly one credential that was seen, or not every object in which that lies",
    remedy: "Correct the entry, or take it out. An exception that is still needed gets a new date from its owner.",
    check: |_| Vec::new(),
};

/// An exception is for so many days at most.
const LONGEST: i64 = 365;

/// Exceptions of `keyless audit --exceptions`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "Exceptions")]
struct File {
    #[allow(dead_code, reason = "reading it is what checks it")]
    api_version: Version,
    exceptions: Vec<Entry>,
}

/// The versions that are read.
#[derive(Debug, Deserialize, JsonSchema)]
enum Version {
    #[serde(rename = "keyless/exceptions/v1")]
    V1,
}

/// One exception.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    /// The credential, as `id` in the report names it: `aws:…`, `google:…`, `secret:NAMESPACE/NAME#KEY`. There are no wildcards.
    id: String,
    /// The code of its kind or rule, e.g. `KL131`. Required where the ID names a place: another kind of credential that
    /// gets to lie there is not meant.
    code: Option<String>,
    /// The objects in which it lies, each as the report names it: `Secret shop/vault`. Required where it lies in one, unless
    /// the ID names that place. In any other object it is not excepted. With the UID of a cluster before it,
    /// `UID/Secret shop/vault`, it is in that cluster only, and `UID/` alone is no object of it; in a report over several
    /// clusters each must have one.
    #[serde(default)]
    at: Vec<String>,
    /// Why it cannot go yet.
    reason: String,
    /// Who answers for it.
    owner: String,
    /// The last day on which it counts, e.g. `2027-01-31`, in UTC; at most 365 days ahead.
    #[serde(deserialize_with = "date")]
    #[schemars(with = "String", regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    expires: Date,
    /// What lowers the risk meanwhile.
    control: Option<String>,
}

/// A file of exceptions, as it was read.
#[derive(Debug)]
pub(crate) struct Exceptions {
    entries: Vec<Entry>,
    /// SHA-256 of the file, in hexadecimal.
    pub(super) digest: String,
}

/// A credential that is excepted, and by what.
#[derive(Clone, Debug)]
pub(crate) struct Excepted {
    pub(crate) root: Root,
    pub(crate) reason: String,
    pub(crate) owner: String,
    /// `2027-01-31`.
    pub(crate) until: String,
    /// The first moment at which it does not count any more, in seconds since 1970.
    pub(crate) ends: i64,
    pub(crate) control: Option<String>,
}

impl Exceptions {
    /// Reads a file.
    ///
    /// Errors: it is no such file, or an entry lacks what it must have. A value of it is never quoted.
    pub(crate) fn parse(content: &str, path: &Path) -> Result<Self> {
        let malformed = || {
            Error::usage(Code::ExceptionsMalformed, format!("{} cannot be used", path.display()))
                .hint("`keyless config schema exceptions` shows its form; docs/audit.md has an example")
        };
        let file: File = serde_saphyr::from_str(content)
            .map_err(|error| malformed().caused_by(crate::error::yaml(error.without_snippet())))?;
        for (number, entry) in file.exceptions.iter().enumerate() {
            let at = format!("exceptions[{number}]");
            for (name, value) in [("id", &entry.id), ("reason", &entry.reason), ("owner", &entry.owner)] {
                if value.trim().is_empty() || value.len() > 1000 || value.chars().any(char::is_control) {
                    return Err(malformed()
                        .caused_by(format_args!("{at}.{name}: it is empty, too long, or not one line")));
                }
            }
            for (name, value) in [("code", &entry.code), ("control", &entry.control)] {
                let fits = |value: &String| value.len() <= 1000 && !value.chars().any(char::is_control);
                if !value.as_ref().is_none_or(fits) {
                    return Err(
                        malformed().caused_by(format_args!("{at}.{name}: it is too long, or not one line"))
                    );
                }
            }
            for (place, value) in entry.at.iter().enumerate() {
                let (cluster, object) = of_cluster(value);
                let fits = value.len() <= 1000 && !value.chars().any(char::is_control);
                let is_object = object.split_once(' ').is_some_and(|(kind, name)| {
                    let is_text = |text: &str| !text.is_empty() && !text.contains([' ', '*', '?']);
                    is_text(kind) && is_text(name)
                });
                let is_cluster = cluster.is_some() && object.is_empty();
                if !(fits && (is_object || is_cluster)) {
                    return Err(malformed().caused_by(format_args!(
                        "{at}.at[{place}]: it names no object as the report does, e.g. `Secret shop/vault`"
                    )));
                }
            }
            if entry.id.contains(['*', '?']) {
                return Err(malformed()
                    .caused_by(format_args!("{at}.id: there are no wildcards: name each credential")));
            }
            if is_place(&entry.id) && entry.code.is_none() {
                return Err(malformed().caused_by(format_args!(
                    "{at}.code: it is missing, and the ID names a place: give the code that the report shows, e.g. KL131"
                )));
            }
            if file.exceptions[..number].iter().any(|other| other.id == entry.id && other.code == entry.code)
            {
                return Err(malformed().caused_by(format_args!("{at}.id: another entry has the same")));
            }
        }
        let digest = hex(digest(&SHA256, content.as_bytes()).as_ref());
        Ok(Self { entries: file.exceptions, digest })
    }

    /// Refuses an entry that does not say which of several clusters it is about. `path`: of the file.
    pub(crate) fn name_clusters(&self, path: &Path) -> Result<()> {
        for (number, entry) in self.entries.iter().enumerate() {
            let names = |at: &String| of_cluster(at).0.is_some();
            if entry.at.is_empty() || !entry.at.iter().all(names) {
                return Err(Error::usage(Code::ExceptionsMalformed, format!("{} cannot be used", path.display()))
                    .caused_by(format_args!(
                        "exceptions[{number}].at: it does not name the cluster, and several are to be audited"
                    ))
                    .hint("write the UID of the cluster before each object, e.g. `UID/Secret shop/vault`, and `UID/` where it lies in none"));
            }
        }
        Ok(())
    }
}

/// `UID/Secret shop/vault`: the UID of a cluster, if there is one, and the object.
fn of_cluster(at: &str) -> (Option<&str>, &str) {
    match at.split_once('/') {
        Some((uid, object)) if is_uid(uid) => (Some(uid), object),
        _ => (None, at),
    }
}

/// Whether an ID of a report names where the credential lies, and not which one it is.
pub(super) fn is_place(id: &str) -> bool {
    ["secret:", "configmap:", "object:"].iter().any(|place| id.starts_with(place))
}

impl Entry {
    /// The same as it is for one cluster: `None` where it is about others only. `Err`: it is not known whether it is.
    /// `has_twin`: another server has answered with the same UID.
    fn within(&self, cluster: Option<&str>, has_twin: bool) -> Result<Option<Self>, String> {
        let about = |at: &&String| match (of_cluster(at).0, cluster) {
            (None, _) => true,
            (Some(named), cluster) => Some(named) == cluster,
        };
        if self.at.is_empty() {
            return Ok(Some(self.clone()));
        }
        let own: Vec<_> = self.at.iter().filter(about).collect();
        if own.is_empty() && cluster.is_none() {
            return Err("it names a cluster, and the UID of this one could not be read".to_owned());
        }
        if has_twin && own.iter().any(|at| of_cluster(at).0.is_some()) {
            return Err(
                "it names a cluster by a UID that two servers answer with, so that it is not known which is meant: the credential counts again. Audit each of them by itself"
                    .to_owned(),
            );
        }
        let objects = own.iter().map(|at| of_cluster(at).1).filter(|object| !object.is_empty());
        let at = objects.map(str::to_owned).collect();
        Ok((!own.is_empty()).then(|| Self { at, ..self.clone() }))
    }

    /// Whether it was written for every copy of the credential; `Err`: why it was not.
    fn reaches(&self, root: &Root) -> Result<(), String> {
        const AGAIN: &str = "the credential counts again";
        let holders = root.holders();
        if root.more > 0 {
            return Err(format!(
                "the credential lies in more objects than the report names: {AGAIN}. Delete copies: so many cannot be named"
            ));
        }
        let further: Vec<_> = holders.iter().filter(|holder| !self.at.contains(holder)).collect();
        match (self.at.is_empty(), further.as_slice()) {
            (_, []) => Ok(()),
            // Its ID names where it lies.
            (true, [_]) if is_place(&self.id) => Ok(()),
            (is_open, further) => {
                let further: Vec<_> = further.iter().map(|it| it.escape_debug().to_string()).collect();
                let why = match is_open {
                    true => "it names no object, and the credential lies in",
                    false => "the credential lies in an object that it does not name:",
                };
                let further = further.join(", ");
                Err(format!("{why} {further}: {AGAIN}. Delete the copy, or name every object in `at`"))
            }
        }
    }
}

impl Root {
    /// The objects in which a copy lies: `Secret shop/vault`.
    fn holders(&self) -> BTreeSet<String> {
        let secrets = self.secrets.iter().map(|it| format!("Secret {}/{}", it.namespace, it.name));
        let config_maps = self.config_maps.iter().map(|it| format!("ConfigMap {}/{}", it.namespace, it.name));
        let object = |at: &String| at.split_once(" (").map_or(at.as_str(), |(object, _)| object).to_owned();
        secrets.chain(config_maps).chain(self.objects.iter().map(object)).collect()
    }
}

impl Verdict {
    /// The same verdict with these exceptions, at this time (seconds since 1970).
    pub(crate) fn excepting(self, exceptions: &Exceptions, now: u64) -> Self {
        self.excepting_in(exceptions, now, false)
    }

    /// The same of a cluster whose UID another server has answered with, too: entries that name it cover nothing.
    pub(super) fn excepting_twin(self, exceptions: &Exceptions, now: u64) -> Self {
        self.excepting_in(exceptions, now, true)
    }

    fn excepting_in(mut self, exceptions: &Exceptions, now: u64, has_twin: bool) -> Self {
        let today = today(now);
        let cluster = self.record.cluster.clone();
        let mut others = 0;
        for entry in &exceptions.entries {
            let position = match entry.within(cluster.as_deref(), has_twin) {
                Ok(Some(own)) => self.position(&own, today),
                Ok(None) => {
                    others += 1;
                    continue;
                }
                Err(why) => Err(why),
            };
            match position {
                Ok((is_root, index)) => {
                    let from = if is_root { &mut self.roots } else { &mut self.others };
                    let root = from.remove(index);
                    self.excepted.push(Excepted {
                        root,
                        reason: entry.reason.clone(),
                        owner: entry.owner.clone(),
                        until: entry.expires.to_string(),
                        ends: after(entry.expires),
                        control: entry.control.clone(),
                    });
                }
                Err(why) => self.findings.push(Hit {
                    rule: RULE.id,
                    weight: Weight::Finding,
                    place: format!("exception {}", redact::given(&entry.id)),
                    why,
                    remedy: RULE.remedy.to_owned(),
                }),
            }
        }
        if others > 0 {
            self.notes.push(Hit {
                rule: RULE.id,
                weight: Weight::Note,
                place: "exceptions".to_owned(),
                why: match others {
                    1 => "1 entry is about another cluster: it counts for nothing in this one".to_owned(),
                    count => format!(
                        "{count} entries are about other clusters: they count for nothing in this one"
                    ),
                },
                remedy: "Audit those clusters with this file, too.".to_owned(),
            });
        }
        self.excepted.sort_by(|a, b| (a.root.class, &a.root.id).cmp(&(b.root.class, &b.root.id)));
        self.exceptions = Some(exceptions.digest.clone());
        self
    }

    /// The one credential that an entry means, or why it counts for none.
    fn position(&self, entry: &Entry, today: Date) -> Result<(bool, usize), String> {
        if entry.expires < today {
            return Err(format!("it expired on {}: the credential counts again", entry.expires));
        }
        let latest = today.checked_add(LONGEST.days()).unwrap_or(Date::MAX);
        if entry.expires > latest {
            return Err(format!(
                "it would count until {}: {LONGEST} days ahead is the most, {latest}",
                entry.expires
            ));
        }
        let claims = |root: &&Root| root.claims.as_ref() == Some(&entry.id);
        let claiming = self.roots.iter().chain(&self.others).filter(claims).count();
        if claiming > 0 {
            return Err(format!(
                "{claiming} different credentials call themselves by this ID: none is excepted, and the report shows an ID of its own for each"
            ));
        }
        let is_meant = |root: &&Root| root.id == entry.id;
        // By its kind, where that is known; a rule says how it is used.
        let is_of_code = |root: &Root| {
            entry.code.as_ref().is_none_or(|code| {
                let is_kind = |id: &&&str| KINDS.iter().any(|kind| kind.id == **id);
                let of_hits = root.hits.iter().map(|hit| hit.rule);
                let all: BTreeSet<&str> = root.rules.iter().copied().chain(of_hits).collect();
                let kinds: Vec<&&str> = all.iter().filter(is_kind).collect();
                let ids: Vec<&&str> = if kinds.is_empty() { all.iter().collect() } else { kinds };
                ids.iter().all(|id| code_of(id).eq_ignore_ascii_case(code))
            })
        };
        let all = |roots: &[Root], is_root: bool| -> Vec<(bool, usize)> {
            let meant = roots.iter().enumerate().filter(|(_, root)| is_meant(root) && is_of_code(root));
            meant.map(|(index, _)| (is_root, index)).collect()
        };
        let found = [all(&self.roots, true), all(&self.others, false)].concat();
        let is_other = || self.roots.iter().chain(&self.others).any(|root| is_meant(&root));
        match found[..] {
            [one @ (is_root, index)] => {
                let roots = if is_root { &self.roots } else { &self.others };
                entry.reaches(&roots[index]).map(|()| one)
            }
            [] if is_other() => Err(format!(
                "the credential with this ID is of another code than {}",
                entry.code.as_deref().unwrap_or_default().escape_debug()
            )),
            [] if !self.unseen.is_empty() || !self.unknown.is_empty() => Err(
                "no credential that was seen has this ID, and not everything could be read or judged: whether it is gone is not known"
                    .into(),
            ),
            [] => Err("no credential that was seen has this ID: it is gone, has another ID, or lies where the audit does not look".into()),
            _ => Err(format!("{} credentials have this ID: none is excepted", found.len())),
        }
    }
}

fn date<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    let text = String::deserialize(from)?;
    let date = text.parse().ok().filter(|_| text.len() == "2027-01-31".len());
    date.ok_or_else(|| D::Error::custom("a date is written as 2027-01-31"))
}

/// When a day is over, in UTC.
fn after(day: Date) -> i64 {
    let next = day.tomorrow().unwrap_or(Date::MAX);
    next.to_zoned(TimeZone::UTC).map_or(i64::MAX, |time| time.timestamp().as_second())
}

fn today(now: u64) -> Date {
    let seconds = i64::try_from(now).unwrap_or(i64::MAX);
    let time =
        k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap_or(k8s_openapi::jiff::Timestamp::MAX);
    time.to_zoned(TimeZone::UTC).date()
}

/// The form of a file, as JSON schema.
pub(crate) fn exceptions_schema() -> Value {
    schemars::schema_for!(File).to_value()
}

#[cfg(test)]
#[path = "exceptions_tests.rs"]
mod tests;
