//! The kinds of buckets, each in one line.

use std::fmt;

use futures::future::BoxFuture;

use super::{Bucket, Settings, azure, directory, gcs, s3};
use crate::{
    error::{Code, Error, Result},
    http::Http,
    redact,
};

/// Connects to the bucket of these settings. Nothing is sent to it yet.
type Connect = for<'a> fn(&'a Settings, &'a Http) -> BoxFuture<'a, Result<Box<dyn Bucket>>>;

/// A kind of bucket.
pub(crate) struct Kind {
    /// Of its URLs.
    pub(crate) scheme: &'static str,
    /// How its URLs are written, for people.
    pub(super) form: &'static str,
    /// The settings that say something of it, beside `publicUrl`, as the flags that set them.
    pub(crate) takes: &'static [&'static str],
    /// The environment variable with a short-lived token that is used instead of looking for credentials.
    pub(crate) token_variable: Option<&'static str>,
    /// Whether a request carries the login itself. A signature of it tells the endpoint nothing.
    pub(crate) sends_login: bool,
    /// Reads what follows the scheme; otherwise says why it cannot.
    pub(super) parse: fn(&str) -> Result<Place, &'static str>,
    pub(super) connect: Connect,
}

/// In the order in which they are shown.
static KINDS: [Kind; 4] = [s3::KIND, gcs::KIND, azure::KIND, directory::KIND];

/// Which bucket of its kind, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The bucket's name, or the folder.
    pub(crate) name: String,
    /// `""` for none, `a/b`.
    pub(crate) prefix: String,
}

impl Kind {
    /// What `--bucket` names.
    pub(crate) fn read(url: &str) -> Result<(&'static Self, Place)> {
        let refuse = |why: &str| {
            let forms: Vec<_> = KINDS.iter().map(|kind| kind.form).collect();
            let (last, others) = forms.split_last().unwrap_or((&"", &[]));
            Error::usage(Code::BucketUrl, format!("`{}` does not name a bucket: {why}", redact::given(url)))
                .hint(format!("write {} or {last}", others.join(", ")))
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refuse("there is no scheme"))?;
        let kind = KINDS.iter().find(|kind| kind.scheme == scheme);
        let kind = kind.ok_or_else(|| refuse("that scheme is not known"))?;
        let place = (kind.parse)(rest).map_err(refuse)?;
        Ok((kind, place))
    }

    /// The kinds of which a flag says something: `s3:// or gs://`.
    pub(crate) fn taking(flag: &str) -> String {
        let schemes = KINDS.iter().filter(|kind| kind.takes.contains(&flag));
        schemes.map(|kind| format!("{}://", kind.scheme)).collect::<Vec<_>>().join(" or ")
    }

    /// The URL that names this place.
    pub(super) fn url(&self, place: &Place) -> String {
        let Self { scheme, .. } = self;
        match place.prefix.as_str() {
            "" => format!("{scheme}://{}", place.name),
            prefix => format!("{scheme}://{}/{prefix}", place.name),
        }
    }
}

/// `NAME[/PREFIX]`, as object stores take it.
pub(super) fn name_and_prefix(rest: &str) -> Result<Place, &'static str> {
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    if name.is_empty() {
        return Err("there is no name");
    }
    if name.contains(['@', ':']) {
        return Err(
            "a bucket has no user, password or port; credentials come from the environment or a profile",
        );
    }
    let odd = prefix.split('/').any(|segment| matches!(segment, "." | ".."));
    if odd || prefix.starts_with('/') || prefix.contains("//") {
        return Err("its prefix has empty or dot segments");
    }
    Ok(Place { name: name.to_owned(), prefix: prefix.to_owned() })
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme
    }
}

impl Eq for Kind {}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_url_is_read_and_written() {
        for (url, scheme, name, prefix, again) in [
            ("s3://b", "s3", "b", "", "s3://b"),
            ("s3://b/", "s3", "b", "", "s3://b"),
            ("gs://b/a/c/", "gs", "b", "a/c", "gs://b/a/c"),
            ("az://acme/keys/a/", "az", "acme/keys", "a", "az://acme/keys/a"),
            ("file:///srv/www", "file", "/srv/www", "", "file:///srv/www"),
        ] {
            let (kind, place) = Kind::read(url).unwrap();
            let expected = (scheme, name, prefix);
            assert_eq!((kind.scheme, place.name.as_str(), place.prefix.as_str()), expected, "{url}");
            assert_eq!(kind.url(&place), again);
        }
    }

    #[test]
    fn malformed_bucket_url_is_refused() {
        for url in [
            "b",
            "",
            "://",
            "s3://",
            "s3:///x",
            "azure://b",
            "S3://b",
            "file://srv",
            "file://",
            "s3://b/../x",
            "s3://b/./x",
            "s3://b//x",
            "s3://user:hunter2@b",
            "gs://b:443/x",
            "https://b",
            "az://acme",
            "az:///keys",
        ] {
            let error = Kind::read(url).unwrap_err();
            assert_eq!(error.code, Code::BucketUrl, "{url}");
            assert!(error.hints[0].contains("s3://NAME[/PREFIX]"), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn flag_names_the_kinds_taking_it() {
        for (flag, schemes) in [
            ("--region", "s3://"),
            ("--addressing", "s3://"),
            ("--endpoint", "s3:// or gs:// or az://"),
            ("--project", "gs://"),
        ] {
            assert_eq!(Kind::taking(flag), schemes, "{flag}");
        }
    }
}
