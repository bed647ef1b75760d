//! PURE. The hosts under which Amazon S3 serves a bucket, and which bucket a URL on one of them names.
//!
//! Amazon S3 User Guide, "Methods for accessing a general purpose bucket" (virtual-hosted and path style),
//! "Amazon S3 endpoints and quotas" of the AWS General Reference (dual-stack, FIPS, legacy global endpoint), "Website
//! endpoints".

/// What a host of Amazon S3 says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AmazonHost<'a> {
    /// Virtual-hosted style; in path style the first segment of the path is the bucket.
    pub(super) bucket: Option<&'a str>,
    /// The legacy global endpoint and transfer acceleration name none.
    pub(super) region: Option<&'a str>,
    /// How hosts of this partition end.
    pub(super) suffix: &'static str,
    /// A website endpoint, which speaks http only.
    pub(super) website: bool,
    /// Transfer acceleration, which has no path style.
    pub(super) accelerated: bool,
}

const SUFFIXES: [&str; 3] = ["amazonaws.com.cn", "amazonaws.com", "amazonaws.eu"];

impl<'a> AmazonHost<'a> {
    /// Reads a host name in lower case; `None` when it is none of Amazon S3's.
    pub(super) fn parse(host: &'a str) -> Option<Self> {
        let (suffix, rest) = SUFFIXES
            .into_iter()
            .find_map(|suffix| Some((suffix, host.strip_suffix(suffix)?.strip_suffix('.')?)))?;
        let labels: Vec<&str> = rest.split('.').collect();
        // A bucket's name may hold dots, so the service is looked for from the end.
        (1..=labels.len().min(3)).find_map(|count| {
            let (before, service) = labels.split_at(labels.len() - count);
            let (region, website, accelerated) = service_of(service)?;
            let bucket = match before.is_empty() {
                true => None,
                false => Some(&rest[..before.iter().map(|label| label.len() + 1).sum::<usize>() - 1]),
            };
            Some(Self { bucket, region, suffix, website, accelerated })
        })
    }
}

/// Region, and whether it is a website or acceleration endpoint.
fn service_of<'a>(labels: &[&'a str]) -> Option<(Option<&'a str>, bool, bool)> {
    let plain = |region: &'a str| is_region(region).then_some((Some(region), false, false));
    match labels {
        ["s3"] => Some((None, false, false)),
        ["s3-external-1"] => Some((Some("us-east-1"), false, false)),
        ["s3-accelerate"] | ["s3-accelerate", "dualstack"] => Some((None, false, true)),
        ["s3" | "s3-fips", region] => plain(region),
        ["s3" | "s3-fips", "dualstack", region] => plain(region),
        ["s3-website", region] => is_region(region).then_some((Some(*region), true, false)),
        [one] => match one.strip_prefix("s3-website-") {
            Some(region) => is_region(region).then_some((Some(region), true, false)),
            // Regions of before 2014.
            None => plain(one.strip_prefix("s3-")?),
        },
        _ => None,
    }
}

/// `eu-central-1`, `us-gov-west-1`, `eusc-de-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return false };
    let word = |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    word(first)
        && (1..=2).contains(&middle.len())
        && middle.iter().all(word)
        && last.len() == 1
        && last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(host: &str) -> Option<(Option<&str>, Option<&str>)> {
        AmazonHost::parse(host).map(|host| (host.bucket, host.region))
    }

    #[test]
    fn every_form_of_amazons_hosts() {
        let (keys, east) = (Some("keys"), Some("us-east-2"));
        for (host, bucket, region) in [
            ("keys.s3.us-east-2.amazonaws.com", keys, east),
            ("keys.s3-us-east-2.amazonaws.com", keys, east),
            ("keys.s3.amazonaws.com", keys, None),
            ("keys.s3.dualstack.us-east-2.amazonaws.com", keys, east),
            ("keys.s3-fips.us-east-2.amazonaws.com", keys, east),
            ("keys.s3-fips.dualstack.us-east-2.amazonaws.com", keys, east),
            ("keys.s3-accelerate.amazonaws.com", keys, None),
            ("keys.s3-accelerate.dualstack.amazonaws.com", keys, None),
            ("s3.us-east-2.amazonaws.com", None, east),
            ("s3-us-east-2.amazonaws.com", None, east),
            ("s3.amazonaws.com", None, None),
            ("s3-external-1.amazonaws.com", None, Some("us-east-1")),
            ("s3.dualstack.us-east-2.amazonaws.com", None, east),
            ("s3-fips.us-east-2.amazonaws.com", None, east),
            ("keys.s3.cn-north-1.amazonaws.com.cn", keys, Some("cn-north-1")),
            ("s3.cn-northwest-1.amazonaws.com.cn", None, Some("cn-northwest-1")),
            ("keys.s3.us-gov-west-1.amazonaws.com", keys, Some("us-gov-west-1")),
            ("keys.s3.eusc-de-east-1.amazonaws.eu", keys, Some("eusc-de-east-1")),
            ("my.keys.s3.us-east-2.amazonaws.com", Some("my.keys"), east),
            ("a.s3.b.s3.us-east-2.amazonaws.com", Some("a.s3.b"), east),
        ] {
            assert_eq!(parsed(host), Some((bucket, region)), "{host}");
        }
    }

    #[test]
    fn website_endpoints_are_known_as_such() {
        for host in ["keys.s3-website-us-east-1.amazonaws.com", "keys.s3-website.eu-central-1.amazonaws.com"]
        {
            assert!(
                AmazonHost::parse(host).is_some_and(|host| host.website && host.bucket == Some("keys")),
                "{host}"
            );
        }
    }

    #[test]
    fn other_hosts_are_not_amazon_s3() {
        for host in [
            "amazonaws.com",
            "amazonaws.com.evil.example",
            "s3.us-east-2.amazonaws.com.evil.example",
            "xamazonaws.com",
            "s3.example.com",
            "x.execute-api.us-east-1.amazonaws.com",
            "keys-123456789012.s3-accesspoint.us-east-1.amazonaws.com",
            "s3.us-east-2x.amazonaws.com",
            "s3.-.amazonaws.com",
            "d111111abcdef8.cloudfront.net",
            "",
        ] {
            assert_eq!(parsed(host), None, "{host}");
        }
    }
}
