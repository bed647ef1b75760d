//! The bucket, and what is in it readable by everyone without letting them list it.
//!
//! Cloud Storage opens buckets, not objects: the bucket must be for the documents alone, and that is looked
//! at first.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Gcs, refusal::Refusal};
use crate::{
    bucket::{Change, PublicAccess, is_leftover},
    error::{Code, Error, Result},
    oidc::{DISCOVERY_PATH, JWKS_PATH},
    plan::{Act, Action, Say, Step, Target},
    retry::{Attempts, Backoff},
};

const EVERYONE: &str = "allUsers";
/// Reads objects and cannot list them.
const READER: &str = "roles/storage.legacyObjectReader";
/// Roles by which everyone may read objects.
const READERS: [&str; 2] = [READER, "roles/storage.objectViewer"];
/// Others may change the policy at the same time.
const TRIES: u32 = 5;

/// On every bucket that this program made.
pub(super) const MARK: (&str, &str) = ("managed-by", "keyless");

enum Doing {
    /// In this project.
    CreateBucket(String),
    AdmitEveryone,
}

struct Planned<'a> {
    gcs: &'a Gcs,
    doing: Doing,
}

pub(super) async fn plan<'a>(gcs: &'a Gcs, names: &[String]) -> Result<PublicAccess<'a>> {
    let mut access = PublicAccess::default();
    let missing = is_missing(gcs).await?;
    if missing {
        let (step, project) = create_step(gcs)?;
        access.create.push(planned(gcs, step, Doing::CreateBucket(project)));
    } else {
        if is_open(&policy(gcs).await?) {
            return Ok(access);
        }
        holds_documents_only(gcs, names).await?;
    }
    let reason = format!("everyone may read, and not list, what is in it: {}", names.join(" and "));
    let step = Step::new(Target::Bucket, Action::Grant, format!("IAM policy of {gcs}"), reason)
        .field(format!("{READER} {EVERYONE}"), None, Some(json!("member")))
        .requires("storage.buckets.setIamPolicy");
    access.open.push(planned(gcs, step, Doing::AdmitEveryone));
    Ok(access)
}

fn planned<'a>(gcs: &'a Gcs, step: Step, doing: Doing) -> Change<'a> {
    Change::new(step, Box::new(Planned { gcs, doing }))
}

#[async_trait]
impl Act for Planned<'_> {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        match &self.doing {
            Doing::CreateBucket(project) => create(self.gcs, project).await,
            Doing::AdmitEveryone => open(self.gcs).await,
        }
    }
}

async fn open(gcs: &Gcs) -> Result<()> {
    let mut attempts = Attempts::begin(Backoff { attempts: TRIES, ..gcs.api.backoff });
    loop {
        let mut policy = policy(gcs).await?;
        if is_open(&policy) {
            return Ok(());
        }
        admit_everyone(&mut policy)?;
        let url = gcs.api.url("storage/v1/b", &[&gcs.bucket, "iam"], &[]);
        match gcs.api.put(url, Value::Object(policy).to_string().into_bytes()).await {
            Ok(_) => return Ok(()),
            Err(refusal) if refusal.is_prevented() => return Err(prevented(gcs, &refusal.summary())),
            Err(refusal) if refusal.is_conflict() => {
                if !attempts.pause(refusal.retry_after).await {
                    break;
                }
            }
            Err(refusal) => {
                let what = format!("setting the IAM policy of {gcs}");
                return Err(refusal.error(&gcs.bucket, "storage.buckets.setIamPolicy", &what));
            }
        }
    }
    Err(Error::failed(
        Code::BucketContended,
        format!("the IAM policy of {gcs} changes faster than it can be written"),
    )
    .hint("run the command again when the other change is done"))
}

async fn is_missing(gcs: &Gcs) -> Result<bool> {
    match gcs.api.get(gcs.api.url("storage/v1/b", &[&gcs.bucket], &[])).await {
        Ok(found) => {
            let found: Value = serde_json::from_slice(&found.body).unwrap_or_default();
            match found["iamConfiguration"]["publicAccessPrevention"] == "enforced" {
                true => Err(prevented(gcs, "")),
                false => Ok(false),
            }
        }
        Err(refusal) if refusal.status == Some(404) => Ok(true),
        Err(refusal) => Err(refusal.error(&gcs.bucket, "storage.buckets.get", &format!("looking at {gcs}"))),
    }
}

fn create_step(gcs: &Gcs) -> Result<(Step, String)> {
    let Some(project) = &gcs.project else {
        return Err(Error::usage(Code::BucketProject, format!("{gcs} is to be made, but in which Google project?"))
            .hint("give the project's ID as bucket.project in keyless.yaml, or make the bucket by hand: `gcloud storage buckets create`"));
    };
    let mut step = Step::new(
        Target::Bucket,
        Action::Create,
        format!("bucket {gcs}"),
        format!("there is no bucket of this name; it is made in the project {project}"),
    )
    .field("uniformBucketLevelAccess", None, Some(json!(true)))
    .field("publicAccessPrevention", None, Some(json!("inherited")));
    if let Some(location) = &gcs.location {
        step = step.field("location", None, Some(json!(location)));
    }
    Ok((step.requires("storage.buckets.create"), project.clone()))
}

