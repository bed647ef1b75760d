//! Amazon's host names, and stores with rules of their own.

use super::{
    shown::{steps, writes},
    *,
};

const AWS_HOST: &str = "s3.us-east-2.amazonaws.com";

/// Amazon S3 in one region, with the bucket `acme-oidc` under every host name that it has there.
struct Amazon {
    world: World,
    s3: S3,
}

impl Amazon {
    fn new(issuer: &str) -> Self {
        let world = World::signing_as(1, issuer);
        let hosts = [
            AWS_HOST,
            "acme-oidc.s3.us-east-2.amazonaws.com",
            "other.s3.us-east-2.amazonaws.com",
            "s3-us-east-2.amazonaws.com",
            "s3.dualstack.us-east-2.amazonaws.com",
            "acme-oidc.s3.amazonaws.com",
            "s3.amazonaws.com",
        ];
        let s3 = S3::start_tls(&world.ca, &hosts, Flavour::Aws);
        s3.change(|settings| {
            settings.region = "us-east-2".into();
            settings.domains = vec![AWS_HOST.into(), "s3.amazonaws.com".into()];
        });
        hosts.iter().for_each(|host| world.internet.route(host, s3.addr()));
        Self { world, s3 }
    }

    fn keyless(&self, command: &str, more: &[&str]) -> Ran {
        let arguments = ["--bucket", "s3://acme-oidc", "--region", "us-east-2", "--ca-file", "ca.pem"];
        let arguments: Vec<_> = [command].iter().chain(&arguments).chain(more).copied().collect();
        let credentials = self.s3.credentials();
        let mut command = self.world.command(&arguments);
        command
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.output().unwrap().into()
    }
}

#[test]
fn every_amazon_host_names_right_objects() {
    for (issuer, prefix) in [
        ("https://acme-oidc.s3.us-east-2.amazonaws.com", ""),
        ("https://acme-oidc.s3.us-east-2.amazonaws.com/prod", "prod/"),
        ("https://s3.us-east-2.amazonaws.com/acme-oidc", ""),
        ("https://s3.us-east-2.amazonaws.com/acme-oidc/prod", "prod/"),
        ("https://s3-us-east-2.amazonaws.com/acme-oidc/prod", "prod/"),
        ("https://s3.dualstack.us-east-2.amazonaws.com/acme-oidc", ""),
        ("https://acme-oidc.s3.amazonaws.com/prod", "prod/"),
    ] {
        let amazon = Amazon::new(issuer);
        let shown = amazon
            .keyless("publish", &["--issuer", issuer, "--create", "--dry-run", "-o", "json"])
            .ends(1)
            .json();
        amazon.s3.faults().forget();
        let begun = Instant::now();
        amazon.keyless("publish", &["--issuer", issuer, "--create"]).ends(0);
        assert!(begun.elapsed() < Duration::from_secs(30), "{issuer}: {:?}", begun.elapsed());
        let wanted =
            [".well-known/openid-configuration", "openid/v1/jwks"].map(|path| format!("{prefix}{path}"));
        assert_eq!(amazon.s3.keys("acme-oidc"), wanted, "{issuer}");
        assert_eq!(writes(&amazon.s3.faults().requests()), steps(&shown), "{issuer}");
        amazon.keyless("verify", &["--issuer", issuer, "--public-only"]).ends(0);
    }
}

#[test]
fn issuer_of_another_bucket_writes_nothing() {
    for issuer in [
        "https://other.s3.us-east-2.amazonaws.com",
        "https://s3.us-east-2.amazonaws.com/other",
        "https://s3.us-east-2.amazonaws.com",
        "https://s3.eu-central-1.amazonaws.com/acme-oidc",
        "https://acme-oidc.s3.eu-central-1.amazonaws.com",
        "https://s3.amazonaws.com/acme-oidc",
        "https://acme-oidc.s3-website.us-east-2.amazonaws.com",
    ] {
        let amazon = Amazon::new(issuer);
        amazon.s3.own_bucket("acme-oidc");
        for more in [&["--create"][..], &[], &["--create", "--dry-run"]] {
            let arguments = [&["--issuer", issuer], more].concat();
            amazon.keyless("publish", &arguments).fails(
                2,
                "issuer-other-bucket",
                &[issuer, "s3://acme-oidc"],
            );
        }
        assert_eq!(writes(&amazon.s3.faults().requests()), BTreeSet::new(), "{issuer}");
    }
}

