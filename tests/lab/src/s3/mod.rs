//! A stand-in for S3 and for stores that speak it.

mod bucket;
pub(crate) mod error;
mod object;
mod policy;
mod service;
pub(crate) mod sigv4;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::ca::Ca;
use crate::keys::random_hex;
use crate::wire::{Fault, Faults, Server};
use object::Stored;
use policy::Policy;

/// An S3 server with buckets, policies, verified signatures and anonymous reads.
///
/// Faithful (to the S3 API reference and user guide, and to stores as tried: SeaweedFS 4.48, compared
/// answer by answer, Ceph RGW 16.2, Garage 2.5):
/// - path and virtual-host style; Signature Version 4 in the header, really verified, the body's
///   hash and the clock too; `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `RequestTimeTooSkewed`,
///   `AuthorizationHeaderMalformed`; temporary credentials with a session token
/// - anonymous GET and HEAD by bucket policy or object ACL; what is absent is 403 like what is
///   forbidden, unless listing is allowed
/// - CreateBucket with the rules of LocationConstraint, owners, `x-amz-expected-bucket-owner`,
///   Block Public Access of bucket and account, policy status, ACLs disabled
/// - conditional PUT with the answers of each flavour; `Content-Type` and `Cache-Control` kept
/// - `aws-chunked` bodies with and without trailers are decoded
///
/// Not faithful: signatures of single chunks and checksums are not verified; permissions are a list of actions, except
/// those of an [`crate::Aws`] that it belongs to; of policies, `Allow`, `Deny`, `Principal`, `Action`
/// and `Resource` are evaluated, statements with conditions apply to no caller; no regions to be
/// redirected to, no versions, multipart uploads, presigned URLs or lists beyond 1,000 keys.
pub struct S3 {
    server: Server,
    tls: bool,
    shared: Arc<Mutex<Shared>>,
    faults: Faults,
}

/// Whose habits an [`S3`] has
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// No bucket policies, public by the object's ACL; no Block Public Access
    AclOnly,
    /// Amazon S3 with a bucket's defaults since April 2023
    Aws,
    /// Bucket policies and right conditions, ACLs without effect, no Block Public Access (SeaweedFS)
    Compatible,
    /// Conditions accepted and ignored, neither policies nor Block Public Access; public as a whole
    /// through the website endpoint (Garage)
    IgnoresConditions,
    /// Policies and ACLs, a quoted `If-Match` never matches, Block Public Access that locks the
    /// owner out, error bodies with an empty `<Message>` (Ceph RGW 16.2)
    Rgw,
}

/// What a store makes of `If-Match` and `If-None-Match` on a PUT
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// As Amazon documents them; `If-Match` on an absent key is 404
    Aws,
    /// As Amazon, but `If-Match` on an absent key is 412
    AbsentFails,
    /// Accepted without effect
    Ignored,
    /// As `AbsentFails`, but a quoted entity tag never matches
    UnquotedOnly,
    /// 501
    Unsupported,
}

/// Settings that may change while the store runs
#[derive(Clone)]
pub struct S3Settings {
    /// What signatures must be scoped to (flavour `Aws`), and where buckets are made
    pub region: String,
    /// Host names whose sub-domains are buckets; the first is the regional one of Amazon
    pub domains: Vec<String>,
    /// Host names below which websites are served, as `BUCKET.NAME`
    pub web_domains: Vec<String>,
    /// Block Public Access of the account, all four flags
    pub account_blocks_public_access: bool,
    /// By default the flavour's
    pub conditions: Conditions,
    /// What every object is kept and served as, whatever the writer says
    pub fixed_content_type: Option<String>,
    /// Default encryption of buckets is SSE-KMS: a write says so, and a read without credentials is 400
    /// `InvalidArgument` (S3 user guide, "Using server-side encryption with AWS KMS keys")
    pub encrypts_with_kms: bool,
}

/// Credentials of a user of the store
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, when they are temporary
    pub session_token: Option<String>,
}

/// What credentials may do, in [`S3`] and in [`crate::Gcs`]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything in buckets of the own account or project
    Full,
    /// These actions or permissions, in the store's own words: `s3:PutObject`, `storage.objects.create`
    Only(Vec<String>),
    /// Everything that does not change anything
    ReadOnly,
    /// What the bucket's IAM policy gives to these members, beside these permissions (only in [`crate::Gcs`])
    Members { members: Vec<String>, besides: Vec<String>, never: Vec<String> },
    /// What these policies of an IAM user or role allow on the resource (only in [`S3`])
    Policies(Vec<serde_json::Value>),
}

