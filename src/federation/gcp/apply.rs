//! Does one change, and waits until Google has done it. Everything may be done twice.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    Binding, Deed, Gcp, Patch, Step,
    mark::is_of_same_cluster,
    observe::{one_pool, one_provider},
    state::Life,
};
use crate::{
    error::{Code, Error, Result},
    google::{Doing, Outcome, Policy, Refusal},
    plan::{Act, Say, ownership::described},
    retry::{Attempts, Repeat},
};

/// A step, done at Google.
pub(super) struct AtGoogle<'p> {
    pub(super) gcp: &'p Gcp,
    pub(super) step: Step,
}

#[async_trait]
impl Act for AtGoogle<'_> {
    async fn run(&self, say: Say<'_>) -> Result<()> {
        let Self { gcp, step } = self;
        let done = run(gcp, step, say).await;
        gcp.ahead.forget();
        done?;
        let done = match step {
            Step::Enable(_) => &gcp.enabled,
            Step::Grant(_) | Step::GrantIf { .. } | Step::Revoke(_) | Step::RevokeIf { .. } => &gcp.granted,
            Step::Pool(_) | Step::Provider(_) => &gcp.written,
        };
        done.store(true, Ordering::Relaxed);
        Ok(())
    }
}

async fn run(gcp: &Gcp, step: &Step, say: Say<'_>) -> Result<()> {
    let mut attempts = Attempts::begin(gcp.api.pace.lag);
    loop {
        let error = match once(gcp, step, say).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // A service that was just enabled is not seen by all of Google's servers at once.
        let fresh = gcp.enabled.load(Ordering::Relaxed);
        let waits = error.code == Code::GoogleServiceDisabled && fresh;
        let wait = "the service was just enabled, and Google's servers do not all know it yet; trying again";
        if !waits || !attempts.pause_saying(None, |_| say(wait)).await {
            return Err(error);
        }
    }
}

async fn once(gcp: &Gcp, step: &Step, say: Say<'_>) -> Result<()> {
    match step {
        Step::Enable(services) => enable(gcp, services, say).await,
        Step::Pool(deed) => Thing::Pool.act(gcp, deed, say).await,
        Step::Provider(deed) => Thing::Provider.act(gcp, deed, say).await,
        Step::Grant(Binding { holder, role, member, seen }) => {
            let change = |policy: &mut Policy| policy.grant(role, member);
            gcp.api.change_policy(&gcp.target(holder), seen.clone(), &change, say).await.map(drop)
        }
        Step::GrantIf { binding: Binding { holder, role, member, seen }, old, new } => {
            let change = |policy: &mut Policy| policy.grant_if(role, member, old, new);
            gcp.api.change_policy(&gcp.target(holder), seen.clone(), &change, say).await.map(drop)
        }
        Step::RevokeIf { binding: Binding { holder, role, member, seen }, old } => {
            let change = |policy: &mut Policy| policy.revoke_if(role, member, old);
            match gcp.api.change_policy(&gcp.target(holder), seen.clone(), &change, say).await {
                Err(error) if error.code == Code::GoogleMissing => Ok(()),
                changed => changed.map(drop),
            }
        }
        Step::Revoke(Binding { holder, role, member, seen }) => {
            let change = |policy: &mut Policy| policy.revoke(role, member);
            match gcp.api.change_policy(&gcp.target(holder), seen.clone(), &change, say).await {
                Err(error) if error.code == Code::GoogleMissing => Ok(()),
                changed => changed.map(drop),
            }
        }
    }
}

async fn enable(gcp: &Gcp, services: &[&str], say: Say<'_>) -> Result<()> {
    let base = format!("{}/v1", gcp.settings.endpoints.service_usage);
    let what = format!("enabling {}", services.join(", "));
    let on = format!("the project {}", gcp.ids.project);
    let doing = Doing { what: &what, permission: "serviceusage.services.enable", on: &on };
    let url = format!("{base}/projects/{}/services:batchEnable", gcp.ids.project);
    let begun = gcp.api.post(&url, Some(&json!({ "serviceIds": services }))).await;
    let begun = begun.map_err(|refusal| refusal.error(doing.what, doing.permission, doing.on))?;
    gcp.api.finish(&base, begun, doing, say).await.map(drop)
}

