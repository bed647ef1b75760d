//! PURE. Where a store reads, compared with where it is to read.

use super::StoreLogin;
use crate::cluster::snapshot::Store;

/// One setting of a store that leads to another place than is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// E.g. `spec.provider.gcpsm.projectID`.
    pub(crate) field: String,
    /// Empty: the store does not say it.
    pub(crate) have: String,
    pub(crate) want: String,
}

impl Difference {
    /// `None`: the store says one of what is wanted. `want` has at least one entry; the first is shown.
    pub(crate) fn between(provider: &str, member: &str, have: &str, want: &[&str]) -> Option<Self> {
        (!want.contains(&have)).then(|| Self {
            field: format!("spec.provider.{provider}.{member}"),
            have: have.to_owned(),
            want: want.first().copied().unwrap_or_default().to_owned(),
        })
    }
}

/// What differs between where this store reads now and where `login` leads; nothing: it is the same place. `None`: the
/// store is at another provider.
pub(crate) fn elsewhere(store: &Store, login: &dyn StoreLogin) -> Option<Vec<Difference>> {
    let (_, spec) = store.provider().filter(|(member, _)| *member == login.member())?;
    Some(login.differences(spec))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        cluster::objects::Object,
        secret_store::tests::{google, vault},
    };

    fn fields(provider: Value, login: &dyn StoreLogin) -> Option<Vec<String>> {
        let store = Store(Object(json!({ "kind": "SecretStore", "spec": { "provider": provider } })));
        let differences = elsewhere(&store, login)?;
        Some(differences.into_iter().map(|it| it.field.rsplit('.').next().unwrap().to_owned()).collect())
    }

    #[test]
    fn same_place_is_told_from_another() {
        let same = Some(Vec::new());
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let google = google();
        assert_eq!(fields(json!({"gcpsm": {"projectID": "acme-prod"}}), &google), same);
        assert_eq!(fields(json!({"gcpsm": {"projectID": "123456789012"}}), &google), same);
        assert_eq!(fields(json!({"gcpsm": {"projectID": "other"}}), &google), some(&["projectID"]));
        assert_eq!(
            fields(json!({"gcpsm": {"projectID": "acme-prod", "location": "europe-west1"}}), &google),
            some(&["location"])
        );
        let bao = vault("vault");
        let spec = json!({"server": "https://bao.lab.test:8200/", "path": "kv", "version": "v2"});
        assert_eq!(fields(json!({"vault": spec}), &bao), same);
        for (member, value) in
            [("server", "https://other"), ("path", "team"), ("namespace", "a"), ("version", "v1")]
        {
            let mut other = spec.clone();
            other[member] = json!(value);
            assert_eq!(fields(json!({"vault": other}), &bao), some(&[member]), "{member}");
        }
        assert_eq!(fields(json!({"vault": spec}), &google), None);
        assert_eq!(fields(json!({}), &google), None);
    }
}
