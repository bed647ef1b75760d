//! Answers to what a plan asks, asked before.

use futures::future::join_all;

use super::{
    Aws,
    observe::{Provider, Role},
    wanted::{self, provider_arn},
};
use crate::{
    error::Result,
    federation::{Trust, ahead::Answers},
};

/// What AWS has answered, and no look has used yet.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    pub(super) account: Answers<(), Result<()>>,
    /// By ARN.
    pub(super) providers: Answers<String, Result<Option<Provider>>>,
    /// By name.
    pub(super) roles: Answers<String, Result<Option<Role>>>,
}

impl Ahead {
    /// Something is written: what was answered before may not be so any more.
    pub(super) fn forget(&self) {
        self.account.forget();
        self.providers.forget();
        self.roles.forget();
    }
}

impl Aws {
    /// Asks what a plan for this asks.
    pub(super) async fn look_ahead_for(&self, want: &Trust) {
        if wanted::check(want).is_err() {
            return;
        }
        let arn = provider_arn(&self.settings, want);
        let role = async |aws: Self| aws.ahead.roles.see_or(&aws.settings.role, aws.role()).await;
        let roles = want.workloads.iter().map(|workload| role(self.of_workload(workload)));
        let _answers = futures::join!(
            self.ahead.account.see_or(&(), self.check_account()),
            self.ahead.providers.see_or(&arn, self.provider(&arn)),
            join_all(roles)
        );
    }
}
