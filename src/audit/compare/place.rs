//! PURE. Where a credential lies, as a report names it.

use std::collections::{BTreeMap, BTreeSet};

/// One place: a key of a Secret or ConfigMap, a whole one, or another object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// `Secret shop/vault`, or the object as the report names it.
    pub(super) object: String,
    /// `None`: the whole of it.
    pub(super) key: Option<String>,
}

impl Place {
    pub(super) fn of(kind: &str, namespace: &str, name: &str, key: Option<String>) -> Self {
        Self { object: format!("{kind} {namespace}/{}", without_revision(name)), key }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.object)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, " ({key})"))
    }
}

/// Helm keeps a Secret for each revision of a release: the next revision of one is no other place.
fn without_revision(name: &str) -> &str {
    let Some((release, revision)) =
        name.strip_prefix("sh.helm.release.v1.").and_then(|rest| rest.rsplit_once(".v"))
    else {
        return name;
    };
    let is_revision = !revision.is_empty() && revision.bytes().all(|byte| byte.is_ascii_digit());
    if is_revision && !release.is_empty() { &name[..name.len() - revision.len() - 2] } else { name }
}

/// Places by their object.
#[derive(Default)]
pub(super) struct Places<'p, T>(BTreeMap<&'p str, Vec<(Option<&'p str>, T)>>);

impl<'p, T: Copy> Places<'p, T> {
    pub(super) fn of(places: impl Iterator<Item = (&'p Place, T)>) -> Self {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, what) in places {
            all.entry(place.object.as_str()).or_default().push((place.key.as_deref(), what));
        }
        Self(all)
    }

    /// What lies in this place, or may: a whole object holds each of its keys.
    pub(super) fn at<'s>(&'s self, place: &'s Place) -> impl Iterator<Item = T> + 's {
        let beside = self.0.get(place.object.as_str()).into_iter().flatten();
        let same =
            move |key: Option<&str>| key.is_none() || place.key.is_none() || key == place.key.as_deref();
        beside.filter(move |(key, _)| same(*key)).map(|(_, what)| *what)
    }
}

/// The places of these that are in none of those.
pub(super) fn beyond(these: &BTreeSet<Place>, those: &BTreeSet<Place>) -> Vec<String> {
    let those = Places::of(those.iter().map(|place| (place, ())));
    these.iter().filter(|place| those.at(place).next().is_none()).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_revisions_of_helm_are_one() {
        for (name, kept) in [
            ("sh.helm.release.v1.shop.v12", "sh.helm.release.v1.shop"),
            ("sh.helm.release.v1.shop.v1.v2", "sh.helm.release.v1.shop.v1"),
            ("sh.helm.release.v1.shop.v", "sh.helm.release.v1.shop.v"),
            ("sh.helm.release.v1.shop.vx1", "sh.helm.release.v1.shop.vx1"),
            ("sh.helm.release.v1..v1", "sh.helm.release.v1..v1"),
            ("sh.helm.release.v1.v1", "sh.helm.release.v1.v1"),
            ("shop.v12", "shop.v12"),
            ("", ""),
        ] {
            assert_eq!(without_revision(name), kept);
        }
    }

    #[test]
    fn whole_object_holds_its_keys() {
        let at = |key: Option<&str>| Place::of("Secret", "a", "b", key.map(str::to_owned));
        let (whole, one, other) = (at(None), at(Some("k")), at(Some("l")));
        let set = |place: &Place| BTreeSet::from([place.clone()]);
        assert!(beyond(&set(&one), &set(&whole)).is_empty());
        assert!(beyond(&set(&whole), &set(&one)).is_empty());
        assert_eq!(beyond(&set(&one), &set(&other)), ["Secret a/b (k)"]);
        let elsewhere = Place::of("ConfigMap", "a", "b", Some("k".into()));
        assert_eq!(beyond(&set(&elsewhere), &set(&one)), ["ConfigMap a/b (k)"]);
    }
}
