//! The calls themselves: JSON over REST, each with a bearer token for its service.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, header::AUTHORIZATION};
use serde_json::Value;
use url::Url;

use super::{
    place::{Api, Endpoints},
    refusal::{Outcome, Refusal},
};
use crate::{
    azure::{Tokens, Whose},
    config,
    error::{Error, Result},
    http::{Answer, Http},
    retry::{Attempts, Backoff, Repeat},
};

/// How many pages of a list are read. Key Vault gives 25 secrets a page, and `search::MOST` of them may be found.
const MOST_PAGES: usize = 1000;

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

    /// See [`Http::open`].
    pub(super) async fn open(&self, api: Api) {
        self.http.open(&self.base(api)).await;
    }

    /// See [`Http::opening`].
    pub(super) async fn opening<T>(&self, api: Api, count: usize, work: impl Future<Output = T>) -> T {
        self.http.opening(&self.base(api), count, work).await
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
        let base = self.base(api);
        let (mut all, mut path) = (Vec::new(), path.to_owned());
        for _ in 0..MOST_PAGES {
            let page = self.get(api, caller, &path).await?;
            let entries = page["value"].as_array();
            all.extend(entries.ok_or_else(|| Refusal::without(api, "no list"))?.iter().cloned());
            match next_page(&page, &base).map_err(|what| Refusal::without(api, what))? {
                None => return Ok(all),
                Some(next) => path = next,
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
            tracing::info!(api = api.title(), status = refused.status, code = refused.code, "Azure refused");
            if !refused.may_pass(repeat) || !attempts.pause(refused.retry_after()).await {
                return Err(refused);
            }
        }
    }

    /// Whose the login at a service is. `Ok(None)`: its token does not say.
    pub(super) async fn whose(&self, api: Api) -> Result<Option<Whose>, Error> {
        match api.scope() {
            Some(scope) => self.tokens.whose(scope).await,
            None => Ok(None),
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

/// PURE. Path and query of the next page below `base`; `None`: this one is the last. The error is what is wrong with it.
pub(super) fn next_page(page: &Value, base: &str) -> Result<Option<String>, &'static str> {
    let mut next = "";
    for name in ["nextLink", "@odata.nextLink"] {
        match &page[name] {
            Value::Null => {}
            Value::String(text) if next.is_empty() => next = text,
            Value::String(_) => {}
            // A list that is cut short would pass for the whole one.
            _ => return Err("a link to the next page that is no text"),
        }
    }
    if next.is_empty() {
        return Ok(None);
    }
    below(next, base).map(Some).ok_or("a next page elsewhere")
}

/// Azure writes the port into some links (`https://NAME.vault.azure.net:443/secrets?…`), so they are compared as URLs.
fn below(link: &str, base: &str) -> Option<String> {
    let (link, base) = (Url::parse(link).ok()?, Url::parse(base).ok()?);
    let is_there = link.origin() == base.origin() && link.username().is_empty() && link.password().is_none();
    let rest = link.path().strip_prefix(base.path().trim_end_matches('/')).filter(|_| is_there)?;
    let query = link.query().map(|query| format!("?{query}")).unwrap_or_default();
    rest.starts_with('/').then(|| format!("{rest}{query}"))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("vault", &self.vault)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::search, *};

    #[test]
    fn next_page_is_found_with_port() {
        let vault = "https://acme.vault.azure.net";
        let next = |base: &str, link: &str| next_page(&json!({ "nextLink": link }), base);
        for begin in [vault, "https://acme.vault.azure.net:443", "https://ACME.vault.azure.net"] {
            let link = format!("{begin}/secrets?api-version=7.4&$skiptoken=a%2Fb");
            let expected = Ok(Some("/secrets?api-version=7.4&$skiptoken=a%2Fb".to_owned()));
            assert_eq!(next(vault, &link), expected, "{link}");
        }
        assert_eq!(next("http://127.0.0.1:1/arm", "http://127.0.0.1:1/arm/x?y"), Ok(Some("/x?y".to_owned())));
        let graph = json!({ "nextLink": null, "@odata.nextLink": "https://acme.vault.azure.net/x" });
        assert_eq!(next_page(&graph, vault), Ok(Some("/x".to_owned())));
        for last in [json!({}), json!({ "nextLink": null }), json!({ "nextLink": "" })] {
            assert_eq!(next_page(&last, vault), Ok(None), "{last}");
        }
        const { assert!(MOST_PAGES * 25 > search::MOST) };
    }

    #[test]
    fn next_page_elsewhere_is_refused() {
        for (base, link) in [
            ("https://acme.vault.azure.net", "https://evil.example/secrets"),
            ("https://acme.vault.azure.net", "https://acme.vault.azure.net.evil.example/secrets"),
            ("https://acme.vault.azure.net", "http://acme.vault.azure.net/secrets"),
            ("https://acme.vault.azure.net", "https://acme.vault.azure.net:8443/secrets"),
            ("https://acme.vault.azure.net", "https://user@acme.vault.azure.net/secrets"),
            ("https://acme.vault.azure.net", "https://:word@acme.vault.azure.net/secrets"),
            ("https://acme.vault.azure.net", "/secrets"),
            ("https://proxy.example/arm", "https://proxy.example/armed/x"),
            ("https://proxy.example/arm", "https://proxy.example/arm/%2e%2e/x"),
        ] {
            assert!(next_page(&json!({ "nextLink": link }), base).is_err(), "{link}");
        }
        for link in [json!(1), json!(["https://acme.vault.azure.net/x"]), json!(false)] {
            let page = json!({ "nextLink": link });
            assert!(next_page(&page, "https://acme.vault.azure.net").is_err(), "{page}");
        }
    }
}
