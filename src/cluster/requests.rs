//! The three questions to an API server, and where the servers are. Each refusal names the missing right.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::{
    sync::Semaphore,
    time::{Duration, Instant, timeout, timeout_at},
};

use super::{Cluster, ServiceAccount, endpoints};
use crate::{
    arrival::Arrival,
    error::{Code, Error, Result},
    http::{self as our_http, MAX_BODY},
    oidc::Token,
    redact,
    waiting::Waiting,
};

/// One look at all API servers: how long it may take, and how much is asked at the same time.
pub(super) struct Bounds<'a> {
    deadline: Instant,
    slots: Semaphore,
    waiting: &'a Waiting,
    /// So many that one that does not answer must not take the room of the others.
    pub(super) many: bool,
}

/// A look at the API servers, whatever they do.
const LOOK_LIMIT: Duration = Duration::from_secs(15);
/// Requests of one look that are under way at the same time.
const AT_ONCE: usize = 16;
/// To find out whether a name leads to an address that was asked already.
const LOOKUP_LIMIT: Duration = Duration::from_secs(1);

/// With more servers than this, a server is first asked for what matters most.
const FEW: usize = 5;

impl<'a> Bounds<'a> {
    pub(super) fn new(waiting: &'a Waiting) -> Self {
        let slots = Semaphore::new(AT_ONCE);
        Self { deadline: Instant::now() + LOOK_LIMIT, slots, waiting, many: false }
    }

    pub(super) fn for_servers(&mut self, count: usize) {
        self.many = count > FEW;
    }
}

/// An API server's address, and how to ask it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// For people: `10.0.0.1:6443`.
    pub(super) address: String,
    /// Without a trailing slash.
    pub(super) base: String,
}

/// What is sent: by default no body, and no more than [`MAX_BODY`] is read back.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) content_type: &'static str,
    pub(super) body: Option<&'a Value>,
    /// How long an answer may be, in bytes.
    pub(super) limit: usize,
    /// It is about an object: a conflict, a refused field, a list that is gone have a meaning of their own.
    pub(super) object: bool,
    /// What one must be allowed to ask it, in the words of RBAC.
    pub(super) right: &'a str,
}

/// The body of a successful answer, and the server's clock.
pub(super) struct Answer {
    pub(super) body: Bytes,
    pub(super) clock: Option<u64>,
}

/// How long a test token lives, in seconds: the shortest that TokenRequest grants.
const TEST_TOKEN_SECONDS: u32 = 600;
/// What External Secrets Operator asks for with Google.
const ESO_TOKEN_SECONDS: u32 = 900;
const ENDPOINT_SLICE: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";

impl Cluster {
    /// Every API server by its own address, or the reason why they are not known.
    pub(super) async fn api_servers(
        &self,
        bounds: &Bounds<'_>,
    ) -> Result<std::result::Result<Vec<Server>, String>> {
        if let Some(why) = &self.only_own_address {
            return Ok(Err(why.clone()));
        }
        let right = "get endpointslices.discovery.k8s.io `kubernetes` in the namespace `default`";
        let server = self.by_kubeconfig();
        let slice = match self.bounded(&server, Method::GET, ENDPOINT_SLICE, None, right, bounds).await {
            Ok(answer) => answer.body,
            // API servers that advertise a loopback address have no EndpointSlice.
            Err(error) if error.code == Code::ClusterNotFound => {
                return Ok(Err("there is no EndpointSlice default/kubernetes".into()));
            }
            Err(error) => return Err(error),
        };
        let addresses = endpoints::addresses(&slice)?;
        if addresses.is_empty() {
            return Ok(Err("the EndpointSlice default/kubernetes lists no address".into()));
        }
        Ok(Ok(addresses
            .into_iter()
            .map(|address| Server { base: format!("https://{address}"), address })
            .collect()))
    }

