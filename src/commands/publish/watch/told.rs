//! What is printed of the looks: one JSON object, or some lines, for each look that is worth it.

use serde_json::{Value, json};

use super::{Leads, Looks, publisher::Looked};
use crate::{
    error::{Code, Error},
    rfc3339::rfc3339,
    warning::Warning,
    watch::{Ended, Outcome},
};

/// What was told about who leads: each is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LeadsTold {
    This,
    Another(Option<String>),
    Unknown(Code),
}

impl Looks<'_, '_> {
    pub(super) fn tell(&mut self, looked: Looked) {
        let Looked { ended, notes, lines, mut json, last_line, .. } = looked;
        if !self.notice.of(ended, notes.iter().map(stable).collect(), self.shared.clock()) {
            return;
        }
        let waits = ended.outcome == Outcome::Pending;
        if ended.changed || waits {
            self.report.lines(lines);
        }
        notes.iter().for_each(|note| self.report.warning(note));
        self.add(&mut json, ended.outcome);
        self.report.json("publish", json);
        let why = if waits { ": this process does not hold the Lease" } else { "" };
        self.report.line(format_args!("{last_line}{why}"));
        self.flush();
    }

    pub(super) fn tell_failure(&mut self, error: &Error) {
        // The next look that ends is news.
        let ended = Ended { outcome: Outcome::Failed, changed: false };
        self.notice.of(ended, Vec::new(), self.shared.clock());
        let mut members = json!({});
        self.add(&mut members, Outcome::Failed);
        self.report.error_with("publish", error, members);
        self.flush();
    }

    fn add(&self, result: &mut Value, outcome: Outcome) {
        result["outcome"] = json!(outcome.name());
        result["time"] = json!(rfc3339((self.now)()));
        result["leader"] = json!(self.leads.borrow().now());
    }

    /// Who leads, when that has changed.
    pub(super) fn tell_leads(&mut self) {
        let leads = self.leads.borrow().clone();
        let told = match &leads {
            Leads::Always => return,
            Leads::Until(_) if leads.now() => LeadsTold::This,
            Leads::Until(_) => return,
            Leads::No { holder } => LeadsTold::Another(holder.clone()),
            Leads::Unknown(error) => LeadsTold::Unknown(error.code),
        };
        if self.told_leads.as_ref() == Some(&told) {
            return;
        }
        match (&told, &leads) {
            (_, Leads::Unknown(error)) => {
                let causes: String = error.causes.iter().map(|cause| format!(": {cause}")).collect();
                let hints: String = error.hints.iter().map(|hint| format!("; hint: {hint}")).collect();
                let message = format!("{}{causes}{hints}", error.message);
                self.report.warning(&Warning::new(error.code, message));
            }
            (LeadsTold::This, _) => self.report.progress("this process holds the Lease: it publishes"),
            (LeadsTold::Another(Some(holder)), _) => {
                let holder = holder.escape_debug();
                self.report.progress(format_args!(
                    "{holder} holds the Lease: this process looks, and writes nothing"
                ));
            }
            (LeadsTold::Another(None) | LeadsTold::Unknown(_), _) => {
                self.report
                    .progress("this process does not hold the Lease yet: it looks, and writes nothing");
            }
        }
        self.told_leads = Some(told);
    }

    /// A reader of the lines waits for them. A stdout that takes none is reported at the end.
    fn flush(&mut self) {
        drop(self.report.finish());
    }
}

/// A warning without what differs from look to look by itself.
fn stable(note: &Warning) -> String {
    match note.code {
        Code::PublicCopyStale | Code::ClockSkew => note.code.to_string(),
        code => format!("{code}: {}", note.message),
    }
}
