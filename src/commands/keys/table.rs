//! PURE. The keys as a table, and the one next step.

use serde_json::{Value, json};

use crate::{
    oidc::PublicKey,
    publication::History,
    rfc3339::rfc3339,
    rotation::{KeyId, State, advice::Next, advise},
    shell,
    watch::state_name,
};

/// One key.
pub(super) struct Row {
    pub(super) kid: String,
    algorithm: Option<&'static str>,
    state: State,
    servers: u32,
    serving: u32,
    signs: bool,
    public_since: Option<u64>,
    sign_after: Option<u64>,
    drop_after: Option<u64>,
    pub(super) next: Next,
}

/// Every key that is published, live, staged or missing, in the order of their `kid`.
pub(super) fn rows(history: &History) -> Vec<Row> {
    let look = &history.look;
    let row = |(id, state): (&KeyId, &State)| {
        let entry = history.judged.ledger.keys.get(id)?;
        let advice = advise(id, *state, entry, look, history.policy());
        Some(Row {
            kid: history.kid(id)?.to_owned(),
            algorithm: history.key(id).map(|key: &PublicKey| key.algorithm().name()),
            state: *state,
            servers: look.servers,
            serving: look.serving.get(id).copied().unwrap_or_default(),
            signs: look.signing.contains(id),
            public_since: entry.public_since,
            sign_after: advice.sign_after.filter(|_| !matches!(advice.next, Next::Leaves)),
            drop_after: advice.drop_after.filter(|_| state.is_ours()),
            next: advice.next,
        })
    };
    let mut rows: Vec<Row> = history.judged.states.iter().filter_map(row).collect();
    rows.sort_by(|one, other| one.kid.cmp(&other.kid));
    rows
}

impl Row {
    /// When what it waits for is safe.
    pub(super) fn waits_until(&self) -> Option<u64> {
        match self.next {
            Next::WaitToSign => self.sign_after,
            Next::WaitToRemove => self.drop_after,
            _ => None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.serving > 0
    }

    /// Whether relying parties can have it.
    pub(super) fn is_public(&self) -> bool {
        self.public_since.is_some()
    }

    pub(super) fn is_alarm(&self) -> bool {
        self.state.is_alarm()
    }

    fn name(&self) -> &'static str {
        state_name(self.state)
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "kid": self.kid,
            "algorithm": self.algorithm,
            "state": self.name(),
            "servedBy": self.serving,
            "servers": self.servers,
            "signing": self.signs,
            "publicSince": self.public_since.map(rfc3339),
            "signAfter": self.sign_after.map(rfc3339),
            "dropAfter": self.drop_after.map(rfc3339),
        })
    }

    fn cells(&self) -> [String; 8] {
        let or_none = |time_of: Option<u64>| time_of.map_or_else(|| "-".to_owned(), rfc3339);
        [
            self.kid.escape_debug().to_string(),
            self.algorithm.unwrap_or("-").to_owned(),
            self.name().to_owned(),
            format!("{} of {}", self.serving, self.servers),
            if self.signs { "yes" } else { "no" }.to_owned(),
            or_none(self.public_since),
            or_none(self.sign_after),
            or_none(self.drop_after),
        ]
    }
}

const HEAD: [&str; 8] = [
    "KID",
    "ALGORITHM",
    "STATE",
    "LIVE AT",
    "SIGNING",
    "PUBLIC SINCE",
    "SAFE TO SIGN AFTER",
    "SAFE TO DROP AFTER",
];

pub(super) fn lines(rows: &[Row]) -> Vec<String> {
    let mut table = vec![HEAD.map(str::to_owned)];
    table.extend(rows.iter().map(Row::cells));
    let width = |column: usize| table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |cells: &[String; 8]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    table.iter().map(line).collect()
}

