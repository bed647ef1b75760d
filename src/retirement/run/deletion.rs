//! The end of a Secret that held a credential.

use super::{Hands, Run};
use crate::{
    cluster::snapshot::SECRETS,
    error::Result,
    retirement::{
        KeyStanding,
        look::{places_of, view_of},
    },
};

impl Run<'_> {
    pub(super) async fn delete_secret(
        &mut self,
        index: usize,
        place: usize,
        hands: &mut dyn Hands,
    ) -> Result<()> {
        let seen = self.seen.keys.take();
        let kept = &self.state.credentials[index];
        let place = &kept.places[place];
        let Some(secret) = self.cluster.get_object(&SECRETS, Some(&place.namespace), &place.name).await?
        else {
            return Ok(());
        };
        // It may have changed since it was looked at; the next look shows what of that prevents it.
        let view = view_of(kept, place, &secret);
        if !view.may_go() || view.holds_more {
            return Ok(());
        }
        hands.say(&format!("deleting Secret {}/{}", place.namespace, place.name));
        self.cluster.delete_unchanged(&SECRETS, &secret).await?;
        let Some((at, mut keys)) = seen else { return Ok(()) };
        // No provider brings a deleted key back: its answer is as fresh as before, and the Secrets are looked at again.
        if keys.iter().any(|key| key.standing != KeyStanding::Absent) {
            return Ok(());
        }
        for (kept, key) in self.state.credentials.iter().zip(&mut keys) {
            key.places = places_of(self.cluster, kept).await?;
        }
        self.seen.keys = Some((at, keys));
        Ok(())
    }
}
