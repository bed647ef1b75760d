use serde_json::json;

use super::*;
use crate::rotation::{LongestFound, Look};

const NOW: u64 = 1_800_000_000;

fn id(number: u8) -> KeyId {
    KeyId([number; 32])
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::new("uid", "https://acme.example");
    let mut entry = Entry::new("kid".into(), NOW, Source::Server);
    entry.seen = Seen::Live;
    entry.public_since = Some(NOW - 5);
    ledger.keys.insert(id(1), entry);
    ledger
}

fn look(at: u64) -> Look {
    Look {
        servers: 1,
        whole: true,
        serving: BTreeMap::new(),
        signing: BTreeSet::new(),
        earliest: at,
        latest: at,
    }
}

fn parsed(text: &str) -> Result<Ledger, Lost> {
    Ledger::parse(text, "uid", "https://acme.example", NOW).map(|read| read.ledger)
}

/// The header of the documents may change at each look: no wait gets shorter by that.
#[test]
fn frequent_cache_changes_shorten_no_wait() {
    let mut ledger = ledger();
    for step in 0..20 {
        ledger.note_cache(Some(3620 - step), true, &look(NOW + step));
    }
    ledger.note_cache(Some(3600), true, &look(NOW + 30));
    ledger.note_cache(Some(300), true, &look(NOW + 3000));
    let held = |ledger: &mut Ledger, at: u64| ledger.note_cache(Some(300), true, &look(at));
    assert!(held(&mut ledger, NOW + 6500) >= 3600);
    assert_eq!(held(&mut ledger, NOW + 8000), 300);
}

#[test]
fn written_ledger_is_read_back() {
    assert_eq!(parsed(&ledger().to_text()), Ok(ledger()));
}

/// Every odd member makes the whole of it lost: nothing of it is used.
#[test]
fn odd_ledgers_are_lost() {
    let good: Value = serde_json::from_str(&ledger().to_text()).unwrap();
    let key = good["keys"].as_object().unwrap().keys().next().unwrap().clone();
    let with = |pointer: &str, value: Value| {
        let mut odd = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        odd.pointer_mut(parent).unwrap()[name] = value;
        odd.to_string()
    };
    let entry = format!("/keys/{key}");
    for (text, lost) in [
        (String::new(), Lost::Damaged),
        ("null".into(), Lost::Damaged),
        ("[]".into(), Lost::Damaged),
        ("{".into(), Lost::Damaged),
        ("x".repeat(MAX_TEXT + 1), Lost::TooLarge),
        (with("/version", json!(3)), Lost::Version),
        (with("/version", json!(0)), Lost::Version),
        (with("/version", json!("1")), Lost::Damaged),
        (with("/cluster", json!("other")), Lost::Other),
        (with("/issuer", json!("https://acme.example/")), Lost::Other),
        (with("/more", json!(1)), Lost::Damaged),
        (with("/keys", json!([])), Lost::Damaged),
        (with("/own", json!("yes")), Lost::Damaged),
        (with("/tokens", json!(-1)), Lost::Damaged),
        (with("/tokens", json!(vec![json!({"seconds": 300}); 9])), Lost::TooLarge),
        (with("/caches", json!([300])), Lost::Damaged),
        (with("/caches", json!([{"seconds": 300, "more": 1}])), Lost::Damaged),
        (with("/caches", json!(vec![json!({"seconds": 300}); 9])), Lost::TooLarge),
        (with("/keys/short", json!({})), Lost::Damaged),
        (with(&format!("{entry}/more"), json!(1)), Lost::Damaged),
        (with(&format!("{entry}/noticed"), json!(-1)), Lost::Damaged),
        (with(&format!("{entry}/noticed"), json!(1.5)), Lost::Damaged),
        (with(&format!("{entry}/noticed"), json!(NOW + 301)), Lost::Future(NOW + 301)),
        (with(&format!("{entry}/absentSince"), json!(u64::MAX)), Lost::Future(u64::MAX)),
        (with(&format!("{entry}/revoked"), json!(NOW + 3600)), Lost::Future(NOW + 3600)),
        (with(&format!("{entry}/seen"), json!("always")), Lost::Damaged),
        (with(&format!("{entry}/source"), json!("friend")), Lost::Damaged),
        (with(&format!("{entry}/kid"), json!("k".repeat(129))), Lost::Damaged),
    ] {
        assert_eq!(parsed(&text), Err(lost), "{}", &text[..text.len().min(400)]);
    }
}

