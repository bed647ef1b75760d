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
    Entry { identity: credential::recognise(&found), part_of: credential::part_of(&found), place }
}

/// Name of the credential, and where it lies.
fn found(entries: Vec<Entry>) -> Vec<(String, Vec<String>)> {
    let shown = |kept: Kept| {
        (kept.identity.shown, kept.places.iter().map(|place| place.to_string()[24..].to_owned()).collect())
    };
    credentials(entries).into_iter().map(shown).collect()
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
