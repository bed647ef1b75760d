//! Makes the bucket, and exactly our objects in it readable by strangers.
//!
//! By a bucket policy that names them. On AWS two of the four flags that block public access stand in its
//! way and are lifted; access lists (ACLs) stay off there. Elsewhere no flag is touched: some stores lock the
//! owner out by them. A store without policies gets objects that are public by their access list, if a
//! throw-away object shows that this works.

use std::sync::atomic::Ordering;

use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, ObjectCannedAcl, PublicAccessBlockConfiguration,
};

use super::{Put, S3, policy, refusal, refusal::Refusal};
use crate::{
    bucket::{Bucket, random},
    error::{Error, Result},
    oidc::{DISCOVERY_PATH, JWKS_PATH},
};

/// The one region of AWS that must not be named when a bucket is made.
const UNNAMED_REGION: &str = "us-east-1";
/// What was just changed can take some seconds until it counts.
const TRIES: usize = 4;

pub(super) async fn run(s3: &S3, names: &[String]) -> Result<Vec<String>> {
    let mut done = Vec::new();
    make(s3, &mut done).await?;
    let made = !done.is_empty();
    if s3.location.aws {
        lift_block(s3, &mut done).await?;
    }
    let asked = s3.client.get_bucket_policy().bucket(&s3.location.bucket).send().await;
    let policy = match asked.map_err(Refusal::from) {
        Ok(found) => found.policy,
        Err(refusal) if refusal.code == "NoSuchBucketPolicy" => None,
        Err(refusal) if !s3.location.aws && refusal.is_unknown_call() => {
            by_access_list(s3, names, refusal, &mut done).await?;
            return Ok(done);
        }
        Err(refusal) => {
            return Err(refusal.error(
                &s3.location,
                "s3:GetBucketPolicy",
                &format!("reading the policy of {s3}"),
            ));
        }
    };
    let arns: Vec<_> = names.iter().map(|name| s3.location.arn(name)).collect();
    let Some(policy) = policy::opened(policy.as_deref(), &arns, made)? else { return Ok(done) };
    match put_policy(s3, &policy).await {
        Ok(()) => done.push(format!("opened {} to everyone, by the policy of {s3}", names.join(" and "))),
        Err(refusal)
            if !s3.location.aws && (refusal.is_unknown_call() || refusal.code == "MalformedPolicy") =>
        {
            by_access_list(s3, names, refusal, &mut done).await?;
        }
        Err(refusal) => return Err(not_opened(s3, refusal)),
    }
    Ok(done)
}

async fn make(s3: &S3, done: &mut Vec<String>) -> Result<()> {
    let bucket = &s3.location.bucket;
    // A listing, because its refusal says why; that of a `HEAD` is empty.
    let seen = s3.client.list_objects_v2().bucket(bucket).max_keys(1).send().await;
    match seen.map_err(Refusal::from) {
        Ok(_) => return Ok(()),
        Err(refusal) if refusal.status == Some(404) => {}
        // It is there. Whose it is shows when it is to be made.
        Err(refusal) if refusal.is_forbidden() => {}
        Err(refusal) => {
            return Err(refusal.error(&s3.location, "s3:ListBucket", &format!("looking at {s3}")));
        }
    }
    let named = s3.location.aws && s3.location.region != UNNAMED_REGION;
    let mut created = create(s3, named).await;
    if let Err(refusal) = &created
        && !s3.location.aws
        && s3.location.region != UNNAMED_REGION
        && matches!(
            &*refusal.code,
            "IllegalLocationConstraintException" | "InvalidLocationConstraint" | "MalformedXML"
        )
    {
        created = create(s3, true).await;
    }
    match created {
        Ok(()) => {
            done.push(format!("made the bucket {s3} in the region {}", s3.location.region));
            Ok(())
        }
        Err(refusal) if refusal.code == "BucketAlreadyOwnedByYou" => Ok(()),
        Err(refusal) => Err(refusal.error(&s3.location, "s3:CreateBucket", &format!("making {s3}"))),
    }
}