/// The step that comes before every other one. `place`: where the key files of the API servers are; `again`: the
/// flags that name the settings file and the cluster.
pub(super) fn next_step(rows: &[Row], place: Option<&str>, again: &str) -> String {
    let files = place.map(|place| format!(" ({place})")).unwrap_or_default();
    let first = |wanted: fn(&Row) -> bool| rows.iter().find(|row| wanted(row));
    let kid = |row: &Row| row.kid.escape_debug().to_string();
    let at =
        |time_of: Option<u64>| time_of.map_or_else(|| "a time that is not known yet".to_owned(), rfc3339);
    if first(|row| row.next == Next::AskEveryServer).is_some() {
        return "next: bring every API server back; what is safe takes an answer of all of them".to_owned();
    }
    if let Some(row) = first(|row| row.state == State::Missing) {
        return format!(
            "next: publish {0} again: keyless keys add{again} FILE; if it is of no use any more: keyless keys revoke{again} {1}",
            kid(row),
            argument(row)
        );
    }
    if let Some(row) = first(|row| matches!(row.state, State::Returned { .. })) {
        return match row.next {
            Next::FewerServers { before } => fewer_servers(row, before, again),
            _ => format!(
                "next: find out who published {} again; keyless publish{again} takes it out",
                kid(row)
            ),
        };
    }
    if let Some(row) = first(|row| row.state == State::Foreign) {
        return format!(
            "next: find out whose key {0} is, before anything else; if you staged it: keyless keys add{again} FILE; otherwise: keyless \
             keys revoke{again} {1}",
            kid(row),
            argument(row)
        );
    }
    if let Some(row) = first(|row| row.state.is_alarm()) {
        return format!("next: find out whose key {} is, before anything else", kid(row));
    }
    if let Some(row) = first(|row| row.next == Next::Publish) {
        return format!("next: publish {}: keyless publish{again}", kid(row));
    }
    if let Some(row) = first(|row| row.next == Next::ServeEverywhere) {
        return format!(
            "next: add {} to --service-account-key-file of every API server, one by one; let none sign with it yet{files}",
            kid(row)
        );
    }
    if let Some(row) = first(|row| row.next == Next::WaitToSign) {
        return format!(
            "next: wait until {} before an API server signs with {}",
            at(row.sign_after),
            kid(row)
        );
    }
    if let Some(row) = first(|row| row.next == Next::MaySign) {
        return format!(
            "next: {} may sign: set --service-account-signing-key-file of each API server, one by one{files}",
            kid(row)
        );
    }
    if let Some(row) = first(|row| row.next == Next::WaitToRemove) {
        return format!(
            "next: keep {} in --service-account-key-file until {}{files}",
            kid(row),
            at(row.drop_after)
        );
    }
    if let Some(row) = first(|row| row.next == Next::MayRemove) {
        return format!(
            "next: {} may be taken from --service-account-key-file, unless pods still use tokens of it at the API itself (up to a year){files}",
            kid(row)
        );
    }
    let fewer = |row: &Row| match row.next {
        Next::FewerServers { before } => Some(fewer_servers(row, before, again)),
        _ => None,
    };
    if let Some(step) = rows.iter().find_map(fewer) {
        return step;
    }
    if let Some(row) = first(|row| row.next == Next::Keep) {
        return format!(
            "next: keep {} in --service-account-key-file: no API server was seen to sign with it, and no file named it; if it is the next \
             signing key, record that: keyless keys add{again} FILE{files}",
            kid(row)
        );
    }
    "next: nothing".to_owned()
}

/// Of a command. A key that another party has put there may have any name.
fn argument(row: &Row) -> String {
    shell::argument(&row.kid, "KID")
}

/// A server that is no longer listed may still have the key: only a person knows that it is gone.
fn fewer_servers(row: &Row, before: u32, again: &str) -> String {
    let kid = row.kid.escape_debug();
    format!(
        "next: there were {before} API servers when {kid} was live, there are {}: if the others are gone for good, and its tokens have \
         expired: keyless keys revoke{again} {}",
        row.servers,
        argument(row)
    )
}
