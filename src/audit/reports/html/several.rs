//! PURE. Several clusters on one page: the whole, what more than one of them holds, then each by itself.

use super::{
    element::{Html, block, element, of_text, raw, text},
    facts, gate, page, parts, proof, section, signatures,
    tables::table,
    verdict, word,
};
use crate::audit::{
    fleet::Shared,
    reports::{FleetEvidence, fleet::MemberEvidence},
};

pub(super) fn write(fleet: &FleetEvidence) -> String {
    let title = format!("keyless audit: {}, {}", word(fleet.outcome()), fleet.fleet.clusters_in_words());
    let main = [clusters(fleet), credentials(fleet)].into_iter();
    let each = fleet.members().flat_map(|(number, member)| of_member(fleet, number, &member));
    let main = main.chain(each).chain([proof(&fleet.json_digest())]);
    let body =
        [block("header", [raw("\n"), head(fleet)]), block("main", [raw("\n"), main.collect()]), signatures()];
    page(&title, body.into_iter().collect())
}

fn head(fleet: &FleetEvidence) -> Html {
    let facts = facts(&[
        ("Scope", fleet.fleet.clusters_in_words()),
        ("Audited at", fleet.time_in_words().replace('T', " ").replace('Z', " UTC")),
        ("Gate", gate(fleet.fleet.gate).to_owned()),
        ("Program", format!("keyless {}", fleet.version)),
    ]);
    [
        of_text("h1", "Audit of the long-lived credentials of several Kubernetes clusters"),
        verdict(fleet.outcome(), &fleet.fleet.headline()),
        facts,
    ]
    .into_iter()
    .collect()
}

fn clusters(fleet: &FleetEvidence) -> Html {
    let rows = fleet.members().map(|(number, member)| {
        block(
            "tr",
            [
                element("th scope=\"row\"", [text(&fleet.fleet.title(number))]),
                element("td", [text(&member.headline())]),
            ],
        )
    });
    let head = "<thead><tr><th scope=\"col\">Cluster</th><th scope=\"col\">Verdict</th></tr></thead>\n";
    section("Clusters", [table("table class=\"stack\"", head, rows)])
}

fn credentials(fleet: &FleetEvidence) -> Html {
    let all = fleet.fleet.shared();
    let rows = all.iter().map(|it| of_credential(fleet, it));
    let head = "<thead><tr><th scope=\"col\">Class</th><th scope=\"col\">Credential</th><th scope=\"col\">Clusters that hold it</th></tr></thead>\n";
    let shown = match all.is_empty() {
        true => of_text("p", "None was seen."),
        false => table("table class=\"stack\"", head, rows),
    };
    section("Credentials, each once over all clusters", [shown])
}

fn of_credential(fleet: &FleetEvidence, it: &Shared<'_>) -> Html {
    let excepted = if it.is_excepted() { ", excepted" } else { "" };
    let names: Vec<_> = it.members().into_iter().map(|number| fleet.name(number)).collect();
    block(
        "tr",
        [
            element("td class=\"fixed\"", [text(&format!("{}{excepted}", it.class.letter()))]),
            element("th scope=\"row\"", [text(&format!("{} ({})", it.what(), it.id()))]),
            element("td", [text(&names.join(", "))]),
        ],
    )
}

fn of_member(fleet: &FleetEvidence, number: usize, member: &MemberEvidence<'_>) -> Vec<Html> {
    let title = fleet.fleet.title(number);
    let outcome = fleet.outcome_of(number);
    let mut all = vec![section(&title, [verdict(outcome, &member.headline())])];
    if let Ok(evidence) = member.evidence {
        all.extend(parts(evidence));
    }
    all
}
