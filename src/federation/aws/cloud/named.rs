//! PURE. Which access keys, users and roles of AWS the cluster names, and what it names without saying which.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        key::is_id,
        names::role_name,
        place::{Partition, Region},
        section::AwsSection,
        store_login::{MEMBER, ROLE_ANNOTATION},
    },
    GENERATORS,
    trust::By,
};
use crate::{
    cluster::{
        objects::{Look, Unseen},
        snapshot::Public,
    },
    credentials::Who,
    federation::cloud::{Holder, Scope, holders},
};

/// More of them than a platform has.
const MOST: usize = 500;
/// The kind of credential of which copies name their key.
const FOUND: &str = "aws-key";

/// An IAM role, by its ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RoleArn {
    pub(super) text: String,
    pub(super) account: String,
    pub(super) name: String,
}

/// What is asked for at AWS, each with one place that names it.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// By ID.
    pub(super) keys: BTreeMap<String, String>,
    pub(super) users: BTreeMap<String, String>,
    pub(super) roles: BTreeMap<(RoleArn, By), String>,
    pub(super) unseen: BTreeSet<Unseen>,
}

pub(super) fn named(section: &AwsSection, partition: Partition, scope: &Scope<'_>) -> Named {
    let mut named = Named::default();
    if let Some(user) = section.key_user.as_deref().filter(|user| !user.is_empty()) {
        named.users.insert(user.to_owned(), "aws.keyUser".into());
    }
    let inventory = scope.inventory;
    for sighting in inventory.sightings.distinct() {
        if sighting.kind.id != FOUND {
            continue;
        }
        let place = sighting.places.first().map(|place| place.object()).unwrap_or_default();
        let id = match &sighting.who {
            Who::Named(name) => name.strip_prefix("aws:"),
            Who::Key(_) | Who::Same(_) => None,
        };
        match id {
            Some(id) => named.key(id, &place),
            None => named.not_seen(
                &sighting.what,
                format!("no ID lies beside it, so that AWS cannot be asked for its user: {place}"),
            ),
        }
    }
    let of_secrets = inventory.credentials.iter().map(|(key, found)| (key.to_string(), found));
    let of_config_maps = inventory.config_maps.iter().map(|(key, found)| (key.to_string(), found));
    for (place, found) in of_secrets.chain(of_config_maps) {
        if let Look::Seen(credential) = found
            && let Public::AwsAccessKey { id } = &credential.public
        {
            named.key(id, &place);
        }
    }
    for holder in holders(inventory, MEMBER, &GENERATORS) {
        named.holder(&holder, partition, scope);
    }
    named
}