async fn create(s3: &S3, named: bool) -> refusal::Outcome<()> {
    let constraint = named.then(|| {
        let region = BucketLocationConstraint::from(s3.location.region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let bucket = &s3.location.bucket;
    s3.client.create_bucket().bucket(bucket).set_create_bucket_configuration(constraint).send().await?;
    Ok(())
}

async fn lift_block(s3: &S3, done: &mut Vec<String>) -> Result<()> {
    let bucket = &s3.location.bucket;
    let asked = s3.client.get_public_access_block().bucket(bucket).send().await;
    let flags = match asked.map_err(Refusal::from) {
        Ok(found) => found.public_access_block_configuration,
        Err(refusal) if refusal.code == "NoSuchPublicAccessBlockConfiguration" => None,
        Err(refusal) => {
            let what = format!("reading the public access block of {s3}");
            return Err(refusal.error(&s3.location, "s3:GetBucketPublicAccessBlock", &what));
        }
    };
    let on = |flag: Option<bool>| flag.unwrap_or_default();
    if !flags.is_some_and(|flags| on(flags.block_public_policy) || on(flags.restrict_public_buckets)) {
        return Ok(());
    }
    let flags = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(false)
        .restrict_public_buckets(false)
        .build();
    let mut tries = 1;
    loop {
        let request = s3.client.put_public_access_block().bucket(bucket);
        let lifted = request.public_access_block_configuration(flags.clone()).send().await;
        match lifted.map_err(Refusal::from) {
            Ok(_) => break,
            // A bucket made a moment ago.
            Err(refusal) if refusal.is_conflict() && tries < TRIES => {}
            Err(refusal) => {
                let what = format!("lifting the public access block of {s3}");
                return Err(refusal.error(&s3.location, "s3:PutBucketPublicAccessBlock", &what));
            }
        }
        tries += 1;
        tokio::time::sleep(s3.pause).await;
    }
    done.push(format!(
        "lifted BlockPublicPolicy and RestrictPublicBuckets of {s3}; its access lists stay blocked"
    ));
    Ok(())
}

async fn put_policy(s3: &S3, policy: &str) -> refusal::Outcome<()> {
    let mut tries = 1;
    loop {
        let put = s3.client.put_bucket_policy().bucket(&s3.location.bucket).policy(policy).send().await;
        match put.map_err(Refusal::from) {
            Ok(_) => return Ok(()),
            Err(refusal)
                if tries < TRIES && s3.location.aws && (refusal.is_conflict() || is_blocked(&refusal)) => {}
            Err(refusal) => return Err(refusal),
        }
        tries += 1;
        tokio::time::sleep(s3.pause).await;
    }
}

/// Whether it is the public access block that refuses, and not a missing right.
fn is_blocked(refusal: &Refusal) -> bool {
    refusal.status == Some(403)
        && ["BlockPublicPolicy", "public policies", "Block Public Access"]
            .iter()
            .any(|words| refusal.message.contains(words))
}

fn not_opened(s3: &S3, refusal: Refusal) -> Error {
    let what = format!("setting the policy of {s3}");
    if is_blocked(&refusal) {
        return Error::failed(
            "public-access-blocked",
            format!("{what}: public policies are blocked for the whole account or organisation"),
        )
        .caused_by(refusal.said())
        .hint("`aws s3control get-public-access-block --account-id ACCOUNT` shows it; whoever administers the account can lift BlockPublicPolicy and RestrictPublicBuckets there")
        .hint("or keep the bucket private behind CloudFront with origin access control, give --public-url, and leave out --create");
    }
    let blind = s3.location.aws && refusal.is_forbidden();
    let error = refusal.error(&s3.location, "s3:PutBucketPolicy", &what);
    match blind {
        true => error
            .hint("or public policies are blocked for the account: `aws s3control get-public-access-block`"),
        false => error,
    }
}

/// For stores without policies. `refusal` is what they said to one.
async fn by_access_list(s3: &S3, names: &[String], refusal: Refusal, done: &mut Vec<String>) -> Result<()> {
    let mut hidden = Vec::new();
    let mut stored = 0;
    for name in names {
        if s3.read(name).await?.is_some() {
            stored += 1;
            if !is_public(s3, name).await? {
                hidden.push(name);
            }
        }
    }
    if stored == names.len() && hidden.is_empty() {
        return Ok(());
    }
    if !trial_is_public(s3, names).await? {
        return Err(Error::failed(
            "bucket-not-public",
            format!("{s3} cannot be made readable for strangers from here: the store has no bucket policies, and public access lists have no effect"),
        )
        .caused_by(refusal.said())
        .hint("open the whole bucket by the store's own means, and keep nothing else in it: Cloudflare R2: a custom domain; Backblaze B2: `b2 bucket update NAME allPublic`; Garage: `garage bucket website --allow NAME`")
        .hint("if strangers read it under another address than the API's, give --public-url"));
    }
    for name in hidden {
        let request = s3.client.put_object_acl().bucket(&s3.location.bucket).key(name);
        let opened = request.acl(ObjectCannedAcl::PublicRead).send().await.map_err(Refusal::from);
        opened.map_err(|refusal| {
            refusal.error(&s3.location, "s3:PutObjectAcl", &format!("opening {} to everyone", s3.name(name)))
        })?;
        done.push(format!("opened {} to everyone, by its access list", s3.name(name)));
    }
    if stored < names.len() {
        done.push(format!(
            "{s3} has no policies: each object is opened by its access list when it is written"
        ));
    }
    Ok(())
}

/// Whether a stranger can read a throw-away object that is written as public.
async fn trial_is_public(s3: &S3, names: &[String]) -> Result<bool> {
    let prefix = names
        .first()
        .and_then(|name| [JWKS_PATH, DISCOVERY_PATH].iter().find_map(|path| name.strip_suffix(path)));
    let key = format!("{}.keyless-probe-{}", prefix.unwrap_or_default(), random()?);
    let body = b"keyless finds out here whether strangers can read. This object can be deleted.\n";
    let put = Put { key: &key, body, content_type: "text/plain", cache_control: "no-store", public: true };
    let by_list = match s3.put(put, None).await {
        Ok(_) => true,
        Err(refusal) if refusal.status.is_some_and(|status| status < 429 || status == 501) => {
            let put = s3.put(Put { public: false, ..put }, None).await;
            put.map_err(|refusal| s3.not_written(&key, refusal))?;
            false
        }
        Err(refusal) => return Err(s3.not_written(&key, refusal)),
    };
    let public = is_public(s3, &key).await;
    s3.discard(&key).await;
    let public = public?;
    s3.public_by_acl.store(public && by_list, Ordering::Relaxed);
    Ok(public)
}

async fn is_public(s3: &S3, name: &str) -> Result<bool> {
    Ok(s3.http.get(&format!("{}/{name}", s3.location.public_url())).await?.status == 200)
}
