//! The installed `kubectl` and `keyless` side by side: the same kubeconfigs, environments and flags must lead both to the
//! same server, through the same proxy, as the same user; or neither to any.

mod addresses;
mod certificates;
mod credentials;
mod files;
mod plugins;
mod proxies;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Ca, Cluster, Proxy, ProxyKind, SigningKey};
use tempfile::TempDir;

use crate::world::{ISSUER, Ran};

/// The query by which Google's build of kubectl asks for the server's version, to start the fitting one. It does so without a
/// credential where the one that it starts asks for a user name on the terminal.
const BY_DISPATCHER: &str = "/version?timeout=5s";
const V1: &str = "client.authentication.k8s.io/v1";

/// A cluster, another one, and a proxy of each kind, each at an address of its own.
struct Ground {
    ca: Ca,
    cluster: Cluster,
    other: Cluster,
    http: Proxy,
    https: Proxy,
    socks: Proxy,
}

/// What a program reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reached {
    /// Which cluster, by which name, as whom.
    servers: BTreeSet<(&'static str, String, String)>,
    /// Which proxy was asked for what, by whom.
    proxies: BTreeSet<(&'static str, String, String, Option<String>)>,
}

/// One kubeconfig, or several, with whatever goes with them.
#[derive(Default)]
struct Case {
    name: String,
    files: BTreeMap<String, Vec<u8>>,
    environment: Vec<(String, String)>,
    flags: Vec<String>,
}

impl Case {
    /// One file, named by `KUBECONFIG`.
    fn new(name: impl Into<String>, kubeconfig: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), ..Self::default() }.file("config", kubeconfig).set("KUBECONFIG", "config")
    }

    fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.to_owned(), content.into());
        self
    }

    fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    fn unset(mut self, name: &str) -> Self {
        self.environment.retain(|(other, _)| other != name);
        self
    }

    fn flag(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }
}

impl Ground {
    fn new() -> Self {
        let ca = Ca::new();
        let key = SigningKey::from_stock();
        let start = || Cluster::start(&ca, 1, ISSUER, &key);
        let (cluster, other) = (start(), start());
        for user in ["jane", "bob"] {
            cluster.add_user(user, &lab::Right::ALL);
        }
        let at = |last: u8| IpAddr::from(Ipv4Addr::new(127, 0, 7, last));
        let certificate = ca.certificate(&["127.0.7.2", "proxy.lab.test"]);
        let ground = Self {
            http: Proxy::start(ProxyKind::Http, at(1), None),
            https: Proxy::start(ProxyKind::Https, at(2), Some(&certificate)),
            socks: Proxy::start(ProxyKind::Socks5, at(3), None),
            ca,
            cluster,
            other,
        };
        // Names that no DNS has: proxies know where they lead.
        let addr = ground.cluster.server(0).addr();
        for proxy in [&ground.http, &ground.https, &ground.socks] {
            proxy.change(|settings| {
                settings.routes.insert(format!("k8s.lab.test:{}", addr.port()), addr);
                settings.routes.insert(format!("10.20.30.40:{}", addr.port()), addr);
            });
        }
        ground
    }

    fn port(&self) -> u16 {
        self.cluster.server(0).addr().port()
    }

