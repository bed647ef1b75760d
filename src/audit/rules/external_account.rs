//! A store that logs in through a file of the type `external_account`: it is keyless if the tokens are that it
//! exchanges. The file lies in a ConfigMap, a Secret, or a volume of the controller's pod, and says it itself.

use std::collections::BTreeSet;

use super::{in_config_map, pod_credential};
use crate::{
    audit::{
        Hit, Rule, Weight,
        login::{AWS_VARIABLES, Login, login},
    },
    cluster::{
        objects::Look,
        snapshot::{
            ConfigMapKey, Controller, Credential, Estate, Public, SecretKey, Source, Store, Target,
            TokenSource,
        },
    },
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "external-account",
    summary: "a store logs in through an external account whose tokens come from something stored, or cannot be told",
    check,
};

/// Where the file lies, and what it was found to be; `None` for what another rule judges.
struct File<'a> {
    place: String,
    holder: Holder,
    look: Option<&'a Look<Credential>>,
}

enum Holder {
    /// Of a store's `credConfig`.
    ConfigMap(ConfigMapKey),
    /// What is no external account in there is the business of the rules on stored credentials.
    Other,
}

fn check(estate: &Estate) -> Vec<Hit> {
    estate.stores.iter().flat_map(|store| of_store(estate, store)).collect()
}

fn of_store(estate: &Estate, store: &Store) -> Vec<Hit> {
    let Some((provider, settings)) = store.provider() else { return Vec::new() };
    let files = match login(provider, settings) {
        Login::Tokens { path } => config_maps(estate, store, &path),
        Login::Stored { paths } => secrets(estate, store, &paths),
        Login::Ambient { variables } => of_pods(estate, variables),
        Login::Inline { .. } | Login::Open | Login::Unknown { .. } => Vec::new(),
    };
    files.iter().flat_map(|file| of_file(estate, store, file)).collect()
}

fn config_maps<'a>(estate: &'a Estate, store: &Store, path: &str) -> Vec<File<'a>> {
    let named = store.references().into_iter().filter(|it| it.target == Target::ConfigMap && it.path == path);
    let keys = named.flat_map(|reference| estate.secret_keys(store, &reference)).map(ConfigMapKey::like);
    let file = |key: ConfigMapKey| File {
        place: key.to_string(),
        look: estate.config_maps.get(&key),
        holder: Holder::ConfigMap(key),
    };
    keys.map(file).collect()
}

fn secret<'a>(estate: &'a Estate, key: &SecretKey) -> File<'a> {
    File { place: key.to_string(), look: estate.credentials.get(key), holder: Holder::Other }
}

fn secrets<'a>(estate: &'a Estate, store: &Store, paths: &[String]) -> Vec<File<'a>> {
    let named =
        store.references().into_iter().filter(|it| it.target == Target::Secret && paths.contains(&it.path));
    let keys: BTreeSet<_> = named.flat_map(|reference| estate.secret_keys(store, &reference)).collect();
    keys.iter().map(|key| secret(estate, key)).collect()
}

fn of_pods<'a>(estate: &'a Estate, variables: &[&str]) -> Vec<File<'a>> {
    let environments = estate.controllers.iter().flat_map(|controller| &controller.environment);
    let named = environments.filter(|variable| variables.contains(&variable.name.as_str()));
    let file = |source: &Source| match source {
        Source::Secret(key) => Some(secret(estate, key)),
        Source::ConfigMap(key) => {
            Some(File { place: key.to_string(), look: estate.config_maps.get(key), holder: Holder::Other })
        }
        Source::Literal | Source::Token | Source::Elsewhere => None,
    };
    named.filter_map(|variable| file(&variable.source)).collect()
}

fn of_file(estate: &Estate, store: &Store, file: &File<'_>) -> Vec<Hit> {
    let hit = |weight, why: String, remedy: &str| Hit {
        rule: RULE.id,
        weight,
        place: store.0.describe(),
        why: format!("{}: {why}", file.place),
        remedy: remedy.to_owned(),
    };
    const SETUP: &str = "keyless setup, which lets the store log in with tokens of a ServiceAccount";
    let unknown = |why: &str| vec![hit(Weight::Unknown, why.to_owned(), SETUP)];
    match (file.look, &file.holder) {
        (Some(Look::Seen(Credential { public: Public::ExternalAccount { source, .. }, .. })), _) => {
            of_source(estate, store, source, &hit, SETUP)
        }
        // What was refused stands, with the right, among what could not be looked at.
        (_, Holder::Other) | (Some(Look::Unseen(_)), _) => Vec::new(),
        (Some(Look::Seen(credential)), Holder::ConfigMap(_)) if credential.public == Public::Opaque => {
            unknown("it is no external account, and what it is cannot be told")
        }
        (Some(Look::Seen(credential)), Holder::ConfigMap(key)) => {
            let remedy = format!(
                "keyless setup, then kubectl delete configmap -n {} {}, and revoke the credential where it was made",
                key.namespace, key.name
            );
            let stored = in_config_map(key, credential);
            vec![hit(
                Weight::Counted(stored),
                "a credential, readable by everyone who may read ConfigMaps".into(),
                &remedy,
            )]
        }
        (Some(Look::Absent) | None, Holder::ConfigMap(_)) => unknown("it does not exist, or is empty"),
    }
}

/// Whether the tokens that it exchanges are short-lived.
fn of_source(
    estate: &Estate,
    store: &Store,
    source: &TokenSource,
    hit: &dyn Fn(Weight, String, &str) -> Hit,
    remedy: &str,
) -> Vec<Hit> {
    let unknown = |why: String| vec![hit(Weight::Unknown, why, remedy)];
    match source {
        TokenSource::Server => Vec::new(),
        TokenSource::Unknown(why) => unknown((*why).to_owned()),
        TokenSource::File(_) | TokenSource::Aws { .. } if estate.controllers.is_empty() => {
            unknown("it means the controller's pod, and no controller was found".into())
        }
        TokenSource::File(path) => {
            let of_one = |controller: &Controller| {
                let at = controller.deployment();
                let source = controller.file(path);
                let path = path.escape_debug();
                match source {
                    Source::Token => None,
                    Source::Secret(key) => Some(format!(
                        "its token, the file {path} of {at}, is what {key} holds, and who renews that is not seen"
                    )),
                    _ => Some(format!(
                        "its token, the file {path} of {at}, comes from no projected token of the pod"
                    )),
                }
            };
            let unknown = estate.controllers.iter().filter_map(of_one);
            unknown.map(|why| hit(Weight::Unknown, why, remedy)).collect()
        }
        TokenSource::Aws { metadata } => {
            let mut hits = pod_credential::check_pods(estate, &store.0.describe(), AWS_VARIABLES);
            if hits.is_empty() && !metadata {
                hits =
                    unknown("its tokens are made of AWS keys, and where those come from is not seen".into());
            }
            hits
        }
    }
}
