//! AWS's part of `keyless audit --cloud`: access keys of the IAM users whose keys the cluster names, and whom the roles let
//! in that its stores become.
//!
//! Everything is asked with the login of the user who runs this program, at the addresses of AWS or those of
//! `aws.endpoints`. What an object says decides what is asked for, never where. A key that was found signs nothing.

mod answers;
mod kinds;
mod named;
mod rights;
mod trust;

use std::collections::BTreeMap;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};

use self::{
    answers::{AccessKey, LastUsed},
    kinds::{INACTIVE, KEY, WIDE},
    named::{Named, RoleArn, named},
    trust::{By, Own, admits, names_issuer},
};
pub(super) use self::{kinds::KINDS, rights::RIGHTS};
use super::{
    api::{Client, Signer},
    observe::document,
    place::{Api, Partition, Region},
    refusal::{Outcome, Refusal},
    section::AwsSection,
};
use crate::{
    error::{Error, Result},
    federation::{
        OwnIssuer,
        cloud::{Admits, CloudLook, Issued, IssuedKind, NONE_OF_THIS_NAME, Remark, Scope, in_a_line},
    },
    http::Http,
    retry::Repeat,
    xml::Element,
};

/// Kinds of generators that log in at AWS.
pub(super) static GENERATORS: [&str; 2] = ["ECRAuthorizationToken", "STSSessionToken"];
/// Keys, users and roles that are asked for at the same time. IAM throttles early.
const IN_FLIGHT: usize = 4;
/// Pages of one list: a user has two access keys as a rule.
const MOST_PAGES: usize = 20;

pub(super) async fn look(section: &AwsSection, scope: &Scope<'_>, http: &Http) -> CloudLook {
    let region = section.region_or_usual();
    let partition = region.as_ref().map_or(Partition::Aws, Region::partition);
    let named = named(section, partition, scope);
    let is_empty = named.is_empty();
    let Named { keys, users, roles, unseen } = named;
    let mut look = CloudLook { unseen, ..CloudLook::default() };
    if is_empty {
        return look;
    }
    let client = region.and_then(|region| Client::new(http, &region, &section.endpoints));
    let auditor = match client {
        Ok(client) => Auditor { client, account: String::new() },
        Err(error) => {
            look.merge(all_unseen(&error));
            return look;
        }
    };
    let auditor = match auditor.logged_in(section.account.as_deref(), &mut look).await {
        Ok(auditor) => auditor,
        Err(part) => {
            look.merge(part);
            return look;
        }
    };
    let mut asked: Vec<BoxFuture<'_, Result<LastUsed, CloudLook>>> = Vec::new();
    for (id, place) in &keys {
        asked.push(auditor.user_of(id, place).boxed());
    }
    let answered: Vec<_> = stream::iter(asked).buffered(IN_FLIGHT).collect().await;
    let mut owners: BTreeMap<String, Owner> = BTreeMap::new();
    let settings_user = users.keys().next().cloned();
    for (user, place) in users {
        owners.entry(user).or_default().place = place;
    }
    for ((id, place), answered) in keys.iter().zip(answered) {
        match answered {
            Ok(used) => {
                let owner = owners.entry(used.user.clone()).or_default();
                if owner.place.is_empty() {
                    place.clone_into(&mut owner.place);
                }
                owner.used.insert(id.clone(), used);
            }
            Err(part) => look.merge(part),
        }
    }
    // A user of this name is in each account that has one.
    let is_own = |(arn, _): &(RoleArn, By)| arn.account == auditor.account;
    let is_meant = section.account.is_some()
        || owners.values().any(|owner| !owner.used.is_empty())
        || roles.keys().any(is_own);
    if let (Some(user), false) = (&settings_user, is_meant) {
        look.not_seen(
            format!("the access keys of the IAM user {user}, whom aws.keyUser names"),
            "the account of that user: set aws.account".into(),
            format!("nothing says that it is of the account {}, the one of the login", auditor.account),
        );
    }
    let own_roles: Vec<_> = roles.keys().map(|(arn, _)| arn).collect();
    let mut parts: Vec<BoxFuture<'_, CloudLook>> = Vec::new();
    for (user, owner) in &owners {
        parts.push(auditor.user(user, owner).boxed());
    }
    for ((arn, by), place) in &roles {
        parts.push(auditor.role(arn, *by, place, (scope.issuer, &own_roles)).boxed());
    }
    let parts: Vec<_> = stream::iter(parts).buffered(IN_FLIGHT).collect().await;
    parts.into_iter().for_each(|part| look.merge(part));
    look
}

/// An IAM user, and its keys that the cluster names.
#[derive(Debug, Default)]
struct Owner {
    place: String,
    used: BTreeMap<String, LastUsed>,
}

/// Who asks.
struct Auditor {
    client: Client,
    /// Of the login.
    account: String,
}

