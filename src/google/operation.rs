//! Long-running operations (AIP-151), looked at until they are over.

use serde_json::Value;

use super::{api::Api, refusal::Refusal, rights::needs};
use crate::{
    error::{Code, Error, Result},
    retry::Attempts,
};

/// What an operation does and what it takes, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Doing<'a> {
    /// E.g. `making the pool keyless-prod`.
    pub(crate) what: &'a str,
    pub(crate) permission: &'a str,
    pub(crate) on: &'a str,
}

/// After this many looks a person is told what is waited for.
const SILENT_LOOKS: u32 = 5;

impl Api {
    /// Looks at the operation below `root` (`https://…/v1`) until it is over, and gives back its response.
    pub(crate) async fn finish(
        &self,
        root: &str,
        mut operation: Value,
        doing: Doing<'_>,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Value> {
        let mut attempts = Attempts::begin(self.pace.operation);
        let mut looks = 0;
        let name = operation["name"].as_str().unwrap_or_default().to_owned();
        loop {
            if operation["error"].is_object() {
                return Err(failed(&operation["error"], doing));
            }
            if operation["done"] == true {
                return Ok(operation["response"].take());
            }
            if !is_name(&name) {
                return Err(Error::failed(
                    Code::GoogleAnswer,
                    format!("{}: Google's answer names no operation", doing.what),
                )
                .hint("check google.endpoints, and any proxy before it"));
            }
            if looks == SILENT_LOOKS {
                say(&format!("{}: Google is still at it ({name})", doing.what));
            }
            // The first look is at once.
            if looks > 0 && !attempts.pause_between_looks().await {
                return Err(endless(&name, self.pace.operation.deadline.as_secs(), doing));
            }
            looks += 1;
            operation = self
                .get(&format!("{root}/{name}"))
                .await
                .map_err(|refusal| refusal.error(doing.what, doing.permission, doing.on))?;
        }
    }
}

fn failed(error: &Value, doing: Doing<'_>) -> Error {
    let refusal = Refusal::of_operation(error);
    let generic = matches!(&*refusal.word, "PERMISSION_DENIED" | "UNAUTHENTICATED" | "RESOURCE_EXHAUSTED");
    let message = if refusal.message.is_empty() { refusal.word.clone() } else { refusal.message.clone() };
    let word = refusal.word.clone();
    let described = refusal.error(doing.what, doing.permission, doing.on);
    if generic || described.code == Code::GoogleOrgPolicy {
        return described;
    }
    Error::failed(Code::GoogleOperationFailed, format!("{}: the operation failed at Google", doing.what))
        .caused_by(format_args!("{word}: {message}"))
        .hint("run the command again: it reads the present state first")
        .hint(format!("the right to do it is {}", needs(doing.permission, doing.on)))
}

fn endless(name: &str, seconds: u64, doing: Doing<'_>) -> Error {
    Error::failed(Code::GoogleOperationEndless, format!("{}: not done after {seconds} s", doing.what))
        .caused_by(format_args!("the operation {name} goes on at Google"))
        .hint("start again later: it goes on where it is then")
        .hint(format!("the right to do it is {}", needs(doing.permission, doing.on)))
}

/// A relative name, and nothing that could lead elsewhere.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~:".contains(c);
    !name.is_empty()
        && name.split('/').all(|part| !part.is_empty() && part != ".." && part.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        assert!(is_name("projects/1/locations/global/workloadIdentityPools/p/operations/op1"));
        assert!(is_name("operations/acat.p2-1"));
        for name in ["", "/x", "a//b", "../b", "a/../b", "a?b", "a#b", "http://evil/x", "a b"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
