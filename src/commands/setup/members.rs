//! The stores of a run, each with its own identity: what it logs in with, what it may do, and why one cannot be moved.

use serde_json::{Value, json};

use super::{
    foreseen::Looked,
    outcome::Farewell,
    publisher::Publisher,
    retire::{Context, Retirement},
};
use crate::{
    cli::SetupArgs,
    cluster::{Cluster, ServiceAccount, snapshot::Estate},
    commands::{
        naming::naming,
        objects::{find_store, split},
        resolve::{Resolved, workload_of},
        rights::{Rights, refuse_another_place},
        store::Present,
        stores::{Stores, flag},
    },
    config::Settings,
    error::{Code, Error, Kind, Result},
    federation::{Federation, Naming, ProviderName, Right, Workload},
    http::Http,
    report::{Line, Report, Tone},
    secret_store::{self, StoreLogin, StoreName, elsewhere},
};

/// A store that is set up, and its identity.
pub(super) struct Member {
    pub(super) store: StoreName,
    /// `ClusterSecretStore gcp`.
    pub(super) shown: String,
    pub(super) account: ServiceAccount,
    /// Whether the section `store` of the settings is about it.
    is_about: bool,
    naming: Naming,
    /// Where the provider has a login for each workload.
    pub(super) own: Option<Box<dyn Federation>>,
    pub(super) login: Box<dyn StoreLogin>,
    pub(super) rights: Rights,
    pub(super) present: Option<Present>,
    pub(super) retirement: Option<Retirement>,
}

/// A store that cannot be moved. The others are.
#[derive(Debug)]
pub(super) struct NotMoved {
    pub(super) store: String,
    pub(super) error: Error,
}

/// What another store needs that logs in with a ServiceAccount of the run.
pub(super) struct Beside {
    pub(super) shown: String,
    pub(super) workload: Workload,
    /// See [`Rights::by_file`].
    pub(super) by_file: Vec<Right>,
}

/// What the members of a run have in common.
pub(super) struct Shared<'a> {
    pub(super) args: &'a SetupArgs,
    pub(super) settings: &'a Settings,
    pub(super) stores: &'a Stores,
    pub(super) resolved: &'a Resolved,
    pub(super) cluster: &'a Cluster,
    pub(super) cluster_id: &'a str,
    pub(super) estate: &'a Estate,
    pub(super) provider: &'a dyn Federation,
    /// Whose the names in the settings are.
    pub(super) named: Option<&'a ServiceAccount>,
    /// What else is given rights.
    pub(super) publisher: Option<&'a Publisher>,
    pub(super) http: &'a Http,
}

impl Member {
    /// Whether the section `store` of the settings is about it.
    pub(super) fn is_of_settings(&self) -> bool {
        self.is_about
    }

    pub(super) fn workload(&self) -> Workload {
        self.rights.of(Workload::new(self.account.clone(), self.naming))
    }

    pub(super) fn want(&self) -> secret_store::Want<'_> {
        secret_store::Want {
            login: self.login.as_ref(),
            workload: &self.account,
            store: &self.store,
            namespaces: &[],
        }
    }
}

