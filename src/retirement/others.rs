//! What earlier runs noted for other stores: one that has left the same credential needs it until everything that uses the
//! store has run by the new login.

use super::{
    Elsewhere, End, Next, Observed, Options, Sighting, Stage, State, StoreView, Tracker, Until,
    config_map::{Noted, Shelf},
    look::users,
    next,
    store_view::view_of,
    uses,
};
use crate::{
    cluster::{Cluster, objects::Look, snapshot::Store},
    error::Result,
    secret_store::StoreName,
};

/// Other stores that rely on the credentials of this state, by what is noted of them. `judged`: stores that the run has
/// looked at itself.
pub(crate) async fn relying(
    cluster: &Cluster,
    state: &State,
    judged: &[StoreName],
    options: &Options,
    now: u64,
) -> Result<Elsewhere> {
    let mut found = Elsewhere::default();
    let all = match Shelf::all(cluster, &state.cluster).await? {
        Look::Seen(all) => all,
        Look::Absent => return Ok(found),
        Look::Unseen(unseen) => {
            found.unseen.push(unseen.right);
            return Ok(found);
        }
    };
    let own = StoreName::from(&state.store);
    let others =
        all.into_iter().filter(|noted| !noted.is_of(&own) && !judged.iter().any(|it| noted.is_of(it)));
    for Noted { place, record } in others {
        let record = match record {
            Ok(record) => record,
            Err(unusable) => {
                found.unread.push(format!("ConfigMap {place}: {unusable}"));
                continue;
            }
        };
        let Some(why) = why_it_needs(state, &record) else { continue };
        match standing(cluster, &record, options, now).await? {
            Standing::Refreshed => {}
            Standing::Relies => found.users.push(format!("{}, {why} (ConfigMap {place})", record.store)),
            Standing::Replaced => found
                .unread
                .push(format!("ConfigMap {place}: another store has the name of {} by now", record.store)),
        }
    }
    Ok(found)
}

/// By the stage, unless the store is seen to be further; `None`: it has nothing to do with these credentials, or is
/// done with them.
fn why_it_needs(state: &State, record: &State) -> Option<&'static str> {
    let shared = |kept: &&super::Kept| state.credentials.iter().any(|own| own.touches(kept));
    let mut shared = record.credentials.iter().filter(shared).peekable();
    shared.peek()?;
    match record.stage {
        Stage::Saved => Some("which is about to be switched"),
        // What was disabled was so after everything had run.
        Stage::Switched { .. } if shared.all(|kept| kept.ours) => None,
        Stage::Switched { .. } => {
            Some("which is switched, and of which not everything is known to have run by its new login")
        }
        Stage::GivingBack { .. } | Stage::GivenBack { .. } => Some("which was given the credential back"),
        Stage::Undoing { .. } => Some("which gets its former login back"),
        Stage::Disabling { .. } | Stage::Disabled { .. } | Stage::Deleting { .. } => {
            Some("which does not log in any more as it was set up to")
        }
    }
}

enum Standing {
    /// Everything that uses it has run by its new login, or it is gone.
    Refreshed,
    Relies,
    /// What is noted is not about the store of this name.
    Replaced,
}

async fn standing(cluster: &Cluster, record: &State, options: &Options, now: u64) -> Result<Standing> {
    let store = StoreName::from(&record.store);
    let (present, users) = futures::try_join!(
        cluster.get_object(store.resource(), store.namespace(), store.name()),
        users(cluster, &store)
    )?;
    let view = view_of(record, None, present.as_ref());
    match view {
        StoreView::Gone => return Ok(Standing::Refreshed),
        StoreView::Replaced { .. } => return Ok(Standing::Replaced),
        _ => {}
    }
    let users = present.map(Store).into_iter().flat_map(|present| {
        users.iter().filter(|user| uses(user, &present)).map(Sighting::of).collect::<Vec<_>>()
    });
    let (users, trouble) = Tracker::default().see(record, users.collect(), None, now);
    let seen = Observed { store: view, users, trouble, ..Observed::default() };
    // Nothing is waited for: it counts as it is now.
    let options = Options {
        switch: false,
        undo: false,
        force_sync: false,
        deadline: now,
        until: Until::Refreshed,
        ..options.clone()
    };
    Ok(match next(record, &seen, &options, now) {
        Next::Stop(End::Held) => Standing::Refreshed,
        _ => Standing::Relies,
    })
}
