//! Operations on objects.

use hyper::Method;

use super::error::S3Error;
use super::service::Context;
use super::{Conditions, Flavour, S3Object, Shared};
use crate::clock;
use crate::keys::hex;
use crate::md5::md5;
use crate::wire::Reply;

/// An object with what only the store knows
pub(crate) struct Stored {
    pub(crate) object: S3Object,
    /// By its ACL
    pub(crate) public: bool,
    modified: i64,
}

impl Stored {
    pub(crate) fn new(
        body: &[u8],
        content_type: Option<String>,
        cache_control: Option<String>,
        public: bool,
    ) -> Self {
        let etag = hex(&md5(body));
        let object = S3Object { body: body.to_vec(), content_type, cache_control, etag };
        Self { object, public, modified: clock::now(0) }
    }
}

impl Context<'_> {
    pub(crate) fn on_object(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        match self.request.method {
            Method::GET | Method::HEAD => self.get_object(shared),
            Method::PUT if self.request.query("acl").is_some() => self.put_object_acl(shared),
            Method::PUT => self.put_object(shared),
            Method::DELETE => {
                let bucket = shared.buckets.get_mut(&self.bucket).ok_or_else(S3Error::no_such_bucket)?;
                bucket.objects.remove(&self.key);
                Ok(Reply::empty(204))
            }
            _ => Err(S3Error::not_implemented()),
        }
    }

    fn get_object(&self, shared: &Shared) -> Result<Reply, S3Error> {
        let bucket = shared.buckets.get(&self.bucket).ok_or_else(S3Error::no_such_bucket)?;
        let Some(stored) = bucket.objects.get(&self.key) else {
            // To whom may not list, an absent key looks like a forbidden one.
            return Err(if self.lists { S3Error::no_such_key() } else { S3Error::access_denied() });
        };
        if self.account.is_empty() && shared.settings.encrypts_with_kms {
            let message = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature \
                           Version 4.";
            return Err(S3Error::new(400, "InvalidArgument", message));
        }
        let object = &stored.object;
        let etag = format!("\"{}\"", object.etag);
        let mut reply = Reply::new(
            200,
            object.content_type.as_deref().unwrap_or("binary/octet-stream"),
            object.body.clone(),
        )
        .with("etag", &etag)
        .with("last-modified", clock::http_date(stored.modified));
        if let Some(cache_control) = &object.cache_control {
            reply = reply.with("cache-control", cache_control);
        }
        let known =
            self.request.header("if-none-match").is_some_and(|known| known == etag || known == object.etag);
        if known {
            (reply.status, reply.body) = (304, Default::default());
        }
        Ok(reply)
    }

    fn put_object(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        let (flavour, conditions) = (shared.flavour, shared.settings.conditions);
        let (fixed, kms) = (shared.settings.fixed_content_type.clone(), shared.settings.encrypts_with_kms);
        let public = self.acl(flavour)?;
        let bucket = shared.buckets.get_mut(&self.bucket).ok_or_else(S3Error::no_such_bucket)?;
        if flavour == Flavour::Rgw && bucket.public_access_block.is_some() {
            // As tried: once Block Public Access is set, RGW refuses even the owner's PUTs.
            return Err(S3Error::access_denied());
        }
        let present = bucket.objects.get(&self.key).map(|stored| stored.object.etag.as_str());
        self.check_conditions(conditions, present)?;
        let header = |name: &str| self.request.header(name).map(str::to_owned);
        let content_type = fixed.or_else(|| header("content-type"));
        let stored = Stored::new(&self.body, content_type, header("cache-control"), public);
        let mut reply = Reply::empty(200).with("etag", format!("\"{}\"", stored.object.etag));
        if kms {
            reply = reply.with("x-amz-server-side-encryption", "aws:kms");
        }
        bucket.objects.insert(self.key.clone(), stored);
        Ok(reply)
    }

    fn put_object_acl(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        let public = self.acl(shared.flavour)?;
        let bucket = shared.buckets.get_mut(&self.bucket).ok_or_else(S3Error::no_such_bucket)?;
        bucket.objects.get_mut(&self.key).ok_or_else(S3Error::no_such_key)?.public = public;
        Ok(Reply::empty(200))
    }

    /// Whether `x-amz-acl` makes the object public in this store
    pub(crate) fn acl(&self, flavour: Flavour) -> Result<bool, S3Error> {
        let acl = self.request.header("x-amz-acl").unwrap_or("private");
        match flavour {
            Flavour::Aws if acl != "private" && acl != "bucket-owner-full-control" => {
                Err(S3Error::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs"))
            }
            Flavour::AclOnly | Flavour::Rgw => Ok(acl == "public-read"),
            _ => Ok(false),
        }
    }

    fn check_conditions(&self, conditions: Conditions, present: Option<&str>) -> Result<(), S3Error> {
        let (none_match, matching) = (self.request.header("if-none-match"), self.request.header("if-match"));
        if none_match.is_none() && matching.is_none() || conditions == Conditions::Ignored {
            return Ok(());
        }
        let other_tag = none_match.is_some_and(|tag| tag != "*");
        if conditions == Conditions::Unsupported || conditions == Conditions::Aws && other_tag {
            return Err(S3Error::not_implemented());
        }
        let same = |tag: &str| present.is_some_and(|etag| tag == "*" || tag.trim_matches('"') == etag);
        if none_match.is_some_and(same) {
            return Err(S3Error::precondition_failed());
        }
        let Some(wanted) = matching else { return Ok(()) };
        let matches = match (conditions, present) {
            (Conditions::Aws, None) => return Err(S3Error::no_such_key()),
            (_, None) => false,
            (Conditions::UnquotedOnly, Some(etag)) => wanted == etag || wanted == "*",
            (_, Some(etag)) => wanted.trim_matches('"') == etag || wanted == "*",
        };
        if matches { Ok(()) } else { Err(S3Error::precondition_failed()) }
    }
}
