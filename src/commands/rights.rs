//! What the identity of a store may do: what its users ask for, what an administrator has listed, what is new.
//!
//! ```text
//!  objects, namespaces ─► usage ─► needs ─► searches made ─► decide (list) ─► confirm ─► granted
//!                                                                 └─► new, left out, unused: shown
//! ```

mod shown;

use std::collections::BTreeSet;

use serde_json::json;

use self::shown::show_new;
use super::{objects::find_store, prompt};
use crate::{
    cluster::{
        Cluster,
        objects::{Look, Object, Resource},
        snapshot::{Estate, Store},
    },
    config::Settings,
    error::Result,
    federation::{Federation, Impossible, Right, Trial, Workload},
    report::Report,
    secret_store::{
        Decision, LeftOut, Namespaces, Needs, StoreLogin, StoreName, decide, elsewhere, needs_namespaces,
        usage,
    },
};

static NAMESPACES: Resource = Resource::new("", "v1", "namespaces", "Namespace", false);

/// What was asked for, and what became of it.
pub(super) struct Rights {
    needs: Needs,
    decision: Decision,
    /// As the settings file has it; `None`: there is no list yet.
    listed: Option<BTreeSet<Right>>,
    revoked: BTreeSet<Right>,
    /// A person takes back whatever nothing asks for.
    revokes_unused: bool,
    impossible: Vec<Impossible>,
    left_out: Vec<LeftOut>,
    /// Of what is listed, what only a settings file decides that no flag names: see [`Undecided`](super::undecided).
    by_file: BTreeSet<Right>,
    /// The store reads the very place now that it is to read.
    is_the_same_place: bool,
}

impl Rights {
    /// Looks at everything that uses the store, and decides what may be decided without asking.
    pub(super) async fn resolve(
        cluster: &Cluster,
        estate: &Estate,
        settings: &Settings,
        store: &StoreName,
        provider: &dyn Federation,
        login: &dyn StoreLogin,
        workload: &Workload,
    ) -> Result<Self> {
        let name = store;
        let store = store_of(estate, name);
        let mut needs = needs(cluster, estate, &store, provider).await?;
        for find in needs.searches() {
            match provider.find(&find).await {
                Ok(names) => {
                    let reads = names
                        .into_iter()
                        .filter_map(|name| provider.named(&Right::read(name)).ok().flatten());
                    needs.found(&find, reads.collect::<Vec<_>>());
                }
                Err(error) => {
                    let mut why = format!("what it finds could not be established: {}", error.message);
                    why.extend(error.hints.first().map(|hint| format!("; {hint}")));
                    needs.not_found(&find, &why);
                }
            }
        }
        let (listed, left_out) = listed(settings, provider);
        let is_the_same_place = find_store(estate, name)
            .and_then(|store| elsewhere(store, login))
            .is_some_and(|it| it.is_empty());
        let mut decision = decide(listed.as_ref(), &needs, is_the_same_place, &BTreeSet::new());
        if listed.is_none() && !decision.new.is_empty() {
            let new = decision.new.keys().cloned().collect();
            let held = provider.held(workload, cluster.uid()?, &new).await;
            decision = decide(None, &needs, is_the_same_place, &held);
        }
        let mut by_file = BTreeSet::new();
        if let (Some(listed), true) = (&listed, settings.undecided.lists_rights()) {
            let alone = decide(None, &needs, is_the_same_place, &BTreeSet::new());
            by_file = listed.difference(&alone.granted).cloned().collect();
            if !by_file.is_empty() {
                let held = provider.held(workload, cluster.uid()?, &by_file).await;
                by_file.retain(|right| !held.contains(right));
            }
        }
        let (revoked, impossible) = (BTreeSet::new(), Vec::new());
        let revokes_unused = false;
        Ok(Self {
            needs,
            decision,
            listed,
            revoked,
            revokes_unused,
            impossible,
            left_out,
            by_file,
            is_the_same_place,
        })
    }

    /// Where neither a list nor any object names a secret, a person does.
    pub(super) fn ask_for_one(&mut self, provider: &dyn Federation, report: &mut Report<'_>) -> Result<()> {
        if self.listed.is_some() || !self.needs.is_empty() {
            return Ok(());
        }
        let question = "Which secret may be read through the store";
        let name = prompt::question(report, "store.secrets", question, prompt::Offer::Nothing)?;
        self.decision.granted.extend(provider.named(&Right::read(name))?);
        Ok(())
    }

