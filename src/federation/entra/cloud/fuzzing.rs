//! What is read of the answers of Microsoft Graph, as plain functions for [`crate::fuzzing`].

use serde_json::Value;

use super::answers::{admits, app_id, application, identity, identity_id, principal};

/// Any one of the answers, or an entry of a list. The ID of an identity leads to that identity.
pub(in crate::federation::entra) fn answer(answer: &Value, app: &str) {
    let _ = (principal(answer, app), application(answer, app), app_id(answer), identity(answer, app, app));
    let _ = admits(answer, Some("https://oidc.acme.example"));
    let names = answer["alternativeNames"].as_array();
    for id in names.into_iter().flatten().filter_map(|name| identity_id(name.as_str()?)) {
        assert_eq!(identity_id(&id).as_deref(), Some(id.as_str()), "another identity is read");
        assert!(!id.contains("..") && !id.contains(['?', '#', '%']), "{id} leads elsewhere");
    }
}
