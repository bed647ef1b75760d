//! PURE. Trust → manifests for External Secrets Operator.
//!
//! What is wanted is compared with what is there, against the schema that is installed. A store that exists
//! keeps everything but its provider: who may use it, its intervals, its controller. What somebody else puts
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
mod usage;
mod withdraw;

pub(crate) use self::{
    difference::holds_no_secret,
    files::to_yaml,
    grants::{Decision, Need, Needs, decide},
    identity::role_name,
    interval::RefreshInterval,
    place::elsewhere,
    plan::{Doing, Have, Plan, Planned, StoreName, Want, plan, with_provider},
    portability::{Obstacle, obstacles_of_a_move},
    usage::{LeftOut, Namespaces, logs_in_by_namespace, needs_namespaces, usage},
    withdraw::{Given, other_users, relies_on, withdraw},
};

/// What a secret store must say to reach its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Google {
        project_id: String,
        project_number: String,
        /// `//iam.googleapis.com/projects/NUMBER/…`: what is sent to Google's token service.
        audience: String,
        /// `https://iam.googleapis.com/projects/NUMBER/…`: what the token itself carries.
        token_audience: String,
        impersonate: Option<String>,
        /// Of regional secrets.
        location: Option<String>,
    },
    Vault {
        server: String,
        kv: String,
        mount: String,
        role: String,
        audience: String,
        ca_pem: Option<String>,
        /// Of the login and of the secrets.
        namespace: Option<String>,
    },
}

impl Access {
    /// The member of `spec.provider` that says it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Google { .. } => "gcpsm",
            Self::Vault { .. } => "vault",
        }
    }
}

#[cfg(test)]
mod tests;
