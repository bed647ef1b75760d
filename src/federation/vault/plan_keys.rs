//! PURE. The static keys of an auth method that is there already, and nothing else of it.

use serde_json::{Map, Value, json};

use super::{
    Planned, Settings, Step, mark,
    observe::{self, Observed},
    plan::{differences, in_turn, mount_object},
    wanted,
};
use crate::{
    error::{Code, Error, Result},
    federation::{
        Keys, Trust, not_set_up,
        resource::{change, leave},
    },
    oidc::PublicKey,
    plan::{
        self, Action, Desired, Fit, Foreign, Obstacle, Permits, UNCHANGED, USED, decide, ownership::Ownership,
    },
};

const KEYS: &str = "jwt_validation_pubkeys";

/// Of `want`, issuer, cluster and keys count; of `observed`, the auth method, its configuration and what the token may do.
pub(super) fn plan(settings: &Settings, want: &Trust, observed: &Observed) -> Result<Planned> {
    let object = format!("configuration of auth/{}", settings.mount);
    let mount = observed.mount.as_ref().filter(|mount| mount.kind == "jwt");
    let (Some(mount), Some(have)) = (mount, &observed.config) else {
        return Err(not_set_up(&mount_object(settings), "it is not there, or not configured"));
    };
    let ownership = mark::mount_ownership(mount, observed, want);
    let keys = want.keys.iter().map(PublicKey::to_pem).collect::<Result<Vec<_>>>()?;
    let keys: Vec<_> = keys.iter().map(|pem| pem.trim()).collect();
    let wanted = written(have, json!(keys));
    let differences = differences(have, &wanted, &[KEYS]);
    let permits = Permits { create: false, foreign: Foreign::Use };
    let seen = plan::Observed::active(ownership, Fit::of(differences.is_empty()));
    let action = decide(Desired::Present(permits), seen).map_err(|obstacle| match obstacle {
        Obstacle::OtherCluster => mark::of_another_cluster(
            &mount_object(settings),
            mark::mount_of_other(observed, want).unwrap_or_default(),
            want,
            "name this cluster's own: vault.mount",
            "run `keyless setup`, which prints the command that takes it over",
        ),
        Obstacle::OtherIssuer => not_set_up(&object, "it believes another issuer"),
        Obstacle::Unproven | Obstacle::Missing | Obstacle::Foreign | Obstacle::Unfit | Obstacle::Used => {
            Error::failed(
                Code::VaultConfigForeign,
                format!("auth/{} is not known to be this cluster's, and has other keys", settings.mount),
            )
            .hint("write the keys as its owner, or name a path of keyless's own: vault.mount")
        }
    })?;
    let why = match () {
        () if have.get("bound_issuer").and_then(Value::as_str) != Some(want.issuer.as_str()) => {
            Some("it believes another issuer")
        }
        () if matches!(observe::keys(have), Ok(Keys::Fetched | Keys::Absent)) => {
            Some("it has been given no keys")
        }
        () => None,
    };
    if let Some(why) = why {
        return Err(not_set_up(&object, why));
    }
    if action == Action::NoOp {
        return Ok(leave(&object, if ownership == Ownership::Foreign { USED } else { UNCHANGED }));
    }
    let why = "the keys that the server verifies the cluster's tokens with";
    let mut change = change(Action::Update, &object, why, differences, Step::Upload(wanted));
    in_turn(settings, observed, &mut [&mut change], None);
    Ok(change)
}

/// A write replaces the whole configuration: everything that is there goes back as it was, but for the keys.
fn written(have: &Map<String, Value>, keys: Value) -> Value {
    let mut all: Map<String, Value> = have
        .iter()
        .filter(|(_, value)| !wanted::is_empty(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    all.insert(KEYS.to_owned(), keys);
    all.into()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Mode,
            observe::Mount,
            plan::tests::{ISSUER, in_mode, settings, trust},
        },
        *,
    };
    use crate::{
        oidc::{KeySet, keys_from_pem},
        plan::ownership::older_mark,
    };

    /// What is to be written holds what the auth method has: that does not show whose it is.
    #[test]
    fn old_mark_with_other_keys_refused() {
        let settings = Settings { mode: Mode::StaticKeys, ..settings() };
        let own = in_mode(&settings, &trust());
        let pem = lab::SigningKey::ec(lab::Curve::P256).public_pem();
        let other = KeySet::new(keys_from_pem(pem.as_bytes(), "test").unwrap()).unwrap();
        let both = own.keys.union(&other).unwrap();
        let observed = |given: &KeySet| {
            let pems: Vec<_> = given.iter().map(|key| key.to_pem().unwrap()).collect();
            let config = json!({"bound_issuer": ISSUER, "jwt_validation_pubkeys": pems});
            Observed {
                mount: Some(Mount { kind: "jwt".into(), description: older_mark(ISSUER) }),
                config: config.as_object().cloned(),
                ..Observed::default()
            }
        };
        let want = Trust { keys: both, proof: Some(own.keys.clone()), ..own.clone() };
        let refused = plan(&settings, &want, &observed(&other)).unwrap_err();
        assert_eq!(refused.code, Code::VaultConfigForeign, "{refused}");
        let change = plan(&settings, &want, &observed(&own.keys)).unwrap();
        assert_eq!(change.step.action, Action::Update);
    }
}
