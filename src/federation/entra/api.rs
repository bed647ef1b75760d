//! The calls themselves: JSON over REST, each with a bearer token for its service.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    place::{Api, Endpoints},
    refusal::{Outcome, Refusal},
};
use crate::{
    azure::Tokens,
    config,
    error::{Error, Result},
    http::{Answer, Http},
    retry::{Attempts, Backoff, Repeat},
};

/// How many pages of a list are read.
const MOST_PAGES: usize = 100;

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    /// The user who runs this program.
    Administrator,
    /// The access token of a workload.
    Workload(&'a HeaderValue),
}

#[derive(Clone)]
pub(super) struct Client {
    http: Http,
    /// The name of the key vault.
    vault: String,
    endpoints: Endpoints,
    tokens: Arc<Tokens>,
    /// Of a request that may pass later.
    pub(super) backoff: Backoff,
}

impl Client {
    /// Sends nothing.
    pub(super) fn new(http: &Http, vault: &str, endpoints: &Endpoints) -> Result<Self> {
        endpoints.check()?;
        Ok(Self {
            http: http.clone(),
            vault: vault.to_owned(),
            endpoints: endpoints.clone(),
            tokens: Arc::new(Tokens::find(http, config::environment)?),
            backoff: Backoff::request(Duration::from_secs(2), 5),
        })
    }

    /// With the logins of this environment.
    #[cfg(test)]
    pub(super) fn logging_in_with(self, tokens: Tokens) -> Self {
        Self { tokens: Arc::new(tokens), ..self }
    }

    pub(super) fn base(&self, api: Api) -> String {
        self.endpoints.of(api, &self.vault)
    }

    pub(super) async fn get(&self, api: Api, caller: Caller<'_>, path: &str) -> Outcome<Value> {
        self.call(api, caller, Method::GET, path, None).await
    }

    /// One call. PUT and DELETE are safe to repeat; what is created by a PATCH or POST is none of ours.
    pub(super) async fn call(
        &self,
        api: Api,
        caller: Caller<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Outcome<Value> {
        let answer = self.send(api, caller, method.clone(), path, body).await?;
        if answer.body.is_empty() && method != Method::GET {
            return Ok(Value::Null);
        }
        let json = serde_json::from_slice(&answer.body).ok().filter(Value::is_object);
        json.ok_or_else(|| Refusal::without(api, "no JSON object"))
    }

    /// All entries of a list, page by page. A link that leads elsewhere is not followed: it would be given the credential.
    pub(super) async fn list(&self, api: Api, caller: Caller<'_>, path: &str) -> Outcome<Vec<Value>> {
        let base = format!("{}/", self.base(api));
        let (mut all, mut path) = (Vec::new(), path.to_owned());
        for _ in 0..MOST_PAGES {
            let page = self.get(api, caller, &path).await?;
            let entries = page["value"].as_array();
            all.extend(entries.ok_or_else(|| Refusal::without(api, "no list"))?.iter().cloned());
            let next = ["nextLink", "@odata.nextLink"].iter().find_map(|name| page[*name].as_str());
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(all),
                Some(next) => {
                    let rest = next.strip_prefix(&base);
                    path =
                        format!("/{}", rest.ok_or_else(|| Refusal::without(api, "a next page elsewhere"))?);
                }
            }
        }
        Err(Refusal::without(api, &format!("more than {MOST_PAGES} pages")))
    }

    /// A form for the token endpoint, which takes no bearer token. Another token is as good: safe to repeat.
    pub(super) async fn form(&self, path: &str, form: String) -> Result<Answer> {
        let base = self.base(Api::Login);
        let mut attempts = Attempts::begin(self.backoff);
        loop {
            let request = self
                .http
                .client()
                .post(format!("{base}{path}"))
                .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone());
            let answered = self.http.send(request, &base).await;
            let (status, unanswered) = match &answered {
                Ok(answer) => (Some(answer.status), None),
                Err(error) => (None, Some(error)),
            };
            let may_pass = crate::retry::may_pass(Repeat::Safe, status, false, unanswered);
            let after = answered.as_ref().ok().and_then(|answer| crate::retry::retry_after(&answer.headers));
            if !may_pass || !attempts.pause(after).await {
                return answered;
            }
        }
    }

    async fn send(
        &self,
        api: Api,
        caller: Caller<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Outcome<Answer> {
        let base = self.base(api);
        let repeat = Repeat::of(&method);
        let mut attempts = Attempts::begin(self.backoff);
        loop {
            let bearer = match caller {
                Caller::Administrator => self.administrator(api).await.map_err(Refusal::unanswered)?,
                Caller::Workload(bearer) => bearer.clone(),
            };
            let mut request = self.http.client().request(method.clone(), format!("{base}{path}"));
            request = request.header(AUTHORIZATION, bearer);
            if let Some(body) = body {
                request =
                    request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string());
            }
            let refused = match self.http.send(request, &base).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
                Ok(answer) => Refusal::of(&answer),
                Err(error) => Refusal::unanswered(error),
            };
            tracing::debug!(api = api.title(), status = refused.status, code = refused.code, "Azure refused");
            if !refused.may_pass(repeat) || !attempts.pause(refused.retry_after()).await {
                return Err(refused);
            }
        }
    }

    async fn administrator(&self, api: Api) -> Result<HeaderValue, Error> {
        match api.scope() {
            Some(scope) => self.tokens.bearer(scope).await,
            None => Err(crate::azure::log_in(Error::failed(
                crate::error::Code::AzureCredentials,
                "the token endpoint takes no token",
            ))),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("vault", &self.vault)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}
