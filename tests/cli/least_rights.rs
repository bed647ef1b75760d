//! The ClusterRoles of `deploy/` beside the program: with exactly these rights everything goes, and each is needed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    estate::Estate,
    world::{ISSUER, Ran, World},
};

pub(crate) const USER: &str = "auditor";
const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Verb and resource of each single right in the roles of this folder, and the namespace that it is for; paths as they are.
pub(crate) fn rights(folder: &str) -> Vec<Given> {
    let objects = manifests(folder, "rbac.yaml");
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = Vec::new();
    for role in objects.iter().filter(|object| object["kind"].as_str().unwrap().ends_with("Role")) {
        let namespace = role["metadata"]["namespace"].as_str().map(str::to_owned);
        for rule in role["rules"].as_array().unwrap() {
            let group = rule["apiGroups"][0].as_str().unwrap_or_default();
            assert!(!texts(&rule["verbs"]).contains(&"*".to_owned()), "{rule}");
            for resource in texts(&rule["resources"]) {
                let resource = if group.is_empty() { resource } else { format!("{resource}.{group}") };
                let given = |verb| Given { verb, resource: resource.clone(), namespace: namespace.clone() };
                rights.extend(texts(&rule["verbs"]).into_iter().map(given));
            }
            let path = |resource| Given { verb: "get".into(), resource, namespace: None };
            rights.extend(texts(&rule["nonResourceURLs"]).into_iter().map(path));
        }
    }
    rights
}

#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) verb: String,
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
}

/// A user to whom the roles of these folders are bound, and who has no other right.
pub(crate) fn user(world: &World, folders: &[&str]) {
    world.cluster.add_user(USER, &[]);
    for folder in folders {
        for object in manifests(folder, "rbac.yaml") {
            let kind = object["kind"].as_str().unwrap();
            if kind.ends_with("Role") {
                let name = &object["metadata"]["name"];
                let mut metadata = json!({"name": format!("{USER}-{folder}-{}", name.as_str().unwrap())});
                if kind == "Role" {
                    metadata["namespace"] = object["metadata"]["namespace"].clone();
                }
                world.cluster.put_object(
                    json!({"apiVersion": RBAC, "kind": format!("{kind}Binding"), "metadata": metadata,
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
                    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}]}),
                );
            }
            world.cluster.put_object(object);
        }
    }
    world.cluster.kubeconfig_as(world.dir.path(), USER);
}

/// The objects of a file in a folder of `deploy/`.
fn manifests(folder: &str, file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder).join(file);
    serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn lifecycle_succeeds_with_exactly_its_rights() {
    let estate = Estate::new();
    user(&estate.world, &["auditor", "setup"]);
    let run = |arguments: &[&str]| -> Ran {
        let mut command = estate.command(arguments);
        command.env("KUBECONFIG", estate.world.dir.path().join(format!("{USER}.kubeconfig")));
        command.output().unwrap().into()
    };
    run(&["setup", "--yes", "--watch-for", "0s"]).ends(0);
    run(&["setup", "--undo", "--yes"]).ends(0);
    run(&["setup", "--yes", "--watch-for", "0s", "--retire-key", "--force-sync"]).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    run(&["audit"]).ends(0).says("ZERO");
    run(&["teardown", "--yes"]).ends(0);
    run(&["teardown", "--yes"]).ends(0).says("nothing to remove");
}

/// The CronJob of `deploy/base` as the API server knows it: its ServiceAccount, and what it is allowed.
struct Job {
    world: World,
    namespace: String,
    account: String,
    /// Whom its settings have test tokens minted for.
    probe: String,
    kubeconfig: PathBuf,
}

