//! PURE. One page for people who read, print and sign: no script, nothing from elsewhere, light and dark, and on paper.

mod element;
mod items;
mod record;
mod several;
mod tables;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};

use self::element::{Html, block, element, of_text, raw, text};
use super::{
    Evidence, Format,
    escape::markup,
    item::{Bearing, items},
};
use crate::audit::{Outcome, leg::LegState};

pub(super) const FORMAT: Format = Format {
    id: "html",
    extension: "html",
    summary: "One page to read, print and sign, without scripts",
    write,
    several: Some(several::write),
};

const STYLE: &str = include_str!("style.css");

fn write(evidence: &Evidence) -> String {
    let title = format!("keyless audit: {}, {}", word(evidence.outcome()), evidence.cluster_name());
    page(&title, body(evidence))
}

fn page(title: &str, body: Html) -> String {
    // The browser holds the page to it: no script, no request, this style only.
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        markup(title),
        body.into_text(),
    )
}

/// One word or two, as the headline has them.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Zero => "ZERO",
        Outcome::ZeroExcept => "NONE BUT EXCEPTIONS",
        Outcome::Found { complete: true } => "FOUND",
        Outcome::Found { complete: false } => "FOUND, and INCOMPLETE",
        Outcome::Incomplete => "INCOMPLETE",
        Outcome::NothingToJudge => "NOTHING TO JUDGE",
    }
}

/// What it means, for those who see such a page for the first time.
fn reading(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Zero => {
            "Everything listed below was looked at, and nothing that must not be there was found."
        }
        Outcome::ZeroExcept => {
            "Everything listed below was looked at. What is excepted is there, and is listed with its owner; nothing else that must not be there was found."
        }
        Outcome::Found { complete: true } => {
            "Everything listed below was looked at. What was found is listed with the change that removes it."
        }
        Outcome::Found { complete: false } => {
            "What was found is listed with the change that removes it. Not everything could be read or judged: there may be more."
        }
        Outcome::Incomplete => {
            "This is not a pass. Nothing within the gate was found, but not everything could be read or judged: what is missing is listed below."
        }
        Outcome::NothingToJudge => "This is not a pass. There was nothing to judge, so nothing was proved.",
    }
}

fn body(evidence: &Evidence) -> Html {
    let main = parts(evidence).into_iter().chain([proof(&evidence.json_digest())]);
    [block("header", [raw("\n"), head(evidence)]), block("main", [raw("\n"), main.collect()]), signatures()]
        .into_iter()
        .collect()
}

/// Everything about one cluster.
fn parts(evidence: &Evidence) -> Vec<Html> {
    let items = items(&evidence.verdict);
    let section = |title, bearing| items::section(title, &items, bearing);
    vec![
        legs(evidence),
        tables::classes(evidence),
        section("What must not be there", Bearing::Fails),
        section("Not read or not judged", Bearing::Open),
        items::excepted(&items, &evidence.verdict.excepted),
        section("Listed: within the limits of the gate", Bearing::Listed),
        section("Notes", Bearing::Note),
        tables::looked(evidence),
        record::logins(evidence),
        record::made(evidence),
        beyond(evidence),
        tables::rules(evidence),
    ]
}

fn head(evidence: &Evidence) -> Html {
    let gate = match evidence.gate() {
        "platform" => "platform: nothing may open a cloud, a secret store or a part of the platform",
        _ => "mission: nothing may open a cloud or a secret store",
    };
    let facts = facts(&[
        ("Cluster", evidence.context().unwrap_or("of this pod").to_owned()),
        ("API server", evidence.server().unwrap_or("not known").to_owned()),
        ("Cluster UID", evidence.cluster_uid().unwrap_or("not readable").to_owned()),
        ("Audited at", evidence.time_in_words().replace('T', " ").replace('Z', " UTC")),
        ("Gate", gate.to_owned()),
        ("Program", format!("keyless {}", evidence.version)),
    ]);
    [
        of_text("h1", "Audit of the long-lived credentials of a Kubernetes cluster"),
        verdict(evidence.outcome(), &evidence.verdict.headline()),
        facts,
    ]
    .into_iter()
    .collect()
}

fn verdict(outcome: Outcome, headline: &str) -> Html {
    let tag = match outcome {
        Outcome::Zero => "div class=\"verdict good\"",
        Outcome::Found { .. } => "div class=\"verdict bad\"",
        Outcome::ZeroExcept | Outcome::Incomplete | Outcome::NothingToJudge => "div class=\"verdict open\"",
    };
    let verdict = [
        raw("\n"),
        of_text("p class=\"word\"", word(outcome)),
        of_text("p class=\"headline\"", headline),
        of_text("p class=\"reading\"", reading(outcome)),
    ];
    block(tag, verdict)
}

fn facts(facts: &[(&str, String)]) -> Html {
    let facts = facts.iter().flat_map(|(name, value)| [element("dt", [text(name)]), of_text("dd", value)]);
    block("dl class=\"facts\"", std::iter::once(raw("\n")).chain(facts))
}

fn legs(evidence: &Evidence) -> Html {
    let legs = evidence.verdict.legs().map(|leg| {
        let state = match leg.state {
            LegState::Zero => "span class=\"state good\"",
            LegState::Found => "span class=\"state bad\"",
            LegState::Excepted | LegState::Incomplete | LegState::NothingToJudge => {
                "span class=\"state open\""
            }
            LegState::NotLookedAt => "span class=\"state soft\"",
        };
        block(
            "li",
            [
                element("span class=\"name\"", [text(leg.name.title())]),
                element(state, [text(leg.state.title())]),
                element("span class=\"question\"", [text(leg.name.question())]),
            ],
        )
    });
    let list = block("ul class=\"legs\"", std::iter::once(raw("\n")).chain(legs));
    section("Three sides", [list])
}

fn beyond(evidence: &Evidence) -> Html {
    let text = format!("This audit says nothing about: {}.", evidence.verdict.beyond());
    section("Beyond this audit", [of_text("p", &text)])
}

fn proof(digest: &str) -> Html {
    section(
        "Evidence",
        [
            of_text(
                "p",
                "This page is derived from the JSON result of the same run, which has this SHA-256 digest:",
            ),
            of_text("p class=\"digest\"", digest),
            block(
                "p",
                [
                    text("With that file beside this page, "),
                    element("code", [text("sha256sum audit.json")]),
                    text(" prints the same digits. No value of a credential is in either."),
                ],
            ),
        ],
    )
}

fn signatures() -> Html {
    let lines = ["Name", "Date", "Signature"].map(|name| of_text("p", name));
    block("footer", [raw("\n"), block("div class=\"sign\"", std::iter::once(raw("\n")).chain(lines))])
}

fn section(title: &str, content: impl IntoIterator<Item = Html>) -> Html {
    let heading = [raw("\n"), of_text("h2", title)];
    block("section", heading.into_iter().chain(content))
}
