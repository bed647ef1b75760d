//! A planned retirement, as text and as JSON.

use serde_json::{Value, json};

use super::retire::Retirement;
use crate::{
    federation::credential::{Act, LastUse},
    report::Report,
    retirement::{Kept, KeyStanding},
};

impl Retirement {
    pub(super) fn show(&self, report: &mut Report<'_>) {
        report.line("\nreplaced credential");
        if self.needs_namespace {
            report.line(
                "+ create  Namespace keyless-system: what is noted there only administrators may write",
            );
        }
        if self.shelf.is_empty() {
            report.line(format_args!(
                "+ create  ConfigMap {}: what a rerun and --undo need; it holds no secret",
                self.shelf.place()
            ));
        }
        for (index, kept) in self.state.credentials.iter().enumerate() {
            self.show_one(index, kept, report);
        }
        for user in &self.elsewhere.users {
            report.line(format_args!("! also used by {user}"));
        }
        for right in &self.elsewhere.unseen {
            report.line(format_args!("! not looked at: {right}"));
        }
        if !self.elsewhere.unseen.is_empty() && !self.options.accept_unseen {
            report.line("    the credential stays as it is; --accept-unseen-users goes on without that look");
        }
        if self.state.before.is_none() && self.options.switch {
            report.line("! --undo will not be possible: the store's former settings may hold a secret, and are not saved");
        }
    }

    fn show_one(&self, index: usize, kept: &Kept, report: &mut Report<'_>) {
        let (key, identity) = (&self.keys[index], &kept.identity);
        let retire = self.options.retire;
        let used = !self.elsewhere.users.is_empty();
        let stays = self.block().is_some();
        let needs = |act: Act| self.connected[index].as_ref().map(|it| it.needs(act)).unwrap_or_default();
        match &key.standing {
            KeyStanding::Unproved(why) => report.line(format_args!("! {identity} stays: {why}")),
            KeyStanding::ByHand => {
                report.line(format_args!("! {identity}: keyless cannot revoke it. {}", identity.by_hand));
            }
            KeyStanding::Absent => report.line(format_args!("= {identity} is deleted at its provider")),
            KeyStanding::Enabled | KeyStanding::Disabled if used => {
                let users: Vec<_> = self.elsewhere.users.iter().take(3).map(String::as_str).collect();
                report.line(format_args!("= {identity} stays: {} use it too", users.join(", ")));
            }
            KeyStanding::Disabled => report.line(format_args!("= {identity} is disabled")),
            KeyStanding::Enabled if stays => {
                report.line(format_args!("= {identity} stays as it is, because of what is marked with !"));
            }
            KeyStanding::Enabled => {
                report.line(format_args!(
                    "- disable {identity}, once everything that reads through the store has run by the new login; then watch the store"
                ));
                report.line(format_args!("    needs {}", needs(Act::Disable)));
            }
        }
        match &self.last_uses[index] {
            Some(LastUse::At(time)) => {
                report.line(format_args!("    used last at {time}, says its provider"))
            }
            Some(LastUse::NotKnown) => report.line("    its provider knows of no recent use"),
            Some(LastUse::NotAsked(why)) => {
                report.line(format_args!("    when it was used last is not known: {why}"));
            }
            None => {}
        }
        if matches!(key.standing, KeyStanding::Enabled | KeyStanding::Disabled) && !stays {
            if retire {
                report.line(format_args!("- delete {identity} at its provider"));
                report.line(format_args!("    needs {}", needs(Act::Delete)));
            } else {
                report.line(format_args!("= keep {identity} at its provider, until --retire-key"));
            }
        }
        for (place, view) in kept.places.iter().zip(&key.places).filter(|(_, view)| view.there) {
            let goes = match key.standing {
                KeyStanding::Unproved(_) => false,
                KeyStanding::ByHand => retire && self.options.delete_secret && !stays,
                _ => retire && !stays,
            };
            match (goes, &view.kept_by) {
                _ if view.holds_more => report.line(format_args!(
                    "! {place} holds more than the credential: --retire-key does nothing before the other values are moved"
                )),
                (true, Some(by)) => report.line(format_args!("= keep {place}: {by} keeps it")),
                (true, None) if view.changed => {
                    report.line(format_args!("= keep {place}: it has changed since it was noted"));
                }
                (true, None) => report.line(format_args!("- delete {place}")),
                (false, _) if key.standing == KeyStanding::ByHand => {
                    report.line(format_args!("= keep {place}, until --retire-key --delete-secret"));
                }
                (false, _) => report.line(format_args!("= keep {place}, until --retire-key")),
            }
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
            "notLookedAt": self.elsewhere.unseen,
            "pending": self.pending(),
        })
    }
}
