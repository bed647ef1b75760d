//! A store that logs in with something stored.

use super::{credentials, use_of};
use crate::{
    audit::{
        Hit, Identity, Rule, Stored, Weight,
        login::{Login, login},
    },
    cluster::snapshot::{Estate, Store},
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "stored-credential",
    summary: "a store logs in with a credential that is stored and does not expire by itself",
    check,
};

fn check(estate: &Estate) -> Vec<Hit> {
    estate.stores.iter().flat_map(|store| of_store(estate, store)).collect()
}

fn of_store(estate: &Estate, store: &Store) -> Vec<Hit> {
    let Some((provider, settings)) = store.provider() else { return Vec::new() };
    let (stored, path) = match login(provider, settings) {
        Login::Stored { paths } => (credentials(estate, store, &paths), paths.join(", ")),
        Login::Inline { path } => {
            let stored = Stored {
                identity: Identity::At(format!("{} {path}", store.0.describe())),
                what: "a credential in the store itself, readable by everyone who may list stores".into(),
                secrets: Default::default(),
                config_maps: Default::default(),
            };
            (vec![stored], path)
        }
        _ => return Vec::new(),
    };
    let hit = |stored| Hit {
        rule: RULE.id,
        weight: Weight::Counted(stored),
        place: store.0.describe(),
        why: format!("{path} takes effect; {}", use_of(estate, store)),
        remedy: remedy(provider),
    };
    stored.into_iter().map(hit).collect()
}

fn remedy(provider: &str) -> String {
    match provider {
        "gcpsm" => "keyless setup --retire-key".into(),
        "vault" | "openBao" | "openbao" => "keyless setup --to vault, then revoke the stored credential at the server".into(),
        "aws" => "set auth.jwt.serviceAccountRef, with a role that trusts this cluster's issuer, and delete the access key".into(),
        "azurekv" => "set authType: WorkloadIdentity with serviceAccountRef, and delete the app's secret or certificate".into(),
        "fake" => "delete the store, or move its data to a provider that federates: keyless setup".into(),
        "akeyless" | "alibaba" | "conjur" | "doppler" | "ibm" | "infisical" | "kubernetes" | "oracle" | "pulumi" => {
            format!("use the login by tokens that the provider {provider} has, and revoke the stored credential")
        }
        _ => format!("{provider} cannot do without a stored credential: move the data to one that can (keyless setup --to)"),
    }
}