/// An object as it lies in the store
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Object {
    /// Content
    pub body: Vec<u8>,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Cache-Control`
    pub cache_control: Option<String>,
    /// Entity tag without quotes
    pub etag: String,
}

/// The account of [`S3::credentials`]
const ACCOUNT: &str = "111122223333";

pub(crate) struct Shared {
    flavour: Flavour,
    settings: S3Settings,
    users: Vec<User>,
    buckets: BTreeMap<String, Bucket>,
    /// The users and sessions of IAM
    iam: Option<Identities>,
}

/// Credentials with the policies that count for them, as they are now
type Identities = Box<dyn Fn() -> Vec<(Credentials, Vec<serde_json::Value>)> + Send + Sync>;

pub(crate) struct User {
    credentials: Credentials,
    account: String,
    access: Access,
}

#[derive(Default)]
struct Bucket {
    account: String,
    region: String,
    objects: BTreeMap<String, Stored>,
    policy: Option<Policy>,
    public_access_block: Option<PublicAccessBlock>,
    website: bool,
}

/// The four flags of Block Public Access, in the order of the API
#[derive(Clone, Copy, Default)]
struct PublicAccessBlock {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

impl S3 {
    /// Start a store over http
    pub fn start(flavour: Flavour) -> Self {
        Self::serve(flavour, None)
    }

    /// Start a store over https under these names (and 127.0.0.1)
    pub fn start_tls(ca: &Ca, names: &[&str], flavour: Flavour) -> Self {
        let names: Vec<&str> = names.iter().copied().chain(["127.0.0.1"]).collect();
        Self::serve(flavour, Some((ca, names)))
    }

    fn serve(flavour: Flavour, tls: Option<(&Ca, Vec<&str>)>) -> Self {
        let region = "eu-central-1";
        let settings = S3Settings {
            region: region.into(),
            domains: vec![format!("s3.{region}.amazonaws.com"), "s3.amazonaws.com".into()],
            web_domains: Vec::new(),
            account_blocks_public_access: false,
            conditions: flavour.conditions(),
            fixed_content_type: None,
            encrypts_with_kms: false,
        };
        let owner = User::new(ACCOUNT, Access::Full);
        let shared = Shared { flavour, settings, users: vec![owner], buckets: BTreeMap::new(), iam: None };
        let shared = Arc::new(Mutex::new(shared));
        let faults = Faults::default();
        let config = tls.as_ref().map(|(ca, names)| ca.certificate(names).server_config());
        let service = Arc::new(service::Service { shared: shared.clone() });
        let server = Server::start(config, service, faults.clone());
        Self { server, tls: tls.is_some(), shared, faults }
    }

    /// Its loopback address
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Its loopback address as a URL, for `--endpoint` with path style
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.addr())
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Another writer was faster: the fault `409 ConditionalRequestConflict`
    pub fn conflict() -> Fault {
        let message =
            "The conditional request cannot succeed due to a conflicting operation against this resource.";
        let reply = error::xml("ConditionalRequestConflict", message, "/");
        Fault::answer(409, "application/xml", reply)
    }

    /// Full access to the first account
    pub fn credentials(&self) -> Credentials {
        self.lock().users[0].credentials.clone()
    }

    /// More credentials of the first account
    pub fn add_credentials(&self, access: Access) -> Credentials {
        self.add_credentials_of(ACCOUNT, access)
    }

    /// Credentials of an account (twelve digits)
    pub fn add_credentials_of(&self, account: &str, access: Access) -> Credentials {
        let user = User::new(account, access);
        let credentials = user.credentials.clone();
        self.lock().users.push(user);
        credentials
    }

    /// Temporary credentials of the first account, with a session token
    pub fn add_temporary_credentials(&self, access: Access) -> Credentials {
        let mut user = User::new(ACCOUNT, access);
        user.credentials.access_key_id.replace_range(..4, "ASIA");
        user.credentials.session_token = Some(random_hex(40));
        let credentials = user.credentials.clone();
        self.lock().users.push(user);
        credentials
    }

    /// Take the credentials of this account's users and sessions; their policies count on every call
    pub fn belongs_to(&self, aws: &crate::Aws) {
        self.lock().iam = Some(Box::new(aws.identities()));
    }

    /// Change its settings
    pub fn change(&self, change: impl FnOnce(&mut S3Settings)) {
        change(&mut self.lock().settings);
    }

    /// Make a bucket of an account; of the first one with [`S3::own_bucket`]
    pub fn bucket_of(&self, account: &str, name: &str) {
        let mut shared = self.lock();
        let bucket = shared.new_bucket(account);
        shared.buckets.insert(name.into(), bucket);
    }

    /// Make a bucket of the first account, as it is when new: nothing public
    pub fn own_bucket(&self, name: &str) {
        self.bucket_of(ACCOUNT, name);
    }

    /// Names of all buckets
    pub fn buckets(&self) -> Vec<String> {
        self.lock().buckets.keys().cloned().collect()
    }

    /// An object, past all permissions
    pub fn object(&self, bucket: &str, key: &str) -> Option<S3Object> {
        self.lock().buckets.get(bucket)?.objects.get(key).map(|stored| stored.object.clone())
    }

    /// All keys of a bucket
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.lock()
            .buckets
            .get(bucket)
            .map(|bucket| bucket.objects.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Write an object, past all permissions and conditions
    pub fn put(&self, bucket: &str, key: &str, content_type: &str, cache_control: Option<&str>, body: &[u8]) {
        let stored = Stored::new(body, Some(content_type.into()), cache_control.map(str::to_owned), false);
        let mut shared = self.lock();
        let bucket = shared.buckets.get_mut(bucket).expect("a bucket that exists");
        bucket.objects.insert(key.into(), stored);
    }

    /// Remove an object, past all permissions
    pub fn remove(&self, bucket: &str, key: &str) {
        if let Some(bucket) = self.lock().buckets.get_mut(bucket) {
            bucket.objects.remove(key);
        }
    }

    /// The bucket's policy as it was put
    pub fn policy(&self, bucket: &str) -> Option<String> {
        self.lock().buckets.get(bucket)?.policy.as_ref().map(|policy| policy.text.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no test panics while it holds the store")
    }
}

impl Flavour {
    fn conditions(self) -> Conditions {
        match self {
            Self::Aws => Conditions::Aws,
            Self::Compatible | Self::AclOnly => Conditions::AbsentFails,
            Self::IgnoresConditions => Conditions::Ignored,
            Self::Rgw => Conditions::UnquotedOnly,
        }
    }
}

impl User {
    fn new(account: &str, access: Access) -> Self {
        let credentials = Credentials {
            access_key_id: format!("AKIA{}", random_hex(8).to_uppercase()),
            secret_access_key: random_hex(20),
            session_token: None,
        };
        Self { credentials, account: account.to_owned(), access }
    }

    fn may(&self, action: &str, resource: &str) -> bool {
        if let Access::Policies(documents) = &self.access {
            return crate::aws::allows(documents, action, resource);
        }
        self.access.permits(action, |action| action.starts_with("s3:Get") || action.starts_with("s3:List"))
    }
}

impl Shared {
    fn new_bucket(&self, account: &str) -> Bucket {
        let all = PublicAccessBlock {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        };
        Bucket {
            account: account.into(),
            region: self.settings.region.clone(),
            public_access_block: (self.flavour == Flavour::Aws).then_some(all),
            ..Bucket::default()
        }
    }

    /// The users that IAM has now
    fn take_identities(&mut self) {
        let Some(iam) = &self.iam else { return };
        self.users.retain(|user| !matches!(user.access, Access::Policies(_)));
        let users = iam().into_iter().map(|(credentials, policies)| User {
            credentials,
            account: ACCOUNT.to_owned(),
            access: Access::Policies(policies),
        });
        self.users.extend(users);
    }

    /// The most restrictive combination of bucket and account
    fn block(&self, bucket: &Bucket) -> PublicAccessBlock {
        let own = bucket.public_access_block.unwrap_or_default();
        let account = self.settings.account_blocks_public_access;
        PublicAccessBlock {
            block_public_acls: own.block_public_acls || account,
            ignore_public_acls: own.ignore_public_acls || account,
            block_public_policy: own.block_public_policy || account,
            restrict_public_buckets: own.restrict_public_buckets || account,
        }
    }
}
