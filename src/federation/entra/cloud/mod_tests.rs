use std::collections::BTreeSet;

use super::*;

fn listed(hint: Option<&str>, public_half: Option<&str>, ends: &str) -> Credential {
    Credential {
        key_id: "0a1b2c3d-0000-4000-8000-00000000000a".into(),
        is_certificate: public_half.is_some(),
        hint: hint.map(str::to_owned),
        public_half: public_half.map(str::to_owned),
        begins: None,
        ends: Some(ends.into()),
    }
}

#[test]
fn copy_of_nothing_listed_is_open() {
    let mut named = Named { place: "ClusterSecretStore azure".into(), ..Named::default() };
    named.copies = BTreeMap::from([(Same::of(b"a secret"), "aB3".into())]);
    named.certificates = BTreeSet::from(["key:sha256:00".into()]);
    let count = |all: &[Credential]| {
        let mut look = CloudLook::default();
        unlisted(&mut look, "app", all, &named);
        look.unseen.len()
    };
    let (active, expired) = ("2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z");
    let certificate = listed(None, Some("key:sha256:00"), active);
    for ends in [active, expired] {
        assert_eq!(count(&[listed(Some("aB3"), None, ends), certificate.clone()]), 0, "{ends}");
    }
    for (all, missing) in [
        (vec![], 2),
        (vec![certificate.clone()], 1),
        (vec![listed(Some("aB3"), None, active)], 1),
        (vec![listed(Some("cD4"), None, active), certificate.clone()], 1),
        (vec![listed(None, None, active), certificate], 1),
        (vec![listed(Some("aB3"), None, active), listed(None, Some("key:sha256:01"), active)], 1),
    ] {
        assert_eq!(count(&all), missing, "{all:?}");
    }
}
