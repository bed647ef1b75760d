//! PURE. A verdict as text.

use std::collections::BTreeSet;

use super::{
    Opens,
    catalogue::code_of,
    verdict::{Root, Verdict},
};
use crate::{
    cluster::snapshot::Mode,
    credentials::{Class, Outside},
};

/// Places that are shown of one credential; JSON has more of them.
const MOST_PLACES: usize = 20;

/// What this audit does not say anything about.
const BEYOND: &str = "values of no known form, other custom resources, ControllerRevisions, templates of ExternalSecrets, credentials at the cloud, \
     nodes, backups, git, tokens that were requested and are kept elsewhere";

/// The same where the providers were asked.
const BEYOND_WITH_CLOUD: &str = "values of no known form, other custom resources, ControllerRevisions, templates of ExternalSecrets, identities that nothing \
     in the cluster names, nodes, backups, git, tokens that were requested and are kept elsewhere";

impl Verdict {
    /// What this audit does not say anything about.
    pub(super) fn beyond(&self) -> &'static str {
        if self.cloud.is_some() { BEYOND_WITH_CLOUD } else { BEYOND }
    }

    /// For people, the headline first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        for (number, root) in self.roots.iter().enumerate() {
            lines.push(String::new());
            lines.extend(of_credential(&format!("{}.", number + 1), root));
        }
        for class in [Class::Platform, Class::Irreducible, Class::RootKey] {
            for root in self.others.iter().filter(|root| root.class == class) {
                lines.push(String::new());
                lines.extend(of_credential(&format!("{} ({}):", class.title(), class.letter()), root));
            }
        }
        for it in &self.excepted {
            lines.push(String::new());
            lines.push(format!("excepted ({}): {}", it.root.class.letter(), it.root.what));
            lines.push(format!("   until {} by {}: {}", it.until, it.owner, it.reason));
            lines.extend(it.control.iter().map(|control| format!("   control:   {control}")));
            lines.extend(places(&it.root));
            lines.push(format!("   id:        {}", it.root.id));
        }
        for (title, hits) in
            [("finding", &self.findings), ("not judged", &self.unknown), ("note", &self.notes)]
        {
            for hit in hits {
                lines.push(String::new());
                lines.push(format!(
                    "{title}: {}: {}  [{} {}]",
                    hit.place,
                    hit.why,
                    code_of(hit.rule),
                    hit.rule
                ));
                lines.push(format!("   remedy: {}", hit.remedy));
            }
        }
        if !self.unseen.is_empty() {
            lines.push(String::new());
            lines.push("could not be read:".into());
            lines.extend(self.unseen.iter().map(|unseen| format!("   {unseen}")));
        }
        lines.push(String::new());
        if self.installed {
            lines.push(self.audited());
            lines.extend(self.outside.as_ref().map(of_metadata));
            lines.push(self.classes_in_words());
            lines.push(self.legs_in_words());
        } else {
            lines.push("External Secrets Operator is not installed in this cluster".into());
        }
        lines.push(self.states_in_words());
        lines.push(self.record.in_words());
        lines.extend(
            self.exceptions
                .iter()
                .map(|digest| format!("exceptions: {}, file sha256:{digest}", self.excepted.len())),
        );
        lines.extend(self.record.new_since.iter().flat_map(|new| new.lines()));
        lines.push(format!("beyond this audit: {}", self.beyond()));
        lines
    }

    fn audited(&self) -> String {
        let stores = if self.stores == 1 { "store" } else { "stores" };
        let generators = if self.generators == 1 { "generator" } else { "generators" };
        let counted = self.looked.iter().filter(|(_, count)| **count > 0);
        let looked: Vec<_> = counted.map(|(kind, count)| format!("{kind} {count}")).collect();
        let looked = if looked.is_empty() { "nothing".into() } else { looked.join(", ") };
        format!(
            "audited: {} {stores}, {} {generators}; looked through: {looked}",
            self.stores, self.generators
        )
    }

    fn classes_in_words(&self) -> String {
        let counts = [Class::Root, Class::Platform, Class::Irreducible, Class::RootKey];
        let counts: Vec<_> = counts
            .into_iter()
            .map(|class| format!("{} {} {}", class.letter(), class.title(), self.count_of(class)))
            .collect();
        let counted = |count: usize| match self.mode {
            Mode::Deep => count.to_string(),
            Mode::Refs | Mode::Metadata => "not counted".into(),
        };
        format!(
            "classes: {}, O outputs {}, U unmanaged Secrets {}, X not seen {}",
            counts.join(", "),
            counted(self.outputs),
            counted(self.unmanaged),
            self.not_seen()
        )
    }

    /// What could not be read or judged.
    pub(super) fn not_seen(&self) -> usize {
        self.unseen.len() + self.unknown.len()
    }

    fn legs_in_words(&self) -> String {
        let legs = self.legs().map(|leg| format!("{} {}", leg.name.title(), leg.state.title()));
        format!("legs: {}", legs.join(", "))
    }
}

fn of_metadata(outside: &Outside) -> String {
    let types: Vec<_> = outside.types.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let types = if types.is_empty() { "none".into() } else { types.join(", ") };
    format!(
        "Secrets by metadata: {types}; {} keys; {} with a login of Argo CD; oldest {}",
        outside.keys,
        outside.argo_cd,
        outside.oldest.as_deref().unwrap_or("not known")
    )
}

/// Where it lies.
fn places(root: &Root) -> Vec<String> {
    let secrets = root.secrets.iter().map(ToString::to_string);
    let config_maps = root.config_maps.iter().map(ToString::to_string);
    let places: Vec<_> = secrets.chain(config_maps).chain(root.objects.iter().cloned()).collect();
    let shown = places.iter().take(MOST_PLACES).map(|place| format!("   lies in:   {place}"));
    let more = places.len().saturating_sub(MOST_PLACES) + root.more;
    shown.chain((more > 0).then(|| format!("   lies in:   {more} more places"))).collect()
}

fn of_credential(title: &str, root: &Root) -> Vec<String> {
    let mut lines = vec![format!("{title} {}", root.what)];
    lines.extend(places(root));
    lines.push(format!("   id:        {}", root.id));
    let is_unused = root.opens.iter().all(|opens| *opens == Opens::Unused);
    let by = if is_unused { "found at:" } else { "opens by:" };
    for hit in &root.hits {
        lines.push(format!("   {by}  {}: {}  [{} {}]", hit.place, hit.why, code_of(hit.rule), hit.rule));
    }
    let remedies: BTreeSet<_> = root.hits.iter().map(|hit| hit.remedy.as_str()).collect();
    lines.extend(remedies.into_iter().map(|remedy| format!("   remove it: {remedy}")));
    lines
}
