//! Issuer and object names: two sides of one thing, resolved once.

use url::Url;

use crate::{
    bucket::{Bucket, Leads},
    config::Settings,
    error::{Code, Error, Result},
    federation::Documents,
    oidc::{DISCOVERY_PATH, Issuer, JWKS_PATH},
};

/// Where the documents lie: their public URL, and their names in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DocumentLocation {
    pub(crate) issuer: Issuer,
    /// Prefix of the object names: `""` or `a/b`.
    pub(crate) prefix: String,
    pub(crate) proof: Proof,
}

/// By what the issuer is known to lead to the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Its host and path are one of the forms under which the store shows this bucket.
    Form,
    /// `--public-url` says so.
    Stated,
    /// Nothing yet: a domain, which may show this bucket.
    None,
}

impl DocumentLocation {
    /// Both from the settings and what the bucket says of its public URLs.
    ///
    /// Without an issuer, it is the bucket's public URL and prefix. With one, the object names follow from
    /// its path: below the bucket if its URL leads there, else below its own host (a domain that shows the bucket's
    /// root).
    pub(crate) fn resolve(settings: &Settings, bucket: &dyn Bucket) -> Result<Self> {
        let (url, name) = (bucket.public_url(), bucket.to_string());
        Self::of(settings, &name, url.as_deref(), &|url| bucket.leads(url))
    }

    fn of(
        settings: &Settings,
        bucket: &str,
        bucket_url: Option<&str>,
        leads: &dyn Fn(&Url) -> Leads,
    ) -> Result<Self> {
        let stated = settings.bucket.as_ref().and_then(|bucket| bucket.public_url.as_deref());
        let named = settings.issuer.as_ref().map(|named| named.publishable().map_err(Error::into_usage));
        let Some(issuer) = named.transpose()? else {
            let Some(root) = bucket_url else {
                return Err(Error::usage(Code::IssuerMissing, "this bucket has no public URL of its own")
                    .hint("give --issuer URL, the URL that will be `iss` in every token"));
            };
            let text = if settings.prefix().is_empty() {
                root.to_owned()
            } else {
                format!("{root}/{}", settings.prefix())
            };
            let issuer = text.parse::<Issuer>().map_err(|error| {
                error
                    .into_usage()
                    .hint("if this bucket is read under another URL, give --public-url or --issuer")
            })?;
            let proof = match leads_to(&issuer, bucket, leads)? {
                Some(_) => Proof::Form,
                // Without a stated one, the URL is the bucket's own.
                None => {
                    if stated.is_some() {
                        Proof::Stated
                    } else {
                        Proof::Form
                    }
                }
            };
            return Ok(Self { issuer, prefix: settings.prefix().to_owned(), proof });
        };
        let known = leads_to(&issuer, bucket, leads)?;
        let host_root = format!("https://{}", issuer.host());
        let (below, proof) = match (stated.and(bucket_url), known) {
            (Some(stated), known) => {
                let below = issuer.below(stated).ok_or_else(|| {
                    Error::usage(
                        Code::IssuerOutsideBucket,
                        format!("the issuer {issuer} does not lie below {stated}"),
                    )
                    .hint("--public-url is where the bucket's root is read; the issuer must begin with it")
                })?;
                match known {
                    Some(known) if known == below => (known, Proof::Form),
                    Some(known) => {
                        return Err(Error::usage(
                            Code::IssuerOutsideBucket,
                            format!("the issuer {issuer} leads to `{known}` in {bucket}, not to `{below}`"),
                        )
                        .hint("leave --public-url out: the issuer's own URL says where it leads"));
                    }
                    None => (below.to_owned(), Proof::Stated),
                }
            }
            (None, Some(known)) => (known, Proof::Form),
            (None, None) => (issuer.below(&host_root).unwrap_or_default().to_owned(), Proof::None),
        };
        if !settings.prefix().is_empty() && settings.prefix() != below {
            return Err(Error::usage(
                Code::IssuerPrefix,
                format!(
                    "the bucket's prefix is `{}`, but the issuer's path asks for `{below}`",
                    settings.prefix()
                ),
            )
            .hint("leave the prefix out of --bucket: object names follow from the issuer")
            .hint(
                "if a domain of yours shows that prefix as its root, say where its root is: --public-url",
            ));
        }
        Ok(Self { issuer, prefix: below, proof })
    }

    /// The object that a URL below the issuer's own root names, as far as the location says.
    pub(crate) fn object_at(&self, url: &str) -> Option<String> {
        let root = self.issuer.as_str().strip_suffix(&self.prefix)?;
        let name = url.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/')?;
        Some(name.to_owned())
    }

    /// Both documents, in the bucket of this name.
    pub(crate) fn documents_in(&self, bucket: &str) -> Documents {
        let objects = [JWKS_PATH, DISCOVERY_PATH].map(|path| self.object(path));
        let are_at_issuer = self.proof == Proof::Form;
        Documents { bucket: bucket.to_owned(), objects: objects.into(), are_at_issuer, each_was_asked: false }
    }

    /// The object's name in the bucket.
    pub(crate) fn object(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }
}

