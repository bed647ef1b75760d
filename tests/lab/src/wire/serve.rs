//! The server under every stand-in: a loopback port, TLS when asked, HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::client_cert::common_name;

use super::{Disturbance, Faults, Handler, Moment, Reply, Request};

/// Nothing that a test sends to a stand-in is larger
const LARGEST_REQUEST: usize = 64 << 20;

/// A listening port that is served until this is dropped
pub(crate) struct Server {
    addr: SocketAddr,
    accepting: AbortHandle,
}

impl Server {
    /// Listens on a free port of 127.0.0.1
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>, handler: Arc<dyn Handler>, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
        Self::serve(listener, tls, handler, faults)
    }

    /// Listens on a given address
    pub(crate) fn start_at(
        (ip, port): (IpAddr, u16),
        tls: Option<Arc<ServerConfig>>,
        handler: Arc<dyn Handler>,
        faults: Faults,
    ) -> io::Result<Self> {
        Ok(Self::serve(TcpListener::bind((ip, port))?, tls, handler, faults))
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn serve(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        handler: Arc<dyn Handler>,
        faults: Faults,
    ) -> Self {
        let addr = listener.local_addr().expect("local address");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let _runtime = runtime().enter();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime");
        let tls = tls.map(TlsAcceptor::from);
        let accepting = runtime().spawn(async move {
            // Dropped together with this task: no connection outlives the server.
            let mut connections = JoinSet::new();
            loop {
                while connections.try_join_next().is_some() {}
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (tls, handler, faults) = (tls.clone(), handler.clone(), faults.clone());
                connections.spawn(async move {
                    // A small answer must not wait for the peer's delayed acknowledgement.
                    let _ = stream.set_nodelay(true);
                    match tls {
                        None => connection(stream, None, handler, faults).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let shown = stream.get_ref().1.peer_certificates();
                                let peer = shown.and_then(|shown| common_name(shown.first()?));
                                connection(stream, peer, handler, faults).await;
                            }
                        }
                    }
                });
            }
        });
        Self { addr, accepting: accepting.abort_handle() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The runtime of all stand-ins of a process: they work the same for tests with and without `async`
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("lab")
            .enable_all()
            .build()
            .expect("start the lab's runtime")
    })
}

type Body = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

async fn connection<S>(stream: S, peer: Option<String>, handler: Arc<dyn Handler>, faults: Faults)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // When notified, the task drops the connection without an answer, as a failing network does.
    let cut = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (handler, faults, cut) = (handler.clone(), faults.clone(), cut.clone());
        let peer = peer.clone();
        async move { Ok::<_, Infallible>(answer(request, peer, &*handler, &faults, &cut).await) }
    });
    let builder = Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = serving => {}
        () = cut.notified() => {}
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    peer: Option<String>,
    handler: &dyn Handler,
    faults: &Faults,
    cut: &Arc<Notify>,
) -> hyper::Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_REQUEST).collect().await else {
        return whole(Reply::new(413, "text/plain", "request too large for the lab"));
    };
    let host = head.headers.get("host").and_then(|host| host.to_str().ok());
    let request = Request {
        host: host
            .map(str::to_owned)
            .or_else(|| head.uri.authority().map(ToString::to_string))
            .unwrap_or_default(),
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
        peer,
    };
    let head_only = request.method == Method::HEAD;
    let verdict = faults.meet(&request).await;
    if verdict.closes_first() {
        return hang_up(cut).await;
    }
    let mut reply = verdict.reply.clone().unwrap_or_else(|| handler.handle(&request));
    if let Some(rewrite) = &verdict.rewrite {
        reply.body = rewrite(&reply.body).into();
    }
    faults.asked(verdict.number, handler.who(&request), handler.action(&request));
    faults.answered(verdict.number, reply.status);
    if verdict.trips(Moment::AfterEffect).await {
        return hang_up(cut).await;
    }
    match verdict.disturbance {
        // With h2, hyper would send the body of an answer to HEAD.
        None if head_only => {
            let length = Some(reply.body.len() as u64);
            response(reply.status, &reply.headers, length, Either::Left(Full::default()))
        }
        None => whole(reply),
        Some(Disturbance::CloseAfter) => hang_up(cut).await,
        Some(other) => streamed(reply, other, cut.clone()),
    }
}