async fn create(gcs: &Gcs, project: &str) -> Result<()> {
    let bucket = &gcs.bucket;
    let mut wanted = json!({
        "name": bucket,
        "labels": { MARK.0: MARK.1 },
        // Named, because some ways of making a bucket enforce the prevention by default.
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": true},
            "publicAccessPrevention": "inherited",
        },
    });
    if let Some(location) = &gcs.location {
        wanted["location"] = json!(location);
    }
    let url = gcs.api.url("storage/v1/b", &[], &[("project", project)]);
    match gcs.api.post(url, "application/json", wanted.to_string().into_bytes()).await {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.status == Some(409) && is_ours(&refusal) => Ok(()),
        Err(refusal) if refusal.status == Some(409) => {
            Err(Error::failed(Code::BucketOfAnotherOwner, format!("the bucket {bucket:?} has another owner"))
                .caused_by(refusal.summary())
                .hint(
                    "bucket names are unique among all customers of Google: choose another one with --bucket",
                ))
        }
        Err(refusal) => {
            let what = format!("making {gcs} in the project {project}");
            Err(refusal.error(bucket, "storage.buckets.create", &what))
        }
    }
}

/// Only the message tells the two apart.
fn is_ours(refusal: &Refusal) -> bool {
    refusal.message.contains("you already own it")
}

async fn policy(gcs: &Gcs) -> Result<Map<String, Value>> {
    // Version 3, or conditions of other bindings would be lost when the policy is written back.
    let query = [("optionsRequestedPolicyVersion", "3")];
    let answer = gcs.api.get(gcs.api.url("storage/v1/b", &[&gcs.bucket, "iam"], &query)).await;
    let what = format!("reading the IAM policy of {gcs}");
    match answer {
        Ok(answer) => object(&answer.body, &what),
        Err(refusal) if refusal.is_absent() => {
            Err(Error::failed(Code::BucketNoIam, format!("{what}: this server knows no IAM policies"))
                .caused_by(refusal.summary())
                .hint("it is not Google's: open the bucket by its own means, and leave out --create"))
        }
        Err(refusal) => Err(refusal.error(&gcs.bucket, "storage.buckets.getIamPolicy", &what)),
    }
}

pub(super) fn is_open(policy: &Map<String, Value>) -> bool {
    let bindings = policy.get("bindings").and_then(Value::as_array);
    bindings.into_iter().flatten().any(|binding| {
        READERS.iter().any(|role| binding["role"] == *role)
            && binding.get("condition").is_none()
            && binding["members"].as_array().is_some_and(|members| members.contains(&json!(EVERYONE)))
    })
}

/// Adds one member. Everything else of the policy stays, its etag too.
pub(super) fn admit_everyone(policy: &mut Map<String, Value>) -> Result<()> {
    policy.insert("version".to_owned(), json!(3));
    let bindings = policy.entry("bindings").or_insert_with(|| json!([]));
    let Some(bindings) = bindings.as_array_mut() else {
        return Err(Error::failed(
            Code::BucketPolicy,
            "the bucket has an IAM policy without a list of bindings",
        )
        .hint("look at it (`gcloud storage buckets get-iam-policy`): nothing is put in its place"));
    };
    let ours = |binding: &&mut Value| binding["role"] == READER && binding.get("condition").is_none();
    match bindings.iter_mut().find(ours).and_then(|binding| binding["members"].as_array_mut()) {
        Some(members) => members.push(json!(EVERYONE)),
        None => bindings.push(json!({"role": READER, "members": [EVERYONE]})),
    }
    Ok(())
}

/// Refuses to open a bucket that holds anything else.
async fn holds_documents_only(gcs: &Gcs, names: &[String]) -> Result<()> {
    let query = [("maxResults", "1000"), ("fields", "items/name,nextPageToken")];
    let what = format!("looking whether {gcs} holds anything that must not be public");
    let answer = gcs.api.get(gcs.api.url("storage/v1/b", &[&gcs.bucket, "o"], &query)).await;
    let answer = answer.map_err(|refusal| refusal.error(&gcs.bucket, "storage.objects.list", &what))?;
    let list = object(&answer.body, &what)?;
    let document = |name: &str| {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        names.iter().any(|ours| ours == name)
            || name.ends_with(JWKS_PATH)
            || name.ends_with(DISCOVERY_PATH)
            || is_leftover(name, folder)
    };
    let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
    let other = items.filter_map(|item| item["name"].as_str()).find(|name| !document(name));
    let Some(other) = other.or(list.get("nextPageToken").map(|_| "more than 1,000 objects")) else {
        return Ok(());
    };
    Err(Error::failed(Code::BucketHoldsMore, format!("{gcs} holds more than the documents: {other}")).hint(
        "Google opens a bucket as a whole: choose a bucket of its own for the documents, with --bucket",
    ))
}

fn prevented(gcs: &Gcs, message: &str) -> Error {
    Error::failed(Code::PublicAccessPrevented, format!("{gcs} must not be opened to everyone"))
        .caused_by(message)
        .hint(format!("if it is the bucket that prevents it: `gcloud storage buckets update {gcs} --no-public-access-prevention`"))
        .hint("if it is the organisation: its policies storage.publicAccessPrevention and iam.allowedPolicyMemberDomains decide; they can take 10 minutes to change")
}

fn object(body: &[u8], what: &str) -> Result<Map<String, Value>> {
    serde_json::from_slice(body).map_err(|error| {
        Error::failed(Code::BucketAnswer, format!("{what}: the answer is not a JSON object"))
            .caused_by_chain(&error)
            .hint("Cloud Storage never answers so: check --endpoint, and any proxy before it")
    })
}
