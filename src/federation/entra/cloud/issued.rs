//! PURE. Client secrets and certificates that an application lists, beside the copies that lie in the cluster.

use std::collections::BTreeMap;

use super::{
    answers::{Credential, Side},
    kinds::CREDENTIAL,
    named::Client as Named,
};
use crate::{
    credentials::{Same, Thumbprint},
    federation::cloud::{CloudLook, Issued},
};

/// A certificate that Entra does not show and names by the thumbprint of one in the cluster is counted as that one. That it
/// is, is not known: the user who adds a certificate sets what it is named by.
pub(super) fn identify(look: &mut CloudLook, app: &str, credentials: &mut [Credential], named: &Named) {
    for credential in credentials.iter_mut().filter(|it| it.public_half.is_none()) {
        let mut files = named.files.values();
        let half =
            credential.thumbprint.and_then(|print| files.find_map(|file| file.thumbprints.get(&print)));
        let Some(half) = half else { continue };
        credential.public_half = Some(half.clone());
        look.not_seen(
            format!("whether certificate {} of the application {app} is the one in the cluster", credential.key_id),
            "a look at it by hand, at Microsoft Entra: its public key".into(),
            "Microsoft Graph does not show it, and it was matched by a thumbprint (customKeyIdentifier) that the user who adds the certificate sets"
                .into(),
        );
    }
}

/// The expired ones and the active ones, each once. What the application and its service principal both list is the
/// application's, if they say the same of it: who writes one of the two chooses its ID.
pub(super) fn by_end(all: Vec<Credential>, now: &str) -> (Vec<Credential>, Vec<Credential>) {
    let (mut expired, mut active) = (Vec::new(), Vec::new());
    let (own, principal): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.of == Side::Application);
    for credential in own.into_iter().chain(principal) {
        let kept = if credential.is_expired(now) { &mut expired } else { &mut active };
        let is_same = |it: &Credential| Credential { of: credential.of, ..it.clone() } == credential;
        if !kept.iter().any(is_same) {
            kept.push(credential);
        }
    }
    for kept in [&mut expired, &mut active] {
        kept.sort_by(|a, b| a.key_id.cmp(&b.key_id));
    }
    (expired, active)
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
    // A key that was read tells more than the certificates beside it.
    let without_key = named.files.iter().filter(|(_, file)| !file.has_key);
    let (unread, read): (Vec<_>, Vec<_>) = without_key.partition(|(_, file)| file.thumbprints.is_empty());
    for (file, _) in unread {
        look.not_seen(
            format!("which client certificate {} logs in with", named.place),
            "a look at it by hand: the thumbprint of the certificate in that file".into(),
            format!(
                "{file} was not read, or holds it in a form of which no certificate is read, as PKCS#12: it may be one that the application {app} lists, and is counted beside them"
            ),
        );
    }
    // Those of the authorities that signed it may lie beside it.
    let is_named = |(thumbprint, half): (&Thumbprint, &String)| {
        all.iter().any(|it| it.thumbprint.as_ref() == Some(thumbprint)) || is_listed(half)
    };
    let others = read.into_iter().filter(|(_, file)| !file.thumbprints.iter().any(is_named));
    let others = others.map(|_| ("client certificate", "certificate of its key"));
    for (what, missing) in secrets.chain(certificates).chain(others) {
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

/// The user who adds a credential can give it the ID of another one. Those that share an ID are named by what they are as
/// well: an exception for one of them covers no other one.
pub(super) fn tell_apart(all: &mut [Issued]) {
    let mut count = BTreeMap::<_, usize>::new();
    for issued in all.iter() {
        *count.entry(issued.name.clone()).or_default() += 1;
    }
    for issued in all.iter_mut().filter(|issued| count[&issued.name] > 1) {
        issued.name = format!("{} ({})", issued.name, issued.what);
    }
}

#[cfg(test)]
#[path = "issued_tests.rs"]
mod tests;
