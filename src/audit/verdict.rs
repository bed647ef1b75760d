//! From hits to one verdict. [`Outcome`] decides it all: the headline, the count, whether it is complete, and the exit
//! code are derived from it, so that none of them can say something else.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use super::outcome::Outcome;
use super::{
    Hit, Identity, Opens, RULES, Scene, Weight, claims, cloud,
    count::{Used, see, take},
    exceptions::Excepted,
    leg::{LegName, LegState},
    record::Record,
};
use crate::{
    cluster::{
        objects::Unseen,
        snapshot::{ConfigMapKey, Inventory, Mode, SecretKey},
    },
    credentials::{Class, Halves, Outside},
    federation::cloud::CloudLook,
};

/// What the audit came to.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// How far it looked into Secrets.
    pub(crate) mode: Mode,
    /// Secrets by their metadata, in the mode that reads it.
    pub(crate) outside: Option<Outside>,
    /// Distinct long-lived credentials that open a cloud or a secret store.
    pub(crate) roots: Vec<Root>,
    /// Distinct ones of the other classes.
    pub(crate) others: Vec<Root>,
    /// Those for which someone answers: they are in none of the two before.
    pub(crate) excepted: Vec<Excepted>,
    /// The digest of the file that says so.
    pub(crate) exceptions: Option<String>,
    pub(crate) findings: Vec<Hit>,
    /// What could not be judged.
    pub(crate) unknown: Vec<Hit>,
    pub(crate) notes: Vec<Hit>,
    /// What could not be looked at.
    pub(crate) unseen: Vec<Unseen>,
    /// What of it is in the cluster. The providers' side may repeat it.
    pub(crate) unseen_here: BTreeSet<Unseen>,
    /// What of it is at the providers. `None`: they were not asked.
    pub(crate) cloud: Option<BTreeSet<Unseen>>,
    /// How many things they were asked about.
    pub(crate) asked: usize,
    /// How many objects of each kind were looked through.
    pub(crate) looked: BTreeMap<String, usize>,
    /// Secrets in which nothing was recognised, and that an ExternalSecret is proved to own.
    pub(crate) outputs: usize,
    /// The others in which nothing was recognised.
    pub(crate) unmanaged: usize,
    /// What must be zero.
    pub(crate) gate: Gate,
    /// How many stores and generators were looked at.
    pub(crate) stores: usize,
    pub(crate) generators: usize,
    /// Whether there is anything of External Secrets Operator.
    pub(crate) installed: bool,
    /// How it was made.
    pub(crate) record: Record,
}

/// Which credentials must not be there for the verdict to be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Gate {
    /// None that opens a cloud or a secret store
    #[default]
    Mission,
    /// Nor any of the platform that has a way without it: stored logins of registries, forges, clusters
    Platform,
}

impl Gate {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mission => "mission",
            Self::Platform => "platform",
        }
    }

    /// What is so where nothing is found.
    pub(super) fn zero(self) -> &'static str {
        match self {
            Self::Mission => "no long-lived credential of a known kind opens a cloud or a secret store",
            Self::Platform => {
                "no long-lived credential of a known kind opens a cloud, a secret store or the platform"
            }
        }
    }

    /// Whether a credential of this class must not be there.
    pub(super) fn covers(self, class: Class) -> bool {
        match self {
            Self::Mission => class == Class::Root,
            Self::Platform => matches!(class, Class::Root | Class::Platform),
        }
    }
}

/// One credential, and every place in which it was met.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// By what it is told from others, with its secret half where that was seen.
    pub(crate) known: BTreeSet<(Identity, Halves)>,
    pub(crate) what: String,
    /// A name by which an exception can mean it.
    pub(crate) id: String,
    /// The name by which several call themselves, this one among them.
    pub(crate) claims: Option<String>,
    pub(crate) secrets: BTreeSet<SecretKey>,
    pub(crate) config_maps: BTreeSet<ConfigMapKey>,
    /// Other places.
    pub(crate) objects: BTreeSet<String>,
    /// Places beyond those that are named.
    pub(crate) more: usize,
    pub(crate) class: Class,
    pub(crate) opens: BTreeSet<Opens>,
    /// Every rule and kind that recognised it, also where its hit says nothing new.
    pub(crate) rules: BTreeSet<&'static str>,
    pub(crate) hits: Vec<Hit>,
}

/// Applies every rule, without what the providers say.
pub(crate) fn judge(inventory: &Inventory) -> Verdict {
    judge_with(inventory, None)
}

