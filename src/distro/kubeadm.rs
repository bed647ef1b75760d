//! kubeadm: `apiServer.extraArgs` of its ClusterConfiguration, from which the static pod's manifest is made.
//!
//! Since v1beta4 (kubeadm 1.31) extraArgs is a list and can repeat a flag. Before, it is a map, in which the last
//! issuer would win: there the second one is added to the manifest by a patch. Naming a flag drops kubeadm's own
//! value of it, so all values are named.

use serde_json::{Map, Value, json};

use super::{
    Action, File, Flag, ISSUER_FLAG, IssuerChange, Note, Rollout, Stage, flags,
    keys::{KeyChange, StagedKeys},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
    static_pods, yaml,
};
use crate::{
    error::{Code, Error, Result},
    oidc::SignedIssuer,
    shell,
};

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "kubeadm",
    title: "kubeadm",
    detect: |it| it.cluster_configuration.is_some(),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        present,
        rollout,
        notes,
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "kubeadm: the keys are /etc/kubernetes/pki/sa.pub and sa.key, equal on all control plane nodes; the flags are in \
                /etc/kubernetes/manifests/kube-apiserver.yaml, or in apiServer.extraArgs; all steps: keyless render rotation --distro \
                kubeadm",
        serve: || static_pods::serve(PKI, ON_NODES, static_pods::READY),
        sign: || static_pods::sign(PKI, ON_NODES, static_pods::READY),
        remove: || static_pods::remove(PKI, ON_NODES, static_pods::READY),
    }),
};

const PKI: &str = "/etc/kubernetes/pki";
const ON_NODES: &str = "On each control plane node, one after the other, as root.";

const FILE: &str = "/etc/kubernetes/keyless/cluster.yaml";
const NODE_FILE: &str = "/etc/kubernetes/keyless/node.yaml";
const PATCHES: &str = "/etc/kubernetes/keyless/patches";
/// The first kubeadm that reads v1beta4.
const LISTS_SINCE: u32 = 31;

/// How extraArgs is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// v1beta4: `[{name, value}]`
    List,
    /// v1beta3 and before: `{name: value}`
    Map,
}

/// `given`: the old issuers that were told. What was derived is derived again when the command shown is run.
fn rollout(
    change: &IssuerChange,
    given: &[SignedIssuer],
    present: &Present,
    stage: Stage,
) -> Result<Rollout> {
    let flags = flags(change, stage);
    let mut config = match &change.cluster_configuration {
        Some(text) => parse(text)?,
        None => {
            let version =
                if change.minor.is_some_and(|minor| minor < LISTS_SINCE) { "v1beta3" } else { "v1beta4" };
            object(
                json!({ "apiVersion": format!("kubeadm.k8s.io/{version}"), "kind": "ClusterConfiguration" }),
            )
        }
    };
    let version = config.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let form = form(&config)?;
    let (args, patched) = match form {
        Form::List => (list(&config, &flags), Vec::new()),
        Form::Map => map(&config, &flags),
    };
    let api_server = config.entry("apiServer").or_insert_with(|| json!({}));
    let Some(api_server) = api_server.as_object_mut() else {
        return Err(unreadable("apiServer is not an object"));
    };
    api_server.insert("extraArgs".to_owned(), args);

    let mut content = String::new();
    if change.cluster_configuration.is_none() {
        content.push_str(
            "# A part: put apiServer.extraArgs into the cluster's own configuration (ConfigMap kube-system/kubeadm-config).\n",
        );
    }
    content.push_str(&yaml(&Value::Object(config))?);
    let mut files = vec![File { path: FILE.to_owned(), content }];
    let mut node = json!({
        "apiVersion": version,
        "kind": "InitConfiguration",
        "localAPIEndpoint": { "advertiseAddress": "ADDRESS-OF-THIS-NODE" },
    });
    if !patched.is_empty() && version == "kubeadm.k8s.io/v1beta2" {
        return Err(unreadable("v1beta2 takes no patches, and extraArgs hold one issuer"));
    }
    if !patched.is_empty() {
        let patch: Vec<_> = patched
            .iter()
            .map(|flag| {
                json!({ "op": "add", "path": "/spec/containers/0/command/-", "value": format!("--{}={}", flag.name, flag.value) })
            })
            .collect();
        let path = format!("{PATCHES}/kube-apiserver0+json.yaml");
        files.push(File { path, content: yaml(&Value::Array(patch))? });
        // kubeadm takes no --patches beside --config.
        node["patches"] = json!({ "directory": PATCHES });
    }
    files.push(File { path: NODE_FILE.to_owned(), content: yaml(&node)? });
    Ok(Rollout { stage, flags, files, steps: steps(change, given, present, stage) })
}

