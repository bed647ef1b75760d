//! The publisher as `deploy/aws` makes it, at an STS of another project: SeaweedFS'. It has no stored key, only tokens of its own
//! ServiceAccount, which the very documents that it publishes make acceptable. So a careless rotation can lock it out.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::StatusCode;
use serde_json::json;

use super::rbac::{self, PROBE};
use crate::buckets::{STS_ADDRESS, STS_HOST};
use crate::call::{Call, Ran};
use crate::check::{Checked, Failure, While, check, until};
use crate::far_sides::FarSide;
use crate::pki::Algorithm;
use crate::process::Process;
use crate::tokens::kid;
use crate::world::{BUCKET, ISSUER, PREFIX, World};

const JOB: &str = "keyless-system/keyless";
const SUBJECT: &str = "system:serviceaccount:keyless-system:keyless";
/// The audience and the role of `deploy/aws`.
const AUDIENCE: &str = "sts.amazonaws.com";
const ROLE: &str = "arn:aws:iam::123456789012:role/keyless-publish";

const ROOT: &str = "https://s3.lab.test/lab-issuer";
/// Another cluster's place in the same bucket.
const ELSEWHERE: &str = "https://s3.lab.test/lab-issuer/other-place";

pub(crate) async fn play(world: &mut World) -> Checked {
    world.published().await?;
    rbac::install(world).await?;
    let gateway = Gateway::start(world).await?;
    let job = token(world, 0, JOB).await?;
    may_publish(world, &job).await?;

    let same = publish(world, &job, ISSUER).await?.exits(0)?;
    same.prints_one_line("unchanged:").during("`publish` without a stored key")?;
    refuses_others(world, &job).await?;

    // One API server signs with a key of its own. The other one's token still opens the bucket.
    let new = sign_with_new_key(world, &[1], "of-server-2").await?;
    publish(world, &job, ISSUER).await?.exits(0).during("a second key")?;
    check!(is_public(world, &new).await?, "the key of server-2 is not public");

    // Both sign with a key that is not public: no token of the job is accepted any more.
    let new = sign_with_new_key(world, &[0, 1], "of-both").await?;
    drop(gateway); // It remembers which keys it has seen.
    let gateway = Gateway::start(world).await?;
    let job = token(world, 0, JOB).await?;
    let refused = publish(world, &job, ISSUER).await?.exits(3)?;
    let refused = refused.says("bucket-credentials").during("a publisher that is locked out")?;
    refused.says("Run `keyless publish` once with a person's login").during("the one remedy")?;
    check!(!is_public(world, &new).await?, "the locked-out publisher published");

    // The remedy, as the message has it.
    world.publish(&[])?.run().await?.exits(0)?;
    drop(gateway);
    let _gateway = Gateway::start(world).await?;
    check!(is_public(world, &new).await?, "the key of both is not public");
    let same = publish(world, &job, ISSUER).await?.exits(0)?;
    same.prints_one_line("unchanged:").during("the publisher after a person's `publish`")?;
    Ok(())
}

/// SeaweedFS' S3 and STS at <https://sts.lab.test>, over the objects of the world's S3.
struct Gateway {
    _process: Process,
}

impl Gateway {
    async fn start(world: &World) -> Checked<Self> {
        let weed = world.far_sides.program(FarSide::SeaweedFs).map_err(Failure)?;
        let serving = world.pki.serving("sts", &[STS_HOST]);
        let config = configure(world)?;
        let process = Process::start(
            "seaweedfs-sts",
            &weed,
            [
                "s3".to_owned(),
                "-filer=127.0.0.1:8888".to_owned(),
                format!("-ip.bind={STS_ADDRESS}"),
                "-port=443".to_owned(),
                "-port.iceberg=0".to_owned(),
                "-port.lance=0".to_owned(),
                format!("-cert.file={}", serving.certificate.display()),
                format!("-key.file={}", serving.key.display()),
                format!("-config={}", world.folder.join("s3.json").display()),
                format!("-iam.config={}", config.display()),
            ],
            &world.folder,
        )?;
        let mut gateway = Self { _process: process };
        let process = &mut gateway._process;
        until(STS_HOST, Duration::from_secs(60), async || {
            process.running()?;
            let answer = world.anyone.get(format!("https://{STS_HOST}/")).send().await?;
            check!(answer.status() == StatusCode::FORBIDDEN, "status {}", answer.status());
            Ok(())
        })
        .await?;
        Ok(gateway)
    }
}

