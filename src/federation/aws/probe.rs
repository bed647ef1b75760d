//! A real token, used as the secret store uses it: exchanged at STS, then the trial with the temporary credentials.

use std::sync::atomic::Ordering;

use aws_credential_types::Credentials;

use super::{
    Aws, Settings,
    api::Signer,
    diagnose,
    place::Api,
    refusal::{Outcome, Refusal},
    trials,
};
use crate::{
    error::Check,
    federation::{Trial, judged},
    oidc::Token,
    plan::Say,
    relying_party::Finding,
    retry::{Attempts, Backoff, Repeat},
    secret::{Secret, is_header_safe},
    xml::Element,
};

const EXCHANGE: Check = Check::AwsExchange;
/// As CloudTrail shows it.
const SESSION: &str = "keyless-verify";
/// In seconds: the shortest that STS gives.
const LIFETIME: &str = "900";

/// Logs in, and tries one thing.
pub(super) async fn probe(aws: &Aws, token: &Token, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
    let subject = format!("exchange of the token at STS for the role {}", aws.settings.role);
    let (credentials, until) = match aws.exchange(token, say).await {
        Ok(found) => found,
        Err(refusal) => {
            let claims = token.claims();
            let (cause, remedy) = diagnose::exchange(
                &refusal,
                &claims.issuer.to_string(),
                &aws.role_arn(),
                &claims.subject.escape_debug().to_string(),
            );
            let skipped = Finding::skipped(
                trials::check(trial),
                judged::subject(trial),
                "there is no login to do it with",
            );
            return vec![Finding::failed(EXCHANGE, subject, refusal.summary(), cause, remedy), skipped];
        }
    };
    let seen = format!("{} is accepted, until {until}", token.claims().subject);
    let mut findings = vec![Finding::passed(EXCHANGE, subject, seen)];
    findings.extend(trials::run(aws, &credentials, trial, say).await);
    findings
}

impl Aws {
    /// AssumeRoleWithWebIdentity, unsigned. It gives credentials: others are as good, so that it is safe to repeat.
    async fn exchange(&self, token: &Token, say: Say<'_>) -> Outcome<(Credentials, String)> {
        let role = self.role_arn();
        let parameters = [
            ("RoleArn", role.as_str()),
            ("RoleSessionName", SESSION),
            ("DurationSeconds", LIFETIME),
            ("WebIdentityToken", token.expose()),
        ];
        let mut spreading = self.spreading();
        let answer = loop {
            let asked = self.client.query(
                Api::Sts,
                Signer::Unsigned,
                "AssumeRoleWithWebIdentity",
                &parameters,
                Repeat::Safe,
            );
            match asked.await {
                Err(refusal)
                    if diagnose::may_be_unknown_yet(&refusal) && spreading.wait(&refusal, say).await => {}
                answer => break answer?,
            }
        };
        let result = answer.get("AssumeRoleWithWebIdentityResult").cloned().unwrap_or_default();
        is_for(&result, &self.session_arn(), &token.claims().subject.to_string())?;
        let text = |name: &str| {
            answer
                .text_at(&["AssumeRoleWithWebIdentityResult", "Credentials", name])
                .filter(|text| is_header_safe(text))
        };
        let (Some(id), Some(secret), Some(session)) =
            (text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"))
        else {
            return Err(Refusal::without(Api::Sts, "no credentials"));
        };
        // From here on no output shows them.
        let (secret, session) = (Secret::passing(secret.to_owned()), Secret::passing(session.to_owned()));
        let until = text("Expiration")
            .map_or_else(|| "an unknown time".to_owned(), |time| time.escape_debug().to_string());
        let credentials = Credentials::new(
            id,
            secret.expose(),
            Some(session.expose().to_owned()),
            None,
            "AssumeRoleWithWebIdentity",
        );
        Ok((credentials, until))
    }

    /// As STS names a login by the role.
    fn session_arn(&self) -> String {
        let Settings { account, region, role, .. } = &self.settings;
        format!("arn:{}:sts::{account}:assumed-role/{role}/{SESSION}", region.partition().name())
    }

    /// For what is refused as long as AWS does not know everywhere what was written.
    pub(super) fn spreading(&self) -> Spreading {
        let written = self.written.load(Ordering::Relaxed);
        let limit = if written { self.patience.after_write } else { self.patience.otherwise };
        let backoff = Backoff::poll(self.patience.first, self.patience.longest, limit);
        Spreading { limit: limit.as_secs(), attempts: Attempts::begin(backoff) }
    }
}

/// Refuses credentials of another role, or for another subject.
fn is_for(result: &Element, session: &str, subject: &str) -> Outcome<()> {
    let asked: [(&[&str], _); 2] =
        [(&["AssumedRoleUser", "Arn"], session), (&["SubjectFromWebIdentityToken"], subject)];
    for (at, asked) in asked {
        let seen = result.text_at(at);
        if seen != Some(asked) {
            return Err(Refusal::about_another(Api::Sts, asked, seen));
        }
    }
    Ok(())
}

/// How long a change is still waited for.
pub(super) struct Spreading {
    limit: u64,
    attempts: Attempts,
}

impl Spreading {
    /// Waits a while, longer each time; `false`: it was waited long enough.
    pub(super) async fn wait(&mut self, refusal: &Refusal, say: Say<'_>) -> bool {
        let waited = self.attempts.elapsed().as_secs();
        let wait = format!(
            "AWS still refuses ({}): what was written in IAM may not be known everywhere yet ({waited} s of at most {} s)",
            refusal.code, self.limit
        );
        self.attempts.pause_saying(None, |_| say(&wait)).await
    }
}
