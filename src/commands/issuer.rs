//! The issuer of a run, derived in one place: what is published, what a provider believes, what the cluster signs.

use super::resolve::Resolved;
use crate::{
    bucket,
    cluster::Observed,
    config::Settings,
    error::{Code, Error, Result},
    federation::TrustedIssuer,
    http::Http,
    oidc::{Issuer, SignedIssuer},
    publication::location::DocumentLocation,
};

/// The issuer that the settings name, or the URL under which their bucket shows it. The bucket is not asked.
pub(super) async fn named(settings: &Settings, http: &Http) -> Result<Option<SignedIssuer>> {
    if let Some(named) = &settings.issuer {
        return Ok(Some(named.clone()));
    }
    match &settings.bucket {
        Some(_) => Ok(Some(of_bucket(settings, http).await?.into())),
        None => Ok(None),
    }
}

/// The same as an issuer that keyless publishes; to name none, or one that it cannot publish, is a usage error.
pub(super) async fn published(settings: &Settings, http: &Http) -> Result<Issuer> {
    named(settings, http).await?.ok_or_else(missing)?.publishable().map_err(Error::into_usage)
}

/// What the provider is told to believe: the published issuer if it fetches the documents, else whatever the cluster
/// signs as.
pub(super) async fn trusted(
    settings: &Settings,
    resolved: &Resolved,
    observed: &Observed,
    http: &Http,
) -> Result<TrustedIssuer> {
    if resolved.uploads_keys() {
        let named = settings.issuer.as_ref().map_or_else(|| signed(observed), Ok)?;
        return Ok(TrustedIssuer::Signed(named.clone()));
    }
    let issuer = match (&settings.bucket, &settings.issuer) {
        (Some(_), _) => of_bucket(settings, http).await?,
        (None, Some(named)) => named.publishable().map_err(Error::into_usage)?,
        (None, None) => signed(observed)?.publishable().map_err(|error| {
            error.hint(
                "no bucket is named, so the provider would be told what the cluster signs as now: name a bucket and an issuer",
            )
        })?,
    };
    Ok(TrustedIssuer::Published(issuer))
}

/// What was believed until now, for the way back. An issuer that cannot be published keeps nothing from being removed.
pub(super) fn removed(
    settings: &Settings,
    place: Option<&DocumentLocation>,
    observed: &Observed,
) -> Result<TrustedIssuer> {
    if let Some(place) = place {
        return Ok(TrustedIssuer::Published(place.issuer.clone()));
    }
    let issuer = settings.issuer.as_ref().map_or_else(|| signed(observed), Ok)?;
    Ok(TrustedIssuer::Signed(issuer.clone()))
}

/// The issuer whose documents `verify` reads: the named one, or what the cluster signs as.
pub(super) fn of_documents(named: Option<&SignedIssuer>, observed: &Observed) -> Result<Issuer> {
    match named {
        Some(named) => named.publishable().map_err(Error::into_usage),
        None => signed(observed)?.publishable().map_err(|error| {
            error.hint(
                "no issuer is named, so it is the one that the cluster signs as: name another by --issuer",
            )
        }),
    }
}

/// What the first API server signs as. Whether the others agree is judged elsewhere.
pub(super) fn signed(observed: &Observed) -> Result<&SignedIssuer> {
    observed.servers.first().map(|server| &server.token.claims().issuer).ok_or_else(missing)
}

/// Neither the settings nor anything else names an issuer.
pub(super) fn missing() -> Error {
    Error::usage(Code::IssuerMissing, "no issuer is named")
        .hint("give --issuer URL, the URL that will stand in every token, or issuer in keyless.yaml")
}

async fn of_bucket(settings: &Settings, http: &Http) -> Result<Issuer> {
    let bucket = settings.bucket.as_ref().ok_or_else(missing)?;
    let bucket = bucket::connect(bucket, http).await?;
    Ok(DocumentLocation::resolve(settings, bucket.as_ref())?.issuer)
}
