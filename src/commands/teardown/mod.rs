//! `keyless teardown`: take trust away first, then what it relied on. Only what is marked as ours.

mod documents;
mod others;
mod plan;
mod unused;
mod whose;

use std::collections::BTreeSet;

use self::{
    documents::Documents,
    plan::{Orphan, Plan, Withdrawal},
};
use super::{
    Exit, issuer,
    naming::{account_of_settings, naming},
    objects::{self, Sight},
    prompt::{self, Offer},
    resolve::{self, Resolved},
    rights::ever_named,
    saved,
    stores::Stores,
};
use crate::{
    bucket::{self, Bucket},
    cli::TeardownArgs,
    cluster::{
        Cluster, ServiceAccount,
        snapshot::{Estate, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, Store},
    },
    config::Settings,
    error::{Code, Result},
    federation::{Purpose, Workload},
    http::Http,
    plan::apply,
    publication::{Kept, location::DocumentLocation},
    report::Report,
    secret_store::{self, Given, Planned, StoreName, role_name},
    warning::Warning,
};

/// Runs the command.
pub(crate) async fn run(args: &TeardownArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let Sight { cluster, estate, observed, cluster_id, .. } = Sight::take(settings, report).await?;
    let stores = stores(args, settings, &estate);
    let resolved = resolved(&stores, settings, &estate, &cluster_id, report)?;
    if let Some(resolved) = &resolved {
        report.about_account(Some(resolved.provider.account()));
    }
    let bucket = match &settings.bucket {
        Some(bucket) if !args.unused => Some(bucket::connect(bucket, &http).await?),
        _ => None,
    };
    let place = match &bucket {
        Some(bucket) => Some(DocumentLocation::resolve(settings, bucket.as_ref())?),
        None => None,
    };
    let signed = issuer::signed(&observed)?;
    let issuer = issuer::removed(settings, place.as_ref(), &observed)?;

    let mut providers = Vec::new();
    if let Some(resolved) = &resolved {
        for provider in resolved.providers() {
            providers.push(provider.connect(&http, Purpose::Apply)?);
        }
    }
    let mut withdrawals = Vec::new();
    let mut planned = Vec::new();
    if let Some(resolved) = &resolved {
        let trust = resolved.trust(issuer.clone(), cluster_id, &observed, None, &Kept::default())?;
        let mut identities = match args.unused {
            true => Vec::new(),
            false => identities(&stores, settings, resolved, &estate)?,
        };
        let named = account_of_settings(&stores, settings, resolved, &estate);
        for provider in &providers {
            let provider = provider.as_ref();
            let mut workloads = Vec::new();
            for Identity { store, account, settings } in &identities {
                let Some(store) = store else { continue };
                let rights = ever_named(&estate, settings, store, provider);
                let naming = naming(provider, named.as_ref(), account, &estate).await?;
                workloads.push(Workload::new(account.clone(), naming).granting(rights, BTreeSet::new()));
            }
            let login = provider.store_login().await?;
            let used_by = match args.unused {
                true => others::all_logging_in(&estate, login.as_ref()),
                false => others::logging_in(&stores, &estate, login.as_ref()),
            };
            // What is granted to an account that others use is theirs.
            let goes = |workload: &Workload| {
                used_by.is_empty() || !others::use_account(&stores, &estate, &workload.account)
            };
            let mut want = trust.clone().of(workloads.into_iter().filter(goes));
            let look = unused::Look {
                estate: &estate,
                stores: &stores,
                settings,
                provider,
                login: login.as_ref(),
                only_unused: args.unused,
                is_whole: args.store.is_empty(),
            };
            for workload in look.unused(&want).await? {
                let account = &workload.account;
                // The second role of an account goes without it.
                let goes = !args.unused || !others::are_using(&estate, account);
                if goes && !identities.iter().any(|known| known.account == *account) {
                    let account = account.clone();
                    identities.push(Identity { store: None, account, settings: settings.clone() });
                }
                want.workloads.push(workload);
            }
            let parts = match args.unused && want.workloads.is_empty() {
                true => Vec::new(),
                false => provider.withdraw(&want).await?,
            };
            let parts = match used_by.as_slice() {
                [] => parts,
                others => {
                    let why = format!("{} logs in by it, and is not named", others.join(", "));
                    parts.into_iter().map(|part| part.keep_shared(&why)).collect()
                }
            };
            withdrawals.push(Withdrawal { provider, parts, login, used_by });
        }
        let ending = if args.unused { Stores::naming(&[]) } else { stores.clone() };
        for identity in &identities {
            let objects = objects_of(&cluster, &estate, identity, &ending, &withdrawals).await?;
            // What stores share is shown once.
            let known: Vec<_> = planned.iter().map(|it: &Planned| it.object().to_owned()).collect();
            planned.extend(objects.into_iter().filter(|it| !known.iter().any(|known| known == it.object())));
        }
    }
    let in_bucket = match (&bucket, &place) {
        (Some(bucket), Some(place)) => Some(plan::Bucket {
            name: bucket.to_string(),
            documents: Documents::read(bucket.as_ref(), place, settings.kid_rule).await?,
            is_ours: bucket.is_ours().await?,
            kept: others::keep_documents(&withdrawals),
        }),
        _ => None,
    };
    let mut warnings = plan::dangling(&withdrawals, signed.as_str(), issuer.as_str());
    warnings.extend(plan::not_seen(&estate));
    let orphans = match args.unused {
        true => Vec::new(),
        false => Orphan::all(&estate, &withdrawals, &planned),
    };
    let plan = Plan { withdrawals, objects: planned, orphans, bucket: in_bucket, warnings };

    plan.show(report);
    if settings.cluster.as_ref().is_none_or(|access| access.uid.is_none()) {
        whose::refuse_another_cluster(&plan, &observed.live()?, &cluster.target(), &settings.file)?;
    }
    report.json("teardown", plan.to_json(issuer.as_str(), args.dry_run));
    let whole = plan.whole();
    let summary = whole.summary();
    let pending = summary.pending();
    saved::save_or_check(&args.plan, &whole, report)?;
    if pending == 0 {
        report.line("nothing to remove");
        return Ok(Exit::Clean);
    }
    report.line(format_args!("\n{summary}"));
    if args.dry_run || args.plan.is_saved() {
        return Ok(Exit::Found);
    }
    prompt::confirm(report, args.yes, &format!("Remove {} ({})", prompt::these(pending), report.target()))?;
    act(plan, &cluster, bucket.as_deref(), report).await?;
    match args.unused {
        true => report.line("removed: what no store uses any more is gone; what stays is named above"),
        false => report
            .line(format_args!("removed: what keyless made for {issuer} is gone; what stays is named above")),
    }
    Ok(Exit::Clean)
}

