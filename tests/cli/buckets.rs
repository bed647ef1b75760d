//! Stores behind an API: what their owners meet, and what must be left when the program is stopped.

mod amazon;
mod azure;
mod google;
mod shown;

use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lab::{Access, Call, Conditions, Fault, Flavour, Gcs, KillSwitch, Moment, S3, SigningKey};
use serde_json::Value;

use crate::world::{Ran, World};

const HOST: &str = "s3.lab.test";

/// A world with an S3 store beside it, on the path `https://s3.lab.test/acme-oidc`.
pub(crate) struct Store {
    pub(crate) world: World,
    pub(crate) s3: S3,
}

impl Store {
    pub(crate) fn new(servers: usize, flavour: Flavour) -> Self {
        let world = World::signing_as(servers, &format!("https://{HOST}/acme-oidc"));
        let s3 = S3::start_tls(&world.ca, &[HOST], flavour);
        world.internet.route(HOST, s3.addr());
        Self { world, s3 }
    }

    pub(crate) fn command(&self, command: &str, more: &[&str]) -> std::process::Command {
        let endpoint = format!("https://{HOST}");
        let arguments = ["--bucket", "s3://acme-oidc", "--endpoint", &endpoint, "--ca-file", "ca.pem"];
        let arguments: Vec<_> = [command].iter().chain(&arguments).chain(more).copied().collect();
        let mut command = self.world.command(&arguments);
        let credentials = self.s3.credentials();
        command
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    pub(crate) fn keyless(&self, command: &str, more: &[&str]) -> Ran {
        Ran::of(&mut self.command(command, more))
    }

    /// As another user of the store.
    fn keyless_as(&self, access: Access, command: &str, more: &[&str]) -> Ran {
        let credentials = self.s3.add_credentials(access);
        let mut command = self.command(command, more);
        command
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key);
        command.output().unwrap().into()
    }

    fn documents(&self) -> [Option<Vec<u8>>; 2] {
        ["openid/v1/jwks", ".well-known/openid-configuration"]
            .map(|key| self.s3.object("acme-oidc", key).map(|object| object.body))
    }
}

#[test]
fn publish_creates_bucket_with_two_documents() {
    let store = Store::new(2, Flavour::Compatible);
    store.keyless("publish", &[]).fails(3, "bucket-missing", &["--create"]).snapshot("error-bucket-missing");
    assert!(store.s3.buckets().is_empty());
    store.keyless("publish", &["--create", "--dry-run"]).ends(1).snapshot("plan-bucket-created");
    assert!(store.s3.buckets().is_empty(), "a dry run makes nothing");
    store.keyless("publish", &["--create"]).ends(0);
    let mut keys = store.s3.keys("acme-oidc");
    keys.sort();
    assert_eq!(keys, [".well-known/openid-configuration", "openid/v1/jwks"]);
    store.keyless("publish", &[]).ends(0).says("unchanged: 1 key");
    store.keyless("publish", &["--create"]).ends(0).says("unchanged: 1 key");
    store.keyless("verify", &[]).ends(0);
}

#[test]
fn key_set_is_written_before_discovery() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    let writes: Vec<_> = store
        .s3
        .faults()
        .requests()
        .into_iter()
        .filter(|call| {
            call.method == "PUT" && (call.path.contains("jwks") || call.path.contains("well-known"))
        })
        .map(|call| call.path)
        .collect();
    // The first write to a store that is not known yet is repeated, to see what it makes of conditions.
    let mut objects: Vec<_> = writes.iter().map(|path| path.contains("jwks")).collect();
    objects.dedup();
    assert_eq!(objects, [true, false], "{writes:?}");
}

#[test]
fn unreadable_cluster_creates_no_bucket() {
    let store = Store::new(1, Flavour::Compatible);
    store.world.cluster.server(0).faults().always("GET", "/openid/v1/jwks", Fault::html());
    store.keyless("publish", &["--create"]).fails(3, "body-html", &[]).snapshot("error-cluster-body-html");
    assert!(store.s3.buckets().is_empty());
}

#[test]
fn a_bucket_of_somebody_else() {
    let store = Store::new(1, Flavour::Compatible);
    store.s3.bucket_of("another-account", "acme-oidc");
    let ran = store.keyless("publish", &["--create"]).ends(3);
    assert!(ran.err.contains("error[bucket-") && ran.err.contains("hint: "), "{}", ran.err);
}

