//! Operations on buckets.

use hyper::Method;

use super::error::{S3Error, element, escape};
use super::policy::Policy;
use super::service::Context;
use super::{Flavour, PublicAccessBlock, Shared};
use crate::wire::Reply;

const XMLNS: &str = r#"xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#;

impl Context<'_> {
    pub(crate) fn on_bucket(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        let sub = |name: &str| self.request.query(name).is_some();
        if sub("policyStatus") {
            self.policy_status(shared)
        } else if sub("policy") {
            self.policy(shared)
        } else if sub("publicAccessBlock") {
            self.public_access_block(shared)
        } else if sub("location") {
            let quiet = shared.flavour == Flavour::Compatible;
            let region = &self.known(shared)?.region;
            let region = if quiet || region == "us-east-1" { "" } else { region };
            Ok(xml(&format!("<LocationConstraint {XMLNS}>{region}</LocationConstraint>")))
        } else if sub("website") {
            self.website(shared)
        } else if sub("acl") && self.request.method == Method::PUT {
            self.acl(shared.flavour).map(|_| Reply::empty(200))
        } else if ["ownershipControls", "versioning", "tagging", "uploads"].iter().any(|name| sub(name)) {
            Err(S3Error::not_implemented())
        } else {
            match self.request.method {
                Method::GET => self.list(shared),
                Method::HEAD => {
                    let region = self.known(shared)?.region.clone();
                    Ok(Reply::empty(200).with("x-amz-bucket-region", region))
                }
                Method::PUT => self.create(shared),
                Method::DELETE => self.delete(shared),
                _ => Err(S3Error::not_implemented()),
            }
        }
    }

    fn known<'a>(&self, shared: &'a mut Shared) -> Result<&'a mut super::Bucket, S3Error> {
        shared.buckets.get_mut(&self.bucket).ok_or_else(S3Error::no_such_bucket)
    }

    fn create(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if !(3..=63).contains(&self.bucket.len()) || !self.bucket.bytes().all(allowed) {
            return Err(S3Error::new(400, "InvalidBucketName", "The specified bucket is not valid."));
        }
        let region = shared.settings.region.clone();
        let body = String::from_utf8_lossy(&self.body);
        check_location(shared.flavour, &region, element(&body, "LocationConstraint"))?;
        self.acl(shared.flavour)?;
        let reply = Reply::empty(200).with("location", format!("/{}", self.bucket));
        if let Some(bucket) = shared.buckets.get(&self.bucket) {
            let own = bucket.account == self.account;
            // RGW says 200, and so does Amazon in its oldest region.
            let quiet =
                shared.flavour == Flavour::Rgw || shared.flavour == Flavour::Aws && region == "us-east-1";
            return match (own, quiet) {
                (true, true) => Ok(reply),
                (true, false) => Err(S3Error::new(
                    409,
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                )),
                (false, _) => Err(S3Error::new(
                    409,
                    "BucketAlreadyExists",
                    "The requested bucket name is not available. The bucket namespace is shared by all users of \
                     the system. Please select a different name and try again.",
                )),
            };
        }
        let bucket = shared.new_bucket(&self.account);
        shared.buckets.insert(self.bucket.clone(), bucket);
        Ok(reply)
    }

    fn delete(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        // SeaweedFS takes the objects away with the bucket.
        let careless = shared.flavour == Flavour::Compatible;
        if !self.known(shared)?.objects.is_empty() && !careless {
            let message = "The bucket you tried to delete is not empty";
            return Err(S3Error::new(409, "BucketNotEmpty", message));
        }
        shared.buckets.remove(&self.bucket);
        Ok(Reply::empty(204))
    }

    fn list(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        let prefix = self.request.query("prefix").unwrap_or_default();
        let bucket = self.known(shared)?;
        let found: Vec<_> =
            bucket.objects.iter().filter(|(key, _)| key.starts_with(&prefix)).take(1000).collect();
        let contents: String = found
            .iter()
            .map(|(key, stored)| {
                let (key, size, etag) = (escape(key), stored.object.body.len(), &stored.object.etag);
                let etag = escape(&format!("\"{etag}\""));
                format!("<Contents><Key>{key}</Key><ETag>{etag}</ETag><Size>{size}</Size></Contents>")
            })
            .collect();
        let (name, prefix, count) = (escape(&self.bucket), escape(&prefix), found.len());
        Ok(xml(&format!(
            "<ListBucketResult {XMLNS}><Name>{name}</Name><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount>\
             <MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        )))
    }

    fn policy(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        let flavour = shared.flavour;
        if matches!(flavour, Flavour::AclOnly | Flavour::IgnoresConditions) {
            return Err(S3Error::not_implemented());
        }
        let (account, name) = (self.account.clone(), self.bucket.clone());
        let blocks = shared.buckets.get(&name).map(|bucket| shared.block(bucket)).unwrap_or_default();
        let bucket = self.known(shared)?;
        match self.request.method {
            Method::GET => {
                let missing = || S3Error::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
                let policy = bucket.policy.as_ref().ok_or_else(missing)?;
                Ok(Reply::new(200, "application/json", policy.text.clone()))
            }
            Method::DELETE => {
                bucket.policy = None;
                Ok(Reply::empty(204))
            }
            _ => {
                let malformed = || {
                    S3Error::new(400, "MalformedPolicy", "Policy has invalid resource or is not valid JSON")
                };
                let text = str::from_utf8(&self.body).map_err(|_| malformed())?;
                let policy = Policy::parse(text, &name).ok_or_else(malformed)?;
                if flavour == Flavour::Rgw && bucket.public_access_block.is_some() {
                    return Err(S3Error::access_denied());
                }
                if blocks.block_public_policy && policy.is_public() {
                    let message = format!(
                        "User: arn:aws:iam::{account}:user/lab is not authorized to perform: s3:PutBucketPolicy on \
                         resource: \"arn:aws:s3:::{name}\" because public policies are prevented by the \
                         BlockPublicPolicy setting in S3 Block Public Access."
                    );
                    return Err(S3Error::new(403, "AccessDenied", message));
                }
                bucket.policy = Some(policy);
                Ok(Reply::empty(204))
            }
        }
    }

    fn policy_status(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        if matches!(shared.flavour, Flavour::AclOnly | Flavour::IgnoresConditions) {
            return Err(S3Error::not_implemented());
        }
        let bucket = self.known(shared)?;
        let missing = || S3Error::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
        let public = bucket.policy.as_ref().ok_or_else(missing)?.is_public();
        Ok(xml(&format!("<PolicyStatus {XMLNS}><IsPublic>{public}</IsPublic></PolicyStatus>")))
    }

    fn public_access_block(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        if shared.flavour != Flavour::Aws && shared.flavour != Flavour::Rgw {
            return Err(S3Error::not_implemented());
        }
        let bucket = self.known(shared)?;
        match self.request.method {
            Method::GET => {
                let missing = || {
                    let message = "The public access block configuration was not found";
                    S3Error::new(404, "NoSuchPublicAccessBlockConfiguration", message)
                };
                let block = bucket.public_access_block.ok_or_else(missing)?;
                Ok(xml(&format!(
                    "<PublicAccessBlockConfiguration {XMLNS}><BlockPublicAcls>{}</BlockPublicAcls>\
                     <IgnorePublicAcls>{}</IgnorePublicAcls><BlockPublicPolicy>{}</BlockPublicPolicy>\
                     <RestrictPublicBuckets>{}</RestrictPublicBuckets></PublicAccessBlockConfiguration>",
                    block.block_public_acls,
                    block.ignore_public_acls,
                    block.block_public_policy,
                    block.restrict_public_buckets
                )))
            }
            Method::DELETE => {
                bucket.public_access_block = None;
                Ok(Reply::empty(204))
            }
            _ => {
                let body = String::from_utf8_lossy(&self.body);
                let flag =
                    |name: &str| element(&body, name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
                bucket.public_access_block = Some(PublicAccessBlock {
                    block_public_acls: flag("BlockPublicAcls"),
                    ignore_public_acls: flag("IgnorePublicAcls"),
                    block_public_policy: flag("BlockPublicPolicy"),
                    restrict_public_buckets: flag("RestrictPublicBuckets"),
                });
                Ok(Reply::empty(200))
            }
        }
    }

    fn website(&self, shared: &mut Shared) -> Result<Reply, S3Error> {
        if shared.flavour != Flavour::IgnoresConditions {
            let message = "The specified method is not allowed against this resource.";
            return Err(S3Error::new(405, "MethodNotAllowed", message));
        }
        self.known(shared)?.website = self.request.method == Method::PUT;
        Ok(Reply::empty(200))
    }
}

/// In the oldest region a location must not be given, elsewhere it must be the endpoint's
fn check_location(flavour: Flavour, region: &str, location: Option<&str>) -> Result<(), S3Error> {
    let invalid =
        || S3Error::new(400, "InvalidLocationConstraint", "The specified location-constraint is not valid");
    let incompatible = |which: &str| {
        let message = format!(
            "The {which} location constraint is incompatible for the region specific endpoint this request was \
             sent to."
        );
        S3Error::new(400, "IllegalLocationConstraintException", message)
    };
    match (flavour, location) {
        (Flavour::Rgw, Some(location)) if !location.is_empty() && location != "default" => Err(invalid()),
        (Flavour::Aws, Some("us-east-1")) => Err(invalid()),
        (Flavour::Aws, None) if region != "us-east-1" => Err(incompatible("unspecified")),
        (Flavour::Aws, Some(location)) if location != region => Err(incompatible(location)),
        _ => Ok(()),
    }
}

fn xml(body: &str) -> Reply {
    Reply::new(200, "application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
}
