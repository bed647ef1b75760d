//! What the login lacks of what a plan takes. The project is asked first, with everything else that is asked of Google; what
//! is not had there may still be had on the one thing that it is about, so that is asked as well.
//!
//! An answer counts only if it has what the run has just done there: one by a condition, by a part of the permissions, or by
//! something that is not Google would else be taken for a lack.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::{
    Deed, Gcp, Planned, Step, observe,
    state::{Holder, State},
};
use crate::{
    error::Code,
    federation::Lack,
    google::{needs, role_of},
    shell,
};

/// The permissions of a login, by what it was asked about. `None`: that is not told.
pub(super) type Held = Option<BTreeSet<String>>;

/// Where a permission can be had besides the project and what is above it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Nowhere.
    Project,
    Pool,
    Holder(Holder),
}

const POOLS: &str = "iam.workloadIdentityPools";
const PROVIDERS: &str = "iam.workloadIdentityPoolProviders";

/// What a step takes.
struct Takes {
    place: Place,
    permissions: Vec<String>,
    /// What the look that the plan was made from took there.
    looked: String,
}

/// What any plan may take, and the look at the pool.
pub(super) async fn ask_project(gcp: &Gcp) -> Held {
    let written = ["create", "undelete", "update"];
    let written = [POOLS, PROVIDERS].into_iter().flat_map(|of| written.map(|verb| format!("{of}.{verb}")));
    let others = ["serviceusage.services.enable".to_owned(), format!("{POOLS}.get")];
    let holders = [Holder::Project, Holder::Account(String::new()), Holder::Secret(String::new())];
    let granted = holders.iter().filter_map(|holder| Some(format!("{}.setIamPolicy", policies_of(holder)?)));
    gcp.api.held(&url(gcp, &Place::Project)?, &written.chain(others).chain(granted).collect()).await
}

/// `on_project`: the answer to [`ask_project`].
pub(super) async fn of(gcp: &Gcp, state: &State, changes: &[Planned], on_project: Held) -> Vec<Lack> {
    let Some(on_project) = on_project.filter(|held| held.contains(&format!("{POOLS}.get"))) else {
        return Vec::new();
    };
    let takes = changes.iter().filter_map(|change| {
        let mut takes = takes(change.act.as_ref()?, state)?;
        takes.permissions.retain(|permission| !on_project.contains(permission));
        (!takes.permissions.is_empty()).then_some((&change.step.name, takes))
    });
    let takes: Vec<_> = takes.collect();
    let mut asked: BTreeMap<Place, BTreeSet<String>> = BTreeMap::new();
    for (_, takes) in takes.iter().filter(|(_, takes)| takes.place != Place::Project) {
        let of_place = asked.entry(takes.place.clone()).or_default();
        of_place.extend(takes.permissions.iter().chain([&takes.looked]).cloned());
    }
    let ask = |(place, permissions): (Place, BTreeSet<String>)| async move {
        let held = match url(gcp, &place) {
            Some(url) => gcp.api.held(&url, &permissions).await,
            None => None,
        };
        (place, held)
    };
    let held: BTreeMap<Place, Held> = stream::iter(asked).map(ask).buffered(observe::AT_ONCE).collect().await;
    let lacks = takes.iter().flat_map(|(step, takes)| {
        let missing = match held.get(&takes.place) {
            None => takes.permissions.clone(),
            Some(Some(held)) if held.contains(&takes.looked) => {
                takes.permissions.iter().filter(|permission| !held.contains(*permission)).cloned().collect()
            }
            Some(_) => Vec::new(),
        };
        missing.into_iter().map(|permission| lack(step, &permission, &takes.place, state))
    });
    lacks.collect()
}

