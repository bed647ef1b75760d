//! Every provider and generator by its own members, and by its own order of precedence among them.
//!
//! The paths are those of External Secrets Operator's schema (`apis/externalsecrets/v1`, `apis/generators/v1alpha1`); a test
//! holds them against the schema of a released version.

mod clouds;
mod generators;
mod stored;
mod vaults;

use serde_json::Value;

use super::leaf::Leaves;

/// A kind of store or generator.
pub(super) struct Provider {
    /// As the schema names it: `gcpsm`, `ECRAuthorizationToken`.
    pub(super) name: &'static str,
    pub(super) leaves: Leaves,
    /// Which login takes effect.
    pub(super) effective: fn(&Value) -> Effective,
    /// A member that is settings of a provider by itself.
    pub(super) inner: Option<(&'static str, &'static Self)>,
}

/// The login that takes effect, by the order in which External Secrets Operator looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effective {
    /// What the members at or below this path say.
    Branch(&'static str),
    /// The token of the controller's own pod.
    Own(&'static str),
    /// Whatever the controller's pod has.
    Pod,
    /// What the platform that the controller runs on hands out; this is what says so.
    Platform(&'static str),
    /// There is nothing to log in with.
    Nothing,
    /// That of the inner provider.
    Inner,
    Unknown(String),
}

/// The provider or generator of this name.
pub(super) fn find(name: &str) -> Option<&'static Provider> {
    all().find(|provider| provider.name == name)
}

/// Every one that is known.
pub(super) fn all() -> impl Iterator<Item = &'static Provider> {
    [clouds::ALL, vaults::ALL, stored::ALL, generators::ALL].into_iter().flatten().copied()
}

/// The first of these branches that is there. An empty one is there too: External Secrets Operator looks whether it is
/// given, not what is in it.
fn first(settings: &Value, branches: &[&'static str]) -> Option<Effective> {
    branches.iter().find(|path| has(settings, path)).map(|path| Effective::Branch(path))
}

fn first_or_unknown(settings: &Value, branches: &[&'static str]) -> Effective {
    first(settings, branches)
        .unwrap_or_else(|| Effective::Unknown("it names no login that keyless knows".into()))
}

/// Those that log in with nothing but what Secrets hold, and whose members are not listed here: each Secret that they
/// name is a credential, and what else they are told is unknown.
pub(super) const STORED_ONLY: [&str; 4] = [
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "beyondtrustworkloadcredentials",
    "nebiusmysterybox",
    "ovh",
];

/// Whether a member is there.
pub(super) fn has(settings: &Value, path: &str) -> bool {
    let member = path.split('.').try_fold(settings, |value, step| value.get(step));
    member.is_some_and(|value| !value.is_null())
}