    /// What is new takes a confirmation of its own: by the flag, or by a person who is shown it apart.
    pub(super) fn confirm(&mut self, by_flag: bool, may_ask: bool, report: &mut Report<'_>) -> Result<()> {
        if self.decision.new.is_empty() {
            return Ok(());
        }
        let agreed = by_flag
            || may_ask && {
                show_new(&self.decision.new, self.listed.is_some(), report);
                let count = self.decision.new.len();
                let rights = if count == 1 {
                    "this new right".to_owned()
                } else {
                    format!("these {count} new rights")
                };
                prompt::agrees(report, &format!("Grant {rights} as well"))?
            };
        if agreed {
            self.decision.confirm();
        }
        Ok(())
    }

    /// What would be granted by a list that only a settings file has which no flag names. `accepts_new`: a person takes over
    /// whatever objects ask for.
    pub(super) fn by_file(&self, accepts_new: bool) -> Vec<&Right> {
        let asked = self.needs.asked();
        let granted = self.by_file.iter().filter(|right| self.decision.granted.contains(*right));
        granted.filter(|right| !(accepts_new && asked.contains(*right))).collect()
    }

    /// Takes back what no object asks for, if that is known: what is listed, and what the provider is seen to have given.
    /// `false`: it is not known.
    pub(super) fn revoke_unused(&mut self) -> bool {
        if self.needs.are_known() {
            self.revoked = self.decision.drop_unused();
            self.revokes_unused = true;
        }
        self.revokes_unused
    }

    /// The workload, with what is granted to it for this store, and what is taken back.
    pub(super) fn of(&self, workload: Workload) -> Workload {
        let workload = workload.granting(self.decision.granted.clone(), self.revoked.clone());
        workload.asking(self.needs.asked(), self.revokes_unused)
    }

    /// Whether there is something new that takes a confirmation.
    pub(super) fn asks_for_more(&self) -> bool {
        !self.decision.new.is_empty()
    }

    /// What the provider cannot give is left out, by the objects that ask for it.
    pub(super) fn leave_out(&mut self, impossible: Vec<Impossible>) {
        // Another store's identity may ask for more.
        let is_ours = |it: &Impossible| {
            self.decision.granted.contains(&it.right) || self.needs.rights.contains_key(&it.right)
        };
        let impossible: Vec<_> = impossible.into_iter().filter(is_ours).collect();
        for Impossible { right, why, remedy } in &impossible {
            let need = self.needs.rights.get(right).cloned().unwrap_or_default();
            let why = format!("{why}; {remedy}");
            if need.because.is_empty() {
                let object = format!("store.secrets: {right}");
                self.left_out.push(LeftOut { object, why, is_refused: false, works: false });
                continue;
            }
            for object in need.because {
                // What is gone where the store reads now is gone already.
                let works = need.works_for.contains(&object) && !self.is_the_same_place;
                let object = format!("{object}: {right}");
                self.left_out.push(LeftOut { object, why: why.clone(), is_refused: false, works });
            }
        }
        self.impossible.extend(impossible);
    }

    /// What is granted and can be given.
    fn possible(&self) -> BTreeSet<Right> {
        let impossible = |right: &Right| self.impossible.iter().any(|it| it.right == *right);
        self.decision.granted.iter().filter(|right| !impossible(right)).cloned().collect()
    }

    /// What to try before anything relies on it.
    pub(super) fn trials(&self, provider: &dyn Federation) -> Vec<Trial> {
        self.needs.trials(&self.possible(), &|right| provider.named(right))
    }

    /// The objects that work now and need this; of one that was broken before, nothing is lost.
    pub(super) fn works_for(&self, right: &Right) -> Vec<String> {
        let need = self.needs.rights.get(right);
        need.into_iter().flat_map(|need| need.works_for.iter().cloned()).collect()
    }

    pub(super) fn is_the_same_place(&self) -> bool {
        self.is_the_same_place
    }

    /// What works now and would not work any more if the store turned to this login.
    pub(super) fn would_break(&self) -> BTreeSet<String> {
        let new = self.decision.new.values().flat_map(|need| need.works_for.iter().cloned());
        let left_out = self.needs.left_out.iter().chain(&self.left_out);
        let left_out = left_out.filter(|it| it.works && !it.is_refused).map(|it| it.object.clone());
        new.chain(left_out).collect()
    }

    /// Whether anything was asked for that is not granted, and that the operator itself would not refuse.
    pub(super) fn are_incomplete(&self) -> bool {
        !self.decision.new.is_empty() || self.left_out().any(|it| !it.is_refused)
    }

