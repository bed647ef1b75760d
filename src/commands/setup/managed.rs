//! Clusters whose API servers belong to a provider: they sign as its issuer, with keys that it changes. That is said before
//! anything is planned.

use crate::{
    cluster::{ApiServer, Cluster, Observed},
    commands::distribution,
    distro,
    error::Result,
    federation::TrustedIssuer,
};

/// Refuses what cannot last where the tokens name the issuer of a provider: other documents than its own, which the API
/// servers would have to sign as, and uploaded keys, which it changes by itself.
pub(super) fn refuse_signed(observed: &Observed, issuer: &TrustedIssuer) -> Result<()> {
    for server in &observed.servers {
        let signs_as = &server.token.claims().issuer;
        if issuer.published().is_some() && issuer.signed() == signs_as {
            continue;
        }
        if let Some(managed) = distro::of_issuer(signs_as.as_str()) {
            return Err(distro::not_by_user(managed));
        }
    }
    Ok(())
}

/// As [`refuse_signed`], by the labels of the nodes, where the API servers would have to sign as another issuer. What may not
/// be looked at refuses nothing: the API servers' change tells later.
pub(super) async fn refuse_labelled(
    cluster: &Cluster,
    observed: &Observed,
    issuer: &TrustedIssuer,
) -> Result<()> {
    let signed = |server: &ApiServer| server.token.claims().issuer == *issuer.signed();
    if issuer.published().is_none() || observed.servers.iter().all(signed) {
        return Ok(());
    }
    let (Ok(nodes), Ok(kubeadm)) = distribution::look(cluster).await else { return Ok(()) };
    match distro::detect(&distribution::facts(&nodes, &kubeadm)) {
        Some(managed) if managed.instead().is_some() => Err(distro::not_by_user(managed)),
        _ => Ok(()),
    }
}
