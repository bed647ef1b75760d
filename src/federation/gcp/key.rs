//! A service-account key: what is retired once it is not needed any more.

use serde_json::{Value, json};

use super::{Gcp, names::check_email};
use crate::{
    error::{Error, Result},
    google::{Outcome, needs},
};

/// A key of a Google service account, by its ID (`private_key_id` of the key file).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceAccountKey {
    email: String,
    id: String,
}

/// What Google says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// Deleted, or never there.
    Absent,
    Disabled,
    Enabled,
}

impl ServiceAccountKey {
    pub(crate) fn new(email: &str, id: &str) -> Result<Self> {
        check_email(email)?;
        if !(8..=64).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::failed("google-key-id", "the key file names no key that Google can know")
                .hint("`private_key_id` is 40 hexadecimal digits; `gcloud iam service-accounts keys list` shows them"));
        }
        Ok(Self { email: email.to_owned(), id: id.to_owned() })
    }

    pub(crate) fn email(&self) -> &str {
        &self.email
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    fn on(&self) -> String {
        format!("the service account {}", self.email)
    }

    fn shown(&self) -> String {
        format!("the key {} of {}", self.id, self.email)
    }

    /// What it takes to disable, enable and delete it, for a plan.
    pub(crate) fn needs(&self, verb: &str) -> String {
        needs(&format!("iam.serviceAccountKeys.{verb}"), &self.on())
    }
}

impl Gcp {
    /// Whether the key is still good.
    pub(crate) async fn key_state(&self, key: &ServiceAccountKey) -> Result<KeyState> {
        match self.api.get(&self.key_url(key)).await {
            Ok(json) if json["disabled"] == true => Ok(KeyState::Disabled),
            Ok(_) => Ok(KeyState::Enabled),
            Err(refusal) if refusal.is_absent() => Ok(KeyState::Absent),
            Err(refusal) => Err(refusal.error(
                &format!("looking at {}", key.shown()),
                "iam.serviceAccountKeys.get",
                &key.on(),
            )),
        }
    }

    /// Makes the key useless, and can be taken back by [`Self::enable_key`].
    pub(crate) async fn disable_key(&self, key: &ServiceAccountKey) -> Result<()> {
        let done = self.api.post(&format!("{}:disable", self.key_url(key)), Some(&json!({}))).await;
        self.key_done(key, done, "disabling", "disable", KeyState::Disabled).await
    }

    pub(crate) async fn enable_key(&self, key: &ServiceAccountKey) -> Result<()> {
        let done = self.api.post(&format!("{}:enable", self.key_url(key)), Some(&json!({}))).await;
        self.key_done(key, done, "enabling", "enable", KeyState::Enabled).await
    }

    /// For good: Google keeps no deleted key.
    pub(crate) async fn delete_key(&self, key: &ServiceAccountKey) -> Result<()> {
        let done = self.api.delete(&self.key_url(key)).await;
        self.key_done(key, done, "deleting", "delete", KeyState::Absent).await
    }

    /// A refusal is none when the key is in the wanted state already.
    async fn key_done(
        &self,
        key: &ServiceAccountKey,
        done: Outcome<Value>,
        verb: &str,
        permission: &str,
        want: KeyState,
    ) -> Result<()> {
        let Err(refusal) = done else { return Ok(()) };
        let may_be = matches!(refusal.status, Some(400 | 404 | 409));
        if may_be && self.key_state(key).await.is_ok_and(|state| state == want) {
            return Ok(());
        }
        let permission = format!("iam.serviceAccountKeys.{permission}");
        Err(refusal.error(&format!("{verb} {}", key.shown()), &permission, &key.on()))
    }

    /// With `-` for the project: the address says which.
    fn key_url(&self, key: &ServiceAccountKey) -> String {
        self.iam(&format!("projects/-/serviceAccounts/{}/keys/{}", key.email, key.id))
    }
}
