//! Takes one key out of the published set, whatever its tokens.

use crate::{
    config::{LedgerPlace, Settings},
    error::{Code, Error, Result},
    publication::{History, Outcome, PublicationPlan, history::Refusal},
    report::Report,
    rfc3339::rfc3339,
    watch::state_name,
};

/// Marks the key, and tells what dies with it.
pub(super) fn begin(
    kid: &str,
    history: Option<&mut History>,
    settings: &Settings,
    is_given: bool,
    report: &mut Report<'_>,
) -> Result<()> {
    let place = &settings.ledger;
    let shown = kid.escape_debug();
    let Some(history) = history else {
        return Err(Error::failed(
            Code::LedgerUnreadable,
            format!(
                "{shown} cannot be revoked: there is no ledger, ConfigMap {place}, in which to record it"
            ),
        )
        .hint(
            "apply deploy/base, or create its namespace, and run this where every API server can be asked",
        ));
    };
    let cache = history.policy().cache;
    let revoked = history.revoke(kid).map_err(|refusal| refused(&shown.to_string(), refusal, place))?;
    let tokens = match revoked.last_token {
        Some(last) => format!(
            "tokens that it signed are refused from then on; the last would have expired at {}",
            rfc3339(last)
        ),
        None => {
            "no API server was seen to sign with it; whatever tokens its holder made are refused from then on"
                .to_owned()
        }
    };
    let until = match is_given {
        true => "Each provider refuses them once it has the other keys; one that refuses the change is named, and keeps it".to_owned(),
        false => format!(
            "Relying parties keep the former key set for up to {cache} s, some until they meet an unknown key; a provider that was given \
             the keys keeps it until `keyless setup` has run"
        ),
    };
    report.line(format_args!("revoke {shown}: {tokens}. {until}"));
    Ok(())
}

fn refused(kid: &str, refusal: Refusal, place: &LedgerPlace) -> Error {
    let error = |code, why: &str| Error::failed(code, format!("{kid} is not revoked: {why}"));
    match refusal {
        Refusal::Unknown => Error::usage(Code::KeyUnknown, format!("no key `{kid}` is known"))
            .hint("`keyless keys` lists them"),
        Refusal::Several(ids) => {
            let all: Vec<_> =
                ids.iter().map(|(id, state)| format!("{id} ({})", state_name(*state))).collect();
            Error::usage(Code::KeyUnknown, format!("{} keys have the kid {kid}: {}", all.len(), all.join(", ")))
                .hint("name the one to revoke by its thumbprint, as shown here")
        }
        Refusal::Live => error(Code::KeyLive, "an API server has it, and the next run would publish it again")
            .hint("take it from --service-account-key-file and --service-account-signing-key-file of every API server, then run this again")
            .hint("to stop relying parties at once, disable the cluster's provider there: they keep the key set in caches"),
        Refusal::Staged => error(Code::KeyLive, "a file of cluster.publicKeys or --public-key holds it")
            .hint("take it from the settings first"),
        Refusal::NotEveryServer => error(
            Code::ServersUnsound,
            "not every API server answered: one of them may still have it",
        )
        .hint("bring every API server back, and run this where each can be reached by its own address"),
        Refusal::LeftAlone => error(
            Code::LedgerLost,
            &format!("ConfigMap {place}, in which to record it, cannot be used, and is left as it is"),
        )
        .hint("`keyless keys` says what it holds: run the version of keyless that wrote it, or name another ConfigMap in cluster.ledger"),
    }
}

/// Other publishers were faster each time.
pub(super) fn overtaken() -> Error {
    Error::failed(
        Code::ApplyRaced,
        "other publishers write the ledger all the time: the key was not revoked, and nothing was written",
    )
    .hint("run it again; more than one publisher is at work all the time, keep one")
}

/// It is revoked only if it is gone.
pub(super) fn check_gone(kid: &str, plan: &PublicationPlan<'_>, outcome: &Outcome) -> Result<()> {
    match outcome.decision.keys.iter().any(|key| plan.revokes(key)) {
        false => Ok(()),
        true => Err(Error::failed(
            Code::ApplyRaced,
            format!("{} is recorded as revoked, and is still published: another publisher wrote it at the same time", kid.escape_debug()),
        )
        .hint("run it again; `keyless keys` says whether an API server has it")),
    }
}

/// Another publisher may have seen the key live meanwhile.
pub(super) fn check(plan: &PublicationPlan<'_>) -> Result<()> {
    match plan.keeps_revoked() {
        false => Ok(()),
        true => Err(Error::failed(
            Code::ApplyRaced,
            "another publisher wrote the ledger at the same time: no key was removed",
        )
        .hint("run it again: it looks again at what is there")),
    }
}