/// The prefix that the issuer's URL names in this bucket; `None` when it is a domain that may show it.
fn leads_to(issuer: &Issuer, bucket: &str, leads: &dyn Fn(&Url) -> Leads) -> Result<Option<String>> {
    let Ok(url) = Url::parse(issuer.as_str()) else { return Ok(None) };
    match leads(&url) {
        Leads::Here(name) => Ok(Some(name)),
        Leads::Unknown => Ok(None),
        Leads::Elsewhere { why, remedy } => Err(Error::usage(
            Code::IssuerOtherBucket,
            format!("the issuer {issuer} does not lead to {bucket}: {why}"),
        )
        .hint(remedy)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn located(arguments: &[&str], bucket_url: Option<&str>) -> Result<DocumentLocation> {
        let cli = Cli::try_parse_from(["keyless", "publish"].iter().chain(arguments)).expect("arguments");
        let settings = Settings::resolve(&cli.common, None, |_| None)?;
        let leads = |url: &Url| {
            let below = bucket_url.and_then(|root| url.as_str().trim_end_matches('/').strip_prefix(root));
            match below.map(|below| below.trim_start_matches('/')) {
                Some(name) => Leads::Here(name.to_owned()),
                None if url.host_str().is_some_and(|host| host.ends_with("amazonaws.com")) => {
                    Leads::Elsewhere { why: "another bucket".into(), remedy: "name one".into() }
                }
                None => Leads::Unknown,
            }
        };
        DocumentLocation::of(&settings, "s3://b", bucket_url, &leads)
    }

    fn resolve(arguments: &[&str], bucket_url: Option<&str>) -> Result<(String, String)> {
        let location = located(arguments, bucket_url)?;
        Ok((location.issuer.to_string(), location.object("openid/v1/jwks")))
    }

    #[test]
    fn each_location_knows_its_proof() {
        let s3 = Some("https://b.s3.eu-central-1.amazonaws.com");
        let cdn = ["--bucket", "s3://b", "--public-url", "https://cdn.example.com"];
        for (arguments, bucket_url, proof) in [
            (vec!["--bucket", "s3://b"], s3, Proof::Form),
            (
                vec!["--bucket", "s3://b", "--issuer", "https://b.s3.eu-central-1.amazonaws.com/a"],
                s3,
                Proof::Form,
            ),
            (vec!["--bucket", "s3://b", "--issuer", "https://oidc.example.com"], s3, Proof::None),
            (vec!["--bucket", "file:///srv", "--issuer", "https://oidc.example.com"], None, Proof::None),
        ] {
            let location = located(&arguments, bucket_url).unwrap();
            assert_eq!(location.proof, proof, "{arguments:?}");
            assert_eq!(location.documents_in("b").are_at_issuer, proof == Proof::Form, "{arguments:?}");
        }
        // What is stated is not the bucket's own URL.
        let cli = Cli::try_parse_from(["keyless", "publish"].iter().chain(&cdn)).unwrap();
        let settings = Settings::resolve(&cli.common, None, |_| None).unwrap();
        let stated =
            DocumentLocation::of(&settings, "s3://b", Some("https://cdn.example.com"), &|_| Leads::Unknown);
        let stated = stated.unwrap();
        assert_eq!(stated.proof, Proof::Stated);
        assert!(!stated.documents_in("b").are_at_issuer, "a person says so");
    }

    #[test]
    fn objects_of_urls_below_the_root() {
        let location =
            located(&["--bucket", "file:///srv", "--issuer", "https://oidc.example.com/prod"], None);
        let location = location.unwrap();
        for (url, name) in [
            ("https://oidc.example.com/prod/keys.json", Some("prod/keys.json")),
            ("https://oidc.example.com/keys.json", Some("keys.json")),
            ("https://oidc.example.com.evil.example/keys.json", None),
            ("https://other.example.com/keys.json", None),
            ("https://oidc.example.com", None),
        ] {
            assert_eq!(location.object_at(url).as_deref(), name, "{url}");
        }
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
            let resolved = resolve(arguments, bucket_url).unwrap();
            assert_eq!(resolved, (issuer.to_owned(), object.to_owned()), "{arguments:?}");
        }
        let stated = [
            "--bucket",
            "s3://b",
            "--public-url",
            "https://cdn.example.com/x",
            "--issuer",
            "https://cdn.example.com/x/prod",
        ];
        let resolved = resolve(&stated, Some("https://cdn.example.com/x")).unwrap();
        assert_eq!(resolved.1, "prod/openid/v1/jwks");
    }

    #[test]
    fn contradictions_are_usage_errors() {
        for (arguments, bucket_url, code) in [
            (&["--bucket", "file:///srv/www"][..], None, Code::IssuerMissing),
            (&["--bucket", "s3://b"], Some("https://127.0.0.1:9000/b"), Code::IssuerPort),
            (&["--bucket", "s3://b"], Some("http://localhost/b"), Code::IssuerNotHttps),
            (
                &["--bucket", "s3://b", "--issuer", "https://other.s3.eu-central-1.amazonaws.com"],
                Some("https://b.s3.eu-central-1.amazonaws.com"),
                Code::IssuerOtherBucket,
            ),
            (
                &["--bucket", "s3://b/x", "--issuer", "https://b.example.com/y"],
                Some("https://b.example.com"),
                Code::IssuerPrefix,
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
                Code::IssuerOutsideBucket,
            ),
        ] {
            let error = resolve(arguments, bucket_url).unwrap_err();
            assert_eq!((error.code, error.kind), (code, crate::error::Kind::Usage), "{arguments:?}: {error}");
        }
    }
}
