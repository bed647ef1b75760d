//! PURE. The description of a pool or provider, which says who made it: this program, and for which cluster.

/// The longest `description` of a pool or provider (characters).
const LONGEST: usize = 256;
/// How the description of everything begins that this program has made.
const MARK: &str = "managed by keyless";
/// What the UID of the cluster's namespace `kube-system` follows; older marks do not say the cluster.
const CLUSTER: &str = " in cluster ";

/// Who has made a pool or provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker<'a> {
    /// This program, for the cluster with this UID.
    Cluster(&'a str),
    /// This program, before it said for which cluster.
    Keyless,
    Somebody,
}

/// The mark of what is made for a cluster. The UID comes first: the limit cuts the issuer's end.
pub(super) fn mark(cluster_id: &str, issuer: &str) -> String {
    format!("{MARK}{CLUSTER}{cluster_id} for {issuer}").chars().take(LONGEST).collect()
}

/// The mark as it was before it named the cluster.
pub(super) fn older_mark(issuer: &str) -> String {
    format!("{MARK} for {issuer}").chars().take(LONGEST).collect()
}

pub(super) fn maker(description: &str) -> Maker<'_> {
    let Some(rest) = description.strip_prefix(MARK) else { return Maker::Somebody };
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Maker::Somebody;
    }
    let named = rest.strip_prefix(CLUSTER).and_then(|rest| rest.split_whitespace().next());
    named.map_or(Maker::Keyless, Maker::Cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_name_cluster_and_issuer() {
        let made = mark("5e7f8c9a", "https://a.example");
        assert_eq!(made, "managed by keyless in cluster 5e7f8c9a for https://a.example");
        assert_eq!(maker(&made), Maker::Cluster("5e7f8c9a"));
        assert_eq!(maker(&older_mark("https://a.example")), Maker::Keyless);
        assert_eq!(maker("managed by keyless"), Maker::Keyless);
        for other in ["", "managed by keylessly", "Managed by keyless", "not managed by keyless"] {
            assert_eq!(maker(other), Maker::Somebody, "{other}");
        }
        for nameless in ["managed by keyless in cluster", "managed by keyless in cluster  "] {
            assert_eq!(maker(nameless), Maker::Keyless, "{nameless}");
        }
    }

    #[test]
    fn the_limit_cuts_the_issuer_and_not_the_cluster() {
        let uid = "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
        let long = mark(uid, &format!("https://{}.example", "a".repeat(300)));
        assert_eq!(long.chars().count(), 256);
        assert_eq!(maker(&long), Maker::Cluster(uid));
        assert_eq!(maker(&older_mark(&"a".repeat(300))), Maker::Keyless);
    }
}
