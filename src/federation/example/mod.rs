//! A third provider, for tests alone: this folder and one line in the registry. It shows what a provider has to say, and
//! the tests of it show that nothing else has to know of it.
//!
//! It has the form of AWS as External Secrets Operator sees it, and keeps what it trusts in memory.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    After, Configured, Federation, Find, IssuerForm, IssuerRules, KeyRules, Known, Logins, Plan, Provider,
    ProviderName, Purpose, Right, Rules, Section, Source, Trial, Trust, Withdrawn, credential::ByHand,
};
use crate::{
    ask::{Answers, Ask, Offer},
    cluster::snapshot::Version,
    error::{Code, Result},
    http::Http,
    oidc::{Algorithm, Token},
    plan::{Act, Action, Change, Say, Step, Target},
    relying_party::Finding,
    secret_store::{Difference, Have, Means, PublicFields, StoreLogin, V1_SINCE, Want, too_old},
    target::Account,
    warning::Warning,
};

pub(crate) struct Example;
pub(crate) const PROVIDER: Example = Example;

const MEMBER: &str = "example";
const ANNOTATION: &str = "example.com/role";
const REFERENCE: &str = "spec.provider.example.auth.jwt.serviceAccountRef";

/// An example.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    /// Which role
    role: Option<String>,
    /// Where
    region: Option<String>,
}

#[derive(Default, Deserialize)]
struct Document {
    example: Option<Written>,
}

impl Provider for Example {
    fn name(&self) -> &'static str {
        "example"
    }

    fn about(&self) -> &'static str {
        "An example"
    }

    fn place(&self) -> &'static str {
        "example.address"
    }

    fn store_member(&self) -> &'static str {
        MEMBER
    }

    fn public_fields(&self) -> PublicFields {
        PublicFields { values: &["region", "role"], references: &["auth.jwt.serviceAccountRef"] }
    }

    fn account_annotation(&self) -> Option<&'static str> {
        Some(ANNOTATION)
    }

    fn audiences(&self) -> (&'static str, &'static [&'static str]) {
        ("the example", &["example"])
    }

    fn secret_variables(&self) -> &'static [&'static str] {
        &["EXAMPLE_TOKEN"]
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Option<Written>>()
    }

    #[cfg(any(test, feature = "fuzzing"))]
    fn check(&self, source: &Source<'_>) -> Result<()> {
        source.read::<Document>().map(drop)
    }

    fn section(&self, source: &Source<'_>) -> Result<Arc<dyn Section>> {
        Ok(Arc::new(source.read::<Document>()?.example.unwrap_or_default()))
    }

    fn by_hand(&self) -> &'static [ByHand] {
        &[ByHand { path: "example.auth.example.", shown: "an example", remedy: "end it" }]
    }
}

impl Section for Written {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Option<Account> {
        self.role.as_deref().map(account)
    }

    fn gives_keys(&self) -> bool {
        false
    }

    fn says_mode(&self) -> bool {
        true
    }

    fn directs(&self) -> Vec<(String, String)> {
        self.region.iter().map(|region| ("example.region".to_owned(), region.clone())).collect()
    }

    fn complete(&self, known: &Known<'_>, ask: &mut Ask<'_>) -> Result<Box<dyn Configured>> {
        let of_store = known.at(MEMBER).and_then(|aws| aws["region"].as_str()).map(str::to_owned);
        let region = self.region.clone().or(of_store).unwrap_or_else(|| "eu-central-1".into());
        let role = match &self.role {
            Some(role) => role.clone(),
            None => ask("example.role", "Role of the store", Offer::Nothing)?,
        };
        Ok(Box::new(Settings { role, region }))
    }

    fn answered(&self, answers: &Answers) -> Result<Arc<dyn Section>> {
        let role = answers.to("example.role").map(str::to_owned).or_else(|| self.role.clone());
        Ok(Arc::new(Self { role, ..self.clone() }))
    }
}

fn account(role: &str) -> Account {
    Account { provider: "example", name: role.to_owned(), title: format!("Example {role}") }
}

#[derive(Clone, Debug)]
struct Settings {
    role: String,
    region: String,
}

impl Configured for Settings {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Account {
        account(&self.role)
    }

    fn uploads_keys(&self) -> bool {
        false
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("example.role", self.role.clone()), ("example.region", self.region.clone())]
    }

    fn connect(&self, _http: &Http, _purpose: Purpose) -> Result<Box<dyn Federation>> {
        Ok(Box::new(Far { settings: self.clone(), trusted: Mutex::new(None) }))
    }
}

