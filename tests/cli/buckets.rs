//! Stores behind an API: what their owners meet, and what must be left when the program is stopped.

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
        self.command(command, more).output().unwrap().into()
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
fn makes_the_bucket_opens_two_documents_and_leaves_nothing_else() {
    let store = Store::new(2, Flavour::Compatible);
    store.keyless("publish", &[]).fails(3, "bucket-missing", &["--create"]);
    assert!(store.s3.buckets().is_empty());
    store.keyless("publish", &["--create", "--dry-run"]).ends(1);
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
fn the_key_set_is_written_before_the_document_that_promises_it() {
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
fn nothing_is_made_when_the_cluster_cannot_be_understood() {
    let store = Store::new(1, Flavour::Compatible);
    store.world.cluster.server(0).faults().always("GET", "/openid/v1/jwks", Fault::html());
    store.keyless("publish", &["--create"]).fails(3, "body-html", &[]);
    assert!(store.s3.buckets().is_empty());
}

#[test]
fn a_bucket_of_somebody_else() {
    let store = Store::new(1, Flavour::Compatible);
    store.s3.bucket_of("somebody", "acme-oidc");
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
fn no_credentials_at_all_and_wrong_ones() {
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
fn a_publisher_that_is_locked_out_is_told_the_way_out() {
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
    // 409 and 412 mean that somebody else writes; for ever is too often.
    for fault in [S3::conflict(), Fault::status(412)] {
        let store = Store::new(1, Flavour::Compatible);
        store.s3.own_bucket("acme-oidc");
        store.s3.change(|s3| s3.conditions = Conditions::Aws);
        store.s3.faults().next(2, "PUT", "jwks", fault.clone());
        drop(store.keyless("publish", &["--create"]).ends(0));
        store.s3.remove("acme-oidc", "openid/v1/jwks");
        store.s3.faults().always("PUT", "jwks", fault);
        store.keyless("publish", &[]).fails(3, "bucket-contended", &[]);
    }
}

#[test]
fn a_store_that_ignores_conditions_is_noticed_and_said() {
    let store = Store::new(1, Flavour::Compatible);
    store.s3.change(|s3| s3.conditions = Conditions::Ignored);
    store.keyless("publish", &["--create"]).ends(0).says("warning[conditions-ignored]");
    assert_eq!(store.s3.keys("acme-oidc").len(), 2, "the probe is gone again");
}

#[test]
fn two_publishers_at_once_on_s3_lose_no_key() {
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
fn killed_at_each_call_it_leaves_nothing_half_written_and_goes_on() {
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
fn google_cloud_storage_from_nothing_to_verified() {
    let world = World::signing_as(1, "https://storage.googleapis.com/acme-oidc");
    let gcs = Gcs::start_tls(&world.ca);
    for name in Gcs::names() {
        world.internet.route(name, gcs.addr());
    }
    let keyless = |command: &str, more: &[&str]| {
        let arguments: Vec<_> = [command, "--bucket", "gs://acme-oidc", "--ca-file", "ca.pem"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let mut command = world.command(&arguments);
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token());
        Ran::from(command.output().unwrap())
    };
    keyless("publish", &[]).fails(3, "bucket-missing", &["--create"]);
    keyless("publish", &["--create", "--project", "acme"]).ends(0);
    keyless("publish", &[]).ends(0).says("unchanged: 1 key");
    let ran = keyless("verify", &["-vv"]).ends(0);
    assert!(!ran.err.contains(&gcs.token()), "the access token is shown");
    let new = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    keyless("publish", &[]).ends(0).says("published: 2 keys");
    gcs.prevent_public_access("acme-oidc", "enforced");
    keyless("publish", &[]).ends(3);
}

/// The writes that the far side saw, by the names that a plan gives them.
fn writes(calls: &[Call]) -> BTreeSet<String> {
    let name = |call: &Call| {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let path = path.strip_prefix("/acme-oidc").unwrap_or(path).trim_matches('/');
        let on =
            |what: &str| query.split('&').any(|part| part == what || part.starts_with(&format!("{what}=")));
        match path {
            "" if on("policy") => "bucket policy of s3://acme-oidc".to_owned(),
            "" if on("publicAccessBlock") => "public access block of s3://acme-oidc".to_owned(),
            "" => "bucket s3://acme-oidc".to_owned(),
            object if on("acl") => format!("access list of s3://acme-oidc/{object}"),
            object => format!("s3://acme-oidc/{object}"),
        }
    };
    calls.iter().filter(|call| !matches!(call.method.as_str(), "GET" | "HEAD")).map(name).collect()
}

/// The steps of a dry run that change something.
fn steps(dry_run: &Value) -> BTreeSet<String> {
    let steps = dry_run["steps"].as_array().unwrap().iter();
    steps
        .filter(|step| step["action"] != "no-op")
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_done_is_what_was_shown() {
    let missing = |_: &S3| {};
    let private = |s3: &S3| s3.own_bucket("acme-oidc");
    let leftover = |s3: &S3| {
        s3.own_bucket("acme-oidc");
        s3.put("acme-oidc", ".keyless-probe-0123456789abcdef", "text/plain", None, b"left");
    };
    for flavour in [Flavour::Compatible, Flavour::Rgw, Flavour::AclOnly] {
        for (state, prepare) in
            [("missing", &missing as &dyn Fn(&S3)), ("private", &private), ("leftover", &leftover)]
        {
            // Whether a store knows policies shows when there is a bucket.
            if flavour == Flavour::AclOnly && state == "missing" {
                continue;
            }
            let store = Store::new(1, flavour);
            prepare(&store.s3);
            let shown = store.keyless("publish", &["--create", "--dry-run", "-o", "json"]).ends(1).json();
            assert_eq!(writes(&store.s3.faults().requests()), BTreeSet::new(), "{flavour:?} {state}");
            store.s3.faults().forget();
            store.keyless("publish", &["--create"]).ends(0);
            let done = writes(&store.s3.faults().requests());
            assert_eq!(done, steps(&shown), "{flavour:?} {state}");
            assert!(
                done.iter().any(|name| name.contains("policy") || name.contains("access list")),
                "{done:?}"
            );
            let again = store.keyless("publish", &["--create", "--dry-run", "-o", "json"]).ends(0).json();
            assert_eq!(steps(&again), BTreeSet::new(), "{flavour:?} {state}");
        }
    }
}

/// A store without policies, of which that is not known before there is a bucket.
#[test]
fn policy_that_becomes_access_lists_is_shown() {
    let store = Store::new(1, Flavour::AclOnly);
    let shown = store.keyless("publish", &["--create", "--dry-run"]).ends(1);
    assert!(
        shown.out.contains("bucket policy of s3://acme-oidc: everyone may read exactly"),
        "{}",
        shown.out
    );
    store.keyless("publish", &["--create"]).ends(0);
    store.keyless("verify", &["--public-only"]).ends(0);
}

const AWS_HOST: &str = "s3.us-east-2.amazonaws.com";

/// Amazon S3 in one region, with the bucket `acme-oidc` under every host name that it has there.
struct Amazon {
    world: World,
    s3: S3,
}

impl Amazon {
    fn new(issuer: &str) -> Self {
        let world = World::signing_as(1, issuer);
        let hosts = [
            AWS_HOST,
            "acme-oidc.s3.us-east-2.amazonaws.com",
            "other.s3.us-east-2.amazonaws.com",
            "s3-us-east-2.amazonaws.com",
            "s3.dualstack.us-east-2.amazonaws.com",
            "acme-oidc.s3.amazonaws.com",
            "s3.amazonaws.com",
        ];
        let s3 = S3::start_tls(&world.ca, &hosts, Flavour::Aws);
        s3.change(|settings| {
            settings.region = "us-east-2".into();
            settings.domains = vec![AWS_HOST.into(), "s3.amazonaws.com".into()];
        });
        hosts.iter().for_each(|host| world.internet.route(host, s3.addr()));
        Self { world, s3 }
    }

    fn keyless(&self, command: &str, more: &[&str]) -> Ran {
        let arguments = ["--bucket", "s3://acme-oidc", "--region", "us-east-2", "--ca-file", "ca.pem"];
        let arguments: Vec<_> = [command].iter().chain(&arguments).chain(more).copied().collect();
        let credentials = self.s3.credentials();
        let mut command = self.world.command(&arguments);
        command
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.output().unwrap().into()
    }
}

#[test]
fn every_form_of_amazons_hosts_names_the_right_objects() {
    for (issuer, prefix) in [
        ("https://acme-oidc.s3.us-east-2.amazonaws.com", ""),
        ("https://acme-oidc.s3.us-east-2.amazonaws.com/prod", "prod/"),
        ("https://s3.us-east-2.amazonaws.com/acme-oidc", ""),
        ("https://s3.us-east-2.amazonaws.com/acme-oidc/prod", "prod/"),
        ("https://s3-us-east-2.amazonaws.com/acme-oidc/prod", "prod/"),
        ("https://s3.dualstack.us-east-2.amazonaws.com/acme-oidc", ""),
        ("https://acme-oidc.s3.amazonaws.com/prod", "prod/"),
    ] {
        let amazon = Amazon::new(issuer);
        let shown = amazon
            .keyless("publish", &["--issuer", issuer, "--create", "--dry-run", "-o", "json"])
            .ends(1)
            .json();
        amazon.s3.faults().forget();
        let begun = Instant::now();
        amazon.keyless("publish", &["--issuer", issuer, "--create"]).ends(0);
        assert!(begun.elapsed() < Duration::from_secs(30), "{issuer}: {:?}", begun.elapsed());
        let wanted =
            [".well-known/openid-configuration", "openid/v1/jwks"].map(|path| format!("{prefix}{path}"));
        assert_eq!(amazon.s3.keys("acme-oidc"), wanted, "{issuer}");
        assert_eq!(writes(&amazon.s3.faults().requests()), steps(&shown), "{issuer}");
        amazon.keyless("verify", &["--issuer", issuer, "--public-only"]).ends(0);
    }
}

#[test]
fn issuer_of_another_bucket_writes_nothing() {
    for issuer in [
        "https://other.s3.us-east-2.amazonaws.com",
        "https://s3.us-east-2.amazonaws.com/other",
        "https://s3.us-east-2.amazonaws.com",
        "https://s3.eu-central-1.amazonaws.com/acme-oidc",
        "https://acme-oidc.s3.eu-central-1.amazonaws.com",
        "https://s3.amazonaws.com/acme-oidc",
        "https://acme-oidc.s3-website.us-east-2.amazonaws.com",
    ] {
        let amazon = Amazon::new(issuer);
        amazon.s3.own_bucket("acme-oidc");
        for more in [&["--create"][..], &[], &["--create", "--dry-run"]] {
            let arguments = [&["--issuer", issuer], more].concat();
            amazon.keyless("publish", &arguments).fails(
                2,
                "issuer-other-bucket",
                &[issuer, "s3://acme-oidc"],
            );
        }
        assert_eq!(writes(&amazon.s3.faults().requests()), BTreeSet::new(), "{issuer}");
    }
}

/// A domain of the owner's may show the bucket, or not: nothing is opened on a guess.
#[test]
fn domain_must_be_stated_before_anything_is_written() {
    let issuer = "https://oidc.lab.test/prod";
    let amazon = Amazon::new(issuer);
    amazon.s3.own_bucket("acme-oidc");
    for more in [&["--create"][..], &[]] {
        let arguments = [&["--issuer", issuer], more].concat();
        amazon.keyless("publish", &arguments).fails(
            2,
            "issuer-not-of-bucket",
            &["--public-url https://oidc.lab.test"],
        );
    }
    // Stated, and wrong: the documents are written, read back, and nothing is opened that leads elsewhere.
    let stated = ["--issuer", issuer, "--public-url", "https://oidc.lab.test", "--create"];
    amazon.world.put(&amazon.world.jwks(), "{\"keys\":[]}");
    amazon.world.put(&amazon.world.discovery(), "{}");
    amazon.keyless("publish", &stated).ends(3);
    assert!(amazon.s3.policy("acme-oidc").is_none(), "nothing was opened");
}

#[test]
fn existing_private_bucket_shows_what_is_opened() {
    let amazon = Amazon::new("https://acme-oidc.s3.us-east-2.amazonaws.com");
    amazon.s3.own_bucket("acme-oidc");
    let shown = amazon.keyless("publish", &["--create", "--dry-run"]).ends(1);
    for line in [
        "~ update  public access block of s3://acme-oidc",
        "BlockPublicPolicy: true → false",
        "RestrictPublicBuckets: true → false",
        "+ create  bucket policy of s3://acme-oidc: everyone may read exactly",
        "needs s3:PutBucketPolicy",
        "+ create  s3://acme-oidc/openid/v1/jwks",
    ] {
        assert!(shown.out.contains(line), "`{line}` is not in\n{}", shown.out);
    }
    assert_eq!(writes(&amazon.s3.faults().requests()), BTreeSet::new());
}

#[test]
fn store_that_fixes_the_content_type_is_written_once() {
    for fixed in ["application/json", "application/octet-stream", "text/plain"] {
        let store = Store::new(1, Flavour::Compatible);
        store.s3.own_bucket("acme-oidc");
        store.s3.change(|s3| s3.fixed_content_type = Some(fixed.to_owned()));
        store.keyless("publish", &["--create"]).fails(3, "content-type-fixed", &[fixed, "openid/v1/jwks"]);
        let calls = store.s3.faults().requests();
        let puts = calls.iter().filter(|call| call.method == "PUT" && call.path.contains("jwks")).count();
        // One, and its repetition that shows what the store makes of conditions.
        assert!(puts <= 2, "{puts} writes");
        assert!(store.s3.policy("acme-oidc").is_none(), "nothing was opened");
    }
}

/// Amazon S3 refuses anonymous reads of objects under SSE-KMS for good.
#[test]
fn bucket_under_kms_is_not_waited_for() {
    let amazon = Amazon::new("https://acme-oidc.s3.us-east-2.amazonaws.com");
    amazon.s3.own_bucket("acme-oidc");
    amazon.s3.change(|s3| s3.encrypts_with_kms = true);
    let begun = Instant::now();
    amazon.keyless("publish", &["--create"]).fails(3, "bucket-encrypted", &["SSE-KMS", "AES256"]);
    assert!(amazon.s3.policy("acme-oidc").is_none(), "nothing was opened");
    // What lies there already is read back, and the store's own reason is told.
    amazon.s3.change(|s3| s3.encrypts_with_kms = false);
    amazon.keyless("publish", &["--create"]).ends(0);
    amazon.s3.change(|s3| s3.encrypts_with_kms = true);
    amazon.keyless("publish", &[]).fails(3, "read-back-failed", &["400", "InvalidArgument", "AES256"]);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn permanent_refusals_of_the_public_url_end_at_once() {
    for (status, code) in
        [(400, "InvalidArgument"), (400, "InvalidRequest"), (405, "MethodNotAllowed"), (404, "NoSuchKey")]
    {
        let store = Store::new(1, Flavour::Compatible);
        let body = format!("<Error><Code>{code}</Code><Message>the reason of {code}</Message></Error>");
        // Only anonymous requests have no query.
        store.s3.own_bucket("acme-oidc");
        store.keyless("publish", &["--create"]).ends(0);
        let next = SigningKey::rsa(2048);
        store.world.cluster.change_servers(|server| server.key_files.push((&next).into()));
        store.s3.faults().always("GET", "/acme-oidc/openid/v1/jwks?x-id", Fault::Delay(Duration::ZERO));
        store.s3.faults().always(
            "GET",
            "/acme-oidc/openid/v1/jwks",
            Fault::answer(status, "application/xml", body),
        );
        let begun = Instant::now();
        store.keyless("publish", &[]).fails(3, "read-back-failed", &[code, &format!("the reason of {code}")]);
        assert!(begun.elapsed() < Duration::from_secs(15), "{code}: {:?}", begun.elapsed());
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
    store.keyless("teardown", &["--dry-run"]).ends(1).says(&format!("- remove  {left}"));
    store.keyless("teardown", &["--yes"]).ends(0);
    assert!(store.s3.buckets().is_empty(), "the bucket goes as well");
}

/// A store that reports a conflict over an object that does not change.
#[test]
fn store_that_refuses_every_condition_is_told_so() {
    let store = Store::new(1, Flavour::Compatible);
    store.s3.own_bucket("acme-oidc");
    store.s3.faults().always("PUT", "jwks", Fault::status(412));
    store.keyless("publish", &[]).fails(3, "bucket-contended", &["has not changed"]);
    let puts = store.s3.faults().requests().iter().filter(|call| call.method == "PUT").count();
    assert!(puts <= 6, "{puts} writes");
}

#[test]
fn google_shows_what_it_opens() {
    for existing in [false, true] {
        let world = World::signing_as(1, "https://storage.googleapis.com/acme-oidc");
        let gcs = Gcs::start_tls(&world.ca);
        Gcs::names().iter().for_each(|name| world.internet.route(name, gcs.addr()));
        if existing {
            gcs.own_bucket("acme-oidc");
        }
        let keyless = |more: &[&str]| {
            let arguments = [
                "publish",
                "--bucket",
                "gs://acme-oidc",
                "--ca-file",
                "ca.pem",
                "--project",
                "acme",
                "--create",
            ];
            let arguments: Vec<_> = arguments.iter().chain(more).copied().collect();
            let mut command = world.command(&arguments);
            command.env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token());
            Ran::from(command.output().unwrap())
        };
        let shown = keyless(&["--dry-run", "-o", "json"]).ends(1).json();
        let asked = gcs.faults().requests();
        assert!(asked.iter().all(|call| call.method == "GET"), "{asked:#?}");
        gcs.faults().forget();
        keyless(&[]).ends(0);
        let written = gcs.faults().requests();
        let written = written.iter().filter(|call| call.method != "GET");
        let documents = ["openid/v1/jwks", ".well-known/openid-configuration"];
        let mut uploads = documents.iter().map(|path| format!("gs://acme-oidc/{path}"));
        let names: BTreeSet<_> = written
            .map(|call| match call.path.split('?').next().unwrap() {
                "/storage/v1/b" => "bucket gs://acme-oidc".to_owned(),
                "/storage/v1/b/acme-oidc/iam" => "IAM policy of gs://acme-oidc".to_owned(),
                "/upload/storage/v1/b/acme-oidc/o" => uploads.next().unwrap(),
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(names, steps(&shown), "existing: {existing}");
        assert_eq!(names.contains("bucket gs://acme-oidc"), !existing);
        assert_eq!(keyless(&["--dry-run"]).ends(0).code, Some(0));
    }
}

#[test]
fn google_issuers_of_other_buckets_write_nothing() {
    for issuer in [
        "https://storage.googleapis.com/other",
        "https://other.storage.googleapis.com",
        "https://storage.googleapis.com",
        "https://storage.cloud.google.com/acme-oidc",
    ] {
        let world = World::signing_as(1, issuer);
        let gcs = Gcs::start_tls(&world.ca);
        Gcs::names().iter().for_each(|name| world.internet.route(name, gcs.addr()));
        gcs.own_bucket("acme-oidc");
        let arguments =
            ["publish", "--bucket", "gs://acme-oidc", "--ca-file", "ca.pem", "--create", "--issuer", issuer];
        let mut command = world.command(&arguments);
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token());
        Ran::from(command.output().unwrap()).fails(2, "issuer-other-bucket", &[issuer]);
        assert!(gcs.objects("acme-oidc").is_empty(), "{issuer}");
    }
    // The other form of the same bucket.
    let issuer = "https://acme-oidc.storage.googleapis.com/prod";
    let world = World::signing_as(1, issuer);
    let gcs = Gcs::start_tls(&world.ca);
    Gcs::names().iter().for_each(|name| world.internet.route(name, gcs.addr()));
    gcs.own_bucket("acme-oidc");
    let arguments =
        ["publish", "--bucket", "gs://acme-oidc", "--ca-file", "ca.pem", "--create", "--issuer", issuer];
    let mut command = world.command(&arguments);
    command.env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token());
    Ran::from(command.output().unwrap()).ends(0);
    assert_eq!(gcs.objects("acme-oidc"), ["prod/.well-known/openid-configuration", "prod/openid/v1/jwks"]);
}
