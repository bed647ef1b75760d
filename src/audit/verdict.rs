//! From hits to one number, and whether it may be believed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Hit, Identity, RULES, Weight, rules::generator_credential};
use crate::cluster::{
    objects::{Look, Unseen},
    snapshot::{ConfigMapKey, Estate, SecretKey},
};

/// What the audit came to.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Distinct long-lived credentials that open a secret store.
    pub(crate) roots: Vec<Root>,
    pub(crate) findings: Vec<Hit>,
    /// What could not be judged.
    pub(crate) unknown: Vec<Hit>,
    pub(crate) notes: Vec<Hit>,
    /// What could not be looked at.
    pub(crate) unseen: Vec<Unseen>,
    /// How many stores were looked at.
    pub(crate) stores: usize,
    /// Whether External Secrets Operator's definitions are there at all.
    pub(crate) installed: bool,
}

/// One credential, and every place in which it was met.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) what: String,
    /// E.g. `google:` and the key's id; only what is public has a name.
    pub(crate) id: Option<String>,
    pub(crate) secrets: BTreeSet<SecretKey>,
    pub(crate) config_maps: BTreeSet<ConfigMapKey>,
    pub(crate) hits: Vec<Hit>,
}

impl Root {
    fn opens_a_generator(&self) -> bool {
        self.hits.iter().any(|hit| hit.rule == generator_credential::RULE.id)
    }
}

/// Applies every rule.
pub(crate) fn judge(estate: &Estate) -> Verdict {
    let mut roots: BTreeMap<Identity, Root> = BTreeMap::new();
    let (mut findings, mut unknown, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for hit in RULES.iter().flat_map(|rule| (rule.check)(estate)) {
        match &hit.weight {
            Weight::Counted(stored) => {
                let root = roots.entry(stored.identity.clone()).or_insert_with(|| Root {
                    what: stored.what.clone(),
                    id: match &stored.identity {
                        Identity::Named(name) => Some(name.clone()),
                        Identity::Equal(_) | Identity::At(_) => None,
                    },
                    secrets: BTreeSet::new(),
                    config_maps: BTreeSet::new(),
                    hits: Vec::new(),
                });
                root.secrets.extend(stored.secrets.iter().cloned());
                root.config_maps.extend(stored.config_maps.iter().cloned());
                root.hits.push(hit);
            }
            Weight::Finding => findings.push(hit),
            Weight::Unknown => unknown.push(hit),
            Weight::Note => notes.push(hit),
        }
    }
    // By place, so that the same cluster gives the same report: values have an order that means nothing.
    let mut roots: Vec<_> = roots.into_values().collect();
    roots.sort_by(|a, b| (&a.secrets, &a.hits[0].place).cmp(&(&b.secrets, &b.hits[0].place)));
    let absent = estate.cluster_schema == Look::Absent && estate.namespaced_schema == Look::Absent;
    Verdict {
        roots,
        findings,
        unknown,
        notes,
        unseen: estate.unseen.iter().cloned().collect(),
        stores: estate.stores.len(),
        installed: !absent,
    }
}

impl Verdict {
    /// Whether everything was looked at and could be judged.
    pub(crate) fn is_complete(&self) -> bool {
        self.unseen.is_empty() && self.unknown.is_empty()
    }

    /// Whether there is something to mend.
    pub(crate) fn found(&self) -> bool {
        !self.roots.is_empty() || !self.findings.is_empty()
    }

    /// The one line that matters.
    pub(crate) fn headline(&self) -> String {
        let missing = match self.unseen.len() + self.unknown.len() {
            1 => "1 thing could not be looked at or judged".to_owned(),
            count => format!("{count} things could not be looked at or judged"),
        };
        match (self.roots.len(), self.is_complete()) {
            (0, true) => "ZERO (stores): nothing long-lived opens a secret store".into(),
            (0, false) => format!("INCOMPLETE: no long-lived credential was seen, but {missing}"),
            (count, complete) => {
                let generators = self.roots.iter().any(Root::opens_a_generator);
                let opened =
                    if generators { "the secret stores and generators" } else { "the secret stores" };
                let roots = if count == 1 {
                    format!("1 long-lived credential opens {opened}")
                } else {
                    format!("{count} long-lived credentials open {opened}")
                };
                if complete { roots } else { format!("{roots}; INCOMPLETE: {missing}") }
            }
        }
    }

    /// For people, the headline first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        for (number, root) in self.roots.iter().enumerate() {
            lines.push(format!("\n{}. {}", number + 1, root.what));
            lines.extend(root.secrets.iter().map(|secret| format!("   lies in:   {secret}")));
            lines.extend(root.config_maps.iter().map(|config_map| format!("   lies in:   {config_map}")));
            for hit in &root.hits {
                lines.push(format!("   opens by:  {}: {}  [{}]", hit.place, hit.why, hit.rule));
            }
            let remedies: BTreeSet<_> = root.hits.iter().map(|hit| hit.remedy.as_str()).collect();
            lines.extend(remedies.into_iter().map(|remedy| format!("   remove it: {remedy}")));
        }
        for (title, hits) in
            [("to mend", &self.findings), ("not judged", &self.unknown), ("note", &self.notes)]
        {
            for hit in hits {
                lines.push(format!("\n{title}: {}: {}  [{}]", hit.place, hit.why, hit.rule));
                lines.push(format!("   remedy: {}", hit.remedy));
            }
        }
        if !self.unseen.is_empty() {
            lines.push("\nnot looked at:".into());
            lines.extend(self.unseen.iter().map(|unseen| format!("   {unseen}")));
        }
        lines.push(if self.installed {
            format!("\nstores looked at: {}", self.stores)
        } else {
            "\nExternal Secrets Operator is not installed in this cluster".into()
        });
        lines.push(format!("beyond this audit: {BEYOND}"));
        lines
    }

    /// For scripts.
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
            "verdict": self.headline(),
            "complete": self.is_complete(),
            "count": self.roots.len(),
            "credentials": roots.collect::<Vec<_>>(),
            "findings": hits(&self.findings),
            "notJudged": hits(&self.unknown),
            "notes": hits(&self.notes),
            "notSeen": self.unseen.iter().map(|unseen| json!({
                "what": unseen.what, "right": unseen.right, "why": unseen.why,
            })).collect::<Vec<_>>(),
            "rules": RULES.iter().map(|rule| json!({ "id": rule.id, "summary": rule.summary })).collect::<Vec<_>>(),
            "stores": self.stores,
            "installed": self.installed,
            "beyond": BEYOND,
        })
    }
}

/// What this audit does not say anything about.
const BEYOND: &str = "Secrets that no store names, credentials at the cloud, nodes, backups, git";

fn hit_to_json(hit: &Hit) -> Value {
    json!({ "rule": hit.rule, "object": hit.place, "why": hit.why, "remedy": hit.remedy })
}
