//! What a run says while it waits.

use super::{Hands, Run};
use crate::retirement::{Pending, Stage};

/// Seconds between two lines that say that all is ready.
const TOLD_EVERY: u64 = 60;

impl Run<'_> {
    /// A Secret that a repository keeps holds nothing by now but a key that is deleted.
    pub(super) fn say_what_is_kept(&self, hands: &mut dyn Hands) {
        let keys = self.seen.keys.iter().flat_map(|(_, keys)| keys);
        for (kept, key) in self.state.credentials.iter().zip(keys) {
            for (place, view) in kept.places.iter().zip(&key.places).filter(|(_, view)| view.there) {
                if let Some(by) = &view.kept_by {
                    hands.say(&format!(
                        "Secret {}/{} is kept by {by}, and holds nothing but a key that is deleted: take it out where {by} reads it",
                        place.namespace, place.name
                    ));
                }
            }
        }
    }

    pub(super) fn wait_for_users(&mut self, pending: &[Pending], hands: &mut dyn Hands) {
        if !self.reported.insert("users") {
            return;
        }
        let all = match pending {
            [only] => only.name.clone(),
            several => format!("{} ExternalSecrets and PushSecrets", several.len()),
        };
        hands.say(&format!("waiting until External Secrets Operator has run {all} by the new login"));
        if !self.options.force_sync && hands.may_ask(pending) {
            self.options.force_sync = true;
            self.options.shown.add_force_sync(pending.iter().map(|it| it.name.as_str()));
        }
    }

    pub(super) fn say_watch(&mut self, seconds: u64, hands: &mut dyn Hands) {
        if self.reported.insert("watch") {
            let name = self.store.name();
            hands.say(&format!("watching {name} for {seconds} s with the old credential disabled"));
        }
    }

    pub(super) fn watch(&mut self, until: u64, now: u64, hands: &mut dyn Hands) {
        if !matches!(self.state.stage, Stage::Disabling { .. }) {
            self.say_watch(until.saturating_sub(now), hands);
        }
        match (&self.seen.trouble, self.reported.contains("trouble")) {
            (Some(trouble), false) => {
                hands.say(&format!("  {} is not ready: {}", trouble.object, trouble.says));
                self.reported.insert("trouble");
            }
            (None, true) => {
                hands.say("  all is ready again");
                self.reported.remove("trouble");
            }
            _ => {}
        }
        let told = *self.told.get_or_insert(now);
        if self.seen.trouble.is_none() && now >= told + TOLD_EVERY {
            self.told = Some(now);
            hands.say(&format!("  all is ready; {} s left", until.saturating_sub(now)));
        }
    }
}
