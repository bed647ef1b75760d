use super::*;
use crate::{
    error::{Code, Error},
    federation::{FindBy, reads},
    pattern::Pattern,
};

fn used(object: &str, act: Act, state: UseState) -> Use {
    Use { object: object.into(), field: "data[0].remoteRef".into(), act, state }
}

fn read(key: &str) -> Act {
    Act::Read { key: key.into(), reading: Reading::default() }
}

fn push(key: &str) -> Act {
    Act::Push { key: key.into(), metadata: false, only_new: false }
}

fn find(pattern: &str) -> Find {
    Find { below: String::new(), by: FindBy::Name(Pattern::parse(pattern).unwrap()) }
}

fn needs(uses: Vec<Use>) -> Needs {
    Needs::of(Usage { uses, ..Usage::default() }, &any)
}

fn any(right: &Right) -> Result<Option<Right>> {
    Ok(Some(right.clone()))
}

fn new(decision: &Decision) -> Vec<String> {
    decision.new.keys().map(ToString::to_string).collect()
}

#[test]
fn without_list_read_secrets_are_granted() {
    let needs = needs(vec![
        used("ExternalSecret shop/db", read("db"), UseState::Read),
        used("ExternalSecret shop/api", read("api"), UseState::Ready),
        used("ExternalSecret shop/root", read("root"), UseState::NotReady),
        used("ExternalSecret shop/all", Act::Find(find(".*")), UseState::Read),
        used("PushSecret shop/tls", push("tls"), UseState::Ready),
        used(
            "ExternalSecret shop/note",
            Act::Metadata { key: "note".into(), property: String::new() },
            UseState::Read,
        ),
    ]);
    let decision = decide(None, &needs, true, &BTreeSet::new());
    let granted: Vec<_> = decision.granted.iter().map(ToString::to_string).collect();
    assert_eq!(granted, ["read db", "read the metadata of note"]);
    assert_eq!(new(&decision), ["read api", "read root", "find secrets by name", "write tls"]);
    // Elsewhere it was not read.
    let elsewhere = decide(None, &needs, false, &BTreeSet::new());
    assert!(elsewhere.granted.is_empty());
    assert_eq!(elsewhere.new.len(), 6);
}

/// What its identity has is no news; where there is a list, the list decides.
#[test]
fn without_list_held_rights_are_granted() {
    let uses = vec![
        used("ExternalSecret shop/db", read("db"), UseState::NotReady),
        used("PushSecret shop/tls", push("tls"), UseState::NotReady),
        used("ExternalSecret shop/root", read("root"), UseState::NotReady),
    ];
    let needs = needs(uses);
    let held = [Right::read("db"), Right::new(RightKind::Push, "tls"), Right::read("spare")].into();
    for is_the_same in [false, true] {
        let decision = decide(None, &needs, is_the_same, &held);
        let granted: Vec<_> = decision.granted.iter().map(ToString::to_string).collect();
        assert_eq!(granted, ["read db", "write tls"]);
        assert_eq!(new(&decision), ["read root"]);
    }
    let listed = decide(Some(&BTreeSet::new()), &needs, true, &held);
    assert!(listed.granted.is_empty() && listed.new.len() == 3, "{listed:?}");
}

/// What may be needed is not unused.
#[test]
fn unknown_users_make_nothing_unused() {
    let usage = Usage { unsure: vec![read("db")], ..Usage::default() };
    let needs = Needs::of(usage, &any);
    assert_eq!(decide(Some(&reads(&["db", "old"])), &needs, true, &reads(&[])).unused, reads(&["old"]));
    assert!(needs.are_known());
    let mut needs = Needs::of(
        Usage { uses: vec![used("a", Act::Find(find("^t")), UseState::Read)], ..Usage::default() },
        &any,
    );
    needs.not_found(&find("^t"), "no right to list");
    assert!(!needs.are_known());
    assert_eq!(needs.asked(), [find("^t").right()].into());
}

#[test]
fn list_decides_and_rest_is_new() {
    let needs = needs(vec![
        used("ExternalSecret shop/db", read("db"), UseState::Read),
        used("ExternalSecret shop/root", read("prod-root-password"), UseState::Read),
    ]);
    let mut decision = decide(Some(&reads(&["db", "spare"])), &needs, true, &BTreeSet::new());
    assert_eq!(decision.granted, reads(&["db", "spare"]), "whatever was read");
    assert_eq!(new(&decision), ["read prod-root-password"]);
    assert_eq!(
        decision.new[&Right::read("prod-root-password")].because,
        ["ExternalSecret shop/root".to_owned()].into()
    );
    assert_eq!(decision.unused, reads(&["spare"]));
    assert_eq!(decision.drop_unused(), reads(&["spare"]));
    decision.confirm();
    assert_eq!(decision.granted, reads(&["db", "prod-root-password"]));
    assert!(decision.new.is_empty() && decision.unused.is_empty());
    let nothing = decide(Some(&BTreeSet::new()), &needs, true, &BTreeSet::new());
    assert!(nothing.granted.is_empty(), "an empty list is one");
}

