//! What a retirement was planned from, as text and as JSON. Its steps are in `retire_steps`.

use serde_json::{Value, json};

use super::{retire::Retirement, retire_steps::Led};
use crate::{
    federation::credential::LastUse,
    report::{Line, Report, Tone},
    retirement::{Kept, KeyStanding},
};

impl Retirement {
    /// What was looked at to plan it, and what speaks against it.
    pub(super) fn show_evidence(&self, report: &mut Report<'_>) {
        for (kept, last_use) in self.state.credentials.iter().zip(&self.last_uses) {
            let identity = &kept.identity;
            match last_use {
                Some(LastUse::At(time)) => {
                    report.line(format_args!("    {identity} was used last at {time}, says its provider"));
                }
                Some(LastUse::NotKnown) => {
                    report.line(format_args!("    {identity}: its provider knows of no recent use"));
                }
                Some(LastUse::NotAsked(why)) => {
                    report.line(format_args!("    {identity}: when it was used last is not known: {why}"));
                }
                None => {}
            }
        }
        for (index, Led { leader, .. }) in &self.led {
            if let Some(kept) = self.state.credentials.get(*index) {
                report.line(format_args!("    {} is retired once, as shown for {leader}", kept.identity));
            }
        }
        for user in &self.elsewhere.users {
            report.line(Line::marked(Tone::Warning, format_args!("! also used by {user}")));
        }
        for right in &self.elsewhere.unseen {
            report.line(Line::marked(Tone::Warning, format_args!("! not looked at: {right}")));
        }
        for record in &self.elsewhere.unread {
            report.line(Line::marked(Tone::Warning, format_args!("! not read: {record}")));
        }
        if self.elsewhere.doubt().is_some() && !self.options.accept_unseen {
            report.line("    the credential stays as it is; --accept-unseen-users goes on without that look");
        }
        if self.state.before.is_none() && self.options.switch {
            report.line(Line::marked(Tone::Warning, "! --undo will not be possible: the store's former settings may hold a secret, and are not saved"));
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let one = |(index, kept): (usize, &Kept)| {
            let key = &self.keys[index];
            let standing = match &key.standing {
                KeyStanding::Enabled => "enabled",
                KeyStanding::Disabled => "disabled",
                KeyStanding::Absent => "deleted",
                KeyStanding::Unproved(_) => "unproved",
                KeyStanding::ByHand => "by-hand",
            };
            let places = kept.places.iter().zip(&key.places).filter(|(_, view)| view.there);
            json!({
                "credential": kept.identity.to_string(),
                "id": kept.identity.id,
                "standing": standing,
                "secrets": places.map(|(place, _)| place.to_string()).collect::<Vec<_>>(),
                "byHand": kept.identity.by_hand,
                "lastUse": match &self.last_uses[index] {
                    Some(LastUse::At(time)) => json!(time),
                    _ => Value::Null,
                },
            })
        };
        json!({
            "credentials": self.state.credentials.iter().enumerate().map(one).collect::<Vec<_>>(),
            "alsoUsedBy": self.elsewhere.users,
            "notLookedAt": self.elsewhere.unseen.iter().chain(&self.elsewhere.unread).collect::<Vec<_>>(),
            "pending": self.pending(),
        })
    }
}
