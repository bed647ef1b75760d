//! The last checks of `verify`: the provider's exchange, everything that the store is used for, and what External Secrets
//! Operator makes of it.

use futures::StreamExt;

use super::{
    naming::{account_of_settings, naming},
    objects, probe, refresh,
    resolve::{Resolved, looking, resolve_asking, store_name},
    rights::{needs, store_of},
    stores::{Completes, Stores},
};
use crate::{
    cluster::{Cluster, objects::Object, snapshot::Estate},
    commands::prompt::{self, Offer},
    config::Settings,
    error::{Check, Result},
    federation::{Federation, Naming, ProviderName, Purpose, Workload},
    http::Http,
    relying_party::Finding,
    report::{Report, SharedReport},
    secret_store::elsewhere,
};

/// The way that the store goes to its secrets.
pub(super) struct Way<'a> {
    cluster: &'a Cluster,
    estate: &'a Estate,
    resolved: Resolved,
    settings: Settings,
    pub(super) provider: Box<dyn Federation>,
    mode: Mode,
}

/// How the provider is to come to the cluster's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Documents,
    Uploaded,
    /// No setting says so, but no bucket is named either.
    LikelyUploaded,
}

impl<'a> Way<'a> {
    /// Resolves it from the settings for the store and from what is there. A store that is there decides itself which provider
    /// it uses, whatever the settings prefer. `stores` and `given`: those of the run, and the settings as they are.
    pub(super) async fn resolve(
        settings: &Settings,
        (stores, given): (&Stores, &Settings),
        cluster: &'a Cluster,
        (estate, cluster_id): &'a (Estate, String),
        http: &Http,
        report: &mut Report<'_>,
    ) -> Result<Self> {
        let mut ask =
            |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
        let name = store_name(settings, estate, &mut ask)?;
        let present = objects::find_store(estate, &name);
        let used = present.and_then(ProviderName::of_store);
        let mut settings = looking(settings, present);
        settings.store.name = Some(name.name().to_owned());
        settings.store.namespace = name.namespace().map(str::to_owned);
        let resolved = resolve_asking(&settings, used, Completes::Yes, estate, cluster_id, report)?;
        let mut provider = resolved.provider.connect(http, Purpose::Look)?;
        // As its ServiceAccount logs in.
        let named = account_of_settings(stores, given, &resolved, estate);
        let account = &resolved.workload;
        let naming = naming(provider.as_ref(), named.as_ref(), account, estate).await?;
        if naming == Naming::FromAccount
            && let Some(own) = provider.login_of(&Workload::new(account.clone(), naming))
        {
            provider = own;
        }
        let mode = mode(&settings, &resolved);
        Ok(Self { cluster, estate, resolved, settings, provider, mode })
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Goes it, with a token of the same ServiceAccount for the same audience, and looks at the operator.
    pub(super) async fn judge(
        &self,
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> (Vec<Finding>, Result<()>) {
        // Several wait at the same time, and each says why.
        let messages = SharedReport::new(report);
        let say = |line: &str| messages.progress(format_args!("  {line}"));
        let (probed, place, store) =
            futures::join!(self.probe(&say), self.judge_place(), self.judge_store(now, &say));
        let (mut findings, outcome) = match probed {
            Ok(findings) => (findings, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        findings.extend(place);
        findings.extend(store);
        (findings, outcome)
    }

    async fn probe(&self, say: &(dyn Fn(&str) + Sync)) -> Result<Vec<Finding>> {
        const TOKEN: Check = Check::StoreToken;
        const RIGHTS: Check = Check::StoreRights;
        let Resolved { workload, store, .. } = &self.resolved;
        let provider = self.provider.as_ref();
        if let Err(error) = provider.suits().await {
            return Ok(vec![Finding::refused(Check::Provider, provider.to_string(), &error)]);
        }
        let store = store_of(self.estate, store);
        let (needs, audience) =
            futures::try_join!(needs(self.cluster, self.estate, &store, provider), self.provider.audience())?;
        // What is listed is tried as well: it is granted, whether or not anything uses it.
        let listed = self.settings.store.listed.iter().flatten();
        let listed = listed.filter_map(|right| provider.named(right).ok().flatten());
        let rights = needs.rights.keys().cloned().chain(listed).collect();
        let trials = needs.trials(&rights, &|right| provider.named(right));
        let subject = format!("token of {workload}");
        let token = match self.cluster.token(workload, &audience).await {
            Ok(token) => token,
            Err(error) => return Ok(vec![Finding::refused(TOKEN, subject, &error)]),
        };
        let claims = token.claims();
        let seconds = claims.expires.saturating_sub(claims.issued);
        let mut findings = vec![Finding::passed(TOKEN, subject, format!("{seconds} s, for {audience}"))];
        let mut probes = Box::pin(probe::each(provider, &token, &trials, say));
        while let Some((_, probe)) = probes.next().await {
            merge(&mut findings, probe);
        }
        if trials.is_empty() {
            let why = "not proved: nothing names a secret that is read through the store";
            findings.push(Finding::skipped(RIGHTS, "reading through the store", why));
        }
        for left in needs.left_out {
            findings.push(match left.is_refused {
                true => {
                    Finding::skipped(RIGHTS, left.object, format!("the operator refuses it: {}", left.why))
                }
                false => Finding::failed(
                    RIGHTS,
                    left.object,
                    left.why,
                    "what it needs could not be established, so nothing is granted for it",
                    "correct it, or give what setup needs to look at it; then run `keyless setup`",
                ),
            });
        }
        Ok(findings)
    }

    /// The store must read where the checks have looked.
    async fn judge_place(&self) -> Option<Finding> {
        const PLACE: Check = Check::StorePlace;
        let store = objects::find_store(self.estate, &self.resolved.store)?;
        let login = match self.provider.store_login().await {
            Ok(login) => login,
            Err(error) => return Some(Finding::refused(PLACE, store.0.describe(), &error)),
        };
        let differences = elsewhere(store, login.as_ref())?;
        let shown: Vec<_> = differences
            .iter()
            .map(|it| {
                let have = match it.have.as_str() {
                    "" => "not set".to_owned(),
                    have => format!("`{}`", have.escape_debug()),
                };
                format!("{} is {have}, and the settings mean `{}`", it.field, it.want)
            })
            .collect();
        (!shown.is_empty()).then(|| {
            Finding::failed(
                PLACE,
                store.0.describe(),
                shown.join("; "),
                "the store reads elsewhere than the settings say, and these checks have looked",
                "correct the settings, or run `keyless setup`, which shows the difference",
            )
        })
    }

    /// What the operator itself says of the store and of what reads through it.
    async fn judge_store(&self, now: fn() -> u64, say: &(dyn Fn(&str) + Sync)) -> Vec<Finding> {
        let name = &self.resolved.store;
        let Some(store) = objects::find_store(self.estate, name) else {
            return vec![Finding::failed(
                Check::StoreReady,
                format!("store {}", name.name()),
                "there is none",
                "it was not set up yet, or has another name",
                "run `keyless setup`, or set `store.name` in keyless.yaml",
            )];
        };
        let users: Vec<_> = self.estate.users(store).filter(|user| user.kind() == "ExternalSecret").collect();
        let mut findings = vec![judge_ready(Check::StoreReady, &store.0)];
        // One that is not ready, if there is such a one.
        let not_ready = users.iter().find(|user| user.is_ready() != Some(true));
        findings
            .extend(not_ready.or(users.first()).map(|user| judge_ready(Check::ExternalSecretReady, user)));
        findings.push(refresh::judge(self.cluster, &users, now, say).await);
        findings
    }
}

fn mode(settings: &Settings, resolved: &Resolved) -> Mode {
    // Where no setting says it, it follows from there being no bucket.
    let is_set =
        settings.providers.of(resolved.provider.provider()).is_some_and(|section| section.says_mode());
    match (resolved.uploads_keys(), is_set) {
        (false, _) => Mode::Documents,
        (true, true) => Mode::Uploaded,
        (true, false) => Mode::LikelyUploaded,
    }
}

/// Adds the findings of a probe, each beside those of the same check; what all probes share is shown once.
fn merge(all: &mut Vec<Finding>, probe: Vec<Finding>) {
    for finding in probe {
        let same = |other: &&Finding| other.check == finding.check && other.subject == finding.subject;
        if all.iter().filter(same).any(|other| other.is_failed() == finding.is_failed()) {
            continue;
        }
        let beside = all.iter().rposition(|other| other.check == finding.check);
        all.insert(beside.map_or(all.len(), |at| at + 1), finding);
    }
}

fn judge_ready(check: Check, object: &Object) -> Finding {
    match object.is_ready() {
        Some(true) => Finding::passed(check, object.describe(), objects::condition(object)),
        _ => Finding::failed(
            check,
            object.describe(),
            objects::condition(object),
            "the operator cannot log in or read, or has not looked yet",
            "the check above that fails is the reason; if none does, see the operator's log",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_checks_merge_with_reads_ordered() {
        let probe = |secret: &str, read: bool| {
            let read = match read {
                true => Finding::passed(Check::VaultRead, secret, "22 bytes"),
                false => {
                    Finding::failed(Check::VaultRead, secret, "403", "not granted", "run `keyless setup`")
                }
            };
            vec![
                Finding::passed(Check::VaultLogin, "login", "900 s"),
                read,
                Finding::passed(Check::VaultLogout, "logout", "revoked"),
            ]
        };
        let mut all = vec![Finding::passed(Check::StoreToken, "token", "900 s")];
        for (secret, read) in [("db", true), ("api", false), ("mail", true)] {
            merge(&mut all, probe(secret, read));
        }
        // A login that was refused once is not hidden behind one that succeeded.
        merge(&mut all, vec![Finding::failed(Check::VaultLogin, "login", "503", "sealed", "unseal it")]);
        let shown: Vec<_> = all
            .iter()
            .map(|finding| (finding.check, finding.subject.as_str(), finding.is_failed()))
            .collect();
        assert_eq!(
            shown,
            [
                (Check::StoreToken, "token", false),
                (Check::VaultLogin, "login", false),
                (Check::VaultLogin, "login", true),
                (Check::VaultRead, "db", false),
                (Check::VaultRead, "api", true),
                (Check::VaultRead, "mail", false),
                (Check::VaultLogout, "logout", false),
            ]
        );
    }
}