/// Pools and providers are made, changed and removed in the same way.
#[derive(Clone, Copy)]
enum Thing {
    Pool,
    Provider,
}

impl Thing {
    async fn act(self, gcp: &Gcp, deed: &Deed, say: Say<'_>) -> Result<()> {
        match deed {
            Deed::Create(body) => self.create(gcp, body, say).await,
            Deed::Delete => self.delete(gcp, say).await,
            Deed::Patch(patch) => self.patch(gcp, patch, say).await,
            Deed::Upload(patch) => self.upload(gcp, patch, say).await,
            Deed::Restore(patch) => {
                self.undelete(gcp, say).await?;
                if patch.is_empty() { Ok(()) } else { self.patch(gcp, patch, say).await }
            }
        }
    }

    async fn create(self, gcp: &Gcp, body: &Value, say: Say<'_>) -> Result<()> {
        let (folder, parameter, id) = match self {
            Self::Pool => (gcp.ids.pools(), "workloadIdentityPoolId", &gcp.ids.pool),
            Self::Provider => (gcp.ids.providers(), "workloadIdentityPoolProviderId", &gcp.ids.provider),
        };
        let begun = gcp.api.post(&format!("{}?{parameter}={id}", gcp.iam(&folder)), Some(body)).await;
        match begun {
            Err(refusal) if refusal.is_taken() => self.adopt(gcp, body, say).await,
            begun => self.finish(gcp, begun, "making", "create", say).await,
        }
    }

    /// The name is taken: by what an interrupted run has made or is making, or by what was deleted since it was
    /// looked at. What is ours is changed to the desired state; what is not ours is left.
    async fn adopt(self, gcp: &Gcp, body: &Value, say: Say<'_>) -> Result<()> {
        let mut attempts = Attempts::begin(gcp.api.pace.operation);
        let wait =
            format!("the {} is being made, by an earlier run perhaps; waiting for it", self.shown(gcp));
        let life = loop {
            let found = self.find(gcp).await;
            match found.map_err(|refusal| self.refused(gcp, refusal, "looking at", "get"))? {
                Some(life) => break life,
                None if attempts.pause_saying(None, |_| say(&wait)).await => {}
                None => {
                    let seconds = gcp.api.pace.operation.deadline.as_secs();
                    return Err(Error::failed(
                        Code::GoogleOperationEndless,
                        format!("the {} has been in the making for {seconds} s", self.shown(gcp)),
                    )
                    .hint("start again later: it goes on where it is then"));
                }
            }
        };
        if !is_of_same_cluster(&life.description, body["description"].as_str().unwrap_or_default()) {
            return Err(Error::failed(
                Code::GoogleConflict,
                format!("another client has created the {} in the meantime", self.shown(gcp)),
            )
            .caused_by(described(&life.description))
            .hint("run the command again: it reads the present state first"));
        }
        if life.deleted {
            self.undelete(gcp, say).await?;
        }
        self.patch(gcp, &whole(body), say).await
    }

    async fn patch(self, gcp: &Gcp, patch: &Patch, say: Say<'_>) -> Result<()> {
        let url = self.url(gcp, patch);
        let mut attempts = Attempts::begin(gcp.api.pace.lag);
        let wait = format!(
            "another change of the {} is under way, of an earlier run perhaps; waiting for it",
            self.shown(gcp)
        );
        let begun = loop {
            match gcp.api.patch(&url, &patch.body, Repeat::Safe).await {
                Err(refusal)
                    if refusal.is_conflict()
                        && attempts.pause_saying(refusal.retry_after(), |_| say(&wait)).await => {}
                begun => break begun,
            }
        };
        self.finish(gcp, begun, "changing", "update", say).await
    }

    /// Google has no conditional write: what is under way is not written over, and what may have been written is not written
    /// again. Who asked for it looks at what is there.
    async fn upload(self, gcp: &Gcp, patch: &Patch, say: Say<'_>) -> Result<()> {
        match gcp.api.patch(&self.url(gcp, patch), &patch.body, Repeat::Unsafe).await {
            Err(refusal) if refusal.is_conflict() => Err(Error::failed(
                Code::ApplyRaced,
                format!("another change of the {} is under way: nothing was written", self.shown(gcp)),
            )
            .hint("run it again: it decides by the keys that are there then")),
            begun => self.finish(gcp, begun, "changing", "update", say).await,
        }
    }

