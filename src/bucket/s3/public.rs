//! The bucket, and exactly our objects in it readable by everyone.
//!
//! By a bucket policy that names them. On AWS two of the four flags that block public access are in its
//! way and are lifted; access lists (ACLs) stay off there. Elsewhere no flag is touched: some stores lock the
//! owner out by them. A store without policies gets objects that are public by their access list, if that works
//! there.

use async_trait::async_trait;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, ObjectCannedAcl, PublicAccessBlockConfiguration,
};
use serde_json::{Value, json};

use super::{S3, location::UNNAMED_REGION, policy, refusal, refusal::Refusal};
use crate::{
    bucket::{Bucket, Change, PublicAccess},
    error::{Code, Error, Result},
    plan::{Act, Action, Say, Step, Target},
    retry::Attempts,
};

/// What is done, and to what.
enum Doing {
    CreateBucket,
    /// These are all four flags afterwards.
    LiftBlock(PublicAccessBlockConfiguration),
    /// `seen`: the policy that was planned upon; `None` when it could not be read then.
    PutPolicy {
        seen: Option<Option<String>>,
        made: bool,
        names: Vec<String>,
    },
    /// For stores without policies. `answer` is their answer to one.
    OpenObject {
        name: String,
        answer: String,
    },
}

struct Planned<'a> {
    s3: &'a S3,
    doing: Doing,
}

/// Whether the bucket is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Present,
    Missing,
    /// It may not be listed: not there, another owner's, or only closed to these credentials.
    Hidden,
}

pub(super) async fn plan<'a>(s3: &'a S3, names: &[String]) -> Result<PublicAccess<'a>> {
    let mut access = PublicAccess::default();
    let mut presence = presence(s3).await?;
    let policy = match presence {
        Presence::Missing => Ok(Some(None)),
        Presence::Present => policy_of(s3).await.map(Some),
        Presence::Hidden => match policy_of(s3).await {
            // Only its owner may read its policy.
            Ok(policy) => {
                presence = Presence::Present;
                Ok(Some(policy))
            }
            Err(refusal) if refusal.is_forbidden() || refusal.status == Some(404) => Ok(None),
            Err(refusal) => Err(refusal),
        },
    };
    if presence != Presence::Present {
        access.create.push(planned(s3, create_step(s3, presence), Doing::CreateBucket));
    }
    if s3.location.aws
        && let Some((step, flags)) = lift_step(s3, presence).await?
    {
        access.open.push(planned(s3, step, Doing::LiftBlock(flags)));
    }
    match policy {
        Ok(seen) => {
            let made = presence == Presence::Missing;
            let opened = policy::opened(seen.clone().flatten().as_deref(), &arns(s3, names), made)?;
            if let Some(opened) = opened {
                let step = policy_step(s3, names, seen.as_ref(), &opened);
                access.open.push(planned(s3, step, Doing::PutPolicy { seen, made, names: names.to_vec() }));
            }
        }
        Err(refusal) if !s3.location.aws && refusal.is_unknown_call() => {
            for name in names {
                if s3.read(name).await?.is_none() || !is_public(s3, name).await? {
                    let doing = Doing::OpenObject { name: name.clone(), answer: refusal.text() };
                    access.open.push(planned(s3, acl_step(s3, name), doing));
                }
            }
        }
        Err(refusal) => {
            let what = format!("reading the policy of {s3}");
            return Err(refusal.error(&s3.location, "s3:GetBucketPolicy", &what));
        }
    }
    Ok(access)
}

fn planned<'a>(s3: &'a S3, step: Step, doing: Doing) -> Change<'a> {
    Change::new(step, Box::new(Planned { s3, doing }))
}

fn arns(s3: &S3, names: &[String]) -> Vec<String> {
    names.iter().map(|name| s3.location.arn(name)).collect()
}

fn create_step(s3: &S3, presence: Presence) -> Step {
    let reason = match presence {
        Presence::Hidden => "these credentials may not look at it; it is made if it is not there",
        _ => "there is no bucket of this name",
    };
    Step::new(Target::Bucket, Action::Create, format!("bucket {s3}"), reason)
        .field("region", None, Some(json!(s3.location.region)))
        .requires("s3:CreateBucket")
}

