//! From settings and the SDK's own chain (environment, profile, web identity, instance metadata, …) to a client.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use aws_config::{
    BehaviorVersion, SdkConfig, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, profile::ProfileFileRegionProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_s3::{
    Client,
    config::{
        Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
        StalledStreamProtectionConfig,
    },
};
use aws_types::service_config::ServiceConfigKey;

use super::{
    credentials::Remembering,
    location::{self, S3Location},
    refusal::log_in,
    transport::Transport,
};
use crate::{
    bucket::{Addressing, Settings},
    config, credential_file,
    error::{Code, Error, Result},
    http::{Http, TIME_LIMIT},
};

/// How often a request is sent in all, when the store is overloaded or the connection breaks.
const ATTEMPTS: u32 = 3;
/// At most, before the second attempt; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(500);
/// For all attempts together.
const ALL_ATTEMPTS_LIMIT: Duration = TIME_LIMIT.saturating_mul(2);

/// What stores that know no regions sign with.
const NO_REGION: &str = "us-east-1";

/// What [`find`] found.
pub(super) struct Found {
    pub(super) location: S3Location,
    pub(super) client: Client,
    /// A token service is named.
    pub(super) has_sts: bool,
    /// Of the login by web identity, where the chain finds no other one before it.
    pub(super) token_file: Option<PathBuf>,
}

/// Everything that the chain and the settings say. Reads files and the environment; asks the instance
/// metadata service for a region when nothing else names one.
pub(super) async fn find(settings: &Settings, bucket: &str, http: &Http) -> Result<Found> {
    remember_files(config::environment);
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(Transport::new(http));
    let loader = match (&settings.region, &settings.endpoint) {
        (Some(region), _) => loader.region(Region::new(region.clone())),
        (None, Some(_)) => loader.region(
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new()),
        ),
        (None, None) => loader,
    };
    let found = loader.load().await;
    let location = location_of(settings, bucket, &found)?;
    let none = || log_in(Error::failed(Code::BucketCredentials, "there are no AWS credentials here"));
    let credentials = Remembering::around(found.credentials_provider().ok_or_else(none)?);
    let retry = RetryConfig::standard().with_initial_backoff(PAUSE);
    let client = client(&location, credentials, &found, http, retry);
    let token_file = token_file(config::environment);
    Ok(Found { location, client, has_sts: endpoint_of(&found, "STS").is_some(), token_file })
}

/// The credentials and the region of the chain alone, for other services of AWS.
pub(crate) async fn aws_chain(http: &Http) -> (Option<SharedCredentialsProvider>, Option<String>) {
    remember_files(config::environment);
    let found =
        aws_config::defaults(BehaviorVersion::latest()).http_client(Transport::new(http)).load().await;
    (found.credentials_provider().map(Remembering::around), found.region().map(ToString::to_string))
}

/// The chain takes keys of the environment first, then a profile, then web identity, which it stays with even if that is
/// refused (<https://docs.aws.amazon.com/sdk-for-rust/latest/dg/credproviders.html>).
fn token_file(environment: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let others = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"];
    if others.into_iter().any(|name| set(name).is_some()) || own_files(&environment).any(|path| path.exists())
    {
        return None;
    }
    set("AWS_ROLE_ARN")?;
    set("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from)
}

fn remember_files(environment: impl Fn(&str) -> Option<OsString>) {
    own_files(environment).for_each(|path| credential_file::remember(&path));
}

/// The SDK's own files (<https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html>).
fn own_files(environment: impl Fn(&str) -> Option<OsString>) -> impl Iterator<Item = PathBuf> {
    let home = environment("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let files = [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")].map(
        |(variable, name)| {
            let named = environment(variable).map(PathBuf::from);
            named.or_else(|| Some(home.as_ref()?.join(".aws").join(name)))
        },
    );
    files.into_iter().flatten()
}

fn location_of(settings: &Settings, bucket: &str, found: &SdkConfig) -> Result<S3Location> {
    let endpoint = settings.endpoint.clone().or_else(|| configured_endpoint(found));
    let endpoint = endpoint.map(|text| location::endpoint(&text)).transpose()?;
    let region = found.region().map(ToString::to_string);
    let addressing: Option<Addressing> = settings.addressing;
    let public_url = settings.public_url.as_deref();
    let region_known = region.is_some();
    let region = region.unwrap_or_else(|| NO_REGION.to_owned());
    // It becomes a part of a header.
    if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(Error::usage(
            Code::BucketRegionMalformed,
            "the region of the bucket is not the name of a region",
        )
        .hint("give --region, AWS_REGION, or the region of the AWS profile as one word, e.g. eu-central-1"));
    }
    let location = S3Location::new(bucket, endpoint, region, addressing, public_url)?;
    if location.aws && !region_known {
        return Err(Error::usage(
            Code::BucketRegionUnknown,
            format!("the region of the bucket {bucket:?} is not known"),
        )
        .hint("give --region REGION, or set AWS_REGION, or a region in the AWS profile"));
    }
    Ok(location)
}

/// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` and their like in a profile. Users of another store have them set.
fn configured_endpoint(found: &SdkConfig) -> Option<String> {
    endpoint_of(found, "S3").or_else(|| found.endpoint_url().map(str::to_owned))
}

/// That of one service.
fn endpoint_of(found: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    found.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key))
}

/// The client for a location. `base` brings time, sleep and the like.
pub(super) fn client(
    location: &S3Location,
    credentials: SharedCredentialsProvider,
    base: &SdkConfig,
    http: &Http,
    retry: RetryConfig,
) -> Client {
    let mut config = aws_sdk_s3::config::Builder::from(base)
        .behavior_version(BehaviorVersion::latest())
        .http_client(Transport::new(http))
        .credentials_provider(credentials)
        .region(Region::new(location.region.clone()))
        .force_path_style(location.addressing == Addressing::Path)
        // Checksums beyond those that the protocol demands are refused by many stores that are not AWS.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        // The transport has a limit of its own, on the whole answer.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(ALL_ATTEMPTS_LIMIT).build())
        .retry_config(retry.with_max_attempts(ATTEMPTS));
    config.set_endpoint_url(
        location.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
    );
    Client::from_conf(config.build())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::{config::Credentials, presigning::PresigningConfig};

    use super::*;
    use crate::error;

    fn settings() -> Settings {
        Settings::of("s3://keys")
    }

    fn found(region: Option<&'static str>, endpoint: Option<&str>) -> SdkConfig {
        let mut found = SdkConfig::builder().region(region.map(Region::new));
        found.set_endpoint_url(endpoint.map(str::to_owned));
        found.build()
    }

    #[test]
    fn token_of_only_login_is_known() {
        let home = tempfile::TempDir::new().unwrap();
        let home_path = home.path().to_str().unwrap().to_owned();
        let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token");
        let found = |more: &[(&str, &str)]| {
            let set = [&[("HOME", home_path.as_str()), ("AWS_ROLE_ARN", "arn:x")], more].concat();
            token_file(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        assert_eq!(found(&[token]), Some("/var/run/token".into()));
        assert_eq!(found(&[]), None);
        for other in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"] {
            assert_eq!(found(&[token, (other, "x")]), None, "{other}");
        }
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), "[default]\n").unwrap();
        assert_eq!(found(&[token]), None);
    }

    #[test]
    fn only_aws_needs_a_region() {
        let error = location_of(&settings(), "keys", &found(None, None)).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::BucketRegionUnknown, error::Kind::Usage));
        assert!(error.hints[0].contains("--region"), "{error}");
        let aws = Settings { endpoint: Some("https://s3.eu-west-1.amazonaws.com".to_owned()), ..settings() };
        assert_eq!(
            location_of(&aws, "keys", &found(None, None)).unwrap_err().code,
            Code::BucketRegionUnknown
        );
        assert_eq!(
            location_of(&settings(), "keys", &found(Some("eu-west-1"), None)).unwrap().region,
            "eu-west-1"
        );

        let other = Settings { endpoint: Some("https://s3.example.com".to_owned()), ..settings() };
        assert_eq!(location_of(&other, "keys", &found(None, None)).unwrap().region, "us-east-1");
        assert_eq!(location_of(&other, "keys", &found(Some("fsn1"), None)).unwrap().region, "fsn1");
    }

    #[test]
    fn endpoint_from_environment_is_not_aws() {
        let found = found(None, Some("https://s3.example.com"));
        let location = location_of(&settings(), "keys", &found).unwrap();
        assert!(!location.aws);
        assert_eq!(location.public_url(), "https://s3.example.com/keys");
        let given = Settings { endpoint: Some("https://other.example.com".to_owned()), ..settings() };
        let location = location_of(&given, "keys", &found).unwrap();
        assert_eq!(location.public_url(), "https://other.example.com/keys");
    }

    #[tokio::test]
    async fn requests_address_bucket_as_configured() {
        let (path, virtual_host) = (Some(Addressing::Path), Some(Addressing::Virtual));
        for (endpoint, addressing, url) in [
            (None, None, "https://keys.s3.eu-west-1.amazonaws.com/prod/openid/v1/jwks?"),
            (None, path, "https://s3.eu-west-1.amazonaws.com/keys/prod/openid/v1/jwks?"),
            (
                Some("https://s3.example.com:8443/"),
                None,
                "https://s3.example.com:8443/keys/prod/openid/v1/jwks?",
            ),
            (
                Some("https://s3.example.com"),
                virtual_host,
                "https://keys.s3.example.com/prod/openid/v1/jwks?",
            ),
        ] {
            let settings = Settings { endpoint: endpoint.map(str::to_owned), addressing, ..settings() };
            let found = found(Some("eu-west-1"), None);
            let location = location_of(&settings, "keys", &found).unwrap();
            let credentials =
                SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test"));
            let http = Http::new(&[]).unwrap();
            let client = client(&location, credentials, &found, &http, RetryConfig::standard());
            let request = client.get_object().bucket("keys").key("prod/openid/v1/jwks");
            let limit = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
            let signed = request.presigned(limit).await.unwrap();
            assert!(signed.uri().starts_with(url), "{} {url}", signed.uri());
        }
    }
}
