//! Which permissions the login has on something, as Google says. To ask takes no permission:
//! <https://cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions>, and so it is elsewhere.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::api::Api;

impl Api {
    /// Those of these permissions, at most 100, that the login has on what this URL is of. `None`: that is not told.
    pub(crate) async fn held(&self, url: &str, permissions: &BTreeSet<String>) -> Option<BTreeSet<String>> {
        let body = json!({ "permissions": permissions });
        held_in(&self.post(&format!("{url}:testIamPermissions"), Some(&body)).await.ok()?)
    }
}

/// An answer without the member is one without any permission.
fn held_in(answer: &Value) -> Option<BTreeSet<String>> {
    match answer.as_object()?.get("permissions") {
        None => Some(BTreeSet::new()),
        Some(held) => held.as_array()?.iter().map(|one| Some(one.as_str()?.to_owned())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_answers_count() {
        let held = |answer: Value| held_in(&answer).map(|held| held.into_iter().collect::<Vec<_>>());
        assert_eq!(held(json!({})), Some(vec![]));
        assert_eq!(held(json!({"permissions": ["b", "a"]})), Some(vec!["a".to_owned(), "b".to_owned()]));
        for other in [json!(null), json!([]), json!({"permissions": "a"}), json!({"permissions": ["a", 1]})] {
            assert_eq!(held(other.clone()), None, "{other}");
        }
    }
}
