//! PURE. What is new, gone, moved, or was not looked at again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    place::{Places, beyond},
    saved::{Known, Named, Saved},
};
use crate::{
    audit::{exceptions::is_place, verdict::Outcome},
    credentials::Class,
};

/// What two results differ in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Difference {
    pub(super) new: Vec<One>,
    /// The later audit looked completely, and they are not there.
    pub(super) gone: Vec<One>,
    /// They are not in the later result, which does not prove that they are gone. With the reason.
    pub(super) not_seen: Vec<(One, String)>,
    pub(super) moved: Vec<Move>,
    pub(super) new_findings: Vec<Named>,
    pub(super) gone_findings: Vec<Named>,
    pub(super) findings_not_seen: Vec<Named>,
    /// What the two results come to as a whole got worse.
    pub(super) is_worse: bool,
    /// The later audit looked at everything.
    pub(super) is_complete: bool,
}

/// A credential of one of the two results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct One {
    pub(super) id: String,
    pub(super) what: String,
    pub(super) class: Class,
    pub(super) places: Vec<String>,
    pub(super) more: usize,
}

/// A credential of both, and what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) id: String,
    pub(super) what: String,
    /// Before, and after.
    pub(super) class: (Class, Class),
    pub(super) is_excepted: (bool, bool),
    pub(super) new_places: Vec<String>,
    pub(super) gone_places: Vec<String>,
    pub(super) places_not_seen: Vec<String>,
}

/// What a script is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The later audit looked at everything, and nothing is new.
    NothingNew,
    /// Something is new, or got worse.
    New,
    /// Nothing new was seen, but the later audit is incomplete.
    NotEstablished,
}

impl Difference {
    pub(crate) fn answer(&self) -> Answer {
        let is_new = !self.new.is_empty()
            || !self.new_findings.is_empty()
            || self.moved.iter().any(Move::is_worse)
            || self.is_worse;
        match (is_new, self.is_complete) {
            (true, _) => Answer::New,
            (false, true) => Answer::NothingNew,
            (false, false) => Answer::NotEstablished,
        }
    }
}

impl Difference {
    /// With every text passed through a function. No member is left out: one that is new must be decided on here.
    pub(super) fn clean(&self, clean: &dyn Fn(&str) -> String) -> Self {
        let Self {
            new,
            gone,
            not_seen,
            moved,
            new_findings,
            gone_findings,
            findings_not_seen,
            is_worse,
            is_complete,
        } = self;
        let texts = |all: &[String]| all.iter().map(|text| clean(text)).collect::<Vec<_>>();
        let one = |it: &One| One {
            id: clean(&it.id),
            what: clean(&it.what),
            places: texts(&it.places),
            ..it.clone()
        };
        let moved = moved.iter().map(|it| Move {
            id: clean(&it.id),
            what: clean(&it.what),
            new_places: texts(&it.new_places),
            gone_places: texts(&it.gone_places),
            places_not_seen: texts(&it.places_not_seen),
            ..it.clone()
        });
        let findings = |all: &[Named]| -> Vec<_> {
            let clean =
                |it: &Named| Named { code: clean(&it.code), object: clean(&it.object), why: clean(&it.why) };
            all.iter().map(clean).collect()
        };
        Self {
            new: new.iter().map(one).collect(),
            gone: gone.iter().map(one).collect(),
            not_seen: not_seen.iter().map(|(it, why)| (one(it), clean(why))).collect(),
            moved: moved.collect(),
            new_findings: findings(new_findings),
            gone_findings: findings(gone_findings),
            findings_not_seen: findings(findings_not_seen),
            is_worse: *is_worse,
            is_complete: *is_complete,
        }
    }
}

impl Move {
    /// It lies in a further place, opens more than before, or no exception covers it any more.
    pub(super) fn is_worse(&self) -> bool {
        // Classes are ordered: the worst is the first.
        !self.new_places.is_empty() || self.class.1 < self.class.0 || self.is_excepted == (true, false)
    }

    fn is_nothing(&self) -> bool {
        !self.is_worse()
            && self.class.0 == self.class.1
            && self.is_excepted.0 == self.is_excepted.1
            && self.gone_places.is_empty()
            && self.places_not_seen.is_empty()
    }
}

impl One {
    fn of(known: &Known) -> Self {
        Self {
            id: known.id.clone(),
            what: known.what.clone(),
            class: known.class,
            places: known.places.iter().map(ToString::to_string).collect(),
            more: known.more,
        }
    }
}

