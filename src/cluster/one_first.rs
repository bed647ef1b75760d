//! One connection to each server, where the server can answer all questions on it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex as Short, PoisonError},
    task::{Context, Poll},
};

use futures::lock::Mutex;
use http::{Uri, uri::Authority};
use hyper_util::client::legacy::connect::Connection;
use tower::{BoxError, Service};

use crate::http::TIME_LIMIT;

/// A connector that opens the first connection to a server alone. Only then is it known whether the server speaks
/// HTTP/2. If so, whoever waited finds that connection in the pool; if not, all others are opened at once. Without
/// this, each of several questions at the same time opens a connection, and all but one are thrown away.
#[derive(Clone)]
pub(super) struct OneFirst<C> {
    connector: C,
    /// Held by the first to connect. What it found out: whether the server speaks HTTP/2.
    servers: Arc<Short<HashMap<Option<Authority>, Arc<Mutex<bool>>>>>,
}

impl<C> OneFirst<C> {
    pub(super) fn new(connector: C) -> Self {
        Self { connector, servers: Arc::default() }
    }

    fn server(&self, uri: &Uri) -> Arc<Mutex<bool>> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.entry(uri.authority().cloned()).or_default().clone()
    }
}

impl<C> Service<Uri> for OneFirst<C>
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
            let connection = connecting.await?;
            *speaks_http2 = connection.connected().is_negotiated_h2();
            Ok(connection)
        })
    }
}
