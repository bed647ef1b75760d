use std::path::Path;

use super::*;
use crate::error::Code;

pub(in super::super) fn read(text: &str) -> Result<AwsSection> {
    let path = Path::new("keyless.yaml");
    AwsSection::read(&Source {
        file: Some((text, path)),
        environment: &|_| None,
        has_bucket: true,
        ca_pem: None,
        is_of_user: &|_| true,
    })
}

#[test]
fn section_is_read_strictly() {
    let section = read(
        "aws: {account: '123456789012', region: eu-central-1, service: ParameterStore, role: eso, \
         endpoints: {sts: 'https://sts.lab.test', secretsManager: 'http://127.0.0.1:1'}}\n",
    )
    .unwrap();
    assert_eq!(section.account().unwrap().title, "AWS account 123456789012");
    assert!(!section.gives_keys() && section.says_mode());
    let directs: Vec<_> = section.directs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(directs, ["aws.endpoints.sts", "aws.endpoints.secretsManager"]);
    assert!(section.complete_alone(false).unwrap().is_some());
    assert!(read("aws: {account: '123456789012'}\n").unwrap().complete_alone(false).unwrap().is_none());
    for (text, code) in [
        ("aws: {acount: '123456789012'}\n", Code::ConfigMalformed),
        ("aws: {service: secretsmanager}\n", Code::ConfigMalformed),
        ("aws: {account: '12345'}\n", Code::AwsSetting),
        ("aws: {region: 'evil.example'}\n", Code::AwsSetting),
        ("aws: {endpoints: {sts: 'http://sts.lab.test'}}\n", Code::BaseUrl),
        ("aws: {endpoints: {kms: 'https://kms.lab.test'}}\n", Code::ConfigMalformed),
        ("aws: {endpoints: {iam: 'https://u:p@iam.lab.test'}}\n", Code::BaseUrl),
    ] {
        assert_eq!(read(text).unwrap_err().code, code, "{text}");
    }
}

#[test]
fn written_settings_are_read_back() {
    let text = "aws: {account: '012345678901', region: us-gov-west-1, service: SecretsManager, role: eso}\n";
    let done = read(text).unwrap().complete_alone(true).unwrap().unwrap();
    assert_eq!(
        done.settings(),
        [
            ("aws.account", "012345678901".to_owned()),
            ("aws.region", "us-gov-west-1".to_owned()),
            ("aws.service", "SecretsManager".to_owned()),
            ("aws.role", "eso".to_owned()),
        ]
    );
    assert!(!done.uploads_keys());
}
