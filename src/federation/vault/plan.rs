//! PURE. What is, against what is wanted.

use serde_json::{Map, Value};

use super::{
    Planned, Settings, Step, held, mark,
    observe::{Engine, Observed},
    obstacle, refusal, wanted,
    workloads::lets_in,
};
use crate::{
    error::{Code, Error, Result},
    federation::{
        Lack, Naming, RightKind, Trust, Workload,
        resource::{change, leave},
    },
    oidc::keys_from_pem,
    plan::{
        self, Action, Desired, FieldChange, Fit, Foreign, Gate, Permits, UNCHANGED, decide,
        ownership::{Owner, Ownership},
    },
};

/// Why one of ours is updated.
const DIFFERS: &str = "it is ours and differs from what is wanted";

/// Mount and configuration: what all workloads share. What belongs to another owner and would have to change for us ends it,
/// before anything is done.
pub(super) fn plan_shared(settings: &Settings, want: &Trust, observed: &Observed) -> Result<Vec<Planned>> {
    if let Engine::Other(kind) = &observed.kv {
        return Err(Error::failed(
            Code::VaultKvVersion,
            format!("{} is {kind}, not KV version 2", settings.kv),
        )
        .hint(
            "name the path of a KV v2 engine as vault.kv; `vault secrets list -detailed` shows the versions",
        ));
    }
    let (mount, owner) = plan_mount(settings, want, observed)?;
    let mut changes = vec![mount, plan_config(settings, want, observed.config.as_ref(), owner)?];
    in_turn(settings, observed, &mut changes.iter_mut().collect::<Vec<_>>(), None);
    Ok(changes)
}

/// Policy and role of a workload; `settings` name its role. Each can be made only when what comes `before` is there.
pub(super) fn plan_workload(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    observed: &Observed,
    before: Option<String>,
) -> Result<Vec<Planned>> {
    let mut changes = vec![
        plan_policy(settings, want, workload, observed)?,
        plan_role(settings, want, workload, observed)?,
    ];
    in_turn(settings, observed, &mut changes.iter_mut().collect::<Vec<_>>(), before);
    Ok(changes)
}

/// The change, and whose the auth method is, or will be.
fn plan_mount(settings: &Settings, want: &Trust, observed: &Observed) -> Result<(Planned, Ownership)> {
    let object = mount_object(settings);
    let description = mark::of_mount(want);
    let mount = observed.mount.as_ref();
    // Older marks do not name the cluster.
    let is_marked = |mount| {
        mark::on_mount(mount)
            .is_some_and(|mark| mark.of == mark::issuer(want) && mark.owner(&want.cluster_id) == Owner::This)
    };
    let ownership = mount.map_or(Ownership::This, |mount| mark::mount_ownership(mount, observed, want));
    let seen = mount.map_or(plan::Observed::Absent, |mount| {
        let fit = match ownership {
            _ if mount.kind != "jwt" => Fit::Unfit,
            // Only a role is added there.
            Ownership::Foreign => Fit::Equal,
            _ => Fit::of(is_marked(mount)),
        };
        plan::Observed::active(ownership, fit)
    });
    // That only the store names it does not show that it may be used.
    let foreign = if settings.mount_from_store { Foreign::Refuse } else { Foreign::Use };
    let action = decide(Desired::Present(Permits { create: true, foreign }), seen)
        .map_err(|obstacle| obstacle::of_mount(settings, want, observed, obstacle))?;
    let planned = match (action, mount) {
        (Action::NoOp, _) if ownership == Ownership::Foreign => leave(
            &object,
            "keyless did not create it; it is of type jwt: its role is added, the rest stays as it is",
        ),
        (Action::NoOp, _) => leave(&object, UNCHANGED),
        (action, None) => {
            let step = Step::Mount { description };
            change(action, &object, "one auth method for each issuer", Vec::new(), step)
        }
        (action, Some(mount)) => {
            let mark = mark::on_mount(mount);
            let why = match mark.is_some_and(|mark| mark.of == mark::issuer(want)) {
                true => "it is this cluster's, and its description does not say so yet",
                false => "it is this cluster's, which has another issuer now",
            };
            let before = mount.description.escape_debug().to_string();
            let fields =
                vec![FieldChange::new("description", Some(before.into()), Some(description.clone().into()))];
            change(action, &object, why, fields, Step::Describe { description })
        }
    };
    Ok((planned, ownership))
}

