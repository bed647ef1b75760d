//! The whole program against far sides one of whose answers is changed: STS, Vault, stores, lists of objects, errors.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lab::{Fault, Faults, Flavour, Gcs, S3, Vault};
use serde_json::json;

use crate::{
    estate::Estate,
    mutate::{self, Random},
    world::{ISSUER, World},
};

/// Beyond all limits of the program together.
const LIMIT: Duration = Duration::from_secs(60);
const SETUP: [&str; 4] = ["setup", "--yes", "--watch-for", "0s"];
const MOST: usize = 60;

/// The program with these arguments, before its far sides.
type Start = dyn Fn(&[&str]) -> Command;

/// Far sides, the commands that are run against them, and what they must never show.
struct Scene {
    name: &'static str,
    commands: &'static [&'static [&'static str]],
    command: Box<Start>,
    faults: Vec<Faults>,
    secrets: Vec<String>,
}

const ANY: &[&[&str]] = &[
    &["audit"],
    &["audit", "-o", "json"],
    &["verify"],
    &["setup", "--dry-run"],
    &["setup", "--dry-run", "--retire-key", "-o", "json"],
    &["teardown", "--dry-run"],
    &["render", "store"],
    &["render", "credentials"],
];
const PUBLISH: &[&[&str]] = &[
    &["publish", "--dry-run"],
    &["publish"],
    &["publish", "--create"],
    &["verify", "--public-only"],
    &["verify"],
];

fn of_estate(name: &'static str, estate: Estate, vault: Option<Vault>) -> Scene {
    let mut faults = vec![estate.google.faults().clone(), estate.world.cluster.server(0).faults().clone()];
    let mut secrets =
        vec![estate.google.token(), estate.world.cluster.token_of("admin"), "hunter2".to_owned()];
    if let Some(vault) = &vault {
        faults.push(vault.faults().clone());
        secrets.push(vault.root_token());
    }
    let command = move |arguments: &[&str]| {
        let mut command = estate.command(arguments);
        if let Some(vault) = &vault {
            command.env("VAULT_TOKEN", vault.root_token());
        }
        command
    };
    Scene { name, commands: ANY, command: Box::new(command), faults, secrets }
}

fn before() -> Scene {
    of_estate("key", Estate::new(), None)
}

fn google() -> Scene {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    of_estate("google", estate, None)
}

fn vault() -> Scene {
    let estate = Estate::new();
    let vault = Vault::start(&estate.world.ca, &["bao.lab.test"]);
    vault.enable_kv("kv");
    vault.put_secret("kv", "db", json!({"password": "hunter2"}));
    estate.world.internet.route("bao.lab.test", vault.addr());
    estate.settings("vault: {address: \"https://bao.lab.test\", kv: kv, mode: static-keys}");
    let mut command = estate.command(&[&SETUP[..], &["--to", "vault"]].concat());
    command.env("VAULT_TOKEN", vault.root_token());
    assert!(
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    );
    of_estate("vault", estate, Some(vault))
}

fn s3() -> Scene {
    let world = World::signing_as(1, "https://s3.lab.test/acme-oidc");
    let store = S3::start_tls(&world.ca, &["s3.lab.test"], Flavour::Compatible);
    world.internet.route("s3.lab.test", store.addr());
    let faults = vec![store.faults().clone(), world.cluster.server(0).faults().clone()];
    let secrets = vec![store.credentials().secret_access_key, world.cluster.token_of("admin")];
    let command = move |arguments: &[&str]| {
        let bucket =
            ["--bucket", "s3://acme-oidc", "--endpoint", "https://s3.lab.test", "--ca-file", "ca.pem"];
        let mut command = world.command(&[arguments, &bucket].concat());
        let credentials = store.credentials();
        command
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    };
    Scene { name: "s3", commands: PUBLISH, command: Box::new(command), faults, secrets }
}

fn gcs() -> Scene {
    let world = World::signing_as(1, "https://storage.googleapis.com/acme-oidc");
    let store = Gcs::start_tls(&world.ca);
    Gcs::names().iter().for_each(|name| world.internet.route(name, store.addr()));
    let faults = vec![store.faults().clone(), world.cluster.server(0).faults().clone()];
    let secrets = vec![store.token(), world.cluster.token_of("admin")];
    let command = move |arguments: &[&str]| {
        let bucket = ["--bucket", "gs://acme-oidc", "--ca-file", "ca.pem"];
        let project: &[&str] = if arguments[0] == "publish" { &["--project", "acme-prod"] } else { &[] };
        let mut command = world.command(&[arguments, &bucket, project].concat());
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", store.token());
        command
    };
    Scene { name: "gcs", commands: PUBLISH, command: Box::new(command), faults, secrets }
}

fn folder() -> Scene {
    let world = World::new(2);
    world.keyless("publish", &[]).ends(0);
    let faults = vec![
        world.cluster.server(0).faults().clone(),
        world.cluster.server(1).faults().clone(),
        world.web.faults().clone(),
    ];
    let secrets = vec![world.cluster.token_of("admin")];
    let command = move |arguments: &[&str]| {
        let bucket = format!("file://{}", world.www.display());
        let place = ["--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"];
        world.command(&[arguments, &place].concat())
    };
    Scene { name: "folder", commands: PUBLISH, command: Box::new(command), faults, secrets }
}

/// Runs until the time is over; how often, and what failed.
pub(crate) fn fuzz(seed: u64, share: Duration) -> (usize, Vec<String>) {
    let began = Instant::now();
    let mut random = Random::new(seed);
    let makers: [fn() -> Scene; 6] = [before, google, vault, s3, gcs, folder];
    let (mut runs, mut failures) = (0, Vec::new());
    while began.elapsed() < share {
        // Far sides that were written to differ from those of another seed: new ones every now and then.
        let scene = random.pick(&makers)();
        for _ in 0..20 {
            if began.elapsed() >= share {
                break;
            }
            runs += 1;
            failures.extend(one(&scene, &mut random));
        }
    }
    failures.sort();
    failures.dedup();
    (runs, failures)
}

/// One run with one answer changed; why it failed, if it did.
fn one(scene: &Scene, random: &mut Random) -> Option<String> {
    let arguments = *random.pick(scene.commands);
    let (at, mut changes) = (random.below(MOST), Random::new(random.next()));
    let asked = Arc::new(AtomicUsize::new(0));
    let changed = Arc::new(std::sync::Mutex::new(Vec::new()));
    // The same change for every repetition of the question.
    let salt = changes.next();
    let fault = {
        let (asked, changed) = (asked.clone(), changed.clone());
        Fault::rewrite(move |body| {
            if asked.fetch_add(1, Ordering::Relaxed) != at {
                return body.to_vec();
            }
            let body = mutate::answer(&mut Random::new(salt), body);
            *changed.lock().expect("no panic") = body.clone();
            body
        })
    };
    scene.faults.iter().for_each(|faults| faults.always("", "", fault.clone()));
    let ended = run((scene.command)(arguments));
    scene.faults.iter().for_each(|faults| {
        faults.clear();
        faults.forget();
    });
    let why = match ended {
        None => "it does not end".to_owned(),
        Some((code, shown)) => {
            let secret = scene.secrets.iter().any(|secret| shown.contains(secret.as_str()));
            match code {
                _ if shown.contains("panicked") => "it panics".to_owned(),
                _ if secret => "it shows a secret".to_owned(),
                Some(0..=3) => return None,
                other => format!("it ends with {other:?}"),
            }
        }
    };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    fs::create_dir_all(&folder).expect("a folder for failures");
    let file = folder.join(format!("answer-{salt:016x}"));
    fs::write(&file, &*changed.lock().expect("no panic")).expect("a file for a failure");
    Some(format!("{} {}: {why}; answer {at} was {}", scene.name, arguments.join(" "), file.display()))
}

/// Its exit code and all that it wrote; `None` when it had to be killed.
fn run(mut command: Command) -> Option<(Option<i32>, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let (mut out, mut err) = (child.stdout.take().expect("stdout"), child.stderr.take().expect("stderr"));
    let read = |stream: &mut dyn std::io::Read| {
        let mut text = Vec::new();
        drop(stream.read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    };
    thread::scope(|scope| {
        let out = scope.spawn(|| read(&mut out));
        let err = scope.spawn(|| read(&mut err));
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a status") {
                break Some(status);
            }
            if began.elapsed() > LIMIT {
                drop(child.kill());
                drop(child.wait());
                break None;
            }
            thread::sleep(Duration::from_millis(5));
        };
        let all = format!("{}{}", out.join().expect("stdout"), err.join().expect("stderr"));
        status.map(|status| (status.code(), all))
    })
}
