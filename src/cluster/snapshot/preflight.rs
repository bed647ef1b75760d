//! Which rights of an audit are missing, asked while it lists: all of them at once, so that one message names them all. It
//! decides nothing: what an answer allows is proved by the lists alone, and what it denies they find out as well.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    Mode,
    discover::Kinds,
    kinds::{
        CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, CONFIG_MAPS, CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, JOBS, LEASES,
        OF_OTHERS, PODS, Part, REPLICA_SETS, SECRETS, SERVICE_ACCOUNTS, STATEFUL_SETS, known,
    },
};
use crate::cluster::{Cluster, objects::Resource, review::IN_FLIGHT};

/// What the reviews came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preflight {
    /// Rights that the API server grants, in words.
    pub(crate) granted: BTreeSet<String>,
    /// Rights that the API server denies, in words.
    pub(crate) missing: BTreeSet<String>,
    /// Rights about which a review had no answer: whether they are missing is not known.
    pub(crate) unanswered: BTreeSet<String>,
}

/// A verb on all objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Right {
    verb: &'static str,
    group: String,
    plural: String,
    words: String,
}

/// What the API server made of one review.
pub(super) type Answer = (Right, Option<bool>);

/// Every right that an audit of this mode needs for whole lists, whatever kinds there are.
fn needed(mode: Mode) -> Vec<Right> {
    let right = |verb: &'static str, resource: &Resource| Right {
        verb,
        group: resource.group.to_string(),
        plural: resource.plural.to_string(),
        words: resource.right(verb, None, None),
    };
    let of_operator = known().into_iter().filter(|(_, part)| *part != Part::Local);
    let mut rights: Vec<_> = of_operator.map(|(resource, _)| right("list", &resource)).collect();
    let of_others = OF_OTHERS.map(|(group, plural)| Resource::new(group, "v1", plural, "", true));
    rights.extend(of_others.iter().map(|resource| right("list", resource)));
    let listed = [
        &DEPLOYMENTS,
        &STATEFUL_SETS,
        &DAEMON_SETS,
        &REPLICA_SETS,
        &JOBS,
        &CRON_JOBS,
        &PODS,
        &LEASES,
        &CONFIG_MAPS,
        &CLUSTER_ROLE_BINDINGS,
    ];
    rights.extend(listed.map(|resource| right("list", resource)));
    rights.extend([&PODS, &CONFIG_MAPS, &SERVICE_ACCOUNTS, &CLUSTER_ROLES].map(|it| right("get", it)));
    let of_secrets: &[&'static str] = match mode {
        Mode::Refs => &[],
        Mode::Metadata => &["list"],
        Mode::Deep => &["list", "get"],
    };
    rights.extend(of_secrets.iter().map(|verb| right(verb, &SECRETS)));
    rights
}

impl Right {
    /// `spec` of its review.
    fn spec(&self) -> Value {
        json!({ "resourceAttributes": { "verb": self.verb, "group": self.group, "resource": self.plural } })
    }
}

impl Cluster {
    /// Asks for all rights of this mode. It never fails: a review that is refused is one that has no answer.
    pub(super) async fn reviews(&self, mode: Mode) -> Vec<Answer> {
        let reviews = needed(mode).into_iter().map(|right| async move {
            let answer = self.review(&right.spec()).await;
            (right, answer)
        });
        stream::iter(reviews).buffer_unordered(IN_FLIGHT).collect().await
    }
}

impl Preflight {
    /// From the answers, without kinds that the API server does not have.
    pub(super) fn of(answers: Vec<Answer>, kinds: &Kinds) -> Self {
        let of_others = kinds.of_others();
        let is_there = |right: &Right| {
            let is = |resource: &Resource| resource.group == right.group && resource.plural == right.plural;
            match () {
                () if right.group.ends_with("external-secrets.io") => {
                    kinds.present.iter().any(|(resource, _)| is(resource))
                }
                () if OF_OTHERS.iter().any(|(group, _)| *group == right.group) => of_others.iter().any(is),
                () => [&REPLICA_SETS, &JOBS, &CRON_JOBS, &LEASES, &DEPLOYMENTS, &STATEFUL_SETS, &DAEMON_SETS]
                    .into_iter()
                    .filter(|resource| is(resource))
                    .all(|resource| kinds.reads(resource)),
            }
        };
        let mut preflight = Self::default();
        for (right, answer) in answers.into_iter().filter(|(right, _)| is_there(right)) {
            match answer {
                Some(true) => drop(preflight.granted.insert(right.words)),
                Some(false) => drop(preflight.missing.insert(right.words)),
                None => drop(preflight.unanswered.insert(right.words)),
            }
        }
        preflight
    }