/// The configuration is its auth method's owner's.
fn plan_config(
    settings: &Settings,
    want: &Trust,
    have: Option<&Map<String, Value>>,
    owner: Ownership,
) -> Result<Planned> {
    let object = format!("configuration of auth/{}", settings.mount);
    let wanted = wanted::config(settings, want)?;
    let empty = Map::new();
    let have = have.unwrap_or(&empty);
    let differences = differences(have, &wanted, &wanted::CONFIG_FIELDS);
    let is_absent = wanted::CONFIG_FIELDS.iter().all(|field| have.get(*field).is_none_or(wanted::is_empty));
    let seen = match is_absent {
        true => plan::Observed::Absent,
        false => plan::Observed::active(owner, Fit::of(differences.is_empty())),
    };
    let action = decide(Desired::Present(Permits::OURS_OR_FITTING), seen).map_err(|_| {
        let error = Error::failed(
            Code::VaultConfigForeign,
            format!("auth/{} was not made by keyless, and is configured otherwise", settings.mount),
        );
        let error = differences.iter().fold(error, |error, change| error.caused_by(change.in_words()));
        error
            .hint("choose a path of its own: vault.mount")
            .hint("or let its owner bring the configuration in line with what is wanted")
    })?;
    let why = match action {
        Action::NoOp => return Ok(leave(&object, UNCHANGED)),
        Action::Create => format!("it believes tokens of {} only", want.issuer),
        _ => DIFFERS.to_owned(),
    };
    // Tokens of the issuer that is trusted now are refused from then on.
    let moves = |change: &FieldChange| change.path == "bound_issuer" && change.before.is_some();
    let gate = (action == Action::Update && differences.iter().any(moves)).then_some(Gate::AfterIssuerSwitch);
    let step = Step::Configure(wanted::keep(wanted, have));
    let mut change = change(action, &object, why, differences, step);
    change.step.gate = gate;
    Ok(change)
}

fn plan_policy(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    observed: &Observed,
) -> Result<Planned> {
    let object = policy_object(settings);
    let have = observed.policy.as_deref();
    let ownership = have.map(|have| mark::policy_ownership(have, settings, observed, want));
    // By a role that lets in other tokens, this workload was given nothing.
    let bound = observed.role.as_ref().and_then(|role| role.get("bound_subject"));
    let is_given = ownership == Some(Ownership::This) && lets_in(bound, workload);
    let held = match have.filter(|_| is_given).map(held::held) {
        Some(None) if !workload.revokes_unused => return Err(obstacle::unread_policy(settings)),
        held => held.flatten().unwrap_or_default(),
    };
    let (rules, kept) = held::rules_of(workload, &settings.kv, &held)?;
    let wanted = wanted::policy(settings, want, &rules);
    let stays = match kept.is_empty() {
        true => String::new(),
        false => format!(
            "; as before, it also gives {}: --revoke-unused takes back what no object asks for",
            held::shown(&kept)
        ),
    };
    let seen = match (have, ownership) {
        (Some(have), Some(ownership)) => {
            plan::Observed::active(ownership, Fit::of(have.trim() == wanted.trim()))
        }
        _ => plan::Observed::Absent,
    };
    let action = decide(Desired::Present(Permits::OURS), seen)
        .map_err(|obstacle| obstacle::of_policy(settings, want, observed, &wanted, obstacle))?;
    let (why, fields) = match (action, have) {
        (Action::NoOp, _) => return Ok(leave(&object, format!("{UNCHANGED}{stays}"))),
        (_, None) => {
            let rights = &workload.rights;
            let reads = rights.iter().filter(|right| right.kind == RightKind::Read).count();
            let why = match (reads, rights.len() - reads) {
                (0, 0) => "no secret is named yet: it gives nothing".to_owned(),
                (1, 0) => "reading this one secret and ending its own login, nothing else".to_owned(),
                (many, 0) => format!("reading these {many} secrets and ending its own login, nothing else"),
                (many, others) => format!("reading {many} secrets and {others} more rights, nothing else"),
            };
            (why, vec![FieldChange::new("policy", None, Some(one_line(&wanted).into()))])
        }
        (_, Some(have)) => {
            let texts = [
                ("first line", first_line(have), first_line(&wanted)),
                ("policy", one_line(have), one_line(&wanted)),
            ];
            let differ = texts
                .into_iter()
                .filter(|(_, have, want)| have != want)
                .map(|(field, have, want)| FieldChange::new(field, Some(have.into()), Some(want.into())));
            (format!("{DIFFERS}{stays}"), differ.collect())
        }
    };
    Ok(change(action, &object, why, fields, Step::WritePolicy(wanted)))
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().escape_debug().to_string()
}

