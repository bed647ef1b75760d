//! A real token, exchanged and used as External Secrets Operator's library uses it.

use std::{iter, sync::atomic::Ordering, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Gcp, diagnose, trials};
use crate::{
    error::Check,
    federation::Trial,
    google::{CLOUD_PLATFORM, Outcome},
    lifetime::Lifetime,
    oidc::Token,
    relying_party::Finding,
    retry::{Attempts, Backoff},
    secret::{Secret, is_header_safe},
};

const EXCHANGE: Check = Check::GoogleExchange;
const IMPERSONATION: Check = Check::GoogleImpersonation;
/// A login is not used any more this long before its end.
const MARGIN: Duration = Duration::from_secs(60);

/// Google's access tokens live for one hour, and for twelve at most.
const LONGEST_LOGIN: u32 = 24 * 3600;

/// Gets the reasons of waiting.
pub(super) type Say<'a> = &'a mut (dyn FnMut(&str) + Send);

/// A token of the cluster's, exchanged, and become a service account if that is wanted.
#[derive(Clone)]
pub(super) struct Login {
    token: Secret,
    access: Secret,
    findings: Vec<Finding>,
    /// Long enough before its end that what is begun with it can be done.
    until: Instant,
}

/// Logs in, and tries one thing.
pub(super) async fn probe(gcp: &Gcp, token: &Token, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
    match gcp.log_in(token, say).await {
        Ok(Login { access, mut findings, .. }) => {
            findings.extend(trials::run(gcp, &access, trial, say).await);
            findings
        }
        Err(mut findings) => {
            findings.push(skipped(trials::check(trial), trials::subject(trial)));
            findings
        }
    }
}

impl Gcp {
    /// One login for all secrets that are read with the same token.
    async fn log_in(&self, token: &Token, say: Say<'_>) -> Result<Login, Vec<Finding>> {
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
    async fn exchange(&self, token: &Token, say: Say<'_>) -> Result<(Secret, Duration, Finding), Finding> {
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
        let first = self.patience.first;
        let mut attempts = Attempts::begin(Backoff::poll(first, first, limit));
        let wait = format!(
            "Google's token service may not know the provider yet; trying again for at most {} s",
            limit.as_secs()
        );
        let answer = loop {
            match self.api.form(&url, &fields).await {
                Err(refusal)
                    if diagnose::may_be_unknown_yet(&refusal)
                        && attempts.pause_saying(None, |_| say(&wait)).await => {}
                answer => break answer,
            }
        };
        match answer {
            Ok(answer) => {
                let lifetime = match Lifetime::read(&answer, "expires_in", LONGEST_LOGIN) {
                    Ok(lifetime) => lifetime,
                    Err(instead) => return Err(odd(EXCHANGE, subject, &instead)),
                };
                let Some(access) = text(&answer["access_token"]) else {
                    return Err(nonsense(EXCHANGE, subject, "access token"));
                };
                let seen = format!("{} is accepted, for {lifetime}", token.claims().subject);
                Ok((access, lifetime.duration(), Finding::passed(EXCHANGE, subject, seen)))
            }
            Err(refusal) => {
                let (cause, remedy) = diagnose::exchange(&refusal, &self.ids.token_audience(&number));
                Err(Finding::failed(EXCHANGE, subject, refusal.summary(), cause, remedy))
            }
        }
    }

    async fn impersonate(
        &self,
        access: &Secret,
        email: &str,
        subject: String,
        say: Say<'_>,
    ) -> Result<(Secret, Finding), Finding> {
        let base = &self.settings.endpoints.iam_credentials;
        let url = format!("{base}/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        let body = json!({"scope": [CLOUD_PLATFORM], "lifetime": "3600s"});
        let why = format!("the right to become {email}");
        match self.until_spread(access, Method::POST, &url, Some(&body), &why, say).await {
            Ok(answer) => {
                let Some(access) = text(&answer["accessToken"]) else {
                    return Err(nonsense(IMPERSONATION, subject, "access token"));
                };
                let until = answer["expireTime"].as_str().unwrap_or("an unknown time").to_owned();
                Ok((access, Finding::passed(IMPERSONATION, subject, format!("until {until}"))))
            }
            Err(refusal) => {
                let (cause, remedy) = diagnose::impersonation(&refusal, email);
                Err(Finding::failed(IMPERSONATION, subject, refusal.summary(), cause, remedy))
            }
        }
    }

    /// Repeats what is forbidden for as long as a grant may take to spread; everything else counts at once.
    pub(super) async fn until_spread(
        &self,
        access: &Secret,
        method: Method,
        url: &str,
        body: Option<&Value>,
        why: &str,
        say: Say<'_>,
    ) -> Outcome<Value> {
        let mut spreading = self.spreading(why);
        loop {
            match self.api.call_as(access, method.clone(), url, body).await {
                Err(refusal) if refusal.is_forbidden() && spreading.wait(say).await => {}
                outcome => return outcome,
            }
        }
    }

    /// For what is refused as long as a grant has not spread. `why` is what is waited for: `the right to read db`.
    pub(super) fn spreading<'a>(&self, why: &'a str) -> Spreading<'a> {
        let granted = self.granted.load(Ordering::Relaxed);
        let limit = if granted { self.patience.after_grant } else { self.patience.otherwise };
        let backoff = Backoff::poll(self.patience.first, self.patience.longest, limit);
        Spreading { why, limit, attempts: Attempts::begin(backoff) }
    }
}

/// How long a grant is still waited for.
pub(super) struct Spreading<'a> {
    why: &'a str,
    limit: Duration,
    attempts: Attempts,
}

impl Spreading<'_> {
    /// Waits a while, longer each time; `false`: it was waited long enough.
    pub(super) async fn wait(&mut self, say: Say<'_>) -> bool {
        let waited = self.attempts.elapsed();
        let wait = format!(
            "Google still refuses (403): {} has not spread yet; that takes 2 minutes as a rule, sometimes 7 or more \
             ({} s of at most {} s)",
            self.why,
            waited.as_secs(),
            self.limit.as_secs()
        );
        self.attempts.pause_saying(None, |_| say(&wait)).await
    }
}

fn skipped(check: Check, subject: String) -> Finding {
    Finding::skipped(check, subject, "an earlier step has failed")
}

fn text(value: &Value) -> Option<Secret> {
    value.as_str().filter(|text| is_header_safe(text)).map(|text| Secret::new(text.to_owned()))
}

pub(super) fn nonsense(check: Check, subject: String, what: &str) -> Finding {
    odd(check, subject, &format!("no {what}"))
}

fn odd(check: Check, subject: String, what: &str) -> Finding {
    Finding::failed(
        check,
        subject,
        format!("the answer holds {what}"),
        "what answers there is not Google",
        "check google.endpoints, and any proxy before it",
    )
}
