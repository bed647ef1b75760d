//! What the providers say of the credentials that they issued to identities which the cluster names: `keyless audit
//! --cloud`. They are asked with the credentials of the user who runs this program, never with one that was found.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    own_issuer::OwnIssuer,
    registry::{ProviderName, Sections},
};
use crate::{
    cluster::{
        objects::{Look, Object, Unseen},
        snapshot::{Inventory, Reference, SecretKey, Target, is_local, references},
    },
    credentials::{Class, Same, Severity},
    error::{Code, Error},
    http::Http,
};

/// One kind of thing that a provider can be found to have: a value, listed by [`super::Provider::issued_kinds`].
#[derive(Debug)]
pub(crate) struct IssuedKind {
    /// Stable: `KL301`.
    pub(crate) code: &'static str,
    /// Stable name, in kebab case.
    pub(crate) id: &'static str,
    /// `None`: it is no credential.
    pub(crate) class: Option<Class>,
    pub(crate) severity: Severity,
    pub(crate) summary: &'static str,
    pub(crate) remedy: &'static str,
}

/// What a login needs at a provider to be asked.
#[derive(Debug)]
pub(crate) struct AuditRights {
    /// Of the error that says that the provider refuses one.
    pub(crate) refused: Code,
    /// By the provider's own names.
    pub(crate) permissions: fn() -> Vec<String>,
    /// Commands for a shell that grant them, and nothing else. What only the user knows is a variable.
    pub(crate) grant: fn() -> String,
}

/// What is looked for: everything of the cluster that can name an identity.
pub(crate) struct Scope<'a> {
    pub(crate) inventory: &'a Inventory,
    /// ServiceAccounts that stores and generators name, by namespace and name.
    pub(crate) accounts: &'a BTreeMap<(String, String), Look<Object>>,
    /// What the cluster signs its tokens as. Only who needs it asks.
    pub(crate) issuer: &'a OwnIssuer<'a>,
    /// Seconds since 1970.
    pub(crate) now: u64,
    /// Whether other clusters are asked about in the same run: an address of their own network is then another server in
    /// each of them.
    pub(crate) is_of_several: bool,
}

/// A credential that is active or can be made active, where it was issued.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) kind: &'static IssuedKind,
    /// As the audit names it where it finds a copy: `google:KEYID`.
    pub(crate) name: String,
    /// Of a key pair: `key:sha256:…`. `None`: it has none, or was not asked for it.
    pub(crate) public_half: Option<String>,
    /// The copy in the cluster that it is: by what the provider shows of it. `None`: no copy is known to be it.
    pub(crate) copy: Option<Same>,
    /// In words that open nothing.
    pub(crate) what: String,
    pub(crate) place: String,
    pub(crate) why: String,
    pub(crate) remedy: String,
}

/// Something about a provider that is no credential.
#[derive(Clone, Debug)]
pub(crate) struct Remark {
    pub(crate) kind: &'static IssuedKind,
    pub(crate) place: String,
    pub(crate) why: String,
    pub(crate) remedy: String,
}

/// Everything that a look came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloudLook {
    pub(crate) issued: Vec<Issued>,
    pub(crate) findings: Vec<Remark>,
    pub(crate) notes: Vec<Remark>,
    /// What could not be looked at: with any of it, nothing is known to be zero.
    pub(crate) unseen: BTreeSet<Unseen>,
    /// How many of each kind were looked at.
    pub(crate) looked: BTreeMap<String, usize>,
    /// As whom each provider was asked. `Err`: why that is not known.
    pub(crate) asked_as: BTreeMap<String, Result<String, String>>,
    /// Rights that a provider has refused, by its name in `keyless.yaml`.
    pub(crate) lacks: BTreeMap<String, BTreeSet<String>>,
}

/// Whom something at a provider lets in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admits {
    /// Those that it names, or none.
    Named,
    /// Others, or more than those: who, as a clause.
    More(String),
    /// It is of a form that is not judged here: which, as a clause.
    NotKnown(&'static str),
}

impl CloudLook {
    /// So many things of this kind were looked at.
    pub(super) fn counted(kind: &str, count: usize) -> Self {
        Self { looked: BTreeMap::from([(kind.to_owned(), count)]), ..Self::default() }
    }

    pub(super) fn with(mut self, other: Self) -> Self {
        self.merge(other);
        self
    }

    pub(crate) fn merge(&mut self, other: Self) {
        let Self { issued, findings, notes, unseen, looked, asked_as, lacks } = other;
        self.issued.extend(issued);
        self.findings.extend(findings);
        self.notes.extend(notes);
        self.unseen.extend(unseen);
        for (kind, count) in looked {
            *self.looked.entry(kind).or_default() += count;
        }
        for (provider, rights) in lacks {
            self.lacks.entry(provider).or_default().extend(rights);
        }
        for (provider, who) in asked_as {
            self.asked_as(&provider, who);
        }
    }

