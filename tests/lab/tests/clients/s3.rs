use std::process::Command;

use lab::{Access, Ca, Credentials, Flavour, Internet, S3};

use crate::{Output, client, curl, run};

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
    "Action":"s3:GetObject","Resource":["arn:aws:s3:::issuer/.well-known/openid-configuration"]}]}"#;

/// A client of S3 with these credentials
fn signed(program: &str, credentials: &Credentials) -> Option<Command> {
    let mut command = client(program)?;
    command
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_DEFAULT_REGION", "eu-central-1");
    if let Some(token) = &credentials.session_token {
        command.env("AWS_SESSION_TOKEN", token);
    }
    Some(command)
}

/// Lines of Python with boto3: `t(f, **args)` prints `code status` of an error or `ok`
fn boto3(s3: &S3, credentials: &Credentials, lines: &str) -> Option<Vec<String>> {
    let script = format!(
        "import boto3, botocore\n\
         from botocore.config import Config\n\
         from botocore.exceptions import ClientError\n\
         c = boto3.client('s3', endpoint_url='{}', config=Config(s3={{'addressing_style': 'path'}}, retries={{'max_attempts': 0}}))\n\
         def t(f, **args):\n\
        \x20   try:\n\
        \x20       r = f(**args); print('ok'); return r\n\
        \x20   except ClientError as e:\n\
        \x20       print(e.response['Error']['Code'], e.response['ResponseMetadata']['HTTPStatusCode'])\n\
         K = dict(Bucket='issuer', Key='.well-known/openid-configuration')\n\
         B = dict(Bucket='issuer')\n\
         HERE = dict(CreateBucketConfiguration={{'LocationConstraint': 'eu-central-1'}})\n\
         P = '''{POLICY}'''\n\
         {lines}\n",
        s3.url()
    );
    let output = run(signed("python3", credentials)?.args(["-c", &script]));
    if output.err.contains("ModuleNotFoundError") {
        println!("skipped: boto3 is not installed");
        return None;
    }
    assert!(output.ok, "{output}");
    Some(output.out.lines().map(str::to_owned).collect())
}

