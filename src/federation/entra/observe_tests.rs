use serde_json::json;

use super::{super::tests::World, *};

#[test]
fn id_of_assignment_leads_nowhere_else() {
    let name = "00000000-0000-0000-0000-000000000001";
    let at = |scope: &str| format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    assert!(is_assignment(&at("/subscriptions/s/resourceGroups/g")));
    for id in [
        "/subscriptions/s/resourceGroups/g".to_owned(),
        at("subscriptions/s"),
        at("/subscriptions/../s"),
        at("/subscriptions/s?x=1&y="),
        format!("{}/x", at("/subscriptions/s")),
        format!("{}?api-version=1#", at("/subscriptions/s")),
    ] {
        assert!(!is_assignment(&id), "{id}");
    }
}

#[test]
fn role_elsewhere_is_told_apart() {
    let vault = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/acme";
    for scope in [vault.to_owned(), vault.to_uppercase(), format!("{vault}/secrets/db")] {
        assert!(is_at(&scope, vault), "{scope}");
    }
    for scope in ["/", "/subscriptions/s", &format!("{vault}2"), &vault.replace("acme", "other")] {
        assert!(!is_at(scope, vault), "{scope}");
    }
}

#[test]
fn half_answers_are_refused() {
    let whole = json!({"name": "n", "properties": {"issuer": "i", "subject": "s", "audiences": ["a"]}});
    credential(&whole).unwrap();
    for member in ["/name", "/properties/issuer", "/properties/subject", "/properties/audiences"] {
        let mut half = whole.clone();
        *half.pointer_mut(member).unwrap() = Value::Null;
        assert!(credential(&half).is_err(), "{member}");
    }
    assert!(is_about(&json!({"id": "/A/b"}), "/a/B").is_ok());
    for other in [json!({}), json!({"id": "/a/c"}), json!({"id": ["/a/b"]})] {
        assert!(is_about(&other, "/a/b").is_err(), "{other}");
    }
}

/// What was guessed from an earlier look is no answer.
#[tokio::test(flavor = "multi_thread")]
async fn recreated_identity_has_its_own_roles() {
    let world = World::new();
    let entra = world.entra();
    let look = async || entra.identity().await.unwrap().unwrap();
    world.azure.add_identity("eso", json!({}));
    world.azure.assign_vault("eso");
    let first = look().await;
    assert_eq!((first.assignments.len(), look().await), (1, first.clone()));
    world.azure.remove_identity("eso");
    world.azure.add_identity("eso", json!({}));
    let second = look().await;
    assert!(second.principal != first.principal && second.assignments.is_empty(), "{second:?}");
    world.azure.assign_vault("eso");
    assert_eq!(look().await.assignments.len(), 1);
    world.azure.remove_identity("eso");
    assert_eq!(entra.identity().await.unwrap(), None);
}
