//! The managed identity of this machine, by the metadata service that only the machine itself reaches.

use std::time::{Duration, Instant};

use super::{Scope, refusal::Refusal, token::Token, tokens::Failure};
use crate::{
    http::Http,
    retry::{Attempts, Backoff, Repeat, may_pass, retry_after},
};

/// Elsewhere than in Azure, nothing answers at its address: that must not take long.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
const WHO: &str = "the metadata service";

pub(super) async fn token(
    pace: Backoff,
    address: &str,
    client_id: Option<&str>,
    scope: Scope,
) -> Result<Token, Failure> {
    let http = Http::direct(CONNECT_LIMIT).map_err(Failure::Final)?;
    let url = url(address, client_id, scope);
    let mut attempts = Attempts::begin(pace);
    loop {
        // Without this header the service refuses: a browser or a redirect cannot be made to send it.
        let request = http.client().get(&url).header("Metadata", "true");
        let answer = match http.send(request, WHO).await {
            Ok(answer) => answer,
            // No service, no connection, no time: this machine has no managed identity.
            Err(error) => return Err(Failure::Unavailable(format!("managed identity: {}", error.message))),
        };
        if answer.status == 200 {
            let token = Token::from_answer(&answer.body, Instant::now(), WHO);
            return token
                .map_err(|error| Failure::Unavailable(format!("managed identity: {}", error.message)));
        }
        let may_pass = answer.status == 410 || may_pass(Repeat::Safe, Some(answer.status), false, None);
        if may_pass && attempts.pause(retry_after(&answer.headers)).await {
            continue;
        }
        let refusal = Refusal::of(&answer);
        return Err(Failure::Unavailable(format!("managed identity: {WHO} answers {}", refusal.summary())));
    }
}

fn url(address: &str, client_id: Option<&str>, scope: Scope) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("api-version", "2018-02-01").append_pair("resource", scope.resource());
    query.extend_pairs(client_id.map(|client_id| ("client_id", client_id)));
    format!("{address}/metadata/identity/oauth2/token?{}", query.finish())
}
