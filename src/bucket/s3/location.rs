//! PURE. Which bucket of which store, what its parts are called (API, public URL, resource name), and which public
//! URLs lead to it.

use std::net::Ipv4Addr;

use url::{Host, Url};

use super::hosts::AmazonHost;
use crate::{
    base_url::base_url,
    bucket::{Addressing, Leads},
    error::{Code, Error, Result},
};

/// The one region of AWS that must not be named when a bucket is made, and that the global endpoint belongs to.
pub(super) const UNNAMED_REGION: &str = "us-east-1";

/// A bucket, found.
#[derive(Clone, Debug)]
pub(super) struct S3Location {
    pub(super) bucket: String,
    /// Base URL of the API; `None` is AWS's own for the region.
    pub(super) endpoint: Option<Url>,
    pub(super) region: String,
    pub(super) addressing: Addressing,
    /// It is AWS itself, and not something that speaks its protocol.
    pub(super) aws: bool,
    /// Where relying parties read the bucket's root, when that is not what the above implies.
    pub(super) public_url: Option<String>,
}

impl S3Location {
    pub(super) fn new(
        bucket: &str,
        endpoint: Option<Url>,
        region: String,
        addressing: Option<Addressing>,
        public_url: Option<&str>,
    ) -> Result<Self> {
        let aws = endpoint.as_ref().is_none_or(is_aws);
        let addressing = addressing.unwrap_or(if aws { Addressing::Virtual } else { Addressing::Path });
        check_name(bucket, addressing)?;
        let public_url = public_url.map(|url| url.trim_end_matches('/').to_owned());
        Ok(Self { bucket: bucket.to_owned(), endpoint, region, addressing, aws, public_url })
    }

    /// Where relying parties read the bucket's root.
    pub(super) fn public_url(&self) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let (scheme, host) = match &self.endpoint {
            Some(endpoint) if !self.aws => {
                let port = endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
                let path = endpoint.path().trim_end_matches('/');
                (endpoint.scheme(), format!("{}{port}{path}", endpoint.host_str().unwrap_or_default()))
            }
            // Whatever private endpoint is used, relying parties use the public one.
            _ => ("https", format!("s3.{}.{}", self.region, partition(&self.region).1)),
        };
        match self.addressing {
            Addressing::Path => format!("{scheme}://{host}/{}", self.bucket),
            Addressing::Virtual => format!("{scheme}://{}.{host}", self.bucket),
        }
    }

    /// Where a public URL leads.
    pub(super) fn leads(&self, url: &Url) -> Leads {
        let Some(Host::Domain(host)) = url.host() else { return Leads::Unknown };
        let path = url.path().trim_start_matches('/');
        match (AmazonHost::parse(host), &self.endpoint) {
            (Some(amazon), _) if self.aws => self.at_amazon(&amazon, host, path),
            (Some(_), _) => self.elsewhere(
                format!("{host} is Amazon S3, and the bucket is at another store"),
                "leave --endpoint out if the bucket is at Amazon, or take an issuer at the store",
            ),
            (None, Some(endpoint)) if !self.aws => self.at_endpoint(endpoint, url, host),
            (None, _) => Leads::Unknown,
        }
    }

    fn at_amazon(&self, amazon: &AmazonHost<'_>, host: &str, path: &str) -> Leads {
        if amazon.website {
            return self.elsewhere(
                format!("{host} is a website endpoint, which has no https"),
                "take the REST endpoint, or put CloudFront before the website",
            );
        }
        let right = partition(&self.region).1;
        let other_region = amazon.region.is_some_and(|region| region != self.region);
        // The global endpoint redirects path-style requests for buckets of other regions.
        let redirects = amazon.region.is_none() && amazon.bucket.is_none() && self.region != UNNAMED_REGION;
        if amazon.suffix != right || other_region || redirects {
            return self.elsewhere(
                format!("{host} does not serve buckets of the region {}", self.region),
                "give the bucket's region by --region, or take an issuer on a host of that region",
            );
        }
        match amazon.bucket {
            Some(bucket) if bucket == self.bucket => Leads::Here(path.to_owned()),
            Some(bucket) => self.another_bucket(host, bucket),
            None if amazon.accelerated => Leads::Unknown,
            None => self.in_path(host, path),
        }
    }

    /// A store with an address of its own: its host, with the bucket before it or in the path.
    fn at_endpoint(&self, endpoint: &Url, url: &Url, host: &str) -> Leads {
        let Some(own) = endpoint.host_str() else { return Leads::Unknown };
        if endpoint.port_or_known_default() != url.port_or_known_default() {
            return Leads::Unknown;
        }
        let base = endpoint.path().trim_end_matches('/');
        let path = url.path().strip_prefix(base).and_then(|path| path.strip_prefix('/'));
        match (host == own, path) {
            (true, Some(path)) if base.is_empty() => self.in_path(host, path),
            // Below a path of its own the store may share the host with anything.
            (true, Some(path)) => match self.in_path(host, path) {
                Leads::Elsewhere { .. } => Leads::Unknown,
                here => here,
            },
            (true, None) => Leads::Unknown,
            (false, _)
                if host.strip_suffix(own).is_some_and(|start| start == format!("{}.", self.bucket)) =>
            {
                path.map_or(Leads::Unknown, |path| Leads::Here(path.to_owned()))
            }
            (false, _) => Leads::Unknown,
        }
    }

    fn in_path(&self, host: &str, path: &str) -> Leads {
        match path.split_once('/').unwrap_or((path, "")) {
            (bucket, rest) if bucket == self.bucket => Leads::Here(rest.to_owned()),
            ("", _) => self.elsewhere(
                format!("{host} serves many buckets, and the URL names none"),
                "name the bucket as the first part of the issuer's path",
            ),
            (bucket, _) => self.another_bucket(host, bucket),
        }
    }

    fn another_bucket(&self, host: &str, bucket: &str) -> Leads {
        self.elsewhere(
            format!("on {host} it names the bucket {bucket:?}"),
            "name one and the same bucket by --bucket and --issuer",
        )
    }

    fn elsewhere(&self, why: String, remedy: &str) -> Leads {
        let remedy = format!("{remedy}; this bucket is read at {}", self.public_url());
        Leads::Elsewhere { why, remedy }
    }

    /// The resource name of one object, as policies have it.
    pub(super) fn arn(&self, name: &str) -> String {
        let partition = if self.aws { partition(&self.region).0 } else { "aws" };
        format!("arn:{partition}:s3:::{}/{name}", self.bucket)
    }
}

