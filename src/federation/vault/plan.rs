//! PURE. What is, against what is wanted.

use serde_json::{Map, Value};

use super::{
    Planned, Settings, Step, mark,
    observe::{Engine, Observed},
    wanted,
};
use crate::{
    error::{Code, Error, Result},
    federation::{RightKind, Trust},
    oidc::keys_from_pem,
    plan::{self, Action, Change, FieldChange, Gate, Target},
    shell,
};

/// Mount, configuration, policy, role: each can be made only when those before it are there. What belongs to
/// somebody else and would have to change for us ends it, before anything is done.
pub(super) fn plan(settings: &Settings, want: &Trust, observed: &Observed) -> Result<Vec<Planned>> {
    if let Engine::Other(kind) = &observed.kv {
        return Err(Error::failed(
            Code::VaultKvVersion,
            format!("{} is {kind}, not KV version 2", settings.kv),
        )
        .hint(
            "name the path of a KV v2 engine as vault.kv; `vault secrets list -detailed` shows the versions",
        ));
    }
    let (mount, ours) = plan_mount(settings, want, observed)?;
    let mut changes = vec![
        mount,
        plan_config(settings, want, observed.config.as_ref(), ours)?,
        plan_policy(settings, want, observed)?,
        plan_role(settings, want, observed.role.as_ref())?,
    ];
    in_turn(settings, observed, &mut changes.iter_mut().collect::<Vec<_>>());
    Ok(changes)
}

/// The change, and whether the auth method is ours (or will be).
fn plan_mount(settings: &Settings, want: &Trust, observed: &Observed) -> Result<(Planned, bool)> {
    let object = mount_object(settings);
    let Some(mount) = &observed.mount else {
        let step = Step::Mount { description: mark::of_mount(want) };
        return Ok((
            change(Action::Create, &object, "one auth method for each issuer", Vec::new(), step),
            true,
        ));
    };
    let other_path = "choose another path: vault.mount";
    if mount.kind != "jwt" {
        return Err(Error::failed(
            Code::VaultMountInUse,
            format!(
                "auth/{} is in use by an auth method of type {}",
                settings.mount,
                mount.kind.escape_debug()
            ),
        )
        .hint(other_path));
    }
    let Some(mark) = mark::on_mount(mount) else {
        if settings.mount_from_store {
            return Err(Error::failed(
                Code::VaultMountForeign,
                format!("auth/{} was not made by keyless, and only the store names it", settings.mount),
            )
            .hint(
                "set vault.mount in keyless.yaml: to this path, to have a role added there, or to a new one",
            ));
        }
        let why = "somebody else's, of type jwt: its role is added, the rest stays as it is";
        return Ok((leave(&object, why), false));
    };
    if let Some(cluster) = mark.other_cluster(want) {
        let remedy = "give each cluster an auth method and a role of its own: vault.mount and vault.role";
        let take_over = describe(settings, want);
        return Err(mark::other_cluster(
            &format!("auth/{}", settings.mount),
            cluster,
            want,
            remedy,
            &take_over,
        ));
    }
    let why = match (mark.cluster, mark.of == mark::issuer(want)) {
        (Some(_), true) => return Ok((leave(&object, "it is ours already"), true)),
        (Some(_), false) => "it is this cluster's, which has another issuer now",
        (None, true) if mark::is_this_clusters(observed, want) => {
            "it is ours already, and does not name the cluster yet"
        }
        (None, true) => {
            return Err(Error::failed(
                Code::VaultOwnerUnknown,
                format!("auth/{} does not say which cluster it was made for", settings.mount),
            )
            .caused_by(format_args!("its description is `{}`", mount.description.escape_debug()))
            .caused_by("its configuration does not believe the keys of this cluster, so it may be another's")
            .hint("choose another path: vault.mount")
            .hint(format!("if it is this cluster's: {}, and run setup again", describe(settings, want))));
        }
        (None, false) => {
            return Err(Error::failed(
                Code::VaultOtherIssuer,
                format!("auth/{} serves another issuer, {}", settings.mount, mark.of.escape_debug()),
            )
            .hint("an auth method believes one issuer: give each cluster its own, vault.mount and vault.role")
            .hint(format!("if it is this cluster's: {}, and run setup again", describe(settings, want))));
        }
    };
    let description = mark::of_mount(want);
    let before = mount.description.escape_debug().to_string();
    let difference = FieldChange::new("description", Some(before.into()), Some(description.clone().into()));
    Ok((change(Action::Update, &object, why, vec![difference], Step::Describe { description }), true))
}