async fn hang_up(cut: &Notify) -> hyper::Response<Body> {
    cut.notify_one();
    std::future::pending().await
}

fn whole(reply: Reply) -> hyper::Response<Body> {
    if !reply.body.is_empty() && reply.headers.iter().any(|(name, _)| name == "grpc-status") {
        return with_trailers(reply);
    }
    let length = reply.body.len() as u64;
    let body = Either::Left(Full::new(reply.body));
    response(reply.status, &reply.headers, Some(length), body)
}

/// An answer of gRPC: its status comes after the message
fn with_trailers(reply: Reply) -> hyper::Response<Body> {
    let (trailers, headers): (Vec<_>, Vec<_>) =
        reply.headers.into_iter().partition(|(name, _)| name.starts_with("grpc-"));
    let pairs = trailers.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    });
    let (trailers, body) = (pairs.collect::<HeaderMap>(), reply.body);
    let (mut sender, channel) = Channel::new(2);
    runtime().spawn(async move {
        if sender.send_data(body).await.is_ok() {
            let _ = sender.send_trailers(trailers).await;
        }
    });
    response(reply.status, &headers, None, Either::Right(channel))
}

/// An answer whose body comes in a way that it should not
fn streamed(reply: Reply, disturbance: Disturbance, cut: Arc<Notify>) -> hyper::Response<Body> {
    let (mut sender, channel) = Channel::new(4);
    let mut length = Some(reply.body.len() as u64);
    match disturbance {
        Disturbance::Huge(bytes) => length = bytes,
        Disturbance::OverDeclared => length = length.map(|length| length + 1),
        _ => {}
    }
    let body = reply.body;
    runtime().spawn(async move {
        match disturbance {
            Disturbance::CutBody => {
                let half = body.slice(..body.len() / 2);
                let _ = sender.send_data(half).await;
                // The first half must be on its way before the connection goes.
                tokio::time::sleep(Duration::from_millis(20)).await;
                cut.notify_one();
                std::future::pending::<()>().await;
            }
            Disturbance::HeadOnly => std::future::pending::<()>().await,
            Disturbance::OverDeclared => {
                let _ = sender.send_data(body).await;
                std::future::pending::<()>().await;
            }
            Disturbance::Trickle(every) => {
                for at in 0..body.len() {
                    tokio::time::sleep(every).await;
                    if sender.send_data(body.slice(at..=at)).await.is_err() {
                        return;
                    }
                }
            }
            Disturbance::Huge(bytes) => {
                static BLANKS: [u8; 1 << 16] = [b' '; 1 << 16];
                let mut left = bytes.unwrap_or(u64::MAX);
                while left > 0 {
                    let part = left.min(BLANKS.len() as u64);
                    if sender.send_data(Bytes::from_static(&BLANKS[..part as usize])).await.is_err() {
                        return;
                    }
                    left -= part;
                }
            }
            Disturbance::CloseBefore | Disturbance::CloseAfter => {}
        }
    });
    response(reply.status, &reply.headers, length, Either::Right(channel))
}

fn response(
    status: u16,
    headers: &[(String, String)],
    length: Option<u64>,
    body: Body,
) -> hyper::Response<Body> {
    let mut response = hyper::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let bodiless = status == 204 || status == 304;
    if let Some(length) =
        length.filter(|_| !bodiless && !headers.iter().any(|(name, _)| name == "content-length"))
    {
        response = response.header("content-length", length);
    }
    response.body(body).expect("a stand-in's answer is valid HTTP")
}