/// Applies every rule. With what the providers say, if they were asked.
pub(crate) fn judge_with(inventory: &Inventory, cloud: Option<&CloudLook>) -> Verdict {
    let scene = Scene::of(inventory);
    let mut roots: BTreeMap<Identity, Root> = BTreeMap::new();
    let (mut findings, mut unknown, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut lying = Vec::new();
    let mut hits: Vec<Hit> = RULES.iter().flat_map(|rule| (rule.check)(&scene)).collect();
    if let Some(look) = cloud {
        cloud::name_keys(&mut hits, look);
        let at_providers = cloud::hits(look, &hits);
        hits.extend(at_providers);
    }
    claims::tell_apart(&mut hits);
    for hit in hits {
        match hit.weight.clone() {
            Weight::Counted(stored) => take(&mut roots, stored, hit),
            Weight::Lies(stored) => lying.push((stored, hit)),
            Weight::Finding => findings.push(hit),
            Weight::Unknown => unknown.push(hit),
            Weight::Note => notes.push(hit),
        }
    }
    // What something opens is known by then: where it lies is one more place of it.
    let used = Used::of(&roots);
    for (stored, hit) in lying {
        see(&mut roots, &used, stored, hit);
    }
    // By place, so that the same cluster gives the same report: values have an order that means nothing.
    let mut all: Vec<_> = roots.into_values().collect();
    all.sort_by(|a, b| (a.class, &a.secrets, &a.id).cmp(&(b.class, &b.secrets, &b.id)));
    // Only a part of it was seen, and the rest lies nowhere else: whether it opens something is not known.
    let (all, partial): (Vec<Root>, Vec<Root>) =
        all.into_iter().partition(|root| root.class != Class::NotSeen);
    unknown.extend(partial.into_iter().flat_map(|root| root.hits));
    let (roots, others) = all.into_iter().partition(|root| root.class == Class::Root);
    let stores = inventory.stores.len();
    let sightings = &inventory.sightings;
    Verdict {
        mode: inventory.mode,
        outside: inventory.secrets_outside.clone(),
        roots,
        others,
        excepted: Vec::new(),
        exceptions: None,
        findings,
        unknown,
        notes,
        unseen: cloud::unseen(inventory, cloud),
        unseen_here: cloud::unseen_here(inventory),
        cloud: cloud.map(|look| look.unseen.clone()),
        asked: cloud.map_or(0, |look| look.looked.values().sum()),
        looked: cloud::looked(inventory, cloud),
        outputs: inventory.outputs(),
        unmanaged: sightings.unmanaged.saturating_sub(inventory.outputs()),
        gate: Gate::default(),
        stores,
        generators: inventory.generators.iter().filter(|generator| !generator.is_state()).count(),
        installed: inventory.installed || stores > 0 || !inventory.controllers.is_empty(),
        record: Record::of(&scene, cloud),
    }
}

impl Verdict {
    /// The same, judged by another gate.
    pub(crate) fn through(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// What it all comes to.
    pub(crate) fn outcome(&self) -> Outcome {
        let found = self.within_gate() > 0 || !self.findings.is_empty();
        let complete = self.unseen.is_empty() && self.unknown.is_empty();
        match (found, complete) {
            (true, complete) => Outcome::Found { complete },
            (false, false) => Outcome::Incomplete,
            (false, true) if !self.installed => Outcome::NothingToJudge,
            (false, true) if self.excepted_within_gate().next().is_some() => Outcome::ZeroExcept,
            (false, true) => Outcome::Zero,
        }
    }

    /// How many credentials there are of a class, also those that are excepted.
    pub(crate) fn count_of(&self, class: Class) -> usize {
        let excepted = self.excepted.iter().filter(|it| it.root.class == class).count();
        self.open_count_of(class) + excepted
    }

    /// The same without those that are excepted.
    pub(super) fn open_count_of(&self, class: Class) -> usize {
        self.roots.iter().chain(&self.others).filter(|root| root.class == class).count()
    }

    /// Those that the gate would not let pass.
    pub(super) fn excepted_within_gate(&self) -> impl Iterator<Item = &Excepted> {
        self.excepted.iter().filter(|it| self.gate.covers(it.root.class))
    }

    /// How many must not be there.
    fn within_gate(&self) -> usize {
        match self.gate {
            Gate::Mission => self.roots.len(),
            Gate::Platform => self.roots.len() + self.open_count_of(Class::Platform),
        }
    }

    /// How many credentials there are that must not be there. Zero is only given where it is the verdict; `None`: the
    /// number is not known, or is not what matters.
    pub(crate) fn count(&self) -> Option<usize> {
        match (self.outcome(), self.within_gate()) {
            (Outcome::Zero, _) => Some(0),
            (Outcome::Found { .. }, count) if count > 0 => Some(count),
            _ => None,
        }
    }

    /// The one line that matters.
    pub(crate) fn headline(&self) -> String {
        let missing = match self.unseen.len() + self.unknown.len() {
            1 => "1 thing could not be read or judged".to_owned(),
            count => format!("{count} things could not be read or judged"),
        };
        match self.outcome() {
            Outcome::Zero => format!("{}{}", self.zero_in_words(), self.and_excepted()),
            Outcome::ZeroExcept => self.zero_except_in_words(),
            Outcome::NothingToJudge => {
                format!(
                    "NOTHING TO JUDGE: External Secrets Operator is not installed in this cluster{}",
                    self.and_excepted()
                )
            }
            Outcome::Incomplete => {
                format!("INCOMPLETE{}: {}, but {missing}", self.and_excepted(), self.none_seen())
            }
            Outcome::Found { complete } => {
                let found = format!("{}{}{}", self.found_in_words(), self.and_new(), self.and_excepted());
                if complete { found } else { format!("{found}; INCOMPLETE: {missing}") }
            }
        }
    }

    fn and_excepted(&self) -> String {
        match self.excepted.len() {
            0 => String::new(),
            count => format!("; {count} excepted"),
        }
    }

    fn and_new(&self) -> String {
        self.record.new_since.as_ref().map(|new| format!("; {}", new.in_words())).unwrap_or_default()
    }

    fn zero_in_words(&self) -> String {
        let is_zero =
            |name: LegName| self.legs().iter().any(|leg| leg.name == name && leg.state == LegState::Zero);
        let what = self.gate.zero();
        let headline = match (is_zero(LegName::Consumption), is_zero(LegName::Cloud)) {
            (true, true) => format!("ZERO (cluster + consumption + cloud): {what}"),
            (true, false) => format!("ZERO (cluster + consumption): {what}"),
            (false, _) => {
                format!("ZERO IN CLUSTER ONLY: {what}, and there is no store or generator to judge")
            }
        };
        self.and_listed(headline)
    }

    /// With what is there and is outside of the gate.
    fn and_listed(&self, headline: String) -> String {
        let headline = match (self.gate, self.open_count_of(Class::Platform)) {
            (Gate::Platform, _) | (Gate::Mission, 0) => headline,
            (Gate::Mission, 1) => format!("{headline}; 1 opens a part of the platform"),
            (Gate::Mission, count) => format!("{headline}; {count} open parts of the platform"),
        };
        match self.open_count_of(Class::Irreducible) {
            0 => headline,
            count => format!("{headline}; {count} of a kind that nothing can replace"),
        }
    }

    /// That nothing within the gate was seen. Where something else was, it says within which.
    fn none_seen(&self) -> String {
        let other = if self.excepted.is_empty() { "" } else { " other" };
        format!("no{other} long-lived credential{} was seen", self.within_gate_in_words())
    }

    fn within_gate_in_words(&self) -> &'static str {
        match self.gate {
            _ if self.others.is_empty() => "",
            Gate::Mission => " that opens a cloud or a secret store",
            Gate::Platform => " that opens a cloud, a secret store or the platform",
        }
    }

    /// It is no zero: what is there is counted in the same line.
    fn zero_except_in_words(&self) -> String {
        let all: Vec<_> = self.excepted_within_gate().collect();
        let credentials = match all.len() {
            1 => "1 long-lived credential is excepted".to_owned(),
            count => format!("{count} long-lived credentials are excepted"),
        };
        let until = all.iter().map(|it| it.until.as_str()).min().unwrap_or_default();
        let first = if all.len() == 1 { "" } else { ", the first" };
        self.and_listed(format!(
            "NONE BUT EXCEPTIONS: {credentials}{first} until {until}; no other of a known kind{} was seen",
            self.within_gate_in_words()
        ))
    }

    fn found_in_words(&self) -> String {
        let findings = match self.findings.len() {
            0 => None,
            1 => Some("1 other finding".to_owned()),
            count => Some(format!("{count} other findings")),
        };
        let elsewhere = self.roots.iter().filter(|root| root.is_elsewhere()).count();
        let here = self.roots.iter().filter(|root| !root.is_elsewhere());
        let opens: BTreeSet<_> = here.flat_map(|root| &root.opens).collect();
        let is_used = opens.contains(&Opens::Store) || opens.contains(&Opens::Controller);
        let of_roots = match (is_used, opens.contains(&Opens::Generator)) {
            (_, true) => ("opens the secret stores and generators", "open the secret stores and generators"),
            (true, false) => ("opens the secret stores", "open the secret stores"),
            (false, false) => (
                "lies in the cluster, used by no secret store",
                "lie in the cluster, used by no secret store",
            ),
        };
        let platform = match self.gate {
            Gate::Mission => 0,
            Gate::Platform => self.open_count_of(Class::Platform),
        };
        let of_platform = ("opens a part of the platform", "open a part of the platform");
        let counted = [
            (self.roots.len() - elsewhere, of_roots),
            (elsewhere, cloud::ELSEWHERE),
            (platform, of_platform),
        ]
        .into_iter();
        let counted = counted.filter(|(count, _)| *count > 0).map(|(count, (one, many))| match count {
            1 => format!("1 LONG-LIVED credential {one}"),
            count => format!("{count} LONG-LIVED credentials {many}"),
        });
        let counted: Vec<_> = counted.collect();
        let credentials = (!counted.is_empty()).then(|| counted.join("; "));
        match (credentials, findings) {
            (Some(credentials), Some(findings)) => format!("{credentials}; {findings}"),
            (Some(credentials), None) => credentials,
            (None, findings) => {
                let findings = findings.unwrap_or_default().replace(" other", "");
                format!("{findings} to fix, and {}", self.none_seen())
            }
        }
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
pub(in crate::audit) mod tests;
