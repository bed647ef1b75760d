use super::*;
use crate::{
    cluster::snapshot::tests::objects,
    secret_store::tests::{google, vault, with_key},
};

#[test]
fn obstacles_to_the_swap_are_named() {
    let text = include_str!("../../fixtures/eso/external-secrets.yaml");
    let users = objects(text);
    let store = Store(with_key());
    let message = |to: &dyn StoreLogin| -> Vec<String> {
        obstacles(&users, &store, to)
            .into_iter()
            .map(|it| {
                assert!(!it.why.is_empty() && !it.change.is_empty());
                format!("{} {}", it.object, it.field)
            })
            .collect()
    };
    let both = [
        "ExternalSecret shop/no-property data[0].remoteRef.property",
        "ExternalSecret shop/pinned data[1].remoteRef.version",
        "ExternalSecret shop/labels dataFrom[0].extract.metadataPolicy",
        "ExternalSecret shop/find dataFrom[0].find",
        "ClusterExternalSecret many data[0].remoteRef.property",
        "ExternalSecret shop/by-entry data[1].remoteRef.property",
        "PushSecret shop/push spec",
    ];
    let (to_vault, to_google) = (message(&vault("vault")), message(&google()));
    for wanted in both {
        assert!(to_vault.iter().any(|it| it == wanted), "{wanted} is not in {to_vault:?}");
        assert!(to_google.iter().any(|it| it == wanted), "{wanted} is not in {to_google:?}");
    }
    assert_eq!(to_vault.len(), both.len() + 2, "{to_vault:?}");
    assert!(to_vault.contains(&"ExternalSecret shop/latest data[0].remoteRef.version".to_owned()));
    assert!(to_vault.contains(&"ExternalSecret shop/names data[1].remoteRef.key".to_owned()));
    assert_eq!(to_google.len(), both.len() + 2, "{to_google:?}");
    assert!(to_google.contains(&"ExternalSecret shop/names data[0].remoteRef.key".to_owned()));
    assert!(to_google.contains(&"ExternalSecret shop/names data[1].remoteRef.key".to_owned()));
}