#[test]
fn boto3_meets_amazon_with_its_defaults() {
    let s3 = S3::start(Flavour::Aws);
    let lines = "
t(c.create_bucket, **B)
t(c.create_bucket, **B, CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
t(c.create_bucket, **B, **HERE)
t(c.create_bucket, **B, **HERE)
t(c.create_bucket, Bucket='taken', **HERE)
t(c.create_bucket, Bucket='UPPER', **HERE)
t(c.head_bucket, **B)
print(c.get_bucket_location(**B)['LocationConstraint'])
print(sorted(c.get_public_access_block(**B)['PublicAccessBlockConfiguration'].values()))
t(c.put_bucket_policy, **B, Policy=P)
t(c.get_bucket_policy_status, **B)
t(c.put_public_access_block, **B, PublicAccessBlockConfiguration=dict(BlockPublicAcls=True, IgnorePublicAcls=True, BlockPublicPolicy=False, RestrictPublicBuckets=False))
t(c.put_bucket_policy, **B, Policy='{}')
t(c.put_bucket_policy, **B, Policy=P)
print(c.get_bucket_policy_status(**B)['PolicyStatus']['IsPublic'], c.get_bucket_policy(**B)['Policy'] == P)
t(c.put_object, **K, Body=b'one', ACL='public-read')
t(c.put_object, **K, Body=b'one', IfMatch='\"00\"')
r = t(c.put_object, **K, Body=b'one', IfNoneMatch='*', ContentType='application/json', CacheControl='public, max-age=300')
t(c.put_object, **K, Body=b'two', IfNoneMatch='*')
t(c.put_object, **K, Body=b'two', IfMatch='\"00\"')
t(c.put_object, **K, Body=b'two', IfMatch=r['ETag'], ContentType='application/json', CacheControl='public, max-age=300')
g = c.get_object(**K)
print(g['Body'].read(), g['ContentType'], g['CacheControl'])
t(c.get_object, Bucket='issuer', Key='absent')
t(c.head_object, Bucket='issuer', Key='absent')
t(c.get_object, Bucket='nothing', Key='absent')
t(c.put_object, **K, Body=b'x', ExpectedBucketOwner='444455556666')
t(c.get_object, Bucket='taken', Key='x')
t(c.put_object, Bucket='issuer', Key='a b/ü+c', Body=b'odd')
print(c.list_objects_v2(**B)['Contents'][1]['Key'])
t(c.delete_object, Bucket='issuer', Key='a b/ü+c')
t(c.delete_bucket, **B)
";
    s3.bucket_of("444455556666", "taken");
    let Some(output) = boto3(&s3, &s3.credentials(), lines) else { return };
    let expected = "IllegalLocationConstraintException 400
IllegalLocationConstraintException 400
ok
BucketAlreadyOwnedByYou 409
BucketAlreadyExists 409
InvalidBucketName 400
ok
eu-central-1
[True, True, True, True]
AccessDenied 403
NoSuchBucketPolicy 404
ok
MalformedPolicy 400
ok
True True
AccessControlListNotSupported 400
NoSuchKey 404
ok
PreconditionFailed 412
PreconditionFailed 412
ok
b'two' application/json public, max-age=300
NoSuchKey 404
404 404
NoSuchBucket 404
AccessDenied 403
AccessDenied 403
ok
a b/ü+c
ok
BucketNotEmpty 409";
    assert_eq!(output.join("\n"), expected);
    let Some(mut curl) = client("curl") else { return };
    let url = |key: &str| format!("{}/issuer/{key}", s3.url());
    let output = run(curl.args(["-si", &url(".well-known/openid-configuration"), &url("absent")]));
    assert!(
        output.out.contains("cache-control: public, max-age=300\r\n") && output.out.contains("two"),
        "{output}"
    );
    assert!(output.out.contains(" 403") && output.out.contains("<Code>AccessDenied</Code>"), "{output}");
    s3.change(|settings| settings.account_blocks_public_access = true);
    let output = run(client("curl").unwrap().args(["-si", &url(".well-known/openid-configuration")]));
    assert!(output.out.contains(" 403"), "{output}");
}

#[test]
fn boto3_without_sufficient_credentials_is_refused() {
    let s3 = S3::start(Flavour::Aws);
    s3.own_bucket("issuer");
    s3.put("issuer", ".well-known/openid-configuration", "application/json", None, b"{}");
    let lines = "
t(c.get_object, **K)
t(c.put_object, **K, Body=b'x')
t(c.get_object, Bucket='issuer', Key='absent')
";
    let ask = |credentials: &Credentials| boto3(&s3, credentials, lines).map(|lines| lines.join(","));
    let good = s3.credentials();
    let wrong = Credentials { secret_access_key: "wrong".into(), ..good.clone() };
    let unknown = Credentials { access_key_id: "AKIAUNKNOWN".into(), ..good };
    let Some(output) = ask(&wrong) else { return };
    assert!(output.starts_with("SignatureDoesNotMatch 403"), "{output}");
    assert!(ask(&unknown).unwrap().starts_with("InvalidAccessKeyId 403"));
    assert_eq!(ask(&s3.add_credentials(Access::ReadOnly)).unwrap(), "ok,AccessDenied 403,NoSuchKey 404");
    let narrow = Access::Only(vec!["s3:GetObject".into(), "s3:PutObject".into()]);
    assert_eq!(ask(&s3.add_temporary_credentials(narrow.clone())).unwrap(), "ok,ok,AccessDenied 403");
    let lost = Credentials { session_token: None, ..s3.add_temporary_credentials(narrow) };
    assert!(ask(&lost).unwrap().starts_with("InvalidToken 400"));
    s3.faults().next(1, "PUT", "openid-configuration", S3::conflict());
    assert!(ask(&s3.credentials()).unwrap().contains("ConditionalRequestConflict 409"));
    assert!(s3.faults().requests().iter().all(|call| call.header("authorization").is_none()));
}

#[test]
fn boto3_meets_habits_of_other_stores() {
    let lines = "
t(c.create_bucket, **B)
t(c.create_bucket, **B)
t(c.put_bucket_policy, **B, Policy=P)
t(c.put_public_access_block, **B, PublicAccessBlockConfiguration=dict(BlockPublicPolicy=False))
t(c.put_object, **K, Body=b'one')
t(c.delete_public_access_block, **B)
r = t(c.put_object, **K, Body=b'one', ACL='public-read')
e = r['ETag']
t(c.put_object, **K, Body=b'one', IfNoneMatch='*')
t(c.put_object, **K, Body=b'one', IfMatch='\"00\"')
t(c.put_object, **K, Body=b'one', IfMatch=e, ACL='public-read')
t(c.put_object, **K, Body=b'one', IfMatch=e.strip('\"'), ACL='public-read')
t(c.put_object, Bucket='issuer', Key='absent', Body=b'one', IfMatch='\"00\"')
";
    let table = [
        (
            Flavour::Compatible,
            "ok,BucketAlreadyOwnedByYou 409,ok,NotImplemented 501,ok,NotImplemented 501,ok,PreconditionFailed 412,PreconditionFailed 412,ok,ok,PreconditionFailed 412",
            "200",
        ),
        (
            Flavour::AclOnly,
            "ok,BucketAlreadyOwnedByYou 409,NotImplemented 501,NotImplemented 501,ok,NotImplemented 501,ok,PreconditionFailed 412,PreconditionFailed 412,ok,ok,PreconditionFailed 412",
            "200",
        ),
        (
            Flavour::IgnoresConditions,
            "ok,BucketAlreadyOwnedByYou 409,NotImplemented 501,NotImplemented 501,ok,NotImplemented 501,ok,ok,ok,ok,ok,ok",
            "403",
        ),
        (
            Flavour::Rgw,
            "ok,ok,ok,ok,AccessDenied 403,ok,ok,PreconditionFailed 412,PreconditionFailed 412,PreconditionFailed 412,ok,PreconditionFailed 412",
            "200",
        ),
    ];
    for (flavour, expected, anonymous) in table {
        let s3 = S3::start(flavour);
        let Some(output) = boto3(&s3, &s3.credentials(), lines) else { return };
        assert_eq!(output.join(","), expected, "{flavour:?}");
        let Some(mut curl) = client("curl") else { return };
        let url = format!("{}/issuer/.well-known/openid-configuration", s3.url());
        let output = run(curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", &url]));
        assert_eq!(output.out, anonymous, "{flavour:?}");
    }
}

#[test]
fn aws_cli_uses_https_virtual_hosts() {
    let (dir, ca, internet) = (tempfile::tempdir().unwrap(), Ca::new(), Internet::start());
    let ca_file = ca.write(dir.path());
    let names = ["s3.eu-central-1.amazonaws.com", "*.s3.eu-central-1.amazonaws.com"];
    let s3 = S3::start_tls(&ca, &names, Flavour::Aws);
    names.iter().for_each(|name| internet.route(name, s3.addr()));
    s3.own_bucket("issuer");
    let aws = |args: &[&str]| -> Option<Output> {
        let mut aws = signed("aws", &s3.credentials())?;
        aws.env("AWS_CA_BUNDLE", &ca_file).env("HTTPS_PROXY", internet.url());
        Some(run(aws.arg("s3api").args(args).args(["--bucket", "issuer"])))
    };
    let file = dir.path().join("body");
    std::fs::write(&file, "{}").unwrap();
    let body = file.to_str().unwrap();
    let put = ["--key", "openid/v1/jwks", "--body", body, "--content-type", "application/jwk-set+json"];
    let Some(output) = aws(&[&["put-object"][..], &put].concat()) else { return };
    assert!(output.ok, "{output}");
    let object = s3.object("issuer", "openid/v1/jwks").unwrap();
    assert_eq!(
        (object.body.as_slice(), object.content_type.as_deref()),
        (&b"{}"[..], Some("application/jwk-set+json"))
    );
    assert!(s3.faults().requests().iter().any(|call| call.host.starts_with("issuer.s3.")));
    assert_eq!(internet.connections("issuer.s3.eu-central-1.amazonaws.com"), 1);
    let url = "https://issuer.s3.eu-central-1.amazonaws.com/openid/v1/jwks";
    let Some(mut curl) = curl(&ca_file) else { return };
    assert!(run(curl.args(["--proxy", &internet.url(), url])).out.contains("<Code>AccessDenied</Code>"));
}
