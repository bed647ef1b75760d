//! PURE. The description of a pool or provider, which says who created it, and what else shows whose it is.

use super::{
    state::{Provider, State},
    wanted::knows_a_key,
};
use crate::{
    federation::Trust,
    plan::ownership::{self, Evidence, Mark, Ownership},
};

/// The longest `description` of a pool or provider (characters).
const LONGEST: usize = 256;

/// The mark of what is created for a cluster.
pub(super) fn mark(cluster_id: &str, issuer: &str) -> String {
    ownership::mark(cluster_id, issuer).chars().take(LONGEST).collect()
}

/// Whether keyless created both, and for one cluster.
pub(super) fn is_of_same_cluster(one: &str, other: &str) -> bool {
    Mark::parse(one).zip(Mark::parse(other)).is_some_and(|(one, other)| one.is_of_same_cluster(other))
}

/// Whose the provider is that the settings name. keyless creates OIDC providers only.
pub(super) fn of_provider(provider: &Provider, want: &Trust) -> Ownership {
    match provider.life.owner(&want.cluster_id).proved(|| evidence(provider, want)) {
        Ownership::OtherCluster => Ownership::OtherCluster,
        _ if !provider.is_oidc => Ownership::Foreign,
        ownership => ownership,
    }
}

/// Whose the pool is. A mark that names no cluster is proved by a provider in the pool that believes this very cluster.
pub(super) fn of_pool(state: &State, want: &Trust) -> Option<Ownership> {
    let life = &state.pool.as_ref()?.life;
    Some(life.owner(&want.cluster_id).proved(|| match state.provider() {
        Some(provider) => evidence(provider, want),
        // Others log in through it, and this cluster does not.
        None if state.neighbours().next().is_some() => Evidence::OtherCluster,
        None => Evidence::None,
    }))
}

fn evidence(provider: &Provider, want: &Trust) -> Evidence {
    if provider.believes(want) || knows_a_key(provider, want.proof()) {
        Evidence::ThisCluster
    } else if provider.is_oidc && provider.issuer != want.issuer.as_str() {
        Evidence::OtherIssuer
    } else {
        Evidence::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ownership::Owner;

    #[test]
    fn limit_cuts_issuer_and_not_cluster() {
        let uid = "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
        let long = mark(uid, &format!("https://{}.example", "a".repeat(300)));
        assert_eq!(long.chars().count(), 256);
        assert_eq!(Owner::of(Mark::parse(&long), uid), Owner::This);
    }

    #[test]
    fn marks_of_one_cluster_match() {
        let (one, other) = (mark("a", "https://x.example"), mark("a", "https://y.example"));
        assert!(is_of_same_cluster(&one, &other));
        let unnamed = "managed by keyless";
        for (one, other) in [(one.as_str(), mark("b", "x").as_str()), (&one, unnamed), (unnamed, unnamed)] {
            assert!(!is_of_same_cluster(one, other), "{one} {other}");
        }
    }
}
