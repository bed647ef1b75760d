//! What the cluster serves and signs, and what is odd about it.

use crate::{
    cluster::{Cluster, Observed, Reached},
    config::Settings,
    error::{Error, Result},
    oidc::{Issuer, KeySet, keys_from_pem},
    relying_party::MAX_SKEW,
    report::Warning,
};

/// Asks the cluster, unless none is to be asked.
pub(crate) async fn observe(cluster: Option<&Cluster>, settings: &Settings) -> Result<Option<Observed>> {
    match cluster {
        Some(cluster) => Ok(Some(cluster.observe(&settings.audience, settings.kid_rule).await?)),
        None => Ok(None),
    }
}

/// The keys of `--public-key`.
pub(crate) fn from_files(settings: &Settings) -> Result<Option<KeySet>> {
    let mut keys = Vec::new();
    for path in &settings.public_keys {
        let place = path.display().to_string();
        let content = std::fs::read(path).map_err(|error| {
            Error::usage("public-key-unreadable", format!("{place} cannot be read")).caused_by(error).hint(
                "--public-key takes the file of --service-account-key-file, e.g. /etc/kubernetes/pki/sa.pub",
            )
        })?;
        keys.extend(keys_from_pem(&content, &place).map_err(Error::into_usage)?);
    }
    if keys.is_empty() { Ok(None) } else { KeySet::new(keys).map(Some) }
}

/// Refuses a cluster whose tokens no stranger could ever accept.
pub(crate) fn refuse_unpublishable_signer(observed: &Observed) -> Result<()> {
    for server in &observed.servers {
        let claims = server.token.claims();
        let unreadable = |kid: &str| server.unreadable.iter().find(|key| key.kid == kid);
        if let Some(key) = claims.kid.as_deref().and_then(unreadable) {
            return Err(Error::failed(
                "signer-unpublishable",
                format!("API server {} signs with an {} key ({})", server.address, key.kty, claims.algorithm),
            )
            .hint(
                "clouds read RSA and EC keys only: sign with one of them; RSA 2048 is accepted everywhere",
            ));
        }
    }
    Ok(())
}

/// What somebody should know, but what does not keep the keys from being published.
pub(crate) fn warnings(observed: &Observed, issuer: &Issuer, now: u64) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Reached::Kubeconfig { why } = &observed.reached {
        warnings.push(Warning::new(
            "servers-not-singly",
            format!("{why}: asked the kubeconfig's address only; with several API servers behind it, some keys may be missing"),
        ));
    }
    for (address, error) in &observed.unreachable {
        warnings.push(Warning::new(
            "server-unreachable",
            format!(
                "API server {address} did not answer ({}): keys that only it serves are not added",
                error.code
            ),
        ));
    }
    let first = observed.servers.first();
    for server in &observed.servers {
        let (address, claims) = (&server.address, server.token.claims());
        for key in &server.unreadable {
            warnings.push(Warning::new(
                "key-left-out",
                format!(
                    "{address} serves the {} key {}, which strangers cannot read yet: left out",
                    key.kty, key.kid
                ),
            ));
        }
        if claims.kid.as_deref().is_none_or(|kid| server.keys.get(kid).is_none()) {
            warnings.push(Warning::new(
                "signer-not-served",
                format!(
                    "{address} signs with {}, which is not among its own keys: it refuses its own tokens; add the key to \
                     --service-account-key-file of every API server",
                    claims.kid.as_deref().unwrap_or("a key without kid").escape_debug()
                ),
            ));
        }
        if claims.issuer != *issuer.signed() {
            warnings.push(Warning::new(
                "issuer-not-signed",
                format!(
                    "{address} signs as `{}`: strangers accept its tokens once its first --service-account-issuer is {issuer} \
                     (keep the old one as a second flag)",
                    claims.issuer
                ),
            ));
        }
        if claims.issuer != *server.discovery.issuer {
            warnings.push(Warning::new(
                "issuer-differs",
                format!(
                    "{address} signs as `{}` but its own document says `{}`",
                    claims.issuer,
                    server.discovery.issuer.escape_debug()
                ),
            ));
        }
        if let Some(skew) = server.clock.map(|clock| clock.abs_diff(now)).filter(|skew| *skew > MAX_SKEW) {
            warnings.push(Warning::new(
                "clock-skew",
                format!("the clock of {address} is {skew} s away from this machine's: relying parties refuse tokens from the future"),
            ));
        }
        if let Some(first) = first.filter(|first| first.keys != server.keys) {
            warnings.push(Warning::new(
                "servers-differ",
                format!(
                    "{address} serves {} keys, {} serves {}: until all serve the same, a token of one may be refused by the other",
                    server.keys.len(),
                    first.address,
                    first.keys.len()
                ),
            ));
        }
    }
    warnings
}