    /// The address that the kubeconfig names.
    pub(super) fn by_kubeconfig(&self) -> Server {
        let address = self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest);
        Server { address: address.to_owned(), base: self.base.clone() }
    }

    /// Whether the kubeconfig's address is one of these servers, under the same name or another.
    pub(super) async fn is_one_of(&self, servers: &[Server]) -> bool {
        let Ok(uri) = self.base.parse::<http::Uri>() else { return false };
        let default_port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(default_port));
        let asked = |address: &str| servers.iter().any(|server| server.address == address);
        if asked(&format!("{host}:{port}")) {
            return true;
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match timeout(LOOKUP_LIMIT, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(found)) => {
                // Names of one machine often have an address of the other family as well, where nothing listens.
                let is_ipv4 = |address: &str| address.parse().is_ok_and(|found: SocketAddr| found.is_ipv4());
                let only_ipv4 = servers.iter().all(|server| is_ipv4(&server.address));
                let found: Vec<_> = found.filter(|address| address.is_ipv4() || !only_ipv4).collect();
                !found.is_empty() && found.iter().all(|address| asked(&address.to_string()))
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }

    pub(super) async fn jwks(&self, server: &Server, bounds: &Bounds<'_>) -> Result<Answer> {
        let right = "get the non-resource URL `/openid/v1/jwks`";
        self.bounded(server, Method::GET, "/openid/v1/jwks", None, right, bounds).await.map_err(no_issuer)
    }

    pub(super) async fn discovery(&self, server: &Server, bounds: &Bounds<'_>) -> Result<Answer> {
        let right = "get the non-resource URL `/.well-known/openid-configuration`";
        self.bounded(server, Method::GET, "/.well-known/openid-configuration", None, right, bounds)
            .await
            .map_err(no_issuer)
    }

    /// A test token as this server signs it now.
    pub(super) async fn mint(&self, server: &Server, audience: &str, bounds: &Bounds<'_>) -> Result<Token> {
        let account = &self.service_account;
        let minted = self.request_token(server, account, audience, TEST_TOKEN_SECONDS, Some(bounds)).await;
        minted.map_err(|error| match error.code {
            Code::ServiceAccountMissing => error.hint(format!(
                "a test token is minted for the ServiceAccount {account}: name one that exists by --service-account, and that \
                 nothing trusts; in a pod it is keyless-probe by default, which deploy/base makes"
            )),
            _ => error,
        })
    }

    /// A token of this ServiceAccount for this one audience, as External Secrets Operator asks for it.
    pub(crate) async fn token(&self, account: &ServiceAccount, audience: &str) -> Result<Token> {
        let token =
            self.request_token(&self.by_kubeconfig(), account, audience, ESO_TOKEN_SECONDS, None).await;
        token.map_err(|error| match error.code {
            Code::ServiceAccountMissing => error.hint(format!(
                "the store logs in as the ServiceAccount {account}: `keyless setup` makes it; or name one that exists by \
                 store.serviceAccount in keyless.yaml"
            )),
            _ => error,
        })
    }

    /// TokenRequest, `authentication.k8s.io/v1`.
    async fn request_token(
        &self,
        server: &Server,
        account: &ServiceAccount,
        audience: &str,
        seconds: u32,
        bounds: Option<&Bounds<'_>>,
    ) -> Result<Token> {
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", account.namespace, account.name);
        let right = format!(
            "create serviceaccounts/token `{}` in the namespace `{}`",
            account.name, account.namespace
        );
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": { "audiences": [audience], "expirationSeconds": seconds },
        });
        let answer = match bounds {
            Some(bounds) => self.bounded(server, Method::POST, &path, Some(&request), &right, bounds).await,
            None => self.call(server, Method::POST, &path, Some(&request), &right).await,
        };
        let answer = answer.map_err(|error| match error.code {
            Code::ClusterNotFound => Error { code: Code::ServiceAccountMissing, ..error },
            _ => error,
        })?;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = answer.pointer("/status/token").and_then(Value::as_str).ok_or_else(|| {
            Error::failed(Code::ClusterAnswer, "the API server's answer to a TokenRequest holds no token")
                .hint("something in between changes its answers")
        })?;
        Token::parse(token)
    }

    async fn call(
        &self,
        server: &Server,
        method: Method,
        path: &str,
        body: Option<&Value>,
        right: &str,
    ) -> Result<Answer> {
        self.ask_one(server, plain(method, path, body, right)).await
    }

    /// One question of a look: not before there is room for it, and not beyond the look's own end.
    async fn bounded(
        &self,
        server: &Server,
        method: Method,
        path: &str,
        body: Option<&Value>,
        right: &str,
        bounds: &Bounds<'_>,
    ) -> Result<Answer> {
        let place = format!("{method} {}{path}", server.base);
        let Ok(Ok(_slot)) = timeout_at(bounds.deadline, bounds.slots.acquire()).await else {
            return Err(not_asked(&place));
        };
        let left = bounds.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(not_asked(&place));
        }
        let _wait = bounds.waiting.on(format!("API server {}", server.address));
        let limit = left.min(our_http::TIME_LIMIT);
        self.ask_within(server, plain(method, path, body, right), limit).await
    }

    /// One question to one server: a success, or the error that its status means.
    pub(super) async fn ask_one(&self, server: &Server, question: Question<'_>) -> Result<Answer> {
        self.ask_within(server, question, our_http::TIME_LIMIT).await
    }

    /// The whole answer, head and body, within this time.
    async fn ask_within(&self, server: &Server, question: Question<'_>, time: Duration) -> Result<Answer> {
        let Question { method, path, content_type, body, limit, object, right } = question;
        let place = format!("{method} {}{path}", server.base);
        let question = format!("{method} {path}");
        let arrival = Arrival::default();
        let call = async {
            let request = Request::builder()
                .method(method)
                .uri(format!("{}{path}", server.base))
                // `*/*`: the API server answers 406 to `application/json` for its key set.
                .header(header::ACCEPT, "*/*")
                .header(header::CONTENT_TYPE, content_type)
                .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string().into_bytes())))
                .map_err(|error| {
                    Error::failed(Code::ClusterRequest, format!("{place} cannot be asked"))
                        .caused_by_chain(&error)
                })?;
            let answer =
                self.client.send(request).await.map_err(|error| self.unreachable(server, &error, &place))?;
            let status = answer.status();
            let declared = answer.headers().get(header::CONTENT_LENGTH);
            arrival.begins(declared.and_then(|length| length.to_str().ok()?.parse().ok()));
            let clock = answer
                .headers()
                .get(header::DATE)
                .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
                .and_then(|date| Some(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()));
            let body = read(answer.into_body(), limit, &place, &arrival).await?;
            if status.is_success() {
                Ok(Answer { body, clock })
            } else {
                Err(refused(status, &body, &place, right, object))
            }
        };
        timeout(time, call).await.unwrap_or_else(|_| Err(self.too_slow(server, &question, time, &arrival)))
    }
}

