//! The calls themselves: IAM and STS take forms and answer in XML, Secrets Manager and Systems Manager speak JSON. Each is
//! signed (SigV4), but for the exchange of a token.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    place::{Api, Endpoints, Region},
    refusal::{Outcome, Refusal},
};
use crate::{
    bucket::{aws_chain, aws_log_in},
    error::{Code, Error, Result},
    http::Http,
    retry::{Attempts, Backoff, Repeat},
    xml::Element,
};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/x-amz-json-1.1";
/// Versions of the query APIs.
const IAM_VERSION: &str = "2010-05-08";
const STS_VERSION: &str = "2011-06-15";

/// Who signs a request.
#[derive(Clone, Copy)]
pub(super) enum Signer<'a> {
    /// The user who runs this program.
    Administrator,
    /// Temporary credentials of a workload.
    Workload(&'a Credentials),
    /// The request carries a token of its own.
    Unsigned,
}

#[derive(Clone, Debug)]
pub(super) struct Client {
    http: Http,
    region: Region,
    endpoints: Endpoints,
    /// Of the chain of the SDK; looked for once, when the first request is signed.
    chain: Arc<OnceCell<Option<SharedCredentialsProvider>>>,
    /// Of a request that may pass later.
    pub(super) backoff: Backoff,
}

impl Client {
    /// Sends nothing, and looks for no credentials yet.
    pub(super) fn new(http: &Http, region: &Region, endpoints: &Endpoints) -> Result<Self> {
        endpoints.check()?;
        Ok(Self {
            http: http.clone(),
            region: region.clone(),
            endpoints: endpoints.clone(),
            chain: Arc::default(),
            backoff: Backoff::request(Duration::from_secs(1), 4),
        })
    }

    /// See [`Http::open`].
    pub(super) async fn open(&self, api: Api) {
        self.http.open(&self.endpoints.of(api, &self.region)).await;
    }

    /// With these instead of those of the chain.
    #[cfg(test)]
    pub(super) fn signing_with(self, credentials: Credentials) -> Self {
        let given = SharedCredentialsProvider::new(credentials);
        Self { chain: Arc::new(OnceCell::new_with(Some(Some(given)))), ..self }
    }

    /// A call of IAM or STS. Gives the element of the result.
    pub(super) async fn query(
        &self,
        api: Api,
        signer: Signer<'_>,
        action: &str,
        parameters: &[(&str, &str)],
        repeat: Repeat,
    ) -> Outcome<Element> {
        let version = if api == Api::Iam { IAM_VERSION } else { STS_VERSION };
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("Action", action), ("Version", version)])
            .extend_pairs(parameters)
            .finish();
        let answer = self.send(api, signer, &[("content-type", FORM)], body, repeat).await?;
        let root = Element::parse(&answer).filter(|root| root.name() == format!("{action}Response"));
        root.ok_or_else(|| Refusal::without(api, &format!("no {action}Response")))
    }

    /// A call of Secrets Manager or Systems Manager.
    pub(super) async fn json(
        &self,
        api: Api,
        signer: Signer<'_>,
        action: &str,
        body: &Value,
    ) -> Outcome<Value> {
        let prefix = if api == Api::Ssm { "AmazonSSM" } else { "secretsmanager" };
        let target = format!("{prefix}.{action}");
        let headers = [("content-type", JSON), ("x-amz-target", target.as_str())];
        // What is called by this only reads.
        let answer = self.send(api, signer, &headers, body.to_string(), Repeat::Safe).await?;
        let answer = serde_json::from_slice(&answer).ok().filter(Value::is_object);
        answer.ok_or_else(|| Refusal::without(api, "no JSON object"))
    }

    async fn send(
        &self,
        api: Api,
        signer: Signer<'_>,
        headers: &[(&str, &str)],
        body: String,
        repeat: Repeat,
    ) -> Outcome<Vec<u8>> {
        let base = self.endpoints.of(api, &self.region);
        let url = format!("{base}/");
        let mut attempts = Attempts::begin(self.backoff);
        loop {
            let credentials = match signer {
                Signer::Administrator => Some(self.administrator().await.map_err(Refusal::unanswered)?),
                Signer::Workload(credentials) => Some(credentials.clone()),
                Signer::Unsigned => None,
            };
            let mut request = self.http.client().post(&url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(credentials) = credentials {
                let signed = self.signed(api, &url, headers, body.as_bytes(), credentials);
                for (name, value) in signed.map_err(Refusal::unanswered)? {
                    let mut value =
                        http::HeaderValue::from_str(&value).map_err(|_| Refusal::unanswered(unsigned()))?;
                    value.set_sensitive(true);
                    request = request.header(name, value);
                }
            }
            let refused = match self.http.send(request.body(body.clone()), &base).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer.body),
                Ok(answer) => Refusal::of(&answer),
                Err(error) => Refusal::unanswered(error),
            };
            tracing::info!(api = api.name(), status = refused.status, code = refused.code, "AWS refused");
            if !refused.may_pass(repeat) || !attempts.pause(refused.retry_after()).await {
                return Err(refused);
            }
        }
    }

    /// The headers that sign a request.
    #[expect(clippy::disallowed_methods, reason = "a signature holds the time at which it was made")]
    fn signed(
        &self,
        api: Api,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        credentials: Credentials,
    ) -> Result<Vec<(String, String)>> {
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region.signs(api))
            .name(api.name())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unsigned())?
            .into();
        let request = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body))
            .map_err(|_| unsigned())?;
        let (instructions, _) = sign(request, &parameters).map_err(|_| unsigned())?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    async fn administrator(&self) -> Result<Credentials> {
        let chain = self.chain.get_or_init(|| async { aws_chain(&self.http).await.0 }).await;
        let none = || aws_log_in(Error::failed(Code::AwsCredentials, "there are no AWS credentials here"));
        let provider = chain.as_ref().ok_or_else(none)?;
        provider.provide_credentials().await.map_err(|error| none().caused_by_chain(&error))
    }
}

/// The names in a request were checked before.
fn unsigned() -> Error {
    Error::failed(
        Code::AwsCredentials,
        "a request to AWS cannot be signed with the credentials that were found",
    )
    .hint("log in again: `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
}
