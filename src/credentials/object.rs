//! PURE. One object of the cluster, and every value in it in which a credential can lie.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{
    Find, Finds, Halves, Holder, Who,
    decoded::Decoded,
    helm::{self, Release},
    layers::{look_at_pairs, look_into, look_into_json},
    listed::Listed,
    output::owner_of,
    pair::Pair,
    sightings::Sightings,
};
use crate::{
    cluster::objects::{Items, Resource, Unseen, broken_item, name_of},
    guard::caught,
};

/// Longer values are not taken for a part of a pair.
const LONGEST_OF_PAIR: usize = 64 << 10;

/// Reads the credentials out of a list of objects of one kind.
pub(crate) struct Reader<'a> {
    resource: &'a Resource,
    pub(crate) sightings: Sightings,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(resource: &'a Resource) -> Self {
        Self { resource, sightings: Sightings::default() }
    }
}

impl Items for Reader<'_> {
    fn begin(&mut self) {
        *self = Self::new(self.resource);
    }

    fn take(&mut self, json: &[u8]) {
        // One object that this program fails at is one that was not seen, and not the end of the audit. What is found in it is added
        // at its end: nothing is half there.
        let taken = caught(|| {
            let Listed(object) = serde_json::from_slice(json).ok()?;
            self.sightings.take(&self.resource.kind, &object)
        });
        if taken.is_none() {
            self.sightings.unseen.insert(broken_item(self.resource, name_of(json).as_deref()));
        }
    }
}

impl Sightings {
    /// Looks through one object. `None`: it has not the form of its kind.
    pub(crate) fn take(&mut self, kind: &str, object: &Value) -> Option<()> {
        let holder = Holder::of(kind, object)?;
        let mut finds = Finds::default();
        let whole = match kind {
            "Secret" | "ConfigMap" => of_values(&holder, object, &mut finds)?,
            _ => of_any(&holder, object, "", &mut finds),
        };
        if !whole {
            self.unseen.insert(Unseen {
                what: format!("{kind} {}/{}", holder.namespace, holder.name),
                right: format!("a way to look into {kind} {}/{}", holder.namespace, holder.name),
                why: "it holds something packed that is broken, too large, too deep or of a form that is not unpacked".into(),
            });
        }
        self.add(&holder, finds.ended(), owner_of(object));
        Some(())
    }
}

/// The values of a Secret or ConfigMap, each by itself and all together.
fn of_values(holder: &Holder, object: &Value, finds: &mut Finds) -> Option<bool> {
    let is_secret = holder.kind == "Secret";
    if object.get("type").is_some_and(|it| !it.is_string() && !it.is_null()) {
        return None;
    }
    let mut values: Vec<(&str, Vec<u8>)> = Vec::new();
    for (member, is_text) in [("data", !is_secret), ("binaryData", false), ("stringData", true)] {
        for (name, value) in map(object, member)? {
            let Some(value) = text_or_null(value)? else { continue };
            // What is not encoded as it must be is there all the same.
            let decoded = (!is_text).then(|| STANDARD.decode(value).ok()).flatten();
            values.push((name.as_str(), decoded.unwrap_or_else(|| value.as_bytes().to_vec())));
        }
    }
    let mut whole = true;
    if let Some(release) = helm::release(holder, &values) {
        match release {
            Release::Read(release) => whole &= of_release(holder, &release, finds),
            Release::NotRead => whole = false,
        }
        values.retain(|(name, _)| *name != helm::VALUE);
    }
    whole &= of_all(holder, values.iter().map(|(name, value)| (*name, value.as_slice())), finds);
    whole &= of_annotations(holder, object, "", finds);
    Some(whole)
}

/// Values that lie together: each by itself, and as pairs.
fn of_all<'v>(holder: &Holder, values: impl Iterator<Item = (&'v str, &'v [u8])>, finds: &mut Finds) -> bool {
    let (mut whole, mut pairs) = (true, Vec::new());
    for (name, value) in values {
        finds.begin(&format!("data.{name}"));
        let value = Decoded::of(value);
        whole &= look_into(holder, name, &value, finds);
        if value.bytes.len() <= LONGEST_OF_PAIR {
            pairs.push(Pair::of_value(name, value));
        }
    }
    finds.begin("data");
    look_at_pairs(holder, pairs, finds);
    whole
}

/// What tells the secret half of the credential that calls itself by this name in these values.
pub(crate) fn halves_of(name: &str, values: &[(&str, &[u8])]) -> Halves {
    let mut finds = Finds::default();
    of_all(&Holder::default(), values.iter().copied(), &mut finds);
    let is_it = |find: &Find| matches!(&find.who, Who::Named(it) if it == name);
    finds.ended().into_iter().filter(is_it).flat_map(|find| find.halves).collect()
}

