//! PURE. Whose a resource is: by the mark that keyless writes on what it creates, and by what else is known.
//!
//! Everyone who can write a resource can write its mark. So a mark that names another cluster always counts, and one
//! that names no cluster proves nothing by itself.

/// How every mark begins.
const MARK: &str = "managed by keyless";
/// What the UID of the cluster's namespace `kube-system` follows.
const CLUSTER: &str = " in cluster ";

/// What a mark says: `managed by keyless in cluster 5e7f8c9a for https://a.example`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark<'a> {
    /// What it was created for, e.g. an issuer; empty in a mark that names nothing.
    pub(crate) of: &'a str,
    /// Older marks name none.
    cluster: Option<&'a str>,
}

/// Whose a resource is, as far as its mark tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner<'a> {
    /// keyless created it for this cluster.
    This,
    /// keyless created it for the cluster with this UID.
    Other(&'a str),
    /// keyless created it, for a cluster that the mark does not name.
    Unnamed,
    /// It has no mark.
    Foreign,
}

/// What shows whose a resource is whose mark names no cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It accepts the tokens of this very cluster.
    ThisCluster,
    /// Others log in through it, and this cluster does not.
    OtherCluster,
    /// It serves another issuer.
    OtherIssuer,
    None,
}

/// Whose a resource is, after everything that is known has been weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    This,
    OtherCluster,
    OtherIssuer,
    /// It has a mark without a cluster, and nothing else shows whose it is.
    Unproven,
    Foreign,
}

impl<'a> Mark<'a> {
    /// `None`: the text is no mark.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(MARK).filter(|rest| rest.is_empty() || rest.starts_with(' '))?;
        let (cluster, rest) = match rest.strip_prefix(CLUSTER).map(str::trim_start) {
            Some(rest) => {
                let (cluster, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                (Some(cluster).filter(|cluster| !cluster.is_empty()), rest)
            }
            None => (None, rest),
        };
        Some(Self { of: rest.trim_start().strip_prefix("for ").unwrap_or_default().trim(), cluster })
    }

    pub(crate) fn owner(self, cluster_id: &str) -> Owner<'a> {
        match self.cluster {
            Some(cluster) if cluster == cluster_id => Owner::This,
            Some(cluster) => Owner::Other(cluster),
            None => Owner::Unnamed,
        }
    }

    /// Whether both marks name one and the same cluster.
    pub(crate) fn is_of_same_cluster(self, other: Self) -> bool {
        self.cluster.is_some() && self.cluster == other.cluster
    }
}

/// The mark on what is created for a cluster. The UID comes first: a limit on its length cuts the end.
pub(crate) fn mark(cluster_id: &str, of: &str) -> String {
    format!("{MARK}{CLUSTER}{cluster_id} for {of}")
}

/// A clause about the description that should be a mark, for errors and reasons.
pub(crate) fn described(description: &str) -> String {
    match description {
        "" => "it has no description".to_owned(),
        text => format!("its description is `{}`", text.escape_debug()),
    }
}

/// A mark as it was before it named the cluster.
#[cfg(test)]
pub(crate) fn older_mark(of: &str) -> String {
    format!("{MARK} for {of}")
}

impl<'a> Owner<'a> {
    pub(crate) fn of(mark: Option<Mark<'a>>, cluster_id: &str) -> Self {
        mark.map_or(Self::Foreign, |mark| mark.owner(cluster_id))
    }

    /// `evidence` is asked for only where the mark names no cluster.
    pub(crate) fn proved(self, evidence: impl FnOnce() -> Evidence) -> Ownership {
        match self {
            Self::This => Ownership::This,
            Self::Other(_) => Ownership::OtherCluster,
            Self::Foreign => Ownership::Foreign,
            Self::Unnamed => match evidence() {
                Evidence::ThisCluster => Ownership::This,
                Evidence::OtherCluster => Ownership::OtherCluster,
                Evidence::OtherIssuer => Ownership::OtherIssuer,
                Evidence::None => Ownership::Unproven,
            },
        }
    }

    /// The UID of another cluster that the mark names.
    pub(crate) fn other_cluster(self) -> Option<&'a str> {
        match self {
            Self::Other(cluster) => Some(cluster),
            Self::This | Self::Unnamed | Self::Foreign => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner<'a>(text: &'a str, cluster_id: &str) -> Owner<'a> {
        Owner::of(Mark::parse(text), cluster_id)
    }

    #[test]
    fn marks_name_cluster_and_purpose() {
        let made = mark("5e7f8c9a", "https://a.example");
        assert_eq!(made, "managed by keyless in cluster 5e7f8c9a for https://a.example");
        assert_eq!(Mark::parse(&made).unwrap().of, "https://a.example");
        assert_eq!(owner(&made, "5e7f8c9a"), Owner::This);
        assert_eq!(owner(&made, "5e7f"), Owner::Other("5e7f8c9a"));
        for unnamed in ["managed by keyless", "managed by keyless for https://a.example"] {
            assert_eq!(owner(unnamed, "5e7f8c9a"), Owner::Unnamed);
        }
        assert_eq!(Mark::parse("managed by keyless for https://a.example").unwrap().of, "https://a.example");
        assert_eq!(Mark::parse("managed by keyless").unwrap().of, "");
        for other in
            ["", "by terraform", "managed by keylessly", "Managed by keyless", "not managed by keyless"]
        {
            assert_eq!(owner(other, "5e7f8c9a"), Owner::Foreign, "{other}");
        }
        for nameless in ["managed by keyless in cluster", "managed by keyless in cluster  "] {
            assert_eq!(owner(nameless, ""), Owner::Unnamed, "{nameless}");
        }
    }

    #[test]
    fn named_cluster_needs_no_evidence() {
        let asked = || panic!("a mark that names a cluster is enough");
        assert_eq!(owner(&mark("a", "x"), "a").proved(asked), Ownership::This);
        assert_eq!(owner(&mark("b", "x"), "a").proved(asked), Ownership::OtherCluster);
        assert_eq!(owner("by terraform", "a").proved(asked), Ownership::Foreign);
    }

    #[test]
    fn unnamed_mark_is_unproven_without_evidence() {
        let proved = |evidence| owner("managed by keyless", "a").proved(|| evidence);
        assert_eq!(proved(Evidence::None), Ownership::Unproven);
        assert_eq!(proved(Evidence::ThisCluster), Ownership::This);
        assert_eq!(proved(Evidence::OtherCluster), Ownership::OtherCluster);
        assert_eq!(proved(Evidence::OtherIssuer), Ownership::OtherIssuer);
    }
}
