//! A stand-in for Google Cloud Storage and for the token endpoint beside it.

mod bucket;
pub(crate) mod error;
mod oauth;
mod object;
mod policy;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::ca::Ca;
use crate::clock;
use crate::keys::{SigningKey, random_hex};
use crate::s3::Access;
use crate::wire::{Faults, Handler as _, Reply, Request, Server};

/// Google Cloud Storage: JSON API, public reads, and `POST /token` of `oauth2.googleapis.com`.
///
/// Faithful (to Google's reference of the JSON API, its pages on uniform access, public access
/// prevention and caching, and to recorded requests of gcloud):
/// - buckets: create with `iamConfiguration`, list, get, patch, delete; 409 told apart by owner in words only
/// - IAM policy of a bucket with its `etag` and the default bindings; `allUsers` refused with
///   412 `conditionNotMet` while public access prevention is enforced, in other words than the
///   412 of a generation that does not match
/// - objects: multipart and media upload with `ifGenerationMatch`, metadata, `alt=media`, patch of
///   metadata, delete, list by prefix; CRC32C and MD5
/// - public reads at `/BUCKET/OBJECT` and at `BUCKET.storage.googleapis.com/OBJECT`:
///   `public, max-age=3600` where the object has no `Cache-Control`; XML errors; an absent object
///   is 403 to a caller that may not list
/// - bearer tokens by number, by an assertion at `/token` (signature, issuer, audience and time
///   verified), and self-signed by a service account
///
/// Not faithful: no caches between writer and reader, so no stale reads; no ACLs, versions,
/// resumable uploads or `fields`; for a number as bearer, roles are a list of permissions; for principals of
/// [`crate::Google`] the bucket's policy counts, its conditions on `resource.name` too, and conditions take uniform access; organisation policies only as the switch of public access prevention.
pub struct Gcs {
    /// None where another far side serves it
    server: Option<Server>,
    tls: bool,
    shared: Arc<Mutex<Shared>>,
    faults: Faults,
}

/// Settings that may change while the store runs
#[derive(Clone)]
pub struct GcsSettings {
    /// The organisation policy `constraints/storage.publicAccessPrevention`
    pub organisation_prevents_public_access: bool,
    /// What a new bucket gets that says nothing about public access prevention
    pub default_public_access_prevention: String,
}

/// An object as it lies in the store
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcsObject {
    /// Content
    pub body: Vec<u8>,
    /// `contentType`
    pub content_type: Option<String>,
    /// `cacheControl`
    pub cache_control: Option<String>,
    /// Rises with every write of content
    pub generation: u64,
    metageneration: u64,
    created: i64,
}

/// A store that another far side serves under its own listener
#[derive(Clone)]
pub(crate) struct Embedded {
    service: service::Service,
}

/// The names that certificates and routes are made for
pub(crate) const NAMES: [&str; 3] =
    ["storage.googleapis.com", "*.storage.googleapis.com", "oauth2.googleapis.com"];

const EMAIL: &str = "publisher@lab-project.iam.gserviceaccount.com";

struct Shared {
    tls: bool,
    settings: GcsSettings,
    tokens: Vec<Token>,
    service_account: SigningKey,
    key_id: String,
    buckets: BTreeMap<String, Bucket>,
    /// Permissions that callers have needed so far
    needed: BTreeSet<String>,
    /// Last generation or etag given out
    counter: u64,
}

#[derive(Clone)]
struct Token {
    secret: String,
    access: Access,
    expires: Option<i64>,
}

struct Bucket {
    own: bool,
    location: String,
    uniform: bool,
    public_access_prevention: String,
    bindings: Value,
    iam_etag: u64,
    metageneration: u64,
    created: i64,
    objects: BTreeMap<String, GcsObject>,
}

impl Gcs {
    /// Start over http
    pub fn start() -> Self {
        Self::serve(None)
    }

    /// Start over https as `storage.googleapis.com`, its sub-domains, `oauth2.googleapis.com` and
    /// 127.0.0.1
    pub fn start_tls(ca: &Ca) -> Self {
        Self::serve(Some(ca))
    }

    fn serve(ca: Option<&Ca>) -> Self {
        let shared = Arc::new(Mutex::new(Shared::new(ca.is_some())));
        let names: Vec<&str> = NAMES.into_iter().chain(["127.0.0.1"]).collect();
        let config = ca.map(|ca| ca.certificate(&names).server_config());
        let (faults, service) = (Faults::default(), service::Service { shared: shared.clone() });
        let server = Server::start(config, Arc::new(service), faults.clone());
        Self { server: Some(server), tls: ca.is_some(), shared, faults }
    }