    /// Notes as whom a provider is asked. `Err`: why that is not known.
    pub(super) fn asked_as(&mut self, provider: &str, who: Result<String, String>) {
        let known = self.asked_as.entry(provider.to_owned()).or_insert_with(|| who.clone());
        if known.is_err() {
            *known = who;
        }
    }

    /// Notes that the login lacks a right at a provider.
    pub(super) fn lacks(&mut self, provider: &str, right: &str) {
        self.lacks.entry(provider.to_owned()).or_default().insert(right.to_owned());
    }

    /// PURE. All rights that the logins lack, one line for each provider.
    pub(crate) fn missing_rights(&self) -> Vec<(Code, String)> {
        let line = |provider: ProviderName| {
            let entry = provider.entry();
            let rights: Vec<_> = self.lacks.get(entry.name())?.iter().map(String::as_str).collect();
            let line = format!(
                "the login at {provider} lacks: {}; `keyless render rbac --for audit --cloud {provider}` prints what grants all that the audit asks for",
                rights.join("; ")
            );
            Some((entry.audit_rights()?.refused, line))
        };
        ProviderName::all().filter_map(line).collect()
    }

    /// Notes that this was not looked at.
    pub(crate) fn not_seen(&mut self, what: String, right: String, why: String) {
        self.unseen.insert(Unseen { what, right, why });
    }

    /// Notes that the provider did not answer. `if_absent`: what to do where it says that there is none.
    pub(super) fn not_answered(
        &mut self,
        what: String,
        needed: &str,
        error: &Error,
        if_absent: Option<&str>,
    ) {
        let right = match if_absent {
            Some(advice) => format!("{needed}; {advice}"),
            None => remedy_of(error, needed),
        };
        self.not_seen(what, right, in_a_line(error));
    }

    /// Notes that the provider's answer is not one that it gives.
    pub(super) fn odd_answer(&mut self, what: String, needed: String, (provider, why): (&str, &str)) {
        self.not_seen(what, needed, format!("the answer is of another form than that of {provider}: {why}"));
    }
}

/// What to do about something that the cluster names and the provider does not have.
pub(super) const NONE_OF_THIS_NAME: &str = "if there is none of this name, take the name out of the cluster";

/// Every kind of thing that a provider can be found to have.
pub(crate) fn issued_kinds() -> impl Iterator<Item = &'static IssuedKind> {
    ProviderName::all().flat_map(|provider| provider.entry().issued_kinds())
}

/// Asks every provider of the registry, and notes those that none can ask.
pub(crate) async fn look(scope: &Scope<'_>, sections: &Sections, http: &Http) -> CloudLook {
    let mut all = unknown(scope);
    for section in sections.iter() {
        all.merge(section.issued(scope, http).await);
    }
    all
}

/// PURE. Stores and generators at providers that this program cannot ask.
fn unknown(scope: &Scope<'_>) -> CloudLook {
    let mut look = CloudLook::default();
    let is_known = |kind: &str| {
        ProviderName::all().any(|provider| {
            let entry = provider.entry();
            entry.store_member() == kind || entry.generator_kinds().contains(&kind)
        })
    };
    for (place, kind) in principals(scope.inventory) {
        if kind.is_empty() {
            not_asked(&mut look, &place, "it names no provider that is known");
        } else if !is_known(kind) && !is_local(kind) {
            not_asked(
                &mut look,
                &place,
                &format!("keyless cannot ask {} for credentials", kind.escape_debug()),
            );
        }
    }
    for object in &scope.inventory.unknown_kinds {
        not_asked(&mut look, &object.describe(), "keyless does not know this kind");
    }
    unplaced(&mut look, scope.inventory);
    look
}

/// What is named in no namespace is in that of whatever uses it: as long as nothing does, it is not known as whom
/// something will log in.
fn unplaced(look: &mut CloudLook, inventory: &Inventory) {
    let of_stores = inventory.stores.iter().flat_map(|store| {
        let references = store.references().into_iter();
        let alone = references.filter(|reference| inventory.secret_keys(store, reference).is_empty());
        alone.map(|reference| (store.0.describe(), reference))
    });
    let of_generators = inventory.generators.iter().flat_map(|generator| {
        let references = generator.references().into_iter();
        let alone = references.filter(|reference| inventory.generator_keys(generator, reference).is_empty());
        alone.map(|reference| (generator.0.describe(), reference))
    });
    for (place, Reference { path, name, .. }) in of_stores.chain(of_generators) {
        look.not_seen(
            format!("{} that {place} names as {}", name.escape_debug(), path.escape_debug()),
            "a namespace beside that name, or a look by hand at the provider".into(),
            "it is in the namespace of whatever uses it, and nothing does yet".into(),
        );
    }
}

