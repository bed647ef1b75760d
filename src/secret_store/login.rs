//! PURE. How a store logs in at a provider: what each provider's folder says of it.

use std::fmt::Debug;

use serde_json::{Value, json};

use super::{
    place::Difference,
    plan::{Have, Want},
};
use crate::{
    cluster::snapshot::Version,
    error::{Code, Error, Result},
    warning::Warning,
};

/// `external-secrets.io/v1`.
pub(crate) const V1_SINCE: Version = Version(0, 16, 0);

/// What a secret store must say to reach one provider. PURE. Each provider's folder has one implementation.
pub(crate) trait StoreLogin: Debug + Send + Sync {
    /// The member of `spec.provider` that says it, e.g. `gcpsm`.
    fn member(&self) -> &'static str;

    /// The first version of External Secrets Operator that can log in like this.
    fn since(&self) -> Version;

    /// Whether what is installed can log in like this, and by which means. `external-secrets.io/v1` is served.
    fn means(&self, want: &Want<'_>, have: &Have<'_>, warnings: &mut Vec<Warning>) -> Result<Means>;

    /// The settings below [`Self::member`] as they shall be. `account` references the ServiceAccount; `old` is what the
    /// store says below that member now, or an empty object. What is not about the login stays.
    fn provider(&self, account: Value, old: Value, means: &Means) -> Value;

    /// Where these settings of a store lead to another place than is meant.
    fn differences(&self, spec: &Value) -> Vec<Difference>;

    /// Refuses to take one place for another where the two look the same afterwards. `store` is for people.
    fn refuse(&self, _store: &str, _differences: &[Difference]) -> Result<()> {
        Ok(())
    }

    /// Whether a store with these settings logs in by this trust, and so does not get anything once it is withdrawn.
    fn is_used_by(&self, spec: &Value) -> bool;

    /// Whether it logs in by this very login, where each workload has one of its own.
    fn is_login_of(&self, spec: &Value) -> bool {
        self.is_used_by(spec)
    }

    /// An identity whose name only the provider gives: what is written in its place in a plan, and its name once there is one.
    fn given_name(&self) -> Option<(&'static str, Option<&str>)> {
        None
    }

    /// What this provider gives where an ExternalSecret names no property. A clause.
    fn whole_value(&self) -> &'static str;

    /// What it gives as metadata of a secret. A clause.
    fn metadata(&self) -> &'static str;

    /// Why it cannot be asked for the version `latest` by that name. A clause.
    fn refuses_latest(&self) -> Option<&'static str> {
        None
    }

    /// Why it cannot have a secret of this name. A clause.
    fn cannot_name(&self, key: &str) -> Option<String>;
}

/// In which way the store becomes another identity at the provider, if it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Means {
    /// The identity in a field of the store.
    pub(crate) field: Option<String>,
    /// The identity in an annotation of the ServiceAccount: name and value.
    pub(crate) annotation: Option<(&'static str, String)>,
}

/// Whether what is installed can log in this way.
pub(super) fn capable(want: &Want<'_>, have: &Have<'_>, warnings: &mut Vec<Warning>) -> Result<Means> {
    if !have.schema.has_v1() {
        let served = have.schema.served().join(", ");
        let why = format!("external-secrets.io/v1 is not served (only {served})");
        return Err(too_old(have, want.login.since(), &why));
    }
    want.login.means(want, have, warnings)
}

/// The name that only the provider gives; `None`: the login needs none. Refused where it is not there yet: a placeholder
/// must not get into an object.
pub(crate) fn identity_name(login: &dyn StoreLogin) -> Result<Option<String>> {
    match login.given_name() {
        None => Ok(None),
        Some((_, Some(name))) => Ok(Some(name.to_owned())),
        Some((open, None)) => Err(Error::failed(
            Code::ProviderNotSetUp,
            format!("the identity that the store logs in as has no name yet {open}"),
        )
        .hint("run `keyless setup`: it creates the identity, and writes its name into the objects")),
    }
}

/// The refusal of an operator that cannot log in like this.
pub(crate) fn too_old(have: &Have<'_>, needed: Version, why: &str) -> Error {
    let what = have.controller.map_or_else(|| "External Secrets Operator".to_owned(), |it| it.describe());
    Error::failed(Code::EsoTooOld, format!("{what} cannot do this: {why}"))
        .hint(format!("upgrade it to {needed} or later, with its custom resource definitions (they are upgraded separately when installCRDs is off)"))
}

/// `spec.provider` as it shall be. Settings of the same provider that are none of ours stay.
pub(super) fn provider(want: &Want<'_>, old: Option<&Value>, means: &Means) -> Value {
    let mut account = json!({ "name": want.workload.name });
    if want.store.is_cluster() {
        account["namespace"] = json!(want.workload.namespace);
    }
    let member = want.login.member();
    let same = old.and_then(|old| old.get(member)).filter(|old| old.is_object()).cloned();
    json!({ member: want.login.provider(account, same.unwrap_or_else(|| json!({})), means) })
}
