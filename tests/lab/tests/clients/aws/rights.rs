//! Signatures, access keys, and what a caller may.

use serde_json::json;

use super::{Account, federation, shown};

#[test]
fn wrong_signatures_are_refused() {
    let Some(here) = Account::start() else { return };
    let identity = |options| json!(["sts", "get_caller_identity", {}, options]);
    let unknown = json!([here.aws.foreign_key("444455556666"), "x", null]);
    let tokened =
        json!([here.aws.administrator().access_key_id, here.aws.administrator().secret_access_key, "x"]);
    let steps = [
        identity(json!({})),
        identity(json!({"secret": "wrong"})),
        identity(json!({"key": unknown})),
        identity(json!({"key": tokened})),
        identity(json!({"unsigned": true})),
        json!(["ssm", "describe_parameters", {}, {"secret": "wrong"}]),
        json!(["ssm", "describe_parameters", {}, {"key": unknown}]),
        json!(["secretsmanager", "list_secrets", {}, {"unsigned": true}]),
    ];
    let answers = here.boto3(&steps);
    let expected = [
        "ok ",
        "SignatureDoesNotMatch 403 The request signature we calculated does not match",
        "InvalidClientTokenId 403 The security token included in the request is invalid.",
        "InvalidClientTokenId 403 ",
        "MissingAuthenticationToken 403 ",
        "InvalidSignatureException 400 The request signature we calculated does not match",
        "UnrecognizedClientException 400 The security token included in the request is invalid.",
        "MissingAuthenticationTokenException 400 ",
    ];
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.starts_with(expected), "{answer}\n{expected}");
    }
    here.aws.change(|settings| settings.clock_offset = 3600);
    let answer = here.boto3(&[identity(json!({}))]).remove(0);
    assert!(answer.starts_with("SignatureDoesNotMatch 403 Signature expired: "), "{answer}");
    here.aws.change(|settings| settings.clock_offset = -3600);
    let answer = here.boto3(&[identity(json!({}))]).remove(0);
    assert!(answer.starts_with("SignatureDoesNotMatch 403 Signature not yet current: "), "{answer}");
}

#[test]
fn deactivated_key_is_refused() {
    let Some(here) = Account::start() else { return };
    let read =
        json!({"Statement": {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}});
    let key = here.aws.user("eso-reader", read);
    here.aws.put_secret("prod/db", "correct horse");
    let id = &key.access_key_id;
    let secret = json!(["secretsmanager", "get_secret_value", {"SecretId": "prod/db"}, {"key": shown(&key)}]);
    let set = |status| {
        json!(["iam", "update_access_key",
        {"UserName": "eso-reader", "AccessKeyId": id, "Status": status}])
    };
    let used = json!(["iam", "get_access_key_last_used", {"AccessKeyId": id}]);
    let answers = here.boto3(&[
        used.clone(),
        secret.clone(),
        used,
        json!(["sts", "get_access_key_info", {"AccessKeyId": id}]),
        json!(["sts", "get_access_key_info", {"AccessKeyId": here.aws.foreign_key("444455556666")}]),
        json!(["iam", "list_access_keys", {"UserName": "eso-reader"}]),
        set("Inactive"),
        secret.clone(),
        json!(["sts", "get_caller_identity", {}, {"key": shown(&key)}]),
        set("Active"),
        secret.clone(),
        json!(["iam", "update_access_key", {"UserName": "administrator", "AccessKeyId": id, "Status": "Inactive"}]),
        json!(["iam", "delete_access_key", {"UserName": "eso-reader", "AccessKeyId": id}]),
        secret,
        json!(["iam", "get_user", {"UserName": "absent"}]),
    ]);
    let expected = [
        r#"ok {"AccessKeyLastUsed": {"Region": "N/A", "ServiceName": "N/A"}"#,
        "ok ",
        r#"ok {"AccessKeyLastUsed": {"LastUsedDate": "#,
        r#"ok {"Account": "111122223333"}"#,
        r#"ok {"Account": "444455556666"}"#,
        r#"ok {"AccessKeyMetadata": [{"AccessKeyId": "AKIA"#,
        "ok ",
        "UnrecognizedClientException 400 ",
        "InvalidClientTokenId 403 ",
        "ok ",
        "ok ",
        "NoSuchEntity 404 The Access Key with id AKIA",
        "ok ",
        "UnrecognizedClientException 400 ",
        "NoSuchEntity 404 The user with name absent cannot be found.",
    ];
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.starts_with(expected), "{answer}\n{expected}");
    }
    assert_eq!(here.aws.key_is_active(id), None);
}

