//! PURE. Base URLs of services that are given a credential.

use url::{Host, Url};

use crate::error::{Code, Error, Result};

/// A base URL without a trailing slash: `https`, or `http` on this machine alone; without user, password, query and
/// fragment. `setting` is how its owner calls it, e.g. `--endpoint`.
///
/// Errors never quote it: what is wrong about it may be a password.
pub(crate) fn base_url(setting: &str, text: &str) -> Result<String> {
    let refuse = |why: &str| {
        Error::usage(Code::BaseUrl, format!("{setting} {why}"))
            .hint("write a URL such as https://fsn1.your-objectstorage.com")
    };
    let url = Url::parse(text).map_err(|error| refuse("is not a URL").caused_by(error))?;
    if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
        return Err(
            refuse("holds a user or password").hint("credentials come from the environment or a profile")
        );
    }
    if url.host().is_none() {
        return Err(refuse("has no host"));
    }
    let local = is_loopback(&url);
    // `https:///a` is read as `https://a`.
    if text.split_once("://").is_none_or(|(_, rest)| rest.starts_with(['/', '\\'])) {
        return Err(refuse("has no host"));
    }
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        "http" => {
            return Err(refuse("is http: a credential would travel unencrypted; only loopback may be http"));
        }
        _ => return Err(refuse("is not https")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("has a query or fragment"));
    }
    if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(refuse("holds blanks or control characters"));
    }
    if !url.domain().is_none_or(is_host_name) {
        return Err(refuse("has a host that is no DNS name"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether this is a URL that leads to another machine.
pub(crate) fn is_remote(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.has_host() && !is_loopback(&url))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Labels of letters, digits and hyphens (RFC 1123 §2.1); a dot may end it.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_loopback_are_taken() {
        for (text, wanted) in [
            ("https://s3.example.com", "https://s3.example.com"),
            ("https://s3.example.com/", "https://s3.example.com"),
            ("https://10.0.0.1:9000", "https://10.0.0.1:9000"),
            ("https://[fd00::1]:8200/base/", "https://[fd00::1]:8200/base"),
            ("http://127.0.0.1:8333", "http://127.0.0.1:8333"),
            ("http://127.9.9.9", "http://127.9.9.9"),
            ("http://localhost:9000", "http://localhost:9000"),
            ("http://[::1]:8333", "http://[::1]:8333"),
        ] {
            assert_eq!(base_url("--endpoint", text).unwrap(), wanted);
        }
    }

    #[test]
    fn everything_else_is_refused_unquoted() {
        for text in [
            "",
            "CANARY",
            "s3.CANARY.com",
            "http://CANARY.example.com",
            "http://0.0.0.0:9000",
            "http://localhost.CANARY.com",
            "http://127.0.0.1.CANARY.com",
            "http://10.0.0.1",
            "ftp://CANARY.com",
            "file:///CANARY",
            "https://user:CANARY@s3.example.com",
            "https://CANARY@s3.example.com",
            "https://@s3.example.com/CANARY",
            "https://s3.example.com/?token=CANARY",
            "https://s3.example.com/#CANARY",
            "https://s3.example.com/a CANARY",
            "https://s3.example.com/\nCANARY",
            "https://CANARY_x.example.com",
            "https://-CANARY.example.com",
            "https://a..CANARY.com",
            "https://",
            "https:///CANARY",
        ] {
            let error = base_url("--endpoint", text).expect_err(text);
            assert_eq!(error.code, Code::BaseUrl, "{text}");
            assert!(error.message.contains("--endpoint"), "{error}");
            assert!(!error.to_string().contains("CANARY"), "{text}: {error}");
        }
    }
}
