//! A service-account key: recognised and proved by its public half, and retired once nothing needs it.

use async_trait::async_trait;
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    signature::{KeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{GoogleSection, PROVIDER, names::check_email};
use crate::{
    error::{Code, Error, Result},
    federation::{
        ProviderName,
        credential::{Act, Identity, Kind, LastUse, Standing, StoredCredential},
    },
    google::{Api, CLOUD_PLATFORM, Outcome, Refusal, Tokens, check_endpoint, needs},
    http::Http,
    oidc::{PublicKey, keys_from_pem},
};

/// What of a store's settings should hold a key file.
const PATH: &str = "gcpsm.auth.secretRef.";
/// The file of one key has some 2,400 bytes.
const LONGEST: usize = 64 << 10;
const LAST_USE: &str = "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query";

/// A key at Google.
pub(crate) struct StoredKey {
    api: Api,
    iam: String,
    policy_analyzer: String,
    name: Name,
    public_half: Option<String>,
}

/// `projects/P/serviceAccounts/E/keys/K`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) project: String,
    pub(super) email: String,
    pub(super) id: String,
}

/// Whether a store expects a key file there.
pub(crate) fn expects_a_key(path: &str) -> bool {
    path.starts_with(PATH)
}

/// The key in this file, named by what the file says of itself, with the public half of what it holds; `None` when
/// it is no key file. Whether it is the key that it claims to be is for Google to say.
/// <https://cloud.google.com/iam/docs/keys-create-delete>
pub(crate) fn recognise(file: &[u8]) -> Option<Identity> {
    if file.len() > LONGEST {
        return None;
    }
    let members: Map<String, Value> = serde_json::from_slice(file).ok()?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("type") != "service_account" {
        return None;
    }
    let name = Name::new(text("project_id"), text("client_email"), text("private_key_id")).ok()?;
    let public_half = public_half(text("private_key"))?;
    Some(Identity {
        kind: Kind::Of(ProviderName::new(&PROVIDER)),
        id: name.resource(),
        shown: name.shown(),
        public_half: Some(public_half),
        client: None,
        by_hand: String::new(),
    })
}

/// The public half of an RSA private key (PKCS#8, PEM). That both halves belong together is checked: a file may hold
/// one key's public numbers beside made-up private ones.
fn public_half(pem: &str) -> Option<String> {
    let block = ::pem::parse(pem).ok().filter(|block| block.tag() == "PRIVATE KEY")?;
    let pair = RsaKeyPair::from_pkcs8(block.contents()).ok()?;
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    fingerprint(&::pem::encode(&::pem::Pem::new("PUBLIC KEY", der.as_ref())))
}

/// Of a public key (PEM): `kid` as Kubernetes computes it, SHA-256 of the key.
pub(super) fn fingerprint(pem: &str) -> Option<String> {
    let keys = keys_from_pem(pem.as_bytes(), "the key").ok()?;
    let [key] = keys.as_slice() else { return None };
    Some(PublicKey::kid(key).to_owned())
}

impl Name {
    fn new(project: &str, email: &str, id: &str) -> Result<Self> {
        check_email(email)?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
        if project.is_empty() || project.len() > 100 || !project.bytes().all(plain) {
            return Err(Error::failed(
                Code::GoogleKeyProject,
                "the key file names no project that Google can know",
            )
            .hint("`project_id` is the project of the service account"));
        }
        if !(8..=64).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::failed(Code::GoogleKeyId, "the key file names no key that Google can know")
                .hint("`private_key_id` is 40 hexadecimal digits; `gcloud iam service-accounts keys list` shows them"));
        }
        Ok(Self { project: project.to_owned(), email: email.to_owned(), id: id.to_owned() })
    }

    pub(super) fn parse(resource: &str) -> Result<Self> {
        match resource.split('/').collect::<Vec<_>>()[..] {
            ["projects", project, "serviceAccounts", email, "keys", id] => Self::new(project, email, id),
            _ => Err(Error::failed(Code::GoogleKeyId, "what was saved names no key that Google can know")
                .hint("`gcloud iam service-accounts keys list` shows the keys that there are")),
        }
    }

    /// With the project's name: asked for `-`, Google answers 403 for a key that is not there.
    pub(super) fn resource(&self) -> String {
        format!("projects/{}/serviceAccounts/{}/keys/{}", self.project, self.email, self.id)
    }

    fn shown(&self) -> String {
        format!("key {} of {}", self.id, self.email)
    }

    fn on(&self) -> String {
        format!("the service account {}", self.email)
    }
}

impl StoredKey {
    /// Looks for the credentials of the user who runs this program; sends nothing.
    pub(crate) fn connect(identity: &Identity, google: &GoogleSection, http: &Http) -> Result<Self> {
        let endpoints = &google.endpoints;
        check_endpoint("iam", &endpoints.iam)?;
        check_endpoint("policyAnalyzer", &endpoints.policy_analyzer)?;
        let name = Name::parse(&identity.id)?;
        let tokens = Tokens::find(google.access_token.as_ref(), CLOUD_PLATFORM)?;
        Ok(Self {
            api: Api::new(http, tokens),
            iam: endpoints.iam.clone(),
            policy_analyzer: endpoints.policy_analyzer.clone(),
            name,
            public_half: identity.public_half.clone(),
        })
    }