impl Job {
    fn new() -> Self {
        let world = World::new(2);
        for file in ["namespace.yaml", "service-account.yaml", "rbac.yaml", "ledger.yaml"] {
            manifests("base", file).into_iter().for_each(|object| world.cluster.put_object(object));
        }
        let job = manifests("base", "cron-job.yaml").remove(0);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let namespace = text(&job["metadata"]["namespace"]);
        let account = text(&job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"]);
        let settings = manifests("base", "keyless.yaml").remove(0);
        let probe = text(&settings["cluster"]["serviceAccount"]);
        // Without what every ServiceAccount of an ordinary cluster may do: an administrator may have taken it away.
        world.cluster.add_user(&format!("system:serviceaccount:{namespace}:{account}"), &[]);
        let kubeconfig = world.cluster.kubeconfig_of_service_account(world.dir.path(), &namespace, &account);
        let settings = format!("apiVersion: keyless/v1\ncluster: {{uid: {}}}\n", world.cluster_uid());
        fs::write(world.dir.path().join("keyless.yaml"), settings).unwrap();
        Self { world, namespace, account, probe, kubeconfig }
    }

    fn publish(&self, service_account: &str) -> Ran {
        let bucket = format!("file://{}", self.world.www.display());
        let arguments = ["publish", "--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"];
        let mut command = self.world.command(&arguments);
        command.args(["--service-account", service_account]).env("KUBECONFIG", &self.kubeconfig);
        command.output().unwrap().into()
    }

    /// The status of a TokenRequest with the job's own token.
    fn mint(&self, namespace: &str, name: &str, audience: &str) -> String {
        let kubeconfig: Value =
            serde_saphyr::from_str(&fs::read_to_string(&self.kubeconfig).unwrap()).unwrap();
        let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": 315_360_000}});
        let server = self.world.cluster.server(0).url();
        let ran = Command::new("curl")
            .args(["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(self.world.dir.path().join("ca.pem"))
            .args(["-H", &format!("Authorization: Bearer {token}"), "-H", "Content-Type: application/json"])
            .args(["-d", &request.to_string()])
            .arg(format!("{server}/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"))
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap()
    }
}

#[test]
fn job_publishes_with_exactly_its_rights() {
    let job = Job::new();
    job.publish(&job.probe).ends(0).says("published: 1 key");
    job.publish(&job.probe).ends(0).says("unchanged: 1 key");
    for object in manifests("base", "rbac.yaml").into_iter().filter(|object| object.get("rules").is_some()) {
        for (number, rule) in object["rules"].as_array().unwrap().iter().enumerate() {
            let mut fewer = object.clone();
            fewer["rules"].as_array_mut().unwrap().remove(number);
            job.world.cluster.put_object(fewer);
            let named = if rule["nonResourceURLs"].is_null() {
                &rule["resources"][0]
            } else {
                &rule["nonResourceURLs"][0]
            };
            // Without the ledger the keys are published all the same, and none is removed.
            let exit = if named == "configmaps" { 0 } else { 3 };
            job.publish(&job.probe).ends(exit).says(named.as_str().unwrap()).says("hint: ");
            job.world.cluster.put_object(object.clone());
        }
    }
    job.publish(&job.probe).ends(0);
}

/// The bucket trusts the job's own ServiceAccount: with a right to mint tokens of it, one stolen token would be all.
#[test]
fn job_cannot_mint_its_own_token() {
    let job = Job::new();
    let own = format!("{}/{}", job.namespace, job.account);
    assert_ne!(own, job.probe);
    job.publish(&own).fails(
        3,
        "cluster-forbidden",
        &["serviceaccounts/token", &format!("`{}`", job.account)],
    );
    let (namespace, probe) = job.probe.split_once('/').unwrap();
    for audience in ["sts.amazonaws.com", "https://iam.googleapis.com/projects/1/x", "keyless"] {
        assert_eq!(job.mint(&job.namespace, &job.account, audience), "403", "{audience}");
        assert_eq!(job.mint(&job.namespace, "default", audience), "403");
        assert_eq!(job.mint("default", "default", audience), "403");
        assert_eq!(job.mint("kube-system", probe, audience), "403");
        assert_eq!(job.mint(namespace, probe, audience), "201", "of the account that nothing trusts");
    }
}

#[test]
fn nothing_in_deploy_trusts_the_probe() {
    let job = Job::new();
    let (_, probe) = job.probe.split_once('/').unwrap();
    let mut bindings = 0;
    for folder in ["base", "deployment", "keys", "auditor", "coupling", "setup"] {
        for object in manifests(folder, "rbac.yaml") {
            let subjects = object["subjects"].as_array().into_iter().flatten();
            for subject in subjects {
                bindings += 1;
                assert_ne!(subject["name"], probe, "{object:#}");
                assert_ne!(subject["kind"], "Group", "a group may hold it: {object:#}");
            }
        }
    }
    assert!(bindings > 3);
    let account =
        manifests("base", "service-account.yaml").into_iter().find(|it| it["metadata"]["name"] == probe);
    assert_eq!(account.unwrap()["automountServiceAccountToken"], false);
    // What the buckets are told to trust is the job's own account.
    for folder in ["aws", "gcp"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder).join("kustomization.yaml");
        let subject = format!("system:serviceaccount:{}:{}", job.namespace, job.account);
        assert!(fs::read_to_string(path).unwrap().contains(&format!("{subject} ")), "{folder}");
    }
}

/// What may not be looked at may hold or use the key: each of these rights that is missing is named, and the key stays.
#[test]
fn missing_right_to_look_keeps_key() {
    let rights = [rights("auditor"), rights("setup")].concat();
    let looks: Vec<_> = rights
        .iter()
        .filter(|Given { verb, resource, namespace }| {
            let plain = ["configmaps", "pods", "secrets", "serviceaccounts"].contains(&resource.as_str());
            namespace.is_none()
                && verb == "list"
                && (plain || resource.ends_with(".apps") || resource.ends_with(".batch"))
        })
        .collect();
    assert!(looks.len() >= 8, "{looks:?}");
    let estate = Estate::new();
    user(&estate.world, &["auditor", "setup"]);
    let run = |arguments: &[&str]| -> Ran {
        let mut command = estate.command(arguments);
        command.env("KUBECONFIG", estate.world.dir.path().join(format!("{USER}.kubeconfig")));
        command.output().unwrap().into()
    };
    for Given { verb, resource, .. } in looks {
        // Where the operator may run is looked at before anything else.
        let of_operator = ["daemonsets", "deployments", "statefulsets"];
        let code = match of_operator.iter().any(|kind| resource.starts_with(kind)) {
            true => "cluster-not-seen",
            false => "users-not-seen",
        };
        estate.world.cluster.deny(USER, verb, resource);
        run(&["setup", "--yes", "--watch-for", "0s"]).fails(3, code, &[&format!("{verb} {resource}")]);
        assert_eq!(estate.key_disabled(), Some(false), "{resource}");
        estate.world.cluster.forgive(USER);
    }
    run(&["setup", "--yes", "--watch-for", "0s"]).ends(0);
    assert_eq!(estate.key_disabled(), Some(true));
}
