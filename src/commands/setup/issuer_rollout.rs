//! The API servers' own step: they must sign as the issuer that the provider believes, and only their owner can make
//! them.

use crate::{
    cluster::Cluster,
    commands::distribution,
    distro::{self, IssuerChange},
    error::Result,
    federation::TrustedIssuer,
    oidc::SignedIssuer,
    report::Report,
};

/// The exact change of the API servers' flags, for the distribution that runs here. `signs_otherwise`: what API servers
/// sign as now, read from their tokens.
pub(super) async fn tell(
    cluster: &Cluster,
    issuer: &TrustedIssuer,
    signs_otherwise: &[(String, SignedIssuer)],
    servers: usize,
    report: &mut Report<'_>,
) -> Result<()> {
    let (nodes, kubeadm) = distribution::look(cluster).await;
    let facts = distribution::facts(&nodes?, &kubeadm?);
    let change = IssuerChange {
        issuer: issuer.signed().clone(),
        jwks_uri: issuer.published().map(|issuer| issuer.jwks_url()),
        accepted: signs_otherwise.iter().map(|(_, signs_as)| signs_as.clone()).collect(),
        servers,
        cluster_configuration: facts.cluster_configuration.clone(),
        minor: None,
    };
    let distro = distro::detect(&facts);
    if let Some((managed, instead)) = distro.and_then(|it| Some((it, it.instead()?))) {
        report.line(format_args!(
            "This is {}: its API servers cannot be made to sign as another issuer.",
            managed.title
        ));
        report.line(instead);
        return Ok(());
    }
    if distro.is_none() {
        report.line("Unknown distribution: these are the flags.");
    }
    let instructions = distro::instructions(distro, &change)?;
    instructions.warnings.iter().for_each(|warning| report.warning(warning));
    report.lines(instructions.to_text().lines());
    Ok(())
}