/// A domain of the owner's may show the bucket, or not: nothing is opened on a guess.
#[test]
fn domain_must_be_stated_before_writing() {
    let issuer = "https://oidc.lab.test/prod";
    let amazon = Amazon::new(issuer);
    amazon.s3.own_bucket("acme-oidc");
    for more in [&["--create"][..], &[]] {
        let arguments = [&["--issuer", issuer], more].concat();
        amazon.keyless("publish", &arguments).fails(
            2,
            "issuer-not-of-bucket",
            &["--public-url https://oidc.lab.test"],
        );
    }
    // Stated, and wrong: the documents are written, read back, and nothing is opened that leads elsewhere.
    let stated = ["--issuer", issuer, "--public-url", "https://oidc.lab.test", "--create"];
    amazon.world.put(&amazon.world.jwks(), "{\"keys\":[]}");
    amazon.world.put(&amazon.world.discovery(), "{}");
    amazon.keyless("publish", &stated).ends(3);
    assert!(amazon.s3.policy("acme-oidc").is_none(), "nothing was opened");
}

#[test]
fn existing_private_bucket_plan_shows_opening() {
    let amazon = Amazon::new("https://acme-oidc.s3.us-east-2.amazonaws.com");
    amazon.s3.own_bucket("acme-oidc");
    let shown = amazon.keyless("publish", &["--create", "--dry-run"]).ends(1);
    for line in [
        "~ update  public access block of s3://acme-oidc",
        "BlockPublicPolicy: true → false",
        "RestrictPublicBuckets: true → false",
        "+ create  bucket policy of s3://acme-oidc: everyone may read exactly",
        "needs s3:PutBucketPolicy",
        "+ create  s3://acme-oidc/openid/v1/jwks",
    ] {
        assert!(shown.out.contains(line), "`{line}` is not in\n{}", shown.out);
    }
    assert_eq!(writes(&amazon.s3.faults().requests()), BTreeSet::new());
}

#[test]
fn fixed_content_type_is_written_once() {
    for fixed in ["application/json", "application/octet-stream", "text/plain"] {
        let store = Store::new(1, Flavour::Compatible);
        store.s3.own_bucket("acme-oidc");
        store.s3.change(|s3| s3.fixed_content_type = Some(fixed.to_owned()));
        store.keyless("publish", &["--create"]).fails(3, "content-type-fixed", &[fixed, "openid/v1/jwks"]);
        let calls = store.s3.faults().requests();
        let puts = calls.iter().filter(|call| call.method == "PUT" && call.path.contains("jwks")).count();
        // One, and its repetition that shows what the store makes of conditions.
        assert!(puts <= 2, "{puts} writes");
        assert!(store.s3.policy("acme-oidc").is_none(), "nothing was opened");
    }
}

/// Amazon S3 refuses anonymous reads of objects under SSE-KMS for good.
#[test]
fn bucket_under_kms_is_refused_quickly() {
    let amazon = Amazon::new("https://acme-oidc.s3.us-east-2.amazonaws.com");
    amazon.s3.own_bucket("acme-oidc");
    amazon.s3.change(|s3| s3.encrypts_with_kms = true);
    let begun = Instant::now();
    amazon.keyless("publish", &["--create"]).fails(3, "bucket-encrypted", &["SSE-KMS", "AES256"]);
    assert!(amazon.s3.policy("acme-oidc").is_none(), "nothing was opened");
    // What lies there already is read back, and the store's own reason is told.
    amazon.s3.change(|s3| s3.encrypts_with_kms = false);
    amazon.keyless("publish", &["--create"]).ends(0);
    amazon.s3.change(|s3| s3.encrypts_with_kms = true);
    amazon.keyless("publish", &[]).fails(3, "read-back-failed", &["400", "InvalidArgument", "AES256"]);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn permanent_public_refusals_end_at_once() {
    for (status, code) in
        [(400, "InvalidArgument"), (400, "InvalidRequest"), (405, "MethodNotAllowed"), (404, "NoSuchKey")]
    {
        let store = Store::new(1, Flavour::Compatible);
        let body = format!("<Error><Code>{code}</Code><Message>the reason of {code}</Message></Error>");
        // Only anonymous requests have no query.
        store.s3.own_bucket("acme-oidc");
        store.keyless("publish", &["--create"]).ends(0);
        let next = SigningKey::rsa(2048);
        store.world.cluster.change_servers(|server| server.key_files.push((&next).into()));
        store.s3.faults().always("GET", "/acme-oidc/openid/v1/jwks?x-id", Fault::Delay(Duration::ZERO));
        store.s3.faults().always(
            "GET",
            "/acme-oidc/openid/v1/jwks",
            Fault::answer(status, "application/xml", body),
        );
        let begun = Instant::now();
        store.keyless("publish", &[]).fails(3, "read-back-failed", &[code, &format!("the reason of {code}")]);
        assert!(begun.elapsed() < Duration::from_secs(15), "{code}: {:?}", begun.elapsed());
    }
}
