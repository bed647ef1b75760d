//! PURE. A comparison as text.

use super::{
    difference::{Answer, Difference, Move, One},
    saved::{Named, Saved},
};
use crate::rfc3339::rfc3339;

/// Of each sort; JSON has all of them.
const MOST: usize = 200;
/// Of one credential.
const MOST_PLACES: usize = 20;

impl Difference {
    /// The one line that matters.
    pub(super) fn headline(&self, before: &Saved, after: &Saved) -> String {
        let worse = self.moved.iter().filter(|it| it.is_worse()).count();
        let counts = [
            (self.new.len(), "new credential", "new credentials"),
            (worse, "known credential that got worse", "known credentials that got worse"),
            (self.new_findings.len(), "new finding", "new findings"),
        ];
        let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
        let counts: Vec<_> = counts
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        let verdicts = format!("{} before, {} after", verdict(before), verdict(after));
        match self.answer() {
            Answer::New if counts.is_empty() => {
                format!("WORSE: nothing new was seen; the verdict: {verdicts}")
            }
            Answer::New => format!("NEW: {}; the verdict: {verdicts}", counts.join(", ")),
            Answer::NothingNew => format!("NOTHING NEW; the verdict: {verdicts}"),
            Answer::NotEstablished => {
                format!(
                    "NOT ESTABLISHED: nothing new was seen, but the later audit is incomplete; the verdict: {verdicts}"
                )
            }
        }
    }

    /// For people, the headline first.
    pub(crate) fn lines(&self, before: &Saved, after: &Saved) -> Vec<String> {
        let mut lines = vec![self.headline(before, after)];
        section(&mut lines, &self.new, |it| of_one("new", it, None));
        section(&mut lines, &self.moved, of_move);
        section(&mut lines, &self.new_findings, |it| vec![of_finding("new finding", it)]);
        section(&mut lines, &self.gone, |it| of_one("gone", it, None));
        section(&mut lines, &self.gone_findings, |it| vec![of_finding("finding gone", it)]);
        section(&mut lines, &self.not_seen, |(it, why)| of_one("not seen", it, Some(why)));
        section(&mut lines, &self.findings_not_seen, |it| vec![of_finding("finding not seen", it)]);
        lines.push(String::new());
        lines.push(side("before", before));
        lines.push(side("after", after));
        if before.gate != after.gate {
            lines.push("the gates differ: the two verdicts do not ask the same".to_owned());
        }
        if before.mode != after.mode {
            lines.push(
                "the modes differ: what one of them does not see is new in the other, or not seen in it"
                    .to_owned(),
            );
        }
        lines
    }
}

/// As a verdict is written in the headline of an audit.
fn verdict(saved: &Saved) -> String {
    let incomplete =
        if saved.outcome.name() == "found" && !saved.is_complete() { " (incomplete)" } else { "" };
    format!("{}{incomplete}", saved.outcome.name())
}

fn side(name: &str, saved: &Saved) -> String {
    let time = saved.started.map_or("at an unknown time".to_owned(), rfc3339);
    format!(
        "{name}: {time}, gate {}, mode {}, {} not seen: {}",
        saved.gate.name(),
        saved.mode.name(),
        saved.not_seen,
        saved.headline
    )
}

fn section<T>(lines: &mut Vec<String>, all: &[T], of: impl Fn(&T) -> Vec<String>) {
    for it in all.iter().take(MOST) {
        lines.push(String::new());
        lines.extend(of(it));
    }
    if all.len() > MOST {
        lines.push(format!("and {} more: -o json has all", all.len() - MOST));
    }
}

fn of_one(title: &str, it: &One, why: Option<&str>) -> Vec<String> {
    let mut lines = vec![format!("{title} ({}): {}", it.class.letter(), it.what)];
    lines.push(format!("   id:        {}", it.id));
    places(&mut lines, "lies in:", &it.places, it.more);
    lines.extend(why.map(|why| format!("   why:       {why}")));
    lines
}

fn of_move(it: &Move) -> Vec<String> {
    let mut lines = vec![format!("moved ({}): {}", it.class.1.letter(), it.what)];
    lines.push(format!("   id:        {}", it.id));
    if it.class.0 != it.class.1 {
        lines.push(format!("   class:     {}, before: {}", it.class.1.title(), it.class.0.title()));
    }
    lines.extend(match it.is_excepted {
        (true, false) => Some("   exception: none covers it any more".to_owned()),
        (false, true) => Some("   exception: one covers it now".to_owned()),
        _ => None,
    });
    places(&mut lines, "new in:  ", &it.new_places, 0);
    places(&mut lines, "gone from:", &it.gone_places, 0);
    places(&mut lines, "not seen in:", &it.places_not_seen, 0);
    lines
}

fn places(lines: &mut Vec<String>, title: &str, places: &[String], more: usize) {
    lines.extend(places.iter().take(MOST_PLACES).map(|place| format!("   {title}   {place}")));
    let more = places.len().saturating_sub(MOST_PLACES).saturating_add(more);
    lines.extend((more > 0).then(|| format!("   {title}   {more} more places")));
}

fn of_finding(title: &str, it: &Named) -> String {
    format!("{title}: {}: {}  [{}]", it.object, it.why, it.code)
}