/// The command that writes the mark of this cluster on the auth method.
fn describe(settings: &Settings, want: &Trust) -> String {
    format!(
        "`vault write sys/mounts/auth/{}/tune description={}`",
        settings.mount,
        shell::quote(&mark::of_mount(want))
    )
}

fn plan_config(
    settings: &Settings,
    want: &Trust,
    have: Option<&Map<String, Value>>,
    ours: bool,
) -> Result<Planned> {
    let object = format!("configuration of auth/{}", settings.mount);
    let wanted = wanted::config(settings, want)?;
    let empty = Map::new();
    let have = have.unwrap_or(&empty);
    let differences = differences(have, &wanted, &wanted::CONFIG_FIELDS);
    if wanted::CONFIG_FIELDS.iter().all(|field| have.get(*field).is_none_or(wanted::is_empty)) {
        let why = format!("it believes tokens of {} only", want.issuer);
        let step = Step::Configure(wanted::keep(wanted, have));
        return Ok(change(Action::Create, &object, why, differences, step));
    }
    if differences.is_empty() {
        return Ok(leave(&object, "it is right already"));
    }
    if ours {
        let why = "it is ours and differs from what is wanted";
        // Tokens of the issuer that is trusted now are refused from then on.
        let moves = |change: &FieldChange| change.path == "bound_issuer" && change.before.is_some();
        let gate = differences.iter().any(moves).then_some(Gate::AfterIssuerSwitch);
        let step = Step::Configure(wanted::keep(wanted, have));
        let mut change = change(Action::Update, &object, why, differences, step);
        change.step.gate = gate;
        return Ok(change);
    }
    let mut error = Error::failed(
        Code::VaultConfigForeign,
        format!("auth/{} is somebody else's, and is configured otherwise", settings.mount),
    );
    for difference in differences {
        error = error.caused_by(difference.in_words());
    }
    Err(error
        .hint("choose a path of its own: vault.mount")
        .hint("or let its owner bring the configuration in line with what is wanted"))
}