#[test]
fn credentials_that_may_only_read() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    // Enough while nothing changes.
    store.keyless_as(Access::ReadOnly, "publish", &[]).ends(0).says("unchanged");
    let before = store.documents();
    let new = SigningKey::rsa(2048);
    store.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    store.keyless_as(Access::ReadOnly, "publish", &[]).fails(
        3,
        "bucket-forbidden",
        &["openid/v1/jwks", "s3:PutObject"],
    );
    assert_eq!(store.documents(), before);
}

#[test]
fn missing_or_wrong_credentials_are_refused() {
    let store = Store::new(1, Flavour::Compatible);
    let mut command = store.command("publish", &[]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    Ran::from(command.output().unwrap()).fails(3, "bucket-credentials", &[]);
    let mut command = store.command("publish", &[]);
    command.env("AWS_SECRET_ACCESS_KEY", "wrong");
    let ran = Ran::from(command.output().unwrap()).fails(3, "bucket-credentials", &["SignatureDoesNotMatch"]);
    assert!(!ran.err.contains("wrong\n"));
}

#[test]
fn locked_out_publisher_gets_a_remedy() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    let new = SigningKey::rsa(2048);
    store.world.cluster.change_servers(|server| {
        server.key_files.push((&new).into());
        server.signing_key = new.clone();
    });
    let mut command = store.command("publish", &[]);
    command.env("AWS_SECRET_ACCESS_KEY", "wrong");
    Ran::from(command.output().unwrap()).fails(3, "bucket-credentials", &[&new.kid(), "a person's login"]);
    // With such a login it is over.
    store.keyless("publish", &[]).ends(0).says("published: 2 keys");
}

#[test]
fn refusals_of_the_store() {
    for (status, code) in [
        (403, "bucket-forbidden"),
        (429, "bucket-throttled"),
        (500, "bucket-server"),
        (503, "bucket-throttled"),
    ] {
        let store = Store::new(1, Flavour::Compatible);
        store.s3.own_bucket("acme-oidc");
        store.s3.faults().always("PUT", "jwks", Fault::status(status));
        store.keyless("publish", &[]).fails(3, code, &["openid/v1/jwks"]);
        assert_eq!(store.documents(), [None, None]);
    }
    // 409 and 412 mean that another client writes; for ever is too often.
    for fault in [S3::conflict(), Fault::status(412)] {
        let store = Store::new(1, Flavour::Compatible);
        store.s3.own_bucket("acme-oidc");
        store.s3.change(|s3| s3.conditions = Conditions::Aws);
        store.s3.faults().next(2, "PUT", "jwks", fault.clone());
        drop(store.keyless("publish", &["--create"]).ends(0));
        store.s3.remove("acme-oidc", "openid/v1/jwks");
        store.s3.faults().always("PUT", "jwks", fault);
        store.keyless("publish", &[]).fails(3, "conditions-refused", &[]);
    }
}

#[test]
fn ignored_conditions_are_reported() {
    let store = Store::new(1, Flavour::Compatible);
    store.s3.change(|s3| s3.conditions = Conditions::Ignored);
    store.keyless("publish", &["--create"]).ends(0).says("warning[conditions-ignored]");
    assert_eq!(store.s3.keys("acme-oidc").len(), 2, "the probe is gone again");
}

#[test]
fn concurrent_s3_publishers_lose_no_key() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    let mut wanted = vec![store.world.key.kid()];
    for round in 0..20 {
        let keys = [0, 1].map(|_| SigningKey::ec(lab::Curve::P256));
        let children = [0, 1].map(|index| {
            let file = format!("{round}-{index}.pub");
            std::fs::write(store.world.dir.path().join(&file), keys[index].public_pem()).unwrap();
            let mut command = store.command("publish", &["--no-cluster", "--public-key", &file]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        });
        for child in children {
            Ran::from(child.wait_with_output().unwrap()).ends(0);
        }
        wanted.extend(keys.iter().map(SigningKey::kid));
        let body = String::from_utf8(store.documents()[0].clone().unwrap()).unwrap();
        for kid in &wanted {
            assert!(body.contains(kid.as_str()), "round {round}: {kid} is lost");
        }
    }
}

