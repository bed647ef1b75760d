use super::*;
use crate::error::{Code, Kind};

fn location(endpoint_url: Option<&str>, region: &str, addressing: Option<Addressing>) -> S3Location {
    let endpoint = endpoint_url.map(|url| endpoint(url).unwrap());
    S3Location::new("keys", endpoint, region.to_owned(), addressing, None).unwrap()
}

#[test]
fn public_urls() {
    let path = Some(Addressing::Path);
    let virtual_host = Some(Addressing::Virtual);
    for (endpoint, region, addressing, url) in [
        (None, "eu-central-1", None, "https://keys.s3.eu-central-1.amazonaws.com"),
        (None, "us-east-1", None, "https://keys.s3.us-east-1.amazonaws.com"),
        (None, "us-east-1", path, "https://s3.us-east-1.amazonaws.com/keys"),
        (None, "cn-north-1", None, "https://keys.s3.cn-north-1.amazonaws.com.cn"),
        (None, "eusc-de-east-1", None, "https://keys.s3.eusc-de-east-1.amazonaws.eu"),
        (
            Some("https://s3.eu-west-1.amazonaws.com"),
            "eu-west-1",
            None,
            "https://keys.s3.eu-west-1.amazonaws.com",
        ),
        (
            Some("https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com"),
            "us-east-1",
            None,
            "https://keys.s3.us-east-1.amazonaws.com",
        ),
        (
            Some("https://fsn1.your-objectstorage.com"),
            "fsn1",
            None,
            "https://fsn1.your-objectstorage.com/keys",
        ),
        (
            Some("https://fsn1.your-objectstorage.com/"),
            "fsn1",
            virtual_host,
            "https://keys.fsn1.your-objectstorage.com",
        ),
        (Some("http://127.0.0.1:8333"), "us-east-1", None, "http://127.0.0.1:8333/keys"),
        (Some("https://example.com/s3/"), "us-east-1", None, "https://example.com/s3/keys"),
        (Some("https://amazonaws.com.evil.example"), "x", None, "https://amazonaws.com.evil.example/keys"),
    ] {
        assert_eq!(location(endpoint, region, addressing).public_url(), url);
    }
    let own =
        S3Location::new("keys", None, "us-east-1".into(), None, Some("https://id.example.com/")).unwrap();
    assert_eq!(own.public_url(), "https://id.example.com");
}

fn leads(location: &S3Location, url: &str) -> Leads {
    location.leads(&Url::parse(url).unwrap())
}

#[test]
fn issuers_that_lead_to_the_bucket() {
    let compatible = Some("https://s3.example.com");
    for (endpoint, region, url, name) in [
        (None, "us-east-2", "https://keys.s3.us-east-2.amazonaws.com", ""),
        (None, "us-east-2", "https://keys.s3.us-east-2.amazonaws.com/a/b", "a/b"),
        (None, "us-east-2", "https://s3.us-east-2.amazonaws.com/keys", ""),
        (None, "us-east-2", "https://s3.us-east-2.amazonaws.com/keys/a/b", "a/b"),
        (None, "us-east-2", "https://s3-us-east-2.amazonaws.com/keys/keys.json", "keys.json"),
        (None, "us-east-2", "https://keys.s3.amazonaws.com/a", "a"),
        (None, "us-east-2", "https://s3.dualstack.us-east-2.amazonaws.com/keys/a", "a"),
        (None, "us-east-2", "https://keys.s3-fips.us-east-2.amazonaws.com/a", "a"),
        (None, "us-east-1", "https://s3.amazonaws.com/keys/a", "a"),
        (None, "cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn/keys/a", "a"),
        (None, "cn-north-1", "https://keys.s3.cn-north-1.amazonaws.com.cn", ""),
        (
            Some("https://vpce-1a.s3.us-east-2.vpce.amazonaws.com"),
            "us-east-2",
            "https://s3.us-east-2.amazonaws.com/keys",
            "",
        ),
        (compatible, "x", "https://s3.example.com/keys/a", "a"),
        (compatible, "x", "https://keys.s3.example.com/a", "a"),
        (Some("https://example.com/s3"), "x", "https://example.com/s3/keys/a", "a"),
    ] {
        assert_eq!(leads(&location(endpoint, region, None), url), Leads::Here(name.into()), "{url}");
    }
}

