//! What a message names as its remedy is done here, and helps: one test for each message that once led astray.
//!
//! The cluster's side; `remedies_setup` has those of setup and its provider.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Ca, Fault};
use serde_json::json;

use crate::{
    estate::{Estate, SETUP},
    terminal::Terminal,
    world::{ISSUER, Ran, World},
};

/// The arguments of the one command that the output names so: `` `keyless COMMAND …` ``, or at the end of a line.
#[track_caller]
pub(crate) fn command(ran: &Ran, begins: &str) -> Vec<String> {
    let all = format!("{}\n{}", ran.out, ran.err);
    let at = all.find(begins).unwrap_or_else(|| panic!("`{begins}` is not in\n{all}"));
    let end = all[at..].find(['`', '\n', '\'']).map_or(all.len(), |end| at + end);
    let words = all[at..end].split_whitespace().skip(1).map(str::to_owned);
    words.collect()
}

/// Does what [`command`] has found.
pub(crate) fn follow(estate: &Estate, words: &[String], more: &[&str]) -> Ran {
    let words: Vec<_> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
    estate.run(&words)
}

/// The kubeconfig with another text in place of one of its own.
fn kubeconfig_with(world: &World, from: &str, to: &str) {
    let text = fs::read_to_string(&world.kubeconfig).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    fs::write(&world.kubeconfig, text.replace(from, to)).unwrap();
}

#[test]
fn corrected_authority_reaches_the_server() {
    let world = World::new(1);
    let own = STANDARD.encode(world.ca.pem());
    let other = STANDARD.encode(Ca::new().pem());
    kubeconfig_with(&world, &own, &other);
    let names = ["is not trusted by the kubeconfig", "context admin", "correct certificate-authority-data"];
    let ran = world.run(&["audit"]).fails(3, "tls", &names).snapshot("error-certificate-untrusted");
    assert!(!ran.err.contains("--ca-file") && !ran.err.contains("relying parties"), "{}", ran.err);
    kubeconfig_with(&world, &other, &own);
    world.run(&["audit"]).ends(3).says("Cluster admin (").says("NOTHING TO JUDGE");
}

#[test]
fn renewed_certificate_reaches_the_server() {
    let world = World::new(1);
    let server = world.cluster.server(0);
    server.serve_with(&world.ca.expired_certificate(&["127.0.0.1"]));
    world
        .run(&["audit"])
        .fails(3, "tls", &["has expired", "context admin", "renew it"])
        .snapshot("error-certificate-expired");
    server.serve_with(&world.ca.certificate(&["127.0.0.1"]));
    world.run(&["audit"]).ends(3).says("NOTHING TO JUDGE");
}

#[test]
fn server_name_reaches_the_server() {
    let world = World::new(1);
    world.cluster.server(0).serve_with(&world.ca.certificate(&["k8s.example.com"]));
    world
        .run(&["audit"])
        .fails(3, "tls", &["is for another name", "k8s.example.com", "set tls-server-name"])
        .snapshot("error-certificate-name");
    kubeconfig_with(&world, "    server:", "    tls-server-name: k8s.example.com\n    server:");
    world.run(&["audit"]).ends(3).says("NOTHING TO JUDGE");
}

#[test]
fn silent_server_is_named_in_timeout() {
    let world = World::new(1);
    let server = world.cluster.server(0);
    server.faults().always("GET", "", Fault::Delay(Duration::from_secs(60)));
    let start = Instant::now();
    let ran = world.run(&["audit"]).fails(3, "timeout", &[&server.url(), "context admin", "VPN", "load"]);
    assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
    assert!(ran.out.is_empty() && !ran.err.contains("relying parties"), "{}{}", ran.out, ran.err);
    server.faults().clear();
    world.run(&["audit"]).ends(3).says("NOTHING TO JUDGE");
}

#[test]
fn unreachable_cluster_is_said_once() {
    let world = World::new(1);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (right, wrong) = (world.cluster.server(0).url(), format!("https://{closed}"));
    kubeconfig_with(&world, &right, &wrong);
    let start = Instant::now();
    let ran = world.run(&["audit"]).fails(3, "connect", &[&wrong, "context admin", "server of this context"]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(ran.out.is_empty() && !ran.err.contains("INCOMPLETE"), "{}{}", ran.out, ran.err);
    assert!(ran.err.lines().count() < 8, "{}", ran.err);
    kubeconfig_with(&world, &wrong, &right);
    world.run(&["audit"]).ends(3).says("NOTHING TO JUDGE");
}

#[test]
fn named_service_account_mints_the_token() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let ran = world.keyless("verify", &["--service-account", "apps/none"]);
    let names = ["apps/none", "name one that exists by --service-account", "test token"];
    ran.fails(3, "service-account-missing", &names).snapshot("error-service-account-missing");
    world.cluster.add_service_account("apps", "probe");
    world.keyless("verify", &["--service-account", "apps/probe"]).ends(0);
}

