//! Clusters whose API servers belong to a provider, which signs as an issuer of its own and changes the keys. The plan
//! tells, before anything is done.

use crate::{
    cluster::{ApiServer, Cluster, Observed},
    commands::distribution,
    distro::{self, Distribution},
    error::{Code, Result},
    federation::TrustedIssuer,
    warning::Warning,
};

/// What the tokens prove: they name the issuer of a provider. Its API servers never sign as another one, so documents of
/// another one are refused. Uploaded keys are a warning: they last until the provider changes its key.
pub(super) fn signed(observed: &Observed, issuer: &TrustedIssuer) -> Result<Option<Warning>> {
    let signing = observed.servers.iter().map(|server| &server.token.claims().issuer);
    let managed = signing.filter(|signs_as| issuer.published().is_none() || issuer.signed() != *signs_as);
    let Some(managed) = managed.filter_map(|signs_as| distro::of_issuer(signs_as.as_str())).next() else {
        return Ok(None);
    };
    match issuer.published() {
        Some(_) => Err(distro::not_by_user(managed)),
        None => Ok(Some(warning(
            managed,
            format!(
                "the tokens name the issuer of {}, whose provider changes the key by itself: uploaded keys last until then, unless \
                 `keyless publish` runs in the cluster.",
                managed.title
            ),
        ))),
    }
}

/// What the labels of the nodes say, where the API servers would have to sign as another issuer. Who writes nodes can forge
/// them, so they stop nothing.
pub(super) async fn labelled(
    cluster: &Cluster,
    observed: &Observed,
    issuer: &TrustedIssuer,
) -> Option<Warning> {
    let signed = |server: &ApiServer| server.token.claims().issuer == *issuer.signed();
    if issuer.published().is_none() || observed.servers.iter().all(signed) {
        return None;
    }
    let (nodes, kubeadm) = distribution::look(cluster).await;
    let managed = distro::detect(&distribution::facts(&nodes.ok()?, &kubeadm.ok()?))?;
    managed.instead()?;
    Some(warning(
        managed,
        format!(
            "by the labels of its nodes this is {}, whose API servers are not told by their flags which issuer they sign as.",
            managed.title
        ),
    ))
}

fn warning(managed: &Distribution, what: String) -> Warning {
    Warning::new(Code::DistroManaged, format!("{what} {}", managed.instead().unwrap_or_default()))
}
