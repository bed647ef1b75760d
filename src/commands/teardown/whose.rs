//! Whose the things are that settings without `cluster.uid` lead to: their own marks tell, and the published keys.

use std::path::Path;

use super::plan::Plan;
use crate::{
    error::{Code, Error, Result},
    federation::After,
    oidc::KeySet,
    target::ClusterTarget,
};

/// Settings that name no cluster are for any, so a wrong context is not seen by them. Then nothing is removed, neither
/// here nor there, if anything that they lead to was made for another cluster. `live`: the keys that the API servers
/// serve.
pub(super) fn refuse_another_cluster(
    plan: &Plan<'_>,
    live: &KeySet,
    cluster: &ClusterTarget,
    file: &Path,
) -> Result<()> {
    let marked = plan
        .withdrawals
        .iter()
        .flat_map(|withdrawal| &withdrawal.parts)
        .filter(|part| part.after == After::OfAnotherCluster)
        .map(|part| format!("{}: {}", part.change.step.name, part.change.step.reason));
    let keys = plan.bucket.as_ref().and_then(|bucket| bucket.documents.keys.as_ref());
    let published = keys.filter(|keys| is_of_another_cluster(keys, live)).map(|keys| {
        let kids: Vec<_> = keys.iter().take(3).map(|key| key.kid()).collect();
        format!("none of the published keys ({}) is served by this cluster", kids.join(", "))
    });
    let found: Vec<_> = marked.chain(published).collect();
    if found.is_empty() {
        return Ok(());
    }
    let error = Error::usage(
        Code::ClusterMismatch,
        format!("{} is about another cluster than {cluster}: nothing was done", file.display()),
    );
    let error = found.into_iter().fold(error, Error::caused_by);
    Err(error.hint("choose the context of that cluster with --context, or the settings of this cluster with --config").hint(
        format!(
            "if these settings are for this cluster, set cluster.uid in {0} to {1} and name the file: --config {0}; what is marked for another cluster stays even then",
            file.display(),
            cluster.uid.as_deref().unwrap_or_default()
        ),
    ))
}

fn is_of_another_cluster(published: &KeySet, live: &KeySet) -> bool {
    !published.iter().any(|key| live.iter().any(|ours| ours.same_key(key)))
}