/// The program is killed at each of its calls, before and after the call has its effect. What lies there is
/// whole at any moment, and started again the program ends in the state of an undisturbed run.
#[test]
fn publish_killed_anywhere_is_safely_resumed() {
    let store = Store::new(2, Flavour::Compatible);
    let undisturbed = KillSwitch::new(0, Moment::BeforeEffect, || ());
    let attach = |switch: &KillSwitch| {
        store.s3.faults().kill_switch(switch);
        store.world.cluster.servers().iter().for_each(|server| server.faults().kill_switch(switch));
    };
    attach(&undisturbed);
    store.keyless("publish", &["--create"]).ends(0);
    let (calls, wanted) = (undisturbed.calls(), store.documents());
    assert!(calls > 10, "only {calls} calls");

    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        for call in 1..=calls {
            for key in store.s3.keys("acme-oidc") {
                store.s3.remove("acme-oidc", &key);
            }
            let child: Arc<Mutex<Option<Child>>> = Arc::default();
            let victim = child.clone();
            let switch = KillSwitch::new(call, moment, move || {
                victim.lock().unwrap().as_mut().expect("the program runs").kill().unwrap();
            });
            attach(&switch);
            {
                let mut command = store.command("publish", &["--create"]);
                let mut slot = child.lock().unwrap();
                *slot = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
            }
            let status = wait(&child);
            assert!(
                status.code().is_none() || !switch.tripped(),
                "{moment:?} {call}: not killed but {status}"
            );

            let [jwks, discovery] = store.documents();
            assert!(
                discovery.is_none() || jwks.is_some(),
                "{moment:?} {call}: a document without its key set"
            );
            for (left, whole) in [(&jwks, &wanted[0]), (&discovery, &wanted[1])] {
                assert!(left.is_none() || left == whole, "{moment:?} {call}: half-written");
            }
            attach(&undisturbed);
            store.keyless("publish", &["--create"]).ends(0);
            assert_eq!(store.documents(), wanted, "{moment:?} {call}");
        }
    }
}

/// Waits without holding the lock, which the kill switch needs.
fn wait(child: &Mutex<Option<Child>>) -> std::process::ExitStatus {
    loop {
        if let Some(status) = child.lock().unwrap().as_mut().unwrap().try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn leftovers_of_killed_runs_are_swept() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    let left = ".keyless-probe-0123456789abcdef";
    store.s3.put("acme-oidc", left, "text/plain", None, b"left");
    store.s3.put("acme-oidc", ".keyless-probe-mine", "text/plain", None, b"not ours");
    let shown = store.keyless("publish", &["--dry-run"]).ends(1);
    assert!(shown.out.contains(&format!("- delete  s3://acme-oidc/{left}")), "{}", shown.out);
    store.keyless("publish", &[]).ends(0);
    let mut keys = store.s3.keys("acme-oidc");
    keys.sort();
    assert_eq!(keys, [".keyless-probe-mine", ".well-known/openid-configuration", "openid/v1/jwks"]);
    // Without the right to delete it, publishing goes on.
    store.s3.put("acme-oidc", left, "text/plain", None, b"left");
    let rights = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"].map(str::to_owned).to_vec();
    store.keyless_as(Access::Only(rights), "publish", &[]).ends(0).says("warning[leftover]");
}

#[test]
fn teardown_removes_leftovers_too() {
    let store = Store::new(1, Flavour::Compatible);
    let kube_system =
        serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
    store.world.cluster.put_object(kube_system);
    store.keyless("publish", &["--create"]).ends(0);
    let left = ".keyless-probe-0123456789abcdef";
    store.s3.put("acme-oidc", left, "text/plain", None, b"left");
    store.keyless("teardown", &["--dry-run"]).ends(1).says(&format!("- delete  {left}"));
    store.keyless("teardown", &["--yes"]).ends(0);
    assert!(store.s3.buckets().is_empty(), "the bucket goes as well");
}

/// A store that reports a conflict over an object that does not change.
#[test]
fn store_refusing_every_condition_is_reported() {
    let store = Store::new(1, Flavour::Compatible);
    store.s3.own_bucket("acme-oidc");
    store.s3.faults().always("PUT", "jwks", Fault::status(412));
    store.keyless("publish", &[]).fails(3, "conditions-refused", &["has not changed"]);
    let puts = store.s3.faults().requests().iter().filter(|call| call.method == "PUT").count();
    assert!(puts <= 6, "{puts} writes");
}
