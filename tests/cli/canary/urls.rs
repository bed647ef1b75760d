//! Passwords in the URLs of arguments and settings.

use std::fs;

use super::{Canary, LOUD, MODES, keeps};
use crate::world::World;

#[test]
fn passwords_in_arguments_are_not_shown() {
    let world = World::new(1);
    let long = Canary::odd();
    let short = Canary("pw4".into());
    let bucket = format!("file://{}", world.www.display());
    for password in [&long.0, "pw4"] {
        let encoded = password.replace('/', "%2F");
        for url in [
            format!("https://user:{encoded}@store.lab.test"),
            format!("https://user:{password}@store.lab.test/a"),
            format!("https://user:{password}@"),
            format!("https://{encoded}@store.lab.test"),
            format!("user:{password}@store.lab.test"),
            format!("ftp://user:{password}@store.lab.test"),
            format!("https://user:{password}@store.lab.test:port"),
            format!("https://user:{password}\n@store.lab.test"),
            format!("s3://user:{password}@acme"),
            format!("gs://user:{encoded}@acme/prefix"),
            format!("file://user:{password}@host/folder"),
        ] {
            for arguments in [
                vec!["publish", "--bucket", &url],
                vec!["publish", "--bucket", "s3://acme", "--region", "r", "--endpoint", &url],
                vec!["publish", "--bucket", "s3://acme", "--region", "r", "--public-url", &url],
                vec!["publish", "--bucket", &bucket, "--issuer", &url],
                vec!["verify", "--issuer", &url, "--public-only"],
                vec!["render", "issuer", "--distro", "k3s", "--issuer", ISSUER, "--old-issuer", &url],
                vec!["publish", &url],
                vec!["audit", "--service-account", &url],
            ] {
                let what = format!("{arguments:?}");
                keeps(&what, &[&long, &short], world.dir.path(), &LOUD[..1], |mode| {
                    let mut command = world.command(&arguments);
                    command.args(mode).env("AWS_EC2_METADATA_DISABLED", "true").args([
                        "--no-cluster",
                        "--public-key",
                        "x.pub",
                    ]);
                    command
                });
            }
        }
    }
}

const ISSUER: &str = crate::world::ISSUER;

#[test]
fn passwords_in_settings_are_not_shown() {
    let world = World::new(1);
    let long = Canary::odd();
    let file = world.dir.path().join("keyless.yaml");
    for url in [
        format!("https://user:{}@store.lab.test", long.0),
        format!("https://user:{}@store.lab.test", long.0.replace('/', "%2F")),
        format!("user:{}@store.lab.test", long.0),
    ] {
        for settings in [
            format!("bucket: {{url: '{url}'}}"),
            format!("bucket: {{url: 's3://acme', region: r, endpoint: '{url}'}}"),
            format!("bucket: {{url: 's3://acme', region: r, publicUrl: '{url}'}}"),
            format!("issuer: '{url}'\nbucket: {{url: 's3://acme', region: r}}"),
            format!("vault: {{address: '{url}'}}"),
            format!(
                "google: {{project: acme-prod, endpoints: {{iam: '{url}'}}}}\nstore: {{name: gcp, secrets: [db]}}"
            ),
            format!("provider: {url}"),
            format!("bucket: {{'{url}': x}}"),
            format!("bucket: [{url}"),
            format!("issuer:\n\t'{url}'"),
        ] {
            fs::write(&file, format!("apiVersion: keyless/v1\n{settings}\n")).unwrap();
            for command in ["publish", "setup"] {
                keeps(&settings, &[&long], world.dir.path(), &MODES[1..3], |mode| {
                    let mut command = world.command(&[command, "--dry-run"]);
                    command.args(mode);
                    command
                });
            }
        }
    }
}

#[test]
fn passwords_of_proxies_are_not_shown() {
    let world = World::new(1);
    let (long, short) = (Canary::odd(), Canary("pw5".into()));
    for password in [&long.0.replace('/', "%2F"), "pw5"] {
        for proxy in [
            format!("http://user:{password}@127.0.0.1:1"),
            format!("http://user:{password}@nowhere.lab.test:1"),
            format!("socks5://user:{password}@127.0.0.1:1"),
            format!("user:{password}@127.0.0.1:1"),
        ] {
            for command in [
                vec!["verify", "--issuer", ISSUER, "--public-only", "--no-cluster", "--public-key", "x"],
                vec!["audit"],
            ] {
                keeps(&proxy, &[&long, &short], world.dir.path(), &LOUD, |mode| {
                    let mut run = world.command(&command);
                    run.args(mode).env("HTTPS_PROXY", &proxy).env_remove("NO_PROXY");
                    run
                });
            }
        }
    }
}
