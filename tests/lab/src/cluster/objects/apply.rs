//! Server-side apply, and what other writes do to `managedFields`
//! (kubernetes-sigs/structured-merge-diff merge/update.go; kubernetes/apimachinery
//! pkg/util/managedfields/).

use serde_json::{Value, json};

use super::fields::{self, Fields, Manager};
use crate::cluster::status;
use crate::wire::Reply;

/// The object after `config` was applied to `live` (or to nothing)
pub(crate) fn apply(
    schema: &Value,
    live: Option<&Value>,
    config: &Value,
    mut manager: Manager,
    force: bool,
) -> Result<Value, Reply> {
    manager.fields = fields::of(schema, config, false);
    let empty = json!({});
    let live = live.unwrap_or(&empty);
    let mut managers = fields::managers(live);
    let mut merged = live.clone();
    fields::merge(schema, &mut merged, config, &mut Vec::new());

    let changed: Fields = manager
        .fields
        .iter()
        .filter(|path| fields::get(live, path) != fields::get(&merged, path))
        .cloned()
        .collect();
    let others = managers.iter_mut().filter(|other| !other.same(&manager));
    let mut conflicts: Vec<(String, Fields)> = Vec::new();
    for other in others {
        let taken: Fields = other.fields.intersection(&changed).cloned().collect();
        if taken.is_empty() {
            continue;
        }
        other.fields.retain(|path| !taken.contains(path));
        conflicts.push((other.shown(), taken));
    }
    if !force && !conflicts.is_empty() {
        return Err(conflict(&conflicts));
    }

    let before = managers.iter().position(|other| other.same(&manager)).map(|at| managers.remove(at));
    if let Some(before) = &before {
        let kept = |path: &&Vec<String>| {
            manager.fields.contains(*path) || managers.iter().any(|other| other.fields.contains(*path))
        };
        for path in before.fields.iter().filter(|path| !kept(path)) {
            withdraw(&mut merged, path, &manager, &managers);
        }
        if before.fields == manager.fields {
            manager.time = before.time.clone();
        }
    }
    managers.push(manager);
    fields::set_managers(&mut merged, managers);
    Ok(merged)
}

/// Removes a field and what only contained it
fn withdraw(object: &mut Value, path: &[String], manager: &Manager, others: &[Manager]) {
    let held = |path: &[String]| {
        let holds = |manager: &Manager| manager.fields.iter().any(|other| other.starts_with(path));
        holds(manager) || others.iter().any(holds)
    };
    if held(path) {
        return;
    }
    fields::remove(object, path);
    let mut parent = path;
    while let Some((_, shorter)) = parent.split_last() {
        parent = shorter;
        let empty = match fields::get(object, parent) {
            Some(Value::Object(members)) => members.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            _ => false,
        };
        if parent.is_empty() || !empty || held(parent) {
            return;
        }
        fields::remove(object, parent);
    }
}

fn conflict(conflicts: &[(String, Fields)]) -> Reply {
    let paths = || conflicts.iter().flat_map(|(by, fields)| fields.iter().map(move |path| (by, path)));
    let causes: Vec<Value> = paths()
        .map(|(by, path)| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {by}"),
                "field": fields::shown(path),
            })
        })
        .collect();
    let message = match paths().collect::<Vec<_>>().as_slice() {
        [(by, path)] => {
            format!("Apply failed with 1 conflict: conflict with {by}: {}", fields::shown(path))
        }
        all => {
            let mut by_manager: Vec<_> = conflicts.iter().collect();
            by_manager.sort_by_key(|(by, _)| by.clone());
            let lines = by_manager.iter().flat_map(|(by, paths)| {
                let head = format!("conflicts with {by}:");
                std::iter::once(head).chain(paths.iter().map(|path| format!("- {}", fields::shown(path))))
            });
            let lines: Vec<String> = lines.collect();
            format!("Apply failed with {} conflicts: {}", all.len(), lines.join("\n"))
        }
    };
    status::failure(&message, "Conflict", 409, &json!({"causes": causes}))
}

/// The managers of `new` after it was written over `old` by anything but an apply
pub(crate) fn update(schema: &Value, old: Option<&Value>, new: &mut Value, mut manager: Manager) {
    let empty = json!({});
    let old = old.unwrap_or(&empty);
    let (had, has) = (fields::of(schema, old, true), fields::of(schema, new, true));
    let changed: Fields = has
        .iter()
        .filter(|path| {
            let (before, after) = (fields::get(old, path), fields::get(new, path));
            !had.contains(*path) || before != after && !contains(&has, path)
        })
        .cloned()
        .collect();
    let mut managers = fields::managers(old);
    let existing = managers.iter().position(|other| other.same(&manager)).map(|at| managers.remove(at));
    for other in &mut managers {
        let gone = |path: &Vec<String>| had.contains(path) && !has.contains(path);
        other.fields.retain(|path| !gone(path) && !changed.contains(path));
    }
    if let Some(existing) = existing {
        let kept = existing.fields.iter().filter(|path| has.contains(*path)).cloned();
        manager.fields = kept.collect();
        if changed.is_subset(&manager.fields) && manager.fields == existing.fields {
            manager.time = existing.time.clone();
        }
    }
    manager.fields.extend(changed);
    managers.push(manager);
    fields::set_managers(new, managers);
}

/// Whether a field only contains others
fn contains(all: &Fields, path: &[String]) -> bool {
    all.range(path.to_owned()..).nth(1).is_some_and(|next| next.starts_with(path))
}
