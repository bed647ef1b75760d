//! Which issuer is the cluster's own: by it, `audit --cloud` tells whether what a provider trusts is this cluster.
//!
//! The API server is asked when the first provider needs it, and once. A settings file that no flag names may be another
//! person's: it decides nothing here, and is only compared.

use tokio::sync::OnceCell;

use super::cloud::CloudLook;
use crate::cluster::{Cluster, objects::Unseen};

/// Why a trust in an issuer is not judged, where [`OwnIssuer`] is not known.
pub(super) const ISSUER_NOT_KNOWN: &str = "the issuer of this cluster is not known: name it with --issuer or in a settings file that --config names, or take the right to get the non-resource URL /.well-known/openid-configuration";

/// What the settings name as the issuer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) issuer: &'a str,
    /// By a flag, a variable, or a file that a flag names.
    pub(crate) is_of_user: bool,
}

/// What the cluster signs its tokens as.
pub(crate) struct OwnIssuer<'a> {
    setting: Option<Setting<'a>>,
    cluster: Option<&'a Cluster>,
    known: OnceCell<Known>,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    issuer: Option<String>,
    /// The settings and the API server do not agree.
    differ: Option<Unseen>,
}

impl<'a> OwnIssuer<'a> {
    /// Sends nothing yet.
    pub(crate) fn of(setting: Option<Setting<'a>>, cluster: &'a Cluster) -> Self {
        Self { setting, cluster: Some(cluster), known: OnceCell::new() }
    }

    /// One that nothing tells.
    #[cfg(test)]
    pub(crate) fn unknown() -> Self {
        Self { setting: None, cluster: None, known: OnceCell::new() }
    }

    /// `None`: it is not known. What makes it uncertain becomes part of the look.
    pub(super) async fn known(&self, look: &mut CloudLook) -> Option<&str> {
        let ask = || async {
            let served = match self.cluster {
                Some(cluster) => cluster.issuer().await,
                None => None,
            };
            judged(self.setting, served)
        };
        let known = self.known.get_or_init(ask).await;
        look.unseen.extend(known.differ.clone());
        known.issuer.as_deref()
    }
}

/// PURE. `served`: what the API server's discovery document names; `None`: it does not tell.
fn judged(setting: Option<Setting<'_>>, served: Option<String>) -> Known {
    let Some(Setting { issuer, is_of_user }) = setting else {
        return Known { issuer: served, differ: None };
    };
    match served {
        None => Known { issuer: is_of_user.then(|| issuer.to_owned()), differ: None },
        Some(served) if served == issuer => Known { issuer: Some(served), differ: None },
        Some(served) => {
            let differ = Unseen {
                what: "which of the issuers that the providers trust is this cluster's".into(),
                right: "correct `issuer` of the settings; if the API servers do not sign with it yet, run the audit again when they do".into(),
                why: format!(
                    "the settings name {}, and the API server's discovery document names {}",
                    issuer.escape_debug(),
                    served.escape_debug()
                ),
            };
            let issuer = if is_of_user { issuer.to_owned() } else { served };
            Known { issuer: Some(issuer), differ: Some(differ) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "https://oidc.lab.test/prod";
    const OTHER: &str = "https://oidc.lab.test/other";

    fn of(named: Option<(&str, bool)>, served: Option<&str>) -> (Option<String>, bool) {
        let setting = named.map(|(issuer, is_of_user)| Setting { issuer, is_of_user });
        let Known { issuer, differ } = judged(setting, served.map(str::to_owned));
        if let Some(differ) = &differ {
            assert!(differ.why.contains(ONE) && differ.why.contains(OTHER), "{differ:?}");
        }
        (issuer, differ.is_some())
    }

    #[test]
    fn unnamed_file_never_decides_issuer() {
        assert_eq!(of(Some((ONE, false)), None), (None, false));
        assert_eq!(of(Some((ONE, false)), Some(OTHER)), (Some(OTHER.into()), true));
        assert_eq!(of(Some((ONE, false)), Some(ONE)), (Some(ONE.into()), false));
    }

    #[test]
    fn user_names_issuer_and_is_compared() {
        assert_eq!(of(Some((ONE, true)), None), (Some(ONE.into()), false));
        assert_eq!(of(Some((ONE, true)), Some(OTHER)), (Some(ONE.into()), true));
        assert_eq!(of(Some((ONE, true)), Some(ONE)), (Some(ONE.into()), false));
    }

    #[test]
    fn api_server_tells_without_setting() {
        assert_eq!(of(None, Some(ONE)), (Some(ONE.into()), false));
        assert_eq!(of(None, None), (None, false));
    }

    #[tokio::test]
    async fn nothing_known_adds_nothing() {
        let mut look = CloudLook::default();
        assert_eq!(OwnIssuer::unknown().known(&mut look).await, None);
        assert!(look.unseen.is_empty());
    }
}