#[test]
fn found_secrets_never_count_as_read() {
    let mut needs = needs(vec![used("ExternalSecret shop/all", Act::Find(find("^t")), UseState::Read)]);
    needs.found(&find("^t"), reads(&["tls"]));
    let decision = decide(None, &needs, true, &BTreeSet::new());
    assert!(decision.granted.is_empty(), "{decision:?}");
    assert_eq!(new(&decision), ["read tls", "find secrets by name"]);
    // One that is also named is.
    let mut both = Needs::of(
        Usage {
            uses: vec![
                used("ExternalSecret shop/all", Act::Find(find("^t")), UseState::Read),
                used("ExternalSecret shop/tls", read("tls"), UseState::Read),
            ],
            ..Usage::default()
        },
        &any,
    );
    both.found(&find("^t"), reads(&["tls"]));
    assert_eq!(decide(None, &both, true, &BTreeSet::new()).granted, reads(&["tls"]));
}

#[test]
fn failed_search_is_omitted_by_name() {
    let mut needs = needs(vec![
        used("ExternalSecret shop/all", Act::Find(find("^t")), UseState::Ready),
        used("ExternalSecret shop/db", read("db"), UseState::Read),
    ]);
    needs.not_found(&find("^t"), "no right to list");
    assert_eq!(needs.rights.keys().cloned().collect::<BTreeSet<_>>(), reads(&["db"]));
    let [left] = &needs.left_out[..] else { panic!("{:?}", needs.left_out) };
    assert!(left.object.starts_with("ExternalSecret shop/all") && left.works && !left.is_refused, "{left:?}");
}

#[test]
fn impossible_name_is_left_out_alone() {
    let uses = vec![
        used("ExternalSecret shop/db", read("db"), UseState::Read),
        used("ExternalSecret shop/odd", read("a/b"), UseState::NotReady),
    ];
    let plain = |right: &Right| match right.on.contains('/') {
        true => Err(Error::usage(Code::GoogleSecretName, format!("`{}` cannot be", right.on))),
        false => Ok(Some(right.clone())),
    };
    let needs = Needs::of(Usage { uses, ..Usage::default() }, &plain);
    assert_eq!(needs.rights.keys().cloned().collect::<BTreeSet<_>>(), reads(&["db"]));
    let [left] = &needs.left_out[..] else { panic!("{:?}", needs.left_out) };
    assert_eq!(
        (left.object.as_str(), left.why.as_str()),
        ("ExternalSecret shop/odd data[0].remoteRef", "`a/b` cannot be")
    );
}

#[test]
fn every_right_is_tried_as_used() {
    let reading = |version: &str, property: &str| Reading {
        version: Some(version.into()),
        property: Some(property.into()),
        ..Reading::default()
    };
    let needs = needs(vec![
        used("a", Act::Read { key: "db".into(), reading: reading("3", "b") }, UseState::Read),
        used("b", Act::Read { key: "db".into(), reading: reading("3", "a") }, UseState::Read),
        used("c", Act::Read { key: "other".into(), reading: Reading::default() }, UseState::Read),
        used("d", Act::Find(find("^t")), UseState::Read),
        used("e", push("tls"), UseState::Read),
        used("f", Act::Delete { key: "tls".into() }, UseState::Read),
        used("g", Act::Metadata { key: "db".into(), property: "labels.env".into() }, UseState::Read),
    ]);
    let mut granted: BTreeSet<Right> = needs.rights.keys().cloned().collect();
    granted.remove(&Right::read("other"));
    granted.insert(Right::read("listed"));
    let trials = needs.trials(&granted, &any);
    assert_eq!(
        trials,
        [
            Trial::Read { secret: "db".into(), readings: vec![reading("3", "a"), reading("3", "b")] },
            Trial::Read { secret: "listed".into(), readings: Vec::new() },
            Trial::Metadata { secret: "db".into(), properties: vec!["labels.env".into()] },
            Trial::Write(Right::new(RightKind::Push, "tls")),
            Trial::Write(Right::new(RightKind::Delete, "tls")),
            Trial::Find(find("^t")),
        ]
    );
    let tried: BTreeSet<_> = trials.iter().map(Trial::right).collect();
    assert_eq!(tried, granted, "nothing is granted that is not tried");
}
