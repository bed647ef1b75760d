//! A cluster that cannot be reached: reported once, soon, with the server, the context and a remedy that works.

use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lab::Ca;

use crate::world::{Ran, World};

/// Listens and never says a word; how many have come.
struct Silent {
    port: u16,
    came: Arc<AtomicUsize>,
}

impl Silent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let came = Arc::<AtomicUsize>::default();
        let count = came.clone();
        thread::spawn(move || {
            let mut kept: Vec<TcpStream> = Vec::new();
            for mut client in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                // Its greeting is taken, and nothing is given back.
                drop(client.read(&mut [0; 1 << 12]));
                kept.push(client);
            }
        });
        Self { port, came }
    }
}

/// `keyless audit` with this server in the kubeconfig.
fn audit(world: &World, server: &str) -> Ran {
    let kubeconfig = world.cluster.kubeconfig_at(world.dir.path(), "admin", server);
    Ran::of(world.command(&["audit"]).env("KUBECONFIG", kubeconfig))
}

/// One error, and no verdict.
#[track_caller]
fn fails(ran: Ran, code: &str, names: &[&str]) {
    let ran = ran.fails(3, code, names);
    assert!(ran.out.is_empty(), "a verdict without a cluster: {}", ran.out);
    assert_eq!(ran.err.matches("error[").count(), 1, "{}", ran.err);
    for misleading in ["--ca-file", "relying parties", "AWS waits"] {
        assert!(!ran.err.contains(misleading), "`{misleading}` does not help here: {}", ran.err);
    }
}

#[test]
fn untrusted_server_points_to_kubeconfig() {
    let world = World::new(1);
    let server = world.cluster.server(0);
    let names =
        ["is not trusted by the kubeconfig", &server.url(), "context admin", "certificate-authority-data"];
    server.serve_with(&Ca::new().certificate(&["127.0.0.1"]));
    fails(world.run(&["audit"]), "tls", &names);
    server.serve_with(&world.ca.expired_certificate(&["127.0.0.1"]));
    fails(world.run(&["audit"]), "tls", &["has expired", "context admin", "renew it"]);
    server.serve_with(&world.ca.certificate(&["k8s.example.com"]));
    fails(world.run(&["audit"]), "tls", &["is for another name", "context admin", "tls-server-name"]);
}

#[test]
fn silent_server_is_given_up_once() {
    let world = World::new(1);
    let silent = Silent::start();
    let server = format!("https://127.0.0.1:{}", silent.port);
    let start = Instant::now();
    let ran = audit(&world, &server);
    assert!(start.elapsed() < Duration::from_secs(13), "{:?}", start.elapsed());
    assert!(ran.err.starts_with(&format!("Connecting to {server} (context admin)…\n")), "{}", ran.err);
    assert_eq!(silent.came.load(Ordering::SeqCst), 1, "it was asked again");
    let ran = ran.snapshot("error-server-silent");
    fails(ran, "timeout", &[&server, "context admin", "VPN", "kubectl get --raw /readyz"]);
}

#[test]
fn closed_port_names_server_and_context() {
    let world = World::new(1);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = format!("https://{closed}");
    let start = Instant::now();
    let ran = audit(&world, &server).snapshot("error-server-unreachable");
    fails(ran, "connect", &[&server, "context admin", "kubectl config view --minify"]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn unknown_name_is_told_from_silence() {
    let world = World::new(1);
    // No resolver has to be asked for this one: a label is too long.
    let name = format!("{}.invalid", "k".repeat(64));
    let server = format!("https://{name}:6443");
    let kubeconfig = world.cluster.kubeconfig_at(world.dir.path(), "admin", &server);
    let text = fs::read_to_string(&kubeconfig).unwrap();
    fs::write(&kubeconfig, text.replace("    server:", "    tls-server-name: kubernetes\n    server:"))
        .unwrap();
    let mut command = world.command(&["audit"]);
    // A proxy would resolve the name.
    let ran = Ran::of(command.env("KUBECONFIG", kubeconfig).env_remove("HTTPS_PROXY"));
    fails(
        ran.snapshot("error-server-name-unknown"),
        "dns",
        &[&name, "cannot be resolved", "context admin", "VPN and DNS"],
    );
}

#[test]
fn other_protocol_is_named() {
    let world = World::new(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            drop(std::io::Write::write_all(&mut client, b"SSH-2.0-OpenSSH_9.6\r\n"));
        }
    });
    fails(audit(&world, &server), "tls", &["did not come about", &server, "context admin"]);
}

#[test]
fn passwords_of_addresses_are_not_shown() {
    let world = World::new(1);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (server, proxy) in [
        (format!("https://user:CANARY-7f3@{closed}/?token=CANARY-7f3"), None),
        (format!("https://{closed}"), Some(format!("http://user:CANARY-7f3@{closed}"))),
        (format!("https://{closed}"), Some("ftp://user:CANARY-7f3@proxy".to_owned())),
        ("https://user:CANARY-7f3@".to_owned(), None),
    ] {
        let kubeconfig = world.cluster.kubeconfig_at(world.dir.path(), "admin", &server);
        if let Some(proxy) = proxy {
            let text = fs::read_to_string(&kubeconfig).unwrap();
            let text = text.replace("    server:", &format!("    proxy-url: '{proxy}'\n    server:"));
            fs::write(&kubeconfig, text).unwrap();
        }
        for more in [&[][..], &["-o", "json"], &["-vv"]] {
            let mut command = world.command(&["audit"]);
            let ran: Ran = command.args(more).env("KUBECONFIG", &kubeconfig).output().unwrap().into();
            assert!(matches!(ran.code, Some(2 | 3)), "{}", ran.err);
            assert!(!ran.err.contains("CANARY") && !ran.out.contains("CANARY"), "{}{}", ran.out, ran.err);
        }
    }
}
