//! From settings and the SDK's own chain (environment, profile, web identity, instance metadata, …) to a client.

use std::time::Duration;

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
    place::{self, Place},
    transport::Transport,
};
use crate::{
    bucket::{Addressing, Settings},
    error::{Error, Result},
    http::{Http, TIME_LIMIT},
};

/// How often a request is sent in all, when the store is overloaded or the connection breaks.
const ATTEMPTS: u32 = 3;
/// For all attempts together.
const ALL_ATTEMPTS_LIMIT: Duration = TIME_LIMIT.saturating_mul(2);

/// What stores that know no regions sign with.
const NO_REGION: &str = "us-east-1";

/// Everything that the chain and the settings say. Reads files and the environment; asks the instance
/// metadata service for a region when nothing else names one.
pub(super) async fn find(settings: &Settings, bucket: &str, http: &Http) -> Result<(Place, Client)> {
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
    let place = place_of(settings, bucket, &found)?;
    let credentials = found.credentials_provider().ok_or_else(|| {
        Error::failed("bucket-credentials", "there are no AWS credentials here")
            .hint("log in (`aws sso login`) and set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    })?;
    let client = client(&place, credentials, &found, http, RetryConfig::standard());
    Ok((place, client))
}

fn place_of(settings: &Settings, bucket: &str, found: &SdkConfig) -> Result<Place> {
    let endpoint = settings.endpoint.clone().or_else(|| configured_endpoint(found));
    let endpoint = endpoint.map(|text| place::endpoint(&text)).transpose()?;
    let region = found.region().map(ToString::to_string);
    let addressing: Option<Addressing> = settings.addressing;
    let public_url = settings.public_url.as_deref();
    let region_known = region.is_some();
    let region = region.unwrap_or_else(|| NO_REGION.to_owned());
    let place = Place::new(bucket, endpoint, region, addressing, public_url)?;
    if place.aws && !region_known {
        return Err(Error::usage(
            "bucket-region",
            format!("the region of the bucket {bucket:?} is not known"),
        )
        .hint("give --region REGION, or set AWS_REGION, or a region in the AWS profile"));
    }
    Ok(place)
}

/// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` and their like in a profile. Whoever uses another store has them set.
fn configured_endpoint(found: &SdkConfig) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service = found.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
    of_service.or_else(|| found.endpoint_url().map(str::to_owned))
}

/// The client for a place. `base` brings time, sleep and the like.
pub(super) fn client(
    place: &Place,
    credentials: SharedCredentialsProvider,
    base: &SdkConfig,
    http: &Http,
    retry: RetryConfig,
) -> Client {
    let mut config = aws_sdk_s3::config::Builder::from(base)
        .behavior_version(BehaviorVersion::latest())
        .http_client(Transport::new(http))
        .credentials_provider(credentials)
        .region(Region::new(place.region.clone()))
        .force_path_style(place.addressing == Addressing::Path)
        // Checksums beyond those that the protocol demands are refused by many stores that are not AWS.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        // The transport has a limit of its own, on the whole answer.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(ALL_ATTEMPTS_LIMIT).build())
        .retry_config(retry.with_max_attempts(ATTEMPTS));
    config.set_endpoint_url(place.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()));
    Client::from_conf(config.build())
}