fn plan_policy(settings: &Settings, want: &Trust, observed: &Observed) -> Result<Planned> {
    let object = policy_object(settings);
    let wanted = wanted::policy(settings, want)?;
    let step = Step::WritePolicy(wanted.clone());
    let first_line = |text: &str| text.lines().next().unwrap_or_default().trim().escape_debug().to_string();
    let Some(have) = observed.policy.as_deref() else {
        let reads = want.rights.iter().filter(|right| right.kind == RightKind::Read).count();
        let why = match (reads, want.rights.len() - reads) {
            (0, 0) => "no secret is named yet: it gives nothing".to_owned(),
            (1, 0) => "reading this one secret and ending its own login, nothing else".to_owned(),
            (many, 0) => format!("reading these {many} secrets and ending its own login, nothing else"),
            (many, others) => format!("reading {many} secrets and {others} more rights, nothing else"),
        };
        let wanted = FieldChange::new("policy", None, Some(one_line(&wanted).into()));
        return Ok(change(Action::Create, &object, why, vec![wanted], step));
    };
    let mark = mark::on_policy(have);
    let remedy = "choose another name for the role, which the policy's name follows from: vault.role";
    if let Some(cluster) = mark.as_ref().and_then(|mark| mark.other_cluster(want)) {
        let take_over = format!("`vault policy delete {}`", wanted::policy_name(settings));
        return Err(mark::other_cluster(&object, cluster, want, remedy, &take_over));
    }
    if !mark.is_some_and(|mark| mark::is_for_role(&mark, settings)) {
        return Err(Error::failed(Code::VaultPolicyForeign, format!("{object} is somebody else's"))
            .caused_by(format_args!(
                "it begins with `{}`, not with `{}`",
                first_line(have),
                first_line(&wanted)
            ))
            .hint(remedy));
    }
    // Its first line names the role alone; the auth method that the role is in must say whose that is.
    if mark.is_some_and(|mark| mark.cluster.is_none()) && !mark::is_this_clusters(observed, want) {
        let take_over = format!("`vault policy delete {}`", wanted::policy_name(settings));
        return Err(Error::failed(
            Code::VaultOwnerUnknown,
            format!("{object} does not say which cluster it was made for"),
        )
        .hint(remedy)
        .hint(format!("if it is this cluster's: {take_over}, and run setup again")));
    }
    if have.trim() == wanted.trim() {
        return Ok(leave(&object, "it is right already"));
    }
    let texts = [
        ("first line", first_line(have), first_line(&wanted)),
        ("policy", one_line(have), one_line(&wanted)),
    ];
    let differences = texts
        .into_iter()
        .filter(|(_, have, want)| have != want)
        .map(|(field, have, want)| FieldChange::new(field, Some(have.into()), Some(want.into())));
    Ok(change(
        Action::Update,
        &object,
        "it is ours and differs from what is wanted",
        differences.collect(),
        step,
    ))
}

fn plan_role(settings: &Settings, want: &Trust, have: Option<&Map<String, Value>>) -> Result<Planned> {
    let object = role_object(settings);
    let wanted = wanted::role(settings, want)?;
    let step = Step::WriteRole(wanted.clone());
    let Some(have) = have else {
        let differences = differences(&Map::new(), &wanted, &wanted::ROLE_FIELDS);
        let why = format!("tokens of {} are let in, for {} minutes", want.workload, wanted::TTL / 60);
        return Ok(change(Action::Create, &object, why, differences, step));
    };
    if !is_our_role(settings, have) {
        return Err(Error::failed(Code::VaultRoleForeign, format!("{object} is somebody else's"))
            .caused_by(format_args!(
                "it gives {}, and not {}",
                have.get("token_policies")
                    .and_then(|it| shown("token_policies", it))
                    .unwrap_or("none".into()),
                wanted::policy_name(settings)
            ))
            .hint("choose another name: vault.role"));
    }
    let differences = differences(have, &wanted, &wanted::ROLE_FIELDS);
    if differences.is_empty() {
        return Ok(leave(&object, "it is right already"));
    }
    Ok(change(Action::Update, &object, "it is ours and differs from what is wanted", differences, step))
}

/// The fields that differ. What the wanted object does not name must be empty.
fn differences(have: &Map<String, Value>, wanted: &Value, fields: &[&str]) -> Vec<FieldChange> {
    let differ = fields.iter().filter_map(|field| {
        let have = have.get(*field).unwrap_or(&Value::Null);
        let want = wanted.get(*field).unwrap_or(&Value::Null);
        let same = (wanted::is_empty(have) && wanted::is_empty(want)) || same(field, have, want);
        (!same).then(|| FieldChange::new(*field, shown(field, have), shown(field, want)))
    });
    differ.collect()
}

/// Lists are sets, and PEM loses its last line break on the way. All other text is compared byte for byte.
fn same(field: &str, one: &Value, other: &Value) -> bool {
    let pem = field.ends_with("_ca_pem") || field == "jwt_validation_pubkeys";
    match (one, other) {
        (Value::String(one), Value::String(other)) if pem => one.trim() == other.trim(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().all(|item| other.iter().any(|other| same(field, item, other)))
        }
        _ => one == other,
    }
}

