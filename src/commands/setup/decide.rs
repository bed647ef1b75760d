//! The plan of a run, from what was observed.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use super::{
    members::{Member, Shared},
    plan::{Documents, GivenKey, Plan, StorePart},
    silent,
};
use crate::{
    cluster::{FailedServer, Observed, ServiceAccount},
    commands::{objects::find_store, store::Present},
    error::{Code, Error, Result},
    federation::{self, Impossible, Trust},
    plan::{Gate, Step},
    publication::{Options, Publication, PublicationPlan, ledger::Opened},
    rotation::Former,
    secret_store::{self, obstacles_of_a_move},
    waiting::Waiting,
    warning::Warning,
};

/// What is to be done, and what it was decided from.
pub(super) struct Decided<'p> {
    pub(super) plan: Plan<'p>,
    pub(super) impossible: Vec<Impossible>,
    /// ServiceAccounts that cannot be given their login, and why.
    pub(super) refused: Vec<(ServiceAccount, Error)>,
    pub(super) documents: Option<PublicationPlan<'p>>,
}

/// Looks at what was not looked at yet, everything at the same time.
pub(super) async fn decide<'p>(
    publication: Option<&'p Publication<'_>>,
    it: &Shared<'p>,
    (observed, ledger): (&Observed, &Opened),
    trust: &Trust,
    members: &mut [Member],
    now: fn() -> u64,
) -> Result<Decided<'p>> {
    let documents = async {
        let Some(publication) = publication else { return Ok(None) };
        let options = Options { create: true, former: Former::Unknown };
        let asked = std::future::ready(Ok(Some(observed.clone())));
        let mut observation = publication.observe(&options, asked, &Waiting::default()).await?;
        publication.take_ledger(&mut observation, ledger.clone(), &options, now());
        let mut plan = publication.plan(&options, observation, now()).await?.without_ledger_alone();
        plan.shown_doubts = plan.doubts.len();
        Ok(Some(plan))
    };
    let presents = members.iter().map(async |member| match &member.present {
        Some(present) => Ok(present.clone()),
        None => Present::observe(it.cluster, it.estate, &member.store, &member.account).await,
    });
    let (documents, changes, presents) =
        futures::join!(documents, it.provider.plan_each(trust), try_join_all(presents));
    let (documents, planned, presents) = (documents?, changes?, presents?);
    let federation::Plan { changes, impossible, own, refused, notes, lacking } = planned;
    let mut stores: Vec<StorePart> = Vec::new();
    for (member, present) in members.iter_mut().zip(presents) {
        let mut objects = secret_store::plan(&member.want(), &present.have())?;
        // What stores share is made once.
        let known =
            |name: &str| stores.iter().flat_map(|it| &it.objects.objects).any(|it| it.object() == name);
        objects.objects.retain(|object| !known(object.object()));
        if stores.is_empty() {
            objects.warnings.extend(silent(observed).filter(|_| it.resolved.uploads_keys()).map(|server| {
                let (address, code) = (&server.address, server.error.code);
                let why = format!(
                    "API server {address} did not answer ({code}): keys that only it serves are not uploaded, and none is taken away"
                );
                Warning::new(Code::ServerUnreachable, why)
            }));
        }
        let obstacles = find_store(it.estate, &member.store)
            .map(|store| obstacles_of_a_move(it.estate.users(store), store, member.login.as_ref()));
        member.present = Some(present);
        stores.push(StorePart {
            name: member.shown.clone(),
            objects,
            obstacles: obstacles.unwrap_or_default(),
            retirement: None,
            kept_for: BTreeSet::new(),
            asked: Vec::new(),
        });
    }
    let signs_otherwise: Vec<_> = observed
        .servers
        .iter()
        .filter(|server| server.token.claims().issuer != *trust.issuer.signed())
        .map(|server| (server.address.clone(), server.token.claims().issuer.clone()))
        .collect();
    let waits = !signs_otherwise.is_empty();
    let is_gated = |step: &Step| step.gate == Some(Gate::AfterIssuerSwitch);
    let pending = changes.iter().filter(|change| change.is_pending()).map(|change| &change.step);
    if let (Some(server), Some(step)) =
        (observed.failed.first().filter(|_| !waits), pending.into_iter().find(|step| is_gated(step)))
    {
        return Err(issuer_unknown(server, step));
    }
    let (mut changes, later): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| !waits || !is_gated(&change.step));
    // The gate is open.
    changes.iter_mut().for_each(|change| change.step.gate = None);
    // What the publisher is given is no store's, and done with what they share.
    let publisher = it.publisher.map(|publisher| &publisher.workload.account);
    if let Some((_, error)) = refused.iter().find(|(account, _)| Some(account) == publisher) {
        return Err(error.clone());
    }
    let is_of_store = |name: &str| own.get(name).is_some_and(|account| Some(account) != publisher);
    let (of_workloads, changes): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| is_of_store(&change.step.name));
    let of_workloads = of_workloads.into_iter().filter_map(|change| {
        let account = own.get(&change.step.name)?.clone();
        Some((account, change))
    });
    let of_workloads = of_workloads.collect();
    let plan = Plan {
        documents: publication
            .zip(documents.as_ref())
            .map(|(publication, documents)| Documents::of(publication, documents)),
        provider: it.provider.to_string(),
        keys: given_keys(trust),
        ledger: None,
        changes,
        of_workloads,
        notes,
        lacking,
        stores,
        later,
        signs_otherwise,
        servers: observed.servers.len(),
        not_moved: Vec::new(),
        not_looked_at: Vec::new(),
        are_several: false,
        settings: None,
    };
    Ok(Decided { plan, impossible, refused, documents })
}

/// A step waits for every API server to sign as the issuer, and one did not say what it signs as.
fn issuer_unknown(server: &FailedServer, step: &Step) -> Error {
    let address = &server.address;
    Error::failed(
        Code::ServerUnreachable,
        format!("it is not known as which issuer API server {address} signs"),
    )
    .caused_by(server.error.message.clone())
    .hint(format!(
        "tokens of another issuer would be refused after this step, so it waits for all of them: {}",
        step.name
    ))
    .hint("bring the server back, or run keyless where it can be reached, then run it again")
    .hint("nothing was changed")
}

/// The keys that a provider is given, and what each is there for.
fn given_keys(trust: &Trust) -> Vec<GivenKey> {
    let given = trust.keys.iter().filter(|_| trust.issuer.published().is_none());
    given
        .map(|key| GivenKey { kid: key.kid().to_owned(), kind: key.describe(), role: trust.role(key) })
        .collect()
}