    /// A store without a listener, and what answers for it
    pub(crate) fn embedded() -> (Self, Embedded) {
        let shared = Arc::new(Mutex::new(Shared::new(true)));
        let service = service::Service { shared: shared.clone() };
        (Self { server: None, tls: true, shared, faults: Faults::default() }, Embedded { service })
    }

    /// Its loopback address
    pub fn addr(&self) -> SocketAddr {
        self.server.as_ref().expect("a store with a listener of its own").addr()
    }

    /// Its loopback address as a URL, for `--endpoint`
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.addr())
    }

    /// The names under which it is reached through [`crate::Internet`]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Change its settings
    pub fn change(&self, change: impl FnOnce(&mut GcsSettings)) {
        change(&mut self.lock().settings);
    }

    /// A bearer token that may do everything in the project `lab-project`
    pub fn token(&self) -> String {
        self.lock().tokens[0].secret.clone()
    }

    /// A bearer token with less access
    pub fn add_token(&self, access: Access) -> String {
        let token = Token::new(access);
        let secret = token.secret.clone();
        self.lock().tokens.push(token);
        secret
    }

    /// Write a service-account key file (for `GOOGLE_APPLICATION_CREDENTIALS`) into `dir`
    pub fn service_account_file(&self, dir: &Path) -> PathBuf {
        let shared = self.lock();
        let token_uri = if self.tls { "https://oauth2.googleapis.com".to_owned() } else { self.url() };
        let key = json!({
            "type": "service_account",
            "project_id": "lab-project",
            "private_key_id": shared.key_id,
            "private_key": shared.service_account.private_pem(),
            "client_email": EMAIL,
            "client_id": "100000000000000000001",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": format!("{token_uri}/token"),
            "universe_domain": "googleapis.com",
        });
        let path = dir.join("service-account.json");
        fs::write(&path, key.to_string()).expect("write a service-account key");
        path
    }

    /// Make an own bucket as a new one is: uniform access, nothing public
    pub fn own_bucket(&self, name: &str) {
        self.lock().add_bucket(name, true);
    }

    /// Make a bucket of someone else
    pub fn foreign_bucket(&self, name: &str) {
        self.lock().add_bucket(name, false);
    }

    /// Set `publicAccessPrevention` of a bucket: `inherited` or `enforced`
    pub fn prevent_public_access(&self, bucket: &str, value: &str) {
        let mut shared = self.lock();
        shared.buckets.get_mut(bucket).expect("a bucket that exists").public_access_prevention = value.into();
    }

    /// The permissions that callers have needed so far
    pub fn needed(&self) -> Vec<String> {
        self.lock().needed.iter().cloned().collect()
    }

    /// An object, past all permissions
    pub fn object(&self, bucket: &str, name: &str) -> Option<GcsObject> {
        self.lock().buckets.get(bucket)?.objects.get(name).cloned()
    }

    /// All object names of a bucket
    pub fn objects(&self, bucket: &str) -> Vec<String> {
        self.lock().buckets.get(bucket).map(|it| it.objects.keys().cloned().collect()).unwrap_or_default()
    }

    /// Names of all buckets
    pub fn buckets(&self) -> Vec<String> {
        self.lock().buckets.keys().cloned().collect()
    }

    /// Write an object, past all permissions and conditions
    pub fn put(
        &self,
        bucket: &str,
        name: &str,
        content_type: &str,
        cache_control: Option<&str>,
        body: &[u8],
    ) {
        let mut shared = self.lock();
        let generation = shared.next();
        let object = GcsObject {
            body: body.to_vec(),
            content_type: Some(content_type.into()),
            cache_control: cache_control.map(str::to_owned),
            generation,
            metageneration: 1,
            created: clock::now(0),
        };
        shared.buckets.get_mut(bucket).expect("a bucket that exists").objects.insert(name.into(), object);
    }

    /// Remove an object, past all permissions
    pub fn remove(&self, bucket: &str, name: &str) {
        if let Some(bucket) = self.lock().buckets.get_mut(bucket) {
            bucket.objects.remove(name);
        }
    }

    /// Write a binding into a bucket's IAM policy, past all permissions
    pub fn bind(&self, bucket: &str, binding: Value) {
        let mut shared = self.lock();
        let etag = shared.next();
        let bucket = shared.buckets.get_mut(bucket).expect("a bucket that exists");
        bucket.bindings.as_array_mut().expect("bindings").push(binding);
        bucket.iam_etag = etag;
    }

    /// Take a role on a bucket from a member, under whatever condition, past all permissions
    pub fn unbind(&self, bucket: &str, role: &str, member: &str) {
        let mut shared = self.lock();
        let etag = shared.next();
        let bucket = shared.buckets.get_mut(bucket).expect("a bucket that exists");
        let bindings = bucket.bindings.as_array_mut().expect("bindings");
        for binding in bindings.iter_mut().filter(|binding| binding["role"] == role) {
            binding["members"].as_array_mut().expect("members").retain(|other| other != member);
        }
        bindings.retain(|binding| binding["members"].as_array().is_some_and(|members| !members.is_empty()));
        bucket.iam_etag = etag;
    }

    /// Let each object of a bucket have its own access list, or not
    pub fn access_per_object(&self, bucket: &str, yes: bool) {
        self.lock().buckets.get_mut(bucket).expect("a bucket that exists").uniform = !yes;
    }

    /// The bindings of a bucket's IAM policy
    pub fn bindings(&self, bucket: &str) -> Option<Value> {
        Some(self.lock().buckets.get(bucket)?.bindings.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no test panics while it holds the store")
    }
}