/// The issuer as provider; a role that the job alone may take, which reads the bucket and writes the two documents.
fn configure(world: &World) -> Checked<PathBuf> {
    let documents = ["openid/v1/jwks", ".well-known/openid-configuration"]
        .map(|name| format!("arn:aws:s3:::{BUCKET}/{PREFIX}/{name}"));
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": "cluster-a"},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": {"StringEquals": {"oidc:sub": SUBJECT}},
    }]});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": documents},
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [format!("arn:aws:s3:::{BUCKET}/*")]},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [format!("arn:aws:s3:::{BUCKET}")]},
    ]});
    let configuration = json!({
        "sts": {
            "tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "seaweedfs-sts",
            "signingKey": BASE64_STANDARD.encode([7; 32]),
        },
        "providers": [{"name": "cluster-a", "type": "oidc", "enabled": true, "config": {
            "issuer": ISSUER, "clientId": AUDIENCE, "jwksUri": format!("{ISSUER}/openid/v1/jwks"),
            "tlsCaCert": world.ca_file(),
        }}],
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [{
            "roleName": "keyless-publish", "roleArn": "arn:aws:iam::role/keyless-publish",
            "attachedPolicies": ["publish"], "trustPolicy": trust,
        }],
        "policies": [{"name": "publish", "document": policy}],
    });
    let file = world.folder.join("seaweedfs-iam.json");
    fs::write(&file, configuration.to_string())?;
    Ok(file)
}

/// What the kubelet would put into the pod's volume.
async fn token(world: &World, server: usize, account: &str) -> Checked<PathBuf> {
    let token = world.servers()?[server].token(account, &[AUDIENCE]).await?;
    let file = world.folder.join(format!("token-of-{}", account.replace('/', "-")));
    fs::write(&file, token)?;
    Ok(file)
}

/// `keyless publish` with the job's rights in the cluster, and at the bucket with nothing but this token.
async fn publish(world: &World, web_identity: &Path, issuer: &str) -> Checked<Ran> {
    let own = world.servers()?[0].token(JOB, &[]).await?;
    let (settings, kubeconfig) = rbac::files_of(world, &own).await?;
    let [settings, ca_file] = [settings, world.ca_file()].map(|file| file.display().to_string());
    let endpoint = format!("https://{STS_HOST}");
    let arguments = [
        ["--bucket", "s3://lab-issuer"],
        // The gateway has a name of its own; anyone reads at the other one.
        ["--endpoint", &endpoint],
        ["--public-url", ROOT],
        ["--issuer", issuer],
        ["--ca-file", &ca_file],
        ["--config", &settings],
        ["--service-account", PROBE],
    ];
    let arguments = [&["publish"], arguments.as_flattened()].concat();
    Call::new(&world.keyless_program()?, &arguments)
        .with("HOME", &world.folder)
        .with("KUBECONFIG", kubeconfig)
        .with("AWS_REGION", "us-east-1")
        .with("AWS_ROLE_ARN", ROLE)
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", web_identity)
        .with("AWS_ENDPOINT_URL_STS", &endpoint)
        .run()
        .await
}

/// Waits until every API server has heard of the job's role.
async fn may_publish(world: &World, job: &Path) -> Checked {
    until("the rights of the job", Duration::from_secs(20), async || {
        publish(world, job, ISSUER).await?.exits(0).map(drop)
    })
    .await
}

/// The role opens the two documents only, and to the job only.
async fn refuses_others(world: &World, job: &Path) -> Checked {
    let elsewhere = publish(world, job, ELSEWHERE).await?.exits(3)?.says("AccessDenied")?;
    let there = world.s3()?.has(&world.anyone, &format!("{BUCKET}/other-place/openid")).await?;
    check!(!there, "the job's role wrote elsewhere; it printed\n{elsewhere}");
    let probe = token(world, 0, PROBE).await?;
    publish(world, &probe, ISSUER).await?.exits(3)?.says("bucket-credentials").during("the probe's token")?;
    Ok(())
}

/// These API servers sign with a new key, which nothing has published. Its `kid`.
async fn sign_with_new_key(world: &mut World, servers: &[usize], name: &str) -> Checked<String> {
    let key = world.pki.signing_key(name, Algorithm::Rs256)?;
    for server in servers {
        let (added, signing) = (key.clone(), key.clone());
        let change = |settings: &mut crate::kubernetes::Settings| {
            settings.keys.push(added);
            settings.signing_key = signing;
        };
        world.restart(*server, change).await?;
    }
    kid(&world.servers()?[servers[0]].token(JOB, &[AUDIENCE]).await?)
}

async fn is_public(world: &World, kid: &str) -> Checked<bool> {
    let public = world.public(&format!("{ISSUER}/openid/v1/jwks")).await?;
    Ok(public["keys"].as_array().into_iter().flatten().any(|key| key["kid"] == kid))
}
