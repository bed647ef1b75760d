//! PURE. Base URLs of services that are given a credential.

use std::net::Ipv4Addr;

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
    // `https:///a` is read as `https://a`.
    if text.split_once("://").is_none_or(|(_, rest)| rest.starts_with(['/', '\\'])) {
        return Err(refuse("has no host"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_https_or_loopback(&url) => {}
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

/// Whether a credential may be sent there: encrypted, or without leaving this machine. The one answer for every setting that
/// names a server.
pub(crate) fn is_https_or_loopback(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Where a request may carry a login: as [`is_https_or_loopback`], and the metadata services that every cloud puts at an
/// address of the machine's own link. They hand out its login, have no https, and no router forwards to them.
pub(crate) fn takes_login(url: &Url) -> bool {
    is_https_or_loopback(url) || url.scheme() == "http" && is_metadata_service(url)
}

/// Plain http that stays on this machine or its link: no proxy is between, as it would be shown everything.
pub(crate) fn is_near(url: &Url) -> bool {
    url.scheme() == "http" && (is_loopback(url) || is_metadata_service(url))
}

/// `169.254.0.0/16` (RFC 3927), and Amazon's `fd00:ec2::/32`.
fn is_metadata_service(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => address.segments().starts_with(&[0xfd00, 0x0ec2]),
        Some(Host::Domain(_)) | None => false,
    }
}

/// Whether an address may lead to another server from another network or cluster: IP addresses that are
/// not of the Internet, and names that only one network resolves. A name of one or two labels is completed by a
/// cluster's search list: `vault.team` is `vault.team.svc.cluster.local`.
pub(crate) fn is_of_one_network(text: &str) -> bool {
    /// RFC 6762, RFC 8375, RFC 2606, and what is reserved or in use for networks of their own.
    const LAST: [&str; 10] =
        ["local", "internal", "localhost", "lan", "home", "corp", "intranet", "private", "arpa", "test"];
    let Ok(url) = Url::parse(text) else { return true };
    match url.host() {
        Some(Host::Domain(name)) => {
            let absolute = name.strip_suffix('.');
            let name = absolute.unwrap_or(name).to_ascii_lowercase();
            let labels: Vec<&str> = name.split('.').collect();
            (labels.len() < 3 && absolute.is_none())
                || labels.contains(&"svc")
                || labels.last().is_none_or(|last| LAST.contains(last))
        }
        Some(Host::Ipv4(address)) => is_of_one_network_v4(address),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(address) => is_of_one_network_v4(address),
            None => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        },
        None => true,
    }
}

/// Also `100.64.0.0/10` (RFC 6598).
fn is_of_one_network_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || first == 100 && (64..128).contains(&second)
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
    fn addresses_of_one_network_are_known() {
        for text in [
            "https://vault.vault.svc:8200",
            "https://vault.vault.svc.cluster.local",
            "https://vault.vault.svc.k8s.acme.com",
            "https://VAULT.vault.SVC.cluster.local./",
            "https://vault",
            "https://vault.team:8200",
            "https://vault.acme.internal",
            "https://localhost",
            "https://127.0.0.1:8200",
            "https://10.1.2.3",
            "https://172.16.0.1",
            "https://192.168.1.1",
            "https://169.254.1.1",
            "https://100.64.0.1",
            "https://0.0.0.0",
            "https://[::1]",
            "https://[fd00::1]",
            "https://[fe80::1]",
            "https://[::ffff:10.0.0.1]",
            "no URL",
        ] {
            assert!(is_of_one_network(text), "{text}");
        }
        for text in [
            "https://vault.acme.com:8200",
            "https://acme.com.",
            "https://vault.svc-prod.acme.com",
            "https://203.0.113.1",
            "https://100.128.0.1",
            "https://[2001:db8::1]",
        ] {
            assert!(!is_of_one_network(text), "{text}");
        }
    }

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
    fn logins_go_encrypted_or_stay_near() {
        for (text, takes, near) in [
            ("https://s3.example.com", true, false),
            ("https://127.0.0.1:1", true, false),
            ("http://127.0.0.1:8333", true, true),
            ("http://localhost", true, true),
            ("http://[::1]:8333", true, true),
            // IMDS of each cloud; the agents of ECS and EKS.
            ("http://169.254.169.254/latest/api/token", true, true),
            ("http://169.254.170.23/v1/credentials", true, true),
            ("http://[fd00:ec2::254]", true, true),
            ("http://[fd00:ec3::254]", false, false),
            ("http://[fe80::1]", false, false),
            ("http://169.255.0.1", false, false),
            ("http://169.254.169.254.evil.example", false, false),
            ("http://metadata.google.internal", false, false),
            ("http://localhost.evil.example", false, false),
            ("http://10.0.0.1", false, false),
            ("http://0.0.0.0", false, false),
            ("http://[::]", false, false),
            ("http://[::ffff:10.0.0.1]", false, false),
            ("ftp://127.0.0.1", false, false),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((takes_login(&url), is_near(&url)), (takes, near), "{text}");
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
