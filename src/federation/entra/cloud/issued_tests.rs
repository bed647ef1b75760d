use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::cluster::snapshot::SecretKey;

fn listed(hint: Option<&str>, public_half: Option<&str>, ends: &str) -> Credential {
    Credential {
        key_id: "0a1b2c3d-0000-4000-8000-00000000000a".into(),
        is_certificate: public_half.is_some(),
        of: Side::Application,
        hint: hint.map(str::to_owned),
        public_half: public_half.map(str::to_owned),
        thumbprint: None,
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

/// Graph leaves the certificate out of many answers, and names it by its thumbprint.
#[test]
fn thumbprint_names_key_of_copy() {
    let mut named = Named { place: "ClusterSecretStore azure".into(), ..Named::default() };
    named.thumbprints = BTreeMap::from([([7; 20], "key:sha256:07".into())]);
    let of = |public_half: Option<&str>, thumbprint: Option<[u8; 20]>| {
        let entry = listed(None, public_half, "2030-01-01T00:00:00Z");
        let mut all = [Credential { is_certificate: true, thumbprint, ..entry }];
        identify(&mut all, &named);
        all[0].public_half.clone()
    };
    let unseen = |thumbprint: [u8; 20]| {
        let entry = Credential {
            is_certificate: true,
            thumbprint: Some(thumbprint),
            ..listed(None, None, "2030-01-01T00:00:00Z")
        };
        let mut look = CloudLook::default();
        unlisted(&mut look, "app", &[entry], &named);
        look.unseen.len()
    };
    assert_eq!((unseen([7; 20]), unseen([8; 20])), (0, 1));
    assert_eq!(of(None, Some([7; 20])).as_deref(), Some("key:sha256:07"));
    assert_eq!(of(None, Some([8; 20])), None);
    assert_eq!(of(None, None), None);
    // What the certificate itself says is more than what it is called.
    assert_eq!(of(Some("key:sha256:08"), Some([7; 20])).as_deref(), Some("key:sha256:08"));
}

#[test]
fn file_without_readable_certificate_is_open() {
    let file = SecretKey { namespace: "a".into(), name: "azure".into(), key: Some("app.pfx".into()) };
    let named = Named { unread: BTreeSet::from([file]), ..Named::default() };
    let mut look = CloudLook::default();
    unlisted(&mut look, "app", &[listed(None, Some("key:sha256:00"), "2030-01-01T00:00:00Z")], &named);
    let unseen: Vec<_> = look.unseen.iter().collect();
    assert!(unseen.len() == 1 && unseen[0].why.contains("PKCS#12"), "{unseen:?}");
}

#[test]
fn credential_ends_at_its_own_object() {
    let remedy = |of, is_certificate| {
        let entry = Credential { of, is_certificate, ..listed(Some("aB3"), None, "2030-01-01T00:00:00Z") };
        issued("app", &entry, None, true, "a store").remedy
    };
    assert!(remedy(Side::Application, false).contains("az ad app credential delete --id app --key-id "));
    assert!(remedy(Side::Principal, false).contains("az ad sp credential delete --id app --key-id "));
    assert!(remedy(Side::Principal, true).ends_with(" --cert"));
}
