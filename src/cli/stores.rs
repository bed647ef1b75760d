//! Arguments about the stores of a run.

use clap::Args;

use crate::secret_store::StoreName;

/// Which stores, instead of the one that the settings lead to.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StoreFlags {
    /// Set up this store instead of the one in keyless.yaml: NAME of a ClusterSecretStore, NAMESPACE/NAME of a SecretStore;
    /// may be repeated
    #[arg(long, value_name = "STORE", value_parser = parse_store)]
    pub(crate) store: Vec<StoreName>,

    /// Set up every store that logs in with a stored credential
    #[arg(long, conflicts_with_all = ["store", "undo", "replaced"])]
    pub(crate) all: bool,
}

/// Which stores are looked at, instead of the one that the settings lead to.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct VerifyStores {
    /// Check this store instead of the one in keyless.yaml: NAME of a ClusterSecretStore, NAMESPACE/NAME of a SecretStore;
    /// may be repeated
    #[arg(long, value_name = "STORE", value_parser = parse_store)]
    pub(crate) store: Vec<StoreName>,

    /// Check every store that logs in with short-lived tokens
    #[arg(long, conflicts_with = "store")]
    pub(crate) all: bool,
}

impl VerifyStores {
    /// Whether any is named.
    pub(crate) fn are_named(&self) -> bool {
        self.all || !self.store.is_empty()
    }
}

pub(super) fn parse_store(text: &str) -> Result<StoreName, String> {
    text.parse().map_err(|_| {
        "write the name of a ClusterSecretStore, or NAMESPACE/NAME of a SecretStore, e.g. gcp or shop/gcp"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_is_named_with_its_namespace() {
        assert_eq!(parse_store("gcp"), Ok(StoreName::Cluster("gcp".into())));
        let namespaced = StoreName::Namespaced { namespace: "shop".into(), name: "a.b".into() };
        assert_eq!(parse_store("shop/a.b"), Ok(namespaced));
        for text in ["", "/", "shop/", "/gcp", "a/b/c", "Gcp", "../gcp", "a b", "sh.op/gcp", "gcp?x", "-gcp"]
        {
            assert!(parse_store(text).unwrap_err().contains("shop/gcp"), "{text}");
        }
    }
}
