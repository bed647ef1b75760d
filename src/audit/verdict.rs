//! From hits to one verdict. [`Outcome`] decides it all: the headline, the count, whether it is complete, and the exit
//! code are derived from it, so that none of them can say something else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Hit, Identity, Opens, RULES, Scene, Stored, Weight, rules::stray_credential};
use crate::cluster::{
    objects::Unseen,
    snapshot::{ConfigMapKey, Inventory, SecretKey},
};

/// What the audit came to.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Distinct long-lived credentials.
    pub(crate) roots: Vec<Root>,
    pub(crate) findings: Vec<Hit>,
    /// What could not be judged.
    pub(crate) unknown: Vec<Hit>,
    pub(crate) notes: Vec<Hit>,
    /// What could not be looked at.
    pub(crate) unseen: Vec<Unseen>,
    /// How many stores and generators were looked at.
    pub(crate) stores: usize,
    pub(crate) generators: usize,
    /// Whether there is anything of External Secrets Operator.
    pub(crate) installed: bool,
}

/// The one thing that a verdict says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was found, everything was seen, and all of it is known.
    Zero,
    /// Credentials or findings; `complete`: and nothing is unknown or unseen.
    Found { complete: bool },
    /// Nothing was found, and not everything was seen or is known.
    Incomplete,
    /// There is nothing of External Secrets Operator: nothing was judged.
    NothingToJudge,
}

impl Outcome {
    /// For scripts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Found { .. } => "found",
            Self::Incomplete => "incomplete",
            Self::NothingToJudge => "nothing-to-judge",
        }
    }

    /// Whether everything was looked at and could be judged.
    pub(crate) fn is_complete(self) -> bool {
        matches!(self, Self::Zero | Self::Found { complete: true })
    }
}

/// One credential, and every place in which it was met.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) what: String,
    /// A name by which an exception can mean it.
    pub(crate) id: String,
    pub(crate) secrets: BTreeSet<SecretKey>,
    pub(crate) config_maps: BTreeSet<ConfigMapKey>,
    pub(crate) opens: BTreeSet<Opens>,
    pub(crate) hits: Vec<Hit>,
}

