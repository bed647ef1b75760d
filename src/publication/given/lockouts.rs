//! PURE. A publisher that gives a provider the keys, and logs in there by a token that the provider verifies with those that it
//! has.

use std::collections::BTreeSet;

use super::{
    super::{each::ids, lockout::Lockout},
    Seen,
};
use crate::rotation::KeyId;

impl Seen<'_> {
    /// Whether a publisher would be locked out of a provider that is given the keys, each by itself. What could not be read is
    /// not known.
    pub(crate) fn lockouts(&self) -> Vec<Lockout> {
        // A token of another issuer is refused for that, whatever signed it.
        let servers = self.observed.servers.iter().filter(|it| it.token.claims().issuer == self.issuer);
        let signs = servers.filter_map(|server| {
            let kid = server.token.claims().kid.as_ref()?;
            let key = self.live.iter().find(|key| key.kid() == kid)?;
            Some((server.address.clone(), kid.clone(), KeyId::of(key)))
        });
        let signs: Vec<_> = signs.collect();
        let of_place = |(name, known): (String, BTreeSet<KeyId>)| {
            let unknown = signs.iter().filter(|(_, _, id)| !known.contains(id));
            Lockout::of(name, unknown.map(|(server, kid, _)| (server.clone(), kid.clone())))
        };
        let places = self.places.iter().filter(|place| place.provider.takes_publisher());
        let sets = places.filter_map(|place| place.set.as_ref());
        // One that has no key at all was not set up.
        let sets = sets.filter(|set| !set.keys.is_empty()).map(|set| (set.name.clone(), ids(&set.keys)));
        sets.filter_map(of_place).collect()
    }
}
