//! PURE. Trust → manifests for External Secrets Operator.
//!
//! What is wanted is compared with what is there, against the schema that is installed. A store that exists
//! keeps everything but its provider: who may use it, its intervals, its controller. What another user puts
//! back (Argo CD, Flux) is not written to; its manifest is for their repository.

mod difference;
mod files;
mod grants;
mod identity;
mod interval;
mod login;
mod object;
mod place;
mod plan;
mod portability;
mod public;
mod usage;
mod withdraw;

pub(crate) use self::{
    difference::holds_no_secret,
    files::to_yaml,
    grants::{Decision, Need, Needs, decide},
    identity::role_name,
    interval::RefreshInterval,
    login::{Means, StoreLogin, V1_SINCE, identity_name, too_old},
    place::{Difference, elsewhere},
    plan::{Doing, Have, Plan, Planned, StoreName, Want, plan, with_provider},
    portability::{Obstacle, obstacles_of_a_move},
    public::PublicFields,
    usage::{LeftOut, Namespaces, logs_in_by_namespace, needs_namespaces, usage},
    withdraw::{Given, is_made, other_users, relies_on, uses_account, withdraw},
};

#[cfg(test)]
mod tests;
