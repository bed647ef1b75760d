//! The rotation of each distribution.

use std::{fs, process::Command};

use super::{Distribution, KeyChange, rotation};

fn titles(distro: &'static Distribution) -> Vec<&'static str> {
    rotation(distro).parts.iter().map(|part| part.title).collect()
}

fn of(id: &str) -> &'static Distribution {
    Distribution::all().iter().find(|distro| distro.id == id).unwrap()
}

/// All commands of the part with this in its title.
fn commands(id: &str, title: &str) -> Vec<String> {
    let told = rotation(of(id));
    let parts = told.parts.into_iter().filter(|part| part.title.contains(title));
    parts.flat_map(|part| part.steps).flat_map(|step| step.commands).collect()
}

#[test]
fn staged_rotation_accepts_before_signing() {
    for distro in Distribution::all().iter().filter(|it| matches!(it.keys, KeyChange::Staged(_))) {
        let titles = titles(distro);
        let at = |part: &str| {
            titles
                .iter()
                .position(|title| title.contains(part))
                .unwrap_or_else(|| panic!("{part} of {distro:?}"))
        };
        let order = [
            at("publish its public half"),
            at("accepts the new key, and signs with the old one"),
            at("relying parties have the new key"),
            at("signs with the new key, and accepts the old one"),
            at("last token of the old key has expired"),
            at("No API server accepts the old key"),
        ];
        assert!(order.is_sorted(), "{distro:?}: {titles:?}");
        assert!(rotation(distro).seamless);
    }
}

#[test]
fn single_key_announces_an_outage() {
    for id in ["talos-1.13", "talos-1.12"] {
        let told = rotation(of(id));
        assert!(!told.seamless);
        assert!(told.notes.iter().any(|note| note.contains("Plan an outage")), "{told:?}");
    }
}

#[test]
fn managed_cluster_needs_no_step() {
    for id in ["eks", "gke", "aks"] {
        let told = rotation(of(id));
        let commands: Vec<_> =
            told.parts.iter().flat_map(|part| &part.steps).flat_map(|step| &step.commands).collect();
        assert_eq!(commands, ["keyless verify"], "{id}");
    }
}

#[test]
fn unknown_procedure_is_not_invented() {
    for id in ["vcluster", "k3d", "openshift"] {
        let told = rotation(of(id));
        assert!(!told.seamless);
        assert!(
            told.parts.iter().flat_map(|part| &part.steps).all(|step| step.commands.is_empty()),
            "{told:?}"
        );
    }
}

/// The commands that put files together, run by a shell on files of a folder of this test.
#[test]
fn k3s_keeps_the_signing_key_first() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    fs::create_dir_all(folder.path().join("var/lib/rancher/k3s/server/tls")).unwrap();
    fs::create_dir(folder.path().join("root")).unwrap();
    let service = folder.path().join("var/lib/rancher/k3s/server/tls/service.key");
    fs::write(&service, "old\n").unwrap();
    fs::write(folder.path().join("sa-new.key"), "new\n").unwrap();
    for (part, expected) in [
        ("accepts the new key, and signs with the old one", "old\nnew\n"),
        ("signs with the new key, and accepts the old one", "new\nold\n"),
        ("No API server accepts the old key", "new\n"),
    ] {
        let of_files = ["umask", "mkdir", "cp ", "cat "];
        let files = commands("k3s", part)
            .into_iter()
            .filter(|command| of_files.iter().any(|it| command.starts_with(it)));
        let script: String =
            files.map(|command| format!("{}\n", command.replace(" /", &format!(" {root}/")))).collect();
        let ran = Command::new("sh").arg("-ec").arg(&script).current_dir(&folder).status().unwrap();
        assert!(ran.success(), "{script}");
        assert_eq!(
            fs::read_to_string(folder.path().join("root/keyless-rotation/server/tls/service.key")).unwrap(),
            expected,
            "{part}"
        );
        // What `rotate-ca` does on success.
        fs::write(&service, expected).unwrap();
    }
}

#[test]
fn kubeadm_accepts_both_public_keys_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let pki = folder.path().join("etc/kubernetes/pki");
    fs::create_dir_all(&pki).unwrap();
    for (file, text) in [("sa.key", "old key\n"), ("sa.pub", "old\n")] {
        fs::write(pki.join(file), text).unwrap();
    }
    fs::write(folder.path().join("sa-new.key"), "new key\n").unwrap();
    fs::write(folder.path().join("sa-new.pub"), "new\n").unwrap();
    for (part, key, public) in [
        ("accepts the new key, and signs with the old one", "old key\n", "old\nnew\n"),
        ("signs with the new key, and accepts the old one", "new key\n", "old\nnew\n"),
        ("No API server accepts the old key", "new key\n", "new\n"),
    ] {
        let of_files = ["cp ", "cat "];
        let files = commands("kubeadm", part)
            .into_iter()
            .filter(|command| of_files.iter().any(|it| command.starts_with(it)));
        let script: String =
            files.map(|command| format!("{}\n", command.replace(" /etc", &format!(" {root}/etc")))).collect();
        let ran = Command::new("sh").arg("-ec").arg(&script).current_dir(&folder).status().unwrap();
        assert!(ran.success(), "{script}");
        assert_eq!(fs::read_to_string(pki.join("sa.key")).unwrap(), key, "{part}");
        assert_eq!(fs::read_to_string(pki.join("sa.pub")).unwrap(), public, "{part}");
    }
}

#[test]
fn private_key_is_never_published() {
    for distro in Distribution::all() {
        let told = rotation(distro);
        for command in told.parts.iter().flat_map(|part| &part.steps).flat_map(|step| &step.commands) {
            assert!(!(command.starts_with("keyless") && command.contains(".key")), "{distro:?}: {command}");
        }
    }
}

/// k0s and MicroK8s write in place: a controller that joins gets these files.
#[test]
fn joining_controllers_get_the_keys() {
    for (id, files) in [
        ("k0s", "/var/lib/k0s/pki/sa.key"),
        ("microk8s", "/var/snap/microk8s/current/certs/serviceaccount.key"),
    ] {
        let signs = commands(id, "signs with the new key, and accepts the old one");
        assert!(signs.iter().any(|command| command.ends_with(&format!("> {files}"))), "{signs:?}");
    }
}

#[test]
fn former_key_is_kept_before() {
    for distro in Distribution::all() {
        let told = rotation(distro);
        let commands: Vec<_> =
            told.parts.iter().flat_map(|part| &part.steps).flat_map(|step| &step.commands).collect();
        let at = |wanted: &dyn Fn(&str) -> bool| commands.iter().position(|command| wanted(command));
        let keeps = at(&|it| {
            it.contains("sa-former") || it.contains("serviceaccount-former") || it.contains("service-before")
        });
        let overwrites = at(&|it| {
            let target = ["> /var", "> /etc", "/sa.key", "rotate-ca", "edit machineconfig"];
            target.iter().any(|part| it.contains(part))
                && !it.starts_with("cp -p")
                && !it.starts_with("cp -n")
        });
        if let Some(overwrites) = overwrites {
            assert!(keeps.is_some_and(|keeps| keeps <= overwrites), "{distro:?}: {commands:#?}");
        }
    }
}
