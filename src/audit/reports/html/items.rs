//! PURE. What was found, piece by piece: where it lies, what it opens, and what removes it.

use super::{
    element::{Html, block, element, of_text, raw, text},
    section as titled, tables,
};
use crate::audit::{
    exceptions::Excepted,
    reports::item::{Bearing, Item},
};

/// More are in the JSON result.
const MOST_PLACES: usize = 30;

/// What is excepted, in one table, then piece by piece as anything else that is there.
pub(super) fn excepted(items: &[Item], excepted: &[Excepted]) -> Html {
    if excepted.is_empty() {
        return Html::default();
    }
    let cards = items.iter().filter(|item| item.excepted.is_some()).map(card);
    titled(
        &format!("Excepted ({})", excepted.len()),
        std::iter::once(tables::exceptions(excepted)).chain(cards),
    )
}

/// Of these items, those with this bearing; nothing where there are none.
pub(super) fn section(title: &str, items: &[Item], bearing: Bearing) -> Html {
    let of: Vec<_> = items.iter().filter(|item| item.bearing == bearing && item.excepted.is_none()).collect();
    if of.is_empty() {
        return Html::default();
    }
    titled(&format!("{title} ({})", of.len()), of.into_iter().map(card))
}

fn card(item: &Item) -> Html {
    let tag = match item.bearing {
        Bearing::Fails => "div class=\"item bad\"",
        Bearing::Open => "div class=\"item open\"",
        Bearing::Listed | Bearing::Note => "div class=\"item soft\"",
    };
    let class = item.class.map(|class| format!("Class {}, {} · ", class.letter(), class.title()));
    let label = format!("{}{} · {}", class.unwrap_or_default(), item.code, item.severity.name());
    let pieces = [
        raw("\n"),
        of_text("h3", &capital(&item.title)),
        of_text("p class=\"label\"", &label),
        if is_stored(item) { chain(item) } else { reasons(&item.reasons) },
        remedies(item),
    ];
    block(tag, pieces)
}

/// A credential: it lies somewhere, and something may use it.
fn is_stored(item: &Item) -> bool {
    matches!(item.bearing, Bearing::Fails | Bearing::Listed) && item.class.is_some()
}

/// Where it lies, and where it was met.
fn chain(item: &Item) -> Html {
    let mut places: Vec<_> = item.places.iter().take(MOST_PLACES).map(ToString::to_string).collect();
    match item.places.len().saturating_sub(MOST_PLACES) + item.more_places {
        0 => {}
        more => places.push(format!("and {more} more places")),
    }
    let box_of =
        |title, content: Html| block("div class=\"box\"", [raw("\n"), of_text("h4", title), content]);
    let arrow = raw(
        "<svg class=\"arrow\" viewBox=\"0 0 26 16\" aria-hidden=\"true\"><path d=\"M1 8h22M17 2l6 6-6 6\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/></svg>\n",
    );
    block(
        "div class=\"chain\"",
        [
            raw("\n"),
            box_of("Where it is", list(&places, true)),
            arrow,
            box_of("Why it counts", list(&item.reasons, false)),
        ],
    )
}

fn reasons(reasons: &[String]) -> Html {
    reasons.iter().map(|reason| of_text("p", &capital(reason))).collect()
}

fn remedies(item: &Item) -> Html {
    let texts = item.remedies.iter().map(|remedy| of_text("p", remedy));
    let title = if item.bearing == Bearing::Note { "What to know" } else { "What to do" };
    let heading = [raw("\n"), of_text("h4", title)];
    block("div class=\"remedy\"", heading.into_iter().chain(texts))
}

fn list(texts: &[String], mono: bool) -> Html {
    let items = texts.iter().map(|it| match mono {
        true => block("li", [element("code", [text(it)])]),
        false => of_text("li", it),
    });
    block("ul class=\"plain\"", std::iter::once(raw("\n")).chain(items))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", chars.as_str())
}
