//! One connection to each server, where the server can answer all questions on it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex as StdMutex, PoisonError},
    task::{Context, Poll},
};

use futures::lock::Mutex;
use http::{Uri, uri::Authority};
use hyper_util::client::legacy::connect::Connection;
use tower::{BoxError, Service};

use crate::http::TIME_LIMIT;

/// A connector that opens the first connection to a server alone. Only then is it known whether the server speaks
/// HTTP/2. If so, those who waited find that connection in the pool; if not, all others are opened at once. Without
/// this, each of several questions at the same time opens a connection, and all but one are thrown away.
#[derive(Clone)]
pub(super) struct FirstConnection<C> {
    connector: C,
    servers: Arc<StdMutex<HashMap<Option<Authority>, Arc<SpeaksHttp2>>>>,
}

/// Held by the first to connect, who finds it out.
type SpeaksHttp2 = Mutex<bool>;

impl<C> FirstConnection<C> {
    pub(super) fn new(connector: C) -> Self {
        Self { connector, servers: Arc::default() }
    }

    fn server(&self, uri: &Uri) -> Arc<SpeaksHttp2> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.entry(uri.authority().cloned()).or_default().clone()
    }
}

impl<C> Service<Uri> for FirstConnection<C>
where
    C: Service<Uri, Error = BoxError> + Clone + Send + 'static,
    C::Response: Connection,
    C::Future: Send,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let server = self.server(&uri);
        let connecting = self.connector.call(uri);
        Box::pin(async move {
            let Some(mut speaks_http2) = server.try_lock() else {
                if *server.lock().await {
                    // The pool serves the one who asked here; until it has, there is nothing to do.
                    tokio::time::sleep(TIME_LIMIT).await;
                }
                return connecting.await;
            };
            // Unless this one comes about, the others have nothing to wait for: a server that is gone spoke HTTP/2 before.
            *speaks_http2 = false;
            let connection = connecting.await?;
            *speaks_http2 = connection.connected().is_negotiated_h2();
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use futures::{FutureExt, future::join_all};
    use hyper_util::client::legacy::connect::Connected;
    use tower::{ServiceExt, service_fn};

    use super::*;

    struct Opened {
        http2: bool,
    }

    impl Connection for Opened {
        fn connected(&self) -> Connected {
            if self.http2 { Connected::new().negotiated_h2() } else { Connected::new() }
        }
    }

    /// How many of three connections that are asked for at once are opened.
    async fn opened_of_three(http2: bool) -> usize {
        let connector = FirstConnection::new(
            service_fn(move |_| async move {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(Opened { http2 })
            })
            .map_err(BoxError::from),
        );
        let server = Uri::from_static("https://10.0.0.1:6443");
        let three = (0..3).map(|_| {
            let asked = connector.clone().call(server.clone());
            tokio::time::timeout(Duration::from_millis(50), asked).map(|done| done.is_ok())
        });
        join_all(three).await.into_iter().filter(|opened| *opened).count()
    }

    #[tokio::test]
    async fn http2_requests_share_one_connection() {
        assert_eq!(opened_of_three(true).await, 1);
    }

    /// A server that is gone is known to be gone at once, by everyone who asks.
    #[tokio::test]
    async fn lost_server_fails_all_at_once() {
        let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let connector = FirstConnection::new(
            service_fn(move |_| {
                let is_first = first.swap(false, std::sync::atomic::Ordering::Relaxed);
                async move {
                    tokio::task::yield_now().await;
                    if is_first { Ok(Opened { http2: true }) } else { Err("refused") }
                }
            })
            .map_err(BoxError::from),
        );
        let server = Uri::from_static("https://10.0.0.1:6443");
        connector.clone().call(server.clone()).await.unwrap();
        let three = (0..3).map(|_| {
            let asked = connector.clone().call(server.clone());
            tokio::time::timeout(Duration::from_millis(50), asked)
                .map(|done| done.is_ok_and(|it| it.is_err()))
        });
        assert_eq!(join_all(three).await, [true; 3]);
    }

    #[tokio::test]
    async fn http1_requests_get_own_connections() {
        assert_eq!(opened_of_three(false).await, 3);
    }
}
