use std::collections::BTreeSet;

use super::super::named::File;
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

fn file(name: &str) -> SecretKey {
    SecretKey { namespace: "a".into(), name: name.into(), key: Some("app.pem".into()) }
}

/// A file with a certificate of this thumbprint.
fn of_print(print: u8, has_key: bool) -> File {
    File { thumbprints: BTreeMap::from([([print; 20], format!("key:sha256:{print:02}"))]), has_key }
}

fn by_print(public_half: Option<&str>, print: Option<u8>) -> Credential {
    let entry = listed(None, public_half, "2030-01-01T00:00:00Z");
    Credential { is_certificate: true, thumbprint: print.map(|print| [print; 20]), ..entry }
}

/// Graph leaves the certificate out of many answers, and names it by a thumbprint that its owner sets.
#[test]
fn thumbprint_names_key_of_copy() {
    let files = BTreeMap::from([(file("azure"), of_print(7, false))]);
    let named = Named { place: "ClusterSecretStore azure".into(), files, ..Named::default() };
    let of = |public_half: Option<&str>, print: Option<u8>| {
        let mut look = CloudLook::default();
        let mut all = [by_print(public_half, print)];
        identify(&mut look, "app", &mut all, &named);
        (all[0].public_half.clone(), look.unseen.len())
    };
    let half = |text: &str| Some(text.to_owned());
    assert_eq!(of(None, Some(7)), (half("key:sha256:07"), 1), "that it is the one is not known");
    assert_eq!(of(None, Some(8)), (None, 0));
    assert_eq!(of(None, None), (None, 0));
    // What the certificate itself says is more than what it is called.
    assert_eq!(of(Some("key:sha256:08"), Some(7)), (half("key:sha256:08"), 0));
}

/// A file of which the certificate is listed says nothing of another one.
#[test]
fn each_certificate_file_is_judged_alone() {
    let count = |files: &[(&str, File)], halves: &[&str], all: &[Credential]| {
        let named = Named {
            files: files.iter().map(|(name, it)| (file(name), it.clone())).collect(),
            certificates: halves.iter().map(|&half| half.to_owned()).collect(),
            ..Named::default()
        };
        let mut look = CloudLook::default();
        unlisted(&mut look, "app", all, &named);
        look.unseen.len()
    };
    let all = [by_print(None, Some(7)), by_print(Some("key:sha256:03"), Some(3))];
    let (listed, other, unread) = (of_print(7, false), of_print(8, false), File::default());
    assert_eq!(count(&[("one", listed.clone())], &[], &all), 0);
    assert_eq!(count(&[("one", other.clone())], &[], &all), 1);
    assert_eq!(count(&[("one", listed.clone()), ("two", other)], &[], &all), 1);
    assert_eq!(count(&[("one", listed.clone()), ("two", unread)], &[], &all), 1);
    // Its key is another one than that of the certificate beside it.
    assert_eq!(count(&[("one", of_print(7, true))], &["key:sha256:08"], &all), 1);
    assert_eq!(count(&[("one", of_print(8, true))], &["key:sha256:03"], &all), 0);
    assert_eq!(count(&[("one", listed), ("two", of_print(8, true))], &["key:sha256:08"], &all), 1);
}

#[test]
fn file_without_readable_certificate_is_open() {
    let files = BTreeMap::from([(file("azure"), File::default())]);
    let named = Named { files, ..Named::default() };
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

/// The user who adds a credential chooses its ID, so that an expired one may have that of an active one.
#[test]
fn active_credential_hides_behind_none() {
    let now = "2027-01-01T00:00:00Z";
    let (active, expired) = ("2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z");
    let one = listed(Some("aB3"), None, active);
    let of_principal = |entry: &Credential| Credential { of: Side::Principal, ..entry.clone() };
    let count = |all: Vec<Credential>| {
        let (expired, active) = by_end(all, now);
        (expired.len(), active.len())
    };
    assert_eq!(count(vec![listed(Some("aB3"), None, expired), of_principal(&one)]), (1, 1));
    assert_eq!(count(vec![of_principal(&one), listed(Some("aB3"), None, expired)]), (1, 1));
    // Of the same ID, and not the same.
    for other in [
        listed(Some("aB3"), None, "2031-01-01T00:00:00Z"),
        listed(None, Some("key:sha256:00"), active),
        listed(Some("cD4"), None, active),
        Credential { thumbprint: Some([7; 20]), ..one.clone() },
        Credential { is_certificate: true, ..one.clone() },
    ] {
        assert_eq!(count(vec![one.clone(), of_principal(&other)]), (0, 2), "{other:?}");
    }
    let (_, both) = by_end(vec![of_principal(&one), one.clone()], now);
    assert_eq!(both, [one], "what both list is the application's");
}

#[test]
fn credentials_with_one_id_are_several() {
    let one = listed(Some("aB3"), None, "2030-01-01T00:00:00Z");
    let of_principal = Credential { of: Side::Principal, ..one.clone() };
    let certificate = Credential { is_certificate: true, ..one.clone() };
    let names = |all: &[(&str, &Credential)]| {
        let mut all: Vec<_> = all.iter().map(|(app, it)| issued(app, it, None, true, "a store")).collect();
        tell_apart(&mut all);
        all.into_iter().map(|it| it.name).collect::<BTreeSet<_>>()
    };
    let alone = format!("entra:{}", one.key_id);
    assert_eq!(names(&[("app", &one)]), BTreeSet::from([alone.clone()]));
    let all = names(&[("app", &one), ("app", &of_principal), ("app", &certificate), ("other", &one)]);
    assert!(all.len() == 4 && !all.contains(&alone), "{all:?}");
}
