//! PURE. From which URLs a key set is read: the document that names one may be tampered with.

use url::{Host, Url};

use crate::oidc::Issuer;

/// Whether a key set may be read from the URL that a discovery document names, and why not. The document may be
/// tampered with: without this rule it would choose what is requested from inside the reader's network.
///
/// It must be https, on the issuer's host or below the bucket's own URL. An issuer's host is a DNS name with a dot.
pub(crate) fn may_fetch(issuer: &Issuer, bucket_url: Option<&str>, url: &str) -> Result<Url, &'static str> {
    let Ok(parsed) = Url::parse(url) else { return Err("it is not a URL") };
    let private = match parsed.host() {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        Some(Host::Domain(name)) => name.ends_with(".svc") || name.contains(".svc.") || !name.contains('.'),
        None => true,
    };
    if private {
        return Err(
            "it is the API server's own, private address, or another one that relying parties cannot reach",
        );
    }
    if parsed.scheme() != "https" {
        return Err("it is not https");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("it holds user info");
    }
    let below = |root: &str| {
        let root = root.trim_end_matches('/');
        root.starts_with("https://")
            && parsed.as_str().strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
    };
    if parsed.host_str() != Some(issuer.host()) && !bucket_url.is_some_and(below) {
        return Err("its host is not the issuer's; the keys come from a place that others may control");
    }
    if parsed.port().is_some() {
        return Err("it names a port, and the issuer has none");
    }
    // Verifiers read `https://a.example\\@b.example/` as one host or the other.
    let is_plain = |root: &str| {
        let rest = url.strip_prefix(root.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.strip_prefix(":443").unwrap_or(rest).starts_with('/'))
    };
    let is_uri_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let host_root = format!("https://{}", issuer.host());
    if !url.bytes().all(is_uri_byte) || !(is_plain(&host_root) || bucket_url.is_some_and(is_plain)) {
        return Err("it is written so that verifiers may read another host out of it");
    }
    Ok(parsed)
}

