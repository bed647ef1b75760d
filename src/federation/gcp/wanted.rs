//! PURE. What pool and provider should be, and how they differ from what they are.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Patch,
    mark::mark,
    state::{Life, Provider},
};
use crate::{
    error::{Code, Error, Result},
    federation::{IssuerForm, IssuerRules, KeyRules, Keys, Rules, Subject, Trust, TrustedIssuer},
    oidc::{Algorithm, KeySet, KidRule},
    plan::FieldChange,
};

/// What Google takes as an issuer and as keys.
pub(crate) static RULES: Rules = Rules {
    provider: "Google",
    issuer: IssuerRules {
        form: IssuerForm::HttpsUrl,
        // GKE Hub, `Authority.issuer`, makes such providers: a valid URL of less than 2,000 characters.
        longest: 1999,
        code: Code::GoogleIssuer,
        source: "IAM v1, WorkloadIdentityPoolProvider.Oidc.issuerUri: a URI that uses the https scheme",
    },
    // IAM v1, `jwksJson`, and "Configure Workload Identity Federation with Kubernetes".
    keys: KeyRules {
        algorithms: &[Algorithm::Es256, Algorithm::Rs256],
        most: Some(8),
        codes: [Code::GoogleKeyType, Code::GoogleTooManyKeys],
        by_kid: true,
        without_limit: "with public documents there is no such limit: name a bucket, and google.mode: documents",
    },
};
/// The longest `attributeCondition`.
const LONGEST_CONDITION: usize = 4096;
const MAPPING: [(&str, &str); 3] = [
    ("attribute.namespace", "assertion['kubernetes.io']['namespace']"),
    ("attribute.service_account_name", "assertion['kubernetes.io']['serviceaccount']['name']"),
    ("google.subject", "assertion.sub"),
];
const CONDITION: (&str, &str) = ("assertion.sub in [", "]");
const DISPLAY_NAME: &str = "keyless";

/// What the provider should be.
pub(super) struct Wanted {
    mark: String,
    subjects: Vec<Subject>,
    issuer: String,
    /// Empty: Google fetches them.
    jwks: String,
}

/// A field that differs: for people, and as it is written.
struct Field {
    /// As a mask names it.
    path: &'static str,
    before: Option<Value>,
    after: Option<Value>,
    value: Value,
}

impl Wanted {
    pub(super) fn new(want: &Trust) -> Result<Self> {
        Ok(Self {
            mark: mark(&want.cluster_id, want.issuer.as_str()),
            subjects: want.subjects()?,
            issuer: want.issuer.as_str().to_owned(),
            jwks: match want.issuer {
                TrustedIssuer::Published(_) => String::new(),
                TrustedIssuer::Signed(_) => want.keys.to_json(),
            },
        })
    }

    /// A new pool.
    pub(super) fn pool(&self) -> Value {
        json!({"description": self.mark, "disabled": false, "displayName": DISPLAY_NAME})
    }

    /// A new provider.
    pub(super) fn provider(&self) -> Value {
        let mut oidc = json!({"issuerUri": self.issuer});
        if !self.jwks.is_empty() {
            oidc["jwksJson"] = self.jwks.clone().into();
        }
        json!({
            "attributeCondition": condition(&self.admitted()),
            "attributeMapping": BTreeMap::from(MAPPING),
            "description": self.mark,
            "disabled": false,
            "displayName": DISPLAY_NAME,
            "oidc": oidc,
        })
    }

    /// What of a pool of ours must change.
    pub(super) fn pool_changes(&self, life: &Life) -> (Vec<FieldChange>, Patch) {
        split(self.life(life))
    }

