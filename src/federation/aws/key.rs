//! A stored access key: named by its ID, and retired once nothing needs it.
//!
//! An ID proves nothing: everyone who may write the Secret may write another key's ID there. So a key counts only if it is
//! one of the account of `aws.account`, and of the IAM user whom an administrator has named as `aws.keyUser`.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::{
    PROVIDER,
    api::{Client, Signer},
    place::Api,
    refusal::{Outcome, Refusal},
    section::AwsSection,
};
use crate::{
    error::{Code, Error, Result},
    federation::{
        ProviderName,
        credential::{Act, Identity, Kind, LastUse, Standing, StoredCredential},
    },
    http::Http,
    retry::Repeat,
    xml::Element,
};

/// An access key at AWS.
pub(crate) struct StoredKey {
    client: Client,
    /// `aws.account`.
    account: Option<String>,
    /// `aws.keyUser`.
    user: Option<String>,
    id: String,
    /// By this run.
    is_deleted: AtomicBool,
}

/// The ID of a long-lived key, if this is one. Temporary ones begin with ASIA.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
pub(super) fn recognise(bytes: &[u8]) -> Option<Identity> {
    let id = std::str::from_utf8(bytes).ok()?.trim();
    is_id(id).then(|| Identity {
        kind: Kind::Of(ProviderName::new(&PROVIDER)),
        id: id.to_owned(),
        shown: format!("AWS access key {id}"),
        public_half: None,
        client: None,
        by_hand: String::new(),
    })
}