/// What a configuration says of the API servers as they are.
fn present(change: &IssuerChange) -> Result<Present> {
    let Some(cluster_configuration) = &change.cluster_configuration else { return Ok(Present::default()) };
    let config = parse(cluster_configuration)?;
    let issuers = values(&config, ISSUER_FLAG);
    let named = issuers.iter().map(|text| text.parse::<SignedIssuer>().map_err(Error::into_usage));
    let domain = config.get("networking").and_then(|it| it.get("dnsDomain")).and_then(Value::as_str);
    // kubeadm's own default for a whole configuration; a part that has no networking does not say it.
    let domain = domain.filter(|domain| !domain.is_empty()).map(str::to_owned);
    let audiences = values(&config, "api-audiences");
    Ok(Present {
        named: named.collect::<Result<_>>()?,
        domain,
        audiences: audiences
            .iter()
            .flat_map(|list| list.split(','))
            .map(|text| text.trim().to_owned())
            .collect(),
    })
}

/// The values of a flag in extraArgs, in both of its forms.
fn values(config: &Map<String, Value>, flag: &str) -> Vec<String> {
    let args = config.get("apiServer").and_then(|server| server.get("extraArgs"));
    let value = |value: &Value| value.as_str().map(str::to_owned);
    match args {
        Some(Value::Array(list)) => list
            .iter()
            .filter(|entry| entry.get("name").and_then(Value::as_str) == Some(flag))
            .filter_map(|entry| entry.get("value").and_then(value))
            .collect(),
        Some(Value::Object(map)) => map.get(flag).and_then(value).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn notes(change: &IssuerChange) -> Vec<Note> {
    let mut notes = vec![
        Note::always(
            "kubeadm: see what each API server runs with now: `grep -e --service-account-issuer -e --api-audiences \
             /etc/kubernetes/manifests/kube-apiserver.yaml`.",
        ),
        Note::always(
            "kubeadm: an upgrade writes the manifest again from the ConfigMap kubeadm-config: change both.",
        ),
        Note::new(
            "kubeadm: naming a flag drops kubeadm's own values of it; if you add a service-account-key-file, name sa.pub as well.",
        ),
    ];
    if change.cluster_configuration.is_none() {
        notes.push(Note::always(
            "kubeadm: what is shown is a part. Used alone it would reset networks, certificates' names and everything else to \
             defaults: give the cluster's own configuration (--cluster-configuration) to get the whole.",
        ));
    }
    if change.minor.is_some_and(|minor| minor < LISTS_SINCE) {
        notes.push(Note::always(format!(
            "kubeadm before 1.{LISTS_SINCE}: extraArgs cannot repeat a flag, so the other issuers are added by a patch; give \
             `--patches {PATCHES}` to every later `kubeadm upgrade`."
        )));
    }
    notes
}

fn steps(change: &IssuerChange, given: &[SignedIssuer], present: &Present, stage: Stage) -> Vec<Action> {
    let action = |what: String, commands: &[&str]| Action {
        what,
        commands: commands.iter().map(|command| (*command).to_owned()).collect(),
    };
    let quoted = |issuer: &SignedIssuer| shell::quote(issuer.as_str());
    let accepted: String = given.iter().map(|issuer| format!(" --old-issuer {}", quoted(issuer))).collect();
    let phase = format!("kubeadm init phase control-plane apiserver --config {NODE_FILE}");
    let mut steps = vec![
        action(
            "Once: the cluster's own configuration, with the change, judged by kubeadm.".to_owned(),
            &[
                "kubectl -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' > now.yaml",
                &format!(
                    "keyless render issuer --distro kubeadm --issuer {}{accepted} --servers {} --stage {} \
                     --cluster-configuration now.yaml > cluster.yaml",
                    quoted(&change.issuer),
                    change.servers.max(1),
                    match stage {
                        Stage::Accept => "accept",
                        Stage::Sign => "sign",
                    }
                ),
                "kubeadm config validate --config cluster.yaml",
            ],
        ),
        action(
            format!(
                "On each control-plane node, one after the other, as root: {NODE_FILE} is the InitConfiguration shown, with this \
                 node's own address, then `---`, then cluster.yaml. The dry run may differ from the manifest in the issuer's flags only."
            ),
            &[&format!("{phase} --dry-run"), &phase, "kubectl get --raw /readyz"],
        ),
        action(
            "Once, after the last node: the ConfigMap, so that an upgrade keeps the change.".to_owned(),
            &["kubeadm init phase upload-config kubeadm --config cluster.yaml"],
        ),
    ];
    steps.push(match stage {
        // What is pinned says nothing of issuers.
        Stage::Accept if !present.audiences.is_empty() => action(
            "Check before you continue: each API server runs with both issuers.".to_owned(),
            &["kubectl -n kube-system get pods -l component=kube-apiserver -o yaml | grep -e '- --service-account-issuer='"],
        ),
        Stage::Accept => action(
            "Check before you continue: `aud` of a token made on each server names both issuers.".to_owned(),
            &["kubectl create token default | cut -d. -f2 | base64 -d 2>/dev/null | grep -o '\"aud\":[^]]*'"],
        ),
        Stage::Sign => action(
            format!("Check: every server signs as {}, and relying parties accept it.", change.issuer),
            &[&format!("keyless verify --issuer {}", quoted(&change.issuer))],
        ),
    });
    steps
}

/// The other arguments as they were, then ours in their order.
fn list(config: &Map<String, Value>, flags: &[Flag]) -> Value {
    let replaced = |name: Option<&str>| name.is_some_and(|name| flags.iter().any(|flag| flag.name == name));
    let have = config.get("apiServer").and_then(|server| server.get("extraArgs")).and_then(Value::as_array);
    let others = have.into_iter().flatten();
    let others = others.filter(|entry| !replaced(entry.get("name").and_then(Value::as_str))).cloned();
    let ours = flags.iter().map(|flag| json!({ "name": flag.name, "value": flag.value }));
    others.chain(ours).collect()
}

/// One value of each flag, and what is left for the patch.
fn map(config: &Map<String, Value>, flags: &[Flag]) -> (Value, Vec<Flag>) {
    let have = config.get("apiServer").and_then(|server| server.get("extraArgs")).and_then(Value::as_object);
    let mut args = have.cloned().unwrap_or_default();
    let mut patched = Vec::new();
    let mut issuers = 0;
    for flag in flags {
        if flag.name == ISSUER_FLAG {
            issuers += 1;
        }
        if flag.name == ISSUER_FLAG && issuers > 1 {
            patched.push(flag.clone());
        } else {
            args.insert(flag.name.to_owned(), Value::from(flag.value.as_str()));
        }
    }
    (Value::Object(args), patched)
}

fn form(config: &Map<String, Value>) -> Result<Form> {
    match config.get("apiVersion").and_then(Value::as_str) {
        Some("kubeadm.k8s.io/v1beta4") => Ok(Form::List),
        Some("kubeadm.k8s.io/v1beta3" | "kubeadm.k8s.io/v1beta2") => Ok(Form::Map),
        other => Err(unreadable(&format!("apiVersion {}", other.unwrap_or("is missing").escape_debug()))),
    }
}

fn parse(text: &str) -> Result<Map<String, Value>> {
    let value: Value =
        serde_saphyr::from_str(text).map_err(|error| unreadable("it is not YAML").caused_by_chain(&error))?;
    match value {
        Value::Object(config)
            if config.get("kind").and_then(Value::as_str) == Some("ClusterConfiguration") =>
        {
            Ok(config)
        }
        Value::Object(config)
            if config.get("data").and_then(|data| data.get("ClusterConfiguration")).is_some() =>
        {
            Err(unreadable("it is the whole ConfigMap"))
        }
        _ => Err(unreadable("its kind is another")),
    }
}

fn unreadable(why: &str) -> Error {
    Error::usage(
        Code::ClusterConfiguration,
        format!("this is not a ClusterConfiguration that can be changed: {why}"),
    )
    .hint("kubectl -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}'")
    .hint("an older form than v1beta2: `kubeadm config migrate` first")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
