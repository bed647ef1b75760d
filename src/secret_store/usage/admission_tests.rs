use serde_json::json;

use super::*;
use crate::cluster::objects::Unseen;

fn admitted(conditions: &Value, namespaces: &Look<Namespaces>) -> Admitted {
    let store = Store(Object(json!({
        "kind": "ClusterSecretStore", "metadata": { "name": "main" }, "spec": { "conditions": conditions },
    })));
    Admission { store: &store, namespaces }.of("shop")
}

fn unseen() -> Look<Namespaces> {
    Look::Unseen(Unseen {
        what: "namespaces".into(),
        right: "list namespaces".into(),
        why: "forbidden".into(),
    })
}

/// What is not known matters only where nothing else admits.
#[test]
fn name_admits_where_labels_are_unseen() {
    let selector = json!({ "matchLabels": { "team": "shop" } });
    for conditions in [
        json!([{ "namespaceSelector": selector, "namespaces": ["shop"] }]),
        json!([{ "namespaceSelector": selector }, { "namespaceRegexes": ["^sh"] }]),
        json!([{ "namespaces": ["shop"] }, { "namespaceSelector": selector }]),
    ] {
        assert_eq!(admitted(&conditions, &unseen()), Admitted::Yes, "{conditions}");
    }
    let only = json!([{ "namespaceSelector": selector, "namespaces": ["dev"] }]);
    assert!(matches!(admitted(&only, &unseen()), Admitted::Unknown(why) if why.contains("list namespaces")));
}

/// The operator goes from the first to the last, and an error ends it.
#[test]
fn doubtful_pattern_ends_the_search() {
    let doubtful = json!({ "namespaceRegexes": ["(?i)x"] });
    let names = json!({ "namespaces": ["shop"] });
    let seen = Look::Seen(Namespaces::default());
    assert_eq!(admitted(&json!([names, doubtful]), &seen), Admitted::Yes);
    assert!(matches!(admitted(&json!([doubtful, names]), &seen), Admitted::Unknown(_)));
}
