//! From a request to the operation it means, and who may do it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hyper::Method;

use super::error::{self, GcsError};
use super::object::uploaded_name;
use super::{EMAIL, Shared, oauth};
use crate::clock;
use crate::s3::Access;
use crate::wire::{Handler, Reply, Request, percent_decode};

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) shared: Arc<Mutex<Shared>>,
}

impl Handler for Service {
    fn handle(&self, request: &Request) -> Reply {
        let mut shared = self.shared.lock().expect("the store");
        let reply = if request.path == "/token" && request.method == Method::POST {
            oauth::token(request, &mut shared)
        } else if let Some(rest) = api_path(&request.path) {
            api(request, rest, &mut shared).unwrap_or_else(|error| error.reply())
        } else {
            public(request, &shared)
        };
        reply.with("date", clock::http_date(clock::now(0))).with("server", "lab")
    }
}

/// An operation of the JSON API with the bucket and object that it is about
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request,
    pub(crate) bucket: String,
    pub(crate) object: String,
    /// Scheme and host, for links to itself
    pub(crate) origin: String,
    access: Access,
    /// The permissions that were asked for
    needed: RefCell<BTreeSet<String>>,
}

impl Context<'_> {
    /// Refuses a caller that does not have this permission
    pub(crate) fn need(&self, permission: &str) -> Result<(), GcsError> {
        let reads = |permission: &str| {
            permission.ends_with(".get")
                || permission.ends_with(".list")
                || permission.ends_with(".getIamPolicy")
        };
        self.needed.borrow_mut().insert(permission.to_owned());
        if self.access.permits(permission, reads) {
            return Ok(());
        }
        Err(GcsError::forbidden(EMAIL, permission, if self.object.is_empty() { "bucket" } else { "object" }))
    }
}

fn api_path(path: &str) -> Option<&str> {
    let path = ["/upload", "/download"].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    path.strip_prefix("/storage/v1/b").filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn api(request: &Request, rest: &str, shared: &mut Shared) -> Result<Reply, GcsError> {
    let access = access(request, shared)?;
    let segments: Vec<String> = rest.split('/').skip(1).map(percent_decode).collect();
    let part = |number: usize| segments.get(number).cloned().unwrap_or_default();
    let access = on_bucket(access, &part(0), &part(2), request, shared);
    let origin = format!("{}://{}", if shared.tls { "https" } else { "http" }, request.host);
    let context =
        Context { request, bucket: part(0), object: part(2), origin, access, needed: RefCell::default() };
    let method = request.method.as_str();
    let done = match (method, segments.len(), part(1).as_str()) {
        ("POST", 0, _) => context.create_bucket(shared),
        ("GET", 0, _) => context.list_buckets(shared),
        ("GET", 1, _) => context.get_bucket(shared),
        ("PATCH", 1, _) => context.patch_bucket(shared),
        ("DELETE", 1, _) => context.delete_bucket(shared),
        ("GET", 2, "iam") => context.get_policy(shared),
        ("PUT", 2, "iam") => context.set_policy(shared),
        ("GET", 2, "o") => context.list_objects(shared),
        ("POST", 2, "o") if request.path.starts_with("/upload/") => context.upload(shared),
        ("GET", 3, "o") => context.get_object(shared),
        ("PATCH", 3, "o") => context.patch_object(shared),
        ("DELETE", 3, "o") => context.delete_object(shared),
        _ => Err(GcsError::new(404, "notFound", "Not Found")),
    };
    shared.needed.extend(context.needed.take());
    done
}

/// What a principal may do with what the request is about, by the policy of the bucket
fn on_bucket(access: Access, bucket: &str, object: &str, request: &Request, shared: &Shared) -> Access {
    let Access::Members { members, mut besides, never } = access else { return access };
    let uploaded = request.path.starts_with("/upload/").then(|| uploaded_name(request)).flatten();
    let object = uploaded.unwrap_or_else(|| object.to_owned());
    let object = if object.is_empty() { object } else { format!("/objects/{object}") };
    let resource = format!("projects/_/buckets/{bucket}{object}");
    let verbs = ["create", "delete", "get", "list", "update"];
    let of_buckets = ["getIamPolicy", "setIamPolicy"].into_iter().chain(verbs);
    let all = of_buckets.map(|verb| format!("storage.buckets.{verb}"));
    let all = all.chain(verbs.map(|verb| format!("storage.objects.{verb}")));
    if let Some(bucket) = shared.buckets.get(bucket) {
        let given = all.filter(|it| !never.contains(it) && bucket.grants(it, &members, &resource));
        besides.extend(given);
    }
    Access::Only(besides)
}

fn access(request: &Request, shared: &Shared) -> Result<Access, GcsError> {
    if request.header("authorization").is_none() {
        let (permission, what) = match (request.method.as_str(), request.path.contains("/o")) {
            ("GET", true) => ("storage.objects.get", "object"),
            (_, true) => ("storage.objects.create", "object"),
            ("GET", false) => ("storage.buckets.get", "bucket"),
            (_, false) => ("storage.buckets.create", "project"),
        };
        return Err(GcsError::login_required(permission, what));
    }
    let bearer = request.bearer().ok_or_else(GcsError::invalid_credentials)?;
    let valid = |expires: Option<i64>| expires.is_none_or(|expires| expires > clock::now(0));
    let known = shared.tokens.iter().find(|token| token.secret == bearer && valid(token.expires));
    known
        .map(|token| token.access.clone())
        .or_else(|| oauth::self_signed(bearer, shared))
        .ok_or_else(GcsError::invalid_credentials)
}

/// A read without credentials at `/BUCKET/OBJECT` or `BUCKET.storage.googleapis.com/OBJECT`
fn public(request: &Request, shared: &Shared) -> Reply {
    if request.method != Method::GET && request.method != Method::HEAD {
        return error::xml(
            405,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            None,
        );
    }
    let path = percent_decode(request.path.trim_start_matches('/'));
    let host = request.host.split(':').next().unwrap_or_default().to_lowercase();
    let (bucket, name) = match host.strip_suffix(".storage.googleapis.com") {
        Some(bucket) => (bucket, path.as_str()),
        None => path.split_once('/').unwrap_or((&path, "")),
    };
    let Some(found) = shared.buckets.get(bucket) else {
        return error::xml(404, "NoSuchBucket", "The specified bucket does not exist.", None);
    };
    let (reads, lists) = shared.anonymous_access(found);
    let denied = || {
        let details = error::denied("Anonymous caller", "storage.objects.get", "object");
        error::xml(403, "AccessDenied", "Access denied.", Some(&details))
    };
    match found.objects.get(name) {
        Some(object) if reads => object.reply(Some("public, max-age=3600")),
        None if lists && !name.is_empty() => {
            let details = format!("No such object: {bucket}/{name}");
            error::xml(404, "NoSuchKey", "The specified key does not exist.", Some(&details))
        }
        _ => denied(),
    }
}
