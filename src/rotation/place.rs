//! PURE. What differs where keys are not in documents, but given to a provider: how many it takes, and what can be done when
//! they are refused.

use std::collections::BTreeMap;

use super::{Inputs, KeyId, State};
use crate::{
    error::{Code, Error, Result},
    oidc::{KeySet, PublicKey},
    rfc3339::rfc3339,
    shell,
};

/// Where the key set is published.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Documents,
    /// At this provider.
    Provider {
        name: &'a str,
        limit: Option<Limit>,
    },
}

/// A provider takes so many keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) most: usize,
    /// Of the refusal.
    pub(crate) code: Code,
    /// What else can be done.
    pub(crate) without: &'static str,
}

impl Place<'_> {
    /// For how many of `others` there is room beside ours; they are brought into the order in which they get it.
    ///
    /// Where a provider takes few keys, only those have to make room that are known to be foreign, or to have been put back.
    ///
    /// Errors: the provider takes fewer than are live or staged, or may still verify tokens.
    pub(super) fn room(
        self,
        room: usize,
        ours: Option<&KeySet>,
        others: &mut [PublicKey],
        inputs: &Inputs<'_>,
    ) -> Result<usize> {
        let state = |key: &PublicKey| inputs.states.get(&KeyId::of(key)).copied();
        let Self::Provider { name, limit: Some(limit) } = self else {
            others.sort_by_key(|key| !state(key).is_some_and(State::is_ours));
            return Ok(room);
        };
        let makes_room =
            |key: &PublicKey| matches!(state(key), Some(State::Foreign | State::Returned { .. }));
        others.sort_by_key(makes_room);
        let needed: Vec<_> = ours
            .iter()
            .flat_map(|ours| ours.iter())
            .chain(others.iter().filter(|key| !makes_room(key)))
            .collect();
        match needed.len() <= limit.most {
            true => Ok(room.min(limit.most - ours.map_or(0, KeySet::len))),
            false => Err(too_many(name, limit, &needed, inputs)),
        }
    }

    /// What to do when none of the keys that are there is known.
    pub(super) fn if_of_another_cluster(self) -> &'static [&'static str] {
        match self {
            Self::Documents => &[
                "one issuer belongs to one cluster: give this one a path of its own, e.g. --issuer …/NAME",
                "if they are this cluster's own former keys: `keyless publish --same-cluster` keeps them and adds the present ones",
                "if others have replaced this cluster's keys, or it was created again: `keyless publish --restore` puts its keys beside \
                 these, which are named until they are revoked",
            ],
            Self::Provider { .. } => &[
                "one issuer belongs to one cluster: name a pool or a mount of this cluster's own: google.pool, vault.mount",
                "if they are this cluster's own former keys: `keyless keys add FILE`, with the public half of one of them, keeps them and \
                 adds the present ones",
                "if others have replaced this cluster's keys, or it was created again: `keyless setup` puts its present keys in the place of \
                 these, and refuses what is marked as another cluster's. Former keys that the ledger does not know go with them: their tokens are refused at once",
            ],
        }
    }

    /// What to do when another key has the `kid` of one of ours.
    pub(super) fn if_taken(self) -> &'static str {
        match self {
            Self::Documents => "put this cluster's key in its place: keyless publish --restore",
            Self::Provider { .. } => {
                "put this cluster's key in its place: keyless setup, which keeps the former keys that the ledger knows"
            }
        }
    }
}

fn too_many(name: &str, limit: Limit, needed: &[&PublicKey], inputs: &Inputs<'_>) -> Error {
    let state = |key: &PublicKey| inputs.states.get(&KeyId::of(key)).copied();
    let holds = |set: Option<&KeySet>, key: &PublicKey| {
        set.and_then(|set| set.get(key.kid())).is_some_and(|one| one.same_key(key))
    };
    let mut error = Error::failed(
        limit.code,
        format!(
            "{name} takes {} keys, and {} are live or staged, or may have signed tokens that are still valid: nothing was changed there",
            limit.most,
            needed.len()
        ),
    );
    let mut until: BTreeMap<u64, &PublicKey> = BTreeMap::new();
    let mut is_unknown = false;
    for key in needed {
        let what = match state(key) {
            _ if holds(inputs.live, key) => "live".to_owned(),
            _ if holds(inputs.files, key) => "staged: in a file".to_owned(),
            Some(State::Staged) => "staged".to_owned(),
            Some(State::Retained { until: Some(time) } | State::ShownOnce { until: Some(time) }) => {
                until.insert(time, key);
                format!("kept until {}", rfc3339(time))
            }
            Some(State::Retained { until: None } | State::ShownOnce { until: None }) => {
                "kept until every API server has answered, and its tokens have expired".to_owned()
            }
            _ => {
                is_unknown = true;
                "no API server has it, and it is not known whose it is".to_owned()
            }
        };
        error = error.caused_by(format_args!("{} ({}): {what}", key.kid().escape_debug(), key.describe()));
    }
    if let Some((time, key)) = until.first_key_value() {
        let kid = key.kid().escape_debug();
        error = error.hint(format!(
            "{kid} is the first that leaves by itself, at {}; `keyless keys revoke {}` takes it out now, and its tokens are refused \
             from then on",
            rfc3339(*time),
            shell::argument(key.kid(), "KID")
        ));
    }
    if is_unknown {
        error = error.hint("`keyless keys revoke KID` takes one out that is not this cluster's");
    }
    error
        .hint(
            "a live key may go when no API server signs with it and its tokens have expired: take it from --service-account-key-file of \
             every API server",
        )
        .hint(limit.without)
}
