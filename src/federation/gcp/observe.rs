//! Asks Google what there is: everything at the same time, because nothing here waits for anything else.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use serde_json::Value;

use super::{
    Gcp, Grant, lacking,
    names::{Number, Project},
    state::{Holder, Pool, Provider, Seen, Services, State},
};
use crate::{
    error::{Code, Error, Result},
    federation::{Documents, Right, RightKind},
    google::{Outcome, Policy, Refusal},
};

/// Every page of a list has this many entries at most; a pool rarely has ten providers.
pub(super) const PAGES: usize = 20;
/// How many policies are read at the same time: a cluster may read hundreds of secrets.
pub(super) const AT_ONCE: usize = 50;

/// What a number of answers may be read from, in the order of trust.
struct Answers {
    project: Outcome<Value>,
    services: Outcome<Value>,
    pool: Outcome<Value>,
}

/// Secrets whose policies may not be looked at, and why: that concerns those who use them.
pub(super) type Denied = Vec<(String, Error)>;

/// Looks at policies that a plan does not depend on only for `everything`, and does without them if it must. `named`: the
/// rights that are given or taken back; `finds`: a search is one of those.
pub(super) async fn run(
    gcp: &Gcp,
    named: &BTreeSet<&Right>,
    finds: bool,
    everything: bool,
    documents: Option<&Documents>,
) -> Result<(State, Denied)> {
    let mut holders = holders(gcp, named, everything);
    let bucket = documents.map(|documents| documents.bucket.as_str());
    holders.extend(bucket.map(|name| Holder::Bucket(name.to_owned())));
    let (project, services, pool, providers, policies, bucket_seen) = futures::join!(
        gcp.ahead.project.take_or(&(), ask_project(gcp)),
        gcp.ahead.services.take_or(&(), ask_services(gcp)),
        gcp.ahead.pool.take_or(&(), ask_pool(gcp)),
        gcp.ahead.providers.take_or(&(), providers(gcp)),
        policies(gcp, &holders),
        bucket_of_documents(gcp, bucket)
    );

    let answers = Answers { project, services, pool };
    let (project, project_unseen) = decide_project(gcp, &answers)?;
    let mut services = read_services(gcp, answers.services)?;
    let on = format!("the project {}", gcp.ids.project);
    let pool = optional(answers.pool, &mut services).map_err(|refusal| {
        refusal.error(&looking_at(&gcp.ids.shown_pool()), "iam.workloadIdentityPools.get", &on)
    })?;
    let pool = pool.map(|json| Pool::read(&json));
    let providers = match providers {
        // A deleted pool may hide its providers; what is there is found when one is made.
        Err(refusal) if pool.as_ref().is_some_and(|pool| pool.life.deleted) && !refusal.is_forbidden() => {
            Vec::new()
        }
        answer => optional(answer, &mut services)
            .map_err(|refusal| {
                let what = looking_at(&format!("the providers of the {}", gcp.ids.shown_pool()));
                refusal.error(&what, "iam.workloadIdentityPoolProviders.list", &on)
            })?
            .unwrap_or_default(),
    };
    let (mut seen, mut denied) = (Vec::new(), Vec::new());
    for (holder, answer) in holders.into_iter().zip(policies) {
        let is_denied = answer.as_ref().err().is_some_and(Refusal::is_forbidden);
        match (read_policy(gcp, &holder, answer, (finds, everything), &mut services), holder) {
            (Ok(policy), holder) => seen.push((holder, policy)),
            (Err(error), Holder::Secret(name)) if is_denied => denied.push((name, error)),
            (Err(error), _) => return Err(error),
        }
    }
    let ids = gcp.ids.clone();
    let (uniform, bucket_project) = bucket_seen?;
    let state = State {
        ids,
        project,
        project_unseen,
        services,
        pool,
        providers,
        policies: seen,
        uniform,
        bucket_project,
    };
    Ok((state, denied))
}

/// Asks what [`run`] will ask, for these rights, if it does so right after this. Whatever is wrong, it says.
pub(super) async fn ahead(gcp: &Gcp, named: &BTreeSet<&Right>) {
    let policies = holders(gcp, named, false)
        .into_iter()
        .map(|holder| async move { gcp.ahead.policies.see_or(&holder, ask_policy(gcp, &holder)).await });
    let policies = stream::iter(policies).buffered(AT_ONCE).collect::<Vec<_>>();
    let _answers = futures::join!(
        project(gcp),
        gcp.ahead.providers.see_or(&(), providers(gcp)),
        gcp.ahead.held.see_or(&(), lacking::ask_project(gcp)),
        policies
    );
}

/// Whose policies matter, but for a bucket's.
fn holders(gcp: &Gcp, named: &BTreeSet<&Right>, everything: bool) -> Vec<Holder> {
    let mut holders = vec![Holder::Project];
    holders.extend(gcp.settings.impersonate.clone().map(Holder::Account));
    // With a role on the project, reading takes none on the secrets.
    let on_secrets =
        |right: &&Right| everything || gcp.settings.grant == Grant::Secrets || right.kind != RightKind::Read;
    let rights = named.iter().copied().filter(on_secrets);
    let secrets: BTreeSet<_> = rights.filter_map(Right::secret).collect();
    holders.extend(secrets.into_iter().map(|name| Holder::Secret(name.to_owned())));
    holders
}