/// The store's own ServiceAccount is another matter than that of test tokens.
#[test]
fn setup_makes_the_stores_account() {
    let estate = Estate::new();
    estate.settings("google: {project: acme-prod}");
    let ran = estate.run(&["verify"]).ends(1).snapshot("verify-before-setup");
    assert!(ran.out.contains("token of external-secrets/keyless-gcp"), "{}", ran.out);
    assert!(!ran.out.contains("--service-account") && !ran.err.contains("--service-account"), "{}", ran.out);
    let setup = command(&ran, "keyless setup");
    follow(&estate, &setup, &["--yes", "--watch-for", "0s"]).ends(0);
    estate.run(&["verify"]).ends(0).snapshot("verify-after-setup");
}

#[test]
fn full_disk_is_3_until_emptied() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let arguments = ["verify", "--issuer", ISSUER, "--ca-file", "ca.pem"];
    let full: Stdio = fs::File::options().write(true).open("/dev/full").unwrap().into();
    let ran: Ran = world.command(&arguments).stdout(full).output().unwrap().into();
    ran.fails(3, "output", &["stdout", "choose another place"]).snapshot("error-output");
    let place = fs::File::create(world.dir.path().join("verify.txt")).unwrap();
    let ran: Ran = world.command(&arguments).stdout(place).output().unwrap().into();
    ran.ends(0);
    let written = fs::read_to_string(world.dir.path().join("verify.txt")).unwrap();
    assert!(written.contains(" passed, 0 failed"), "{written}");
}

/// No is an answer: nothing is done, and it is no error.
#[test]
fn declined_plan_is_shown_again() {
    let estate = Estate::new();
    let answered = |answer: &str, form: &[&str]| {
        let mut command =
            estate.command(&[&["setup", "--force-sync", "--watch-for", "0s"][..], form].concat());
        let mut terminal = Terminal::of(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        terminal.write_all(answer.as_bytes()).unwrap();
        let read = thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        Ran {
            command: "keyless setup".into(),
            code: child.wait().unwrap().code(),
            out: text,
            err: read.join().unwrap(),
        }
    };
    let ran = answered("n\n", &[]).ends(1).says("Cancelled. Nothing was changed.");
    assert!(!ran.err.contains("error["), "{}", ran.err);
    assert!(!estate.store_is_keyless() && estate.google.federation().is_empty());
    let ran = answered("n\n", &["-o", "json"]).ends(1);
    assert_eq!(ran.json()["outcome"], "declined");
    answered("yes\n", &[]).ends(0);
    assert!(estate.store_is_keyless());
}

#[test]
fn misnamed_settings_file_is_reported() {
    let estate = Estate::new();
    let folder = estate.world.dir.path();
    let (other, own) = (folder.join("keyless.yml"), folder.join("keyless.yaml"));
    fs::write(&other, "apiVersion: keyless/v1\ngoogle: {pool: keyless-own}\n").unwrap();
    let ran = estate
        .run(&["setup", "--dry-run"])
        .fails(2, "config-name", &["keyless.yml", "keyless.yaml"])
        .snapshot("error-config-name");
    assert!(ran.out.is_empty(), "{}", ran.out);
    estate.run(&["setup", "--dry-run", "--config", "keyless.yml"]).ends(1).says("pool keyless-own");
    fs::rename(&other, Path::new(&own)).unwrap();
    estate.run(&["setup", "--dry-run"]).ends(1).says("pool keyless-own");
}

/// One object for a program, with how it ended.
#[test]
fn json_of_setup_says_its_outcome() {
    let estate = Estate::new();
    let outcome = |arguments: &[&str], code: i32| {
        let shown = estate.run(&[arguments, &["-o", "json"]].concat()).ends(code).json();
        assert!(shown["error"].is_null(), "{shown:#}");
        shown["outcome"].clone()
    };
    assert_eq!(outcome(&["setup", "--dry-run"], 1), json!("pending"));
    assert_eq!(outcome(&SETUP, 0), json!("done"));
    assert_eq!(outcome(&["setup", "--dry-run"], 0), json!("done"));
    assert_eq!(outcome(&["setup", "--undo", "--dry-run"], 1), json!("pending"));
    assert_eq!(outcome(&["setup", "--undo", "--yes"], 0), json!("done"));
}
