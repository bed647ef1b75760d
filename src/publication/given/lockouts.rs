//! A publisher that gives a provider the keys, and logs in there by a token that the provider verifies with those that it has.

use super::{
    super::{each::ids, lockout::Lockout},
    Seen,
};
use crate::{
    cluster::ServiceAccount,
    federation::{Publishes, Workload},
    rotation::KeyId,
};

impl Seen<'_> {
    /// Whether the publisher is locked out of a provider that is given the keys, each by itself. What could not be read is not
    /// known.
    pub(crate) async fn lockouts(&self, publisher: &ServiceAccount) -> Vec<Lockout> {
        // A token of another issuer is refused for that, whatever signed it.
        let servers = self.observed.servers.iter().filter(|it| it.token.claims().issuer == self.issuer);
        let signs = servers.filter_map(|server| {
            let kid = server.token.claims().kid.as_ref()?;
            let key = self.live.iter().find(|key| key.kid() == kid)?;
            Some((server.address.clone(), kid.clone(), KeyId::of(key)))
        });
        let signs: Vec<_> = signs.collect();
        let workload = Workload::publisher(publisher.clone(), Publishes::Keys);
        let mut all = Vec::new();
        for place in &self.places {
            // One that has no key at all was not set up.
            let Some(set) = place.set.as_ref().filter(|set| !set.keys.is_empty()) else { continue };
            let known = ids(&set.keys);
            let unknown = signs.iter().filter(|(_, _, id)| !known.contains(id));
            let unknown = unknown.map(|(server, kid, _)| (server.clone(), kid.clone()));
            let Some(lockout) = Lockout::of(place.name.clone(), unknown) else { continue };
            // Where no publisher logs in by a token, none is locked out.
            let login = place.provider.publisher_login(&workload).await;
            if !login.is_ok_and(|(values, _)| values.is_empty()) {
                all.push(lockout);
            }
        }
        all
    }
}