#[test]
fn ledger_of_many_keys_is_lost() {
    let mut many = ledger();
    for number in 0..=MAX_ENTRIES {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        many.keys.insert(KeyId(id), Entry::new(String::new(), NOW, Source::Foreign));
    }
    assert_eq!(parsed(&many.to_text()), Err(Lost::TooLarge));
}

/// What others publish must not push out what is known of ours.
#[test]
fn crowd_never_displaces_our_keys() {
    let mut ledger = ledger();
    let mut current = BTreeSet::new();
    for number in 0..1000_u64 {
        let mut id = [0xff; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        current.insert(KeyId(id));
        ledger.keys.insert(KeyId(id), Entry::new(String::new(), NOW - number, Source::Foreign));
    }
    ledger.bound(&current);
    assert_eq!(ledger.keys.len(), MAX_ENTRIES);
    assert!(ledger.keys.contains_key(&id(1)));
    assert!(parsed(&ledger.to_text()).is_ok());
    // Of the others, those that were noticed first.
    assert!(ledger.keys.values().all(|entry| entry.noticed == NOW || entry.noticed <= NOW - 801));
}

#[test]
fn oldest_of_our_keys_goes() {
    let mut ledger = ledger();
    ledger.keys.clear();
    for number in 0..210_u8 {
        let mut entry = Entry::new(String::new(), NOW - 1000 + u64::from(number), Source::Server);
        entry.seen = Seen::Live;
        ledger.keys.insert(id(number), entry);
    }
    ledger.bound(&[id(0)].into());
    assert!(ledger.keys.contains_key(&id(0)), "it is current");
    assert!(!ledger.keys.contains_key(&id(10)) && ledger.keys.contains_key(&id(11)));
    assert!(ledger.keys.contains_key(&id(209)));
}

#[test]
fn only_entries_ahead_are_lost() {
    let mut odd = ledger();
    let mut entry = Entry::new("ahead".into(), NOW, Source::Staged);
    (entry.public_since, entry.revoked) = (Some(NOW - 9), Some(NOW + 301));
    odd.keys.insert(id(2), entry);
    let read = Ledger::parse(&odd.to_text(), "uid", "https://acme.example", NOW).unwrap();
    assert_eq!(read.ledger, ledger());
    assert_eq!(read.ahead, [(id(2), ("ahead".to_owned(), NOW + 301))].into());
}

/// Served times, each with the clock, and the longest that may be held then.
#[test]
fn longest_cache_is_held_until_expired() {
    let mut ledger = ledger();
    for (served, now, held) in [
        (Some(300), NOW, 24 * 3600),
        (Some(7200), NOW + 10, 24 * 3600),
        (Some(300), NOW + 20, 24 * 3600),
        (Some(300), NOW + 24 * 3600, 300),
        (Some(7200), NOW + 100_000, 7200),
        (None, NOW + 100_010, 7200),
        (Some(60), NOW + 100_020, 7200),
        (Some(60), NOW + 107_219, 7200),
        (Some(60), NOW + 107_220, 60),
    ] {
        assert_eq!(ledger.note_cache(served, false, &look(now)), held, "{served:?} at {now}");
        assert!(parsed(&ledger.to_text()).is_ok());
    }
    // Any number of times comes to a few.
    for number in 0..100 {
        ledger.note_cache(Some(100_000 - number), false, &look(NOW + 200_000 + number));
    }
    assert_eq!(ledger.note_cache(Some(5), false, &look(NOW + 200_100)), 100_000);
    assert!(parsed(&ledger.to_text()).is_ok());
    let mut new = Ledger::new("uid", "https://acme.example");
    assert_eq!(new.note_cache(Some(300), true, &look(NOW)), 300, "nothing was served before");
}

/// Tokens that were given out before it was found that they are shorter now.
#[test]
fn longest_token_is_held_until_expired() {
    let mut ledger = ledger();
    for (found, now, held) in [
        (None, NOW, 0),
        (Some((172_800, true)), NOW, 172_800),
        (None, NOW + 400_000, 172_800),
        // Not everything was looked at.
        (Some((3600, false)), NOW + 400_005, 172_800),
        (Some((3600, true)), NOW + 400_010, 172_800),
        (None, NOW + 400_010 + 172_799, 172_800),
        (None, NOW + 400_010 + 172_800, 3600),
    ] {
        let found = found.map(|(seconds, is_complete)| LongestFound { seconds, by: None, is_complete });
        assert_eq!(ledger.note_tokens(found.as_ref(), u64::MAX, &look(now)), held, "{found:?} at {now}");
        assert!(parsed(&ledger.to_text()).is_ok());
    }
}
