//! `keyless setup` killed at each of its calls and started again: it must end as if nothing had happened.

use std::{
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Counted, Faults, KillSwitch, Moment, Vault};
use serde_json::{Map, Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate, store},
    long::long_or,
    world::{ISSUER, Ran},
};

/// Every kind of object in the estate, and every one that `setup` may make.
const KINDS: [&str; 14] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterSecretStore",
    "ConfigMap",
    "CustomResourceDefinition",
    "Deployment",
    "EndpointSlice",
    "ExternalSecret",
    "Namespace",
    "Role",
    "RoleBinding",
    "Secret",
    "SecretStore",
    "ServiceAccount",
];
const SERVICES: [&str; 4] = [
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "secretmanager.googleapis.com",
    "sts.googleapis.com",
];
/// Most of a case is waiting for the operator and for Google's operations.
const AT_ONCE: usize = 6;

/// At which calls it is killed, and on which side of their effect.
#[derive(Clone, Copy, Debug)]
struct Kill {
    counted: Counted,
    moment: Moment,
    every: usize,
}

const READS: Kill = Kill { counted: Counted::Reads, moment: Moment::AfterEffect, every: 1 };
const SOME_READS: Kill = Kill { every: 3, ..READS };
const BEFORE_WRITES: Kill = Kill { counted: Counted::Writes, moment: Moment::BeforeEffect, every: 1 };
const WRITES: Kill = Kill { moment: Moment::AfterEffect, ..BEFORE_WRITES };

/// One way to set up, with everything that it needs on the other side.
struct Ground {
    estate: Estate,
    vault: Option<Vault>,
    arguments: Vec<&'static str>,
}

impl Ground {
    /// The keys are uploaded to Google, and the old one is deleted.
    fn uploaded() -> Self {
        let arguments = vec!["setup", "--yes", "--watch-for", "0s", "--retire-key", "--force-sync"];
        Self { estate: Estate::new(), vault: None, arguments }
    }

    /// Google reads the documents, which a folder holds and a web server serves.
    fn documents() -> Self {
        let ground = Self::uploaded();
        let world = &ground.estate.world;
        world.cluster.change_servers(|server| server.issuers = vec![ISSUER.into(), DEFAULT_ISSUER.into()]);
        ground.estate.google.resolve("oidc.lab.test", world.web.addr());
        let bucket = format!("file://{}", world.www.display());
        ground.settings(json!({"bucket": {"url": bucket}, "issuer": ISSUER}));
        ground
    }

    /// The store goes to another provider, and the key that it leaves behind is deleted.
    fn to_vault() -> Self {
        let mut ground = Self::uploaded();
        let world = &ground.estate.world;
        let vault = Vault::start(&world.ca, &["bao.lab.test"]);
        vault.enable_kv("kv");
        vault.put_secret("kv", "db", json!({"password": "hunter2"}));
        world.internet.route("bao.lab.test", vault.addr());
        ground.settings(
            json!({"vault": {"address": "https://bao.lab.test", "kv": "kv", "mode": "static-keys"}}),
        );
        ground.vault = Some(vault);
        ground.arguments.extend(["--to", "vault", "--accept-new-secrets"]);
        ground
    }

    /// Two stores with one key, which is deleted once both have left it.
    fn several() -> Self {
        let mut ground = Self::uploaded();
        let estate = &ground.estate;
        estate.google.add_secret("api", b"x");
        estate.world.cluster.put_object(store("other", "gcp-key"));
        let data = json!([{"secretKey": "value", "remoteRef": {"key": "api"}}]);
        let other = json!({"name": "other", "kind": "ClusterSecretStore"});
        estate.user("shop", "api", &json!({"secretStoreRef": other, "data": data}));
        estate.until_read("shop", "api");
        ground.arguments.push("--all");
        ground
    }

    fn settings(&self, settings: Value) {
        let mut settings = settings;
        settings["apiVersion"] = json!("keyless/v1");
        std::fs::write(self.estate.world.dir.path().join("keyless.yaml"), settings.to_string()).unwrap();
    }