/// What a store must say.
#[derive(Clone, Debug)]
struct Login(Settings);

impl StoreLogin for Login {
    fn member(&self) -> &'static str {
        MEMBER
    }

    fn since(&self) -> Version {
        V1_SINCE
    }

    fn means(&self, _want: &Want<'_>, have: &Have<'_>, _warnings: &mut Vec<Warning>) -> Result<Means> {
        match have.schema.knows(REFERENCE) {
            true => Ok(Means { field: None, annotation: Some((ANNOTATION, self.0.role.clone())) }),
            false => Err(too_old(have, V1_SINCE, &format!("the installed schema has no {REFERENCE}"))),
        }
    }

    fn provider(&self, account: Value, old: Value, _means: &Means) -> Value {
        let mut settings = old;
        settings["service"] = json!("SecretsManager");
        settings["region"] = json!(self.0.region);
        settings["auth"] = json!({ "jwt": { "serviceAccountRef": account } });
        settings
    }

    fn differences(&self, spec: &Value) -> Vec<Difference> {
        let region = spec["region"].as_str().unwrap_or_default();
        Difference::between(MEMBER, "region", region, &[&self.0.region]).into_iter().collect()
    }

    fn is_used_by(&self, spec: &Value) -> bool {
        spec.pointer("/auth/jwt/serviceAccountRef").is_some()
    }

    fn whole_value(&self) -> &'static str {
        "the example gives the text"
    }

    fn metadata(&self) -> &'static str {
        "the example gives tags"
    }

    fn cannot_name(&self, key: &str) -> Option<String> {
        key.contains(' ').then(|| "no blanks".to_owned())
    }
}

/// What is trusted, by issuer and subject.
struct Far {
    settings: Settings,
    trusted: Mutex<Option<String>>,
}

static RULES: Rules = Rules {
    provider: "Example",
    issuer: IssuerRules {
        form: IssuerForm::HttpsUrl,
        longest: 255,
        code: Code::VaultIssuer,
        source: "https://example.com",
    },
    keys: KeyRules {
        algorithms: &[Algorithm::Rs256],
        most: None,
        codes: [Code::VaultKeyType, Code::VaultTooManyKeys],
        by_kid: true,
        without_limit: "",
    },
};

struct Write<'p>(&'p Far, Option<String>);

#[async_trait]
impl Act for Write<'_> {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        *self.0.trusted.lock().unwrap() = self.1.clone();
        Ok(())
    }
}

impl fmt::Display for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Example {}", self.settings.role)
    }
}

#[async_trait]
impl Federation for Far {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    async fn plan_each<'p>(&'p self, want: &Trust) -> Result<Plan<'p>> {
        let subjects: Vec<_> = want.subjects()?.iter().map(ToString::to_string).collect();
        let wanted = format!("{} {}", want.issuer, subjects.join(" "));
        let action = match self.trusted.lock().unwrap().as_deref() {
            None => Action::Create,
            Some(trusted) if trusted == wanted => Action::NoOp,
            Some(_) => Action::Update,
        };
        let step = Step::new(Target::ProviderResource, action, "role", "trusts the cluster");
        let act: Box<dyn Act + 'p> = Box::new(Write(self, Some(wanted)));
        Ok(Plan { changes: vec![Change::new(step, act)], ..Plan::default() })
    }

    async fn logins(&self, _want: &Trust, _named: &BTreeSet<Right>) -> Result<Logins> {
        Ok(Logins::default())
    }

    async fn withdraw<'p>(&'p self, _want: &Trust) -> Result<Vec<Withdrawn<Box<dyn Act + 'p>>>> {
        let step = Step::new(Target::ProviderResource, Action::Delete, "role", "trusts the cluster");
        let act: Box<dyn Act + 'p> = Box::new(Write(self, None));
        Ok(match self.trusted.lock().unwrap().is_some() {
            true => vec![Withdrawn::goes(step, act)],
            false => vec![Withdrawn::left(After::Gone, "role", "it is not there")],
        })
    }

    async fn audience(&self) -> Result<String> {
        Ok("example".to_owned())
    }

    async fn store_login(&self) -> Result<Box<dyn StoreLogin>> {
        Ok(Box::new(Login(self.settings.clone())))
    }

    fn named(&self, right: &Right) -> Result<Option<Right>> {
        Ok(Some(right.clone()))
    }

    async fn find(&self, _find: &Find) -> Result<BTreeSet<String>> {
        Ok(BTreeSet::new())
    }

    async fn probe(&self, _token: &Token, _trial: &Trial, _say: Say<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