impl Shared<'_> {
    /// The only store of a run; `settings` name it.
    pub(super) async fn only(&self, settings: &Settings, report: &mut Report<'_>) -> Result<Member> {
        let is_about = match &self.stores.named {
            Some(_) => self.stores.is_about(&self.resolved.store, self.settings),
            None => true,
        };
        let (store, account) = (self.resolved.store.clone(), self.resolved.workload.clone());
        let mut member = self.member(store, account, is_about, settings).await?;
        self.confirm(&mut member, report)?;
        Ok(member)
    }

    /// Each of these stores, or why it cannot be moved. What a person interrupts, or declines, ends it all.
    pub(super) async fn each(
        &self,
        stores: &[StoreName],
        report: &mut Report<'_>,
    ) -> Result<(Vec<Member>, Vec<NotMoved>)> {
        let (mut members, mut not_moved) = (Vec::new(), Vec::new());
        for store in stores {
            match self.one(store, report).await {
                Ok(member) => members.push(member),
                Err(error) if ends_all(&error) => return Err(error),
                Err(error) => not_moved.push(NotMoved { store: shown(store), error }),
            }
        }
        Ok((members, not_moved))
    }

    async fn one(&self, store: &StoreName, report: &mut Report<'_>) -> Result<Member> {
        self.refuse_another_provider(store)?;
        let settings = self.stores.settings_of(store, self.settings);
        let is_about = self.stores.is_about(store, self.settings);
        let account = workload_of(&settings, self.estate, store)?;
        let mut member = self.member(store.clone(), account, is_about, &settings).await?;
        let present = Present::observe(self.cluster, self.estate, store, &member.account).await?;
        // Whether it can be done at all, before anything is granted for it.
        secret_store::plan(&member.want(), &present.have())?;
        member.present = Some(present);
        self.confirm(&mut member, report)?;
        Ok(member)
    }

    /// Without --to, no store goes to another provider because of others.
    fn refuse_another_provider(&self, name: &StoreName) -> Result<()> {
        let chosen = self.resolved.provider.provider();
        let Some(store) = find_store(self.estate, name) else { return Ok(()) };
        if self.args.to.is_some() || ProviderName::of_store(store) == Some(chosen) {
            return Ok(());
        }
        let at = store.provider().map_or("no provider that it names alone", |(member, _)| member);
        Err(Error::failed(
            Code::StoreOtherProvider,
            format!("{} is at {}, and this run is about {chosen}", store.0.describe(), at.escape_debug()),
        )
        .hint(format!(
            "to move it there: keyless setup{} --to {chosen}; what reads through it must be at {chosen} by then",
            flag(name)
        ))
        .hint("or set it up with a settings file of its own: --config FILE"))
    }

    async fn member(
        &self,
        store: StoreName,
        account: ServiceAccount,
        is_about: bool,
        settings: &Settings,
    ) -> Result<Member> {
        let naming = naming(self.provider, self.named, &account, self.estate).await?;
        let workload = Workload::new(account.clone(), naming);
        let own = match naming {
            Naming::AsSet => None,
            Naming::FromAccount => self.provider.login_of(&workload),
        };
        let provider = own.as_deref().unwrap_or(self.provider);
        let login = provider.store_login().await?;
        refuse_another_place(self.estate, &store, login.as_ref())?;
        let rights =
            Rights::resolve(self.cluster, self.estate, settings, &store, provider, login.as_ref(), &workload)
                .await?;
        let shown = shown(&store);
        let (present, retirement) = (None, None);
        Ok(Member { store, shown, account, is_about, naming, own, login, rights, present, retirement })
    }

    /// What other stores need that log in with a ServiceAccount of these: a run that is not about them takes nothing from
    /// them.
    pub(super) async fn beside(&self, members: &[Member]) -> Result<Vec<Beside>> {
        let mut all = Vec::new();
        for store in &self.estate.stores {
            let name = StoreName::of(store);
            let shares = |member: &&Member| {
                secret_store::uses_account(self.estate, store, &member.account)
                    && secret_store::relies_on(store, member.login.as_ref())
                    && elsewhere(store, member.login.as_ref()).is_some_and(|it| it.is_empty())
            };
            let is_member = members.iter().any(|member| member.store == name);
            let Some(member) = members.iter().find(shares).filter(|_| !is_member) else { continue };
            let settings = self.stores.settings_of(&name, self.settings);
            let provider = member.own.as_deref().unwrap_or(self.provider);
            let workload = Workload::new(member.account.clone(), member.naming);
            let login = member.login.as_ref();
            let rights =
                Rights::resolve(self.cluster, self.estate, &settings, &name, provider, login, &workload);
            match rights.await {
                Ok(rights) => all.push(Beside {
                    shown: shown(&name),
                    by_file: rights.by_file(false).into_iter().cloned().collect(),
                    workload: rights.of(workload),
                }),
                // Nothing is taken back, so nothing of it is lost.
                Err(_) if !self.args.revoke_unused => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Those that can be given their login; the others are named.
    pub(super) fn leave_out(
        members: &mut Vec<Member>,
        not_moved: &mut Vec<NotMoved>,
        refused: &[(ServiceAccount, Error)],
    ) {
        let why = |member: &Member| refused.iter().find(|(account, _)| *account == member.account);
        for index in (0..members.len()).rev() {
            if let Some((_, error)) = why(&members[index]) {
                let member = members.remove(index);
                not_moved.push(NotMoved { store: member.shown, error: error.clone() });
            }
        }
    }

    /// What is granted, as far as a person has to agree.
    fn confirm(&self, member: &mut Member, report: &mut Report<'_>) -> Result<()> {
        let args = self.args;
        let provider = member.own.as_deref().unwrap_or(self.provider);
        member.rights.ask_for_one(provider, report)?;
        if args.revoke_unused && !member.rights.revoke_unused() {
            report.line(format_args!(
                "\n{}: nothing is revoked, as it is not known what its searches find",
                member.shown
            ));
        }
        let shows_only = args.dry_run || args.plan.is_saved();
        let may_ask = !args.yes && !shows_only;
        if may_ask && self.stores.are_several() && member.rights.asks_for_more() {
            report.line(format_args!("\n{}", member.shown));
        }
        member.rights.confirm(args.accept_new_secrets, may_ask, report)
    }

    /// What becomes of the credentials that these stores leave, before anything is granted for a store of which that is
    /// not known. `now` is by the cluster's clock.
    pub(super) async fn retirements(
        &self,
        members: &mut Vec<Member>,
        not_moved: &mut Vec<NotMoved>,
        farewell: impl Fn(&StoreName) -> Farewell,
        now: u64,
    ) -> Result<()> {
        loop {
            let leaving: Vec<_> = members.iter().map(|member| member.store.clone()).collect();
            let mut failed = None;
            for (index, member) in members.iter_mut().enumerate() {
                match self.retirement(member, &leaving, None, &farewell(&member.store), now).await {
                    Ok(retirement) => member.retirement = retirement,
                    Err(error) if ends_all(&error) => return Err(error),
                    Err(error) => {
                        failed = Some((index, error));
                        break;
                    }
                }
            }
            let Some((index, error)) = failed else { return Ok(()) };
            // It drops out, and is another user of what the others leave: they are looked at again.
            let member = members.remove(index);
            not_moved.push(NotMoved { store: member.shown, error });
        }
    }

    /// The same for the only store of a run.
    pub(super) async fn retirements_of_only(
        &self,
        members: &mut [Member],
        mut foreseen: Option<Looked>,
        farewell: impl Fn(&StoreName) -> Farewell,
        now: u64,
    ) -> Result<()> {
        for member in members {
            let (leaving, foreseen) = ([member.store.clone()], foreseen.take());
            let farewell = farewell(&member.store);
            member.retirement = self.retirement(member, &leaving, foreseen, &farewell, now).await?;
        }
        Ok(())
    }

    async fn retirement(
        &self,
        member: &Member,
        leaving: &[StoreName],
        foreseen: Option<Looked>,
        farewell: &Farewell,
        now: u64,
    ) -> Result<Option<Retirement>> {
        let Some(present) = &member.present else { return Ok(None) };
        let Some(object) = present.store() else { return Ok(None) };
        let plan = secret_store::plan(&member.want(), &present.have())?;
        let (store, _) = split(&plan.objects);
        let Some(planned) = store.first() else { return Ok(None) };
        Retirement::plan(&self.context(leaving, now), foreseen, object, planned, self.args, farewell).await
    }

    pub(super) fn context<'c>(&'c self, leaving: &'c [StoreName], now: u64) -> Context<'c> {
        Context {
            cluster: self.cluster,
            cluster_id: self.cluster_id,
            estate: self.estate,
            leaving,
            providers: &self.resolved.sections,
            http: self.http,
            now,
        }
    }
}

/// Whether other stores are not gone on with either.
pub(super) fn ends_all(error: &Error) -> bool {
    matches!(error.kind, Kind::Interrupted(_) | Kind::Declined) || error.code == Code::Confirmation
}

impl NotMoved {
    pub(super) fn lines(&self) -> Vec<Line> {
        let first = Line::marked(Tone::Warning, format_args!("! {}: {}", self.store, self.error.message));
        let below = self.error.causes.iter().chain(&self.error.hints);
        [first].into_iter().chain(below.map(|line| Line::from(format!("    {line}")))).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        let Error { code, message, causes, hints, .. } = &self.error;
        json!({
            "store": self.store, "code": code, "message": message, "causes": causes, "hints": hints,
        })
    }
}

/// `SecretStore shop/gcp`, also of one that is not there.
pub(in crate::commands) fn shown(store: &StoreName) -> String {
    let kind = &store.resource().kind;
    match store.namespace() {
        Some(namespace) => format!("{kind} {namespace}/{}", store.name()),
        None => format!("{kind} {}", store.name()),
    }
}