/// Lifting two flags of the public access block, where one of them is on. The other two stay.
async fn lift_step(s3: &S3, presence: Presence) -> Result<Option<(Step, PublicAccessBlockConfiguration)>> {
    let flags = match presence {
        Presence::Missing => Some(of_new_buckets()),
        _ => {
            let asked = s3.client.get_public_access_block().bucket(&s3.location.bucket).send().await;
            match asked.map_err(Refusal::from) {
                Ok(found) => found.public_access_block_configuration,
                Err(refusal) if refusal.code == "NoSuchPublicAccessBlockConfiguration" => None,
                // If it is there it cannot be opened either; if not, this is what it will have.
                Err(refusal) if presence == Presence::Hidden && refusal.is_forbidden() => {
                    Some(of_new_buckets())
                }
                Err(refusal) => {
                    let what = format!("reading the public access block of {s3}");
                    return Err(refusal.error(&s3.location, "s3:GetBucketPublicAccessBlock", &what));
                }
            }
        }
    };
    let Some(flags) = flags else { return Ok(None) };
    let (policy, buckets) = (flags.block_public_policy, flags.restrict_public_buckets);
    if policy != Some(true) && buckets != Some(true) {
        return Ok(None);
    }
    let reason =
        "they would keep a public bucket policy from having an effect; access lists stay as they are";
    let step = Step::new(Target::Bucket, Action::Update, format!("public access block of {s3}"), reason)
        .field("BlockPublicPolicy", policy.map(Value::from), Some(json!(false)))
        .field("RestrictPublicBuckets", buckets.map(Value::from), Some(json!(false)))
        .requires("s3:PutBucketPublicAccessBlock");
    let lifted = PublicAccessBlockConfiguration::builder()
        .set_block_public_acls(flags.block_public_acls)
        .set_ignore_public_acls(flags.ignore_public_acls)
        .block_public_policy(false)
        .restrict_public_buckets(false)
        .build();
    Ok(Some((step, lifted)))
}

/// All four flags are on in every bucket that was made since April 2023.
fn of_new_buckets() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build()
}

fn policy_step(s3: &S3, names: &[String], seen: Option<&Option<String>>, opened: &str) -> Step {
    let reason = format!("everyone may read exactly {}", names.join(" and "));
    let action = if seen.is_some_and(Option::is_some) { Action::Update } else { Action::Create };
    let mut step = Step::new(Target::Bucket, action, format!("bucket policy of {s3}"), reason);
    for (sid, before, after) in policy::changed_statements(seen.and_then(Option::as_deref), opened) {
        step = step.field(format!("Statement {sid}"), before, Some(after));
    }
    step.requires("s3:PutBucketPolicy")
}

fn acl_step(s3: &S3, name: &str) -> Step {
    let reason = "everyone may read it; the store has no bucket policies";
    Step::new(Target::Document, Action::Grant, format!("access list of {}", s3.name(name)), reason)
        .field("AllUsers", None, Some(json!("READ")))
        .requires("s3:PutObjectAcl")
}

#[async_trait]
impl Act for Planned<'_> {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        match &self.doing {
            Doing::CreateBucket => create(self.s3).await,
            Doing::LiftBlock(flags) => lift_block(self.s3, flags).await,
            Doing::PutPolicy { seen, made, names } => {
                open_by_policy(self.s3, seen.as_ref(), *made, names).await
            }
            Doing::OpenObject { name, answer } => open_object(self.s3, name, answer).await,
        }
    }
}

async fn presence(s3: &S3) -> Result<Presence> {
    // A listing, because its refusal says why; that of a `HEAD` is empty.
    let seen = s3.client.list_objects_v2().bucket(&s3.location.bucket).max_keys(1).send().await;
    match seen.map_err(Refusal::from) {
        Ok(_) => Ok(Presence::Present),
        Err(refusal) if refusal.status == Some(404) => Ok(Presence::Missing),
        Err(refusal) if refusal.is_forbidden() => Ok(Presence::Hidden),
        Err(refusal) => Err(refusal.error(&s3.location, "s3:ListBucket", &format!("looking at {s3}"))),
    }
}

async fn create(s3: &S3) -> Result<()> {
    let named = s3.location.aws && s3.location.region != UNNAMED_REGION;
    let mut created = create_in(s3, named).await;
    if let Err(refusal) = &created
        && !s3.location.aws
        && s3.location.region != UNNAMED_REGION
        && matches!(
            &*refusal.code,
            "IllegalLocationConstraintException" | "InvalidLocationConstraint" | "MalformedXML"
        )
    {
        created = create_in(s3, true).await;
    }
    match created {
        Ok(()) => Ok(()),
        Err(refusal) if refusal.code == "BucketAlreadyOwnedByYou" => Ok(()),
        Err(refusal) => Err(refusal.error(&s3.location, "s3:CreateBucket", &format!("making {s3}"))),
    }
}