impl Auditor {
    async fn query(&self, api: Api, action: &str, parameters: &[(&str, &str)]) -> Outcome<Element> {
        self.client.query(api, Signer::Administrator, action, parameters, Repeat::Safe).await
    }

    /// The login is of the account that is meant.
    async fn logged_in(self, named: Option<&str>, look: &mut CloudLook) -> Result<Self, CloudLook> {
        const ACTION: &str = "GetCallerIdentity";
        let answer = self.query(Api::Sts, ACTION, &[]).await;
        let answer = answer.map_err(|refusal| {
            let error = refusal.error("asking whose the login is", &format!("sts:{ACTION}"));
            look.asked_as("aws", Err(in_a_line(&error)));
            all_unseen(&error)
        })?;
        look.asked_as("aws", answers::caller(&answer));
        let account = answers::account(&answer, ACTION)
            .map_err(|why| all_unseen(&Refusal::without(Api::Sts, why).error("", "")))?;
        match named {
            Some(named) if named != account => {
                let mut look = CloudLook::default();
                look.not_seen(
                    "what the cluster names at AWS".into(),
                    format!("a login in the account {named}: AWS_PROFILE, or aws sso login"),
                    format!("the AWS credentials are of the account {account}, and aws.account is {named}"),
                );
                Err(look)
            }
            _ => Ok(Self { account, ..self }),
        }
    }

    /// Whose a key is. AWS answers alike for a key that is gone, for one of another account, and where it may not tell.
    async fn user_of(&self, id: &str, place: &str) -> Result<LastUsed, CloudLook> {
        let what = format!("the IAM user of the access key {id}, which {place} names");
        let action = "iam:GetAccessKeyLastUsed";
        let asked = [("AccessKeyId", id)];
        let refusal = match self.query(Api::Iam, "GetAccessKeyLastUsed", &asked).await {
            Ok(answer) => {
                return answers::last_used(&answer).map_err(|why| odd(what, why, action));
            }
            Err(refusal) => refusal,
        };
        if refusal.is_forbidden() || refusal.is_absent() {
            let of = match self.query(Api::Sts, "GetAccessKeyInfo", &asked).await {
                Ok(answer) => answers::account(&answer, "GetAccessKeyInfo").ok(),
                Err(_) => None,
            };
            if let Some(of) = of.filter(|of| *of != self.account) {
                let mut look = CloudLook::default();
                let own = &self.account;
                let right = format!("a look with a login in the account {of}");
                look.not_seen(what, right, format!("it is of the account {of}, and the login is of {own}"));
                return Err(look);
            }
        }
        let mut look = refused(what, refusal, &format!("{action} on the IAM user of the key"));
        // Of a key that is gone, nothing is left that could be asked for.
        look.unseen = std::mem::take(&mut look.unseen)
            .into_iter()
            .map(|mut unseen| {
                unseen.right.push_str("; if the key was deleted, delete what is left of it in the cluster");
                unseen
            })
            .collect();
        Err(look)
    }

    /// Keys of one IAM user.
    async fn user(&self, user: &str, owner: &Owner) -> CloudLook {
        let mut look = CloudLook::counted("IAM users", 1);
        let place = &owner.place;
        let what = format!("the access keys of the IAM user {user}, whom {place} names");
        let action = format!("iam:ListAccessKeys on the IAM user {user}");
        let mut keys = BTreeMap::new();
        let mut marker: Option<String> = None;
        let mut pages = 0;
        loop {
            pages += 1;
            let mut asked = vec![("UserName", user)];
            asked.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let answer = match self.query(Api::Iam, "ListAccessKeys", &asked).await {
                Ok(answer) => answer,
                Err(refusal) => {
                    look.merge(refused(what, refusal, &action));
                    return look;
                }
            };
            match answers::keys(&answer, user, &mut keys) {
                Ok(None) => break,
                Ok(Some(next)) if pages < MOST_PAGES => marker = Some(next),
                Ok(Some(_)) => {
                    look.merge(odd(what, "it has no end", &action));
                    return look;
                }
                Err(why) => {
                    look.merge(odd(what, why, &action));
                    return look;
                }
            }
        }
        // A list that lacks a key which AWS names as one of this user is not the whole one.
        if let Some(missing) = owner.used.keys().find(|id| !keys.contains_key(*id)) {
            look.merge(odd(what.clone(), &format!("it lacks {missing}, which is of this user"), &action));
        }
        for (id, key) in &keys {
            let used = match owner.used.get(id) {
                Some(used) => Ok(used.at.clone()),
                None => self.last_use(id, user).await,
            };
            self.take(&mut look, user, (id, key), &used, place);
        }
        look
    }

