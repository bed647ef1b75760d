//! `cargo run -p lab`: the main job of `keyless`, done by the very binary, on far sides that need no
//! account. Shows each command with its output; fails if one ends in another way than it should.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use lab::{Ca, Cluster, Curve, Flavour, Internet, KeyFile, S3, SigningKey};

/// Where the store's API and its public reads are, on the lab's internet
const STORE: &str = "s3.example.com";
const BUCKET: &str = "acme-oidc";

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The demo ends here: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), Box<dyn Error>> {
    let keyless = build()?;
    let world = World::start(keyless)?;
    say(
        "A cluster with two API servers, private. A bucket store, reachable by everyone. This is all there is to set:",
    );
    println!("$ cat keyless.yaml\n{}", fs::read_to_string(world.dir.path().join("keyless.yaml"))?);

    say("Put the cluster's public keys where clouds can read them, in a bucket that is made for it:");
    world.keyless("publish --create", 0)?;
    say("As the CronJob does it, every few minutes. Nothing has changed, so nothing is written:");
    let written = world.writes();
    world.keyless("publish", 0)?;
    expect(world.writes() == written, "an unchanged publish wrote something")?;
    say("Look at it as a cloud does: only the public URL, and a fresh token of every API server:");
    world.keyless("verify", 0)?;

    say("The signing key is to be replaced. Its successor appears on one of the two API servers:");
    let (old, new) = (world.key.clone(), SigningKey::ec(Curve::P256));
    world.cluster.server(1).change(|server| server.key_files.push(KeyFile::from(&new)));
    world.keyless("publish --dry-run", 1)?;
    world.keyless("publish", 0)?;
    say(
        "The other server has it too. Once the documents' cache time is over (the lab does not wait), one signs with it:",
    );
    world.cluster.server(0).change(|server| server.key_files.push(KeyFile::from(&new)));
    world.cluster.server(1).change(|server| server.signing_key = new.clone());
    world.keyless("verify", 0)?;
    let published = world.published_keys();
    let both = [old.kid(), new.kid()].iter().all(|kid| published.contains(kid));
    expect(both, "a key is missing in the bucket")?;
    world.close();
    Ok(())
}

/// The far sides and the binary
struct World {
    keyless: PathBuf,
    dir: tempfile::TempDir,
    key: SigningKey,
    cluster: Cluster,
    s3: S3,
    internet: Internet,
    kubeconfig: PathBuf,
}

impl World {
    fn start(keyless: PathBuf) -> Result<Self, Box<dyn Error>> {
        let (dir, ca, key) = (tempfile::tempdir()?, Ca::new(), SigningKey::rsa(2048));
        let issuer = format!("https://{STORE}/{BUCKET}");
        let cluster = Cluster::start(&ca, 2, &issuer, &key);
        let (s3, internet) = (S3::start_tls(&ca, &[STORE], Flavour::Compatible), Internet::start());
        internet.route(STORE, s3.addr());
        ca.write(dir.path());
        let settings = format!(
            "apiVersion: keyless/v1\n\
             bucket:\n  url: s3://{BUCKET}\n  endpoint: https://{STORE}\n\
             tls:\n  caFile: ca.pem # the lab's own certificate authority\n"
        );
        fs::write(dir.path().join("keyless.yaml"), settings)?;
        let kubeconfig = cluster.kubeconfig(dir.path());
        Ok(Self { keyless, dir, key, cluster, s3, internet, kubeconfig })
    }

    /// Runs the binary like a person in the folder of `keyless.yaml`
    fn keyless(&self, arguments: &str, expected: i32) -> Result<(), Box<dyn Error>> {
        println!("$ keyless {arguments}");
        let credentials = self.s3.credentials();
        let mut command = Command::new(&self.keyless);
        for (name, _) in std::env::vars_os() {
            let upper = name.to_string_lossy().to_uppercase();
            if upper.starts_with("AWS_") || upper.ends_with("_PROXY") {
                command.env_remove(name);
            }
        }
        let status = command
            .args(arguments.split_whitespace())
            .current_dir(self.dir.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_REGION", "eu-central-1")
            // Nothing of the machine's own AWS settings, and no search for a metadata service.
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HTTPS_PROXY", self.internet.url())
            .env("NO_PROXY", "127.0.0.0/8,127.0.0.1")
            .stdin(Stdio::null())
            .status()?;
        println!();
        let wrong = format!("`keyless {arguments}` should have ended with exit code {expected}: {status}");
        expect(status.code() == Some(expected), &wrong)
    }

    fn writes(&self) -> usize {
        self.s3
            .faults()
            .requests()
            .iter()
            .filter(|call| call.method != "GET" && call.method != "HEAD")
            .count()
    }

    fn published_keys(&self) -> String {
        let object = self.s3.object(BUCKET, "openid/v1/jwks");
        object.map(|object| String::from_utf8_lossy(&object.body).into_owned()).unwrap_or_default()
    }

    /// Stops and removes everything, says what was shown
    fn close(self) {
        let requests = self.s3.faults().requests().len();
        drop(self);
        println!(
            "Shown: the keys of two API servers published and verified from outside, then a new key public before it \
             signs. {requests} requests reached the store. Everything is stopped and removed."
        );
    }
}

fn expect(held: bool, otherwise: &str) -> Result<(), Box<dyn Error>> {
    if held { Ok(()) } else { Err(otherwise.into()) }
}

fn say(text: &str) {
    println!("# {text}");
}

/// Builds the binary under demonstration and returns its path
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(cargo)
        .args(["build", "--package", "keyless", "--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("`cargo build --package keyless` failed".into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let found = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    found.ok_or_else(|| "cargo named no executable".into())
}
