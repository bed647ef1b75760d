//! Access tokens of Microsoft Entra, from the logins that Azure's own tools find.
//!
//! ```text
//! environment ─► source: which logins, in the vendor's order ─► Tokens ─► one token for each scope, until it runs out
//!                 ├─ entra   client secret, or the pod's projected token (workload identity)
//!                 ├─ imds    managed identity of this machine
//!                 └─ cli     the user who ran `az login`
//! ```
//!
//! Without the crate `azure_identity` (1.0): it has no chain that contains the environment and the workload identity, so the
//! order would be ours anyway; it brings `azure_core` and eleven more crates, with another policy of repetitions and another
//! HTTP pipeline than the project's. What it would save are one form, one `GET` and one subprocess.
//!
//! A credential goes to `login.microsoftonline.com`, or to the host that `AZURE_AUTHORITY_HOST` names, and nowhere else.

mod cli;
mod entra;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod imds;
mod refusal;
mod source;
mod token;
mod tokens;

pub(crate) use self::refusal::Refusal;
pub(crate) use self::{
    token::Whose,
    tokens::{Tokens, log_in},
};

/// What a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Blobs.
    Storage,
    /// Azure Resource Manager: identities, rights, vaults.
    ResourceManager,
    /// Microsoft Graph: applications of the tenant.
    Graph,
    /// Key Vault: the secrets themselves.
    KeyVault,
}

impl Scope {
    /// The service, as the managed identity endpoint and older tools name it.
    const fn resource(self) -> &'static str {
        match self {
            Self::Storage => "https://storage.azure.com",
            Self::ResourceManager => "https://management.azure.com",
            Self::Graph => "https://graph.microsoft.com",
            Self::KeyVault => "https://vault.azure.net",
        }
    }

    /// The same, as Entra's token endpoint takes it: everything that the caller may do there.
    fn default_scope(self) -> String {
        format!("{}/.default", self.resource())
    }
}
