//! The last hops of `verify`: the provider's exchange, a secret, and what External Secrets Operator makes of it.

use super::{objects, provider, settle::settle_asking};
use crate::{
    cluster::{
        Cluster,
        objects::Object,
        snapshot::{Estate, Store},
    },
    config::Settings,
    error::Result,
    http::Http,
    relying_party::Finding,
    report::Report,
    secret_store::StoreName,
};

/// Walks the way that the store goes, with a token of the same ServiceAccount for the same audience.
pub(super) async fn judge(settings: &Settings, http: &Http, report: &mut Report<'_>) -> Result<Vec<Finding>> {
    let Some(access) = &settings.cluster else { return Ok(Vec::new()) };
    let cluster = Cluster::connect(access).await?;
    let (estate, cluster_id) = futures::try_join!(cluster.estate(), objects::cluster_id(&cluster))?;
    let settled = settle_asking(settings, None, &estate, None, &cluster_id, report)?;
    let provider = provider::connect(settled.provider, settled.google.as_ref(), settings, http)?;
    let audience = provider.audience().await?;
    let mut findings = match cluster.token(&settled.workload, &audience).await {
        Ok(token) => {
            let claims = token.claims();
            let seconds = claims.expires.saturating_sub(claims.issued);
            let mut findings = vec![Finding::passed(
                "store-token",
                format!("token of {}", settled.workload),
                format!("{seconds} s, for {audience}"),
            )];
            if let Some(secret) = settled.secrets.first() {
                let mut say = |line: &str| report.progress(format_args!("  {line}"));
                findings.extend(provider.walk(&token, secret, &mut say).await);
            }
            findings
        }
        Err(error) => vec![Finding::refused("store-token", format!("token of {}", settled.workload), &error)],
    };
    findings.extend(judge_store(&estate, &settled.store));
    Ok(findings)
}

/// What the operator itself says of the store and of what reads through it.
fn judge_store(estate: &Estate, name: &StoreName) -> Vec<Finding> {
    let Some(store) = estate.store(name.is_cluster(), name.namespace().unwrap_or_default(), name.name())
    else {
        return vec![Finding::failed(
            "store-ready",
            format!("store {}", name.name()),
            "there is none",
            "it was not set up yet, or has another name",
            "run `keyless setup`, or set `store.name` in keyless.yaml",
        )];
    };
    let mut findings = vec![judge_ready("store-ready", &store.0)];
    findings.extend(reader(estate, store).map(|user| judge_ready("external-secret-ready", user)));
    findings
}

/// One ExternalSecret of the store; one that is not ready, if there is such a one.
fn reader<'a>(estate: &'a Estate, store: &'a Store) -> Option<&'a Object> {
    let users: Vec<_> = estate.users(store).filter(|user| user.kind() == "ExternalSecret").collect();
    users.iter().find(|user| user.is_ready() != Some(true)).or(users.first()).copied()
}

fn judge_ready(check: &'static str, object: &Object) -> Finding {
    match object.is_ready() {
        Some(true) => Finding::passed(check, object.describe(), objects::condition(object)),
        _ => Finding::failed(
            check,
            object.describe(),
            objects::condition(object),
            "the operator cannot log in or read, or has not looked yet",
            "the hop above that fails is the reason; if none does, see the operator's log",
        ),
    }
}
