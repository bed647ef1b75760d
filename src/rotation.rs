//! PURE. (live set, published set) → the key set to publish, and what to say about each key.
//!
//! Keys are only added: a key that an API server no longer serves may still have signed tokens that live.

use crate::{
    error::{Error, Result},
    oidc::{KeySet, PublicKey},
};

/// What is to be published, key by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Never empty, never less than what was published.
    pub(crate) keys: KeySet,
    published: Option<KeySet>,
    live: Option<KeySet>,
}

/// How a key came into the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Live or from a file, not published until now.
    Added,
    /// Live and published.
    Kept,
    /// Published, no longer live: kept until no token that it signed can still be alive.
    Retained,
    /// From a file: published before any API server signs with it.
    Staged,
}

impl Standing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Kept => "kept",
            Self::Retained => "retained",
            Self::Staged => "staged",
        }
    }
}

/// Decides what to publish: everything live, everything from files, everything published.
///
/// Refused when the cluster serves none of the published keys: then the issuer probably is another cluster's,
/// and whoever merged the two would let each impersonate the other's workloads. `same_cluster` overrules that.
pub(crate) fn decide(
    live: Option<&KeySet>,
    files: Option<&KeySet>,
    published: Option<&KeySet>,
    same_cluster: bool,
) -> Result<Decision> {
    if let (Some(live), Some(published), false) = (live, published, same_cluster)
        && live.disjoint(published)
    {
        let kids = |keys: &KeySet| keys.iter().map(|key| key.kid().to_owned()).collect::<Vec<_>>().join(", ");
        return Err(Error::failed(
            "issuer-of-another-cluster",
            "none of the published keys is served by this cluster: they are another cluster's, or all its keys were replaced at once",
        )
        .caused_by(format_args!("published: {}", kids(published)))
        .caused_by(format_args!("live:      {}", kids(live)))
        .hint("one issuer belongs to one cluster: give this one a path of its own, e.g. --issuer …/NAME")
        .hint("if they are this cluster's own former keys, say so: --same-cluster"));
    }
    let mut keys: Option<KeySet> = None;
    for set in [live, files, published].into_iter().flatten() {
        keys = Some(match keys {
            Some(keys) => keys.union(set)?,
            None => set.clone(),
        });
    }
    let keys = keys.ok_or_else(|| {
        Error::usage("no-key-source", "there is no key to publish: no cluster is asked and no file is given")
            .hint("leave out --no-cluster, or give --public-key FILE")
    })?;
    Ok(Decision { keys, published: published.cloned(), live: live.cloned() })
}

impl Decision {
    pub(crate) fn standing(&self, key: &PublicKey) -> Standing {
        let held = |set: &Option<KeySet>| set.as_ref().is_some_and(|set| set.get(key.kid()).is_some());
        match (held(&self.published), held(&self.live)) {
            (true, true) => Standing::Kept,
            (false, true) => Standing::Added,
            (false, false) => Standing::Staged,
            (true, false) => Standing::Retained,
        }
    }

    /// How many keys are new to strangers.
    pub(crate) fn added(&self) -> usize {
        self.keys
            .iter()
            .filter(|key| matches!(self.standing(key), Standing::Added | Standing::Staged))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::KidRule;

    /// Keys a, b, c, … of one fixture.
    fn keys(wanted: &[usize]) -> KeySet {
        let body = include_bytes!("../fixtures/jwks/valid/ec-256-384-521.json");
        let all = KeySet::parse(body, "fixture", KidRule::Computed).unwrap().0;
        KeySet::new(wanted.iter().map(|index| all.iter().nth(*index).unwrap().clone())).unwrap()
    }

    #[test]
    fn keys_are_only_added() {
        let (a, b, ab) = (keys(&[0]), keys(&[1]), keys(&[0, 1]));
        for (live, files, published, wanted) in [
            (Some(&a), None, None, &a),
            (Some(&ab), None, Some(&a), &ab),
            (Some(&a), None, Some(&ab), &ab),
            (Some(&a), Some(&b), None, &ab),
            (None, Some(&b), Some(&a), &ab),
            (None, Some(&a), None, &a),
        ] {
            assert_eq!(&decide(live, files, published, false).unwrap().keys, wanted);
        }
    }

    #[test]
    fn says_of_each_key_how_it_came_here() {
        let (live, published) = (keys(&[0, 1]), keys(&[1, 2]));
        let decision = decide(Some(&live), None, Some(&published), false).unwrap();
        let standings: Vec<_> = decision.keys.iter().map(|key| decision.standing(key)).collect();
        assert_eq!(standings, [Standing::Added, Standing::Kept, Standing::Retained]);
        assert_eq!(decision.added(), 1);
        let staged = decide(None, Some(&live), Some(&published), false).unwrap();
        assert_eq!(staged.standing(live.iter().next().unwrap()), Standing::Staged);
    }

    #[test]
    fn two_clusters_are_not_merged_under_one_issuer() {
        let (live, published) = (keys(&[0]), keys(&[1]));
        let error = decide(Some(&live), None, Some(&published), false).unwrap_err();
        assert_eq!(error.code, "issuer-of-another-cluster");
        assert!(error.causes.iter().any(|cause| cause.contains(live.iter().next().unwrap().kid())));
        assert_eq!(decide(Some(&live), None, Some(&published), true).unwrap().keys.len(), 2);
    }

    #[test]
    fn no_source_of_keys_is_a_usage_error() {
        assert_eq!(decide(None, None, None, false).unwrap_err().code, "no-key-source");
    }
}