    /// What of a provider of ours must change.
    pub(super) fn provider_changes(&self, provider: &Provider) -> Result<(Vec<FieldChange>, Patch)> {
        let mut fields = self.life(&provider.life);
        let mapping: BTreeMap<String, String> =
            MAPPING.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if provider.mapping != mapping {
            fields.push(Field {
                path: "attributeMapping",
                before: shown(&provider.mapping),
                after: shown(&mapping),
                value: json!(mapping),
            });
        }
        let wanted = self.condition(provider);
        if wanted.len() > LONGEST_CONDITION {
            return Err(Error::failed(
                Code::GoogleConditionTooLong,
                format!("the condition of the provider {} would have {} bytes", provider.id, wanted.len()),
            )
            .hint(format!("Google takes {LONGEST_CONDITION}: remove subjects that are not used any more from the condition")));
        }
        if provider.condition != wanted {
            fields.push(Field {
                path: "attributeCondition",
                before: text(&provider.condition),
                after: text(&wanted),
                value: wanted.into(),
            });
        }
        if !provider.audiences.is_empty() {
            fields.push(Field {
                path: "oidc.allowedAudiences",
                before: Some(json!(provider.audiences)),
                // The provider's own name.
                after: None,
                value: json!([]),
            });
        }
        if !provider.discovery.is_empty() {
            // What is served there names the keys.
            fields.push(Field {
                path: "oidc.discoveryUri",
                before: text(&provider.discovery),
                // Below the issuer.
                after: None,
                value: json!(""),
            });
        }
        if provider.issuer != self.issuer {
            fields.push(Field {
                path: "oidc.issuerUri",
                before: text(&provider.issuer),
                after: text(&self.issuer),
                value: self.issuer.clone().into(),
            });
        }
        fields.extend(self.keys(provider));
        Ok(split(fields))
    }

    /// What of its keys must change, and nothing else.
    pub(super) fn key_changes(&self, provider: &Provider) -> (Vec<FieldChange>, Patch) {
        split(self.keys(provider).into_iter().collect())
    }

    /// What another owner's provider would have to change before it could be used.
    pub(super) fn unfit(&self, provider: &Provider) -> Vec<FieldChange> {
        let mut fields = Vec::new();
        let mut differs = |path: &str, before: Option<Value>, after: Option<Value>| {
            fields.push(FieldChange::new(path, before, after));
        };
        if provider.life.disabled {
            differs("disabled", Some(true.into()), Some(false.into()));
        }
        if provider.issuer != self.issuer {
            differs("oidc.issuerUri", text(&provider.issuer), text(&self.issuer));
        }
        if provider.mapping.get("google.subject").is_none_or(|value| value != "assertion.sub") {
            differs("attributeMapping", shown(&provider.mapping), text("google.subject=assertion.sub"));
        }
        let admitted = subjects(&provider.condition).is_some_and(|subjects| self.are_all_in(&subjects));
        if !provider.condition.is_empty() && !admitted {
            let wanted = condition(&self.admitted());
            differs("attributeCondition", text(&provider.condition), text(&wanted));
        }
        if !provider.audiences.is_empty() {
            differs("oidc.allowedAudiences", Some(json!(provider.audiences)), None);
        }
        if !provider.discovery.is_empty() {
            differs("oidc.discoveryUri", text(&provider.discovery), None);
        }
        if let Some(field) = self.keys(provider) {
            differs(field.path, field.before, field.after);
        }
        fields
    }

    /// The subjects of other workloads that the provider lets in, by a condition of our own form.
    pub(super) fn others<'a>(&self, provider: &'a Provider) -> Vec<&'a str> {
        if provider.life.deleted {
            return Vec::new();
        }
        let all = subjects(&provider.condition).unwrap_or_default();
        all.into_iter().filter(|subject| !self.admitted().contains(subject)).collect()
    }

    /// The subjects of this plan's workloads.
    fn admitted(&self) -> Vec<&str> {
        self.subjects.iter().map(Subject::as_str).collect()
    }

    fn are_all_in(&self, subjects: &[&str]) -> bool {
        self.subjects.iter().all(|subject| subjects.contains(&subject.as_str()))
    }

    /// Other workloads of the same cluster are kept; a condition of any other form is replaced.
    fn condition(&self, provider: &Provider) -> String {
        let found = subjects(&provider.condition);
        if !provider.life.deleted && found.is_some_and(|all| self.are_all_in(&all)) {
            return provider.condition.clone();
        }
        let all: Vec<_> = self.others(provider).into_iter().chain(self.admitted()).collect();
        condition(&all)
    }

    fn life(&self, life: &Life) -> Vec<Field> {
        let mut fields = Vec::new();
        if life.description != self.mark {
            fields.push(Field {
                path: "description",
                before: text(&life.description),
                after: text(&self.mark),
                value: self.mark.clone().into(),
            });
        }
        if life.disabled {
            fields.push(Field {
                path: "disabled",
                before: Some(true.into()),
                after: Some(false.into()),
                value: false.into(),
            });
        }
        fields
    }

    fn keys(&self, provider: &Provider) -> Option<Field> {
        let (have, want) = (uploaded(&provider.jwks), uploaded(&self.jwks));
        let same = match (&have, &want) {
            (Some(have), Some(want)) => have == want,
            _ => provider.jwks == self.jwks,
        };
        (!same).then(|| Field {
            path: "oidc.jwksJson",
            before: shown_keys(&provider.jwks, have.as_ref()),
            after: shown_keys(&self.jwks, want.as_ref()),
            value: self.jwks.clone().into(),
        })
    }
}

