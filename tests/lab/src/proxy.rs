//! Proxies in front of API servers, each of which writes down who was asked for what.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::ca::Certificate;
use crate::wire::runtime;

/// A proxy on a loopback address of its own.
///
/// Faithful: CONNECT (RFC 9110 §9.3.6) and requests in absolute form (RFC 9112 §3.2.2), over TCP or TLS;
/// `Proxy-Authorization: Basic`; SOCKS 5 (RFC 1928) with names, IPv4 and IPv6 addresses, and user and password
/// (RFC 1929). Bytes in a tunnel are untouched.
/// Not faithful: of several requests in absolute form on one connection only the first is read by the proxy; no BIND, no
/// UDP, no GSSAPI; names lead only where they are told to.
pub struct Proxy {
    addr: SocketAddr,
    kind: ProxyKind,
    settings: Arc<Mutex<ProxySettings>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    accepting: AbortHandle,
}

/// What a proxy speaks
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP over TCP
    Http,
    /// HTTP over TLS
    Https,
    /// SOCKS 5
    Socks5,
}

/// How a proxy behaves
#[derive(Clone, Default)]
pub struct ProxySettings {
    /// User and password that it wants
    pub login: Option<(String, String)>,
    /// `HOST:PORT` → where it really leads; what is not here is connected to as it is
    pub routes: HashMap<String, SocketAddr>,
    /// The status with which it refuses everything
    pub refuses_with: Option<u16>,
}

/// One request for a connection
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `CONNECT`, `SOCKS5`, or the method of a request in absolute form
    pub how: String,
    /// `HOST:PORT` as it was asked for
    pub target: String,
    /// The user who logged in; never the password
    pub user: Option<String>,
}

