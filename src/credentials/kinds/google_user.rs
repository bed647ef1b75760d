//! PURE. Logins of persons at Google (`gcloud auth application-default login`).

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::mark,
    text::{after, is_placeholder},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL103",
    id: "google-user",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a login of a person at Google",
    recognised: "A JSON object that calls itself `authorized_user` (or `external_account_authorized_user`) with a `refresh_token`.",
    remedy: "Let the workload log in by workload identity federation; then gcloud auth revoke, as that person.",
    find,
};

const TYPES: [&str; 2] = ["authorized_user", "external_account_authorized_user"];

fn find(part: &Part<'_>, finds: &mut Finds) {
    let by_members =
        part.get("refreshtoken").filter(|_| part.get("type").is_some_and(|it| TYPES.contains(&it)));
    let in_text = || {
        let text = part.text_with(const { mark("authorized_user") })?;
        // Google's refresh tokens begin so.
        after(text, "1//", "-_").find(|token| token.len() >= 20)
    };
    if let Some(token) = by_members.or_else(in_text).filter(|token| !is_placeholder(token)) {
        let token = token.strip_prefix("1//").unwrap_or(token);
        finds.add(
            &KIND,
            Who::Same(Same::of(token.as_bytes())),
            "a person's Google login (authorized_user)".into(),
        );
    } else if part.object.is_some()
        && part.get("type").is_some_and(|it| TYPES.contains(&it))
        && part.get("refreshtoken").is_none()
        && part.get("clientsecret").is_some_and(|it| !is_placeholder(it))
    {
        // A part of it is somewhere else.
        let secret = part.get("clientsecret").unwrap_or_default();
        finds.add(
            &KIND,
            Who::Same(Same::of(secret.as_bytes())),
            "a person's Google login (authorized_user)".into(),
        );
    }
}