    fn command(&self) -> std::process::Command {
        let mut command = self.estate.command(&self.arguments);
        if let Some(vault) = &self.vault {
            command.env("VAULT_ADDR", "https://bao.lab.test").env("VAULT_TOKEN", vault.root_token());
        }
        command
    }

    fn run(&self) -> Ran {
        self.command().output().unwrap().into()
    }

    /// Every far side counts its calls at this switch.
    fn switch(&self, switch: &KillSwitch) {
        let world = &self.estate.world;
        let all = [self.estate.google.faults(), world.cluster.server(0).faults(), world.web.faults()];
        let all = all.into_iter().chain(self.vault.as_ref().map(Vault::faults));
        all.for_each(|faults: &Faults| faults.kill_switch(switch));
    }

    /// Runs until the call with this number among those that count, and is killed there. `false` when there were
    /// fewer.
    fn run_until(&self, kill: Kill, call: usize) -> bool {
        let child: Arc<Mutex<Option<Child>>> = Arc::default();
        let victim = child.clone();
        let switch = KillSwitch::among(kill.counted, call, kill.moment, move || {
            victim.lock().unwrap().as_mut().expect("the program runs").kill().unwrap();
        });
        self.switch(&switch);
        {
            let mut slot = child.lock().unwrap();
            *slot = Some(self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        while child.lock().unwrap().as_mut().unwrap().try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        self.switch(&KillSwitch::new(0, Moment::BeforeEffect, || ()));
        switch.tripped()
    }

    /// Everything that is left when all is done, without what differs from one estate to the next.
    fn end_state(&self) -> Value {
        let (world, google) = (&self.estate.world, &self.estate.google);
        let mut objects = Map::new();
        for object in KINDS.iter().flat_map(|kind| world.cluster.objects(kind)) {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let name =
                format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
            objects.insert(name, lasting(object));
        }
        let federation: Map<_, _> = google
            .federation()
            .into_iter()
            .map(|name| {
                let mut parts = name.split('/').skip(5).step_by(2);
                let (pool, provider) = (parts.next().unwrap(), parts.next());
                let found = match provider {
                    None => google.pool(pool),
                    Some(provider) => google.provider(pool, provider),
                };
                (name.clone(), found.unwrap())
            })
            .collect();
        let enabled = SERVICES.map(|service| (service, google.is_enabled(service)));
        let vault = self.vault.as_ref().map(|vault| {
            let mounts = vault.mounts();
            let methods =
                mounts.iter().filter_map(|(path, _)| Some(path.strip_prefix("auth/")?.trim_end_matches('/')));
            let method = |mount: &str| {
                let role = vault.jwt_role(mount, "external-secrets").unwrap_or_default();
                let policy = role["token_policies"][0].as_str().and_then(|name| vault.policy(name));
                json!([mount, vault.jwt_config(mount), role, policy])
            };
            json!({"mounts": mounts, "methods": methods.map(method).collect::<Vec<_>>()})
        });
        let file = |name: &str| std::fs::read_to_string(world.dir.path().join(name)).ok();
        let state = json!({
            "objects": objects,
            "federation": federation,
            "services": enabled.map(|(service, enabled)| json!([service, enabled])),
            "project": google.policy("project"),
            "secret": google.policy("secrets/db"),
            "account": google.policy(&format!("serviceAccounts/{}", self.estate.email)),
            "keys": google.keys(&self.estate.email),
            "vault": vault,
            "settings": file("keyless.yaml"),
            "documents": [file("www/prod/.well-known/openid-configuration"), file("www/prod/openid/v1/jwks")],
        });
        self.anonymous(&state)
    }

    /// Starts it again; what is wrong then.
    fn goes_on_otherwise_than(&self, wanted: &Value) -> Option<String> {
        let again = self.run();
        if again.code != Some(0) {
            return Some(format!(
                "started again, it ends with {:?}:\n{}{}",
                again.code, again.out, again.err
            ));
        }
        let mut wrong = Vec::new();
        differences("", wanted, &self.end_state(), &mut wrong);
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    }

    /// Every estate has keys and a name of its own.
    fn anonymous(&self, state: &Value) -> Value {
        let world = &self.estate.world;
        let system = world.cluster.object("v1", "Namespace", None, "kube-system").unwrap();
        let uid = system["metadata"]["uid"].as_str().unwrap();
        let short: String = uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let key = world.key.jwk();
        let mut text = state.to_string();
        let folder = world.dir.path().display().to_string();
        let (pem, ca) = (json!(world.key.public_pem().trim()).to_string(), STANDARD.encode(world.ca.pem()));
        for (own, name) in [
            (uid, "UID"),
            (&short, "CLUSTER"),
            (&self.estate.key_id, "KEY-ID"),
            (key["n"].as_str().unwrap(), "MODULUS"),
            (key["kid"].as_str().unwrap(), "KID"),
            (&folder, "FOLDER"),
            (pem.trim_matches('"'), "PUBLIC-KEY"),
            (&ca, "CA"),
        ] {
            text = text.replace(own, name);
        }
        serde_json::from_str(&text).unwrap()
    }
}

/// An object without what the API server and the clock write, and without what the operator says of it.
fn lasting(mut object: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    members.remove("status");
    let metadata = members["metadata"].as_object_mut().unwrap();
    for own in ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"] {
        metadata.remove(own);
    }
    // When it was asked to run.
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("force-sync");
    }
    for owner in metadata.get_mut("ownerReferences").and_then(Value::as_array_mut).into_iter().flatten() {
        owner.as_object_mut().unwrap().remove("uid");
    }
    object
}

