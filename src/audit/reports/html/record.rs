//! PURE. How the audit was made: who asked, which lists were read, and with what stores and generators log in.

use super::{
    element::{Html, block, element, of_text, text},
    section,
    tables::table,
};
use crate::audit::{record::LoggingIn, reports::Evidence};

/// For an auditor who repeats it.
pub(super) fn made(evidence: &Evidence) -> Html {
    let record = &evidence.verdict.record;
    let rows = record.facts.lists.iter().map(|it| {
        let place = it.namespace.as_deref().unwrap_or("all");
        let place =
            if it.selector.is_empty() { place.to_owned() } else { format!("{place}, {}", it.selector) };
        block(
            "tr",
            [
                element("td class=\"number\"", [text(&it.objects.to_string())]),
                element("th scope=\"row\"", [text(&it.resource)]),
                element("td", [text(&place)]),
                element("td class=\"mono\"", [text(it.version.as_deref().unwrap_or("not known"))]),
            ],
        )
    });
    let head = "<thead><tr><th scope=\"col\" class=\"number\">Objects</th><th scope=\"col\">List</th><th scope=\"col\">Namespace</th><th scope=\"col\">resourceVersion</th></tr></thead>\n";
    section("How it was made", [of_text("p", &record.in_words()), table("table class=\"stack\"", head, rows)])
}

/// Every store and generator, also those in which nothing was found.
pub(super) fn logins(evidence: &Evidence) -> Html {
    let all = &evidence.verdict.record.logins;
    let rows = all.iter().map(|it| {
        block(
            "tr",
            [
                element("th scope=\"row\"", [text(&it.object)]),
                element("td", [text(&it.provider)]),
                element("td", [text(it.login)]),
                element("td", [text(&claimed(it))]),
            ],
        )
    });
    let head = "<thead><tr><th scope=\"col\">Store or generator</th><th scope=\"col\">Provider</th><th scope=\"col\">Logs in with</th><th scope=\"col\">Its objects claim</th></tr></thead>\n";
    let note = match all.len() {
        0 => "There is none whose provider is known by name.",
        _ => "What the status of objects claims is not proved.",
    };
    section(
        "Stores and generators",
        [table("table class=\"stack\"", head, rows), of_text("p class=\"soft\"", note)],
    )
}

fn claimed(it: &LoggingIn) -> String {
    let claimed = &it.claimed;
    let since = claimed.ready_since.as_ref().map(|time| format!(" since {time}")).unwrap_or_default();
    let ready = match claimed.ready {
        Some(true) => format!("ready{since}"),
        Some(false) => format!("not ready{since}"),
        None => "no state".to_owned(),
    };
    let refreshed = match &claimed.refreshed_at {
        Some(time) => format!("last refresh {time}"),
        None => "no refresh".to_owned(),
    };
    format!("{ready}; {} users, {refreshed}", claimed.users)
}