/// Stores and generators, each with its provider or kind; an empty one is not known.
pub(crate) fn principals(inventory: &Inventory) -> Vec<(String, &str)> {
    let stores = inventory.stores.iter().map(|store| {
        let kind = store.provider().map_or("", |(kind, _)| kind);
        (store.0.describe(), kind)
    });
    let generators = inventory.generators.iter().flat_map(|generator| {
        let place = generator.0.describe();
        match generator.parts() {
            Ok(parts) => parts.into_iter().map(|part| (place.clone(), part.kind)).collect(),
            Err(_) => vec![(place, "")],
        }
    });
    stores.chain(generators).collect()
}

/// A store or a generator that logs in at one provider.
pub(crate) struct Holder<'a> {
    pub(crate) place: String,
    /// What it is of, as a store or a generator is called: `aws`, `ECRAuthorizationToken`.
    pub(crate) kind: &'a str,
    pub(crate) settings: &'a Value,
    /// What it names, with each object that this may be.
    pub(crate) references: Vec<(Reference, Vec<SecretKey>)>,
}

impl Holder<'_> {
    /// The ServiceAccounts that it names, by namespace and name.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (String, String)> {
        let named =
            self.references.iter().filter(|(reference, _)| reference.target == Target::ServiceAccount);
        named.flat_map(|(_, keys)| keys).map(|key| (key.namespace.clone(), key.name.clone()))
    }

    /// What lies in the Secrets that a member of its settings names: `accessKeyIDSecretRef`.
    pub(crate) fn secrets(&self, member: &str) -> impl Iterator<Item = &SecretKey> {
        let is_it = move |reference: &Reference| {
            reference.target == Target::Secret && reference.path.rsplit('.').next() == Some(member)
        };
        self.references.iter().filter(move |(reference, _)| is_it(reference)).flat_map(|(_, keys)| keys)
    }
}

/// Every store of a provider, and every generator of these kinds.
pub(crate) fn holders<'a>(inventory: &'a Inventory, member: &str, generators: &[&str]) -> Vec<Holder<'a>> {
    let mut all = Vec::new();
    for store in &inventory.stores {
        let Some((kind, settings)) = store.provider().filter(|(kind, _)| *kind == member) else { continue };
        let with_keys = |reference: Reference| (reference.clone(), inventory.secret_keys(store, &reference));
        let references = references(kind, settings).into_iter().map(with_keys).collect();
        all.push(Holder { place: store.0.describe(), kind, settings, references });
    }
    for generator in &inventory.generators {
        for part in generator.parts().unwrap_or_default() {
            if generators.contains(&part.kind) {
                let with_keys = |reference: Reference| {
                    (reference.clone(), inventory.generator_keys(generator, &reference))
                };
                let references = references(part.kind, part.settings).into_iter().map(with_keys).collect();
                let (kind, settings) = (part.kind, part.settings);
                all.push(Holder { place: generator.0.describe(), kind, settings, references });
            }
        }
    }
    all
}

fn not_asked(look: &mut CloudLook, place: &str, why: &str) {
    look.not_seen(
        format!("credentials at the provider of {place}"),
        "a look by hand at that provider".into(),
        why.to_owned(),
    );
}

/// A provider whose look is not there yet: everything that logs in there is not seen.
pub(super) fn not_implemented(scope: &Scope<'_>, provider: ProviderName) -> CloudLook {
    let mut look = CloudLook::default();
    let entry = provider.entry();
    for (place, kind) in principals(scope.inventory) {
        if entry.store_member() == kind || entry.generator_kinds().contains(&kind) {
            not_asked(&mut look, &place, &format!("keyless cannot ask {kind} for credentials"));
        }
    }
    look
}

/// What to do about an error, beside [`in_a_line`].
pub(super) fn remedy_of(error: &Error, otherwise: &str) -> String {
    match error.hints.as_slice() {
        [] => otherwise.to_owned(),
        hints => hints.join("; "),
    }
}

/// An error with its causes; what is to be done about it is shown beside it.
pub(super) fn in_a_line(error: &Error) -> String {
    let causes: String = error.causes.iter().map(|cause| format!(": {cause}")).collect();
    format!("{}{causes}", error.message)
}

#[cfg(test)]
#[path = "cloud_tests.rs"]
pub(super) mod tests;
