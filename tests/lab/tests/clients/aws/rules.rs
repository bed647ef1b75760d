//! What IAM accepts as a provider and as a role.

use serde_json::{Value, json};

use super::{Account, ISSUER, provider_arn, trust};

#[test]
fn providers_have_their_rules() {
    let Some(here) = Account::start() else { return };
    let create = |url: &str| json!(["iam", "create_open_id_connect_provider", {"Url": url, "ClientIDList": ["sts.amazonaws.com"]}]);
    let arn = provider_arn();
    let answers = here.boto3(&[
        create("http://issuer.lab.test/prod"),
        create("https://issuer.lab.test:8443/prod"),
        create("https://issuer.lab.test/prod?x=y"),
        create("https://absent.lab.test"),
        create(ISSUER),
        create(ISSUER),
        json!(["iam", "get_open_id_connect_provider", {"OpenIDConnectProviderArn": arn}]),
        json!(["iam", "add_client_id_to_open_id_connect_provider",
            {"OpenIDConnectProviderArn": arn, "ClientID": "more"}]),
        json!(["iam", "tag_open_id_connect_provider",
            {"OpenIDConnectProviderArn": arn, "Tags": [{"Key": "k", "Value": "v"}]}]),
        json!(["iam", "update_open_id_connect_provider_thumbprint",
            {"OpenIDConnectProviderArn": arn, "ThumbprintList": ["00".repeat(20)]}]),
        json!(["iam", "list_open_id_connect_providers", {}]),
        json!(["iam", "get_open_id_connect_provider", {"OpenIDConnectProviderArn": format!("{arn}/")}]),
    ]);
    let expected = [
        "InvalidInput 400 ",
        "InvalidInput 400 ",
        "InvalidInput 400 ",
        "OpenIdIdpCommunicationError 400 ",
        "ok ",
        "EntityAlreadyExists 409 Provider with url https://issuer.lab.test/prod already exists.",
        r#"ok {"ClientIDList": ["sts.amazonaws.com"], "CreateDate": "#,
        "ok ",
        "ok ",
        "ok ",
        "ok {\"OpenIDConnectProviderList\": [{\"Arn\": ",
        "NoSuchEntity 404 OpenIDConnect Provider not found for arn ",
    ];
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.starts_with(expected), "{answer}\n{expected}");
    }
    let provider = here.aws.provider(super::URL).unwrap();
    assert_eq!(provider["ClientIDList"], json!(["sts.amazonaws.com", "more"]));
    assert_eq!(
        (&provider["Tags"]["k"], &provider["ThumbprintList"]),
        (&json!("v"), &json!(["00".repeat(20)]))
    );
    here.aws.change(|settings| settings.most_providers = 1);
    let answer = here.boto3(&[create("https://other.lab.test")]).remove(0);
    let limit = "LimitExceeded 409 Cannot exceed quota for OpenIdConnectProvidersPerAccount: 1";
    assert_eq!(answer, limit);
}

#[test]
fn roles_have_their_rules() {
    let Some(here) = Account::start() else { return };
    here.federate();
    let create = |name: &str, trust: Value| json!(["iam", "create_role", {"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()}]);
    let mut open = trust();
    open["Statement"][0].as_object_mut().unwrap().remove("Principal");
    let mut wide = trust();
    wide["Statement"][0]["Action"] = json!("s3:GetObject");
    let long = json!({"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": format!("arn:{}", "x".repeat(11_000))}});
    let put = |policy: Value| json!(["iam", "put_role_policy", {"RoleName": "eso", "PolicyName": "p", "PolicyDocument": policy.to_string()}]);
    let answers = here.boto3(&[
        create("eso", trust()),
        create("ESO", trust()),
        create("other", open),
        create("other", wide),
        create("a role", trust()),
        put(long),
        put(json!({"Statement": {"Effect": "Allow", "Action": "a:b"}})),
        json!(["iam", "get_role", {"RoleName": "absent"}]),
        json!(["iam", "get_role_policy", {"RoleName": "eso", "PolicyName": "absent"}]),
        json!(["iam", "get_role_policy", {"RoleName": "eso", "PolicyName": "read"}]),
        json!(["iam", "get_role", {"RoleName": "eso"}]),
        json!(["iam", "tag_role", {"RoleName": "eso", "Tags": [{"Key": "k", "Value": "v"}]}]),
        json!(["iam", "update_assume_role_policy", {"RoleName": "eso", "PolicyDocument": "{}"}]),
        json!(["iam", "list_role_policies", {"RoleName": "eso"}]),
        json!(["iam", "list_attached_role_policies", {"RoleName": "eso"}]),
        json!(["iam", "delete_role", {"RoleName": "eso"}]),
        create("second", trust()),
        json!(["iam", "list_roles", {"MaxItems": 1}]),
    ]);
    let expected = [
        ("EntityAlreadyExists 409 ", "Role with name eso already exists."),
        ("EntityAlreadyExists 409 ", ""),
        ("MalformedPolicyDocument 400 ", "Missing required field Principal"),
        ("MalformedPolicyDocument 400 ", "AssumeRole policy may only specify STS AssumeRole actions."),
        ("ValidationError 400 ", "roleName"),
        ("LimitExceeded 409 ", "Maximum policy size of 10240 bytes exceeded for role eso"),
        ("MalformedPolicyDocument 400 ", "Policy statement must contain resources."),
        ("NoSuchEntity 404 ", "The role with name absent cannot be found."),
        ("NoSuchEntity 404 ", "The role policy with name absent cannot be found."),
        ("ok ", "secretsmanager:GetSecretValue"),
        ("ok ", "sts:AssumeRoleWithWebIdentity"),
        ("ok ", ""),
        ("MalformedPolicyDocument 400 ", ""),
        ("ok ", r#""PolicyNames": ["read"]"#),
        ("ok ", r#""AttachedPolicies": []"#),
        ("DeleteConflict 409 ", "Cannot delete entity, must delete policies first."),
        ("ok ", ""),
        ("ok ", r#""IsTruncated": true"#),
    ];
    for (answer, (start, part)) in answers.iter().zip(expected) {
        assert!(answer.starts_with(start) && answer.contains(part), "{answer}\n{start} {part}");
    }
    assert_eq!(here.aws.role("eso").unwrap()["Tags"], json!({"k": "v"}));
}
