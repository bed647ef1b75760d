//! What the cluster serves and signs, and what is odd about it.

use crate::{
    cluster::{ApiServer, Cluster, FailedServer, Failure, Observed, Reached},
    config::Settings,
    error::{Code, Error, Result},
    files::{self, Accept, MAX_SMALL},
    oidc::{Issuer, KeySet, PublicKey, keys_from_pem},
    relying_party::{MAX_SKEW, Unproved, prove},
    waiting::Waiting,
    warning::Warning,
};

/// Asks the cluster, unless none is to be asked.
pub(crate) async fn observe(
    cluster: Option<&Cluster>,
    settings: &Settings,
    waiting: &Waiting,
) -> Result<Option<Observed>> {
    match cluster {
        Some(cluster) => Ok(Some(cluster.look(&settings.audience, settings.kid_rule, waiting).await?)),
        None => Ok(None),
    }
}

/// The keys of `--public-key`.
pub(crate) fn from_files(settings: &Settings) -> Result<Option<KeySet>> {
    let mut keys = Vec::new();
    for path in &settings.public_keys {
        let place = path.display().to_string();
        let content = files::read(path, Accept::FileOrPipe, MAX_SMALL).map_err(|error| {
            Error::usage(Code::PublicKeyUnreadable, format!("{place} cannot be read")).caused_by(error).hint(
                "--public-key takes the file of --service-account-key-file, e.g. /etc/kubernetes/pki/sa.pub",
            )
        })?;
        keys.extend(keys_from_pem(&content, &place).map_err(Error::into_usage)?);
    }
    if keys.is_empty() { Ok(None) } else { KeySet::new(keys).map(Some) }
}

/// Refuses a cluster of which every token is signed with a key that no relying party can read.
pub(crate) fn refuse_unpublishable_signer(observed: &Observed) -> Result<()> {
    let unreadable = |server: &&ApiServer| unreadable_signer(server).is_some();
    match observed.servers.iter().find(unreadable) {
        Some(server) if observed.servers.iter().all(|server| unreadable(&server)) => {
            let kty = unreadable_signer(server).unwrap_or_default();
            let algorithm = server.token.claims().algorithm.escape_debug();
            Err(Error::failed(
                Code::SignerUnpublishable,
                format!("API server {} signs with an {kty} key ({algorithm})", server.address),
            )
            .hint("clouds read RSA and EC keys only: sign with one of them; RSA 2048 is accepted everywhere"))
        }
        _ => Ok(()),
    }
}

/// What a server that does not answer means for what depends on every API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    Refused,
    /// A caller that goes on takes nothing away that may be this server's.
    Accepted,
}

/// Refuses to go on where more than publishing keys depends on every API server.
pub(crate) fn refuse_doubts(observed: &Observed, silence: Silence) -> Result<()> {
    refuse_unpublishable_signer(observed)?;
    let keys = observed.live()?;
    let failed = observed
        .failed
        .iter()
        .filter(|server| silence == Silence::Refused || server.failure != Failure::Unreachable);
    let doubts: Vec<_> = failed.map(failure_note).chain(unproved_signers(observed, &keys)).collect();
    if doubts.is_empty() {
        return Ok(());
    }
    let (count, all) = (doubts.len(), observed.listed());
    let error =
        Error::failed(Code::ServersUnsound, format!("{count} of {all} API servers cannot be relied on"));
    let error = doubts.into_iter().fold(error, |error, doubt| error.caused_by(doubt.message));
    Err(error.hint(
        "nothing was changed; `keyless publish` publishes what is known, this command needs all of them",
    ))
}

fn unreadable_signer(server: &ApiServer) -> Option<&str> {
    let kid = server.token.claims().kid.as_deref()?;
    server.unreadable.iter().find(|key| key.kid == kid).map(|key| key.kty.as_str())
}

/// What could not be established of each server, with these keys published: each keeps a run from being a success.
pub(crate) fn doubts(observed: &Observed, keys: &KeySet) -> Vec<Warning> {
    observed.failed.iter().map(failure_note).chain(unproved_signers(observed, keys)).collect()
}

fn failure_note(server: &FailedServer) -> Warning {
    let (address, error) = (&server.address, &server.error);
    let known = match &server.keys {
        Some(_) => "its keys are published",
        None => "keys that only it serves are not added",
    };
    let causes: String = error.causes.iter().map(|cause| format!(": {cause}")).collect();
    let hints: String = error.hints.iter().map(|hint| format!("; {hint}")).collect();
    let (code, verb) = match server.failure {
        Failure::Unreachable => (Code::ServerUnreachable, "did not answer"),
        Failure::Refused => (Code::ServerRefuses, "refused"),
        Failure::BadAnswer => (Code::ServerBadAnswer, "gave a bad answer"),
    };
    let code_of_error = error.code;
    Warning {
        code,
        message: format!(
            "API server {address} {verb} ({code_of_error}: {}{causes}): {known}{hints}",
            error.message
        ),
    }
}

