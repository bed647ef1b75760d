//! `keyless.yaml` and the manifests: what may be read, and what is written where.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::{
    estate::{Estate, SETUP},
    world::{Ran, World},
};

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn settings_behind_link_are_written_through() {
    let estate = Estate::new();
    let dir = estate.world.dir.path();
    fs::create_dir(dir.join("dotfiles")).unwrap();
    let file = dir.join("dotfiles/prod");
    fs::write(&file, "apiVersion: keyless/v1\n# ours\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("dotfiles/prod", dir.join("keyless.yaml")).unwrap();
    estate.run(&SETUP).ends(0);
    assert_eq!(fs::read_link(dir.join("keyless.yaml")).unwrap(), Path::new("dotfiles/prod"));
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("# ours") && written.contains("project: acme-prod"), "{written}");
    assert_eq!(mode(&file), 0o600);
}

/// Any user who may write in the folder could have put it there.
#[test]
fn foreign_part_file_is_left_alone() {
    let estate = Estate::new();
    let dir = estate.world.dir.path();
    fs::write(dir.join("victim"), "untouched").unwrap();
    symlink("victim", dir.join("keyless.yaml.part")).unwrap();
    estate.run(&SETUP).ends(0);
    assert_eq!(fs::read_to_string(dir.join("victim")).unwrap(), "untouched");
    assert!(fs::read_to_string(dir.join("keyless.yaml")).unwrap().contains("project: acme-prod"));
}

#[test]
fn unusable_settings_file_is_refused() {
    let world = World::new(1);
    let file = world.dir.path().join("keyless.yaml");
    let began = Instant::now();
    let refused = |why: &str| {
        for command in ["publish", "verify", "audit", "setup", "teardown"] {
            let ran = world.run(&[command]).fails(2, "config-unreadable", &["keyless.yaml", why]);
            if (command, why) == ("audit", "a named pipe") {
                ran.snapshot("error-config-unreadable");
            }
        }
    };
    fifo(&file);
    refused("a named pipe");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused("a directory");
    fs::remove_dir(&file).unwrap();
    symlink("/dev/zero", &file).unwrap();
    refused("a device");
    fs::remove_file(&file).unwrap();
    symlink("missing", &file).unwrap();
    refused("No such file");
    fs::remove_file(&file).unwrap();
    fs::write(&file, vec![b'#'; 2 << 20]).unwrap();
    refused("more than 1024 KiB");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn files_in_flags_may_be_pipes() {
    let world = World::new(1);
    let dir = world.dir.path();
    fs::write(dir.join("sa.pub"), world.key.public_pem()).unwrap();
    let script = "exec \"$0\" \"$@\" --public-key <(cat sa.pub) --ca-file <(cat ca.pem) --config <(echo 'apiVersion: keyless/v1')";
    let inner = world.command(&[]);
    let bucket = format!("file://{}", world.www.display());
    let mut command = Command::new("/bin/bash");
    command
        .args(["-c", script])
        .arg(inner.get_program())
        .args(["publish", "--no-cluster", "--bucket", &bucket, "--issuer", crate::world::ISSUER])
        .current_dir(dir)
        .env_clear()
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    Ran::from(command.output().unwrap()).ends(0).says("1 key");
    assert_eq!(world.published(), [world.key.kid()]);
}

/// Nothing is read from it, and nothing waited for.
#[test]
fn device_or_folder_argument_is_refused() {
    let world = World::new(1);
    let dir = world.dir.path();
    for name in ["--public-key", "--ca-file", "--config"] {
        for (path, why) in [("/dev/zero", "a device"), (dir.to_str().unwrap(), "a directory")] {
            let arguments = [
                "publish",
                "--no-cluster",
                "--bucket",
                "file:///x",
                "--issuer",
                crate::world::ISSUER,
                name,
                path,
            ];
            let ran = world.run(&arguments).ends(2);
            assert!(ran.err.contains(why), "{name} {path}: {}", ran.err);
        }
    }
}

/// The program in a mount namespace, after these commands of a shell; `$1` is a folder for file systems.
fn mounted(estate: &Estate, prepare: &str, arguments: &[&str]) -> Ran {
    let inner = estate.command(arguments);
    let folder = estate.world.dir.path().join("disk");
    fs::create_dir(&folder).unwrap();
    // stdout is only what the file holds afterwards.
    let script = format!(
        "set -e; folder=$1; shift; {prepare}; set +e; \"$@\" >&2; code=$?; cat \"$folder/keyless.yaml\"; exit $code"
    );
    let mut command = Command::new("/usr/bin/unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "/bin/sh", "-c", &script, "sh"])
        .arg(&folder)
        .arg(inner.get_program())
        .args(inner.get_args())
        .args(["--config", "disk/keyless.yaml"])
        .current_dir(inner.get_current_dir().unwrap())
        .env_clear()
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .stdin(Stdio::null());
    command.output().unwrap().into()
}

#[test]
fn full_disk_ends_setup_before_changes() {
    let estate = Estate::new();
    let before = estate.store();
    let prepare =
        "mount -t tmpfs -o size=4k none $folder; echo 'apiVersion: keyless/v1' >$folder/keyless.yaml";
    let ran = mounted(&estate, prepare, &SETUP).fails(
        3,
        "settings-unwritable",
        &["disk/keyless.yaml", "nothing was changed"],
    );
    assert_eq!(ran.out, "apiVersion: keyless/v1\n", "the file that was there is whole");
    assert_eq!(estate.store()["spec"], before["spec"]);
    assert_eq!(estate.google.federation(), Vec::<String>::new());
}

#[test]
fn read_only_folder_gives_a_warning() {
    let estate = Estate::new();
    let prepare = "mount -t tmpfs none $folder; echo 'apiVersion: keyless/v1' >$folder/keyless.yaml; mount -o remount,ro $folder";
    let ran = mounted(&estate, prepare, &SETUP).ends(0).says("warning[settings-not-written]");
    assert_eq!(ran.out, "apiVersion: keyless/v1\n");
}

/// As a container has it that mounts one file: its name cannot be given to another.
#[test]
fn bind_mounted_settings_give_a_warning() {
    let estate = Estate::new();
    let prepare = "echo 'apiVersion: keyless/v1' >$folder/keyless.yaml; mount --bind $folder/keyless.yaml $folder/keyless.yaml";
    let ran = mounted(&estate, prepare, &SETUP).ends(0).says("warning[settings-not-written]");
    assert_eq!(ran.out, "apiVersion: keyless/v1\n");
}

#[test]
fn manifest_is_not_written_through_device() {
    let estate = Estate::new();
    let dir = estate.world.dir.path();
    fs::create_dir(dir.join("manifests")).unwrap();
    let manifest = dir.join("manifests/serviceaccount-keyless-gcp.yaml");
    symlink("/dev/full", &manifest).unwrap();
    let arguments = [&SETUP[..], &["--manifests", "manifests"]].concat();
    estate.run(&arguments).fails(3, "manifest-unwritable", &["serviceaccount-keyless-gcp.yaml", "a device"]);
    assert!(fs::symlink_metadata(&manifest).unwrap().is_symlink());
}