    /// `Err`: why it is not known. It decides nothing.
    async fn last_use(&self, id: &str, user: &str) -> Result<Option<String>, String> {
        match self.query(Api::Iam, "GetAccessKeyLastUsed", &[("AccessKeyId", id)]).await {
            Ok(answer) => match answers::last_used(&answer) {
                Ok(used) if used.user == user => Ok(used.at),
                Ok(_) => Err("the answer is about another user".into()),
                Err(why) => Err(format!("the answer is of another form than that of AWS: {why}")),
            },
            Err(refusal) => {
                let needed = format!("iam:GetAccessKeyLastUsed on the IAM user {user}");
                Err(in_a_line(&refusal.error("asking when it was used last", &needed)))
            }
        }
    }

    fn take(
        &self,
        look: &mut CloudLook,
        user: &str,
        (id, key): (&str, &AccessKey),
        used: &Result<Option<String>, String>,
        place: &str,
    ) {
        let created = key.created.as_ref().map(|time| format!(", created {time}")).unwrap_or_default();
        let used = match used {
            Ok(Some(time)) => format!("last used {time}"),
            Ok(None) => "AWS knows of no use".into(),
            Err(why) => format!("when it was used last is not known: {why}"),
        };
        let at = format!("AWS account {}", self.account);
        let of = format!("--user-name {user} --access-key-id {id}");
        let delete = format!("aws iam delete-access-key {of}");
        match key.is_active {
            true => look.issued.push(Issued {
                kind: KEY,
                name: format!("aws:{id}"),
                public_half: None,
                copy: None,
                what: format!("access key {id} of the IAM user {user}"),
                place: at,
                why: format!("it is active{created}, never expires, {used}; {place} names the user"),
                remedy: format!(
                    "aws iam update-access-key {of} --status Inactive; when nothing misses it, {delete}"
                ),
            }),
            false => look.findings.push(Remark {
                kind: INACTIVE,
                place: at,
                why: format!(
                    "the access key {id} of the IAM user {user}, whom {place} names, is inactive{created}, {used}: it opens nothing now, and one call makes it active"
                ),
                remedy: format!("when nothing misses it: {delete}"),
            }),
        }
    }

    /// Whom one role lets in.
    async fn role(
        &self,
        arn: &RoleArn,
        by: By,
        place: &str,
        (issuer, roles): (&OwnIssuer<'_>, &[&RoleArn]),
    ) -> CloudLook {
        let mut look = CloudLook::counted("IAM roles", 1);
        let RoleArn { text, account, name } = arn;
        let what = format!("the role {text}, which {place} names");
        let action = format!("iam:GetRole on {text}");
        if *account != self.account {
            let own = &self.account;
            look.not_seen(
                what,
                format!("a look with a login in the account {account}"),
                format!("it is of the account {account}, and the login is of {own}"),
            );
            return look;
        }
        let remark = |kind: &'static IssuedKind, why: String| Remark {
            kind,
            place: format!("AWS {text}"),
            why,
            remedy: kind.remedy.to_owned(),
        };
        let answer = match self.query(Api::Iam, "GetRole", &[("RoleName", name)]).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_absent() => {
                let why = format!("there is no such role, which {place} names: it cannot be assumed");
                look.notes.push(remark(WIDE, why));
                return look;
            }
            Err(refusal) => {
                look.merge(refused(what, refusal, &action));
                return look;
            }
        };
        let role = answer.at(&["GetRoleResult", "Role"]).cloned().unwrap_or_default();
        if role.text_at(&["Arn"]) != Some(text) {
            look.merge(odd(what, "it is about another role", &action));
            return look;
        }
        let policy = role.text_at(&["AssumeRolePolicyDocument"]).and_then(document);
        let Some(policy) = policy else {
            look.merge(odd(what, "it holds no trust policy", &action));
            return look;
        };
        let issuer = match names_issuer(&policy) {
            true => issuer.known(&mut look).await,
            false => None,
        };
        match admits(&policy, by, Own { issuer, roles }) {
            Admits::Named => {}
            Admits::More(who) => {
                look.findings
                    .push(remark(WIDE, format!("its trust policy lets in {who}; {place} names the role")));
            }
            // It may be anyone.
            Admits::NotKnown(why) => look.not_seen(
                format!("whom {what}, lets in"),
                "a look by hand: read its trust policy".into(),
                format!("its trust policy is of a form that was not judged: {why}"),
            ),
        }
        look
    }
}

fn all_unseen(error: &Error) -> CloudLook {
    let mut look = CloudLook::default();
    look.not_answered("what the cluster names at AWS".into(), "a login at AWS", error, None);
    look
}

fn refused(what: String, refusal: Refusal, needed: &str) -> CloudLook {
    let mut look = CloudLook::default();
    if refusal.is_forbidden() {
        look.lacks("aws", needed);
    }
    let if_absent = refusal.is_absent().then_some(NONE_OF_THIS_NAME);
    look.not_answered(what, needed, &refusal.error("asking AWS", needed), if_absent);
    look
}

fn odd(what: String, why: &str, needed: &str) -> CloudLook {
    let mut look = CloudLook::default();
    look.odd_answer(what, needed.to_owned(), ("AWS", why));
    look
}