/// Those servers whose own token no key that a server serves has signed.
fn unproved_signers(observed: &Observed, keys: &KeySet) -> Vec<Warning> {
    let is_served = |kid: &str| observed.key_sets().any(|(_, keys)| keys.get(kid).is_some());
    let unproved = observed.servers.iter().filter_map(|server| match prove(&server.token, keys) {
        Ok(key) if is_served(key.kid()) => None,
        // It is published, from a file or from before: relying parties accept what the cluster itself refuses.
        Ok(key) => Some(unproved_signer(server, &Unproved::UnknownKid(key.kid().to_owned()))),
        Err(unproved) => Some(unproved_signer(server, &unproved)),
    });
    unproved.collect()
}

fn unproved_signer(server: &ApiServer, unproved: &Unproved) -> Warning {
    let address = &server.address;
    let unreadable = unreadable_signer(server);
    let (code, message) = match unproved {
        Unproved::UnknownKid(_) if unreadable.is_some() => (
            Code::SignerUnpublishable,
            format!(
                "API server {address} signs with an {} key, which relying parties cannot read: sign with an RSA or EC key",
                unreadable.unwrap_or_default()
            ),
        ),
        Unproved::UnknownKid(kid) => (
            Code::SignerNotServed,
            format!(
                "{address} signs with {}, which no API server serves: it refuses its own tokens; add the key to \
                 --service-account-key-file of every API server, then publish again",
                kid.escape_debug()
            ),
        ),
        Unproved::NoKid => (
            Code::SignerUnproved,
            format!(
                "the token of {address} ({}) names no `kid`, so it is not known which key signs: find out what signs, an API server always names it",
                server.token.claims().algorithm.escape_debug()
            ),
        ),
        Unproved::Signature { kid, why } => (
            Code::SignerUnproved,
            format!(
                "the token of {address} was not made by the key {} that it names: {why}; something changes tokens on the way, or another \
                 key is served under this kid",
                kid.escape_debug()
            ),
        ),
    };
    Warning { code, message }
}

/// What is worth knowing, but does not keep the keys from being published.
pub(crate) fn notes(observed: &Observed, issuer: &Issuer, now: u64) -> Vec<Warning> {
    let mut notes = Vec::new();
    let mut note = |code, message| notes.push(Warning { code, message });
    if let Reached::Kubeconfig { why } = &observed.reached {
        note(
            Code::ServersNotSingly,
            format!(
                "{why}: asked the kubeconfig's address only; with several API servers behind it, some keys may be missing"
            ),
        );
    }
    for server in &observed.servers {
        let (address, claims) = (&server.address, server.token.claims());
        for key in &server.unreadable {
            note(
                Code::KeyLeftOut,
                format!(
                    "{address} serves the {} key {}, which relying parties cannot read yet: left out",
                    key.kty, key.kid
                ),
            );
        }
        // One that no server serves is a doubt.
        let others = |kid: &str| observed.key_sets().any(|(_, keys)| keys.get(kid).is_some());
        if let Some(kid) = claims.kid.as_deref().filter(|kid| server.keys.get(kid).is_none() && others(kid)) {
            note(
                Code::SignerNotServed,
                format!(
                    "{address} signs with {}, which is not among its own keys: it refuses its own tokens; add the key to \
                     --service-account-key-file of every API server",
                    kid.escape_debug()
                ),
            );
        }
        if claims.issuer != *issuer.signed() {
            note(
                Code::IssuerNotSigned,
                format!(
                    "{address} signs as `{}`: relying parties accept its tokens once its first --service-account-issuer is {issuer} \
                     (keep the old one as a second flag)",
                    claims.issuer
                ),
            );
        }
        if claims.issuer != *server.discovery.issuer {
            note(
                Code::IssuerDiffers,
                format!(
                    "{address} signs as `{}` but its own document says `{}`",
                    claims.issuer,
                    server.discovery.issuer.escape_debug()
                ),
            );
        }
        if let Some(skew) = server.clock.map(|clock| clock.abs_diff(now)).filter(|skew| *skew > MAX_SKEW) {
            note(
                Code::ClockSkew,
                format!(
                    "the clock of {address} is {skew} s away from this machine's: relying parties refuse tokens from the future"
                ),
            );
        }
    }
    let mut sets = observed.key_sets();
    if let Some((first, keys)) = sets.next() {
        for (address, others) in sets.filter(|(_, others)| *others != keys) {
            note(
                Code::ServersDiffer,
                format!(
                    "{address} and {first} serve different keys (only {address}: {}; only {first}: {}): until all serve the same, a token of \
                     one may be refused by the other",
                    only(others, keys),
                    only(keys, others)
                ),
            );
        }
    }
    notes
}

/// The keys of one set that are not in the other.
fn only(one: &KeySet, other: &KeySet) -> String {
    let missing = |key: &&PublicKey| !other.get(key.kid()).is_some_and(|other| other.same_key(key));
    let kids: Vec<_> = one.iter().filter(missing).map(PublicKey::kid).collect();
    if kids.is_empty() { "none".to_owned() } else { kids.join(", ") }
}
