//! The token endpoint of Entra: one form.

use std::{path::Path, time::Instant};

use http::header::CONTENT_TYPE;

use super::{Scope, refusal::Refusal, source::Application, token::Token};
use crate::{
    credential_file,
    error::{Code, Error, Result},
    http::Http,
    retry::{Attempts, Backoff, Repeat, may_pass, retry_after},
    secret::Secret,
};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// By what an application proves who it is.
pub(super) enum Proof<'a> {
    Secret(&'a Secret),
    /// A token of another issuer (RFC 7523 §2.2).
    Assertion(Secret),
}

/// The token that the kubelet keeps in this file.
pub(super) fn projected(path: &Path) -> Result<Proof<'static>> {
    let refuse = |why: String| {
        Error::failed(Code::AzureCredentials, format!("AZURE_FEDERATED_TOKEN_FILE: {why}"))
            .hint("it names a projected token of the pod, with the audience api://AzureADTokenExchange")
    };
    let shown = path.display();
    let content = credential_file::content(path).ok_or_else(|| refuse(format!("{shown} cannot be read")))?;
    let text = String::from_utf8(content).map_err(|_| refuse(format!("{shown} holds no token")))?;
    let token = Secret::passing(text.trim().to_owned());
    let parts: Vec<_> = token.expose().split('.').collect();
    let is_jws = parts.len() == 3
        && parts.iter().all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
    if is_jws { Ok(Proof::Assertion(token)) } else { Err(refuse(format!("{shown} holds no signed token"))) }
}

/// Asks for a token. Safe to repeat: another one is as good.
pub(super) async fn token(
    http: &Http,
    pace: Backoff,
    application: &Application,
    proof: &Proof<'_>,
    scope: Scope,
) -> Result<Token> {
    let Application { authority, tenant, client_id } = application;
    let who = match proof {
        Proof::Secret(_) => format!("login by client secret as {client_id}"),
        Proof::Assertion(_) => format!("login by workload identity as {client_id}"),
    };
    let form = form(client_id, proof, scope);
    let mut attempts = Attempts::begin(pace);
    loop {
        let request = http
            .client()
            .post(format!("{authority}/{tenant}/oauth2/v2.0/token"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.clone());
        let (status, after, error) = match http.send(request, authority).await {
            Ok(answer) if answer.status == 200 => {
                return Token::from_answer(&answer.body, Instant::now(), authority);
            }
            Ok(answer) => {
                (Some(answer.status), retry_after(&answer.headers), Refusal::of(&answer).error(&who))
            }
            Err(error) => (None, None, error),
        };
        let unanswered = status.is_none().then_some(&error);
        if !may_pass(Repeat::Safe, status, false, unanswered) || !attempts.pause(after).await {
            return Err(error);
        }
    }
}

/// The client credentials grant (RFC 6749 §4.4).
fn form(client_id: &str, proof: &Proof<'_>, scope: Scope) -> String {
    let scope = scope.default_scope();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let grant = [("client_id", client_id), ("scope", &scope), ("grant_type", "client_credentials")];
    form.extend_pairs(grant);
    match proof {
        Proof::Secret(secret) => form.append_pair("client_secret", secret.expose()),
        Proof::Assertion(token) => form
            .append_pair("client_assertion_type", ASSERTION)
            .append_pair("client_assertion", token.expose()),
    };
    form.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_without_token_are_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let refused = |path: &Path| projected(path).map(|_| ()).unwrap_err();
        assert_eq!(refused(&path).code, Code::AzureCredentials);
        for content in [
            &b""[..],
            b"CANARY",
            b"CANARY.b",
            b"CANARY..c",
            b"CANARY.b.c.d",
            b"CAN ARY.b.c",
            b"CANARY.b.\xff",
            b"CANARY.b.c\nd",
        ] {
            fs::write(&path, content).unwrap();
            let error = refused(&path);
            assert_eq!(error.code, Code::AzureCredentials);
            assert!(!format!("{error} {error:?}").contains("CAN"), "{error}");
        }
        fs::write(&path, "a.b.c\n").unwrap();
        assert!(matches!(projected(&path).unwrap(), Proof::Assertion(token) if token.expose() == "a.b.c"));
    }
}