    fn url(&self) -> String {
        format!("{}/v1/{}", self.iam, self.name.resource())
    }

    fn refused(&self, refusal: Refusal, doing: &str, permission: &str) -> Error {
        refusal.error(
            &format!("{doing} the {}", self.name.shown()),
            &format!("iam.serviceAccountKeys.{permission}"),
            &self.name.on(),
        )
    }

    fn changed(&self, is: &str) -> Error {
        Error::failed(Code::GoogleChanged, format!("the {} is {is}, and is not deleted", self.name.shown()))
            .caused_by(
                "only a key that was disabled before is deleted: then it is known that nothing needs it",
            )
    }

    /// A refusal is none when the key is in the wanted state already.
    async fn done(&self, done: Outcome<Value>, doing: &str, act: Act, want: Standing) -> Result<()> {
        let Err(refusal) = done else { return Ok(()) };
        let may_be = matches!(refusal.status, Some(400 | 404 | 409));
        if may_be && self.look().await.is_ok_and(|standing| standing == want) {
            return Ok(());
        }
        Err(self.refused(refusal, doing, verb(act)))
    }
}

#[async_trait]
impl StoredCredential for StoredKey {
    async fn look(&self) -> Result<Standing> {
        let key = match self.api.get(&format!("{}?publicKeyType=TYPE_RAW_PUBLIC_KEY", self.url())).await {
            Ok(key) => key,
            Err(refusal) if refusal.is_absent() => return Ok(Standing::Absent),
            Err(refusal) => return Err(self.refused(refusal, "looking at", "get")),
        };
        let served = key["publicKeyData"].as_str().and_then(|data| STANDARD.decode(data).ok());
        let served = served.and_then(|pem| fingerprint(std::str::from_utf8(&pem).ok()?));
        if served.is_none() || served != self.public_half {
            return Ok(Standing::Another);
        }
        Ok(if key["disabled"] == true { Standing::Disabled } else { Standing::Enabled })
    }

    async fn last_use(&self) -> LastUse {
        last_use(&self.api, &self.policy_analyzer, &self.name).await
    }

    async fn disable(&self) -> Result<()> {
        let done = self.api.post(&format!("{}:disable", self.url()), Some(&json!({}))).await;
        self.done(done, "disabling", Act::Disable, Standing::Disabled).await
    }

    async fn enable(&self) -> Result<()> {
        let done = self.api.post(&format!("{}:enable", self.url()), Some(&json!({}))).await;
        self.done(done, "enabling", Act::Enable, Standing::Enabled).await
    }

    /// Google keeps no deleted key. One that is enabled may be in use again.
    async fn delete(&self) -> Result<()> {
        match self.look().await? {
            Standing::Absent => return Ok(()),
            Standing::Disabled => {}
            Standing::Enabled => {
                return Err(self
                    .changed("enabled")
                    .hint("find out who enabled it again, then run the command again"));
            }
            Standing::Another => {
                let hint = "`gcloud iam service-accounts keys list` shows the keys that there are";
                return Err(self.changed("not the one that the store uses").hint(hint));
            }
            Standing::NotProved(why) => {
                return Err(self
                    .changed("not known to be the one that the store uses")
                    .caused_by(why)
                    .hint("run the command again once the cause is gone"));
            }
        }
        let done = self.api.delete(&self.url()).await;
        self.done(done, "deleting", Act::Delete, Standing::Absent).await
    }

    fn needs(&self, act: Act) -> String {
        needs(&format!("iam.serviceAccountKeys.{}", verb(act)), &self.name.on())
    }
}

/// When Google saw this key log in last.
pub(super) async fn last_use(api: &Api, policy_analyzer: &str, name: &Name) -> LastUse {
    let resource = format!("//iam.googleapis.com/{}", name.resource());
    let filter: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("filter", &format!("activities.full_resource_name=\"{resource}\""))
        .append_pair("pageSize", "1")
        .finish();
    let url = format!(
        "{policy_analyzer}/v1/projects/{}/locations/global/activityTypes/serviceAccountKeyLastAuthentication/activities:query?{filter}",
        name.project
    );
    match api.get(&url).await {
        Ok(answer) => {
            let activity = answer.pointer("/activities/0/activity/lastAuthenticatedTime");
            let time = activity.and_then(Value::as_str).filter(|time| is_time(time));
            time.map_or(LastUse::NotKnown, |time| LastUse::At(time.to_owned()))
        }
        Err(refusal) => {
            let on = format!("the project {}", name.project);
            let error = refusal.error("asking when the key was used last", LAST_USE, &on);
            let hint = error.hints.first().map(|hint| format!(" ({hint})")).unwrap_or_default();
            LastUse::NotAsked(format!("{}{hint}", error.message))
        }
    }
}

fn verb(act: Act) -> &'static str {
    match act {
        Act::Disable => "disable",
        Act::Enable => "enable",
        Act::Delete => "delete",
    }
}

/// RFC 3339, and nothing that a terminal could take for more.
pub(super) fn is_time(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_digit() || b"TZ:.+-".contains(&byte))
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
