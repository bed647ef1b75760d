//! From a token of the cluster to a secret, and everything that must stop it.

use lab::{Curve, Fault, SigningKey};
use serde_json::{Value, json};

use super::{Account, ISSUER, SUBJECT, assume, clean, installed, role_arn, trust};
use crate::{client, run};

fn read(options: Value) -> Value {
    json!(["secretsmanager", "get_secret_value", {"SecretId": "prod/db"}, options])
}

#[test]
fn token_leads_to_secret() {
    let Some(here) = Account::start() else { return };
    here.federate();
    let other = json!(["secretsmanager", "get_secret_value", {"SecretId": "prod/other"}, {"use": "eso"}]);
    let answers = here.boto3(&[
        assume(&here.token(json!({})), &role_arn("eso"), json!({"as": "eso", "unsigned": true})),
        json!(["sts", "get_caller_identity", {}, {"use": "eso"}]),
        read(json!({"use": "eso"})),
        other,
        read(json!({"use": "eso", "secret": "wrong"})),
        json!(["iam", "list_roles", {}, {"use": "eso"}]),
    ]);
    assert!(
        answers[0].contains(r#""Audience": "sts.amazonaws.com""#) && answers[0].contains(SUBJECT),
        "{answers:?}"
    );
    assert!(answers[1].contains("arn:aws:sts::111122223333:assumed-role/eso/lab"), "{answers:?}");
    assert!(answers[2].contains("correct horse"), "{answers:?}");
    let refused = "AccessDeniedException 400 User: arn:aws:sts::111122223333:assumed-role/eso/lab is not authorized to \
                   perform: secretsmanager:GetSecretValue on resource: prod/other because no identity-based policy \
                   allows the secretsmanager:GetSecretValue action";
    assert_eq!(answers[3], refused);
    assert!(answers[4].starts_with("InvalidSignatureException 400 "), "{answers:?}");
    assert!(answers[5].starts_with("AccessDenied 403 User: arn:aws:sts::"), "{answers:?}");
    let heard = format!("{:?}", here.aws.heard());
    assert!(!heard.contains("eyJ") && heard.contains("AssumeRoleWithWebIdentity"), "{heard}");
}

#[test]
fn unfit_tokens_are_refused() {
    let Some(here) = Account::start() else { return };
    here.federate();
    let unknown = SigningKey::ec(Curve::P256);
    let past = json!({"iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": 1_700_003_600});
    let good = here.token(json!({}));
    let forged = {
        let (head, rest) = good.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let (_, claims) = here
            .token(json!({"jti": "other"}))
            .split_once('.')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        format!("{head}.{}.{signature}", claims.split('.').next().unwrap())
    };
    let named =
        unknown.jws_with_header(&json!({"alg": "ES256", "kid": here.key.kid()}), &super::claims(json!({})));
    let none =
        here.key.jws_with_header(&json!({"alg": "none", "kid": here.key.kid()}), &super::claims(json!({})));
    let no_kid = here.key.jws_with_header(&json!({"alg": "RS256"}), &super::claims(json!({})));
    let unverifiable = "InvalidIdentityToken 400 Couldn't retrieve verification key from your identity provider,  please \
                        reference AssumeRoleWithWebIdentity documentation for requirements";
    let foreign =
        "InvalidIdentityToken 400 No OpenIDConnect provider found in your account for https://other.lab.test";
    let denied = "AccessDenied 403 Not authorized to perform sts:AssumeRoleWithWebIdentity";
    let cases = [
        (here.token(json!({"aud": ["vault"]})), "InvalidIdentityToken 400 Incorrect token audience"),
        (here.token(json!({"aud": ["sts.amazonaws.com", "vault"]})), "InvalidIdentityToken 400 "),
        (here.token(json!({"azp": "vault"})), "InvalidIdentityToken 400 Incorrect token audience"),
        (here.token(json!({"aud": null})), "InvalidIdentityToken 400 Missing a required claim: aud"),
        (here.token(json!({"sub": "system:serviceaccount:external-secrets:other"})), denied),
        (here.token(past), "ExpiredTokenException 400 Token expired: current date/time "),
        (here.token(json!({"nbf": 4_000_000_000_i64})), "InvalidIdentityToken 400 "),
        (here.token(json!({"iss": "https://other.lab.test"})), foreign),
        (
            here.token(json!({"iss": format!("{ISSUER}/")})),
            "InvalidIdentityToken 400 No OpenIDConnect provider",
        ),
        (unknown.jws(&super::claims(json!({}))), unverifiable),
        (named, unverifiable),
        (none, unverifiable),
        (no_kid, unverifiable),
        (forged, "InvalidIdentityToken 400 "),
        ("not.a.jwt".into(), "InvalidIdentityToken 400 The ID Token provided is not a valid JWT."),
    ];
    let mut steps: Vec<Value> =
        cases.iter().map(|(token, _)| assume(token, &role_arn("eso"), json!({"unsigned": true}))).collect();
    steps.push(assume(&good, &role_arn("absent"), json!({"unsigned": true})));
    let elsewhere = "arn:aws:iam::444455556666:role/eso";
    steps.push(assume(&good, elsewhere, json!({"unsigned": true})));
    let answers = here.boto3(&steps);
    for ((_, expected), answer) in cases.iter().zip(&answers) {
        assert!(answer.starts_with(expected), "{answer}\n{expected}");
    }
    assert_eq!(answers[cases.len()], denied);
    assert!(answers[cases.len() + 1].starts_with("InvalidIdentityToken 400 No OpenIDConnect"), "{answers:?}");
    assert!(here.boto3(&[assume(&good, &role_arn("eso"), json!({}))])[0].starts_with("ok"));
}

#[test]
fn unreadable_documents_stop_exchange() {
    let Some(here) = Account::start() else { return };
    here.federate();
    let good = here.token(json!({}));
    let ask = || here.boto3(&[assume(&good, &role_arn("eso"), json!({}))]).remove(0);
    let unverifiable = "InvalidIdentityToken 400 Couldn't retrieve verification key";
    here.web.faults().next(1, "", "openid/v1/jwks", Fault::status(503));
    assert!(ask().starts_with(unverifiable));
    here.write(".well-known/openid-configuration", &json!({"issuer": "https://other", "jwks_uri": ISSUER}));
    assert!(ask().starts_with(unverifiable));
    here.publish(&[]);
    assert!(ask().starts_with(unverifiable));
    here.publish(&[&SigningKey::ec(Curve::P384), &here.key]);
    assert!(ask().starts_with("ok"));
}

#[test]
fn trust_policy_decides() {
    let Some(here) = Account::start() else { return };
    here.federate();
    let good = here.token(json!({}));
    let ask = || here.boto3(&[assume(&good, &role_arn("eso"), json!({}))]).remove(0);
    let aud = format!("{}:aud", super::URL);
    let sub = format!("{}:sub", super::URL);
    let cases = [
        (json!({"StringEquals": {(&aud): "sts.amazonaws.com"}}), true),
        (json!({"StringEquals": {(&aud): "vault"}}), false),
        (json!({"StringLike": {(&sub): "system:serviceaccount:external-secrets:*"}}), true),
        (json!({"StringEquals": {(&sub): "system:serviceaccount:external-secrets:*"}}), false),
        (json!({"StringLike": {(&sub): "system:serviceaccount:kube-system:*"}}), false),
        (json!({"StringEquals": {"other.lab.test:sub": SUBJECT}}), false),
        (json!({"Bool": {"aws:SecureTransport": "true"}}), false),
    ];
    for (condition, allowed) in cases {
        here.aws.change_trust("eso", |trust| trust["Statement"][0]["Condition"] = condition.clone());
        assert_eq!(ask().starts_with("ok"), allowed, "{condition}");
    }
    here.aws.change_trust("eso", |it| {
        *it = trust();
        it["Statement"][0]["Principal"]["Federated"] =
            json!("arn:aws:iam::111122223333:oidc-provider/other.lab.test");
    });
    assert!(ask().starts_with("AccessDenied 403 "));
}

#[test]
fn new_things_are_seen_late() {
    let Some(here) = Account::start() else { return };
    here.aws.change(|settings| settings.unseen_exchanges = 1);
    here.federate();
    let good = here.token(json!({}));
    let step = assume(&good, &role_arn("eso"), json!({}));
    let answers = here.boto3(&[step.clone(), step.clone(), step]);
    assert!(answers[0].starts_with("InvalidIdentityToken 400 No OpenIDConnect provider"), "{answers:?}");
    assert!(answers[1].starts_with("AccessDenied 403 "), "{answers:?}");
    assert!(answers[2].starts_with("ok"), "{answers:?}");
    here.aws.refuse_next(1, "sts:AssumeRoleWithWebIdentity", 400, "IDPCommunicationError", "later");
    let answer = here.boto3(&[assume(&good, &role_arn("eso"), json!({}))]).remove(0);
    assert_eq!(answer, "IDPCommunicationError 400 later");
}

#[test]
fn aws_cli_reads_by_web_identity() {
    let Some(here) = Account::start() else { return };
    if client("aws").is_none() {
        return;
    }
    here.federate();
    here.aws.put_parameter("/prod/db", "battery staple", None);
    let file = here.dir.path().join("token");
    std::fs::write(&file, here.token(json!({}))).unwrap();
    let aws = |role: &str, words: &[&str]| {
        let mut command = clean(&installed("aws"));
        for service in ["STS", "IAM", "SECRETS_MANAGER", "SSM"] {
            command.env(format!("AWS_ENDPOINT_URL_{service}"), here.aws.url());
        }
        command.env("AWS_CA_BUNDLE", here.ca.write(here.dir.path())).env("AWS_ROLE_ARN", role_arn(role));
        command.env("AWS_WEB_IDENTITY_TOKEN_FILE", &file).env("AWS_REGION", "eu-central-1");
        command.env("AWS_DEFAULT_REGION", "eu-central-1");
        run(command.args(words).args(["--output", "text"]))
    };
    let secret = ["secretsmanager", "get-secret-value", "--secret-id", "prod/db", "--query", "SecretString"];
    let output = aws("eso", &secret);
    assert!(output.ok && output.out.contains("correct horse"), "{output}");
    let output = aws("absent", &secret);
    assert!(!output.ok && output.err.contains("(AccessDenied)"), "{output}");
    let output = aws("eso", &["ssm", "get-parameter", "--name", "/prod/db", "--with-decryption"]);
    assert!(!output.ok && output.err.contains("(AccessDeniedException)"), "{output}");
}
