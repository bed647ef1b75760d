use tempfile::TempDir;

use super::{access::impersonation, file::Impersonate, *};
use crate::error::{Code, Kind};

/// A pod of another cluster, whatever else is configured.
struct Pod(TempDir);

impl Pod {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let pod = folder.path().join("pod");
        fs::create_dir_all(&pod).unwrap();
        fs::write(pod.join("token"), "pod-token\n").unwrap();
        fs::write(pod.join("ca.crt"), lab::Ca::new().pem()).unwrap();
        fs::create_dir_all(folder.path().join("home/.kube")).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A usable kubeconfig, and where it is.
    fn kubeconfig(&self, name: &str) -> PathBuf {
        let text = "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n\
                    clusters: [{name: c, cluster: {server: 'https://10.1.1.1:6443'}}]\nusers: [{name: u, user: {token: t}}]\n";
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn load(&self, kubeconfig: Option<OsString>, home: bool) -> Result<Access> {
        let environment = Environment {
            kubeconfig,
            home: home.then(|| self.path("home")),
            service: Some(("10.96.0.1".into(), "443".into())),
        };
        load(&Settings { environment, ..Settings::default() }, &self.path("pod"))
    }
}

#[test]
fn unconfigured_load_uses_the_pod() {
    let pod = Pod::new();
    for (kubeconfig, home) in [(None, true), (None, false), (Some(OsString::new()), true)] {
        let access = pod.load(kubeconfig, home).unwrap();
        assert_eq!((access.context, access.server.base.as_str()), (None, "https://10.96.0.1:443"));
    }
}

#[test]
fn named_context_never_uses_the_pod() {
    let pod = Pod::new();
    let environment =
        Environment { service: Some(("10.96.0.1".into(), "443".into())), ..Environment::default() };
    let settings = Settings { environment, context: Some("prod".into()), ..Settings::default() };
    let error = load(&settings, &pod.path("pod")).map(drop).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Usage, Code::Kubeconfig), "{error}");
    assert!(error.message.contains("prod"), "{error}");
}

#[test]
fn service_address_takes_both_ip_families() {
    let pod = Pod::new();
    for (host, base) in [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")] {
        let environment =
            Environment { service: Some((host.into(), "443".into())), ..Environment::default() };
        let settings = Settings { environment, ..Settings::default() };
        assert_eq!(load(&settings, &pod.path("pod")).unwrap().server.base, base);
    }
}

#[test]
fn broken_configuration_never_leads_to_pod() {
    let pod = Pod::new();
    let good = pod.kubeconfig("good");
    fs::write(pod.path("tab"), "users:\n- user:\n\ttoken: CANARY\n").unwrap();
    fs::write(pod.path("empty"), "").unwrap();
    fs::write(
        pod.path("base64"),
        fs::read_to_string(&good).unwrap().replace("token: t", "client-key-data: CANARY!"),
    )
    .unwrap();
    let list = |names: &[&str]| {
        let paths: Vec<_> =
            names.iter().map(|name| if name.is_empty() { PathBuf::new() } else { pod.path(name) }).collect();
        std::env::join_paths(paths).unwrap()
    };
    for names in [
        &["missing"][..],
        &["missing", "gone"],
        &["", ""],
        &["tab"],
        &["tab", "good"],
        &["good", "tab"],
        &["empty"],
        &["base64"],
        &["pod", "good"],
        &["missing", "empty"],
    ] {
        let error = pod.load(Some(list(names)), true).map(drop).expect_err(&names.join(":"));
        assert_eq!((error.kind, error.code), (Kind::Usage, Code::Kubeconfig), "{names:?}: {error}");
        assert!(!error.to_string().contains("CANARY") && !error.hints.is_empty(), "{error}");
    }
    // `~` is the shell's, not ours.
    pod.load(Some("~/.kube/config".into()), true).map(drop).unwrap_err();
    // The default file counts as configured as soon as it exists.
    for content in ["", "\t", "current-context: none\n"] {
        fs::write(pod.path("home/.kube/config"), content).unwrap();
        let error = pod.load(None, true).map(drop).expect_err(content);
        assert_eq!(error.code, Code::Kubeconfig, "{error}");
        assert!(error.message.contains("home/.kube/config"), "{error}");
    }
    fs::remove_file(pod.path("home/.kube/config")).unwrap();
    fs::create_dir(pod.path("home/.kube/config")).unwrap();
    pod.load(None, true).map(drop).unwrap_err();
}

#[test]
fn list_goes_on_past_missing_files() {
    let pod = Pod::new();
    let good = pod.kubeconfig("good");
    let list = std::env::join_paths([&pod.path("missing"), &PathBuf::new(), &good, &good]).unwrap();
    let access = pod.load(Some(list), true).unwrap();
    assert_eq!(access.context.as_deref(), Some("a"));
    let codes: Vec<_> = access.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [Code::KubeconfigMissing]);
    assert!(access.warnings[0].message.contains("missing"), "{:?}", access.warnings);
    // One that is named alone must be there, and so must the file of a flag or setting.
    let settings = Settings { kubeconfig: Some(pod.path("missing")), ..Settings::default() };
    load(&settings, &pod.path("pod")).map(drop).unwrap_err();
}

#[test]
fn unusable_pod_is_an_error() {
    let pod = Pod::new();
    let error = load(&Settings::default(), &pod.path("pod")).map(drop).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Usage, Code::Kubeconfig), "{error}");
    assert!(!error.hints.is_empty(), "{error}");
    for (file, content) in [("token", ""), ("token", "a\nb"), ("ca.crt", "")] {
        let pod = Pod::new();
        fs::write(pod.path("pod").join(file), content).unwrap();
        let access = pod.load(None, false);
        let unusable = access.and_then(|access| access.trust.client_config(access.identity).map(drop));
        unusable.expect_err(&format!("{file}: {content:?}"));
    }
    fs::remove_file(pod.path("pod/token")).unwrap();
    pod.load(None, false).map(drop).unwrap_err();
}