    /// `https://HOST:PORT` of the first cluster.
    fn at(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port())
    }

    /// `certificate-authority-data: …`.
    fn authority(&self) -> String {
        format!("certificate-authority-data: {}", STANDARD.encode(self.ca.pem()))
    }

    fn token(&self) -> String {
        self.cluster.token_of("admin")
    }

    /// A kubeconfig for the first cluster with these members of its cluster and user.
    fn kubeconfig(&self, cluster: &str, user: &str) -> String {
        kubeconfig(&self.cluster.server(0).url(), &format!("{}, {cluster}", self.authority()), user)
    }

    /// The usual one, with this address.
    fn usual(&self, server: &str) -> String {
        kubeconfig(server, &self.authority(), &format!("token: {}", self.token()))
    }

    fn reached(&self) -> Reached {
        let mut reached = Reached::default();
        for (name, cluster) in [("cluster", &self.cluster), ("other", &self.other)] {
            let faults = cluster.server(0).faults();
            for call in faults.requests().into_iter().filter(|call| !call.path.ends_with(BY_DISPATCHER)) {
                reached.servers.insert((name, call.host, call.who.unwrap_or_default()));
            }
            faults.forget();
        }
        for (name, proxy) in [("http", &self.http), ("https", &self.https), ("socks", &self.socks)] {
            for asked in proxy.asked() {
                reached.proxies.insert((name, asked.how, asked.target, asked.user));
            }
        }
        reached
    }

    /// Runs both programs in a folder of their own. How `keyless` ended, and what each reached.
    fn run(&self, case: &Case) -> (Ran, Reached, Reached) {
        let folder = TempDir::new().unwrap();
        for (name, content) in &case.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            let mode = if content.starts_with(b"#!") { 0o755 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let run = |mut command: Command| -> (Ran, Reached) {
            command
                .args(&case.flags)
                .current_dir(folder.path())
                .env_clear()
                .env("PATH", format!("{}:{}", folder.path().join("bin").display(), variable("PATH")))
                .env("HOME", folder.path().join("home"))
                .envs(case.environment.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null());
            let ran: Ran = command.output().unwrap().into();
            (ran, self.reached())
        };
        self.reached();
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["get", "--raw", "/version"]);
        let (_, by_kubectl) = run(kubectl);
        let mut keyless = Command::new(env!("CARGO_BIN_EXE_keyless"));
        keyless.arg("audit");
        let (ran, by_keyless) = run(keyless);
        (ran, by_kubectl, by_keyless)
    }

    /// Each case must lead both to the same; `connects` says whether to anything, so that the table means what it says.
    #[track_caller]
    fn compare(&self, cases: Vec<(bool, Case)>) {
        let mut failures = Vec::new();
        for (connects, case) in &cases {
            let (ran, by_kubectl, by_keyless) = self.run(case);
            let name = &case.name;
            let mut wrong = |what: &str| {
                failures.push(format!(
                    "{name}: {what}\nkubectl {by_kubectl:?}\nkeyless {by_keyless:?}\n{}{}",
                    ran.out, ran.err
                ));
            };
            if by_kubectl != by_keyless {
                wrong("they part");
            }
            if by_kubectl.servers.is_empty() == *connects {
                wrong("kubectl does otherwise");
            }
            if !connects && !matches!(ran.code, Some(2 | 3)) || ran.err.contains("panicked") {
                wrong("keyless ends otherwise");
            }
            if !connects && (!ran.err.contains("error[") || !ran.err.contains("hint: ")) {
                wrong("keyless does not say why");
            }
            if [&ran.out, &ran.err].iter().any(|text| text.contains(&self.token()) || text.contains("CANARY"))
            {
                wrong("keyless shows a credential");
            }
        }
        assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n\n"));
    }
}

fn kubeconfig(server: &str, cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod\n\
         clusters: [{{name: prod, cluster: {{server: '{server}', {cluster}}}}}]\n\
         users: [{{name: admin, user: {{{user}}}}}]\n\
         contexts: [{{name: prod, context: {{cluster: prod, user: admin}}}}]\n"
    )
}

#[expect(clippy::disallowed_methods, reason = "where kubectl is, and whether it must be there")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Whether there is a kubectl to compare with. Where everything must be run, there is.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn kubectl() -> bool {
    match Command::new("kubectl").args(["version", "--client"]).output() {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert_ne!(variable("CI"), "true", "kubectl is missing");
            eprintln!("SKIPPED: kubectl is not installed");
            false
        }
        Err(error) => panic!("kubectl: {error}"),
    }
}