    fn url(self, gcp: &Gcp, patch: &Patch) -> String {
        format!("{}?updateMask={}", gcp.iam(&self.name(gcp)), patch.mask)
    }

    async fn undelete(self, gcp: &Gcp, say: Say<'_>) -> Result<()> {
        let begun = gcp.api.post(&format!("{}:undelete", gcp.iam(&self.name(gcp))), Some(&json!({}))).await;
        if let Err(refusal) = &begun
            && refusal.status == Some(400)
            && let Ok(Some(life)) = self.find(gcp).await
            && !life.deleted
        {
            return Ok(());
        }
        self.finish(gcp, begun, "undeleting", "undelete", say).await
    }

    async fn delete(self, gcp: &Gcp, say: Say<'_>) -> Result<()> {
        let mut attempts = Attempts::begin(gcp.api.pace.operation);
        let wait =
            format!("the {} is being removed, by an earlier run perhaps; waiting for it", self.shown(gcp));
        loop {
            let begun = gcp.api.delete(&gcp.iam(&self.name(gcp))).await;
            let Err(refusal) = &begun else {
                return self.finish(gcp, begun, "removing", "delete", say).await;
            };
            let refused = refusal.word == "FAILED_PRECONDITION";
            match self.find(gcp).await {
                _ if refusal.is_absent() => return Ok(()),
                Ok(Some(life)) if refused && life.deleted => return Ok(()),
                // It is still shown as it was, and refused: an earlier run's removal is not over.
                Ok(Some(_)) if refused && attempts.pause_saying(None, |_| say(&wait)).await => {}
                _ => return self.finish(gcp, begun, "removing", "delete", say).await,
            }
        }
    }

    async fn find(self, gcp: &Gcp) -> Outcome<Option<Life>> {
        Ok(match self {
            Self::Pool => one_pool(gcp).await?.map(|pool| pool.life),
            Self::Provider => one_provider(gcp).await?.map(|provider| provider.life),
        })
    }

    async fn finish(
        self,
        gcp: &Gcp,
        begun: Outcome<Value>,
        verb: &str,
        permission: &str,
        say: Say<'_>,
    ) -> Result<()> {
        let begun = begun.map_err(|refusal| self.refused(gcp, refusal, verb, permission))?;
        let (what, permission, on) = self.doing(gcp, verb, permission);
        let doing = Doing { what: &what, permission: &permission, on: &on };
        gcp.api.finish(&format!("{}/v1", gcp.settings.endpoints.iam), begun, doing, say).await.map(drop)
    }

    fn refused(self, gcp: &Gcp, refusal: Refusal, verb: &str, permission: &str) -> Error {
        let (what, permission, on) = self.doing(gcp, verb, permission);
        refusal.error(&what, &permission, &on)
    }

    fn doing(self, gcp: &Gcp, verb: &str, permission: &str) -> (String, String, String) {
        let resource = match self {
            Self::Pool => "iam.workloadIdentityPools",
            Self::Provider => "iam.workloadIdentityPoolProviders",
        };
        (
            format!("{verb} the {}", self.shown(gcp)),
            format!("{resource}.{permission}"),
            format!("the project {}", gcp.ids.project),
        )
    }

    fn name(self, gcp: &Gcp) -> String {
        match self {
            Self::Pool => gcp.ids.pool(),
            Self::Provider => gcp.ids.provider(),
        }
    }

    fn shown(self, gcp: &Gcp) -> String {
        match self {
            Self::Pool => gcp.ids.shown_pool(),
            Self::Provider => gcp.ids.shown_provider(),
        }
    }
}

/// Everything that a new one would have been given. What is not in it is emptied: audiences, uploaded keys.
fn whole(body: &Value) -> Patch {
    let mut body = body.clone();
    let mut mask = Vec::new();
    if body["oidc"].is_object() {
        for (name, empty) in
            [("allowedAudiences", json!([])), ("issuerUri", json!("")), ("jwksJson", json!(""))]
        {
            mask.push(format!("oidc.{name}"));
            if body["oidc"][name].is_null() {
                body["oidc"][name] = empty;
            }
        }
    }
    let fields = body.as_object().into_iter().flat_map(serde_json::Map::keys);
    mask.extend(fields.filter(|name| *name != "oidc").cloned());
    mask.sort();
    Patch { mask: mask.join(","), body }
}
