//! The providers, each in one line.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, LazyLock},
};

use clap::builder::PossibleValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::json;

use super::{Provider, Section, Source, aws, entra, gcp, vault};
use crate::{
    ask::Answers,
    cluster::snapshot::{Estate, Store},
    error::Result,
    secret_store::PublicFields,
};

/// In the order in which they are shown. The first is taken where nothing names one.
static PROVIDERS: &[&dyn Provider] = &[
    &gcp::PROVIDER,
    &vault::PROVIDER,
    &aws::PROVIDER,
    &entra::PROVIDER,
    #[cfg(test)]
    &super::example::PROVIDER,
];

static VARIANTS: LazyLock<Vec<ProviderName>> = LazyLock::new(|| ProviderName::all().collect());
static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| ProviderName::all().map(ProviderName::as_str).collect());

/// A provider of the registry, by name.
#[derive(Clone, Copy)]
pub(crate) struct ProviderName(&'static dyn Provider);

impl ProviderName {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        PROVIDERS.iter().copied().map(Self)
    }

    /// The name of an entry, for the entry's own folder.
    pub(super) fn new(provider: &'static dyn Provider) -> Self {
        Self(provider)
    }

    /// As `keyless.yaml` and `--to` have it.
    pub(crate) fn as_str(self) -> &'static str {
        self.0.name()
    }

    /// All names, in the order of the registry.
    pub(crate) fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// The provider that a store is at now, if it is one of the registry.
    pub(crate) fn of_store(store: &Store) -> Option<Self> {
        let (member, _) = store.provider()?;
        Self::all().find(|provider| provider.0.store_member() == member)
    }

    /// The entry of the registry.
    pub(crate) fn entry(self) -> &'static dyn Provider {
        self.0
    }
}

#[cfg(test)]
impl Default for ProviderName {
    fn default() -> Self {
        Self(PROVIDERS[0])
    }
}

/// Whether this store logs in with a stored credential that a provider of the registry can retire.
pub(crate) fn is_stored_key(estate: &Estate, store: &Store) -> bool {
    PROVIDERS.iter().any(|provider| provider.is_stored_key(estate, store))
}

/// Annotations of ServiceAccounts by which External Secrets Operator becomes another identity.
pub(crate) fn account_annotations() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().filter_map(|provider| provider.account_annotation())
}

/// What is known to be public of a store's settings at the provider that External Secrets Operator has under this member.
pub(crate) fn public_fields(member: &str) -> Option<PublicFields> {
    let found = PROVIDERS.iter().find(|provider| provider.store_member() == member);
    found.map(|provider| provider.public_fields())
}

/// What the settings hold of each provider, in the order of the registry.
#[derive(Clone, Debug)]
pub(crate) struct Sections(Vec<Arc<dyn Section>>);

impl Sections {
    pub(crate) fn read(source: &Source<'_>) -> Result<Self> {
        PROVIDERS.iter().map(|provider| provider.section(source)).collect::<Result<_>>().map(Self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &dyn Section> {
        self.0.iter().map(Arc::as_ref)
    }

    /// `None` never comes where the sections were read: each provider of the registry has one.
    pub(crate) fn of(&self, provider: ProviderName) -> Option<&dyn Section> {
        self.iter().find(|section| section.provider() == provider)
    }

    /// Those that name an account.
    pub(crate) fn named(&self) -> impl Iterator<Item = &dyn Section> {
        self.iter().filter(|section| section.is_named())
    }

    /// Whether one of them says that its provider is given the keys: nothing is published for it.
    pub(crate) fn give_keys(&self) -> bool {
        self.iter().any(Section::gives_keys)
    }

    /// For those who only look at this store.
    pub(crate) fn looking(&self, store: &Store) -> Self {
        let looking = |section: &Arc<dyn Section>| section.looking(store).unwrap_or_else(|| section.clone());
        Self(self.0.iter().map(looking).collect())
    }

    /// With what a person has answered in this run: it counts as what a settings file says that the person names.
    pub(crate) fn answered(&self, answers: &Answers) -> Result<Self> {
        self.0.iter().map(|section| section.answered(answers)).collect::<Result<_>>().map(Self)
    }

    /// For several clusters: what identifies a credential of one of them is left out.
    pub(crate) fn of_several(&self) -> Self {
        let of_several = |section: &Arc<dyn Section>| section.of_several().unwrap_or_else(|| section.clone());
        Self(self.0.iter().map(of_several).collect())
    }

    #[cfg(test)]
    pub(crate) fn only(section: Arc<dyn Section>) -> Self {
        Self(vec![section])
    }
}

impl PartialEq for ProviderName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ProviderName {}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ProviderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A visitor, so that the parser adds the place to an error.
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ProviderName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a provider")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ProviderName, E> {
                let found = ProviderName::all().find(|provider| provider.as_str() == name);
                found.ok_or_else(|| E::unknown_variant(name, &NAMES))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for ProviderName {
    fn schema_name() -> Cow<'static, str> {
        "ProviderName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let each = Self::all().map(|provider| {
            json!({ "description": provider.0.about(), "type": "string", "const": provider.as_str() })
        });
        json_schema!({
            "description": "Which provider the secret store uses.",
            "oneOf": each.collect::<Vec<_>>(),
        })
    }
}