/// A release of Helm: its values, and every object that was made of it.
fn of_release(holder: &Holder, release: &helm::Unpacked, finds: &mut Finds) -> bool {
    let mut whole = true;
    for (at, value) in &release.parts {
        finds.begin(&format!("{} {at}", release.name));
        whole &= look_into_json(holder, "", value, finds);
    }
    for object in &release.objects {
        whole &= of_inner(holder, object, &release.name, finds);
    }
    for (at, text) in &release.texts {
        finds.begin(&format!("{} {at}", release.name));
        whole &= look_into(holder, "", &Decoded::of(text.as_bytes()), finds);
    }
    whole
}

/// An object that lies within another: as it was applied, or in a release.
fn of_inner(outer: &Holder, object: &Value, at: &str, finds: &mut Finds) -> bool {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let holder = Holder::of(kind, object).unwrap_or_else(|| outer.clone());
    let mut inner = Finds::default();
    let whole = match kind {
        "Secret" | "ConfigMap" => of_values(&holder, object, &mut inner),
        _ => None,
    };
    let whole = whole.unwrap_or_else(|| of_any(&holder, object, "", &mut inner));
    let name = if kind.is_empty() { String::new() } else { format!(" {kind} {}", holder.name) };
    for find in inner.ended() {
        let at = format!("{at}{name} {}", find.at);
        finds.add_inner(find, &at);
    }
    whole
}

/// Annotations: what `kubectl apply` and others keep there is an object of its own.
pub(super) fn of_annotations(holder: &Holder, object: &Value, at: &str, finds: &mut Finds) -> bool {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let mut whole = true;
    for (name, value) in annotations.into_iter().flatten() {
        let Some(text) = value.as_str() else { continue };
        let at = format!("{at}annotation {name}");
        match serde_json::from_str::<Value>(text) {
            Ok(applied @ Value::Object(_)) if applied.get("metadata").is_some() => {
                whole &= of_inner(holder, &applied, &at, finds);
            }
            _ => {
                finds.begin(&at);
                whole &= look_into(holder, name, &Decoded::of(text.as_bytes()), finds);
            }
        }
    }
    whole
}

/// Any other object: whatever it holds, but what the API server and controllers write of themselves.
fn of_any(holder: &Holder, object: &Value, at: &str, finds: &mut Finds) -> bool {
    let mut whole = of_annotations(holder, object, at, finds);
    for (name, value) in object.as_object().into_iter().flatten() {
        if ["apiVersion", "kind", "metadata", "status"].contains(&name.as_str()) {
            continue;
        }
        whole &= of_member(holder, value, &format!("{at}{name}"), 0, finds);
    }
    whole
}

/// Down to what is named: the place of a find is the container, not the whole `spec`.
fn of_member(holder: &Holder, value: &Value, at: &str, depth: usize, finds: &mut Finds) -> bool {
    const NAMED: usize = 6;
    match value {
        Value::Object(members) if depth < NAMED && !is_leaf(members) => {
            finds.begin(at);
            let mut whole = true;
            for (name, value) in members {
                whole &= of_member(holder, value, &format!("{at}.{name}"), depth + 1, finds);
            }
            whole
        }
        Value::Array(items) if depth < NAMED && items.iter().all(|item| item.get("image").is_some()) => {
            items.iter().fold(true, |whole, item| {
                let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
                of_member(holder, item, &format!("{at}.{name}"), depth + 1, finds) && whole
            })
        }
        _ => {
            finds.begin(at);
            let field = at.rsplit('.').next().unwrap_or_default();
            look_into_json(holder, field, value, finds)
        }
    }
}

/// An object whose members are texts lies together.
fn is_leaf(members: &Map<String, Value>) -> bool {
    const AROUND: [&str; 4] = ["containers", "image", "jobTemplate", "template"];
    members.values().any(Value::is_string) && !AROUND.iter().any(|name| members.contains_key(*name))
}

/// The members of a map that may be missing; `None` for what is no map.
fn map<'v>(object: &'v Value, name: &str) -> Option<impl Iterator<Item = (&'v String, &'v Value)>> {
    let members = match object.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::Object(members)) => Some(members),
        Some(_) => return None,
    };
    Some(members.into_iter().flatten())
}

fn text_or_null(value: &Value) -> Option<Option<&str>> {
    match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text)),
        _ => None,
    }
}