/// A value for people: keys by their `kid`, certificates by their number. `None`: it is empty, which for Vault is the same
/// as absent.
fn shown(field: &str, value: &Value) -> Option<Value> {
    if wanted::is_empty(value) {
        return None;
    }
    Some(match value {
        Value::String(text) if field.ends_with("_ca_pem") => {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.trim().as_bytes());
            let digest: String = digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let count = text.matches("-----BEGIN").count();
            let certificates = if count == 1 { "certificate" } else { "certificates" };
            format!("{count} {certificates} (SHA-256 {digest}…)").into()
        }
        Value::String(text) if text.starts_with("-----BEGIN") => match keys_from_pem(text.as_bytes(), "it") {
            Ok(keys) => keys.iter().map(|key| key.kid().to_owned()).collect::<Vec<_>>().join(", ").into(),
            Err(_) => "a key that cannot be read".into(),
        },
        Value::String(text) => text.escape_debug().to_string().into(),
        Value::Array(items) => items.iter().filter_map(|item| shown(field, item)).collect(),
        other => other.clone(),
    })
}

fn one_line(policy: &str) -> String {
    let lines = policy.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join(" ");
    if text.is_empty() { "no right".to_owned() } else { text }
}

/// A role is ours when it gives our policy, alone or with others.
pub(super) fn is_our_role(settings: &Settings, role: &Map<String, Value>) -> bool {
    let policies = role.get("token_policies").and_then(Value::as_array);
    let ours = wanted::policy_name(settings);
    policies.is_some_and(|policies| policies.iter().any(|policy| policy.as_str() == Some(&ours)))
}

pub(super) fn mount_object(settings: &Settings) -> String {
    format!("auth method {} (jwt)", settings.mount)
}

pub(super) fn policy_object(settings: &Settings) -> String {
    format!("policy {}", wanted::policy_name(settings))
}

pub(super) fn role_object(settings: &Settings) -> String {
    format!("role {} of auth/{}", settings.role, settings.mount)
}

pub(super) fn leave(object: &str, why: impl Into<String>) -> Planned {
    Change::no_op(Target::ProviderResource, object, why)
}

/// What it needs, and what it waits for, is filled in by [`in_turn`].
pub(super) fn change(
    action: Action,
    object: &str,
    why: impl Into<String>,
    fields: Vec<FieldChange>,
    act: Step,
) -> Planned {
    Change::new(step(action, object, why).fields(fields), act)
}

pub(super) fn step(action: Action, object: &str, why: impl Into<String>) -> plan::Step {
    plan::Step::new(Target::ProviderResource, action, object, why)
}

/// One after the other. Each names the capabilities that it takes, and those that the token lacks: said before anything
/// is done.
pub(super) fn in_turn(settings: &Settings, observed: &Observed, changes: &mut [&mut Planned]) {
    let mut before: Option<String> = None;
    for change in changes {
        let Some(act) = &change.act else { continue };
        let (path, takes) = (wanted::path_of(settings, act), wanted::capabilities_of(act));
        let mut needs = format!("{} on {path}", takes.join(", "));
        // Which of `create` and `update` is asked for, the server decides by what is there.
        let writes = ["create", "update"];
        let gives = |has: &str, one: &str| has == one || (writes.contains(&one) && writes.contains(&has));
        if let Some(has) = observed.capabilities.get(&path) {
            let lacks = |one: &&&str| !has.iter().any(|has| has == "root" || gives(has, one));
            let lacks: Vec<_> = takes.iter().filter(lacks).copied().collect();
            if !lacks.is_empty() {
                needs.push_str(&format!("; this token lacks {}", lacks.join(", ")));
            }
        }
        change.step.requires = vec![needs];
        change.step.depends_on = before.replace(change.step.name.clone()).into_iter().collect();
    }
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod cluster_tests;

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;