#[test]
fn each_denied_action_is_named() {
    let Some(here) = Account::start() else { return };
    let actions = [
        "iam:CreateOpenIDConnectProvider",
        "iam:TagOpenIDConnectProvider",
        "iam:CreateRole",
        "iam:PutRolePolicy",
    ];
    for action in actions {
        here.aws.deny(action);
        let answers = here.boto3(&federation());
        let refused: Vec<&String> =
            answers.iter().filter(|answer| answer.starts_with("AccessDenied 403 ")).collect();
        let words = format!("because no identity-based policy allows the {action} action");
        assert!(refused.iter().any(|answer| answer.ends_with(&words)), "{action} {answers:?}");
        here.aws.allow(action);
        let clean_up = [
            json!(["iam", "delete_role_policy", {"RoleName": "eso", "PolicyName": "read"}]),
            json!(["iam", "delete_role", {"RoleName": "eso"}]),
            json!(["iam", "delete_open_id_connect_provider", {"OpenIDConnectProviderArn": super::provider_arn()}]),
        ];
        here.boto3(&clean_up);
        assert!(here.aws.roles().is_empty() && here.aws.providers().is_empty());
    }
    assert!(actions.iter().all(|action| here.aws.needed().contains(*action)), "{:?}", here.aws.needed());
}

#[test]
fn policies_bound_secrets_and_parameters() {
    let Some(here) = Account::start() else { return };
    let arn = here.aws.put_secret("prod/db", "correct horse");
    here.aws.put_secret("prod/db-more", "x");
    here.aws.put_parameter("/prod/db", "battery staple", Some("arn:aws:kms:eu-central-1:111122223333:key/k"));
    here.aws.put_parameter("/prod/deep/db", "staple", None);
    let (secret, parameter) = (
        "arn:aws:secretsmanager:eu-central-1:111122223333:secret:",
        "arn:aws:ssm:eu-central-1:111122223333:parameter",
    );
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "secretsmanager:Get*", "Resource": format!("{secret}prod/db-??????")},
        {"Effect": "Allow", "Action": "ssm:GetParameter*", "Resource": format!("{parameter}/prod*")},
        {"Effect": "Deny", "Action": "ssm:GetParameters", "Resource": "*"},
    ]});
    let key = json!({"key": shown(&here.aws.user("reader", policy))});
    let get = |id: &str| json!(["secretsmanager", "get_secret_value", {"SecretId": id}, key]);
    let without = arn.rsplit_once('-').unwrap().0;
    let elsewhere = json!({"key": key["key"], "region": "eu-west-1"});
    let answers = here.boto3(&[
        get("prod/db"),
        get(&arn),
        get(without),
        get("prod/db-more"),
        json!(["secretsmanager", "get_secret_value", {"SecretId": "prod/db"}, elsewhere]),
        json!(["secretsmanager", "describe_secret", {"SecretId": "prod/db"}, key]),
        json!(["secretsmanager", "get_secret_value", {"SecretId": "absent"}]),
        json!(["ssm", "get_parameter", {"Name": "/prod/deep/db", "WithDecryption": true}, key]),
        json!(["ssm", "get_parameter", {"Name": "/prod/db", "WithDecryption": true}, key]),
        json!(["ssm", "get_parameter", {"Name": "/prod/absent"}, key]),
        json!(["ssm", "get_parameter", {"Name": "/test/db"}, key]),
        json!(["ssm", "get_parameters", {"Names": ["/prod/db"]}, key]),
        json!(["ssm", "get_parameters_by_path", {"Path": "/prod", "Recursive": true}]),
        json!(["ssm", "put_parameter", {"Name": "/prod/db", "Value": "x", "Type": "String"}]),
        json!(["ssm", "put_parameter", {"Name": "/prod/db", "Value": "x", "Type": "String", "Overwrite": true}]),
        json!(["secretsmanager", "create_secret", {"Name": "prod/db", "SecretString": "x"}]),
        json!(["secretsmanager", "put_secret_value", {"SecretId": "prod/db", "SecretString": "new"}]),
        get("prod/db"),
        json!(["secretsmanager", "get_secret_value", {"SecretId": "prod/db", "VersionStage": "AWSPREVIOUS"}]),
        json!(["secretsmanager", "batch_get_secret_value", {"SecretIdList": ["prod/db", "absent"]}]),
        json!(["secretsmanager", "list_secrets", {"MaxResults": 1}]),
    ]);
    let expected = [
        ("ok ", "correct horse"),
        ("ok ", "correct horse"),
        ("ok ", "correct horse"),
        ("AccessDeniedException 400 ", "on resource: prod/db-more because no identity-based policy"),
        ("AccessDeniedException 400 ", ""),
        ("AccessDeniedException 400 ", "secretsmanager:DescribeSecret"),
        ("ResourceNotFoundException 400 ", "Secrets Manager can't find the specified secret."),
        ("ok ", r#""Value": "staple""#),
        ("AccessDeniedException 400 ", "kms:Decrypt"),
        ("ParameterNotFound 400 ", ""),
        ("AccessDeniedException 400 ", "parameter/test/db because no identity-based policy allows"),
        ("AccessDeniedException 400 ", "with an explicit deny in an identity-based policy"),
        ("ok ", "/prod/deep/db"),
        ("ParameterAlreadyExists 400 ", ""),
        ("ok ", r#""Version": 2"#),
        ("ResourceExistsException 400 ", "prod/db already exists"),
        ("ok ", "AWSCURRENT"),
        ("ok ", r#""SecretString": "new""#),
        ("ok ", "correct horse"),
        ("ok ", "ResourceNotFoundException"),
        ("ok ", "NextToken"),
    ];
    for (answer, (start, part)) in answers.iter().zip(expected) {
        assert!(answer.starts_with(start) && answer.contains(part), "{answer}\n{start} {part}");
    }
}
