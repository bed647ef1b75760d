//! PURE. Which proxy leads to an address, as client-go decides it: `proxy-url` of the kubeconfig for every server;
//! else the environment, by the rules of Go's golang.org/x/net/http/httpproxy.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use http::HeaderValue;
use percent_encoding::percent_decode_str;

use crate::{
    error::{Code, Error, Result},
    secret::Secret,
};

/// The proxy settings of the environment, as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) https_proxy: Option<Setting>,
    pub(crate) http_proxy: Option<Setting>,
    pub(crate) no_proxy: Option<Setting>,
    /// `REQUEST_METHOD` is set: a CGI program, whose `HTTP_PROXY` may come from a client's header.
    pub(crate) is_cgi: bool,
}

/// An environment variable by the name that it has. Its value may hold a password.
#[derive(Clone)]
pub(crate) struct Setting {
    name: &'static str,
    value: String,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setting({})", self.name)
    }
}

/// One proxy.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) kind: Kind,
    /// Without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: Option<(String, Secret)>,
    /// The setting that names it.
    from: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Https,
    Socks5,
}

/// Which proxy for which address.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    /// Of the kubeconfig: for everything.
    always: Option<Proxy>,
    https: Option<Result<Proxy>>,
    http: Option<Result<Proxy>>,
    except: Vec<Except>,
    is_cgi: bool,
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Except {
    Everything,
    Network(IpAddr, u8),
    Address(IpAddr, Option<String>),
    /// With a leading dot. `itself`: the domain itself as well as what is below it.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<String>,
    },
}

impl Environment {
    /// Upper case first; an empty variable is none.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                let value = get(name).filter(|value| !value.is_empty())?;
                Some(Setting { name, value })
            })
        };
        Self {
            https_proxy: first(["HTTPS_PROXY", "https_proxy"]),
            http_proxy: first(["HTTP_PROXY", "http_proxy"]),
            no_proxy: first(["NO_PROXY", "no_proxy"]),
            is_cgi: get("REQUEST_METHOD").is_some_and(|value| !value.is_empty()),
        }
    }
}

impl Proxies {
    /// `always` is the kubeconfig's `proxy-url`, to which nothing else applies.
    pub(super) fn new(always: Option<Proxy>, environment: &Environment) -> Self {
        let of = |setting: &Option<Setting>| setting.as_ref().map(Proxy::of_environment);
        let no_proxy = environment.no_proxy.as_ref().map(|setting| setting.value.as_str());
        Self {
            always,
            https: of(&environment.https_proxy),
            http: of(&environment.http_proxy),
            except: no_proxy.unwrap_or_default().split(',').filter_map(Except::parse).collect(),
            is_cgi: environment.is_cgi,
        }
    }

    /// The proxy to `host` (as the URL has it, without brackets) and `port`.
    pub(super) fn to(&self, secure: bool, host: &str, port: u16) -> Result<Option<&Proxy>> {
        if self.always.is_some() {
            return Ok(self.always.as_ref());
        }
        let proxy = if secure { &self.https } else { &self.http };
        let Some(proxy) = proxy else { return Ok(None) };
        if self.is_cgi && !secure {
            return Err(Error::usage(
                Code::ProxySetting,
                "HTTP_PROXY is not used where REQUEST_METHOD is set",
            )
            .hint("unset REQUEST_METHOD, or name the proxy by proxy-url in the kubeconfig"));
        }
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return Ok(None);
        }
        let (host, port) = (host.trim().to_lowercase(), port.to_string());
        match self.except.iter().any(|except| except.matches(&host, &port, address)) {
            true => Ok(None),
            false => proxy.as_ref().map(Some).map_err(Clone::clone),
        }
    }
}