#[test]
fn certificate_of_other_pair_is_refused() {
    let (pod, ca) = (Pod::new(), lab::Ca::new());
    let (one, other) = (ca.certificate(&["a"]), ca.certificate(&["a"]));
    let good = pod.kubeconfig("good");
    let text = fs::read_to_string(&good).unwrap();
    for (certificate, key, usable) in [
        (&*one.cert_pem, &*one.key_pem, true),
        (&one.cert_pem, &other.key_pem, false),
        (&one.key_pem, &one.key_pem, false),
        ("CANARY", &one.key_pem, false),
        (
            &one.cert_pem,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nQ0FOQVJZ\n-----END ENCRYPTED PRIVATE KEY-----\n",
            false,
        ),
        (&one.cert_pem, "CANARY", false),
    ] {
        fs::write(pod.path("c.pem"), certificate).unwrap();
        fs::write(pod.path("k.pem"), key).unwrap();
        let files = "client-certificate: c.pem, client-key: k.pem";
        fs::write(&good, text.replace("token: t", files)).unwrap();
        let access = pod.load(Some(good.clone().into()), false).map(drop);
        assert_eq!(access.is_ok(), usable, "{certificate} {key}");
        if let Err(error) = access {
            assert!(!error.to_string().contains("CANARY") && !error.hints.is_empty(), "{error}");
        }
    }
}

#[test]
fn impersonation_headers_are_those_of_kubectl() {
    let whom = Impersonate {
        user: Some("jane".into()),
        uid: Some("7".into()),
        groups: vec!["g1".into(), "g2".into()],
        extra: vec![("Some/Key%".into(), vec!["v1".into(), "v2".into()])],
    };
    let headers = impersonation(&whom).unwrap();
    let sent: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let extra = "impersonate-extra-some%2fkey%25";
    assert_eq!(
        sent,
        [
            ("impersonate-user", "jane"),
            ("impersonate-uid", "7"),
            ("impersonate-group", "g1"),
            ("impersonate-group", "g2"),
            (extra, "v1"),
            (extra, "v2"),
        ]
    );
    let wrong = Impersonate { user: Some("a\r\nAuthorization: b".into()), ..Impersonate::default() };
    assert!(impersonation(&wrong).is_err());
}

/// The files of KUBECONFIG, by their text; `None`: there is no such file.
fn listed(pod: &Pod, files: &[Option<&str>], whole: bool) -> Result<Vec<Listed>> {
    let paths: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(number, text)| {
            let path = pod.path(&format!("k{number}.yaml"));
            if let Some(text) = text {
                fs::write(&path, text).unwrap();
            }
            path
        })
        .collect();
    let environment =
        Environment { kubeconfig: Some(std::env::join_paths(paths).unwrap()), ..Environment::default() };
    contexts(&Settings { environment, ..Settings::default() }, whole)
}

fn k3s(server: &str) -> String {
    format!(
        "contexts: [{{name: default, context: {{cluster: default, user: default}}}}]\n\
         clusters: [{{name: default, cluster: {{server: '{server}'}}}}]\nusers: [{{name: default, user: {{token: t}}}}]\n"
    )
}

#[test]
fn all_contexts_leave_none_out() {
    let pod = Pod::new();
    let (a, b) = (k3s("https://10.1.1.1:6443"), k3s("https://10.1.1.2:6443"));
    for (files, named) in [
        (&[Some(a.as_str()), Some(b.as_str())][..], "the cluster default is in more than one file"),
        (&[Some(&a), None], "k1.yaml, which does not exist"),
        (&[None, Some(&a)], "k0.yaml, which does not exist"),
    ] {
        let error = listed(&pod, files, true).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Usage, Code::Kubeconfig), "{error}");
        assert!(error.causes.iter().any(|cause| cause.contains(named)), "{error}");
        assert!(!error.hints.is_empty(), "{error}");
        // Those that are named are found as kubectl finds them.
        assert_eq!(listed(&pod, files, false).unwrap().len(), 1);
        fs::remove_file(pod.path("k0.yaml")).ok();
        fs::remove_file(pod.path("k1.yaml")).ok();
    }
    assert_eq!(listed(&pod, &[Some(&a), Some(&a)], true).unwrap().len(), 1, "both say the same");
}

#[test]
fn contexts_of_one_server_are_known() {
    let pod = Pod::new();
    let text = "contexts:\n\
        - {name: one, context: {cluster: a, user: u}}\n\
        - {name: other, context: {cluster: b, user: u}}\n\
        - {name: admin, context: {cluster: a, user: v}}\n\
        - {name: again, context: {cluster: c, user: u}}\n\
        - {name: by-proxy, context: {cluster: d, user: u}}\n\
        clusters:\n\
        - {name: a, cluster: {server: 'https://10.1.1.1:6443'}}\n\
        - {name: b, cluster: {server: 'https://10.1.1.2:6443'}}\n\
        - {name: c, cluster: {server: 'https://10.1.1.1:6443/'}}\n\
        - {name: d, cluster: {server: 'https://10.1.1.1:6443', proxy-url: 'http://10.1.1.9'}}\n";
    let all = listed(&pod, &[Some(text)], true).unwrap();
    assert_eq!(all.iter().map(|it| it.access).collect::<Vec<_>>(), [0, 1, 0, 0, 2]);
}