/// The base URL of an API that is not the public one.
pub(super) fn endpoint(text: &str) -> Result<Url> {
    let refused = |error: Error| {
        Error { code: Code::BucketEndpoint, ..error }
        .hint("--endpoint takes the base URL of an S3 API, e.g. https://s3.example.com; the bucket's name goes into --bucket")
    };
    let text =
        base_url("the address of the S3 API (--endpoint or AWS_ENDPOINT_URL_S3)", text).map_err(refused)?;
    Url::parse(&text)
        .map_err(|_| refused(Error::usage(Code::BucketEndpoint, "the address of the S3 API is no URL")))
}

/// Regional, dual-stack, FIPS and private (VPC) endpoints of AWS.
fn is_aws(endpoint: &Url) -> bool {
    let Some(Host::Domain(host)) = endpoint.host() else { return false };
    [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"]
        .iter()
        .any(|suffix| host.ends_with(suffix))
}

/// How resource names begin in the region's partition, and how host names end.
fn partition(region: &str) -> (&'static str, &'static str) {
    match region.split('-').next() {
        Some("cn") => ("aws-cn", "amazonaws.com.cn"),
        Some("eusc") => ("aws-eusc", "amazonaws.eu"),
        _ if region.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        _ => ("aws", "amazonaws.com"),
    }
}

/// Amazon S3 User Guide, "General purpose bucket naming rules"; other stores allow no more.
fn check_name(name: &str, addressing: Addressing) -> Result<()> {
    let refused = |why: &str| {
        Err(Error::usage(Code::BucketName, format!("{name:?} cannot be the name of an S3 bucket: {why}"))
            .hint("3 to 63 lower-case letters, digits and hyphens, a letter or digit at both ends"))
    };
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !(3..=63).contains(&name.len()) {
        return refused("it has less than 3 or more than 63 characters");
    }
    if !name.chars().all(|c| ends(c) || c == '-' || c == '.') {
        return refused("it has a character that is not a lower-case letter, digit, hyphen or dot");
    }
    if !name.starts_with(ends) || !name.ends_with(ends) {
        return refused("it does not begin and end with a letter or digit");
    }
    if name.contains("..") || name.parse::<Ipv4Addr>().is_ok() {
        return refused("it has two dots in a row, or is an IP address");
    }
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| name.starts_with(start))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|end| name.ends_with(end));
    if reserved {
        return refused("its beginning or end is reserved");
    }
    if name.contains('.') && addressing == Addressing::Virtual {
        return Err(Error::usage(
            Code::BucketNameDot,
            format!("the name {name:?} has a dot, so no certificate fits the host that begins with it"),
        )
        .hint("take a name without dots, or --addressing path if the store and every relying party can do with it"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "location_tests.rs"]
mod tests;
