//! The SDK's requests through our HTTP client: the same roots, the same proxy, the same limits.

use std::time::Duration;

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;

use crate::{error::Error, http::Http};

/// Hands every request of an SDK to [`Http`].
#[derive(Clone, Debug)]
pub(super) struct Transport {
    http: Http,
}

impl Transport {
    pub(super) fn new(http: &Http) -> Self {
        Self { http: http.clone() }
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        // Only the client of the instance metadata service sets this: off AWS nothing answers there.
        let limit = settings.read_timeout().map(|read| read + settings.connect_timeout().unwrap_or_default());
        SharedHttpConnector::new(Connector { http: self.http.clone(), limit })
    }
}

#[derive(Debug)]
struct Connector {
    http: Http,
    limit: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (http, limit) = (self.http.clone(), self.limit);
        HttpConnectorFuture::new(async move {
            let answer = exchange(&http, request);
            match limit {
                None => answer.await,
                Some(limit) => tokio::time::timeout(limit, answer)
                    .await
                    .unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into()))),
            }
        })
    }
}

async fn exchange(http: &Http, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let uri = request.uri();
    let place =
        format!("{}://{}", uri.scheme_str().unwrap_or("http"), uri.authority().map_or("", |a| a.as_str()));
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    let request = ::http::Request::from_parts(head, body);
    let request = reqwest::Request::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
    let request = reqwest::RequestBuilder::from_parts(http.client().clone(), request);
    // The whole answer, here: whatever cuts or delays a body then counts as this request's failure.
    let answer = http.send(request, &place).await.map_err(failed)?;
    let status =
        StatusCode::try_from(answer.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    for (name, value) in &answer.headers {
        // A header that is not text is of no use to the SDK, and no reason to fail.
        if let Ok(value) = value.to_str() {
            response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(response)
}

/// What the SDK may try again: a connection that broke, not a name that does not exist, a certificate that
/// is not trusted, or a time limit that has been waited for.
fn failed(error: Error) -> ConnectorError {
    match error.code.is_broken_connection() {
        true => ConnectorError::io(error.into()),
        false => ConnectorError::other(error.into(), None),
    }
}
