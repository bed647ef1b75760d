//! PURE. What a person should know of the ledger and the keys, as text.

use serde_json::{Value, json};

use super::history::History;
use crate::{
    error::Code,
    rfc3339::rfc3339,
    rotation::{Entry, KeyId, Lost, Seen, Source, State},
    warning::Warning,
};

impl History {
    /// What a person should know, whatever else is done.
    pub(crate) fn notes(&self) -> Vec<Warning> {
        let mut notes = Vec::new();
        notes.extend(self.note_of_ledger());
        let of_entry = |(kid, time): &(String, u64)| format!("{} ({})", kid.escape_debug(), rfc3339(*time));
        let ahead: Vec<_> = self.ahead.values().map(of_entry).collect();
        if !ahead.is_empty() {
            let message = format!(
                "entries of the ledger in {} are not used, as they hold times ahead of the clock: {}; the clock shows {}; these keys \
                 stay longer than they would have",
                self.book.name(),
                ahead.join(", "),
                rfc3339(self.look.latest)
            );
            notes.push(Warning { code: Code::LedgerLost, message });
        }
        for (code, matching, what) in ALARMS {
            let of_state = self.judged.states.iter().filter(|(_, state)| matching(**state));
            let keys: Vec<_> = of_state.filter_map(|(id, _)| self.described(id)).collect();
            if !keys.is_empty() {
                let what = if self.is_given() { of_provider(code).unwrap_or(what) } else { what };
                notes.push(Warning { code, message: format!("{}: {what}", keys.join(", ")) });
            }
        }
        notes
    }

    /// `kid (first noticed 2026-11-26T12:00:00Z)`.
    fn described(&self, id: &KeyId) -> Option<String> {
        let entry = self.judged.ledger.keys.get(id);
        let kid = self.kid(id)?;
        let noticed = entry.map_or(self.look.latest, |entry| entry.noticed);
        let lacking = match (self.judged.states.get(id), self.lacking(id)) {
            (Some(State::Missing), names @ [_, ..]) => format!("; not at {}", names.join(", ")),
            _ => String::new(),
        };
        Some(format!("{} (first noticed {}{lacking})", kid.escape_debug(), rfc3339(noticed)))
    }

    /// Why the ledger is not used, if it is not.
    pub(crate) fn note_of_ledger(&self) -> Option<Warning> {
        let lost = self.lost?;
        let (name, reason) = (self.book.name(), lost.reason());
        let message = match lost {
            Lost::Missing if self.book.is_missing() => {
                let place = self.book.place();
                return Some(Warning::new(
                    Code::LedgerMissing,
                    format!(
                        "there is no ledger at {place}: a new one is begun, and published keys that no API server has cannot be \
                         distinguished from foreign ones; hint: if there is one already, correct cluster.ledger"
                    ),
                ));
            }
            Lost::Missing => return None,
            Lost::Version | Lost::NotALedger => {
                let hint = match lost {
                    Lost::Version => {
                        "run the version of keyless that wrote it, or delete it to begin a new one"
                    }
                    _ => "name another ConfigMap in cluster.ledger, or move what it holds",
                };
                format!(
                    "the ledger in {name} is not used, and left as it is: {reason}; no key is removed, and former keys cannot be \
                     distinguished from foreign ones; hint: {hint}"
                )
            }
            Lost::Future(latest) => format!(
                "the ledger in {name} is not used: {reason} (up to {}, the clock shows {}); a new one is begun, and keys stay longer \
                 than they would have",
                rfc3339(latest),
                rfc3339(self.look.latest)
            ),
            Lost::Damaged | Lost::TooLarge | Lost::Other => format!(
                "the ledger in {name} is not used: {reason}; a new one is begun, and keys stay longer than they would have"
            ),
        };
        Some(Warning { code: Code::LedgerLost, message })
    }
}