async fn create_in(s3: &S3, named: bool) -> refusal::Outcome<()> {
    let constraint = named.then(|| {
        let region = BucketLocationConstraint::from(s3.location.region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let bucket = &s3.location.bucket;
    s3.client.create_bucket().bucket(bucket).set_create_bucket_configuration(constraint).send().await?;
    Ok(())
}

async fn lift_block(s3: &S3, flags: &PublicAccessBlockConfiguration) -> Result<()> {
    let mut attempts = Attempts::begin(s3.lag);
    loop {
        let request = s3.client.put_public_access_block().bucket(&s3.location.bucket);
        let lifted = request.public_access_block_configuration(flags.clone()).send().await;
        match lifted.map_err(Refusal::from) {
            Ok(_) => return Ok(()),
            // A bucket made a moment ago.
            Err(refusal) if refusal.is_conflict() && attempts.pause(None).await => {}
            Err(refusal) => {
                let what = format!("lifting the public access block of {s3}");
                return Err(refusal.error(&s3.location, "s3:PutBucketPublicAccessBlock", &what));
            }
        }
    }
}

async fn policy_of(s3: &S3) -> refusal::Outcome<Option<String>> {
    let asked = s3.client.get_bucket_policy().bucket(&s3.location.bucket).send().await;
    match asked.map_err(Refusal::from) {
        Ok(found) => Ok(found.policy),
        Err(refusal) if refusal.code == "NoSuchBucketPolicy" => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Puts the planned policy, if the one that is there is still the one that was planned upon: the store knows no
/// condition for that.
async fn open_by_policy(s3: &S3, seen: Option<&Option<String>>, made: bool, names: &[String]) -> Result<()> {
    let now = match policy_of(s3).await {
        Ok(policy) => policy,
        Err(refusal) if !s3.location.aws && refusal.is_unknown_call() => {
            return open_objects(s3, names, &refusal.text()).await;
        }
        Err(refusal) => {
            let what = format!("reading the policy of {s3}");
            return Err(refusal.error(&s3.location, "s3:GetBucketPolicy", &what));
        }
    };
    if seen.is_some_and(|seen| *seen != now) {
        return Err(Error::failed(
            Code::BucketChanged,
            format!("the policy of {s3} has changed since it was planned upon"),
        )
        .hint("run the command again: it plans upon what is there now"));
    }
    let Some(policy) = policy::opened(now.as_deref(), &arns(s3, names), made)? else { return Ok(()) };
    match put_policy(s3, &policy).await {
        Ok(()) => Ok(()),
        Err(refusal)
            if !s3.location.aws && (refusal.is_unknown_call() || refusal.code == "MalformedPolicy") =>
        {
            open_objects(s3, names, &refusal.text()).await
        }
        Err(refusal) => Err(not_opened(s3, refusal)),
    }
}

async fn put_policy(s3: &S3, policy: &str) -> refusal::Outcome<()> {
    let mut attempts = Attempts::begin(s3.lag);
    loop {
        let put = s3.client.put_bucket_policy().bucket(&s3.location.bucket).policy(policy).send().await;
        match put.map_err(Refusal::from) {
            Ok(_) => return Ok(()),
            Err(refusal)
                if s3.location.aws
                    && (refusal.is_conflict() || is_blocked(&refusal))
                    && attempts.pause(None).await => {}
            Err(refusal) => return Err(refusal),
        }
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
            Code::PublicAccessBlocked,
            format!("{what}: public policies are blocked for the whole account or organisation"),
        )
        .caused_by(refusal.text())
        .hint("`aws s3control get-public-access-block --account-id ACCOUNT` shows it; an administrator of the account can lift BlockPublicPolicy and RestrictPublicBuckets there")
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

async fn open_objects(s3: &S3, names: &[String], answer: &str) -> Result<()> {
    for name in names {
        open_object(s3, name, answer).await?;
    }
    Ok(())
}

/// Makes one object public by its access list, and looks whether that works.
async fn open_object(s3: &S3, name: &str, answer: &str) -> Result<()> {
    if s3.read(name).await?.is_none() {
        return Err(Error::failed(Code::BucketChanged, format!("{} is gone", s3.name(name)))
            .hint("run the command again: it writes what is missing"));
    }
    let request = s3.client.put_object_acl().bucket(&s3.location.bucket).key(name);
    let opened = request.acl(ObjectCannedAcl::PublicRead).send().await.map_err(Refusal::from);
    let answer = match opened {
        Ok(_) => answer.to_owned(),
        Err(refusal) if refusal.is_forbidden() => {
            let what = format!("opening {} to everyone", s3.name(name));
            return Err(refusal.error(&s3.location, "s3:PutObjectAcl", &what));
        }
        Err(refusal) => refusal.text(),
    };
    let mut attempts = Attempts::begin(s3.lag);
    loop {
        if is_public(s3, name).await? {
            return Ok(());
        }
        if !attempts.pause(None).await {
            break;
        }
    }
    Err(Error::failed(
        Code::BucketNotPublic,
        format!("{s3} cannot be made readable for everyone from here: the store has no bucket policies, and public access lists have no effect"),
    )
    .caused_by(answer)
    .hint("open the whole bucket by the store's own means, and keep nothing else in it: Cloudflare R2: a custom domain; Backblaze B2: `b2 bucket update NAME allPublic`; Garage: `garage bucket website --allow NAME`")
    .hint("if it is read under another address than the API's, give --public-url"))
}

async fn is_public(s3: &S3, name: &str) -> Result<bool> {
    Ok(s3.http.get(&format!("{}/{name}", s3.location.public_url())).await?.status == 200)
}