/// Whether a key set at this URL belongs to the issuer's owner: it shares the first part of the issuer's path, or is
/// below the bucket's own URL. On a host that serves many buckets everything else is another owner's.
pub(crate) fn is_of_issuer(issuer: &Issuer, bucket_url: Option<&str>, url: &Url) -> bool {
    let below = |root: &str| {
        url.as_str().strip_prefix(root.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    let host_root = format!("https://{}", issuer.host());
    let first = issuer.below(&host_root).unwrap_or_default().split('/').next().unwrap_or_default();
    let own = if first.is_empty() { host_root } else { format!("{host_root}/{first}") };
    below(&own) || bucket_url.is_some_and(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_sets_need_an_allowed_host() {
        let issuer: Issuer = "https://oidc.example.com/prod".parse().unwrap();
        let bucket = Some("https://acme.s3.eu-west-1.amazonaws.com/");
        for url in [
            "https://oidc.example.com/prod/openid/v1/jwks",
            "https://oidc.example.com/keys.json",
            "https://oidc.example.com:443/keys.json",
            "https://acme.s3.eu-west-1.amazonaws.com/keys.json",
        ] {
            assert!(may_fetch(&issuer, bucket, url).is_ok(), "{url}");
        }
        for url in [
            "http://127.0.0.1/latest/meta-data",
            "https://127.0.0.1/keys.json",
            "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
            "https://169.254.169.254/keys.json",
            "https://[::1]/keys.json",
            "https://[fd00:ec2::254]/latest",
            "https://[::ffff:169.254.169.254]/",
            "https://0x7f000001/keys.json",
            "https://2130706433/keys.json",
            "https://localhost/keys.json",
            "https://metadata.google.internal/computeMetadata/v1/",
            "https://kubernetes.default.svc/openid/v1/jwks",
            "https://kubernetes.default.svc.cluster.local/openid/v1/jwks",
            "https://10.0.0.1:6443/openid/v1/jwks",
            "http://oidc.example.com/prod/openid/v1/jwks",
            "ftp://oidc.example.com/keys.json",
            "file:///etc/passwd",
            "https://user:secret@oidc.example.com/keys.json",
            "https://oidc.example.com:8443/keys.json",
            "https://oidc.example.com.evil.example/keys.json",
            "https://oidc.example.com@evil.example/keys.json",
            "https://evil.example/oidc.example.com/keys.json",
            "https://acme.s3.eu-west-1.amazonaws.com.evil.example/keys.json",
            "https://other.s3.eu-west-1.amazonaws.com/keys.json",
            "https://oidc.example.com\\@evil.example/keys.json",
            "https:\\\\oidc.example.com/keys.json",
            "https:/oidc.example.com/keys.json",
            "https:oidc.example.com/keys.json",
            "https://oidc%2eexample.com/keys.json",
            "https://oidc.example.com./keys.json",
            "https://ｏidc.example.com/keys.json",
            "https://OIDC.example.com/keys.json",
            "HTTPS://oidc.example.com/keys.json",
            "https://oidc.exa\tmple.com/keys.json",
            " https://oidc.example.com/keys.json",
            "https://oidc.example.com/keys.json\n",
            "https://oidc.example.com/kéys.json",
            "https://@oidc.example.com/keys.json",
            "https://oidc.example.com:/keys.json",
            "https://oidc.example.com:0443/keys.json",
            "https://oidc.example.com?keys.json",
            "https://oidc.example.com#/keys.json",
            "https://acme.s3.eu-west-1.amazonaws.com\\.evil.example/keys.json",
            "//oidc.example.com/keys.json",
            "/keys.json",
            "",
        ] {
            assert!(may_fetch(&issuer, bucket, url).is_err(), "{url}");
        }
        for url in
            ["https://oidc.example.com/a?b=c", "https://oidc.example.com/a#b", "https://oidc.example.com/@a"]
        {
            assert!(may_fetch(&issuer, bucket, url).is_ok(), "{url}");
        }
        assert!(may_fetch(&issuer, None, "https://acme.s3.eu-west-1.amazonaws.com/keys.json").is_err());
        assert!(
            may_fetch(&issuer, Some("http://127.0.0.1:9000/acme"), "https://127.0.0.1:9000/acme/k").is_err()
        );
    }

    #[test]
    fn key_set_of_another_bucket_fails() {
        let bucket = Some("https://s3.us-east-2.amazonaws.com/acme");
        for (issuer, url, bucket, own) in [
            (
                "https://s3.us-east-2.amazonaws.com/acme",
                "https://s3.us-east-2.amazonaws.com/acme/k",
                None,
                true,
            ),
            (
                "https://s3.us-east-2.amazonaws.com/acme/a",
                "https://s3.us-east-2.amazonaws.com/acme/k",
                None,
                true,
            ),
            ("https://oidc.example.com", "https://oidc.example.com/any/where?x=y", None, true),
            ("https://oidc.example.com/a", "https://s3.us-east-2.amazonaws.com/acme/k", bucket, true),
            (
                "https://s3.us-east-2.amazonaws.com/acme",
                "https://s3.us-east-2.amazonaws.com/evil/k",
                None,
                false,
            ),
            (
                "https://s3.us-east-2.amazonaws.com/acme",
                "https://s3.us-east-2.amazonaws.com/evil/k",
                bucket,
                false,
            ),
            (
                "https://s3.us-east-2.amazonaws.com/acme",
                "https://s3.us-east-2.amazonaws.com/acme2/k",
                bucket,
                false,
            ),
            (
                "https://s3.us-east-2.amazonaws.com/acme",
                "https://s3.us-east-2.amazonaws.com/acme",
                bucket,
                false,
            ),
            (
                "https://s3.us-east-2.amazonaws.com/acme",
                "https://s3.us-east-2.amazonaws.com/acme/../evil/k",
                bucket,
                false,
            ),
            (
                "https://s3.us-east-2.amazonaws.com/acme",
                "https://s3.us-east-2.amazonaws.com/acme/%2e%2e/evil/k",
                bucket,
                false,
            ),
            ("https://storage.googleapis.com/acme", "https://storage.googleapis.com/evil/k", None, false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(is_of_issuer(&issuer.parse().unwrap(), bucket, &url), own, "{issuer} {url}");
        }
    }
}