type Alarm = (Code, fn(State) -> bool, &'static str);

const ALARMS: [Alarm; 6] = [
    (
        Code::KeyForeign,
        |state| state == State::Foreign,
        "published, and the ledger knows it neither from an API server nor from a file: its holder can sign as every workload. If you \
         staged it with `keyless setup` or without a cluster, which write no ledger, `keyless keys add FILE` records that; if it is a \
         former key of this cluster, `keyless publish --same-cluster`. Otherwise find out who wrote it: `keyless keys revoke KID` \
         removes it",
    ),
    (
        Code::KeyNotServed,
        |state| state == State::Unknown,
        "published before the ledger began, and no API server has it: a former key of this cluster, or a foreign one, whose holder can \
         sign as every workload. `keyless publish --same-cluster` records that it is a former key, `keyless keys revoke KID` removes it",
    ),
    (
        Code::KeyShownOnce,
        |state| matches!(state, State::ShownOnce { .. }),
        "one API server served it in one look, never signed with it, and no longer has it. If no rotation was begun and withdrawn, find \
         out who changed that server. It is kept like a former key; `keyless keys revoke KID` removes it now",
    ),
    (
        Code::KeyReturned,
        |state| matches!(state, State::Returned { .. }),
        "it was taken out of the published set, and is published again: its holder can sign as every workload. Find out who wrote it. It \
         is taken out as soon as every API server answers and none has it; `keyless keys revoke KID` takes it out where there are fewer \
         API servers than before",
    ),
    (
        Code::KeyMissing,
        |state| state == State::Missing,
        "it has to be public, and it is neither in the bucket nor at an API server: relying parties refuse its tokens. Find out who removed \
         it. `keyless keys add FILE` publishes it again; if it is of no use any more, `keyless keys revoke KID` records that",
    ),
    (
        Code::KeyRevokedLive,
        |state| state == State::RevokedLive,
        "it was revoked, and an API server has it: it is published. Take it from --service-account-key-file of every API server",
    ),
];

/// What is otherwise where a provider is given the keys: flags about documents are no remedy there.
fn of_provider(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::KeyForeign => {
            "the provider has it, and the ledger knows it neither from an API server nor from a file: its holder can sign as every \
             workload. If it is a former key of this cluster, or one that you staged, `keyless keys add FILE` with its public half records \
             that. Otherwise find out who wrote it: `keyless keys revoke KID` removes it"
        }
        Code::KeyNotServed => {
            "the provider had it before the ledger began, and no API server has it: a former key of this cluster, or a foreign one, whose \
             holder can sign as every workload. `keyless keys add FILE` with its public half records that it is a former key, `keyless keys \
             revoke KID` removes it"
        }
        Code::KeyReturned => {
            "it was taken out, and the provider has it again: its holder can sign as every workload. Find out who wrote it. It is taken out \
             as soon as every API server answers and none has it; `keyless keys revoke KID` takes it out where there are fewer API servers \
             than before"
        }
        Code::KeyMissing => {
            "each provider has to have it, no API server has it, and it does not: tokens of it are refused there. Find out who removed it. \
             `keyless keys add FILE` gives it to each again; if it is of no use any more, `keyless keys revoke KID` records that"
        }
        _ => return None,
    })
}

/// What is known of a key, without the times.
pub(super) fn facts(entry: &Entry) -> Value {
    let seen = match entry.seen {
        Seen::Never => "never seen",
        Seen::Once => "seen once",
        Seen::Live => "seen",
    };
    let source = match entry.source {
        Source::Server => "from an API server",
        Source::Staged => "from a file",
        Source::Vouched => "recorded as a former key",
        Source::Unknown => "published before the ledger",
        Source::Foreign => "foreign",
        Source::Copy => "shown by a copy only",
    };
    let mut facts = vec![source, seen];
    let more = [
        (entry.signed, "may have signed"),
        (entry.public_since.is_some(), "public"),
        (entry.absent_since.is_some(), "absent"),
        (entry.idle_since.is_some(), "idle"),
        (entry.revoked.is_some(), "revoked"),
        (entry.dropped.is_some(), "removed"),
    ];
    facts.extend(more.into_iter().filter(|(holds, _)| *holds).map(|(_, fact)| fact));
    json!(facts.join(", "))
}