impl clap::ValueEnum for ProviderName {
    fn value_variants<'a>() -> &'a [Self] {
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()).help(self.0.about()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        ask::{Ask, Offer},
        cluster::snapshot::tests::estate,
        federation::Known,
    };

    /// An identity is one cluster's, where it is asked about each of several.
    #[test]
    fn sections_of_several_name_no_identity() {
        const ID: &str = "11111111-2222-3333-4444-555555555555";
        let text = format!(
            "aws: {{account: '123456789012', keyUser: eso-user}}\n\
             google: {{project: acme-prod, impersonate: eso-reader@acme-prod.iam.gserviceaccount.com}}\n\
             entra: {{keyApplication: {ID}}}\n"
        );
        let sections = Sections::read(&Source {
            file: Some((&text, std::path::Path::new("keyless.yaml"))),
            environment: &|_| None,
            has_bucket: true,
            ca_pem: None,
            is_of_user: &|_| true,
        })
        .unwrap();
        let (one, several) = (format!("{sections:?}"), format!("{:?}", sections.of_several()));
        for identity in ["eso-user", "eso-reader@", ID] {
            assert!(one.contains(identity) && !several.contains(identity), "{identity}: {several}");
        }
        assert!(several.contains("acme-prod") && several.contains("123456789012"), "{several}");
    }

    /// What a person types in this run counts in this run, whatever the provider asks for.
    #[test]
    fn answered_section_asks_nothing_again() {
        const ID: &str = "11111111-2222-3333-4444-555555555555";
        let answer_to = |setting: &str| match setting {
            "aws.account" => "123456789012",
            "aws.region" => "eu-central-1",
            "entra.tenant" | "entra.subscription" => ID,
            "vault.address" => "https://bao.lab.test",
            _ => "acme-prod",
        };
        let source = Source {
            file: None,
            environment: &|_| None,
            has_bucket: true,
            ca_pem: None,
            is_of_user: &|_| false,
        };
        let sections = Sections::read(&source).unwrap();
        let estate = estate("");
        let known = Known { estate: &estate, store: None, cluster_id: "1f0e" };
        let mut answers = Answers::default();
        let mut ask = |setting: &str, _: &str, _: Offer<'_>| {
            answers.note(setting, answer_to(setting));
            Ok(answer_to(setting).to_owned())
        };
        let complete = |sections: &Sections, ask: &mut Ask<'_>| -> Vec<_> {
            sections.iter().map(|section| section.complete(&known, ask).unwrap().settings()).collect()
        };
        let first = complete(&sections, &mut ask);
        let mut unasked = |setting: &str, _: &str, _: Offer<'_>| panic!("{setting} is asked again");
        let answered = sections.answered(&answers).unwrap();
        assert_eq!(complete(&answered, &mut unasked), first);
        assert!(answered.iter().all(Section::is_named), "{answered:?}");
        // Without an answer nothing is named: not by what was taken from the cluster either.
        let unanswered = sections.answered(&Answers::default()).unwrap();
        assert!(!unanswered.iter().any(Section::is_named), "{unanswered:?}");
    }

    #[test]
    fn entries_are_told_apart() {
        let distinct = |name: fn(&dyn Provider) -> &'static str| {
            PROVIDERS.iter().map(|provider| name(*provider)).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(distinct(|provider| provider.name()), PROVIDERS.len());
        assert_eq!(distinct(|provider| provider.store_member()), PROVIDERS.len());
        let kinds: Vec<_> = PROVIDERS.iter().filter_map(|provider| provider.credential_kind()).collect();
        assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len());
        // The audit reads this name in what a run has noted (`cluster::snapshot::replaced`).
        assert!(kinds.contains(&"google-key"));
        for provider in PROVIDERS {
            assert!(!provider.about().is_empty());
            // A section must not have the name of another part of the file, nor a kind that of another.
            let file = ["apiVersion", "issuer", "bucket", "cluster", "tls", "verify", "provider", "store"];
            assert!(!file.contains(&provider.name()), "{}", provider.name());
            assert!(!["by-hand", "unreadable"].contains(&provider.credential_kind().unwrap_or_default()));
            let member = format!("{}.", provider.store_member());
            assert!(!provider.by_hand().is_empty(), "{}", provider.name());
            for by_hand in provider.by_hand() {
                assert!(by_hand.path.starts_with(&member), "{}", by_hand.path);
            }
        }
    }
}
