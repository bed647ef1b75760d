//! PURE. What a trial has seen, and whether a value has what is read of it, at providers that give a secret as one value.

use serde_json::Value;

use super::{
    Reading, Trial,
    property::{Lookup, is_map, member_then_path},
};
use crate::{error::Check, relying_party::Finding};

/// What is tried, for people.
pub(super) fn subject(trial: &Trial) -> String {
    match trial {
        Trial::Read { secret, .. } => format!("read of {}", secret.escape_debug()),
        Trial::Metadata { secret, .. } => format!("tags of {}", secret.escape_debug()),
        Trial::Versions { secret } => format!("versions of {}", secret.escape_debug()),
        Trial::Find(find) => format!("search for {find}"),
        Trial::Write(right) => format!("right to {right}"),
    }
}

pub(super) enum Seen {
    Passed(String),
    Failed { seen: String, cause: String, remedy: String, of_the_thing: bool },
    NotProved(String),
}

/// What was seen of one version or one property.
pub(super) struct Judged {
    pub(super) check: Check,
    /// In front of the subject.
    pub(super) more: String,
    pub(super) seen: Seen,
}

impl Judged {
    pub(super) fn finding(self, subject: &str) -> Finding {
        let subject = format!("{}{subject}", self.more);
        match self.seen {
            Seen::Passed(seen) => Finding::passed(self.check, subject, seen),
            Seen::Failed { seen, cause, remedy, of_the_thing } => {
                let failed = Finding::failed(self.check, subject, seen, cause, remedy);
                if of_the_thing { failed.of_the_thing() } else { failed }
            }
            Seen::NotProved(why) => Finding::skipped(self.check, subject, format!("not proved: {why}")),
        }
    }
}

/// Whether a value, of this version, has what is read of it. `read`, `property`: the checks that the value and a property of it
/// end in.
pub(super) fn value<'a>(
    (read, property): (Check, Check),
    version: Option<&str>,
    value: &[u8],
    readings: impl Iterator<Item = &'a Reading>,
) -> Vec<Judged> {
    let more = version.map(|version| format!("version {}: ", version.escape_debug())).unwrap_or_default();
    let parsed = serde_json::from_slice(value).unwrap_or(Value::Null);
    let failed = |seen: String, cause: &str| {
        let remedy =
            "give the secret the members that it has on the other side, or correct the object that reads it";
        let seen =
            Seen::Failed { seen, cause: cause.to_owned(), remedy: remedy.to_owned(), of_the_thing: true };
        vec![Judged { check: read, more: more.clone(), seen }]
    };
    let mut not_judged = Vec::new();
    for reading in readings {
        let shown = reading.property.as_deref().unwrap_or("the whole value").escape_debug();
        let found = match &reading.property {
            Some(property) => member_then_path(&parsed, property),
            None => Lookup::Found(&parsed),
        };
        match found {
            Lookup::Missing => {
                return failed(
                    format!("no {shown}"),
                    "objects read members that the secret does not have on this side",
                );
            }
            Lookup::Found(value) if reading.is_map && !is_map(value) => {
                return failed(format!("no map: {shown}"), "dataFrom.extract takes the members of a map");
            }
            Lookup::Found(_) => {}
            Lookup::NotJudged => not_judged.push(shown.to_string()),
        }
    }
    let passed =
        Judged { check: read, more: more.clone(), seen: Seen::Passed(format!("{} bytes", value.len())) };
    let rest = not_judged.into_iter().map(|path| Judged {
        check: property,
        more: format!("property {path} in the {more}"),
        seen: Seen::NotProved("keyless follows paths of members only, and this one says more".to_owned()),
    });
    std::iter::once(passed).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_looked_up_in_value() {
        let reading = |property: &str, is_map| Reading {
            property: (!property.is_empty()).then(|| property.to_owned()),
            is_map,
            ..Reading::default()
        };
        let passes = |reading: Reading| {
            let seen = value(
                (Check::JwksReachable, Check::JwksContentType),
                None,
                br#"{"a":{"b":"x"},"c":"{}"}"#,
                [reading].iter(),
            );
            matches!(seen[0].seen, Seen::Passed(_))
        };
        assert!(passes(reading("a.b", false)) && passes(reading("", true)) && passes(reading("c", true)));
        assert!(!passes(reading("a.x", false)) && !passes(reading("a.b", true)));
    }
}
