//! PURE. Where a store reads, compared with where it is to read.

use super::Access;
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

/// What differs between where this store reads now and where `access` leads; nothing: it is the same place. `None`: the
/// store is at another provider.
pub(crate) fn elsewhere(store: &Store, access: &Access) -> Option<Vec<Difference>> {
    let (kind, spec) = store.provider().filter(|(kind, _)| *kind == access.kind())?;
    let text = |pointer: &str| spec.pointer(pointer).and_then(|it| it.as_str()).unwrap_or_default();
    let mut differences = Vec::new();
    let mut compare = |member: &str, have: &str, want: &[&str]| {
        if !want.contains(&have) {
            differences.push(Difference {
                field: format!("spec.provider.{kind}.{member}"),
                have: have.to_owned(),
                want: want.first().copied().unwrap_or_default().to_owned(),
            });
        }
    };
    match access {
        Access::Google { project_id, project_number, location, .. } => {
            compare("projectID", text("/projectID"), &[project_id, project_number]);
            compare("location", text("/location"), &[location.as_deref().unwrap_or_default()]);
        }
        Access::Vault { server, kv, namespace, .. } => {
            compare("server", text("/server").trim_end_matches('/'), &[server.trim_end_matches('/')]);
            compare("path", text("/path").trim_matches('/'), &[kv.trim_matches('/')]);
            compare(
                "namespace",
                text("/namespace").trim_matches('/'),
                &[namespace.as_deref().unwrap_or_default()],
            );
            // Where no kind is given, it is the second.
            compare("version", text("/version"), &["v2", ""]);
        }
    }
    Some(differences)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        cluster::objects::Object,
        secret_store::tests::{google, vault},
    };

    fn fields(provider: Value, access: &Access) -> Option<Vec<String>> {
        let store = Store(Object(json!({ "kind": "SecretStore", "spec": { "provider": provider } })));
        let differences = elsewhere(&store, access)?;
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