/// Whether the provider has been given a key of this very cluster.
pub(super) fn knows_a_key(provider: &Provider, keys: &KeySet) -> bool {
    uploaded(&provider.jwks)
        .is_some_and(|have| have.iter().any(|key| keys.iter().any(|ours| ours.same_key(key))))
}

/// How the provider comes to its keys. A set that cannot be read is as good as none.
pub(super) fn keys(provider: &Provider) -> Keys {
    match uploaded(&provider.jwks) {
        Some(keys) => Keys::Given(keys),
        None if provider.jwks.is_empty() => Keys::Fetched,
        None => Keys::Absent,
    }
}

/// Of subjects that are plain: [`Subject`]s, and those that [`subjects`] has read.
fn condition(subjects: &[&str]) -> String {
    let quoted: Vec<_> = subjects.iter().map(|subject| format!("'{subject}'")).collect();
    format!("{}{}{}", CONDITION.0, quoted.join(", "), CONDITION.1)
}

/// The subjects of a condition of the form that is written here; `None`: it says something else.
pub(super) fn subjects(condition: &str) -> Option<Vec<&str>> {
    let list = condition.trim().strip_prefix(CONDITION.0)?.strip_suffix(CONDITION.1)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ":.-".contains(c);
    if list.trim().is_empty() {
        return Some(Vec::new());
    }
    list.split(',')
        .map(|quoted| {
            let quoted = quoted.trim();
            let inner = [('\'', '\''), ('"', '"')]
                .into_iter()
                .find_map(|(start, end)| quoted.strip_prefix(start)?.strip_suffix(end))?;
            let whole = inner.starts_with("system:serviceaccount:") && inner.chars().all(plain);
            whole.then_some(inner)
        })
        .collect()
}

fn uploaded(jwks: &str) -> Option<KeySet> {
    KeySet::parse(jwks.as_bytes(), "the uploaded key set", KidRule::External).ok().map(|(set, _)| set)
}

/// By their `kid`. `None`: Google fetches them from the issuer.
fn shown_keys(jwks: &str, set: Option<&KeySet>) -> Option<Value> {
    match set {
        None if jwks.is_empty() => None,
        None => text("a key set that cannot be read"),
        Some(set) => Some(set.iter().map(|key| Value::from(key.kid())).collect()),
    }
}

fn shown(mapping: &BTreeMap<String, String>) -> Option<Value> {
    let one = |(key, value): (&String, &String)| Value::from(format!("{key}={value}"));
    (!mapping.is_empty()).then(|| mapping.iter().map(one).collect())
}

/// `None`: it is empty, which for Google is the same as absent.
fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}

/// For people in the order of their names, for Google as a body and the mask that belongs to it.
fn split(mut fields: Vec<Field>) -> (Vec<FieldChange>, Patch) {
    fields.sort_by_key(|field| field.path);
    let mut body = Map::new();
    let mut differences = Vec::new();
    for field in fields {
        match field.path.split_once('.') {
            None => {
                body.insert(field.path.to_owned(), field.value);
            }
            Some((outer, inner)) => {
                let outer = body.entry(outer).or_insert_with(|| json!({}));
                outer[inner] = field.value;
            }
        }
        differences.push(FieldChange::new(field.path, field.before, field.after));
    }
    let mask = differences.iter().map(|change| change.path.as_str()).collect::<Vec<_>>().join(",");
    (differences, Patch { mask, body: body.into() })
}