/// Applies every rule.
pub(crate) fn judge(inventory: &Inventory) -> Verdict {
    let scene = Scene::of(inventory);
    let mut roots: BTreeMap<Identity, Root> = BTreeMap::new();
    let (mut findings, mut unknown, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for hit in RULES.iter().flat_map(|rule| (rule.check)(&scene)) {
        match hit.weight.clone() {
            Weight::Counted(stored) => count(&mut roots, stored, hit),
            Weight::Finding => findings.push(hit),
            Weight::Unknown => unknown.push(hit),
            Weight::Note => notes.push(hit),
        }
    }
    // By place, so that the same cluster gives the same report: values have an order that means nothing.
    let mut roots: Vec<_> = roots.into_values().collect();
    roots.sort_by(|a, b| (&a.secrets, &a.id).cmp(&(&b.secrets, &b.id)));
    let stores = inventory.stores.len();
    Verdict {
        roots,
        findings,
        unknown,
        notes,
        unseen: inventory.unseen.iter().cloned().collect(),
        stores,
        generators: inventory.generators.iter().filter(|generator| !generator.is_state()).count(),
        installed: inventory.installed || stores > 0 || !inventory.controllers.is_empty(),
    }
}

fn count(roots: &mut BTreeMap<Identity, Root>, stored: Stored, hit: Hit) {
    // What something uses is no stray: there it is one more place of it at most.
    let is_stray = hit.rule == stray_credential::RULE.id;
    let is_known = |root: &Root| root.secrets.iter().any(|secret| stored.secrets.contains(secret));
    if is_stray && !roots.contains_key(&stored.identity) && roots.values().any(is_known) {
        return;
    }
    let id = stored.id();
    let root = roots.entry(stored.identity).or_insert_with(|| Root {
        what: stored.what,
        id,
        secrets: BTreeSet::new(),
        config_maps: BTreeSet::new(),
        opens: BTreeSet::new(),
        hits: Vec::new(),
    });
    let repeats = is_stray && stored.secrets.is_subset(&root.secrets);
    root.secrets.extend(stored.secrets);
    root.config_maps.extend(stored.config_maps);
    root.opens.insert(stored.opens);
    if !repeats {
        root.hits.push(hit);
    }
}

impl Verdict {
    /// What it all comes to.
    pub(crate) fn outcome(&self) -> Outcome {
        let found = !self.roots.is_empty() || !self.findings.is_empty();
        let complete = self.unseen.is_empty() && self.unknown.is_empty();
        match (found, complete) {
            (true, complete) => Outcome::Found { complete },
            (false, false) => Outcome::Incomplete,
            (false, true) if !self.installed => Outcome::NothingToJudge,
            (false, true) => Outcome::Zero,
        }
    }

    /// How many credentials there are. Zero is only given where it is the verdict; `None`: the number is not known, or
    /// is not what matters.
    pub(crate) fn count(&self) -> Option<usize> {
        match (self.outcome(), self.roots.len()) {
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
            Outcome::Zero => "ZERO (stores): nothing long-lived opens a secret store".into(),
            Outcome::NothingToJudge => {
                "NOTHING TO JUDGE: External Secrets Operator is not installed in this cluster".into()
            }
            Outcome::Incomplete => format!("INCOMPLETE: no long-lived credential was seen, but {missing}"),
            Outcome::Found { complete: true } => self.found_in_words(),
            Outcome::Found { complete: false } => format!("{}; INCOMPLETE: {missing}", self.found_in_words()),
        }
    }

    fn found_in_words(&self) -> String {
        let findings = match self.findings.len() {
            0 => None,
            1 => Some("1 other finding".to_owned()),
            count => Some(format!("{count} other findings")),
        };
        let credentials = match self.roots.len() {
            0 => None,
            count => {
                let opens: BTreeSet<_> = self.roots.iter().flat_map(|root| &root.opens).collect();
                let (one, many) = match (
                    opens.contains(&Opens::Store) || opens.contains(&Opens::Controller),
                    opens.contains(&Opens::Generator),
                ) {
                    (_, true) => {
                        ("opens the secret stores and generators", "open the secret stores and generators")
                    }
                    (true, false) => ("opens the secret stores", "open the secret stores"),
                    (false, false) => ("lies beside the secret stores", "lie beside the secret stores"),
                };
                Some(if count == 1 {
                    format!("1 long-lived credential {one}")
                } else {
                    format!("{count} long-lived credentials {many}")
                })
            }
        };
        match (credentials, findings) {
            (Some(credentials), Some(findings)) => format!("{credentials}; {findings}"),
            (Some(credentials), None) => credentials,
            (None, findings) => {
                let findings = findings.unwrap_or_default().replace(" other", "");
                format!("{findings} to fix, and no long-lived credential was seen")
            }
        }
    }

    /// For people, the headline first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        for (number, root) in self.roots.iter().enumerate() {
            lines.push(String::new());
            lines.push(format!("{}. {}", number + 1, root.what));
            lines.extend(root.secrets.iter().map(|secret| format!("   lies in:   {secret}")));
            lines.extend(root.config_maps.iter().map(|config_map| format!("   lies in:   {config_map}")));
            for hit in &root.hits {
                let by = if root.opens.iter().all(|opens| *opens == Opens::Unused) {
                    "found at:"
                } else {
                    "opens by:"
                };
                lines.push(format!("   {by}  {}: {}  [{}]", hit.place, hit.why, hit.rule));
            }
            let remedies: BTreeSet<_> = root.hits.iter().map(|hit| hit.remedy.as_str()).collect();
            lines.extend(remedies.into_iter().map(|remedy| format!("   remove it: {remedy}")));
        }
        for (title, hits) in
            [("finding", &self.findings), ("not judged", &self.unknown), ("note", &self.notes)]
        {
            for hit in hits {
                lines.push(String::new());
                lines.push(format!("{title}: {}: {}  [{}]", hit.place, hit.why, hit.rule));
                lines.push(format!("   remedy: {}", hit.remedy));
            }
        }
        if !self.unseen.is_empty() {
            lines.push(String::new());
            lines.push("could not be read:".into());
            lines.extend(self.unseen.iter().map(|unseen| format!("   {unseen}")));
        }
        lines.push(String::new());
        lines.push(if self.installed {
            let stores = if self.stores == 1 { "store" } else { "stores" };
            let generators = if self.generators == 1 { "generator" } else { "generators" };
            format!("audited: {} {stores}, {} {generators}", self.stores, self.generators)
        } else {
            "External Secrets Operator is not installed in this cluster".into()
        });
        lines.push(format!("beyond this audit: {BEYOND}"));
        lines
    }

    /// For scripts. `verdict`, `complete` and `count` are what [`Self::outcome`] says.
    pub(crate) fn to_json(&self) -> Value {
        let hits = |hits: &[Hit]| hits.iter().map(hit_to_json).collect::<Vec<_>>();
        let roots = self.roots.iter().map(|root| {
            json!({
                "what": root.what,
                "id": root.id,
                "secrets": root.secrets.iter().map(|secret| json!({
                    "namespace": secret.namespace, "name": secret.name, "key": secret.key,
                })).collect::<Vec<_>>(),
                "configMaps": root.config_maps.iter().map(|config_map| json!({
                    "namespace": config_map.namespace, "name": config_map.name, "key": config_map.key,
                })).collect::<Vec<_>>(),
                "places": hits(&root.hits),
            })
        });
        json!({
            "scope": "stores",
            "verdict": self.outcome().name(),
            "headline": self.headline(),
            "complete": self.outcome().is_complete(),
            "count": self.count(),
            "credentials": roots.collect::<Vec<_>>(),
            "findings": hits(&self.findings),
            "notJudged": hits(&self.unknown),
            "notes": hits(&self.notes),
            "notSeen": self.unseen.iter().map(|unseen| json!({
                "what": unseen.what, "right": unseen.right, "why": unseen.why,
            })).collect::<Vec<_>>(),
            "rules": RULES.iter().map(|rule| json!({ "id": rule.id, "summary": rule.summary })).collect::<Vec<_>>(),
            "stores": self.stores,
            "generators": self.generators,
            "installed": self.installed,
            "beyond": BEYOND,
        })
    }
}

/// What this audit does not say anything about.
const BEYOND: &str = "Secrets of namespaces without stores, generators and controllers, credentials at the cloud, nodes, backups, git";

fn hit_to_json(hit: &Hit) -> Value {
    json!({ "rule": hit.rule, "object": hit.place, "why": hit.why, "remedy": hit.remedy })
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
