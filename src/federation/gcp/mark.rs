//! PURE. The description of a pool or provider, which says who made it: this program, and for which cluster.

/// The longest `description` of a pool or provider (characters).
const LONGEST: usize = 256;
/// How the description of everything begins that this program has made.
const MARK: &str = "managed by keyless";
/// What the UID of the cluster's namespace `kube-system` follows.
const CLUSTER: &str = " in cluster ";

/// Whose a pool or provider is, as far as its description says. Everybody can write a description: what is taken away or
/// taken over must fit in other ways as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// This program made it for this cluster.
    This,
    /// This program made it for the cluster with this UID.
    Other(&'a str),
    /// This program made it, for a cluster that the description does not name.
    Unnamed,
    None,
}

/// The mark of what is made for a cluster. The UID comes first: the limit cuts the issuer's end.
pub(super) fn mark(cluster_id: &str, issuer: &str) -> String {
    format!("{MARK}{CLUSTER}{cluster_id} for {issuer}").chars().take(LONGEST).collect()
}

/// The mark as it was before it named the cluster.
#[cfg(test)]
pub(super) fn older_mark(issuer: &str) -> String {
    format!("{MARK} for {issuer}")
}

pub(super) fn owner<'a>(description: &'a str, cluster_id: &str) -> Owner<'a> {
    let rest = description.strip_prefix(MARK).filter(|rest| rest.is_empty() || rest.starts_with(' '));
    match (rest, cluster(description)) {
        (None, _) => Owner::None,
        (Some(_), Some(named)) if named == cluster_id => Owner::This,
        (Some(_), Some(named)) => Owner::Other(named),
        (Some(_), None) => Owner::Unnamed,
    }
}

/// Whether both were made by this program, and for one cluster.
pub(super) fn is_of_same_cluster(one: &str, other: &str) -> bool {
    cluster(one).is_some_and(|named| cluster(other) == Some(named))
}

fn cluster(description: &str) -> Option<&str> {
    description.strip_prefix(MARK)?.strip_prefix(CLUSTER)?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_name_cluster_and_issuer() {
        let made = mark("5e7f8c9a", "https://a.example");
        assert_eq!(made, "managed by keyless in cluster 5e7f8c9a for https://a.example");
        assert_eq!(owner(&made, "5e7f8c9a"), Owner::This);
        assert_eq!(owner(&made, "5e7f"), Owner::Other("5e7f8c9a"));
        for unnamed in ["managed by keyless", "managed by keyless for https://a.example"] {
            assert_eq!(owner(unnamed, "5e7f8c9a"), Owner::Unnamed);
        }
        for other in ["", "managed by keylessly", "Managed by keyless", "not managed by keyless"] {
            assert_eq!(owner(other, "5e7f8c9a"), Owner::None, "{other}");
        }
        for nameless in ["managed by keyless in cluster", "managed by keyless in cluster  "] {
            assert_eq!(owner(nameless, ""), Owner::Unnamed, "{nameless}");
        }
    }

    #[test]
    fn the_limit_cuts_the_issuer_and_not_the_cluster() {
        let uid = "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
        let long = mark(uid, &format!("https://{}.example", "a".repeat(300)));
        assert_eq!(long.chars().count(), 256);
        assert_eq!(owner(&long, uid), Owner::This);
    }
}