/// Trust first, then what relied on it.
async fn act(
    plan: Plan<'_>,
    cluster: &Cluster,
    bucket: Option<&dyn Bucket>,
    report: &mut Report<'_>,
) -> Result<()> {
    for withdrawal in plan.withdrawals {
        let changes: Vec<_> = withdrawal.parts.into_iter().map(|part| part.change).collect();
        apply(&changes, report).await?;
    }
    objects::apply(cluster, &plan.objects.iter().collect::<Vec<&Planned>>(), None, report).await?;
    let (Some(bucket), Some(planned)) = (bucket, &plan.bucket) else { return Ok(()) };
    if planned.kept.is_some() {
        return Ok(());
    }
    for (name, version) in &planned.documents.ours {
        report.progress(format_args!("removing {bucket}/{name}"));
        bucket.remove(name, version).await?;
    }
    if planned.is_ours {
        report.progress(format_args!("removing {bucket}"));
        if !bucket.remove_bucket().await? {
            report.warning(&Warning::new(
                Code::BucketNotEmpty,
                format!("{bucket} stays: something else is in it"),
            ));
        }
    }
    Ok(())
}

/// Those of --store. Where the settings name no store, because several were set up in one run: all of them.
fn stores(args: &TeardownArgs, settings: &Settings, estate: &Estate) -> Stores {
    match args.store.as_slice() {
        [] => Stores::of_settings(settings, estate),
        named => Stores::naming(named),
    }
}

