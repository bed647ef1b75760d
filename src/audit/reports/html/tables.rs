//! PURE. Numbers by class, what was looked at, and what each rule came to.

use super::{
    element::{Html, block, element, of_text, raw, text},
    section,
};
use crate::{
    audit::{
        exceptions::Excepted,
        reports::{Evidence, rules::judged},
        states::RuleState,
    },
    credentials::Class,
};

/// A zero is only shown where it was seen.
pub(super) fn classes(evidence: &Evidence) -> Html {
    let verdict = &evidence.verdict;
    let complete = evidence.outcome().is_complete();
    let counted = [Class::Root, Class::Platform, Class::Irreducible, Class::RootKey].map(|class| {
        let count = counted_as(verdict.count_of(class), complete);
        let must = if verdict.gate.covers(class) { "must be 0" } else { "listed" };
        (class.letter(), class.title(), class.meaning(), must, count)
    });
    let outputs = (
        'O',
        "output",
        "Secrets in which nothing was recognised, and that an ExternalSecret is proved to own",
        "a number",
        counted_as(verdict.outputs, complete),
    );
    let unmanaged = (
        'U',
        "unmanaged",
        "Other Secrets in which nothing was recognised",
        "a number",
        counted_as(verdict.unmanaged, complete),
    );
    let not_seen = Class::NotSeen;
    let not_seen = (
        not_seen.letter(),
        not_seen.title(),
        not_seen.meaning(),
        "must be 0",
        verdict.not_seen().to_string(),
    );
    let rows = counted.into_iter().chain([outputs, unmanaged, not_seen]).map(
        |(letter, title, meaning, must, count)| {
            block(
                "tr",
                [
                    element("td class=\"number\"", [text(&count)]),
                    element("th scope=\"row\" class=\"fixed\"", [text(&format!("{letter}, {title}"))]),
                    element("td", [text(meaning)]),
                    element("td class=\"fixed\"", [text(must)]),
                ],
            )
        },
    );
    let head = "<thead><tr><th scope=\"col\" class=\"number\">Credentials</th><th scope=\"col\">Class</th><th scope=\"col\">Meaning</th><th scope=\"col\">Gate</th></tr></thead>\n";
    section("Credentials by class", [table("table class=\"stack\"", head, rows)])
}

fn counted_as(count: usize, complete: bool) -> String {
    match count {
        0 if !complete => "none seen".to_owned(),
        count if !complete => format!("at least {count}"),
        count => count.to_string(),
    }
}

pub(super) fn looked(evidence: &Evidence) -> Html {
    let verdict = &evidence.verdict;
    let own = [("stores of External Secrets Operator", verdict.stores), ("generators", verdict.generators)];
    let own = own.into_iter().map(|(kind, count)| (kind.to_owned(), count));
    let looked = verdict.looked.iter().map(|(kind, count)| (kind.clone(), *count));
    let rows = own.chain(looked).map(|(kind, count)| {
        block(
            "tr",
            [
                element("td class=\"number\"", [text(&count.to_string())]),
                element("th scope=\"row\"", [text(&kind)]),
            ],
        )
    });
    let head = "<thead><tr><th scope=\"col\" class=\"number\">Objects</th><th scope=\"col\">Kind</th></tr></thead>\n";
    let missing = match verdict.not_seen() {
        0 => "Nothing of these kinds was refused or left out.".to_owned(),
        1 => "1 thing could not be read or judged: see above.".to_owned(),
        count => format!("{count} things could not be read or judged: see above."),
    };
    section(
        "What was looked at",
        [table("table class=\"whole\"", head, rows), of_text("p class=\"soft\"", &missing)],
    )
}

pub(super) fn rules(evidence: &Evidence) -> Html {
    let rows = judged(&evidence.verdict).into_iter().map(|it| {
        let tag = match it.state {
            RuleState::Pass => "td class=\"good fixed\"",
            RuleState::Fail => "td class=\"bad fixed\"",
            RuleState::Excepted | RuleState::NotEvaluated | RuleState::NotApplicable => {
                "td class=\"open fixed\""
            }
        };
        let why = match it.state {
            RuleState::Pass | RuleState::Fail => it.rule.meaning.to_owned(),
            RuleState::Excepted | RuleState::NotEvaluated | RuleState::NotApplicable => {
                format!("{}. {}", it.rule.meaning, it.why)
            }
        };
        block(
            "tr",
            [
                element("th scope=\"row\" class=\"mono\"", [text(it.rule.name)]),
                element(tag, [text(it.state.title())]),
                element("td", [text(&why)]),
            ],
        )
    });
    let head = "<thead><tr><th scope=\"col\">Code</th><th scope=\"col\">Result</th><th scope=\"col\">Rule or kind of credential</th></tr></thead>\n";
    section("Rules", [table("table class=\"stack\"", head, rows)])
}

/// Who answers for what, why, and until when.
pub(super) fn exceptions(excepted: &[Excepted]) -> Html {
    let rows = excepted.iter().map(|it| {
        block(
            "tr",
            [
                element("th scope=\"row\"", [text(&it.root.id)]),
                element("td", [text(&it.owner)]),
                element("td", [text(&it.reason)]),
                element("td class=\"fixed\"", [text(&it.until)]),
                element("td", [text(it.control.as_deref().unwrap_or("none named"))]),
            ],
        )
    });
    let head = "<thead><tr><th scope=\"col\">Credential</th><th scope=\"col\">Owner</th><th scope=\"col\">Reason</th><th scope=\"col\">Last day</th><th scope=\"col\">Control</th></tr></thead>\n";
    table("table class=\"stack\"", head, rows)
}

pub(super) fn table(tag: &'static str, head: &'static str, rows: impl Iterator<Item = Html>) -> Html {
    let body = block("tbody", std::iter::once(raw("\n")).chain(rows));
    block(tag, [raw("\n"), raw(head), body])
}
