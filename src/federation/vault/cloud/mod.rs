//! Vault's part of `keyless audit --cloud`: tokens, secret IDs and users that never expire, and roles that take anyone.
//!
//! Everything is asked with the token of the user who runs this program, at the address that this user has named, as
//! [`super::client`] has it. A credential that was found is not sent, not even to ask what it is.

mod answers;
mod app_roles;
mod kinds;
mod named;
mod rights;

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use http::Method;
use serde_json::{Map, Value, json};

use self::rights::LOOKUP_ACCESSOR;
use self::{
    answers::{Lasts, Takes, plain},
    kinds::{PASSWORD, TOKEN, WIDE},
    named::{At, Login, named, not_asked, places},
};
pub(super) use self::{kinds::KINDS, rights::RIGHTS};
use super::{Settings, Vault, api::Api, section::VaultSection};
use crate::{
    error::Code,
    error::Result,
    federation::cloud::{CloudLook, IssuedKind, Remark, Scope, in_a_line},
    http::Http,
};

const BY_HAND: &str = "a look by hand: read its condition";
const GENERATOR: &str = "VaultDynamicSecret";
/// Kinds of generators that log in there.
pub(super) static GENERATORS: [&str; 1] = [GENERATOR];
/// Requests that are under way at the same time.
const IN_FLIGHT: usize = 8;
/// What is missing where a server cannot even be asked.
const TO_ASK: &str = "an address and a token that can be sent";
/// Tokens, and secret IDs of one role, that are looked at.
const MOST: usize = 10_000;

pub(super) async fn look(section: &VaultSection, scope: &Scope<'_>, http: &Http) -> CloudLook {
    let mut look = CloudLook::default();
    let places = places(scope);
    if places.is_empty() {
        return look;
    }
    let settings = match settings(section) {
        Ok(settings) => settings,
        Err(why) => {
            look.unseen.extend(places.iter().map(|(place, _)| not_asked(place, &why)));
            return look;
        }
    };
    let named = named(&settings.address, scope);
    look.unseen.extend(named.unseen);
    for (namespace, logins) in spaces(named.logins) {
        let own = Settings { namespace, ..settings.clone() };
        match Vault::connect(&own, http) {
            Ok(vault) => look.merge(Auditor { api: vault.api, at: own.account().title }.look(&logins).await),
            Err(error) => {
                let why = in_a_line(&error);
                look.not_seen(format!("tokens at {}", own.account().title), TO_ASK.into(), why.clone());
                look.unseen.extend(logins.iter().map(|(_, place)| not_asked(place, &why)));
            }
        }
    }
    look
}

/// What is asked, by namespace. A token opens the namespaces below its own too, so that those above, the root namespace
/// among them, are asked for theirs, and for nothing else.
fn spaces(logins: BTreeMap<At, String>) -> BTreeMap<Option<String>, Vec<(Login, String)>> {
    let mut spaces: BTreeMap<Option<String>, Vec<(Login, String)>> = BTreeMap::new();
    for ((namespace, login), place) in logins {
        let mut above = namespace.as_deref();
        while let Some(below) = above {
            above = below.rsplit_once('/').map(|(above, _)| above);
            spaces.entry(above.map(str::to_owned)).or_default();
        }
        spaces.entry(namespace).or_default().push((login, place));
    }
    spaces
}

/// The server and the token of the user who runs this program. `Err`: why there are none.
fn settings(section: &VaultSection) -> Result<Settings, String> {
    let named = match &section.named {
        Some(named) => section.client.settings(named.clone()).map(Some),
        None => section.client.named(&section.without_address),
    };
    match named {
        Ok(Some(settings)) if settings.token.is_some() => Ok(settings),
        Ok(Some(_)) => Err("there is no token to ask with: set VAULT_TOKEN".into()),
        Ok(None) => {
            Err("no address is named to ask at: set VAULT_ADDR and VAULT_TOKEN, or vault.address".into())
        }
        Err(error) => Err(in_a_line(&error)),
    }
}

