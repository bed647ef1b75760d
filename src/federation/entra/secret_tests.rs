//! A stored client secret at a far side that has applications.

use super::{
    key::recognise,
    tests::{World, section},
    *,
};
use crate::federation::{
    Provider, Section,
    credential::{Standing, StoredCredential},
};

#[tokio::test(flavor = "multi_thread")]
async fn secret_ends_after_sign_in() {
    let world = World::new();
    let (app, secret) = world.azure.add_application();
    let stored = world.stored(&app, &secret);
    assert_eq!(stored.look().await.unwrap(), Standing::Enabled);
    assert_eq!(stored.delete().await.unwrap_err().code, Code::EntraChanged, "it may be in use");
    stored.disable().await.unwrap();
    assert_eq!(
        (stored.look().await.unwrap(), world.azure.application(&app)),
        (Standing::Disabled, Some((1, false)))
    );
    stored.enable().await.unwrap();
    assert_eq!(stored.look().await.unwrap(), Standing::Enabled);
    stored.disable().await.unwrap();
    stored.delete().await.unwrap();
    stored.delete().await.unwrap();
    assert_eq!(
        (stored.look().await.unwrap(), world.azure.application(&app)),
        (Standing::Absent, Some((0, false)))
    );
    let again = world.stored(&app, &secret);
    assert!(matches!(again.look().await.unwrap(), Standing::NotProved(_)), "another run knows no more");
}

/// Something that an administrator does with the application of this ID.
type Change = fn(&World, &str);

#[tokio::test(flavor = "multi_thread")]
async fn doubtful_secret_is_left() {
    let changes: [(&str, Change); 6] = [
        ("2 client secrets", |world, app| drop(world.azure.add_secret(app))),
        ("1 more ways", |world, app| world.azure.add_other_login(app, true)),
        ("1 more ways", |world, app| world.azure.add_other_login(app, false)),
        ("other tenants", |world, app| world.azure.set_audience(app, Some("AzureADMultipleOrgs"))),
        ("other tenants", |world, app| world.azure.set_audience(app, None)),
        ("is of the tenant", |world, app| {
            world.azure.move_application(app, "99999999-0000-0000-0000-000000000000")
        }),
    ];
    for (why, change) in changes {
        let world = World::new();
        let (app, secret) = world.azure.add_application();
        let stored = world.stored(&app, &secret);
        change(&world, &app);
        let seen = match stored.look().await {
            Ok(Standing::NotProved(seen)) => seen,
            Err(error) => error.to_string(),
            Ok(other) => panic!("{why}: {other:?}"),
        };
        assert!(seen.contains(why), "{seen}");
        let before = world.azure.application(&app);
        assert!(stored.disable().await.is_err() && stored.delete().await.is_err(), "{why}");
        assert_eq!(world.azure.application(&app), before, "{why}");
    }
    let world = World::new();
    let ((app, _), (_, other)) = (world.azure.add_application(), world.azure.add_application());
    let stored = world.stored(&app, &other);
    let seen = stored.look().await.unwrap();
    assert!(matches!(&seen, Standing::NotProved(why) if why.contains("begins")), "{seen:?}");
    // The store names another application beside the very secret, or what could be none.
    let ((app, secret), (named, _)) = (world.azure.add_application(), world.azure.add_application());
    for (client, is_left) in
        [(named.as_str(), true), ("", true), ("\u{1b}[2J", true), (&app.to_uppercase(), false)]
    {
        let stored = world.stored_beside(&app, &secret, Some(client));
        let seen = stored.look().await.unwrap();
        match is_left {
            true => {
                assert!(matches!(&seen, Standing::NotProved(why) if why.contains("names")), "{seen:?}");
                assert!(!format!("{seen:?}").contains("[2J"), "{seen:?}");
                assert!(stored.disable().await.is_err() && stored.delete().await.is_err(), "{client}");
                assert_eq!(world.azure.application(&app), Some((1, true)), "{client}");
            }
            false => assert_eq!(seen, Standing::Enabled),
        }
    }
    let none = world.stored("00000000-0000-0000-0000-000000000009", &other);
    assert!(
        matches!(none.look().await.unwrap(), Standing::NotProved(why) if why.contains("has no application"))
    );
    let unset = section("entra: {}\n");
    let identity = recognise(other.as_bytes()).unwrap();
    let unset = unset.stored_credential(&identity, &Http::new(&[]).unwrap()).unwrap();
    assert!(matches!(unset.look().await.unwrap(), Standing::NotProved(why) if why.contains("entra.tenant")));
    assert_eq!(PROVIDER.credential_kind(), Some("entra-secret"));
}