/// ID and number of the project, from the first that says them.
pub(super) async fn project(gcp: &Gcp) -> Result<Project> {
    let (project, services, pool) = futures::join!(
        gcp.ahead.project.see_or(&(), ask_project(gcp)),
        gcp.ahead.services.see_or(&(), ask_services(gcp)),
        gcp.ahead.pool.see_or(&(), ask_pool(gcp))
    );
    Ok(decide_project(gcp, &Answers { project, services, pool })?.0)
}

/// The provider as it is now, and the pool: for those who find that a name is taken.
pub(super) async fn one_provider(gcp: &Gcp) -> Outcome<Option<Provider>> {
    present(gcp.api.get(&gcp.iam(&gcp.ids.provider())).await)
        .map(|json| json.map(|json| Provider::read(&json)))
}

pub(super) async fn one_pool(gcp: &Gcp) -> Outcome<Option<Pool>> {
    present(ask_pool(gcp).await).map(|json| json.map(|json| Pool::read(&json)))
}

fn present(answer: Outcome<Value>) -> Outcome<Option<Value>> {
    match answer {
        Ok(json) => Ok(Some(json)),
        Err(refusal) if refusal.is_absent() => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

async fn policies(gcp: &Gcp, holders: &[Holder]) -> Vec<Outcome<Policy>> {
    let read = |holder| async move { gcp.ahead.policies.take_or(&holder, ask_policy(gcp, &holder)).await };
    stream::iter(holders.to_vec()).map(read).buffered(AT_ONCE).collect().await
}

pub(super) async fn ask_policy(gcp: &Gcp, holder: &Holder) -> Outcome<Policy> {
    gcp.api.policy(&gcp.target(holder)).await
}

/// Whether access is uniform in the bucket, and whose it is. `None`: there is none.
async fn bucket_of_documents(gcp: &Gcp, bucket: Option<&str>) -> Result<(Option<bool>, Option<Number>)> {
    let Some(bucket) = bucket else { return Ok((None, None)) };
    let target = gcp.target(&Holder::Bucket(bucket.to_owned()));
    match gcp.api.get(&format!("{}/storage/v1/b/{bucket}", gcp.settings.endpoints.storage)).await {
        Ok(found) => Ok((
            Some(found["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"] == true),
            found["projectNumber"].as_str().and_then(Number::parse),
        )),
        Err(refusal) if refusal.is_absent() => Ok((None, None)),
        Err(refusal) => {
            Err(refusal.error(&looking_at(&target.to_string()), "storage.buckets.get", &target.to_string()))
        }
    }
}

async fn ask_project(gcp: &Gcp) -> Outcome<Value> {
    let base = &gcp.settings.endpoints.resource_manager;
    gcp.api.get(&format!("{base}/v1/projects/{}", gcp.ids.project)).await
}

async fn ask_pool(gcp: &Gcp) -> Outcome<Value> {
    gcp.api.get(&gcp.iam(&gcp.ids.pool())).await
}

async fn ask_services(gcp: &Gcp) -> Outcome<Value> {
    let (base, project) = (&gcp.settings.endpoints.service_usage, &gcp.ids.project);
    let names: Vec<_> =
        gcp.services().iter().map(|name| format!("names=projects/{project}/services/{name}")).collect();
    gcp.api.get(&format!("{base}/v1/projects/{project}/services:batchGet?{}", names.join("&"))).await
}

async fn providers(gcp: &Gcp) -> Outcome<Vec<Provider>> {
    let mut found = Vec::new();
    let mut page = String::new();
    for _ in 0..PAGES {
        let url = format!("{}?showDeleted=true&pageSize=100{page}", gcp.iam(&gcp.ids.providers()));
        let mut answer = gcp.api.get(&url).await?;
        let list = answer["workloadIdentityPoolProviders"].take();
        found.extend(list.as_array().into_iter().flatten().map(Provider::read));
        let Some(next) = answer["nextPageToken"].as_str().filter(|token| !token.is_empty()) else { break };
        let token: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        page = format!("&pageToken={token}");
    }
    Ok(found)
}

/// 404 is `None`, and so is a service that is off: then it is among those to be enabled.
fn optional<T>(answer: Outcome<T>, services: &mut Services) -> Outcome<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(refusal) if refusal.is_absent() => Ok(None),
        Err(refusal) if is_off(&refusal, services) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Whether the refusal is about a service that can be enabled; it is noted.
fn is_off(refusal: &Refusal, services: &mut Services) -> bool {
    let known = ["iam.googleapis.com", "secretmanager.googleapis.com"];
    let Some(service) = known.into_iter().find(|name| refusal.disabled_service() == Some(*name)) else {
        return false;
    };
    if !services.missing.contains(&service) {
        services.missing.push(service);
    }
    true
}

fn read_policy(
    gcp: &Gcp,
    holder: &Holder,
    answer: Outcome<Policy>,
    (finds, everything): (bool, bool),
    services: &mut Services,
) -> Result<Seen> {
    // The project's policy matters only where roles are granted on it; elsewhere it saves a superfluous grant.
    let by_the_way = match holder {
        Holder::Account(_) | Holder::Bucket(_) => false,
        Holder::Project => gcp.settings.grant == Grant::Secrets && !finds,
        Holder::Secret(_) => gcp.settings.grant == Grant::Project && everything,
    };
    match answer {
        Ok(policy) => Ok(Seen::Known(policy)),
        Err(_) if by_the_way => Ok(Seen::Unknown),
        Err(refusal) if refusal.is_absent() => Ok(Seen::Absent),
        Err(refusal) if is_off(&refusal, services) => Ok(Seen::Unknown),
        Err(refusal) => Err(gcp.target(holder).not_read(refusal)),
    }
}

fn read_services(gcp: &Gcp, answer: Outcome<Value>) -> Result<Services> {
    let refusal = match answer {
        Ok(json) => {
            let list = json["services"].as_array().cloned().unwrap_or_default();
            let enabled = |name: &str| {
                list.iter().any(|service| {
                    let found = service["name"].as_str().unwrap_or_default();
                    service["state"] == "ENABLED" && found.rsplit('/').next() == Some(name)
                })
            };
            let missing = gcp.services().into_iter().filter(|name| !enabled(name)).collect();
            return Ok(Services { missing, unseen: None });
        }
        Err(refusal) => refusal,
    };
    if refusal.is_forbidden() || refusal.disabled_service().is_some() || refusal.is_absent() {
        return Ok(Services { missing: Vec::new(), unseen: Some(refusal.summary()) });
    }
    let what = looking_at(&format!("the services of {}", gcp.ids.project));
    Err(refusal.error(&what, "serviceusage.services.get", &format!("the project {}", gcp.ids.project)))
}

/// Resource Manager knows both names of a project. Where it may not be asked, other services' names carry the
/// number, and the number does wherever the ID would.
fn decide_project(gcp: &Gcp, answers: &Answers) -> Result<(Project, Option<String>)> {
    let given = &gcp.ids.project;
    match &answers.project {
        Ok(json) => {
            let lifecycle = json["lifecycleState"].as_str().unwrap_or("ACTIVE");
            if lifecycle != "ACTIVE" {
                return Err(Error::failed(
                    Code::GoogleProjectDeleted,
                    format!("the project {given} is shut down"),
                )
                .caused_by(format_args!("lifecycleState: {lifecycle}"))
                .hint(format!(
                    "`gcloud projects undelete {given}` within 30 days; or name another project"
                )));
            }
            let number = json["projectNumber"].as_str().and_then(Number::parse);
            let (Some(id), Some(number)) = (json["projectId"].as_str(), number) else {
                return Err(Error::failed(
                    Code::GoogleAnswer,
                    format!("Resource Manager does not say what number {given} has"),
                )
                .hint("check google.endpoints.resourceManager"));
            };
            Ok((Project { id: id.to_owned(), number }, None))
        }
        Err(refusal) => {
            let named = |answer: &Outcome<Value>, pointer: &str| {
                let json = answer.as_ref().ok()?;
                number_in(json.pointer(pointer)?.as_str()?)
            };
            let number = Number::parse(given)
                .or_else(|| named(&answers.services, "/services/0/parent"))
                .or_else(|| named(&answers.services, "/services/0/name"))
                .or_else(|| named(&answers.pool, "/name"));
            if let Some(number) = number
                && (answers.services.is_ok() || answers.pool.as_ref().err().is_none_or(Refusal::is_absent))
            {
                return Ok((Project { id: given.clone(), number }, Some(refusal.summary())));
            }
            Err(unknown_project(given, refusal))
        }
    }
}

/// The number in `projects/123/…`.
fn number_in(name: &str) -> Option<Number> {
    let mut parts = name.split('/');
    (parts.next() == Some("projects")).then_some(())?;
    Number::parse(parts.next()?)
}

fn unknown_project(given: &str, refusal: &Refusal) -> Error {
    let on = format!("the project {given}");
    if refusal.is_absent() || refusal.is_forbidden() {
        return Error::failed(
            Code::GoogleProjectUnknown,
            format!("there is no project {given}, or it may not be looked at"),
        )
        .caused_by(refusal.summary())
        .hint(
            "`gcloud projects list` shows the IDs of those that you can see; the display name is not the ID",
        )
        .hint(format!("to look at it takes {}", crate::google::needs("resourcemanager.projects.get", &on)))
        .hint("to use another account: GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)");
    }
    refusal.clone().error(&looking_at(&on), "resourcemanager.projects.get", &on)
}

fn looking_at(what: &str) -> String {
    format!("looking at {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names() {
        let number = number_in("projects/123456789012/services/iam.googleapis.com").unwrap();
        assert_eq!(number.to_string(), "123456789012");
        assert_eq!(number_in("projects/123").unwrap().to_string(), "123");
        for name in ["projects/acme-prod/services/x", "folders/1", "projects", "", "123"] {
            assert_eq!(number_in(name), None, "{name}");
        }
    }
}
