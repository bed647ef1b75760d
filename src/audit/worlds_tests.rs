//! Worlds: every way in which a store or generator logs in × every place in which a credential can hide around it, and for
//! what the pod decides every two such places together. What must come out is computed from two tables of what these ways
//! and places are (fixtures/eso), not from the lists that the audit judges by.

use std::{collections::BTreeSet, sync::LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};

use self::world::{applies, holder, of_the_pod, values, world};
use super::{Outcome, judge};
use crate::cluster::{
    objects::{Object, Unseen},
    snapshot::tests::{inventory, objects},
};

mod world;

/// A way to log in.
#[derive(Deserialize)]
struct Way {
    kind: String,
    way: String,
    truth: WayTruth,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    headers: bool,
    settings: Value,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum WayTruth {
    Tokens,
    Platform,
    Account,
    Own,
    File,
    Pod,
    Nothing,
    Stored,
    Literal,
    Unknown,
}

/// A place in which a credential can hide.
#[derive(Deserialize)]
struct Place {
    name: String,
    at: At,
    truth: PlaceTruth,
    #[serde(default)]
    needs: Option<Needs>,
    #[serde(default)]
    pod: Pod,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum At {
    Login,
    Cluster,
    Pod,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Needs {
    Address,
    Headers,
    Store,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
enum PlaceTruth {
    Clean,
    Unknown,
    Counted,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Pod {
    env: Vec<Value>,
    env_from: Vec<Value>,
    mounts: Vec<Value>,
    volumes: Vec<Value>,
    init_containers: Vec<Value>,
}

/// What must come out, at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Zero,
    NotZero,
    Counted,
}

fn ways() -> Vec<Way> {
    serde_saphyr::from_str(include_str!("../../fixtures/eso/logins.yaml")).unwrap()
}

fn places() -> Vec<Place> {
    serde_saphyr::from_str(include_str!("../../fixtures/eso/places.yaml")).unwrap()
}

/// The table: a world is clean if all of it is.
fn expected(way: &Way, places: &[&Place]) -> Expected {
    let of_way = match way.truth {
        WayTruth::Tokens
        | WayTruth::Platform
        | WayTruth::Account
        | WayTruth::Own
        | WayTruth::File
        | WayTruth::Pod
        | WayTruth::Nothing => PlaceTruth::Clean,
        WayTruth::Stored | WayTruth::Literal => PlaceTruth::Counted,
        WayTruth::Unknown => PlaceTruth::Unknown,
    };
    // Temporary keys beside a key are not told from it, and a class that nothing serves, or a second provider, hides the rest.
    let hides = |place: &&&Place| matches!(place.name.as_str(), "temporary-keys" | "second-provider");
    match places.iter().map(|place| place.truth).chain([of_way]).max() {
        Some(PlaceTruth::Clean) | None => Expected::Zero,
        Some(PlaceTruth::Unknown) => Expected::NotZero,
        Some(PlaceTruth::Counted) if places.iter().any(|place| hides(&place)) => Expected::NotZero,
        Some(PlaceTruth::Counted) => Expected::Counted,
    }
}

static OF_THE_POD: LazyLock<Vec<Object>> = LazyLock::new(of_the_pod);

#[derive(Default)]
struct Tally {
    worlds: usize,
    false_zeros: Vec<String>,
    /// By way and place, or places.
    false_alarms: Vec<String>,
    uncounted: Vec<String>,
    clean: usize,
}

impl Tally {
    fn judge(&mut self, way: &Way, places: &[&Place]) {
        let names: Vec<_> = places.iter().map(|place| place.name.as_str()).collect();
        let name = format!("{} {} × {}", way.kind, way.way, names.join(" + "));
        // A Secret with a key is counted by itself: it is there only for the places that lead to it.
        let of_pod = OF_THE_POD.iter().filter(|object| match (object.kind(), object.name()) {
            ("Secret", name) => places.iter().any(|place| place.at == At::Pod) && name != "pod-with-keys",
            _ => true,
        });
        let mut beside: Vec<_> = of_pod.cloned().collect();
        let needs_keys = ["google-key-file", "profile-file-of-a-secret", "profile-file-below-the-home"];
        if names.iter().any(|name| needs_keys.contains(name)) {
            let keys = OF_THE_POD.iter().find(|object| object.name() == "pod-with-keys").unwrap();
            for object in
                beside.iter_mut().filter(|object| object.kind() == "Secret" && object.name() == "pod")
            {
                for (key, value) in keys.0["data"].as_object().unwrap() {
                    object.0["data"][key] = value.clone();
                }
            }
        }
        // As with Secrets: a ConfigMap with a key is counted by itself.
        if places.iter().all(|place| place.truth == PlaceTruth::Clean) {
            let config_maps = beside.iter_mut().filter(|object| object.kind() == "ConfigMap");
            for data in config_maps.filter_map(|object| object.0["data"].as_object_mut()) {
                data.retain(|_, value| !value.as_str().is_some_and(|value| value.contains("PRIVATE KEY")));
            }
        }
        let (objects, refused) = world(way, places, &beside);
        let mut inventory = inventory(&objects);
        if refused {
            inventory.unseen.insert(Unseen {
                what: "secretstores".into(),
                right: "list".into(),
                why: "denied".into(),
            });
        }
        if names.contains(&"object-of-a-new-kind") {
            inventory.unknown_kinds.push(Object(json!({"kind": "ProviderStore", "metadata": {"name": "x"}})));
        }
        let verdict = judge(&inventory);
        let shown = verdict.lines().join("\n");
        assert!(!shown.contains("CANARY"), "{name} leaks:\n{shown}");
        self.worlds += 1;
        let outcome = verdict.outcome();
        match expected(way, places) {
            Expected::Zero => {
                self.clean += 1;
                if outcome != Outcome::Zero {
                    self.false_alarms.push(format!(
                        "{name}: {}",
                        verdict.lines()[..4.min(verdict.lines().len())].join(" ")
                    ));
                }
            }
            _ if outcome == Outcome::Zero => self.false_zeros.push(name),
            Expected::Counted if verdict.count().is_none() => self.uncounted.push(name),
            Expected::Counted | Expected::NotZero => {}
        }
    }

    #[track_caller]
    fn passes(&self, what: &str, alarms: usize) {
        println!(
            "{what}: {} worlds, {} of them clean; {} false zeros, {} false alarms, {} not counted",
            self.worlds,
            self.clean,
            self.false_zeros.len(),
            self.false_alarms.len(),
            self.uncounted.len()
        );
        for alarm in self.false_alarms.iter().take(20) {
            println!("  false alarm: {alarm}");
        }
        assert!(self.false_zeros.is_empty(), "false zeros: {:#?}", self.false_zeros);
        assert!(self.uncounted.is_empty(), "not counted: {:#?}", self.uncounted);
        assert!(
            self.false_alarms.len() <= alarms,
            "{} false alarms: {:#?}",
            self.false_alarms.len(),
            self.false_alarms
        );
        assert!(
            self.clean > 0 && self.worlds > 2 * self.clean,
            "{} of {} are clean",
            self.clean,
            self.worlds
        );
    }
}

#[test]
fn no_world_is_a_false_zero() {
    let (ways, places) = (ways(), places());
    let mut tally = Tally::default();
    let mut tried = BTreeSet::new();
    for way in &ways {
        // What a pod holds is the same beside each login of a kind: it is tried beside one of each.
        let first = tried.insert((way.kind.as_str(), way.truth as u8));
        let here = |place: &&Place| applies(way, place) && (first || place.at != At::Pod);
        for place in places.iter().filter(here) {
            tally.judge(way, &[place]);
        }
    }
    tally.passes("ways × places", 0);
    let kinds: BTreeSet<_> = ways.iter().map(|way| way.kind.as_str()).collect();
    let known = include_str!("../../fixtures/eso/providers.txt");
    let missing: Vec<_> =
        known.lines().filter(|line| !line.starts_with('#') && !kinds.contains(line)).collect();
    assert_eq!(missing, ["beyondtrustworkloadcredentials"], "providers without a way");
}

/// Where the controller's pod decides, two things of it together: what is clean must not hide what is not.
#[test]
fn no_pair_of_surroundings_hides_credential() {
    let (ways, places) = (ways(), places());
    let of_the_pod: Vec<_> = places.iter().filter(|place| place.at == At::Pod).collect();
    let mut tally = Tally::default();
    for way in ways.iter().filter(|way| {
        matches!(
            (way.kind.as_str(), way.way.as_str()),
            ("aws", "pod") | ("vault", "kubernetes-own") | ("gcpsm", "federation")
        )
    }) {
        for (number, first) in of_the_pod.iter().enumerate() {
            for second in &of_the_pod[number + 1..] {
                let paths = |place: &Place| -> Vec<String> {
                    let paths = place.pod.mounts.iter().filter_map(|mount| mount["mountPath"].as_str());
                    paths.map(|path| path.trim_start_matches("/var").to_owned() + "/").collect()
                };
                // What is mounted into what another mounts decides alone.
                let nested = paths(first).iter().any(|one| {
                    paths(second)
                        .iter()
                        .any(|other| one.starts_with(other.as_str()) || other.starts_with(one.as_str()))
                });
                let clash = nested
                    || first
                        .pod
                        .env
                        .iter()
                        .any(|it| second.pod.env.iter().any(|other| it["name"] == other["name"]));
                if !clash {
                    tally.judge(way, &[first, second]);
                }
            }
        }
    }
    tally.passes("pairs of surroundings", 0);
}

/// A helper of fixtures: what is written is what is read.
#[test]
fn worlds_are_read_as_written() {
    let read =
        objects("apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\nstringData: {c: d}\n");
    assert_eq!(read[0].0["data"], holder("Secret", "b", "a", &values(&[("c", "d")])).0["data"]);
}
