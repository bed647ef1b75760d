//! Makes the bucket, and what is in it readable by strangers, without letting them list it.
//!
//! Cloud Storage opens buckets, not objects: the bucket must be for the documents alone, and that is looked
//! at first.

use serde_json::{Map, Value, json};

use super::{Gcs, refusal::Refusal};
use crate::{
    error::{Error, Result},
    oidc::{DISCOVERY_PATH, JWKS_PATH},
};

const EVERYONE: &str = "allUsers";
/// Reads objects and cannot list them.
const READER: &str = "roles/storage.legacyObjectReader";
/// Roles by which strangers read objects.
const READERS: [&str; 2] = [READER, "roles/storage.objectViewer"];
/// Others may change the policy at the same time.
const TRIES: usize = 5;

/// On every bucket that this program made.
pub(super) const MARK: (&str, &str) = ("managed-by", "keyless");

pub(super) async fn run(gcs: &Gcs, names: &[String]) -> Result<Vec<String>> {
    let mut done = Vec::new();
    let made = make(gcs, &mut done).await?;
    for _ in 0..TRIES {
        let mut policy = policy(gcs).await?;
        if is_open(&policy) {
            return Ok(done);
        }
        if !made {
            holds_documents_only(gcs, names).await?;
        }
        admit_everyone(&mut policy)?;
        let url = gcs.api.url("storage/v1/b", &[&gcs.bucket, "iam"], &[]);
        match gcs.api.put(url, Value::Object(policy).to_string().into_bytes()).await {
            Ok(_) => {
                done.push(format!("opened all objects of {gcs} to everyone, by the role {READER}"));
                return Ok(done);
            }
            Err(refusal) if refusal.is_prevented() => return Err(prevented(gcs, &refusal.said())),
            Err(refusal) if refusal.is_conflict() => tokio::time::sleep(gcs.api.pause).await,
            Err(refusal) => {
                let what = format!("setting the IAM policy of {gcs}");
                return Err(refusal.error(&gcs.bucket, "storage.buckets.setIamPolicy", &what));
            }
        }
    }
    Err(Error::failed("bucket-busy", format!("somebody else keeps changing the IAM policy of {gcs}"))
        .hint("ask again when that has ended"))
}

/// Whether the bucket was made, that is, whether it is empty and ours.
async fn make(gcs: &Gcs, done: &mut Vec<String>) -> Result<bool> {
    let bucket = &gcs.bucket;
    match gcs.api.get(gcs.api.url("storage/v1/b", &[bucket], &[])).await {
        Ok(found) => {
            let found: Value = serde_json::from_slice(&found.body).unwrap_or_default();
            if found["iamConfiguration"]["publicAccessPrevention"] == "enforced" {
                return Err(prevented(gcs, ""));
            }
            return Ok(false);
        }
        Err(refusal) if refusal.status == Some(404) => {}
        Err(refusal) => {
            return Err(refusal.error(bucket, "storage.buckets.get", &format!("looking at {gcs}")));
        }
    }
    let Some(project) = &gcs.project else {
        return Err(Error::usage("bucket-project", format!("{gcs} is to be made, but in which Google project?"))
            .hint("give the project's ID as bucket.project in keyless.yaml, or make the bucket by hand: `gcloud storage buckets create`"));
    };
    let mut wanted = json!({
        "name": bucket,
        "labels": { MARK.0: MARK.1 },
        // Said, because some ways of making a bucket enforce the prevention when nothing is said.
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
        Ok(_) => {
            done.push(format!("made the bucket {gcs} in the project {project}"));
            Ok(true)
        }
        Err(refusal) if refusal.status == Some(409) && is_ours(&refusal) => Ok(false),
        Err(refusal) if refusal.status == Some(409) => Err(Error::failed(
            "bucket-of-another-owner",
            format!("the bucket {bucket:?} belongs to somebody else"),
        )
        .caused_by(refusal.said())
        .hint("bucket names are unique among all customers of Google: choose another one with --bucket")),
        Err(refusal) => {
            let what = format!("making {gcs} in the project {project}");
            Err(refusal.error(bucket, "storage.buckets.create", &what))
        }
    }
}

/// Told apart in words only.
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
            Err(Error::failed("bucket-no-iam", format!("{what}: this server knows no IAM policies"))
                .caused_by(refusal.said())
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
            "bucket-policy",
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
        names.iter().any(|ours| ours == name) || name.ends_with(JWKS_PATH) || name.ends_with(DISCOVERY_PATH)
    };
    let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
    let other = items.filter_map(|item| item["name"].as_str()).find(|name| !document(name));
    let Some(other) = other.or(list.get("nextPageToken").map(|_| "more than 1,000 objects")) else {
        return Ok(());
    };
    Err(Error::failed("bucket-holds-more", format!("{gcs} holds more than the documents: {other}")).hint(
        "Google opens a bucket as a whole: choose a bucket of its own for the documents, with --bucket",
    ))
}

fn prevented(gcs: &Gcs, said: &str) -> Error {
    Error::failed("public-access-prevented", format!("{gcs} must not be opened to everyone"))
        .caused_by(said)
        .hint(format!("if it is the bucket that prevents it: `gcloud storage buckets update {gcs} --no-public-access-prevention`"))
        .hint("if it is the organisation: its policies storage.publicAccessPrevention and iam.allowedPolicyMemberDomains decide; they can take 10 minutes to change")
}

fn object(body: &[u8], what: &str) -> Result<Map<String, Value>> {
    serde_json::from_slice(body).map_err(|error| {
        Error::failed("bucket-answer", format!("{what}: the answer is not a JSON object"))
            .caused_by_chain(&error)
            .hint("Cloud Storage never answers so: check --endpoint, and what stands before it")
    })
}