fn plan_role(settings: &Settings, want: &Trust, workload: &Workload, observed: &Observed) -> Result<Planned> {
    let object = role_object(settings);
    let wanted = wanted::role(settings, workload)?;
    let (empty, have) = (Map::new(), observed.role.as_ref());
    let differences = differences(have.unwrap_or(&empty), &wanted, &wanted::ROLE_FIELDS);
    let bound = have.and_then(|have| have.get("bound_subject")).filter(|bound| !wanted::is_empty(bound));
    if workload.naming == Naming::FromAccount && bound.is_some() && !lets_in(bound, workload) {
        // The name follows from the account: another one has it by its own right.
        return Err(obstacle::role_of_another(settings, workload, bound));
    }
    let seen = have.map_or(plan::Observed::Absent, |have| {
        let ownership = mark::role_ownership(have, settings, observed, want);
        plan::Observed::active(ownership, Fit::of(differences.is_empty()))
    });
    let action = decide(Desired::Present(Permits::OURS), seen)
        .map_err(|obstacle| obstacle::of_role(settings, want, observed, obstacle))?;
    let why = match action {
        Action::NoOp => return Ok(leave(&object, UNCHANGED)),
        Action::Create => {
            format!("tokens of {} are let in, for {} minutes", workload.account, wanted::TTL / 60)
        }
        _ => DIFFERS.to_owned(),
    };
    Ok(change(action, &object, why, differences, Step::WriteRole(wanted)))
}

/// The fields that differ. What the wanted object does not name must be empty.
pub(super) fn differences(have: &Map<String, Value>, wanted: &Value, fields: &[&str]) -> Vec<FieldChange> {
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
pub(super) fn shown(field: &str, value: &Value) -> Option<Value> {
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

pub(super) fn mount_object(settings: &Settings) -> String {
    format!("auth method {} (jwt)", settings.mount)
}

pub(super) fn policy_object(settings: &Settings) -> String {
    format!("policy {}", wanted::policy_name(settings))
}

pub(super) fn role_object(settings: &Settings) -> String {
    format!("role {} of auth/{}", settings.role, settings.mount)
}

/// The capabilities of a step that the server says this token lacks.
fn lacked(settings: &Settings, observed: &Observed, act: &Step) -> Vec<&'static str> {
    let (path, takes) = (wanted::path_of(settings, act), wanted::capabilities_of(act));
    let Some(has) = observed.capabilities.get(&path) else { return Vec::new() };
    // Which of `create` and `update` is asked for, the server decides by what is there.
    let writes = ["create", "update"];
    let gives = |has: &str, one: &str| has == one || (writes.contains(&one) && writes.contains(&has));
    let lacks = |one: &&&str| !has.iter().any(|has| has == "root" || gives(has, one));
    takes.iter().filter(lacks).copied().collect()
}

/// What the token lacks for these changes, with what grants it.
pub(super) fn lacking(settings: &Settings, observed: &Observed, changes: &[Planned]) -> Vec<Lack> {
    let lack = |change: &Planned| {
        let act = change.act.as_ref()?;
        let (path, lacks) = (wanted::path_of(settings, act), lacked(settings, observed, act));
        (!lacks.is_empty()).then(|| Lack {
            step: change.step.name.clone(),
            lacks: format!("{} on {path}", lacks.join(", ")),
            code: Code::VaultForbidden,
            hints: vec![
                refusal::needed_on(settings, &path, &lacks.join(", ")),
                refusal::whole_policy(settings),
            ],
            commands: Vec::new(),
        })
    };
    changes.iter().filter_map(lack).collect()
}

/// One after the other, the first one after `before`. Returns the last one that changes something. Each names the
/// capabilities that it takes, and those that the token lacks: reported before anything is done.
pub(super) fn in_turn(
    settings: &Settings,
    observed: &Observed,
    changes: &mut [&mut Planned],
    mut before: Option<String>,
) -> Option<String> {
    for change in changes {
        let Some(act) = &change.act else { continue };
        let (path, takes) = (wanted::path_of(settings, act), wanted::capabilities_of(act));
        let mut needs = format!("{} on {path}", takes.join(", "));
        let lacks = lacked(settings, observed, act);
        if !lacks.is_empty() {
            needs.push_str(&format!("; this token lacks {}", lacks.join(", ")));
        }
        change.step.requires = vec![needs];
        change.step.depends_on = before.replace(change.step.name.clone()).into_iter().collect();
    }
    before
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod cluster_tests;

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;