/// Who asks, in one namespace.
struct Auditor {
    api: Api,
    /// `Vault https://vault.example`.
    at: String,
}

/// What was asked, and could not be answered.
struct Refused {
    what: String,
    right: String,
    why: String,
    is_forbidden: bool,
}

/// Why one of many was not answered.
struct NoAnswer {
    why: String,
    is_forbidden: bool,
}

impl NoAnswer {
    fn odd(why: &str) -> Self {
        Self { why: why.to_owned(), is_forbidden: false }
    }
}

type Asked<T> = Result<T, Refused>;
type Data = Map<String, Value>;

impl Auditor {
    async fn look(&self, logins: &[(Login, String)]) -> CloudLook {
        let mut look = CloudLook::default();
        let tokens = self.tokens(&mut look).await.unwrap_or_else(not_seen);
        look.merge(tokens);
        let mut parts: Vec<BoxFuture<'_, CloudLook>> = Vec::new();
        for (login, place) in logins {
            parts.push(self.login(login, place).boxed());
        }
        let parts: Vec<_> = stream::iter(parts).buffered(IN_FLIGHT).collect().await;
        parts.into_iter().for_each(|part| look.merge(part));
        look
    }

    async fn login(&self, login: &Login, place: &str) -> CloudLook {
        let asked = match login {
            Login::Token => Ok(CloudLook::default()),
            Login::AppRole { mount, role_id } => self.app_roles(mount, role_id.as_deref(), place).await,
            Login::User { mount, name } => self.user(mount, name, place).await,
            Login::JwtRole { mount, role } => {
                self.role(&format!("auth/{mount}/role/{role}"), place, answers::jwt_role).await
            }
            Login::KubernetesRole { mount, role } => {
                self.role(&format!("auth/{mount}/role/{role}"), place, answers::kubernetes_role).await
            }
        };
        asked.unwrap_or_else(not_seen)
    }

    /// Tokens that never expire, of any owner.
    async fn tokens(&self, asked: &mut CloudLook) -> Asked<CloudLook> {
        const LIST: &str = "auth/token/accessors";
        let what = "tokens";
        const SELF: &str = "auth/token/lookup-self";
        let own = self.read(what, SELF, "\"read\"").await;
        let caller = match &own {
            Ok(own) => answers::caller(own.as_ref()),
            Err(refused) => Err(refused.why.clone()),
        };
        asked.asked_as("vault", caller);
        let own = own?;
        let own = answers::own_accessor(own.as_ref()).map_err(|why| self.odd(what, SELF, "\"read\"", why))?;
        let lookup = |accessor: String| async move {
            let answer = self.ask(LOOKUP_ACCESSOR, &json!({ "accessor": accessor })).await;
            (accessor, answer)
        };
        let accessors = self.accessors().await?;
        // A token in the root namespace is not in the list of another one.
        if self.api.is_root_namespace() {
            answers::root_tokens(own, &accessors)
                .map_err(|why| self.odd(what, LIST, "\"list\", \"sudo\"", why))?;
        }
        let mut look = self.counted("tokens", accessors.len());
        look.merge(self.counted("namespaces", 1));
        let (mut failed, mut answered) = (BTreeMap::new(), 0_usize);
        let mut answers = stream::iter(accessors).map(lookup).buffered(IN_FLIGHT);
        while let Some((accessor, answer)) = answers.next().await {
            match answer.and_then(|data| answers::token(&data, &accessor).map_err(NoAnswer::odd)) {
                Ok(token) => {
                    answered += 1;
                    let is_own =
                        if accessor == own { ": it is the one that this audit asks with" } else { "" };
                    let lasts = match token.lasts {
                        Lasts::Ends => continue,
                        Lasts::Root => "it may do everything".to_owned(),
                        Lasts::Forever => "it never expires".to_owned(),
                        Lasts::Renewed(seconds) => {
                            format!("it lives as long as it is renewed every {seconds} s")
                        }
                        Lasts::Until(end) => format!("it lives for long, until {end}"),
                    };
                    let accessor = plain(&accessor);
                    look.findings.push(self.remark(
                        TOKEN,
                        &format!("the token with the accessor {accessor}: {lasts}{is_own} ({})", token.shown),
                        &format!("when nothing misses it: vault token revoke -accessor {accessor}"),
                    ));
                }
                Err(why) => {
                    failed.insert(accessor, why);
                }
            }
        }
        // What has ended in between is in no list any more.
        if !failed.is_empty() {
            let still = self.accessors().await?;
            failed.retain(|accessor, _| still.contains(accessor));
        }
        let what = format!("{} tokens", failed.len());
        look.merge(self.unanswered(&what, LOOKUP_ACCESSOR, &failed, answered));
        Ok(look)
    }

