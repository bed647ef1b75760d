//! From a request to the operation it means, and who may do it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::Method;

use super::error::S3Error;
use super::sigv4::authenticate;
use super::{Flavour, Shared, User};
use crate::clock;
use crate::keys::random_hex;
use crate::wire::{Handler, Reply, Request, percent_decode};

pub(crate) struct Service {
    pub(crate) shared: Arc<Mutex<Shared>>,
}

/// Which bucket and key a request is about, and through which door it came
struct Target {
    bucket: String,
    key: String,
    website: bool,
}

/// What an operation knows about its request
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request,
    pub(crate) body: Bytes,
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// Account of the caller; empty if anonymous
    pub(crate) account: String,
    /// Whether the caller may list the bucket: only then is an absent key 404
    pub(crate) lists: bool,
}

impl Handler for Service {
    fn handle(&self, request: &Request) -> Reply {
        let mut shared = self.shared.lock().expect("the store");
        let silent = shared.flavour == Flavour::Rgw;
        let reply = match answer(request, &mut shared) {
            Ok(reply) => reply,
            Err(error) => error.reply(&request.path, silent),
        };
        reply
            .with("x-amz-request-id", random_hex(8).to_uppercase())
            .with("server", "lab")
            .with("date", clock::http_date(clock::now(0)))
    }
}

fn answer(request: &Request, shared: &mut Shared) -> Result<Reply, S3Error> {
    let target = target(request, shared);
    shared.take_identities();
    let (user, body) = authenticate(request, shared)?;
    let action = action(request, &target);
    if target.bucket.is_empty() {
        return Err(if user.is_none() { S3Error::access_denied() } else { S3Error::not_implemented() });
    }
    let lists = authorize(request, &target, action, user, shared)?;
    let account = user.map(|user| user.account.clone()).unwrap_or_default();
    let Target { bucket, key, .. } = target;
    let context = Context { request, body, bucket, key, account, lists };
    if context.key.is_empty() { context.on_bucket(shared) } else { context.on_object(shared) }
}

fn target(request: &Request, shared: &Shared) -> Target {
    let host = request.host.split(':').next().unwrap_or_default().to_lowercase();
    let path = percent_decode(request.path.trim_start_matches('/'));
    let below = |domains: &[String]| {
        domains.iter().find_map(|domain| Some(host.strip_suffix(domain)?.strip_suffix('.')?.to_owned()))
    };
    if let Some(bucket) = below(&shared.settings.web_domains) {
        return Target { bucket, key: path, website: true };
    }
    if let Some(bucket) = below(&shared.settings.domains) {
        return Target { bucket, key: path, website: false };
    }
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    Target { bucket: bucket.to_owned(), key: key.to_owned(), website: false }
}

/// The action of a policy that the request needs (service authorization reference, Amazon S3)
fn action(request: &Request, target: &Target) -> &'static str {
    let sub = |name: &str| request.query(name).is_some();
    let by_method = |get: &'static str, put: &'static str, delete: &'static str| match request.method {
        Method::GET | Method::HEAD => get,
        Method::DELETE => delete,
        _ => put,
    };
    if !target.key.is_empty() {
        return by_method("s3:GetObject", "s3:PutObject", "s3:DeleteObject");
    }
    if sub("policyStatus") {
        "s3:GetBucketPolicyStatus"
    } else if sub("policy") {
        by_method("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
    } else if sub("publicAccessBlock") {
        let put = "s3:PutBucketPublicAccessBlock";
        by_method("s3:GetBucketPublicAccessBlock", put, put)
    } else if sub("location") {
        "s3:GetBucketLocation"
    } else if sub("acl") {
        by_method("s3:GetBucketAcl", "s3:PutBucketAcl", "s3:PutBucketAcl")
    } else if sub("website") {
        by_method("s3:GetBucketWebsite", "s3:PutBucketWebsite", "s3:DeleteBucketWebsite")
    } else {
        by_method("s3:ListBucket", "s3:CreateBucket", "s3:DeleteBucket")
    }
}

/// Whether the caller may also list the bucket, or why he may not do what he asks
fn authorize(
    request: &Request,
    target: &Target,
    action: &str,
    user: Option<&User>,
    shared: &Shared,
) -> Result<bool, S3Error> {
    let Some(bucket) = shared.buckets.get(&target.bucket) else {
        return match (user, action) {
            (Some(user), "s3:CreateBucket") => allowed(user, action, target).map(|()| false),
            (None, "s3:CreateBucket") => Err(S3Error::access_denied()),
            (None, _) if shared.flavour == Flavour::Compatible => Err(S3Error::access_denied()),
            _ => Err(S3Error::no_such_bucket()),
        };
    };
    let block = shared.block(bucket);
    let everyone = |action: &str, resource: String| {
        let policy = bucket.policy.as_ref().filter(|_| !block.restrict_public_buckets);
        policy.is_some_and(|policy| policy.allows_everyone(action, &resource))
    };
    let arn = format!("arn:aws:s3:::{}", target.bucket);
    let by_acl =
        bucket.objects.get(&target.key).is_some_and(|stored| stored.public && !block.ignore_public_acls);
    let public_object = !target.key.is_empty()
        && (everyone(action, format!("{arn}/{}", target.key))
            || action == "s3:GetObject" && (by_acl || target.website && bucket.website));
    let public_list = everyone("s3:ListBucket", arn) || target.website && bucket.website;
    let Some(user) = user else {
        let permitted = public_object || target.key.is_empty() && action == "s3:ListBucket" && public_list;
        return if permitted { Ok(public_list) } else { Err(S3Error::access_denied()) };
    };
    let heeds_owner = matches!(shared.flavour, Flavour::Aws | Flavour::Rgw);
    let expected = request.header("x-amz-expected-bucket-owner").filter(|_| heeds_owner);
    if expected.is_some_and(|expected| expected != bucket.account) {
        return Err(S3Error::access_denied());
    }
    if user.account != bucket.account && action != "s3:CreateBucket" {
        return if public_object { Ok(public_list) } else { Err(S3Error::access_denied()) };
    }
    allowed(user, action, target)?;
    Ok(user.may("s3:ListBucket", &format!("arn:aws:s3:::{}", target.bucket)))
}

fn allowed(user: &User, action: &str, target: &Target) -> Result<(), S3Error> {
    let key = if target.key.is_empty() { String::new() } else { format!("/{}", target.key) };
    if user.may(action, &format!("arn:aws:s3:::{}{key}", target.bucket)) {
        return Ok(());
    }
    let message = format!(
        "User: arn:aws:iam::{}:user/lab is not authorized to perform: {action} on resource: \
         \"arn:aws:s3:::{}{key}\" because no identity-based policy allows the {action} action",
        user.account, target.bucket
    );
    Err(S3Error::new(403, "AccessDenied", message))
}
