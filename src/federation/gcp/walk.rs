//! The way of a real token, hop by hop, as External Secrets Operator's library goes it.

use std::{iter, sync::atomic::Ordering, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Gcp, hops};
use crate::{
    google::{CLOUD_PLATFORM, Outcome},
    oidc::Token,
    relying_party::Finding,
    secret::Secret,
};

const EXCHANGE: &str = "google-exchange";
const IMPERSONATION: &str = "google-impersonation";
const READ: &str = "google-secret";
/// A login is not used any more this long before its end.
const MARGIN: Duration = Duration::from_secs(60);

/// A token of the cluster's, exchanged, and become a service account if that is wanted.
#[derive(Clone)]
pub(super) struct Login {
    token: Secret,
    access: Secret,
    findings: Vec<Finding>,
    /// Long enough before its end that what is begun with it can be done.
    until: Instant,
}

impl Gcp {
    /// As [`Federation::walk`](crate::federation::Federation::walk); `say` gets the reasons of waiting.
    pub(crate) async fn walk_aloud(
        &self,
        token: &Token,
        secret: &str,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Vec<Finding> {
        let read = format!("read of the secret {secret}");
        match self.log_in(token, say).await {
            Ok(Login { access, mut findings, .. }) => {
                findings.push(self.read(&access, secret, read, say).await);
                findings
            }
            Err(mut findings) => {
                findings.push(skipped(READ, read));
                findings
            }
        }
    }

    /// One login for all secrets that are read with the same token.
    async fn log_in(&self, token: &Token, say: &mut (dyn FnMut(&str) + Send)) -> Result<Login, Vec<Finding>> {
        let mut last = self.login.lock().await;
        if let Some(login) = &*last
            && login.token.expose() == token.expose()
            && Instant::now() < login.until
        {
            return Ok(login.clone());
        }
        let begun = Instant::now();
        let became = |email: &str| format!("impersonation of {email}");
        let (mut access, lifetime, finding) = self.exchange(token, say).await.map_err(|finding| {
            let impersonation = self.settings.impersonate.as_deref();
            let skipped = impersonation.map(|email| skipped(IMPERSONATION, became(email)));
            iter::once(finding).chain(skipped).collect::<Vec<_>>()
        })?;
        let mut findings = vec![finding];
        if let Some(email) = &self.settings.impersonate {
            match self.impersonate(&access, email, became(email), say).await {
                Ok((other, finding)) => {
                    findings.push(finding);
                    access = other;
                }
                Err(finding) => {
                    findings.push(finding);
                    return Err(findings);
                }
            }
        }
        let token = Secret::new(token.expose().to_owned());
        let login = Login { token, access, findings, until: begun + lifetime.saturating_sub(MARGIN) };
        Ok(last.insert(login).clone())
    }

    /// RFC 8693, as Go's and Google's own clients send it. What the token service answers with 400 will not
    /// change by asking again, unless the provider was written just before.
    async fn exchange(
        &self,
        token: &Token,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(Secret, Duration, Finding), Finding> {
        let subject = "exchange of the token at Google".to_owned();
        let number = match self.number().await {
            Ok(number) => number,
            Err(error) => return Err(Finding::refused(EXCHANGE, subject, &error)),
        };
        let audience = self.ids.audience(&number);
        let scope = CLOUD_PLATFORM;
        let fields = [
            ("audience", audience.as_str()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("scope", scope),
            ("subject_token", token.expose()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        let url = format!("{}/v1/token", self.settings.endpoints.sts);
        let written = self.written.load(Ordering::Relaxed);
        let limit = if written { self.patience.after_write } else { Duration::ZERO };
        let started = Instant::now();
        let answer = loop {
            let answer = self.api.form(&url, &fields).await;
            let waited = started.elapsed();
            match &answer {
                Err(refusal) if waited < limit && hops::may_be_unknown_yet(refusal) => {
                    let seconds = limit.as_secs();
                    say(&format!(
                        "Google's token service may not know the provider yet; trying again for at most {seconds} s"
                    ));
                    sleep(self.patience.first.min(limit - waited)).await;
                }
                _ => break answer,
            }
        };
        match answer {
            Ok(answer) => {
                let lifetime = answer["expires_in"].as_u64().unwrap_or_default();
                let Some(access) = text(&answer["access_token"]).filter(|_| lifetime > 0) else {
                    return Err(nonsense(EXCHANGE, subject, "an access token with a lifetime"));
                };
                let seen = format!("{} is accepted, for {lifetime} s", token.claims().subject);
                Ok((access, Duration::from_secs(lifetime), Finding::passed(EXCHANGE, subject, seen)))
            }
            Err(refusal) => {
                let (cause, remedy) = hops::exchange(&refusal, &self.ids.token_audience(&number));
                Err(Finding::failed(EXCHANGE, subject, refusal.said(), cause, remedy))
            }
        }
    }

    async fn impersonate(
        &self,
        access: &Secret,
        email: &str,
        subject: String,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(Secret, Finding), Finding> {
        let base = &self.settings.endpoints.iam_credentials;
        let url = format!("{base}/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        let body = json!({"scope": [CLOUD_PLATFORM], "lifetime": "3600s"});
        let why = format!("the right to become {email}");
        match self.until_spread(access, Method::POST, &url, Some(&body), &why, say).await {
            Ok(answer) => {
                let Some(access) = text(&answer["accessToken"]) else {
                    return Err(nonsense(IMPERSONATION, subject, "an access token"));
                };
                let until = answer["expireTime"].as_str().unwrap_or("an unknown time").to_owned();
                Ok((access, Finding::passed(IMPERSONATION, subject, format!("until {until}"))))
            }
            Err(refusal) => {
                let (cause, remedy) = hops::impersonation(&refusal, email);
                Err(Finding::failed(IMPERSONATION, subject, refusal.said(), cause, remedy))
            }
        }
    }

    async fn read(
        &self,
        access: &Secret,
        secret: &str,
        subject: String,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Finding {
        if let Err(error) = super::names::check_secret(secret) {
            return Finding::refused(READ, subject, &error);
        }
        let (base, project) = (&self.settings.endpoints.secret_manager, &self.ids.project);
        let url = format!("{base}/v1/projects/{project}/secrets/{secret}/versions/latest:access");
        let why = format!("the right to read {secret}");
        match self.until_spread(access, Method::GET, &url, None, &why, say).await {
            Ok(answer) => {
                let data = answer["payload"]["data"].as_str().and_then(|data| STANDARD.decode(data).ok());
                match data {
                    // Its length, and nothing of what is in it.
                    Some(data) => Finding::passed(READ, subject, format!("{} bytes", data.len())),
                    None => nonsense(READ, subject, "a payload"),
                }
            }
            Err(refusal) => {
                let reader = self.settings.impersonate.as_deref().unwrap_or("the workload");
                let (cause, remedy) = hops::read(&refusal, secret, reader);
                Finding::failed(READ, subject, refusal.said(), cause, remedy)
            }
        }
    }

    /// Repeats what is forbidden for as long as a grant may take to spread; everything else counts at once.
    async fn until_spread(
        &self,
        access: &Secret,
        method: Method,
        url: &str,
        body: Option<&Value>,
        why: &str,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Outcome<Value> {
        let granted = self.granted.load(Ordering::Relaxed);
        let limit = if granted { self.patience.after_grant } else { self.patience.otherwise };
        let started = Instant::now();
        let mut pause = self.patience.first;
        loop {
            let refusal = match self.api.call_as(access, method.clone(), url, body).await {
                Err(refusal) if refusal.is_forbidden() => refusal,
                outcome => return outcome,
            };
            let waited = started.elapsed();
            if waited >= limit {
                return Err(refusal);
            }
            say(&format!(
                "Google still refuses (403): {why} has not spread yet; that takes 2 minutes as a rule, sometimes 7 or more \
                 ({} s of at most {} s)",
                waited.as_secs(),
                limit.as_secs()
            ));
            sleep(pause.min(limit.saturating_sub(waited)).max(Duration::from_millis(1))).await;
            pause = (pause * 3 / 2).min(self.patience.longest);
        }
    }
}

fn skipped(check: &'static str, subject: String) -> Finding {
    Finding::skipped(check, subject, "an earlier step has failed")
}

fn text(value: &Value) -> Option<Secret> {
    value.as_str().filter(|text| !text.is_empty()).map(|text| Secret::new(text.to_owned()))
}

fn nonsense(check: &'static str, subject: String, what: &str) -> Finding {
    Finding::failed(
        check,
        subject,
        format!("the answer holds no {what}"),
        "what answers there is not Google",
        "check google.endpoints, and what stands before it",
    )
}