    /// Of the tokens of the namespace. Vault answers alike for a list without entries, and for a namespace that is not there.
    async fn accessors(&self) -> Asked<BTreeSet<String>> {
        const LIST: &str = "auth/token/accessors";
        let all = self.list("tokens", LIST, "\"list\", \"sudo\"").await?;
        match all.is_empty() && !self.api.is_root_namespace() {
            true => Err(Refused {
                what: format!("tokens at {}", self.at),
                right: format!("a token that was made in this namespace, with \"list\" and \"sudo\" on {LIST}: the list holds it at least"),
                why: "the list of its tokens has none: whether there are none, or no such namespace, is not known"
                    .into(),
                is_forbidden: false,
            }),
            false => Ok(all),
        }
    }

    async fn user(&self, mount: &str, name: &str, place: &str) -> Asked<CloudLook> {
        let path = format!("auth/{mount}/users/{name}");
        let what = format!("the user {name}, as whom {place} logs in");
        let mut look = self.counted("users", 1);
        match self.read(&what, &path, "\"read\"").await? {
            Some(_) => look.findings.push(self.remark(
                PASSWORD,
                &format!("{path}, as whom {place} logs in, is there: its password never expires, and Vault does not keep when it was used last"),
                &format!("when nothing misses it: vault delete {path}"),
            )),
            None => look.notes.push(self.remark(
                PASSWORD,
                &format!("there is no {path}, as whom {place} logs in: its password opens nothing there"),
                "take the login out of the store",
            )),
        }
        Ok(look)
    }

    async fn role(
        &self,
        path: &str,
        place: &str,
        read: fn(&Data) -> Result<Takes, &'static str>,
    ) -> Asked<CloudLook> {
        let what = format!("the role {path}, as which {place} logs in");
        let mut look = self.counted("roles", 1);
        let remark = |why: &str| {
            let why = format!("{path}, as which {place} logs in: {why}");
            self.remark(WIDE, &why, WIDE.remedy)
        };
        let Some(data) = self.read(&what, path, "\"read\"").await? else {
            look.notes.push(remark("there is no such role: no token logs in by it"));
            return Ok(look);
        };
        match read(&data).map_err(|why| self.odd(&what, path, "\"read\"", why))? {
            Takes::Named => {}
            Takes::Namespace(why) => look.notes.push(remark(why)),
            // It may be anyone.
            Takes::NotKnown(why) => look.merge(not_seen(Refused {
                what: format!("whom {what}, takes at {}", self.at),
                right: BY_HAND.into(),
                why: why.to_owned(),
                is_forbidden: false,
            })),
            Takes::Anyone(why) => look.findings.push(remark(why)),
        }
        Ok(look)
    }