impl Except {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_lowercase();
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address = sloppy_address(address);
            let bits = bits.parse::<u8>().ok().filter(|_| bits.bytes().all(|byte| byte.is_ascii_digit()));
            return match (address, bits) {
                (Some(address @ IpAddr::V4(_)), Some(bits)) if bits <= 32 => {
                    Some(Self::Network(address, bits))
                }
                (Some(address @ IpAddr::V6(_)), Some(bits)) if bits <= 128 => {
                    Some(Self::Network(address, bits))
                }
                // Go takes it for a name, which no host has.
                _ => None,
            };
        }
        let (host, port) = split_port(&entry).unwrap_or((&entry, None));
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .filter(|_| port.is_some())
            .unwrap_or(host);
        let port = port.filter(|port| !port.is_empty()).map(str::to_owned);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical(), port));
        }
        let host = if host.starts_with("*.") { &host[1..] } else { host };
        match host.strip_prefix('.') {
            _ if host.is_empty() => None,
            Some(_) => Some(Self::Domain { suffix: host.to_owned(), itself: false, port }),
            None => Some(Self::Domain { suffix: format!(".{host}"), itself: true, port }),
        }
    }

    fn matches(&self, host: &str, port: &str, address: Option<IpAddr>) -> bool {
        let right_port = |wanted: &Option<String>| wanted.as_deref().is_none_or(|wanted| wanted == port);
        match self {
            Self::Everything => true,
            Self::Network(network, bits) => address.is_some_and(|address| contains(*network, *bits, address)),
            Self::Address(wanted, wanted_port) => address == Some(*wanted) && right_port(wanted_port),
            Self::Domain { suffix, itself, port: wanted } => {
                address.is_none()
                    && (host.ends_with(suffix.as_str()) || (*itself && host == &suffix[1..]))
                    && right_port(wanted)
            }
        }
    }
}

/// `host:port` or `[host]:port`, as Go's `net.SplitHostPort`; `None`: there is no port, or more than one colon.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = text.rsplit_once(':')?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    (bracketed || !host.contains([':', '[', ']'])).then_some((host, Some(port)))
}

/// An address whose parts may have leading zeros, as Kubernetes still reads them in networks.
fn sloppy_address(text: &str) -> Option<IpAddr> {
    let trim =
        |part: &str| part.parse::<u8>().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()));
    let parts: Option<Vec<u8>> = text.split('.').map(trim).collect();
    match parts.and_then(|parts| <[u8; 4]>::try_from(parts).ok()) {
        Some(parts) => Some(IpAddr::V4(Ipv4Addr::from(parts))),
        None => text.parse().ok(),
    }
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let bits = u32::from(bits);
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

impl Proxy {
    /// `proxy-url` of a kubeconfig: `http://`, `https://` or `socks5://`.
    pub(super) fn of_kubeconfig(url: &str, cluster: &str) -> Result<Self> {
        let from = format!("proxy-url of the cluster {}", cluster.escape_debug());
        let refuse = |why: &str| {
            Error::usage(Code::ProxySetting, format!("{from} {why}"))
                .hint("write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
        };
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https" | "socks5") => {}
            Some(_) => return Err(refuse("has a scheme that kubectl does not take either")),
            None => return Err(refuse("has no scheme")),
        }
        Self::parse(url, &from).ok_or_else(|| refuse("is not a URL"))
    }

    /// The value of an environment variable; without a scheme it is `http`.
    fn of_environment(setting: &Setting) -> Result<Self> {
        let value = setting.value.as_str();
        let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        Self::parse(&url, setting.name).ok_or_else(|| {
            Error::usage(Code::ProxySetting, format!("{} is not the URL of a proxy", setting.name))
                .hint("write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
        })
    }

    /// `None`: it is no URL with scheme and host.
    fn parse(url: &str, from: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(of_scheme) {
            return None;
        }
        let (kind, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (Kind::Https, 443),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            // Go speaks HTTP with every other one.
            _ => (Kind::Http, 80),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, host_port) = match authority.rsplit_once('@') {
            Some((login, host_port)) => (Some(login), host_port),
            None => (None, authority),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
        let login = match login {
            Some(login) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                Some((decode(user)?, Secret::new(decode(password)?)))
            }
            None => None,
        };
        let (host, port) = match split_port(host_port) {
            Some((host, Some(""))) => (host, usual_port),
            Some((host, port)) => (host, port?.parse().ok()?),
            None => (host_port, usual_port),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(address) => address.parse::<IpAddr>().ok()?.to_string(),
            None => host.to_owned(),
        };
        let of_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        let is_host =
            !host.is_empty() && host.chars().all(of_host) && (bare.is_some() || !host.contains(':'));
        is_host.then_some(Self { kind, host, port, login, from: from.to_owned() })
    }

    /// The address with which a connection to the proxy begins.
    pub(super) fn uri(&self) -> Option<http::Uri> {
        let scheme = if self.kind == Kind::Https { "https" } else { "http" };
        format!("{scheme}://{}:{}", bracketed(&self.host), self.port).parse().ok()
    }

    /// `Proxy-Authorization`, if it wants one.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.login.as_ref().filter(|_| self.kind != Kind::Socks5)?;
        super::login::basic(user, password)
    }

    /// The setting that names it, e.g. `HTTPS_PROXY`.
    pub(super) fn from(&self) -> &str {
        &self.from
    }
}

/// Without user and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Https => "https",
            Kind::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}:{}", bracketed(&self.host), self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
