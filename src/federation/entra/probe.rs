//! A real token, used as the secret store uses it: exchanged at Entra, then the trial with the access token.

use std::sync::atomic::Ordering;

use http::HeaderValue;
use serde_json::Value;

use super::{Entra, diagnose, trials};
use crate::{
    azure::Refusal,
    error::{Check, Code, Error, Result},
    federation::{Trial, judged},
    oidc::Token,
    plan::Say,
    relying_party::Finding,
    retry::{Attempts, Backoff},
    secret::{Secret, is_header_safe},
};

const EXCHANGE: Check = Check::EntraExchange;
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SCOPE: &str = "https://vault.azure.net/.default";

/// Why there is no login.
enum NoLogin {
    Refused(Refusal),
    Failed(Error),
}

/// Logs in, and tries one thing.
pub(super) async fn probe(entra: &Entra, token: &Token, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
    let identity = &entra.settings.identity;
    let subject = format!("exchange of the token at Microsoft Entra for the identity {identity}");
    let failed = match entra.exchange(token, say).await {
        Ok(bearer) => {
            let seen = format!("{} is accepted", token.claims().subject.escape_debug());
            let mut findings = vec![Finding::passed(EXCHANGE, subject, seen)];
            findings.extend(trials::run(entra, &bearer, trial, say).await);
            return findings;
        }
        Err(NoLogin::Failed(error)) => Finding::refused(EXCHANGE, subject, &error),
        Err(NoLogin::Refused(refusal)) => {
            let claims = token.claims();
            let (cause, remedy) = diagnose::exchange(
                &refusal,
                &claims.issuer.to_string(),
                identity,
                &claims.subject.escape_debug().to_string(),
            );
            Finding::failed(EXCHANGE, subject, refusal.summary(), cause, remedy)
        }
    };
    let why = "there is no login to do it with";
    vec![failed, Finding::skipped(trials::check(trial), judged::subject(trial), why)]
}

impl Entra {
    /// The client credentials grant with an assertion (RFC 7523 §2.2). Gives the header for Key Vault.
    async fn exchange(&self, token: &Token, say: Say<'_>) -> Result<HeaderValue, NoLogin> {
        let client_id = self.client_id().await.map_err(NoLogin::Failed)?;
        let Some(client_id) = client_id else {
            return Err(NoLogin::Failed(
                Error::failed(
                    Code::ProviderNotSetUp,
                    format!("there is no managed identity {}", self.settings.identity),
                )
                .hint("run `keyless setup`: it shows what it would create, and asks"),
            ));
        };
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", client_id.as_str()),
                ("scope", SCOPE),
                ("grant_type", "client_credentials"),
                ("client_assertion_type", ASSERTION),
                ("client_assertion", token.expose()),
            ])
            .finish();
        let path = format!("/{}/oauth2/v2.0/token", self.settings.tenant);
        let mut spreading = self.spreading();
        let answer = loop {
            let answer = self.client.form(&path, form.clone()).await.map_err(NoLogin::Failed)?;
            if answer.status == 200 {
                break answer;
            }
            let refusal = Refusal::of(&answer);
            let waits = diagnose::may_be_unknown_yet(&refusal);
            if !waits || !spreading.wait(&refusal.summary(), say).await {
                return Err(NoLogin::Refused(refusal));
            }
        };
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = json["access_token"].as_str().filter(|text| is_header_safe(text));
        let none = || {
            NoLogin::Failed(
                Error::failed(Code::EntraAnswer, "the answer of Microsoft Entra holds no access token")
                    .hint("check entra.endpoints, and any proxy before them"),
            )
        };
        // From here on no output shows it.
        let secret = Secret::passing(text.ok_or_else(none)?.to_owned());
        secret.bearer("the access token of Microsoft Entra").map_err(NoLogin::Failed)
    }

    /// For what is refused as long as Azure does not know everywhere what was written.
    pub(super) fn spreading(&self) -> Spreading {
        match self.written.load(Ordering::Relaxed) {
            true => self.spreading_after_a_write(),
            false => self.spreading_for(self.patience.otherwise),
        }
    }

    pub(super) fn spreading_after_a_write(&self) -> Spreading {
        self.spreading_for(self.patience.after_write)
    }

    fn spreading_for(&self, limit: std::time::Duration) -> Spreading {
        let backoff = Backoff::poll(self.patience.first, self.patience.longest, limit);
        Spreading { limit: limit.as_secs(), attempts: Attempts::begin(backoff) }
    }
}

/// How long a change is still waited for.
pub(super) struct Spreading {
    limit: u64,
    attempts: Attempts,
}

impl Spreading {
    /// Waits a while, longer each time; `false`: it was waited long enough.
    pub(super) async fn wait(&mut self, why: &str, say: Say<'_>) -> bool {
        let waited = self.attempts.elapsed().as_secs();
        let wait = format!(
            "Azure still refuses ({why}): what was written may not be known everywhere yet ({waited} s of at most {} s)",
            self.limit
        );
        self.attempts.pause_saying(None, |_| say(&wait)).await
    }
}