    /// `None`: there is nothing.
    async fn read(&self, what: &str, path: &str, capabilities: &str) -> Asked<Option<Data>> {
        match self.api.read(path).await {
            Ok(None) => Ok(None),
            Ok(Some(reply)) => match reply.data() {
                Some(data) => Ok(Some(data.clone())),
                None => Err(self.odd(what, path, capabilities, "it holds no data")),
            },
            Err(error) => {
                let is_forbidden = error.code == Code::VaultForbidden;
                Err(Refused { is_forbidden, ..self.refused(what, path, capabilities, in_a_line(&error)) })
            }
        }
    }

    /// The names of a list; it is empty where there is nothing.
    async fn list(&self, what: &str, path: &str, capabilities: &str) -> Asked<BTreeSet<String>> {
        let Some(data) = self.read(what, &format!("{path}?list=true"), capabilities).await? else {
            return Ok(BTreeSet::new());
        };
        let keys = answers::keys(&data).map_err(|why| self.odd(what, path, capabilities, why))?;
        match keys.len() > MOST {
            true => Err(self.refused(what, path, capabilities, format!("there are more than {MOST}"))),
            false => Ok(keys.into_iter().collect()),
        }
    }

    /// What is not known of those that were not answered, while so many others were. Vault denies a look at what has ended as
    /// well: where others are answered, the right is there.
    fn unanswered(
        &self,
        what: &str,
        path: &str,
        failed: &BTreeMap<String, NoAnswer>,
        answered: usize,
    ) -> CloudLook {
        let Some(first) = failed.values().next() else { return CloudLook::default() };
        let is_forbidden = answered == 0 && failed.values().all(|it| it.is_forbidden);
        not_seen(Refused { is_forbidden, ..self.refused(what, path, "\"update\"", first.why.clone()) })
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<Data, NoAnswer> {
        let reply = self.api.ask(Method::POST, path, body).await.map_err(|error| NoAnswer {
            is_forbidden: error.code == Code::VaultForbidden,
            why: in_a_line(&error),
        })?;
        reply.data().cloned().ok_or_else(|| NoAnswer::odd("it holds no data"))
    }

    fn counted(&self, kind: &str, count: usize) -> CloudLook {
        CloudLook::counted(&format!("Vault {kind}"), count)
    }

    fn remark(&self, kind: &'static IssuedKind, why: &str, remedy: &str) -> Remark {
        Remark { kind, place: self.at.clone(), why: why.to_owned(), remedy: remedy.to_owned() }
    }

    fn refused(&self, what: &str, path: &str, capabilities: &str, why: String) -> Refused {
        let path = path.split('?').next().unwrap_or_default();
        Refused {
            what: format!("{what} at {}", self.at),
            right: format!(
                "a token of which a policy has: path \"{path}\" {{ capabilities = [{capabilities}] }}"
            ),
            why,
            is_forbidden: false,
        }
    }

    fn odd(&self, what: &str, path: &str, capabilities: &str, why: &str) -> Refused {
        self.refused(
            what,
            path,
            capabilities,
            format!("the answer is of another form than that of Vault: {why}"),
        )
    }
}

fn not_seen(Refused { what, right, why, is_forbidden }: Refused) -> CloudLook {
    let mut look = CloudLook::default();
    if is_forbidden {
        look.lacks("vault", &right);
    }
    look.not_seen(what, right, why);
    look
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_above_are_asked_too() {
        let at = |namespace: &str| ((Some(namespace.to_owned()), Login::Token), "a store".to_owned());
        let all = spaces(BTreeMap::from([at("a/b/c"), at("a")]));
        let asked: Vec<_> = all.iter().map(|(space, logins)| (space.as_deref(), logins.len())).collect();
        assert_eq!(asked, [(None, 0), (Some("a"), 1), (Some("a/b"), 0), (Some("a/b/c"), 1)]);
        let root = spaces(BTreeMap::from([((None, Login::Token), "a store".to_owned())]));
        assert_eq!(root.into_keys().collect::<Vec<_>>(), [None]);
    }
}