fn plain<'a>(method: Method, path: &'a str, body: Option<&'a Value>, right: &'a str) -> Question<'a> {
    Question { method, path, content_type: "application/json", body, limit: MAX_BODY, object: false, right }
}

async fn read(mut body: Body, limit: usize, place: &str, arrival: &Arrival) -> Result<Bytes> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| our_http::cut(&error, place, arrival))?;
        let Ok(data) = frame.into_data() else { continue };
        arrival.grows(data.len());
        if read.len() + data.len() > limit {
            return Err(if limit == MAX_BODY { our_http::too_large(place) } else { too_large(place, limit) });
        }
        read.extend_from_slice(&data);
    }
    Ok(read.into())
}

fn not_asked(place: &str) -> Error {
    let seconds = LOOK_LIMIT.as_secs();
    Error::failed(Code::Timeout, format!("{place} was not asked: the API servers took {seconds} s together"))
        .hint("other API servers do not answer: look at those first")
}

/// What a status other than 2xx means, with the server's message.
pub(super) fn refused(status: StatusCode, body: &[u8], place: &str, right: &str, object: bool) -> Error {
    let message = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|status| status.get("message")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned());
    let error = match status {
        StatusCode::UNAUTHORIZED => {
            Error::failed(Code::ClusterUnauthorized, format!("{place}: the API server does not accept the credential"))
                .hint("the kubeconfig's certificate or token may have expired: log in again; `kubectl auth whoami` must work")
        }
        StatusCode::FORBIDDEN => Error::failed(Code::ClusterForbidden, format!("missing right: {right}"))
            .hint("the manifests in deploy/ grant exactly what is needed; a person needs the same rights"),
        StatusCode::CONFLICT if object => Error::failed(Code::ClusterConflict, format!("{place}: it conflicts with a change by another client"))
            .hint("run the command again"),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if object => {
            Error::failed(Code::ClusterInvalid, format!("{place}: the API server refuses the object"))
                .hint("the installed custom resource definition knows other fields or values than this program wrote")
        }
        StatusCode::GONE if object => Error::failed(Code::ClusterGone, format!("{place}: it changes faster than it can be read"))
            .hint("run it again in a minute"),
        StatusCode::NOT_FOUND => Error::failed(Code::ClusterNotFound, format!("{place}: not found")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Error::failed(Code::ClusterBusy, format!("{place}: the API server is overloaded or starting"))
                .hint("run it again in a minute; a CronJob does so by itself")
        }
        _ => Error::failed(Code::ClusterRefused, format!("{place}: the API server refused"))
            .hint("its log may say more; `kubectl get --raw` with the same path shows the answer whole"),
    };
    error.caused_by(format_args!("{status}: {}", redact::message(&message)))
}

fn too_large(place: &str, limit: usize) -> Error {
    Error::failed(Code::BodyTooLarge, format!("{place} answers with more than {} MiB", limit >> 20))
        .hint("look with kubectl at what makes these objects so large")
}

fn no_issuer(error: Error) -> Error {
    if error.code != Code::ClusterNotFound {
        return error;
    }
    Error { code: Code::IssuerEndpointsMissing, ..error }.hint(
        "an API server has these endpoints only when its first --service-account-issuer is an https URL without \
         query and fragment; its log says so at the start",
    )
}
