//! Names without DNS: an HTTP CONNECT proxy that leads `name:443` to stand-ins on loopback.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

use crate::wire::{Disturbance, Faults, Moment, Request, runtime};

/// The public network of a test, reached by `HTTPS_PROXY`.
///
/// Faithful: CONNECT as in RFC 9110 §9.3.6, one tunnel per connection, bytes untouched, so that
/// client and stand-in speak TLS with the public name end to end. A name without a route is
/// answered with 502, as by a proxy whose DNS does not know the name.
/// Not faithful: no proxy authentication, nothing but CONNECT, no UDP and so no HTTP/3.
pub struct Internet {
    addr: SocketAddr,
    routes: Arc<Mutex<Routes>>,
    faults: Faults,
    accepting: AbortHandle,
}

#[derive(Default)]
struct Routes {
    /// `name:port`, the name possibly with a first label `*`
    to: HashMap<String, SocketAddr>,
    connections: HashMap<String, usize>,
}

impl Internet {
    /// Start an empty network
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
        let addr = listener.local_addr().expect("local address");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let (routes, faults) = (Arc::new(Mutex::new(Routes::default())), Faults::default());
        let _runtime = runtime().enter();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime");
        let task = {
            let (routes, faults) = (routes.clone(), faults.clone());
            runtime().spawn(async move {
                let mut tunnels = JoinSet::new();
                loop {
                    while tunnels.try_join_next().is_some() {}
                    let Ok((stream, _)) = listener.accept().await else { continue };
                    tunnels.spawn(tunnel(stream, routes.clone(), faults.clone()));
                }
            })
        };
        Self { addr, routes, faults, accepting: task.abort_handle() }
    }

    /// Lead `name` (also `*.example.com`), port 443, to a stand-in
    pub fn route(&self, name: &str, to: SocketAddr) {
        self.routes.lock().expect("routes").to.insert(format!("{name}:443"), to);
    }

    /// The name exists no longer
    pub fn unroute(&self, name: &str) {
        self.routes.lock().expect("routes").to.remove(&format!("{name}:443"));
    }

    /// `http://127.0.0.1:PORT`, for `HTTPS_PROXY`
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Connections so far to this name, port 443
    pub fn connections(&self, name: &str) -> usize {
        let routes = self.routes.lock().expect("routes");
        routes.connections.get(&format!("{name}:443")).copied().unwrap_or_default()
    }

    /// Its faults (method `CONNECT`, path `name:443`; answers, delays and closing, no disturbed
    /// bodies) and the tunnels that were asked for
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Routes {
    fn find(&mut self, target: &str) -> Option<SocketAddr> {
        let wildcard = target.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        let to = self.to.get(target).or_else(|| self.to.get(&wildcard?)).copied();
        *self.connections.entry(target.to_owned()).or_default() += usize::from(to.is_some());
        to
    }
}

async fn tunnel(mut client: TcpStream, routes: Arc<Mutex<Routes>>, faults: Faults) -> Option<()> {
    let _ = client.set_nodelay(true);
    let head = read_head(&mut client).await?;
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?, words.next()?.to_lowercase());
    let request = Request {
        method: method.parse().ok()?,
        path: target.clone(),
        query: String::new(),
        host: target.clone(),
        headers: Default::default(),
        body: Bytes::new(),
        peer: None,
    };
    let verdict = faults.meet(&request).await;
    if verdict.closes_first() || matches!(verdict.disturbance, Some(Disturbance::CloseAfter)) {
        return None;
    }
    let found = routes.lock().expect("routes").find(&target);
    let (status, reason) = match (&verdict.reply, method, found) {
        (Some(reply), ..) => (reply.status, "Fault"),
        (None, "CONNECT", Some(_)) => (200, "Connection established"),
        (None, "CONNECT", None) => (502, "Bad Gateway"),
        (None, ..) => (405, "Method Not Allowed"),
    };
    faults.answered(verdict.number, status);
    if verdict.trips(Moment::AfterEffect).await {
        return None;
    }
    if status != 200 {
        let body = format!("no route to {target}\n");
        let answer = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        return client.write_all(answer.as_bytes()).await.ok();
    }
    let mut server = TcpStream::connect(found?).await.ok()?;
    let _ = server.set_nodelay(true);
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok().map(|_| ())
}

/// The request up to its empty line; a client sends nothing more before it has its answer
async fn read_head(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16 << 10 {
        head.push(client.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
