//! PURE. Distinct credentials out of many places: by public identity, and by where they lie.

use std::collections::{BTreeMap, BTreeSet};

use super::{Hit, Identity, Stored, verdict::Root};
use crate::cluster::snapshot::{ConfigMapKey, SecretKey};

pub(super) fn take(roots: &mut BTreeMap<Identity, Root>, stored: Stored, hit: Hit) {
    let id = stored.id();
    let claims = match &stored.identity {
        Identity::Claimed { name, .. } => Some(name.clone()),
        _ => None,
    };
    let what = match &claims {
        Some(name) => format!("{}: one of several that call themselves {name}", stored.what),
        None => stored.what,
    };
    let known = (stored.identity.clone(), stored.halves);
    let root = roots.entry(stored.identity).or_insert_with(|| Root {
        known: BTreeSet::new(),
        what,
        id,
        claims,
        secrets: BTreeSet::new(),
        config_maps: BTreeSet::new(),
        objects: BTreeSet::new(),
        more: 0,
        class: stored.class,
        opens: BTreeSet::new(),
        rules: BTreeSet::new(),
        hits: Vec::new(),
    });
    root.known.insert(known);
    root.secrets.extend(stored.secrets);
    root.config_maps.extend(stored.config_maps);
    root.objects.extend(stored.objects);
    root.more += stored.more;
    root.class = root.class.min(stored.class);
    root.opens.insert(stored.opens);
    root.rules.insert(hit.rule);
    root.hits.push(hit);
}

/// The key of a Secret, and the credential in it.
type InSecret = (Option<String>, Identity);

/// Where the credentials lie that something is known to open or to have replaced.
pub(super) struct Used {
    /// By namespace and name.
    secrets: BTreeMap<(String, String), Vec<InSecret>>,
    config_maps: BTreeMap<ConfigMapKey, Identity>,
    /// `Deployment external-secrets/external-secrets`: those that an object itself holds.
    objects: BTreeMap<String, Identity>,
}

impl Used {
    pub(super) fn of(roots: &BTreeMap<Identity, Root>) -> Self {
        let (mut secrets, mut config_maps) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        let mut objects = BTreeMap::new();
        for (identity, root) in roots {
            for SecretKey { namespace, name, key } in root.secrets.iter().cloned() {
                secrets.entry((namespace, name)).or_default().push((key, identity.clone()));
            }
            config_maps.extend(root.config_maps.iter().map(|key| (key.clone(), identity.clone())));
            if let Identity::At(place) = identity {
                let object: Vec<_> = place.split(' ').take(2).collect();
                objects.insert(object.join(" "), identity.clone());
            }
        }
        Self { secrets, config_maps, objects }
    }

    /// The credential that lies in the same place. Two that have names of their own are two, wherever they lie.
    fn at(&self, stored: &Stored) -> Option<&Identity> {
        let is_named =
            |identity: &Identity| matches!(identity, Identity::Named(_) | Identity::Claimed { .. });
        let in_secrets = stored.secrets.iter().flat_map(|seen| {
            let beside = self.secrets.get(&(seen.namespace.clone(), seen.name.clone())).into_iter().flatten();
            let same = |key: &Option<String>| *key == seen.key || key.is_none() || seen.key.is_none();
            beside.filter(move |(key, _)| same(key)).map(|(_, identity)| identity)
        });
        let in_config_maps = stored.config_maps.iter().filter_map(|key| self.config_maps.get(key));
        let objects = stored.objects.iter().filter_map(|at| at.split_once(" (").map(|(object, _)| object));
        let in_objects = objects.filter_map(|object| self.objects.get(object));
        let mut all = in_secrets.chain(in_config_maps).chain(in_objects);
        all.find(|identity| !(is_named(identity) && is_named(&stored.identity)))
    }
}

/// Takes what was recognised where it lies: as places of what is known already, or by itself.
pub(super) fn see(roots: &mut BTreeMap<Identity, Root>, used: &Used, stored: Stored, hit: Hit) {
    let known = match roots.contains_key(&stored.identity) {
        true => Some(&stored.identity),
        false => used.at(&stored),
    };
    let Some(root) = known.and_then(|identity| roots.get_mut(identity)) else {
        return take(roots, stored, hit);
    };
    let of_secret = |key: &SecretKey| (key.namespace.clone(), key.name.clone());
    let named: BTreeSet<_> = root.secrets.iter().map(of_secret).collect();
    let is_more = |key: &SecretKey| key.key.is_some() || !named.contains(&of_secret(key));
    let secrets: BTreeSet<_> = stored.secrets.into_iter().filter(is_more).collect();
    let is_new = !secrets.is_subset(&root.secrets)
        || !stored.config_maps.is_subset(&root.config_maps)
        || !stored.objects.is_empty();
    root.known.insert((stored.identity, stored.halves));
    root.secrets.extend(secrets);
    root.config_maps.extend(stored.config_maps);
    root.objects.extend(stored.objects);
    root.more += stored.more;
    root.class = root.class.min(stored.class);
    root.rules.insert(hit.rule);
    if is_new {
        root.hits.push(hit);
    }
}
