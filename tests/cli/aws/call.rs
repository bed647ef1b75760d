//! Calls to AWS as others make them: the operator, and people with the AWS CLI.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};

/// A request to `/`; `signer`: for which service and region, and by whom.
pub(super) struct Call<'a> {
    pub(super) url: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: String,
    pub(super) signer: Option<(&'a str, &'a str, Credentials)>,
}

impl Call<'_> {
    /// The body of the answer, whatever its status.
    pub(super) fn send(self) -> Result<String, String> {
        let url = format!("{}/", self.url);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.post(&url);
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        if let Some((service, region, credentials)) = self.signer {
            let identity = credentials.into();
            let parameters = v4::SigningParams::builder()
                .identity(&identity)
                .region(region)
                .name(service)
                .time(now())
                .settings(SigningSettings::default())
                .build()
                .unwrap()
                .into();
            let bytes = SignableBody::Bytes(self.body.as_bytes());
            let signable = SignableRequest::new("POST", &url, self.headers.iter().copied(), bytes).unwrap();
            let (signed, _) = sign(signable, &parameters).unwrap().into_parts();
            for (name, value) in signed.headers() {
                request = request.header(name, value);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let answer = request.body(self.body).send().await.map_err(|error| error.to_string())?;
            answer.text().await.map_err(|error| error.to_string())
        })
    }
}

/// A form of STS or IAM.
pub(super) fn form(version: &str, action: &str, parameters: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("Action", action), ("Version", version)])
        .extend_pairs(parameters)
        .finish()
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's clock is this machine's")]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}