impl Named {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.users.is_empty() && self.roles.is_empty()
    }

    fn holder(&mut self, holder: &Holder<'_>, partition: Partition, scope: &Scope<'_>) {
        let Holder { place, settings, .. } = holder;
        // Of another partition than the login: its accounts, keys and roles are others.
        let region = settings["region"].as_str().and_then(|region| Region::parse("region", region).ok());
        if region.is_none_or(|region| region.partition() != partition) {
            let unseen = Unseen {
                what: format!("the identity of {place} at AWS"),
                right: "aws.region or AWS_REGION, and a login, of the partition of the store".into(),
                why: format!(
                    "it is in no region of the partition {}, the one that is asked",
                    partition.name()
                ),
            };
            self.unseen.insert(unseen);
            return;
        }
        for key in holder.secrets("accessKeyIDSecretRef") {
            let what = format!("whose access key {place} logs in with");
            match scope.inventory.credentials.get(key) {
                Some(Look::Seen(credential)) if matches!(credential.public, Public::AwsAccessKey { .. }) => {}
                Some(Look::Seen(_)) => {
                    let why = format!("what {key} holds has not the form of a long-lived key's ID");
                    self.not_seen(&what, why);
                }
                // Nothing can log in by it.
                Some(Look::Absent) => {}
                Some(Look::Unseen(unseen)) => {
                    self.unseen.insert(unseen.clone());
                }
                None => self.not_seen(&what, format!("{key} was not read")),
            }
        }
        for name in holder.accounts() {
            let shown = format!("ServiceAccount {}/{}", name.0, name.1);
            match scope.accounts.get(&name) {
                Some(Look::Seen(account)) => {
                    if let Some(arn) = account.annotation(ROLE_ANNOTATION) {
                        self.role(arn, By::Token, &shown, partition);
                    }
                }
                // Nothing can log in by it.
                Some(Look::Absent) => {}
                Some(Look::Unseen(unseen)) => {
                    self.unseen.insert(unseen.clone());
                }
                None => self.not_seen(&format!("the identity of {shown}"), "it was not read".into()),
            }
        }
        let more = settings["additionalRoles"].as_array().into_iter().flatten();
        for role in [&settings["role"]].into_iter().chain(more).filter(|role| !role.is_null()) {
            match role.as_str() {
                Some("") => {}
                arn => self.role(arn.unwrap_or_default(), By::Login, place, partition),
            }
        }
        self.login(holder);
    }

    /// Whether it says as whom it logs in.
    fn login(&mut self, Holder { place, settings, .. }: &Holder<'_>) {
        let auth = &settings["auth"];
        let is_named = |path: &str| auth.pointer(path).is_some_and(|value| !value.is_null());
        let known = ["/jwt/serviceAccountRef", "/secretRef/accessKeyIDSecretRef"];
        if !known.into_iter().any(is_named) {
            let why = "it does not say which one: the login of the operator's own pod takes effect, or one that keyless does not know";
            self.not_seen(&format!("the identity of {place} at AWS"), why.into());
        }
        let methods = auth.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        for (method, _) in methods.filter(|(method, _)| !["jwt", "secretRef"].contains(&method.as_str())) {
            let why = format!("keyless does not ask about the login by {}", method.escape_debug());
            self.not_seen(&format!("the identity of {place} at AWS"), why);
        }
    }

    fn key(&mut self, id: &str, place: &str) {
        let why = match () {
            () if self.keys.contains_key(id) => return,
            () if !is_id(id) => "it is not the ID of a long-lived access key".to_owned(),
            () if self.keys.len() >= MOST => format!("the cluster names more than {MOST} access keys"),
            () => {
                self.keys.insert(id.to_owned(), place.to_owned());
                return;
            }
        };
        self.not_seen(&format!("the access key that {place} names at AWS"), why);
    }

    fn role(&mut self, arn: &str, by: By, place: &str, partition: Partition) {
        let Some(arn) = role_arn(arn, partition) else {
            let why = "it is not the ARN of an IAM role of the partition that is asked".to_owned();
            return self.not_seen(&format!("the role that {place} names at AWS"), why);
        };
        let key = (arn, by);
        match self.roles.len() >= MOST && !self.roles.contains_key(&key) {
            true => self.not_seen(
                &format!("the role that {place} names at AWS"),
                format!("the cluster names more than {MOST} roles"),
            ),
            false => {
                self.roles.entry(key).or_insert_with(|| place.to_owned());
            }
        }
    }

    fn not_seen(&mut self, what: &str, why: String) {
        let right = "a look at it by hand, at AWS".to_owned();
        self.unseen.insert(Unseen { what: what.to_owned(), right, why });
    }
}

/// `arn:aws:iam::123456789012:role/PATH/NAME`.
fn role_arn(text: &str, partition: Partition) -> Option<RoleArn> {
    let rest = text.strip_prefix(&format!("arn:{}:iam::", partition.name()))?;
    let (account, path) = rest.split_once(":role/")?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let plain = |byte: u8| byte.is_ascii_graphic();
    let name =
        path.rsplit('/').next().filter(|_| is_account && path.len() <= 600 && path.bytes().all(plain))?;
    role_name("a role", name).ok()?;
    Some(RoleArn { text: text.to_owned(), account: account.to_owned(), name: name.to_owned() })
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