/// Where two states differ, as paths with both values.
fn differences(path: &str, wanted: &Value, found: &Value, all: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(left), Value::Object(right)) => {
            let names: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for name in names {
                differences(&format!("{path}/{name}"), &wanted[name.as_str()], &found[name.as_str()], all);
            }
        }
        _ if wanted != found => all.push(format!("{path}: {found} instead of {wanted}")),
        _ => {}
    }
}

/// Kills it at each of these calls in turn, until it makes no more of them; in a short run at every third. The
/// number of calls that this covers.
fn killed_at_each_call(ground: fn() -> Ground, kills: &[Kill]) -> usize {
    let wanted = {
        let ground = ground();
        ground.run().ends(0);
        ground.end_state()
    };
    assert_eq!(
        (&wanted["keys"], &wanted["objects"]["Secret external-secrets/gcp-key"]),
        (&json!([]), &json!(null))
    );
    let next: Vec<_> =
        kills.iter().map(|kill| (*kill, AtomicUsize::new(1), AtomicBool::new(false))).collect();
    let skip = long_or(1, 3);
    let (killed, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                for (kill, next, over) in &next {
                    while !over.load(Ordering::Relaxed) {
                        let call = next.fetch_add(kill.every * skip, Ordering::Relaxed);
                        let ground = ground();
                        if !ground.run_until(*kill, call) {
                            over.store(true, Ordering::Relaxed);
                            continue;
                        }
                        killed.fetch_add(1, Ordering::Relaxed);
                        if let Some(wrong) = ground.goes_on_otherwise_than(&wanted) {
                            failures.lock().unwrap().push(format!("{kill:?} {call}:\n{wrong}"));
                        }
                    }
                }
            });
        }
    });
    let (killed, failures) = (killed.into_inner(), failures.into_inner().unwrap());
    let shown: Vec<String> =
        failures.iter().take(5).map(|failure| failure.chars().take(2000).collect()).collect();
    assert!(failures.is_empty(), "{} of {killed} cases:\n{}", failures.len(), shown.join("\n\n"));
    killed * skip
}

#[test]
fn with_uploaded_keys() {
    let killed = killed_at_each_call(Ground::uploaded, &[WRITES, BEFORE_WRITES, READS]);
    assert!(killed > 60, "killed {killed} times only");
}

#[test]
fn with_public_documents() {
    let killed = killed_at_each_call(Ground::documents, &[WRITES, SOME_READS]);
    assert!(killed > 30, "killed {killed} times only");
}

#[test]
fn on_the_way_to_another_provider() {
    let killed = killed_at_each_call(Ground::to_vault, &[WRITES, SOME_READS]);
    assert!(killed > 20, "killed {killed} times only");
}

#[test]
fn between_several_stores() {
    let killed = killed_at_each_call(Ground::several, &[WRITES]);
    assert!(killed > 20, "killed {killed} times only");
}
