//! A generator that logs in with something stored. One that opens a cloud or a Vault is a trust root like a
//! store's; what the others open is no secret store, so they are worth knowing and not in the count.

use std::collections::BTreeSet;

use super::{pod_credential::check_pods, stored};
use crate::{
    audit::{
        Hit, Rule, Weight,
        login::{Login, is_public, login},
    },
    cluster::snapshot::{Estate, Generator, SecretKey, Target},
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "generator-credential",
    summary: "a generator logs in with a credential that is stored",
    check,
};

/// Those that could log in with tokens of a ServiceAccount instead.
const ROOTS: [&str; 5] =
    ["ACRAccessToken", "ECRAuthorizationToken", "GCRAccessToken", "STSSessionToken", "VaultDynamicSecret"];

fn check(estate: &Estate) -> Vec<Hit> {
    estate.generators.iter().flat_map(|generator| of_generator(estate, generator)).collect()
}

fn of_generator(estate: &Estate, generator: &Generator) -> Vec<Hit> {
    let references = generator.references();
    let named: Vec<_> = references.iter().filter(|it| it.target == Target::Secret).collect();
    let keys = |public: bool| -> BTreeSet<SecretKey> {
        let wanted = named.iter().filter(|it| is_public(&it.path) == public && !it.path.contains(".tls."));
        wanted.flat_map(|reference| estate.generator_keys(generator, reference)).collect()
    };
    let (secret, beside) = (keys(false), keys(true));
    let paths: Vec<_> =
        named.iter().filter(|it| !is_public(&it.path)).map(|reference| reference.path.as_str()).collect();
    let hit = |weight, why: String, remedy: &str| Hit {
        rule: RULE.id,
        weight,
        place: generator.0.describe(),
        why,
        remedy: remedy.to_owned(),
    };
    if !ROOTS.contains(&generator.kind()) {
        let places: Vec<_> = secret.iter().map(ToString::to_string).collect();
        let why = format!("{} names {}", paths.join(", "), places.join(", "));
        let remedy = "let the generator's provider make this credential as narrow and short-lived as it can";
        return if secret.is_empty() { Vec::new() } else { vec![hit(Weight::Note, why, remedy)] };
    }
    let users = match estate.generator_users(generator).count() {
        0 => "nothing uses this generator, but its credential is alive all the same".to_owned(),
        1 => "1 object takes values from it".to_owned(),
        users => format!("{users} objects take values from it"),
    };
    if paths.iter().any(|path| path.contains("sessionToken")) {
        let why = "it holds temporary keys: who renews them, and with what, is not seen here".to_owned();
        return vec![hit(Weight::Unknown, why, REMEDY)];
    }
    if secret.is_empty() {
        return without_secret(estate, generator);
    }
    // In namespaces of their own these are credentials of their own.
    let namespaces: BTreeSet<_> = secret.iter().map(|key| &key.namespace).collect();
    let within = |keys: &BTreeSet<SecretKey>, namespace: &str| {
        keys.iter().filter(|key| key.namespace == namespace).cloned().collect()
    };
    let found = namespaces
        .into_iter()
        .filter_map(|namespace| stored(estate, &within(&secret, namespace), &within(&beside, namespace)));
    let why = format!("{}; {users}", paths.join(", "));
    found.map(|stored| hit(Weight::Counted(stored), why.clone(), REMEDY)).collect()
}

/// It names no Secret: a ServiceAccount, the controller's own pod, or something that is not known.
fn without_secret(estate: &Estate, generator: &Generator) -> Vec<Hit> {
    let settings = generator.settings();
    let login = match generator.kind() {
        "ECRAuthorizationToken" | "STSSessionToken" => login("aws", settings),
        "GCRAccessToken" => login("gcpsm", settings),
        "VaultDynamicSecret" => login("vault", &settings["provider"]),
        _ => return Vec::new(),
    };
    match login {
        Login::Ambient { variables } => {
            let hits = check_pods(estate, &generator.0.describe(), variables);
            hits.into_iter().map(|hit| Hit { rule: RULE.id, ..hit }).collect()
        }
        Login::Unknown { why } => {
            let place = generator.0.describe();
            vec![Hit { rule: RULE.id, weight: Weight::Unknown, place, why, remedy: REMEDY.into() }]
        }
        Login::Tokens { .. } | Login::Stored { .. } | Login::Inline { .. } | Login::Open => Vec::new(),
    }
}

const REMEDY: &str =
    "let the generator log in by a ServiceAccount (serviceAccountRef), and revoke the stored credential";