/// Compares two results of one cluster. A credential is in both if both name it by the same public ID; one without a
/// public ID, if it lies in the same place and is of the same kinds.
pub(crate) fn difference(before: &Saved, after: &Saved) -> Difference {
    let mut known: BTreeMap<_, VecDeque<&Known>> = BTreeMap::new();
    for it in &before.credentials {
        known.entry(name(it)).or_default().push_back(it);
    }
    let is_complete = after.is_complete();
    let (mut new, mut moved) = (Vec::new(), Vec::new());
    for it in &after.credentials {
        match known.get_mut(&name(it)).and_then(VecDeque::pop_front) {
            Some(former) => moved.extend(of_both(former, it, is_complete)),
            None => new.push(One::of(it)),
        }
    }
    let (mut gone, mut not_seen) = (Vec::new(), Vec::new());
    let lying =
        Places::of(after.credentials.iter().flat_map(|it| it.places.iter().map(move |place| (place, it))));
    for it in known.values().flatten() {
        match why_not_gone(it, &lying, is_complete) {
            None => gone.push(One::of(it)),
            Some(why) => not_seen.push((One::of(it), why)),
        }
    }
    let (new_findings, missing) = findings(&before.findings, &after.findings);
    let (gone_findings, findings_not_seen) =
        if is_complete { (missing, Vec::new()) } else { (Vec::new(), missing) };
    new.sort_by(by_class);
    gone.sort_by(by_class);
    not_seen.sort_by(|(a, _), (b, _)| by_class(a, b));
    moved.sort_by(|a, b| (a.class.1, &a.id).cmp(&(b.class.1, &b.id)));
    Difference {
        new,
        gone,
        not_seen,
        moved,
        new_findings,
        gone_findings,
        findings_not_seen,
        is_worse: is_worse(before.outcome, after.outcome),
        is_complete,
    }
}

fn by_class(a: &One, b: &One) -> std::cmp::Ordering {
    (a.class, &a.id, &a.places).cmp(&(b.class, &b.id, &b.places))
}

/// By what a credential is known again: a place says nothing about what lies there.
fn name(known: &Known) -> (&str, Option<&BTreeSet<String>>) {
    let is_public = !known.id.is_empty() && !is_place(&known.id);
    (&known.id, (!is_public).then_some(&known.kinds))
}

fn of_both(before: &Known, after: &Known, is_complete: bool) -> Option<Move> {
    let missing = beyond(&before.places, &after.places);
    // Where not all places are named, one that is not named may be among the others.
    let (gone_places, places_not_seen) =
        if is_complete && after.more == 0 { (missing, Vec::new()) } else { (Vec::new(), missing) };
    let mut new_places = beyond(&after.places, &before.places);
    if after.more > before.more && new_places.is_empty() {
        new_places.push(format!("{} places that the report does not name", after.more - before.more));
    }
    let it = Move {
        id: after.id.clone(),
        what: after.what.clone(),
        class: (before.class, after.class),
        is_excepted: (before.is_excepted, after.is_excepted),
        new_places,
        gone_places,
        places_not_seen,
    };
    (!it.is_nothing()).then_some(it)
}

/// Why a credential that is not in the later result is not proved to be gone; `None`: it is.
fn why_not_gone(it: &Known, lying: &Places<'_, &Known>, is_complete: bool) -> Option<String> {
    if !is_complete {
        return Some("the later audit is incomplete".to_owned());
    }
    // One with a public ID is gone.
    name(it).1?;
    // Without one, what lies in its place now may be the same one, recognised better.
    let other = it.places.iter().find_map(|place| lying.at(place).next())?;
    Some(format!("another credential lies in its place now, and may be the same one: {}", other.id))
}

/// Those that are new, and those that are missing.
fn findings(before: &[Named], after: &[Named]) -> (Vec<Named>, Vec<Named>) {
    let key = |it: &Named| (it.code.clone(), it.object.clone());
    let mut known: BTreeMap<_, VecDeque<&Named>> = BTreeMap::new();
    for it in before {
        known.entry(key(it)).or_default().push_back(it);
    }
    let is_new = |it: &&Named| known.get_mut(&key(it)).and_then(VecDeque::pop_front).is_none();
    let mut new: Vec<_> = after.iter().filter(is_new).cloned().collect();
    let mut missing: Vec<_> = known.into_values().flatten().cloned().collect();
    new.sort();
    missing.sort();
    (new, missing)
}

/// Whether the later verdict says less, or something worse.
fn is_worse(before: Outcome, after: Outcome) -> bool {
    let rank = |outcome| match outcome {
        Outcome::Zero => 0,
        Outcome::ZeroExcept => 1,
        Outcome::Incomplete | Outcome::NothingToJudge => 2,
        Outcome::Found { .. } => 3,
    };
    rank(after) > rank(before) || before.is_complete() && !after.is_complete()
}
