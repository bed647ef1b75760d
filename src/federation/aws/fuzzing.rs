//! What is read of the answers of AWS, as plain functions for [`crate::fuzzing`].

use http::HeaderMap;

use super::{Service, Settings, observe, place::Region, policy, refusal::Refusal, wanted};
use crate::{error::Error, http::Answer};

/// The error that an answer becomes, in XML or in JSON.
pub(crate) fn error(status: u16, body: &[u8]) -> Error {
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    Refusal::of(&answer).error("calling CreateRole in the AWS account 123456789012", "iam:CreateRole")
}

/// A policy as IAM gives it back: what it gives is no more than what is written for it, and is read again.
pub(crate) fn policy(text: &str) {
    let Some(document) = observe::document(text) else { return };
    assert!(policy::same(&document, &document), "a policy differs from itself");
    let _ = wanted::subjects(&document);
    for service in [Service::SecretsManager, Service::ParameterStore] {
        let settings = settings(service);
        let Some(held) = policy::held(&document, &settings) else { continue };
        // One that is too long is refused.
        let Ok(written) = policy::document(&settings, &held) else { continue };
        let is_empty = written["Statement"].as_array().is_some_and(Vec::is_empty);
        assert!(is_empty || written["Version"] == "2012-10-17", "another version is written");
        assert_eq!(policy::held(&written, &settings), Some(held), "other rights are read than were written");
    }
}

fn settings(service: Service) -> Settings {
    Settings {
        account: "123456789012".to_owned(),
        region: Region::parse("aws.region", "eu-central-1").expect("a region"),
        service,
        role: "eso".to_owned(),
        kms_key: None,
        endpoints: super::place::Endpoints::default(),
    }
}
