//! `/metrics`, `/livez` and `/readyz`. What they show is public: numbers and codes, no names of the cluster, no addresses.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    error::{Code, Error, Result},
    watch::Board,
};

/// What the looks write and the server reads.
#[derive(Debug)]
pub(super) struct Shared {
    board: Mutex<Board>,
    begun: Instant,
}

/// Connections at the same time: a Prometheus, the kubelet, a person. With one more, the oldest is closed: each is answered
/// at once, so what is open for long asks nothing or reads nothing, and does not keep the kubelet out.
const CONNECTIONS: usize = 16;
/// For the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// For a whole connection, which takes one request.
const CONNECTION_LIMIT: Duration = Duration::from_secs(15);
/// After an `accept` that failed, e.g. because there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

impl Shared {
    pub(super) fn new(board: Board) -> Arc<Self> {
        Arc::new(Self { board: Mutex::new(board), begun: Instant::now() })
    }

    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        // A poisoned lock is harmless: each write of the board is whole.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The local clock: how long the process runs.
    pub(super) fn clock(&self) -> Duration {
        self.begun.elapsed()
    }

    /// When that will be on the clock of timers.
    pub(super) fn instant(&self, clock: Duration) -> Instant {
        self.begun + clock
    }
}

/// Listens, and serves until the process ends. Gives back the address, which has the port where 0 was asked for.
///
/// Errors: the address cannot be listened on.
pub(super) async fn serve(address: SocketAddr, shared: Arc<Shared>) -> Result<SocketAddr> {
    let failed = |error: std::io::Error| {
        Error::failed(Code::MetricsAddress, format!("{address} cannot be listened on"))
            .caused_by(error)
            .hint("give another --metrics-address, or stop what uses this port")
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let listens = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move {
        let mut open: VecDeque<JoinHandle<()>> = VecDeque::with_capacity(CONNECTIONS);
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            open.retain(|connection| !connection.is_finished());
            if open.len() >= CONNECTIONS
                && let Some(oldest) = open.pop_front()
            {
                oldest.abort();
            }
            let shared = shared.clone();
            open.push_back(tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let answer = answer(request.method(), request.uri().path(), &shared);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new())
                    .header_read_timeout(HEAD_LIMIT)
                    .keep_alive(false)
                    .max_buf_size(8 << 10);
                // Whatever the other side does is its own matter.
                drop(timeout(CONNECTION_LIMIT, http.serve_connection(TokioIo::new(stream), service)).await);
            }));
        }
    });
    Ok(listens)
}

fn answer(method: &Method, path: &str, shared: &Shared) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET".to_owned());
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let (board, now) = (shared.board(), shared.clock());
    match path {
        "/metrics" => {
            let mut answer = text(StatusCode::OK, board.metrics(now));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        }
        "/livez" => match board.liveness(now) {
            Ok(()) => text(StatusCode::OK, "ok\n".to_owned()),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
        },
        "/readyz" => match board.readiness(now) {
            Ok(state) => text(StatusCode::OK, state + "\n"),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
        },
        _ => text(StatusCode::NOT_FOUND, "not found: /metrics, /livez, /readyz\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::board::Lead;

    #[tokio::test]
    async fn each_path_has_its_answer() {
        let shared = Shared::new(Board::new(Duration::from_secs(10), Lead::Always));
        for (method, path, status) in [
            (Method::GET, "/metrics", 200),
            (Method::HEAD, "/metrics", 200),
            (Method::GET, "/livez", 200),
            (Method::GET, "/readyz", 503),
            (Method::GET, "/", 404),
            (Method::GET, "/metrics/", 404),
            (Method::GET, "/metrics/../readyz", 404),
            (Method::POST, "/metrics", 405),
            (Method::DELETE, "/livez", 405),
        ] {
            assert_eq!(answer(&method, path, &shared).status(), status, "{method} {path}");
        }
        let metrics = answer(&Method::GET, "/metrics", &shared);
        assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    }
}