    /// What no review answered. `None`: each had an answer.
    pub(crate) fn unanswered_message(&self) -> Option<String> {
        let words: Vec<_> = self.unanswered.iter().map(String::as_str).collect();
        let rights = match words.as_slice() {
            [] => return None,
            [_] => "whether a right of the audit is missing is not known".to_owned(),
            many => format!("whether {} rights of the audit are missing is not known", many.len()),
        };
        Some(format!(
            "{rights}: the API server did not answer their access reviews. The lists decide what was seen. Unanswered: {}",
            words.join(", ")
        ))
    }

    /// Everything that is missing, and what grants it. `flags`: of kubectl, for its cluster. `None`: nothing is known to be
    /// missing.
    pub(crate) fn message(&self, mode: Mode, flags: &str) -> Option<String> {
        let missing: Vec<_> = self.missing.iter().map(String::as_str).collect();
        let rights = match missing.as_slice() {
            [] => return None,
            [_] => "a right of the audit is missing".to_owned(),
            many => format!("{} rights of the audit are missing", many.len()),
        };
        Some(format!(
            "{rights}, so it cannot be complete: {}. These rights, for a user NAME: keyless render rbac --for audit --mode {} \
             --user NAME | kubectl{flags} apply -f -",
            missing.join(", "),
            mode.name()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verbs on kinds in a role, without those on named objects.
    fn granted(role: &str) -> BTreeSet<(String, String)> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(role).unwrap();
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let rules =
            objects[0]["rules"].as_array().unwrap().iter().filter(|rule| rule["resourceNames"].is_null());
        let granted = rules.flat_map(|rule| {
            let group = rule["apiGroups"][0].as_str().unwrap_or_default().to_owned();
            let resources = texts(&rule["resources"]).into_iter();
            resources.flat_map(move |resource| {
                let name = format!("{resource}.{group}");
                texts(&rule["verbs"]).into_iter().map(move |verb| (verb, name.clone())).collect::<Vec<_>>()
            })
        });
        granted.collect()
    }

    #[test]
    fn reviews_ask_what_roles_grant() {
        for (mode, role) in [
            (Mode::Refs, include_str!("../../../deploy/auditor-refs/rbac.yaml")),
            (Mode::Metadata, include_str!("../../../deploy/auditor-metadata/rbac.yaml")),
            (Mode::Deep, include_str!("../../../deploy/auditor/rbac.yaml")),
        ] {
            let asked = needed(mode);
            let asked: BTreeSet<_> =
                asked.iter().map(|it| (it.verb.to_owned(), format!("{}.{}", it.plural, it.group))).collect();
            assert_eq!(asked, granted(role), "{mode:?}");
        }
    }

    #[test]
    fn message_names_all_with_their_grant() {
        let unanswered = ["get pods", "list jobs"].map(str::to_owned).into();
        let mut preflight = Preflight { unanswered, ..Preflight::default() };
        assert_eq!(preflight.message(Mode::Deep, ""), None);
        let message = preflight.unanswered_message().unwrap();
        for part in ["whether 2 rights", "Unanswered: get pods, list jobs"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(Preflight::default().unanswered_message(), None);
        preflight.missing =
            ["list pods in all namespaces", "list secrets in all namespaces"].map(str::to_owned).into();
        let message = preflight.message(Mode::Metadata, " --context a").unwrap();
        for part in
            ["2 rights", "list pods", "list secrets", "--for audit --mode metadata", "kubectl --context a"]
        {
            assert!(message.contains(part), "{message}");
        }
    }
}
