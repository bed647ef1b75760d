//! PURE. Client secrets and certificates that an application lists, beside the copies that lie in the cluster.

use super::{
    answers::{Credential, Side},
    kinds::CREDENTIAL,
    named::Client as Named,
};
use crate::{
    credentials::{Same, Thumbprint},
    federation::cloud::{CloudLook, Issued},
};

/// A certificate that Entra names by the thumbprint of one in the cluster is of the same key. Where Entra shows the
/// certificate, that decides.
pub(super) fn identify(credentials: &mut [Credential], named: &Named) {
    for credential in credentials.iter_mut().filter(|it| it.public_half.is_none()) {
        let half = credential.thumbprint.and_then(|thumbprint| named.thumbprints.get(&thumbprint));
        credential.public_half = half.cloned();
    }
}

/// Copies that are used with this application and are none that it lists: they may be of another one.
pub(super) fn unlisted(look: &mut CloudLook, app: &str, all: &[Credential], named: &Named) {
    let begins = |hint: &String| all.iter().any(|it| it.hint.as_ref() == Some(hint));
    let is_listed = |half: &String| all.iter().any(|it| it.public_half.as_ref() == Some(half));
    let secrets = named
        .copies
        .values()
        .filter(|hint| !begins(hint))
        .map(|_| ("client secret", "secret that begins like it"));
    let certificates = named.certificates.iter().filter(|half| !is_listed(half));
    let certificates = certificates.map(|_| ("client certificate", "certificate of its key"));
    for file in &named.unread {
        look.not_seen(
            format!("which client certificate {} logs in with", named.place),
            "a look at it by hand: the thumbprint of the certificate in that file".into(),
            format!(
                "{file} holds it in a form of which no certificate is read, as PKCS#12: it may be one that the application {app} lists, and is counted beside them"
            ),
        );
    }
    // Those of the authorities that signed it may lie beside it.
    let is_named = |(thumbprint, half): (&Thumbprint, &String)| {
        all.iter().any(|it| it.thumbprint.as_ref() == Some(thumbprint)) || is_listed(half)
    };
    let is_other = !named.thumbprints.is_empty() && !named.thumbprints.iter().any(is_named);
    let other = is_other.then_some(("client certificate", "certificate of its key"));
    for (what, missing) in secrets.chain(certificates).chain(other) {
        look.not_seen(
            format!("whose {what} {} logs in with", named.place),
            "a look at it by hand, at Microsoft Entra; if it was deleted, delete its copy in the cluster"
                .into(),
            format!("the application {app} lists no {missing}"),
        );
    }
}

/// The copy in the cluster that this secret is: the one that begins as Entra shows it, if no other secret does.
pub(super) fn copy_of(credential: &Credential, all: &[Credential], named: &Named) -> Option<Same> {
    let hint = credential.hint.as_ref()?;
    let is_alone = all.iter().filter(|it| it.hint.as_ref() == Some(hint)).count() == 1;
    let mut copies = named.copies.iter().filter(|(_, begin)| *begin == hint);
    match (copies.next(), copies.next()) {
        (Some((copy, _)), None) if is_alone => Some(copy.clone()),
        _ => None,
    }
}

pub(super) fn issued(
    app: &str,
    credential: &Credential,
    copy: Option<Same>,
    is_enabled: bool,
    place: &str,
) -> Issued {
    let Credential { key_id, is_certificate, of, hint, begins, ends, .. } = credential;
    let (object, whose) = match of {
        Side::Application => ("app", ""),
        Side::Principal => ("sp", "service principal of the "),
    };
    let (kind, flag) = if *is_certificate { ("certificate", " --cert") } else { ("client secret", "") };
    let mut why = Vec::new();
    why.extend(hint.as_ref().map(|hint| format!("it begins with {hint}")));
    why.extend(begins.as_ref().map(|time| format!("made for use from {time}")));
    why.push(ends.as_ref().map_or_else(|| "never expires".to_owned(), |time| format!("expires {time}")));
    if !is_enabled {
        why.push("the application may not sign in now: one call lets it".into());
    }
    Issued {
        kind: CREDENTIAL,
        name: format!("entra:{key_id}"),
        public_half: credential.public_half.clone(),
        copy,
        what: format!("{kind} {key_id} of the {whose}Entra application {app}"),
        place: format!("Entra application {app}"),
        why: format!("{}; {place} names the application", why.join(", ")),
        remedy: format!(
            "when nothing misses it: az ad {object} credential delete --id {app} --key-id {key_id}{flag}"
        ),
    }
}

#[cfg(test)]
#[path = "issued_tests.rs"]
mod tests;
