//! Asks what uses the store to run now.

use serde_json::json;

use super::{Hands, Run};
use crate::{
    cluster::{objects::Object, snapshot::EXTERNAL_SECRETS},
    error::{Code, Result},
    retirement::{
        Asked, Sighting, Write,
        look::{PUSH_SECRETS, users},
    },
};

/// Any change of it makes the operator run the object.
/// <https://external-secrets.io/latest/api/externalsecret/#update-behavior>
const FORCE_SYNC: &str = "force-sync";

impl Run<'_> {
    pub(super) async fn ask(&mut self, uids: &[String], hands: &mut dyn Hands) -> Result<()> {
        let all = users(self.cluster, self.store).await?;
        let is_shown = |user: &&Object| self.options.shown.has(Write::ForceSync(&user.describe()));
        let chosen = all.iter().filter(|user| uids.contains(&user.uid().to_owned())).filter(is_shown);
        let chosen: Vec<_> = chosen.collect();
        hands.say(&format!("asking External Secrets Operator to run {} of them now", chosen.len()));
        let value = format!("keyless-{}", (self.clock)());
        for user in chosen {
            let resource = if user.kind() == "PushSecret" { &PUSH_SECRETS } else { &EXTERNAL_SECRETS };
            let version = user.text("/apiVersion").rsplit('/').next().unwrap_or_default();
            let resource = &resource.at_version(version);
            let patch = json!({ "metadata": { "uid": user.uid(), "annotations": { FORCE_SYNC: value } } });
            let asked =
                self.cluster.merge_patch(resource, Some(user.namespace()), user.name(), &patch, false).await;
            let synced = match asked {
                Ok(now) => Some(Sighting::of(&now).synced),
                // It is gone, or another one by now.
                Err(error) if matches!(error.code, Code::ClusterNotFound | Code::ApplyRaced) => None,
                Err(error) => return Err(error.hint("--force-sync needs this right; without it, wait")),
            };
            self.tracker.asked([(user.uid().to_owned(), Asked { synced })]);
        }
        // Those that are gone by now must not be asked for ever.
        let gone = uids.iter().filter(|uid| !self.tracker.asked_uids().contains(*uid)).cloned();
        let gone: Vec<_> = gone.collect();
        self.tracker.asked(gone.into_iter().map(|uid| (uid, Asked { synced: None })));
        Ok(())
    }
}