/// What was set up; `None` where it was only documents. An operator that is gone by now keeps nothing from being
/// taken away, and neither does a store that an earlier run took away.
fn resolved(
    stores: &Stores,
    settings: &Settings,
    estate: &Estate,
    cluster_id: &str,
    report: &mut Report<'_>,
) -> Result<Option<Resolved>> {
    if !settings.names_a_provider() && estate.stores.is_empty() {
        return Ok(None);
    }
    let Some(settings) = &stores.first(settings, estate) else { return Ok(None) };
    // A name that is mistyped takes nothing away.
    if let Some(error) = stores.named.iter().flatten().find_map(|store| resolve::unknown_store(estate, store))
    {
        return Err(error.hint("nothing was removed"));
    }
    // An earlier run may have taken it away.
    let unknown = match &stores.named {
        Some(_) => None,
        None => resolve::named_store_unknown(settings, estate)?,
    };
    if let Some(error) = unknown {
        let there = error.causes.join("; ");
        let text = format!("{}; {there}: what was made for another store is not looked at", error.message);
        report.warning(&Warning::new(error.code, text));
    }
    let mut ask =
        |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
    resolve::resolve(settings, None, estate, cluster_id, &mut ask).map(Some)
}

/// A store, and what it logs in with.
struct Identity {
    /// `None`: no store logs in with the account any more.
    store: Option<StoreName>,
    account: ServiceAccount,
    /// As they are for this store.
    settings: Settings,
}

fn identities(
    stores: &Stores,
    settings: &Settings,
    resolved: &Resolved,
    estate: &Estate,
) -> Result<Vec<Identity>> {
    let given = settings;
    let one = |store: &StoreName| {
        let settings = stores.settings_of(store, given);
        let account = resolve::workload_of(&settings, estate, store)?;
        Ok(Identity { store: Some(store.clone()), account, settings })
    };
    match &stores.named {
        Some(named) => named.iter().map(one).collect(),
        None => Ok(vec![Identity {
            store: Some(resolved.store.clone()),
            account: resolved.workload.clone(),
            settings: settings.clone(),
        }]),
    }
}

/// What a store was given, and the store itself.
async fn objects_of(
    cluster: &Cluster,
    estate: &Estate,
    identity: &Identity,
    stores: &Stores,
    withdrawals: &[Withdrawal<'_>],
) -> Result<Vec<Planned>> {
    let Identity { store, account: workload, .. } = identity;
    let namespace = Some(workload.namespace.as_str());
    let role = role_name(workload);
    let store = async {
        match store {
            Some(store) => cluster.get_object(store.resource(), store.namespace(), store.name()).await,
            None => Ok(None),
        }
    };
    let (store, account, role, role_binding) = futures::try_join!(
        store,
        cluster.get_object(&SERVICE_ACCOUNTS, namespace, &workload.name),
        cluster.get_object(&ROLES, namespace, &role),
        cluster.get_object(&ROLE_BINDINGS, namespace, &role),
    )?;
    let withdrawn: Vec<_> = withdrawals.iter().map(|withdrawal| withdrawal.login.as_ref()).collect();
    let other_users =
        secret_store::other_users(estate, workload, |store| others::ends(stores, withdrawals, store));
    let given = Given {
        store: store.as_ref(),
        account: account.as_ref(),
        role: role.as_ref(),
        role_binding: role_binding.as_ref(),
        workload,
        withdrawn: &withdrawn,
        other_users: other_users.as_deref(),
    };
    let mut planned = secret_store::withdraw(given);
    for object in planned.iter_mut().filter(|object| object.changes_something()) {
        if object.manifest.kind().ends_with("SecretStore") {
            let users = plan::users(estate, &Store(object.manifest.clone()));
            object.step.reason = format!("{}; {}", object.step.reason, plan::stop(&users));
        }
    }
    Ok(planned)
}