impl Proxy {
    /// Listen on this loopback address; `certificate` is what an https proxy serves with
    pub fn start(kind: ProxyKind, ip: IpAddr, certificate: Option<&Certificate>) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("bind a loopback port");
        let addr = listener.local_addr().expect("local address");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let (settings, asked) = (Arc::<Mutex<ProxySettings>>::default(), Arc::<Mutex<Vec<Asked>>>::default());
        let tls = certificate.map(|certificate| TlsAcceptor::from(certificate.proxy_config()));
        let _runtime = runtime().enter();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime");
        let site = Site { kind, settings: settings.clone(), asked: asked.clone() };
        let accepting = runtime().spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                while connections.try_join_next().is_some() {}
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (tls, site) = (tls.clone(), site.clone());
                connections.spawn(async move {
                    let _ = stream.set_nodelay(true);
                    match tls {
                        None => site.serve(stream).await,
                        Some(tls) => site.serve(tls.accept(stream).await.ok()?).await,
                    }
                });
            }
        });
        Self { addr, kind, settings, asked, accepting: accepting.abort_handle() }
    }

    /// `http://127.0.0.9:PORT`
    pub fn url(&self) -> String {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Https => "https",
            ProxyKind::Socks5 => "socks5",
        };
        format!("{scheme}://{}", self.addr)
    }

    /// Its address
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Change its settings
    pub fn change(&self, change: impl FnOnce(&mut ProxySettings)) {
        change(&mut self.settings.lock().expect("settings"));
    }

    /// What was asked of it since the last look
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("record"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Clone)]
struct Site {
    kind: ProxyKind,
    settings: Arc<Mutex<ProxySettings>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, client: S) -> Option<()> {
        match self.kind {
            ProxyKind::Socks5 => self.socks(client).await,
            ProxyKind::Http | ProxyKind::Https => self.http(client).await,
        }
    }

    fn settings(&self) -> ProxySettings {
        self.settings.lock().expect("settings").clone()
    }

    fn record(&self, how: &str, target: &str, user: Option<String>) {
        let asked = Asked { how: how.to_owned(), target: target.to_owned(), user };
        self.asked.lock().expect("record").push(asked);
    }

    async fn connect(&self, target: &str) -> io::Result<TcpStream> {
        let route = self.settings().routes.get(target).copied();
        let stream = match route {
            Some(addr) => TcpStream::connect(addr).await?,
            None => TcpStream::connect(target).await?,
        };
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn http<S: AsyncRead + AsyncWrite + Unpin>(&self, mut client: S) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < 16 << 10 {
            head.push(client.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let (line, fields) = head.split_once("\r\n")?;
        let mut words = line.split_whitespace();
        let (method, uri) = (words.next()?, words.next()?);
        let (target, path) = match uri.strip_prefix("http://") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => (uri, ""),
        };
        let login = fields.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let value =
                value.strip_prefix("Basic ").filter(|_| name.eq_ignore_ascii_case("proxy-authorization"))?;
            let pair = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
            pair.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
        });
        self.record(method, target, login.as_ref().map(|(user, _)| user.clone()));
        let settings = self.settings();
        let refuse = match (settings.refuses_with, settings.login) {
            (Some(status), _) => Some(status),
            (None, Some(wanted)) if login.as_ref() != Some(&wanted) => Some(407),
            _ => None,
        };
        if let Some(status) = refuse {
            let answer =
                format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return client.write_all(answer.as_bytes()).await.ok();
        }
        let Ok(mut server) = self.connect(target).await else {
            let answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return client.write_all(answer).await.ok();
        };
        if method == "CONNECT" {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
        } else {
            let kept: Vec<_> =
                fields.lines().filter(|line| !line.to_ascii_lowercase().starts_with("proxy-")).collect();
            let head = format!("{method} {path} HTTP/1.1\r\n{}\r\n", kept.join("\r\n"));
            server.write_all(head.as_bytes()).await.ok()?;
        }
        copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
    }

    async fn socks<S: AsyncRead + AsyncWrite + Unpin>(&self, mut client: S) -> Option<()> {
        const NONE: u8 = 0;
        const PASSWORD: u8 = 2;
        let (5, methods) = (client.read_u8().await.ok()?, text(&mut client).await?) else { return None };
        let wanted = self.settings().login;
        let method = match (methods.contains(&PASSWORD), methods.contains(&NONE), &wanted) {
            (true, _, _) => PASSWORD,
            (false, true, None) => NONE,
            _ => {
                client.write_all(&[5, 0xff]).await.ok()?;
                return None;
            }
        };
        client.write_all(&[5, method]).await.ok()?;
        let mut login = None;
        if method == PASSWORD {
            let 1 = client.read_u8().await.ok()? else { return None };
            let (user, password) = (text(&mut client).await?, text(&mut client).await?);
            let pair = (String::from_utf8(user).ok()?, String::from_utf8(password).ok()?);
            let right = wanted.is_none_or(|wanted| wanted == pair);
            login = Some(pair);
            client.write_all(&[1, u8::from(!right)]).await.ok()?;
            if !right {
                return None;
            }
        }
        let mut head = [0; 4];
        client.read_exact(&mut head).await.ok()?;
        let host = match head {
            [5, 1, 0, 1] => IpAddr::from(client.read_u32().await.ok()?.to_be_bytes()).to_string(),
            [5, 1, 0, 4] => format!("[{}]", Ipv6Addr::from(client.read_u128().await.ok()?)),
            [5, 1, 0, 3] => String::from_utf8(text(&mut client).await?).ok()?,
            _ => return None,
        };
        let target = format!("{}:{}", host, client.read_u16().await.ok()?);
        self.record("SOCKS5", &target, login.map(|(user, _)| user));
        let reply = |code: u8| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
        let Ok(mut server) = self.connect(&target).await else {
            return client.write_all(&reply(5)).await.ok();
        };
        client.write_all(&reply(0)).await.ok()?;
        copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
    }
}

/// A length in one byte, and so many bytes
async fn text(client: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::from(client.read_u8().await.ok()?)];
    client.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}
