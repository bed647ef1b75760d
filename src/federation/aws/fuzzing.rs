//! What is read of the answers of AWS, as plain functions for [`crate::fuzzing`].

use http::HeaderMap;

use super::{Service, Settings, observe, place::Region, policy, refusal::Refusal, statements, wanted};
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
    for service in [Service::SecretsManager, Service::ParameterStore] {
        let settings = settings(service);
        let _ = wanted::trusted(&settings, &document);
        let Some(held) = statements::read(&document, &settings) else { continue };
        // One that is too long is refused.
        let Ok(written) = policy::document(&settings, &held.given, &held.others) else { continue };
        let again = statements::read(&written, &settings).expect("what is written can be read");
        assert_eq!(again.given, held.given, "other rights are read than were written");
        assert_eq!(again.others, held.others, "a statement of others is lost");
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
