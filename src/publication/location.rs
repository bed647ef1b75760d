//! Issuer and object names: two sides of one thing, settled once.

use crate::{
    config::Settings,
    error::{Error, Result},
    oidc::Issuer,
};

/// Where the documents lie, for strangers and for the bucket's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DocumentLocation {
    pub(crate) issuer: Issuer,
    /// Prefix of the object names: `""` or `a/b`.
    prefix: String,
}

impl DocumentLocation {
    /// Settles both from the settings and the bucket's public URL, where its kind implies one.
    ///
    /// Without an issuer, it is the bucket's public URL and prefix. With one, the object names follow from
    /// its path: below the bucket's public URL if it lies there, else below its own host (a domain that
    /// shows the bucket's root).
    pub(crate) fn resolve(settings: &Settings, bucket_url: Option<&str>) -> Result<Self> {
        let stated = settings.bucket.as_ref().and_then(|bucket| bucket.public_url.as_deref());
        let named = settings.issuer.as_ref().map(|named| named.publishable().map_err(Error::into_usage));
        let Some(issuer) = named.transpose()? else {
            let Some(root) = bucket_url else {
                return Err(Error::usage(
                    "issuer-missing",
                    "this bucket does not tell where strangers read it",
                )
                .hint("give --issuer URL, the URL that will stand in every token"));
            };
            let text = if settings.prefix.is_empty() {
                root.to_owned()
            } else {
                format!("{root}/{}", settings.prefix)
            };
            let issuer = text.parse::<Issuer>().map_err(|error| {
                error
                    .into_usage()
                    .hint("if strangers read this bucket under another URL, give --public-url or --issuer")
            })?;
            return Ok(Self { issuer, prefix: settings.prefix.clone() });
        };
        let host_root = format!("https://{}", issuer.host());
        let below = match (stated.and(bucket_url), bucket_url) {
            (Some(stated), _) => issuer.below(stated).ok_or_else(|| {
                Error::usage(
                    "issuer-outside-bucket",
                    format!("the issuer {issuer} does not lie below {stated}"),
                )
                .hint("--public-url is where strangers read the bucket's root; the issuer must begin with it")
            })?,
            (None, Some(implied)) => {
                issuer.below(implied).or_else(|| issuer.below(&host_root)).unwrap_or_default()
            }
            (None, None) => issuer.below(&host_root).unwrap_or_default(),
        };
        if !settings.prefix.is_empty() && settings.prefix != below {
            return Err(Error::usage(
                "issuer-prefix",
                format!(
                    "the bucket's prefix is `{}`, but the issuer's path asks for `{below}`",
                    settings.prefix
                ),
            )
            .hint("leave the prefix out of --bucket: object names follow from the issuer")
            .hint(
                "if a domain of yours shows that prefix as its root, say where its root is: --public-url",
            ));
        }
        let prefix = below.to_owned();
        Ok(Self { issuer, prefix })
    }

    /// The object's name in the bucket.
    pub(crate) fn object(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn resolve(arguments: &[&str], bucket_url: Option<&str>) -> Result<(String, String)> {
        let cli = Cli::try_parse_from(["keyless", "publish"].iter().chain(arguments)).expect("arguments");
        let settings = Settings::resolve(&cli.common, None, |_| None)?;
        let place = DocumentLocation::resolve(&settings, bucket_url)?;
        Ok((place.issuer.to_string(), place.object("openid/v1/jwks")))
    }

    #[test]
    fn issuer_and_object_names_cannot_disagree() {
        let s3 = Some("https://b.s3.eu-central-1.amazonaws.com");
        for (arguments, bucket_url, issuer, object) in [
            (&["--bucket", "s3://b"][..], s3, "https://b.s3.eu-central-1.amazonaws.com", "openid/v1/jwks"),
            (
                &["--bucket", "s3://b/prod"],
                s3,
                "https://b.s3.eu-central-1.amazonaws.com/prod",
                "prod/openid/v1/jwks",
            ),
            (
                &["--bucket", "s3://b", "--issuer", "https://b.s3.eu-central-1.amazonaws.com/a/b"],
                s3,
                "https://b.s3.eu-central-1.amazonaws.com/a/b",
                "a/b/openid/v1/jwks",
            ),
            // A domain of the owner's that shows the bucket's root.
            (
                &["--bucket", "s3://b", "--issuer", "https://oidc.example.com/prod"],
                s3,
                "https://oidc.example.com/prod",
                "prod/openid/v1/jwks",
            ),
            (
                &["--bucket", "file:///srv/www", "--issuer", "https://oidc.example.com"],
                None,
                "https://oidc.example.com",
                "openid/v1/jwks",
            ),
        ] {
            let settled = resolve(arguments, bucket_url).unwrap();
            assert_eq!(settled, (issuer.to_owned(), object.to_owned()), "{arguments:?}");
        }
        let stated = [
            "--bucket",
            "s3://b",
            "--public-url",
            "https://cdn.example.com/x",
            "--issuer",
            "https://cdn.example.com/x/prod",
        ];
        let settled = resolve(&stated, Some("https://cdn.example.com/x")).unwrap();
        assert_eq!(settled.1, "prod/openid/v1/jwks");
    }

    #[test]
    fn contradictions_are_usage_errors() {
        for (arguments, bucket_url, code) in [
            (&["--bucket", "file:///srv/www"][..], None, "issuer-missing"),
            (&["--bucket", "s3://b"], Some("https://127.0.0.1:9000/b"), "issuer-port"),
            (&["--bucket", "s3://b"], Some("http://localhost/b"), "issuer-not-https"),
            (
                &["--bucket", "s3://b/x", "--issuer", "https://b.example.com/y"],
                Some("https://b.example.com"),
                "issuer-prefix",
            ),
            (
                &[
                    "--bucket",
                    "s3://b",
                    "--public-url",
                    "https://cdn.example.com",
                    "--issuer",
                    "https://other.example.com",
                ],
                Some("https://cdn.example.com"),
                "issuer-outside-bucket",
            ),
        ] {
            let error = resolve(arguments, bucket_url).unwrap_err();
            assert_eq!((error.code, error.kind), (code, crate::error::Kind::Usage), "{arguments:?}: {error}");
        }
    }
}