pub(super) fn is_id(text: &str) -> bool {
    text.len() == 20
        && text.starts_with("AKIA")
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether it has the form of a key's secret half: 40 characters of base64.
pub(super) fn is_secret_half(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    text.len() == 40 && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/+=".contains(byte))
}

/// What AWS says of a key.
struct Seen {
    user: String,
    is_active: bool,
}

/// Whether it is the key that an administrator has named.
enum Proof {
    Seen(Seen),
    /// It was deleted by this run.
    Gone,
    Unconfirmed(Unconfirmed),
}

/// Why that is not known.
struct Unconfirmed {
    why: String,
    hints: Vec<String>,
}

impl Unconfirmed {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hints: Vec::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<Unconfirmed> for Proof {
    fn from(unconfirmed: Unconfirmed) -> Self {
        Self::Unconfirmed(unconfirmed)
    }
}

impl StoredKey {
    /// Sends nothing.
    pub(super) fn connect(identity: &Identity, section: &AwsSection, http: &Http) -> Result<Self> {
        if !is_id(&identity.id) {
            return Err(Error::failed(
                Code::AwsSetting,
                "what was saved names no access key that AWS can know",
            )
            .hint("`aws iam list-access-keys --user-name USER` shows the keys that there are"));
        }
        let region = section.region_or_usual()?;
        Ok(Self {
            client: Client::new(http, &region, &section.endpoints)?,
            account: section.account.clone(),
            user: section.key_user.clone(),
            id: identity.id.clone(),
            is_deleted: AtomicBool::new(false),
        })
    }

    /// With another client.
    #[cfg(test)]
    pub(super) fn with(self, change: impl FnOnce(Client) -> Client) -> Self {
        Self { client: change(self.client), ..self }
    }

    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Outcome<Element> {
        self.client.query(Api::Iam, Signer::Administrator, action, parameters, Repeat::Safe).await
    }

    fn refused(&self, refusal: Refusal, doing: &str, action: &str) -> Error {
        refusal.error(&format!("{doing} the access key {}", self.id), &format!("iam:{action}"))
    }

    /// The key and its user, once both are proved to be those that an administrator has named.
    async fn proved(&self) -> Result<Proof> {
        let Some(account) = &self.account else {
            return Ok(Unconfirmed::new("aws.account is not set")
                .hint("set aws.account to the account of the key")
                .into());
        };
        let user = self.user.as_deref().filter(|user| !user.is_empty());
        let keys = async { Some(self.iam("ListAccessKeys", &[("UserName", user?)]).await) };
        let caller =
            self.client.query(Api::Sts, Signer::Administrator, "GetCallerIdentity", &[], Repeat::Safe);
        let (caller, keys) = futures::join!(caller, keys);
        let caller =
            caller.map_err(|refusal| self.refused(refusal, "asking for the account of", "GetUser"))?;
        let own = caller.text_at(&["GetCallerIdentityResult", "Account"]).unwrap_or_default();
        if own != account {
            return Err(Error::failed(
                Code::AwsOtherAccount,
                format!(
                    "the AWS credentials are of the account {}, and aws.account is {account}",
                    own.escape_debug()
                ),
            )
            .hint("log in to that account: AWS_PROFILE, or `aws sso login`"));
        }
        // The keys of the caller's account only.
        let (Some(user), Some(keys)) = (user, keys) else {
            return Ok(self.of_another_user().await.into());
        };
        let keys = match keys {
            Ok(keys) => keys,
            Err(refusal) if refusal.is_absent() => return Ok(self.of_another_user().await.into()),
            Err(refusal) => return Err(self.refused(refusal, "looking at", "ListAccessKeys")),
        };
        let result = keys.get("ListAccessKeysResult").cloned().unwrap_or_default();
        // The ID was read from a Secret: among several keys of a user, another one may be written there.
        let broken =
            |what: &str| self.refused(Refusal::without(Api::Iam, what), "looking at", "ListAccessKeys");
        // Of half a list, the number of keys is not known.
        if result.text_at(&["IsTruncated"]) != Some("false") {
            return Err(broken("not all keys of the user"));
        }
        let of_others = |key: &&Element| key.text_at(&["UserName"]) != Some(user);
        if let Some(other) = result.members("AccessKeyMetadata").find(of_others) {
            let refusal = Refusal::about_another(Api::Iam, user, other.text_at(&["UserName"]));
            return Err(self.refused(refusal, "looking at", "ListAccessKeys"));
        }
        let count = result.members("AccessKeyMetadata").count();
        if count > 1 {
            return Ok(Unconfirmed::new(format!("the IAM user {} has {count} keys", user.escape_debug()))
                .hint("delete the other key first, if nothing uses it; or retire this one by hand: aws iam update-access-key, aws iam delete-access-key")
                .into());
        }
        let key =
            result.members("AccessKeyMetadata").find(|key| key.text_at(&["AccessKeyId"]) == Some(&self.id));
        let is_active = match key.map(|key| key.text_at(&["Status"])) {
            None if self.is_deleted.load(Ordering::Relaxed) => return Ok(Proof::Gone),
            None => return Ok(self.of_another_user().await.into()),
            Some(Some("Active")) => true,
            Some(Some("Inactive")) => false,
            Some(_) => return Err(broken("another status than Active and Inactive")),
        };
        Ok(Proof::Seen(Seen { user: user.to_owned(), is_active }))
    }

    /// Why it is left as it is. AWS answers alike for a key that is gone, for one of another account, and where it may not
    /// tell: then it is not known to be gone.
    async fn of_another_user(&self) -> Unconfirmed {
        let named = match &self.user {
            Some(named) => format!("aws.keyUser is {}", named.escape_debug()),
            None => {
                "aws.keyUser is not set by a file that --config names, or by KEYLESS_AWS_KEY_USER".to_owned()
            }
        };
        match self.last_used().await {
            Ok(last) => {
                let user = last.text_at(&["UserName"]).unwrap_or_default().escape_debug().to_string();
                Unconfirmed::new(format!("it belongs to the IAM user {user}, and {named}")).hint(format!(
                    "if {user} is the user that the store logged in as, and nothing else does: set aws.keyUser to that name, and name the settings file by --config"
                ))
            }
            Err(refusal) => Unconfirmed::new(format!(
                "its IAM user is not known ({}), and {named}",
                refusal.summary()
            ))
            .hint("it was deleted, or is of another account, or your login lacks iam:GetAccessKeyLastUsed")
            .hint(format!("`aws sts get-access-key-info --access-key-id {}` names the account", self.id)),
        }
    }

    /// The store reads in the account of its key. Where AWS does not tell which that is, nothing is known.
    async fn refuse_other_account(&self) -> Result<()> {
        let asked = [("AccessKeyId", self.id.as_str())];
        let answer =
            self.client.query(Api::Sts, Signer::Administrator, "GetAccessKeyInfo", &asked, Repeat::Safe);
        let Ok(answer) = answer.await else { return Ok(()) };
        let of = answer.text_at(&["GetAccessKeyInfoResult", "Account"]).filter(|of| !of.is_empty());
        match (of, &self.account) {
            (Some(of), Some(account)) if of != account => Err(Error::failed(
                Code::AwsOtherAccount,
                format!(
                    "the access key {} of the store is of the account {}, and aws.account is {account}",
                    self.id,
                    of.escape_debug()
                ),
            )
            .hint("set aws.account to the account of the secrets, and log in there")
            .hint("or, if the secrets have moved, give the store a key of that account first")),
            _ => Ok(()),
        }
    }

    /// What is not confirmed is left as it is.
    fn left(&self, unconfirmed: Unconfirmed) -> Error {
        let Unconfirmed { why, hints } = unconfirmed;
        let error =
            Error::failed(Code::AwsKeyUser, format!("the access key {} is left as it is: {why}", self.id))
                .caused_by("everyone who may write the Secret of the store may name another key there");
        hints.into_iter().fold(error, Error::hint)
    }

    async fn last_used(&self) -> Outcome<Element> {
        let answer = self.iam("GetAccessKeyLastUsed", &[("AccessKeyId", &self.id)]).await?;
        Ok(answer.get("GetAccessKeyLastUsedResult").cloned().unwrap_or_default())
    }

    async fn set(&self, doing: &str, status: &str) -> Result<()> {
        let user = match self.proved().await? {
            Proof::Seen(Seen { user, .. }) => user,
            Proof::Gone => {
                let gone = Unconfirmed::new("its user has no such key any more");
                return Err(self.left(gone.hint("nothing has to be done about it")));
            }
            Proof::Unconfirmed(unconfirmed) => return Err(self.left(unconfirmed)),
        };
        let named = [("UserName", user.as_str()), ("AccessKeyId", &self.id), ("Status", status)];
        let done = self.iam("UpdateAccessKey", &named).await;
        done.map(drop).map_err(|refusal| self.refused(refusal, doing, "UpdateAccessKey"))
    }
}

#[async_trait]
impl StoredCredential for StoredKey {
    async fn look(&self) -> Result<Standing> {
        Ok(match self.proved().await? {
            Proof::Seen(Seen { is_active: true, .. }) => Standing::Enabled,
            Proof::Seen(Seen { is_active: false, .. }) => Standing::Disabled,
            Proof::Gone => Standing::Absent,
            // The key stays as it is; the store can turn to its new login all the same, unless it reads elsewhere.
            Proof::Unconfirmed(Unconfirmed { why, hints }) => {
                self.refuse_other_account().await?;
                let remedy = hints.first().map(|hint| format!("; {hint}")).unwrap_or_default();
                Standing::NotProved(format!("{why}{remedy}"))
            }
        })
    }

    async fn last_use(&self) -> LastUse {
        match self.last_used().await {
            Ok(last) => {
                let time = last.text_at(&["AccessKeyLastUsed", "LastUsedDate"]).filter(|time| is_time(time));
                time.map_or(LastUse::NotKnown, |time| LastUse::At(time.to_owned()))
            }
            Err(refusal) => {
                let error = self.refused(refusal, "asking when it was used last,", "GetAccessKeyLastUsed");
                let hint = error.hints.first().map(|hint| format!(" ({hint})")).unwrap_or_default();
                LastUse::NotAsked(format!("{}{hint}", error.message))
            }
        }
    }

    async fn disable(&self) -> Result<()> {
        self.set("disabling", "Inactive").await
    }

    async fn enable(&self) -> Result<()> {
        self.set("enabling", "Active").await
    }

    /// AWS keeps no deleted key. One that is active may be in use again.
    async fn delete(&self) -> Result<()> {
        let Seen { user, is_active } = match self.proved().await? {
            Proof::Seen(seen) => seen,
            Proof::Gone => return Ok(()),
            Proof::Unconfirmed(unconfirmed) => return Err(self.left(unconfirmed)),
        };
        if is_active {
            return Err(Error::failed(
                Code::AwsChanged,
                format!(
                    "the access key {} of {} is active, and is not deleted",
                    self.id,
                    user.escape_debug()
                ),
            )
            .caused_by(
                "only a key that was disabled before is deleted: then it is known that nothing needs it",
            )
            .hint("find out who enabled it again, then run the command again"));
        }
        let done = self.iam("DeleteAccessKey", &[("UserName", &user), ("AccessKeyId", &self.id)]).await;
        match done {
            Err(refusal) if !refusal.is_absent() => Err(self.refused(refusal, "deleting", "DeleteAccessKey")),
            Ok(_) | Err(_) => {
                self.is_deleted.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn needs(&self, act: Act) -> String {
        let action = match act {
            Act::Disable | Act::Enable => "UpdateAccessKey",
            Act::Delete => "DeleteAccessKey",
        };
        let user = self.user.as_deref().unwrap_or("of the key");
        format!("iam:GetAccessKeyLastUsed, iam:ListAccessKeys and iam:{action} on the IAM user {user}")
    }
}

/// ISO 8601, and nothing that a terminal could take for more. A key that was never used has `N/A`.
pub(super) fn is_time(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"TZ:.+-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_lived_ids_are_recognised() {
        let id = format!("AK{}", "IAIOSFODNN7EXAMPLE");
        assert_eq!(recognise(format!("{id}\n").as_bytes()).unwrap().id, id);
        for text in [
            String::new(),
            id.replace("AKIA", "ASIA"),
            format!("{id}A"),
            id.to_lowercase(),
            format!("{{\"id\":\"{id}\"}}"),
            id[..19].to_owned(),
        ] {
            assert!(recognise(text.as_bytes()).is_none(), "{text}");
        }
        assert!(recognise(&[0xff; 20]).is_none());
    }

    #[test]
    fn secret_half_has_its_form() {
        let half = "aB3/+".repeat(8);
        assert!(is_secret_half(half.as_bytes()) && is_secret_half(format!("{half}\n").as_bytes()));
        for text in ["", &half[1..], &format!("{half}a"), &half.replace('/', "-"), &half.replace('+', " ")] {
            assert!(!is_secret_half(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn times_are_times() {
        assert!(is_time("2026-11-24T08:00:00Z") && !is_time("N/A") && !is_time("") && !is_time("\u{1b}[2J"));
    }
}
