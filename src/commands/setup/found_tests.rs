use super::*;

const SECRET_HALF: &str = "aws.auth.secretRef.secretAccessKeySecretRef";

fn id(last: char) -> String {
    format!("AK{}{last}", "IAIOSFODNN7EXAMPL")
}

fn entry(path: &str, secret: &str, entry: &str, value: &str) -> Entry {
    let found = Found { path, value: Some(value.as_bytes()) };
    let place = Place {
        namespace: "external-secrets".into(),
        name: secret.into(),
        uid: secret.into(),
        version: "7".into(),
        entries: vec![entry.into()],
    };
    Entry::of(&found, place)
}

/// Name of the credential, and where it lies.
fn found(entries: Vec<Entry>) -> Vec<(String, Vec<String>)> {
    let shown = |kept: Kept| {
        (kept.identity.shown, kept.places.iter().map(|place| place.to_string()[24..].to_owned()).collect())
    };
    credentials(entries, Clients::default()).into_iter().map(shown).collect()
}

#[test]
fn halves_in_one_secret_are_one() {
    let half = "aB3/+".repeat(8);
    let name = id('E');
    for path in [SECRET_HALF, ""] {
        let id_path = if path.is_empty() { "" } else { "aws.auth.secretRef.accessKeyIDSecretRef" };
        // In whatever order they are found.
        for turned in [false, true] {
            let mut both = vec![entry(id_path, "a", "id", &name), entry(path, "a", "key", &half)];
            if turned {
                both.reverse();
            }
            let expected = vec![(format!("AWS access key {name}"), vec!["a (id, key)".to_owned()])];
            assert_eq!(found(both), expected, "{path}");
        }
    }
}

#[test]
fn half_of_unknown_key_stays_apart() {
    let half = "aB3/+".repeat(8);
    let (one, other) = (id('E'), id('F'));
    let of = |secret: &str| entry(SECRET_HALF, secret, "key", &half);
    for (entries, count) in [
        // Anything may have been put there.
        (vec![entry("", "a", "id", &one), of("b")], 2),
        (vec![entry("", "a", "id", &one), entry("", "a", "other", &other), of("a")], 3),
        (vec![of("a")], 1),
        (vec![entry("", "a", "id", &one), entry(SECRET_HALF, "a", "key", "a password")], 2),
        (vec![entry("", "a", "id", &one), entry("vault.auth.tokenSecretRef", "a", "key", &half)], 2),
    ] {
        let found = found(entries);
        assert_eq!(found.len(), count, "{found:?}");
    }
}

/// The client ID may lie in another Secret, may be no client ID, and may be gone.
#[test]
fn client_beside_secret_is_kept() {
    const CLIENT: &str = "azurekv.authSecretRef.clientId";
    const SECRET: &str = "azurekv.authSecretRef.clientSecret";
    let secret = format!("aB38{}{}", "Q~", "x".repeat(34));
    let (one, other) = ("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b");
    let of = |entries: Vec<Entry>, gone: bool| {
        let mut clients = Clients::default();
        if gone {
            clients.add(credential::client(&Found { path: CLIENT, value: None }));
        }
        let all = credentials(entries, clients);
        let mut of_secret = all.iter().filter(|kept| kept.identity.id == "aB3");
        let client = of_secret.next().unwrap().identity.client.clone();
        assert!(of_secret.next().is_none());
        client
    };
    let key = || entry(SECRET, "a", "secret", &secret);
    for (entries, gone, client) in [
        (vec![key(), entry(CLIENT, "a", "id", one)], false, Some(one)),
        (vec![entry(CLIENT, "b", "id", one), key()], false, Some(one)),
        (vec![entry(CLIENT, "a", "id", one), entry(CLIENT, "a", "more", other), key()], false, Some("")),
        (vec![entry(CLIENT, "a", "id", "a password"), key()], false, Some("")),
        (vec![entry(CLIENT, "a", "id", one), entry(CLIENT, "a", "secret", &secret)], false, Some(one)),
        (vec![key()], true, Some("")),
        // A Secret that a person names.
        (vec![entry("", "a", "secret", &secret), entry("", "a", "id", one)], false, None),
    ] {
        assert_eq!(of(entries, gone).as_deref(), client);
    }
}
