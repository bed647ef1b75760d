//! Asks which kinds of External Secrets Operator the API server has, and whether it is one.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    api::{Definition, Discovered, Groups, Presence, Resources, ServerVersion, presence},
    kinds::{self, DEFINITIONS, OF_OTHERS, Part},
    read::IN_FLIGHT,
};
use crate::{
    cluster::{
        Cluster,
        objects::{Look, Resource, Unseen, is_answer},
    },
    error::{Code, Result},
};

/// How many groups are asked for their kinds at the same time.
const GROUPS_IN_FLIGHT: usize = 4;

/// The answers to [`Cluster::kinds`].
pub(super) struct Kinds {
    pub(super) present: Vec<(Resource, Part)>,
    pub(super) others: Vec<Resource>,
    pub(super) unseen: BTreeSet<Unseen>,
    pub(super) installed: bool,
    /// `None`: the API server did not say what it has.
    discovered: Option<Discovered>,
}

impl Kinds {
    /// The kinds of others in which credentials lie.
    pub(super) fn of_others(&self) -> Vec<Resource> {
        let listed = |(group, plural): (&str, &str)| self.discovered.as_ref()?.listed(group, plural);
        OF_OTHERS.into_iter().filter_map(listed).collect()
    }

    /// Whether a kind of the API server's own is to be read: unless it says itself that it has none.
    pub(super) fn reads(&self, resource: &Resource) -> bool {
        self.discovered.as_ref().is_none_or(|discovered| discovered.has(resource))
    }
}

impl Cluster {
    /// Which kinds of External Secrets Operator there are, proved.
    pub(super) async fn kinds(&self) -> Result<Look<Kinds>> {
        // What only makes up values is not asked for.
        let (local, known): (Vec<_>, Vec<_>) =
            kinds::known().into_iter().partition(|(_, part)| *part == Part::Local);
        let definitions = stream::iter(&known)
            .map(|(resource, _)| async move {
                let name = resource.name();
                self.look_at_as(&DEFINITIONS, None, &name, |definition: Definition| Some(definition.served()))
                    .await
            })
            .buffered(IN_FLIGHT - GROUPS_IN_FLIGHT - 4)
            .try_collect::<Vec<_>>();
        let (version, discovered, definitions) =
            futures::try_join!(self.is_api_server(), self.discovered(), definitions)?;
        if let Look::Unseen(unseen) = version {
            return Ok(Look::Unseen(unseen));
        }
        let mut kinds = Kinds {
            present: Vec::new(),
            others: Vec::new(),
            unseen: BTreeSet::new(),
            installed: true,
            discovered: discovered.seen().cloned(),
        };
        let of_groups = discovered.seen();
        if let Look::Unseen(unseen) = &discovered {
            kinds.unseen.insert(unseen.clone());
        }
        let mut absent = 0;
        for ((resource, part), definition) in known.iter().zip(&definitions) {
            match presence(resource, definition, of_groups) {
                Presence::Read(resource) => kinds.present.push((resource, *part)),
                Presence::Absent => absent += 1,
                Presence::Unseen(unseen) => drop(kinds.unseen.insert(unseen)),
            }
        }
        let names: Vec<_> = known.iter().chain(&local).map(|(resource, _)| resource.clone()).collect();
        kinds.others = of_groups.map(|discovered| discovered.others(&names)).unwrap_or_default();
        kinds.installed = absent < known.len() || !kinds.others.is_empty();
        Ok(Look::Seen(kinds))
    }

    /// The kind in the version that is served of it. `Absent`: neither the API server's groups nor the definitions have it.
    pub(crate) async fn served_version(&self, resource: &Resource) -> Result<Look<Resource>> {
        let name = resource.name();
        let definition =
            self.look_at_as(&DEFINITIONS, None, &name, |definition: Definition| Some(definition.served()));
        let (definition, discovered) = futures::try_join!(definition, self.discovered())?;
        Ok(match presence(resource, &definition, discovered.seen()) {
            Presence::Read(resource) => Look::Seen(resource),
            Presence::Absent => Look::Absent,
            Presence::Unseen(unseen) => Look::Unseen(unseen),
        })
    }

    /// Whether this answers as an API server does.
    async fn is_api_server(&self) -> Result<Look<()>> {
        let right = "get the non-resource URL `/version`";
        let unseen = |why: String| {
            Ok(Look::Unseen(Unseen { what: "the API server".into(), right: right.into(), why }))
        };
        match self.document("/version", right).await {
            Ok(body) => match ServerVersion::read(&body) {
                Some(version) => {
                    self.facts.take_version(&version);
                    Ok(Look::Seen(()))
                }
                None => unseen("what answers at this address is no API server".into()),
            },
            // Whatever else is asked would end as this did.
            Err(error) if matches!(error.code, Code::Timeout | Code::BodyCut | Code::ClusterUnauthorized) => {
                Err(error)
            }
            Err(error) if error.code == Code::ClusterForbidden => unseen("this right is missing".into()),
            Err(error) if error.code == Code::ClusterNotFound => {
                unseen("what answers at this address is no API server".into())
            }
            Err(error) if is_answer(error.code) => unseen(error.message),
            Err(error) => Err(error),
        }
    }

    /// What the API server says that it has, in its own groups.
    async fn discovered(&self) -> Result<Look<Discovered>> {
        let unseen = |path: &str, why: &str| {
            Ok(Look::Unseen(Unseen {
                what: "the kinds that the API server has".into(),
                right: format!("get the non-resource URL `{path}`"),
                why: why.into(),
            }))
        };
        let mut discovered = Discovered::default();
        let groups = match self.document("/apis", "get the non-resource URL `/apis`").await {
            Ok(body) => Groups::of(&body),
            Err(error) if error.code == Code::ClusterForbidden => {
                return unseen("/apis", "this right is missing");
            }
            Err(error) if is_answer(error.code) || error.code == Code::Timeout => None,
            Err(error) => return Err(error),
        };
        let Some(groups) = groups else {
            return unseen("/apis", "the answer is not the list of groups of an API server");
        };
        let asked = groups.wanted().into_iter().map(|(group, version)| async move {
            let path = format!("/apis/{group}/{version}");
            let answer = self.document(&path, &format!("get the non-resource URL `{path}`")).await;
            (group, version, path, answer)
        });
        let mut answers = stream::iter(asked).buffered(GROUPS_IN_FLIGHT);
        while let Some((group, version, path, answer)) = answers.next().await {
            let resources = match answer {
                Ok(body) => Resources::of(&body),
                Err(error) if is_answer(error.code) || error.code == Code::Timeout => None,
                Err(error) => return Err(error),
            };
            let Some(resources) = resources else {
                return unseen(&path, "the answer is not a list of kinds");
            };
            discovered.add(&group, &version, resources);
        }
        Ok(Look::Seen(discovered))
    }
}
