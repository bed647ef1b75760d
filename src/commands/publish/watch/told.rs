//! What is printed of the looks: one JSON object, or some lines, for each look that is worth it.

use serde_json::{Value, json};

use super::{Leads, Looks};
use crate::{
    error::{Code, Error},
    publication::{Outcome as Applied, Publication, PublicationPlan},
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
    pub(super) fn tell(
        &mut self,
        publication: &Publication<'_>,
        plan: &PublicationPlan<'_>,
        applied: Option<&Applied>,
        ended: Ended,
    ) {
        let notes = || plan.notes().chain(applied.into_iter().flat_map(|applied| &applied.notes));
        if !self.notice.of(ended, notes().map(stable).collect(), self.shared.clock()) {
            return;
        }
        if ended.changed || ended.outcome == Outcome::Pending {
            self.report.lines(plan.lines());
        }
        notes().for_each(|note| self.report.warning(note));
        let mut result = plan.to_json(publication, applied);
        self.add(&mut result, ended.outcome);
        self.report.json("publish", result);
        self.report.line(match applied {
            Some(applied) if ended.changed => plan.published_line(publication, applied),
            None if plan.is_pending() => {
                format!("{}: another process holds the Lease", plan.pending_line(publication))
            }
            Some(_) | None => plan.unchanged_line(publication),
        });
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

    /// Whoever reads the lines waits for them. A stdout that takes none is reported at the end.
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