impl Token {
    fn new(access: Access) -> Self {
        Self { secret: format!("ya29.{}", random_hex(30)), access, expires: None }
    }
}

impl Embedded {
    /// Answers a request; `access` is what its bearer may do, when the other far side knows him
    pub(crate) fn reply(&self, request: &Request, access: Option<Access>) -> Reply {
        if let (Some(access), Some(bearer)) = (access, request.bearer()) {
            let mut shared = self.service.shared.lock().expect("the store");
            shared.tokens.retain(|token| token.secret != bearer);
            shared.tokens.push(Token { secret: bearer.to_owned(), access, expires: None });
        }
        self.service.handle(request)
    }
}

impl Shared {
    fn new(tls: bool) -> Self {
        let settings = GcsSettings {
            organisation_prevents_public_access: false,
            default_public_access_prevention: "inherited".into(),
        };
        Self {
            needed: BTreeSet::new(),
            tls,
            settings,
            tokens: vec![Token::new(Access::Full)],
            service_account: SigningKey::from_stock(),
            key_id: random_hex(20),
            buckets: BTreeMap::new(),
            // Etags of the first policies hold letters in which the alphabets of base64 differ.
            counter: (clock::now(0) as u64 * 1_000_000) & !0xfff | 0xfef,
        }
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn add_bucket(&mut self, name: &str, own: bool) -> &mut Bucket {
        let bucket = Bucket {
            own,
            location: "US".into(),
            uniform: true,
            public_access_prevention: self.settings.default_public_access_prevention.clone(),
            bindings: json!([
                {"role": "roles/storage.legacyBucketOwner",
                 "members": ["projectEditor:lab-project", "projectOwner:lab-project"]},
                {"role": "roles/storage.legacyBucketReader", "members": ["projectViewer:lab-project"]},
            ]),
            iam_etag: self.next(),
            metageneration: 1,
            created: clock::now(0),
            objects: BTreeMap::new(),
        };
        self.buckets.insert(name.to_owned(), bucket);
        self.buckets.get_mut(name).expect("the bucket just made")
    }

    fn prevents_public_access(&self, bucket: &Bucket) -> bool {
        self.settings.organisation_prevents_public_access || bucket.public_access_prevention == "enforced"
    }

    /// Whether anonymous callers may read and whether they may list
    fn anonymous_access(&self, bucket: &Bucket) -> (bool, bool) {
        if self.prevents_public_access(bucket) {
            return (false, false);
        }
        let has = |roles: &[&str]| {
            bucket.bindings.as_array().is_some_and(|bindings| {
                bindings.iter().any(|binding| {
                    let everyone = |members: &Vec<Value>| members.iter().any(|member| member == "allUsers");
                    roles.iter().any(|role| binding["role"] == *role)
                        && binding["condition"].is_null()
                        && binding["members"].as_array().is_some_and(everyone)
                })
            })
        };
        (
            has(&["roles/storage.legacyObjectReader", "roles/storage.objectViewer"]),
            has(&["roles/storage.objectViewer", "roles/storage.legacyBucketReader"]),
        )
    }
}