/// `None`: that is not asked.
fn takes(step: &Step, state: &State) -> Option<Takes> {
    let of_deed = |of: &str, deed: &Deed| -> Vec<String> {
        let verbs: &[&str] = match deed {
            Deed::Create(_) => &["create"],
            Deed::Delete => &["delete"],
            Deed::Patch(_) | Deed::Upload(_) => &["update"],
            Deed::Restore(patch) if patch.is_empty() => &["undelete"],
            Deed::Restore(_) => &["undelete", "update"],
        };
        verbs.iter().map(|verb| format!("{of}.{verb}")).collect()
    };
    let in_pool = || if state.pool.is_some() { Place::Pool } else { Place::Project };
    Some(match step {
        Step::Enable(_) => Takes {
            place: Place::Project,
            permissions: vec!["serviceusage.services.enable".to_owned()],
            looked: String::new(),
        },
        Step::Pool(deed) => {
            Takes { place: in_pool(), permissions: of_deed(POOLS, deed), looked: format!("{POOLS}.get") }
        }
        Step::Provider(deed) => Takes {
            place: in_pool(),
            permissions: of_deed(PROVIDERS, deed),
            looked: format!("{PROVIDERS}.list"),
        },
        Step::Grant(binding) | Step::Revoke(binding) => of_policy(&binding.holder)?,
        Step::GrantIf { binding, .. } | Step::RevokeIf { binding, .. } => of_policy(&binding.holder)?,
    })
}

fn of_policy(holder: &Holder) -> Option<Takes> {
    let resource = policies_of(holder)?;
    let place = if *holder == Holder::Project { Place::Project } else { Place::Holder(holder.clone()) };
    let [permissions, looked] = ["setIamPolicy", "getIamPolicy"].map(|verb| format!("{resource}.{verb}"));
    Some(Takes { place, permissions: vec![permissions], looked })
}

/// A bucket says for itself what may be done with it.
fn policies_of(holder: &Holder) -> Option<&'static str> {
    Some(match holder {
        Holder::Account(_) => "iam.serviceAccounts",
        Holder::Bucket(_) => return None,
        Holder::Project => "resourcemanager.projects",
        Holder::Secret(_) => "secretmanager.secrets",
    })
}

fn url(gcp: &Gcp, place: &Place) -> Option<String> {
    match place {
        Place::Project => gcp.target(&Holder::Project).url().map(str::to_owned),
        Place::Pool => Some(gcp.iam(&gcp.ids.pool())),
        Place::Holder(holder) => gcp.target(holder).url().map(str::to_owned),
    }
}

fn lack(step: &str, permission: &str, place: &Place, state: &State) -> Lack {
    let project = &state.ids.project;
    let on = match place {
        // No command of gcloud grants on a pool.
        Place::Project | Place::Pool => super::plan::on_project(state),
        Place::Holder(holder) => format!("the {}", super::bindings::shown(holder, state)),
    };
    let needed = needs(permission, &on);
    let location = state.ids.location.as_ref().map(|it| format!(" --location={it}")).unwrap_or_default();
    let granting = |to: &str| format!("gcloud {to} add-iam-policy-binding");
    let command = match place {
        Place::Holder(Holder::Secret(name)) => {
            format!("{} {} --project={project}{location}", granting("secrets"), shell::quote(name))
        }
        Place::Holder(Holder::Account(email)) => {
            format!("{} {}", granting("iam service-accounts"), shell::quote(email))
        }
        Place::Holder(_) | Place::Project | Place::Pool => format!("{} {project}", granting("projects")),
    };
    let command = role_of(permission)
        .map(|role| format!("{command} --member=\"$MEMBER\" --condition=None --role={role}"));
    Lack {
        step: step.to_owned(),
        lacks: format!("{permission} on {on}"),
        code: Code::GoogleForbidden,
        hints: vec![
            format!("the credentials need {needed}"),
            "to use another account: GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)".to_owned(),
        ],
        commands: [
            ": \"${MEMBER:?whose the credentials are, as user:EMAIL or serviceAccount:EMAIL}\"".to_owned()
        ]
        .into_iter()
        .chain(command)
        .collect(),
    }
}