    fn left_out(&self) -> impl Iterator<Item = &LeftOut> {
        self.needs.left_out.iter().chain(&self.left_out)
    }

    /// The list as it is to be in the settings file; `None`: it is right as it is.
    pub(super) fn to_list(&self) -> Option<BTreeSet<Right>> {
        let possible = self.possible();
        let was_listed = |right: &&Right| self.listed.as_ref().is_some_and(|listed| listed.contains(*right));
        // What cannot be given now stays decided, if it was.
        let kept =
            self.decision.granted.iter().filter(|right| possible.contains(*right) || was_listed(right));
        let list: BTreeSet<_> = kept.cloned().collect();
        (self.listed.as_ref() != Some(&list) && !(self.listed.is_none() && list.is_empty())).then_some(list)
    }

    /// A right that could not be exercised for its own reasons.
    pub(super) fn note_broken(&mut self, right: &Right, why: &str) {
        self.leave_out(vec![Impossible {
            right: right.clone(),
            why: why.to_owned(),
            remedy: "correct it, then run `keyless verify`".to_owned(),
        }]);
    }
}

/// What the users of a store ask for.
pub(super) async fn needs(
    cluster: &Cluster,
    estate: &Estate,
    store: &Store,
    provider: &dyn Federation,
) -> Result<Needs> {
    let users = || estate.external_secrets.iter().chain(&estate.push_secrets);
    let namespaces = if needs_namespaces(users(), store) {
        cluster.look_for(&NAMESPACES, None).await?.map(|all| Namespaces::of(&all))
    } else {
        Look::Absent
    };
    let usage = usage(users(), store, provider.key_prefix(store), &namespaces);
    Ok(Needs::of(usage, &|right| provider.named(right)))
}

/// The rights that the users of a store name one by one; what a search finds is not among them.
pub(super) async fn asked_for(
    cluster: &Cluster,
    estate: &Estate,
    store: &Store,
    provider: &dyn Federation,
) -> Result<BTreeSet<Right>> {
    Ok(needs(cluster, estate, store, provider).await?.rights.into_keys().collect())
}

/// Everything that may ever have been granted, for taking it back: what is listed, and what anything names.
pub(super) fn ever_named(
    estate: &Estate,
    settings: &Settings,
    store: &StoreName,
    provider: &dyn Federation,
) -> BTreeSet<Right> {
    let store = store_of(estate, store);
    let users = estate.external_secrets.iter().chain(&estate.push_secrets);
    // Without the conditions of today: others may have been let in before.
    let open = Store(Object(json!({
        "kind": store.0.kind(), "metadata": store.0.0["metadata"],
        "spec": { "provider": store.0.0["spec"]["provider"] },
    })));
    let usage = usage(users, &open, provider.key_prefix(&open), &Look::Absent);
    let needs = Needs::of(usage, &|right| provider.named(right));
    let (listed, _) = listed(settings, provider);
    listed.unwrap_or_default().into_iter().chain(needs.rights.into_keys()).collect()
}

/// The list by the provider's names, and what of it the provider cannot name.
pub(super) fn listed(
    settings: &Settings,
    provider: &dyn Federation,
) -> (Option<BTreeSet<Right>>, Vec<LeftOut>) {
    let Some(listed) = &settings.store.listed else { return (None, Vec::new()) };
    let (mut named, mut left_out) = (BTreeSet::new(), Vec::new());
    for right in listed {
        match provider.named(right) {
            Ok(right) => named.extend(right),
            Err(error) => left_out.push(LeftOut {
                object: format!("store.secrets: {right}"),
                why: error.message,
                is_refused: false,
                works: false,
            }),
        }
    }
    (Some(named), left_out)
}

/// The store as it is, or one of which nothing is there but what names it.
pub(super) fn store_of(estate: &Estate, name: &StoreName) -> Store {
    find_store(estate, name).cloned().unwrap_or_else(|| {
        Store(Object(json!({
            "kind": name.resource().kind,
            "metadata": { "name": name.name(), "namespace": name.namespace() },
        })))
    })
}

/// The settings mean another place than the store reads: neither is taken for the other.
pub(super) fn refuse_another_place(estate: &Estate, store: &StoreName, login: &dyn StoreLogin) -> Result<()> {
    match find_store(estate, store).and_then(|store| elsewhere(store, login)) {
        Some(differences) => login.refuse(store.name(), &differences),
        None => Ok(()),
    }
}
