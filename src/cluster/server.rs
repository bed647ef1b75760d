//! PURE. The address of an API server, as `server` of a kubeconfig gives it (k8s.io/client-go/rest/url_utils.go).

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::{
    error::{Code, Error, Result},
    secret::Secret,
};

/// Scheme, address and path under which the API is.
#[derive(Clone)]
pub(super) struct ServerUrl {
    /// `https://10.0.0.1:6443`, without user, password, query, fragment and trailing slash.
    pub(super) base: String,
    pub(super) secure: bool,
    /// `10.0.0.1:6443`, as the URL has it.
    authority: String,
    /// User and password of the URL, which win over every other credential.
    pub(super) login: Option<(String, Secret)>,
}

impl ServerUrl {
    /// Without a scheme it is `http`, which is given no credential.
    pub(super) fn parse(server: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Error::usage(Code::Kubeconfig, format!("the server of the cluster {why}"))
                .hint("write it as https://HOST:PORT")
        };
        let (scheme, rest) = match server.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("http", rest),
            Some(_) => return Err(refuse("has a scheme other than https and http")),
            None if server.trim_end_matches('/').contains('/') => {
                return Err(refuse("has a path, but no scheme"));
            }
            None => ("http", server),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (login, authority) = match authority.rsplit_once('@') {
            Some((login, authority)) => (Some(login), authority),
            None => (None, authority),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
        let login = match login {
            Some(login) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                let decoded = decode(user).zip(decode(password).map(Secret::new));
                Some(decoded.ok_or_else(|| refuse("has a user or password that is not UTF-8"))?)
            }
            None => None,
        };
        let base = format!("{scheme}://{authority}{}", path.trim_end_matches('/'));
        let uri: Uri = base.parse().map_err(|_| refuse("is not a URL"))?;
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| refuse("has no host"))?;
        if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none() {
            return Err(refuse("has a port that is no number"));
        }
        let authority = authority.to_string();
        Ok(Self { base, secure: scheme == "https", authority, login })
    }

    /// Whether a request goes to this address.
    pub(super) fn is(&self, uri: &Uri) -> bool {
        let scheme = if self.secure { "https" } else { "http" };
        uri.scheme_str() == Some(scheme) && uri.authority().is_some_and(|it| it.as_str() == self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_urls_are_parsed_like_kubectl() {
        for (server, base) in [
            ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
            ("https://10.0.0.1:6443/", "https://10.0.0.1:6443"),
            ("HTTPS://k8s.example.com", "https://k8s.example.com"),
            ("https://[fd00::1]:6443", "https://[fd00::1]:6443"),
            ("https://rancher.example.com/k8s/clusters/c-1/", "https://rancher.example.com/k8s/clusters/c-1"),
            ("https://10.0.0.1:6443/?a=b#c", "https://10.0.0.1:6443"),
            ("https://u:CANARY@10.0.0.1:6443", "https://10.0.0.1:6443"),
            ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("localhost", "http://localhost"),
        ] {
            assert_eq!(ServerUrl::parse(server).unwrap().base, base, "{server}");
        }
        for server in [
            "",
            "https://",
            "https:// a",
            "https://10.0.0.1:6443 ",
            "ftp://10.0.0.1",
            "10.0.0.1/path",
            "https:///path",
            "https://u:CANARY@",
            "unix:///run/api.sock",
            "https://10.0.0.1:port",
        ] {
            let error = ServerUrl::parse(server).map(drop).expect_err(server);
            assert!(
                error.code == Code::Kubeconfig && !error.to_string().contains("CANARY"),
                "{server}: {error}"
            );
        }
    }

    #[test]
    fn user_of_url_is_its_login() {
        let url = ServerUrl::parse("https://us%40er:p%3Ass@10.0.0.1:6443").unwrap();
        let (user, password) = url.login.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("us@er", "p:ss"));
    }

    #[test]
    fn own_address_is_known_exactly() {
        let url = ServerUrl::parse("https://u@10.0.0.1:6443/base").unwrap();
        assert!(url.is(&Uri::from_static("https://10.0.0.1:6443/anything")));
        for other in
            ["https://10.0.0.2:6443/", "https://10.0.0.1:6444/", "http://10.0.0.1:6443/", "https://10.0.0.1/"]
        {
            assert!(!url.is(&other.parse().unwrap()), "{other}");
        }
    }
}
