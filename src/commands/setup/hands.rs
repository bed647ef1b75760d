//! What a retirement does with the store, and how it speaks.

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    cluster::{Cluster, ServiceAccount, objects::Object},
    commands::{objects, probe::probe, prompt, rights::Rights, store},
    error::{Code, Error, Result},
    federation::Federation,
    report::Report,
    retirement::{Pending, run::Hands},
    secret_store::{Planned, StoreName, with_provider},
};

pub(super) struct SetupHands<'a, 'r> {
    pub(super) cluster: &'a Cluster,
    pub(super) store: &'a StoreName,
    /// What is needed to change the store; `None` for an undo.
    pub(super) forward: Option<Forward<'a>>,
    /// Where manifests go instead of the cluster.
    pub(super) folder: Option<&'a Path>,
    /// Everything was answered by flags.
    pub(super) yes: bool,
    pub(super) report: &'a mut Report<'r>,
}

pub(super) struct Forward<'a> {
    pub(super) provider: &'a dyn Federation,
    pub(super) account: &'a ServiceAccount,
    pub(super) rights: &'a mut Rights,
    pub(super) planned: &'a Planned,
}

#[async_trait(?Send)]
impl Hands for SetupHands<'_, '_> {
    fn say(&mut self, line: &str) {
        self.report.progress(line);
    }

    async fn probe(&mut self) -> Result<()> {
        let Some(Forward { provider, account, rights, .. }) = &mut self.forward else { return Ok(()) };
        if probe(self.cluster, *provider, account, rights, self.report).await? {
            return Ok(());
        }
        Err(Error::failed(Code::NewPath, "nothing was read through the new login")
            .hint("nothing uses it yet: the store and its key are as they were; run setup again after that"))
    }

    async fn switch(&mut self) -> Result<Option<Object>> {
        let Some(Forward { planned, .. }) = &self.forward else { return Ok(None) };
        self.write(planned).await
    }

    async fn restore(&mut self, present: &Object, provider: &Value) -> Result<bool> {
        let why = "its former provider, as it was saved";
        let planned = with_provider(self.store, present, provider, why);
        Ok(self.write(&planned).await?.is_some())
    }

    fn may_ask(&mut self, pending: &[Pending]) -> bool {
        if self.yes || !io::stdin().is_terminal() {
            return false;
        }
        let text = format!(
            "Ask External Secrets Operator to run {} of them now (it writes the annotation force-sync)",
            pending.len()
        );
        prompt::confirm(self.report, false, &text).is_ok()
    }
}

impl SetupHands<'_, '_> {
    async fn write(&mut self, planned: &Planned) -> Result<Option<Object>> {
        if objects::written_as_files(&[planned], self.folder) {
            objects::apply(self.cluster, &[planned], self.folder, self.report).await?;
            return Ok(None);
        }
        self.report.progress(planned.step.progress());
        store::write(self.cluster, planned, false).await
    }
}