#[test]
fn issuers_that_lead_elsewhere() {
    let compatible = Some("https://s3.example.com");
    for (endpoint, region, url) in [
        (None, "us-east-2", "https://other.s3.us-east-2.amazonaws.com"),
        (None, "us-east-2", "https://s3.us-east-2.amazonaws.com/other/keys"),
        (None, "us-east-2", "https://s3.us-east-2.amazonaws.com"),
        (None, "us-east-2", "https://s3.eu-west-1.amazonaws.com/keys"),
        (None, "us-east-2", "https://keys.s3.eu-west-1.amazonaws.com"),
        (None, "us-east-2", "https://s3.amazonaws.com/keys"),
        (None, "us-east-2", "https://s3.us-east-2.amazonaws.com.cn/keys"),
        (None, "cn-north-1", "https://s3.cn-north-1.amazonaws.com/keys"),
        (None, "us-east-2", "https://keys.s3-website.us-east-2.amazonaws.com"),
        (compatible, "x", "https://s3.example.com/other/a"),
        (compatible, "x", "https://s3.example.com"),
        (compatible, "x", "https://keys.s3.us-east-2.amazonaws.com"),
    ] {
        let found = leads(&location(endpoint, region, None), url);
        assert!(matches!(found, Leads::Elsewhere { .. }), "{url}: {found:?}");
    }
}

#[test]
fn domains_of_the_owner_are_unknown() {
    let compatible = Some("https://s3.example.com");
    for (endpoint, url) in [
        (None, "https://oidc.example.com/keys"),
        (None, "https://d111111abcdef8.cloudfront.net/keys"),
        (compatible, "https://oidc.example.com"),
        (compatible, "https://oidc.s3.example.com/keys"),
        (compatible, "https://s3.example.com:8443/keys"),
        (Some("https://example.com/s3"), "https://example.com/prod"),
        (Some("https://example.com/s3"), "https://example.com/s3/other"),
        (Some("http://127.0.0.1:8333"), "https://127.0.0.1/keys"),
    ] {
        assert_eq!(leads(&location(endpoint, "us-east-2", None), url), Leads::Unknown, "{url}");
    }
}

#[test]
fn only_aws_is_aws() {
    assert!(location(None, "us-east-1", None).aws);
    assert!(location(Some("https://s3.dualstack.us-east-1.amazonaws.com"), "us-east-1", None).aws);
    for other in ["https://amazonaws.com.evil.example", "http://127.0.0.1:1", "https://xamazonaws.com"] {
        assert!(!location(Some(other), "us-east-1", None).aws, "{other}");
    }
}

#[test]
fn resource_names() {
    assert_eq!(location(None, "us-gov-west-1", None).arn("a/b"), "arn:aws-us-gov:s3:::keys/a/b");
    assert_eq!(location(None, "cn-north-1", None).arn("a"), "arn:aws-cn:s3:::keys/a");
    assert_eq!(location(Some("https://s3.example.com"), "cn-1", None).arn("a"), "arn:aws:s3:::keys/a");
}

#[test]
fn names_that_no_bucket_can_have() {
    for name in [
        "",
        "ab",
        "Keys",
        "ke_ys",
        "-keys",
        "keys-",
        ".keys",
        "keys.",
        "ke..ys",
        "10.0.0.1",
        "käse",
        "a/b",
        "a b",
        "xn--keys",
        "sthree-keys",
        "keys-s3alias",
        "keys--ol-s3",
        "keys--x-s3",
        "amzn-s3-demo-keys",
    ] {
        let error = check_name(name, Addressing::Path).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::BucketName, Kind::Usage), "{name}");
    }
    check_name(&"a".repeat(64), Addressing::Path).unwrap_err();
    check_name(&"a".repeat(63), Addressing::Path).unwrap();
    check_name("1-k.eys9", Addressing::Path).unwrap();
    assert_eq!(check_name("my.keys", Addressing::Virtual).unwrap_err().code, Code::BucketNameDot);
}

#[test]
fn addresses_that_no_api_can_have() {
    for url in
        ["s3.example.com", "ftp://s3.example.com", "https://", "https://h/?a=b", "https://h/#a", "/srv", ""]
    {
        let error = endpoint(url).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::BucketEndpoint, Kind::Usage), "{url}");
    }
    let error = endpoint("https://me:hunter2@s3.example.com").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
