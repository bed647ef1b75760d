//! PURE. What a verdict consists of, as one list: credentials, findings, what could not be judged or read, and notes.

use std::collections::BTreeSet;

use super::place::Place;
use crate::{
    audit::{
        Hit,
        catalogue::{Described, catalogue, code_of},
        exceptions::Excepted,
        verdict::{Gate, Root, Verdict},
    },
    cluster::objects::Unseen,
    credentials::{Class, Severity},
};

/// The code of what no rule could look at, because it could not be read.
pub(super) const NOT_SEEN: &str = "not-seen";

/// What one thing means for the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bearing {
    /// It must not be there.
    Fails,
    /// It is not known what it is, or it could not be read: the verdict is incomplete.
    Open,
    /// A credential that the gate lets through.
    Listed,
    /// Worth knowing.
    Note,
}

/// One thing that a verdict names.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) bearing: Bearing,
    /// Its place in the list.
    pub(super) number: usize,
    /// Of the first rule that named it; [`NOT_SEEN`].
    pub(super) code: &'static str,
    /// Of every rule and kind of credential that named it.
    pub(super) codes: Vec<&'static str>,
    /// Of a credential.
    pub(super) class: Option<Class>,
    pub(super) severity: Severity,
    /// Stays the same as long as the thing stays where it is.
    pub(super) id: String,
    /// One sentence without its full stop.
    pub(super) title: String,
    /// Where each was met, and why it counts.
    pub(super) reasons: Vec<String>,
    pub(super) remedies: Vec<String>,
    /// The first is where it was met first.
    pub(super) places: Vec<Place>,
    /// Places beyond those that are named.
    pub(super) more_places: usize,
    /// Who answers for it.
    pub(super) excepted: Option<Excuse>,
}

/// By what a credential is excepted.
#[derive(Clone, Debug)]
pub(super) struct Excuse {
    pub(super) reason: String,
    pub(super) owner: String,
    /// The last day.
    pub(super) until: String,
    pub(super) control: Option<String>,
}

impl Item {
    /// Everything in one line.
    pub(super) fn message(&self) -> String {
        let reasons = self.reasons.join("; ");
        let more = match self.more_places {
            0 => String::new(),
            count => format!(" ({count} more places)"),
        };
        if reasons.is_empty() {
            format!("{}{more}", self.title)
        } else {
            format!("{}: {reasons}{more}", self.title)
        }
    }

    pub(super) fn remedy(&self) -> String {
        self.remedies.join(" Or: ")
    }
}

/// Everything that a verdict names, what must not be there first.
pub(super) fn items(verdict: &Verdict) -> Vec<Item> {
    let credentials =
        verdict.roots.iter().chain(&verdict.others).map(|root| of_credential(root, verdict.gate));
    let of = |hits: &[Hit], bearing| hits.iter().map(|hit| of_hit(hit, bearing)).collect::<Vec<_>>();
    let mut all: Vec<_> = credentials.collect();
    all.extend(verdict.excepted.iter().map(of_excepted));
    all.extend(of(&verdict.findings, Bearing::Fails));
    all.extend(of(&verdict.unknown, Bearing::Open));
    all.extend(verdict.unseen.iter().map(of_unseen));
    all.extend(of(&verdict.notes, Bearing::Note));
    // Stable: within a bearing the order of the verdict.
    all.sort_by_key(|item| item.bearing);
    all.iter_mut().enumerate().for_each(|(number, item)| item.number = number);
    all
}

/// What is known of a code in general.
pub(super) fn described(code: &str) -> Option<Described> {
    catalogue().into_iter().find(|it| it.name == code)
}

/// Where a credential lies, then which other objects it was met at.
fn places_of(root: &Root) -> Vec<Place> {
    let lies = root.secrets.iter().map(Place::of_secret);
    let lies = lies.chain(root.config_maps.iter().map(Place::of_config_map));
    let lies = lies.chain(root.objects.iter().map(|object| Place::read(object)));
    let lies = unique(lies);
    let objects: BTreeSet<_> = lies.iter().map(Place::whole).collect();
    let met = unique(root.hits.iter().map(|hit| Place::read(&hit.place)));
    let met = met.into_iter().filter(|place| !objects.contains(&place.whole()));
    lies.iter().cloned().chain(met).collect()
}

fn of_credential(root: &Root, gate: Gate) -> Item {
    let codes: Vec<_> = root.hits.iter().map(|hit| code_of(hit.rule)).collect();
    let severities = codes.iter().filter_map(|code| described(code));
    let remedies: BTreeSet<_> = root.hits.iter().map(|hit| hit.remedy.clone()).collect();
    Item {
        bearing: if gate.covers(root.class) { Bearing::Fails } else { Bearing::Listed },
        number: 0,
        code: codes.first().copied().unwrap_or_default(),
        class: Some(root.class),
        severity: severities.map(|it| it.severity).min().unwrap_or(Severity::Critical),
        id: root.id.clone(),
        title: root.what.clone(),
        reasons: root.hits.iter().map(|hit| format!("{}: {}", hit.place, hit.why)).collect(),
        remedies: remedies.into_iter().collect(),
        places: places_of(root),
        more_places: root.more,
        excepted: None,
        codes: {
            let of_rules = root.rules.iter().map(|id| code_of(id));
            let all: BTreeSet<_> = codes.iter().copied().chain(of_rules).collect();
            all.into_iter().collect()
        },
    }
}

/// Listed, whatever the gate covers: someone answers for it.
fn of_excepted(it: &Excepted) -> Item {
    let control = it.control.iter().map(|control| format!("; control: {control}"));
    let control: String = control.collect();
    let by = format!("excepted until {} by {}: {}{control}", it.until, it.owner, it.reason);
    let item = of_credential(&it.root, Gate::Mission);
    let excuse = Excuse {
        reason: it.reason.clone(),
        owner: it.owner.clone(),
        until: it.until.clone(),
        control: it.control.clone(),
    };
    Item {
        bearing: Bearing::Listed,
        reasons: [vec![by], item.reasons].concat(),
        excepted: Some(excuse),
        ..item
    }
}

fn of_hit(hit: &Hit, bearing: Bearing) -> Item {
    let code = code_of(hit.rule);
    Item {
        bearing,
        number: 0,
        code,
        codes: vec![code],
        class: None,
        severity: described(code).map_or(Severity::Medium, |it| it.severity),
        id: format!("{code}:{}:{}", hit.place, hit.why),
        title: hit.place.clone(),
        reasons: vec![hit.why.clone()],
        remedies: vec![hit.remedy.clone()],
        places: vec![Place::read(&hit.place)],
        more_places: 0,
        excepted: None,
    }
}

fn of_unseen(unseen: &Unseen) -> Item {
    Item {
        bearing: Bearing::Open,
        number: 0,
        code: NOT_SEEN,
        codes: vec![NOT_SEEN],
        class: Some(Class::NotSeen),
        severity: Severity::High,
        id: format!("{NOT_SEEN}:{}:{}", unseen.what, unseen.right),
        title: format!("{} could not be read", unseen.what),
        reasons: vec![unseen.why.clone()],
        remedies: vec![format!("Let the audit read it: {}.", unseen.right)],
        places: vec![Place {
            kind: "Cluster".into(),
            namespace: None,
            name: unseen.what.clone(),
            path: None,
        }],
        more_places: 0,
        excepted: None,
    }
}

fn unique(places: impl Iterator<Item = Place>) -> Vec<Place> {
    let mut seen = BTreeSet::new();
    places.filter(|place| seen.insert(place.clone())).collect()
}
