//! Making the bucket and opening two objects of it.

use lab::{Access, Fault, Flavour};
use serde_json::Value;

use super::*;

async fn publish(s3: &S3) {
    for (name, document) in [(JWKS, jwks("{}")), (DISCOVERY, discovery("{}"))] {
        s3.write(name, &document, &Expected::Absent).await.unwrap();
    }
}

/// What anonymous readers get: our two objects and nothing else.
async fn assert_exactly_ours_are_public(store: &lab::S3, s3: &S3) {
    store.put("keys", "secret", "text/plain", None, b"not yours");
    store.put("keys", "prod/other", "text/plain", None, b"not yours");
    for (name, status) in [(JWKS, 200), (DISCOVERY, 200), ("secret", 403), ("prod/other", 403), ("", 403)] {
        assert_eq!(anonymous_status(s3, name).await, status, "{name:?}");
    }
}

fn calls_to<'a>(calls: &'a [lab::Call], part: &str) -> Vec<&'a str> {
    calls.iter().filter(|call| call.path.contains(part)).map(|call| call.method.as_str()).collect()
}

#[tokio::test]
async fn a_new_bucket_on_aws() {
    let store = lab::S3::start(Flavour::Aws);
    let mut s3 = client(&store, &store.credentials());
    s3.location.aws = true;
    assert_eq!(s3.read(JWKS).await.unwrap_err().code, Code::BucketMissing);
    let done = contract::open(&s3, &names()).await.unwrap();
    assert_eq!(done.len(), 3, "{done:#?}");
    publish(&s3).await;
    assert_exactly_ours_are_public(&store, &s3).await;
    let policy: Value = serde_json::from_str(&store.policy("keys").unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Sid"], "KeylessPublicDocumentsInOwnBucket");
    let resources =
        ["arn:aws:s3:::keys/prod/openid/v1/jwks", "arn:aws:s3:::keys/prod/.well-known/openid-configuration"];
    assert_eq!(policy["Statement"][0]["Resource"], serde_json::json!(resources));
    assert!(
        store.faults().requests().iter().all(|call| call.header("x-amz-acl").is_none()),
        "never access lists"
    );
    store.faults().forget();
    assert_eq!(contract::open(&s3, &names()).await.unwrap(), Vec::<String>::new());
    assert_eq!(puts(&store).len(), 0, "what is open is left alone");
}

#[tokio::test]
async fn the_oldest_region_is_not_named() {
    let store = lab::S3::start(Flavour::Aws);
    store.change(|settings| settings.region = "us-east-1".into());
    let mut s3 = client_in(&store, &store.credentials(), "us-east-1", store.url());
    s3.location.aws = true;
    contract::open(&s3, &names()).await.unwrap();
    let made = store.faults().requests().into_iter().find(|call| call.method == "PUT").unwrap();
    assert_eq!(made.body_len, 0);
    assert_eq!(store.buckets(), ["keys"]);
}

#[tokio::test]
async fn unobstructive_block_flags_stay_on() {
    let (store, s3) = store(Flavour::Aws);
    contract::open(&s3, &names()).await.unwrap();
    let asked = s3.client.get_public_access_block().bucket("keys").send().await.unwrap();
    let flags = asked.public_access_block_configuration.unwrap();
    let of = [
        flags.block_public_acls,
        flags.ignore_public_acls,
        flags.block_public_policy,
        flags.restrict_public_buckets,
    ];
    assert_eq!(of, [Some(true), Some(true), Some(false), Some(false)]);
    drop(store);
}

#[tokio::test]
async fn a_policy_that_is_there_stays() {
    let (store, s3) = store(Flavour::Compatible);
    let theirs = r#"{"Version":"2012-10-17","Statement":{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::keys/*"}}"#;
    s3.client.put_bucket_policy().bucket("keys").policy(theirs).send().await.unwrap();
    contract::open(&s3, &names()).await.unwrap();
    let policy: Value = serde_json::from_str(&store.policy("keys").unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Sid"], "Theirs");
    publish(&s3).await;
    assert_exactly_ours_are_public(&store, &s3).await;
}

#[tokio::test]
async fn two_clusters_share_a_bucket() {
    let (_store, s3) = store(Flavour::Compatible);
    contract::open(&s3, &names()).await.unwrap();
    contract::open(&s3, &["other/openid/v1/jwks".to_owned()]).await.unwrap();
    publish(&s3).await;
    s3.write("other/openid/v1/jwks", &jwks("{}"), &Expected::Absent).await.unwrap();
    for name in [JWKS, DISCOVERY, "other/openid/v1/jwks"] {
        assert_eq!(anonymous_status(&s3, name).await, 200, "{name}");
    }
}

#[tokio::test]
async fn other_stores_get_no_access_block() {
    for flavour in [Flavour::Compatible, Flavour::Rgw] {
        let store = lab::S3::start(flavour);
        let s3 = client(&store, &store.credentials());
        contract::open(&s3, &names()).await.unwrap();
        publish(&s3).await;
        assert_exactly_ours_are_public(&store, &s3).await;
        let calls = store.faults().requests();
        assert_eq!(calls_to(&calls, "publicAccessBlock"), Vec::<&str>::new(), "{flavour:?}");
        let made = calls.iter().find(|call| call.method == "PUT").unwrap();
        assert_eq!(made.body_len, 0, "no LocationConstraint");
    }
}

#[tokio::test]
async fn store_demanding_location_gets_one() {
    let store = lab::S3::start(Flavour::Compatible);
    let demand = "<Error><Code>IllegalLocationConstraintException</Code><Message/></Error>";
    store.faults().next(1, "PUT", "/keys", Fault::answer(400, "application/xml", demand));
    contract::open(&client(&store, &store.credentials()), &names()).await.unwrap();
    assert_eq!(store.buckets(), ["keys"]);
}

#[tokio::test]
async fn without_policies_access_lists_open_objects() {
    let (store, s3) = store(Flavour::AclOnly);
    let planned = s3.plan_public(&names()).await.unwrap();
    assert_eq!((planned.create.len(), planned.open.len()), (0, 2));
    publish(&s3).await;
    let done = contract::open(&s3, &names()).await.unwrap();
    assert_eq!(done.len(), 2, "{done:?}");
    assert_exactly_ours_are_public(&store, &s3).await;
    assert_eq!(contract::open(&s3, &names()).await.unwrap(), Vec::<String>::new());

    store.remove("keys", JWKS);
    store.put("keys", JWKS, "application/json", None, b"{}");
    let done = contract::open(&s3, &names()).await.unwrap();
    assert!(done[0].contains(JWKS), "{done:?}");
    assert_exactly_ours_are_public(&store, &s3).await;
}

#[tokio::test]
async fn object_public_by_acl_stays_public() {
    let (store, s3) = store(Flavour::AclOnly);
    publish(&s3).await;
    contract::open(&s3, &names()).await.unwrap();
    // Another process, much later, which does not open anything.
    let later = client(&store, &store.credentials());
    let list = r#"<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>me</ID></Owner>
        <AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">
        <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>
        </AccessControlList></AccessControlPolicy>"#;
    store.faults().always("GET", "?acl", Fault::answer(200, "application/xml", list));
    let stored = read(&later, JWKS).await;
    later.write(JWKS, &jwks("{\"new\":1}"), &Expected::of(stored.as_ref())).await.unwrap();
    assert_eq!(anonymous_status(&later, JWKS).await, 200);

    store.faults().clear();
    store.faults().always("GET", "?acl", Fault::status(503));
    let later = client(&store, &store.credentials());
    let stored = read(&later, JWKS).await;
    refused(later.write(JWKS, &jwks("{\"new\":2}"), &Expected::of(stored.as_ref())).await);
    assert_eq!(anonymous_status(&later, JWKS).await, 200, "rather not written than hidden");
}

#[tokio::test]
async fn unopenable_store_names_its_own_ways() {
    let (store, s3) = store(Flavour::IgnoresConditions);
    publish(&s3).await;
    let error = contract::open(&s3, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketNotPublic);
    for way in ["garage bucket website", "custom domain", "allPublic", "--public-url"] {
        assert!(error.to_string().contains(way), "{error}");
    }
    assert_eq!(store.keys("keys"), [DISCOVERY, JWKS], "no throw-away object is left");
}

#[tokio::test]
async fn a_bucket_of_somebody_else() {
    for flavour in [Flavour::Aws, Flavour::Compatible, Flavour::Rgw] {
        let store = lab::S3::start(flavour);
        store.bucket_of("999988887777", "keys");
        let mut s3 = client(&store, &store.credentials());
        s3.location.aws = flavour == Flavour::Aws;
        let error = contract::open(&s3, &names()).await.unwrap_err();
        assert_eq!(error.code, Code::BucketOfAnotherOwner, "{flavour:?} {error}");
        assert_eq!(s3.read(JWKS).await.unwrap_err().code, Code::BucketForbidden, "{flavour:?}");
        let error = refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
        assert_eq!(error.code, Code::BucketForbidden, "{flavour:?}");
        assert_eq!(store.keys("keys"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_block_of_the_whole_account() {
    let (store, s3) = store(Flavour::Aws);
    store.change(|settings| settings.account_blocks_public_access = true);
    let error = contract::open(&s3, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::PublicAccessBlocked);
    let text = error.to_string();
    assert!(
        text.contains("BlockPublicPolicy") && text.contains("s3control") && text.contains("CloudFront"),
        "{text}"
    );
}

#[tokio::test]
async fn each_missing_right_is_named() {
    let needed = [
        "s3:ListBucket",
        "s3:CreateBucket",
        "s3:GetBucketPublicAccessBlock",
        "s3:PutBucketPublicAccessBlock",
        "s3:GetBucketPolicy",
        "s3:PutBucketPolicy",
    ];
    // The right to create the bucket does not include the right to list it.
    for missing in &needed[1..] {
        let store = lab::S3::start(Flavour::Aws);
        // What a new bucket blocks is known; an existing one is asked.
        if missing.starts_with("s3:Get") {
            store.own_bucket("keys");
        }
        let rights = needed.iter().filter(|right| right != &missing).map(ToString::to_string).collect();
        let mut s3 = client(&store, &store.add_credentials(Access::Only(rights)));
        s3.location.aws = true;
        let error = contract::open(&s3, &names()).await.unwrap_err();
        assert_eq!(error.code, Code::BucketForbidden, "{error}");
        assert!(error.hints[0].contains(missing), "{missing}: {error}");
    }
}

#[tokio::test]
async fn refusals_after_recent_changes_are_retried() {
    let store = lab::S3::start(Flavour::Aws);
    let mut s3 = client(&store, &store.credentials());
    s3.location.aws = true;
    let blocked = "<Error><Code>AccessDenied</Code><Message>because public policies are prevented by the \
                   BlockPublicPolicy setting in S3 Block Public Access.</Message></Error>";
    let busy =
        "<Error><Code>OperationAborted</Code><Message>A conflicting conditional operation</Message></Error>";
    store.faults().next(2, "PUT", "?policy", Fault::answer(403, "application/xml", blocked));
    store.faults().next(2, "PUT", "?publicAccessBlock", Fault::answer(409, "application/xml", busy));
    assert_eq!(contract::open(&s3, &names()).await.unwrap().len(), 3);
}

/// Whatever is planned says what is there before and what will be there after it.
#[tokio::test]
async fn existing_private_bucket_shows_each_change() {
    let (store, s3) = store(Flavour::Aws);
    store.faults().forget();
    let planned = s3.plan_public(&names()).await.unwrap();
    assert!(planned.create.is_empty());
    let steps: Vec<_> = planned.open.iter().map(|change| &change.step).collect();
    let [block, policy] = steps[..] else { panic!("{steps:#?}") };
    let flags: Vec<_> =
        block.fields.iter().map(|field| (field.path.as_str(), &field.before, &field.after)).collect();
    let (on, off) = (Some(Value::Bool(true)), Some(Value::Bool(false)));
    assert_eq!(flags, [("BlockPublicPolicy", &on, &off), ("RestrictPublicBuckets", &on, &off)]);
    assert_eq!(policy.fields[0].path, "Statement KeylessPublicDocuments");
    assert_eq!(policy.fields[0].after.as_ref().unwrap()["Principal"], "*");
    assert!(store.faults().requests().iter().all(|call| call.method == "GET"), "a plan writes nothing");
}

/// Flags that are off stay off: others may be public by their access lists.
#[tokio::test]
async fn disabled_access_list_flags_stay_off() {
    let (_store, s3) = store(Flavour::Aws);
    let flags =
        aws_sdk_s3::types::PublicAccessBlockConfiguration::builder().block_public_policy(true).build();
    let put = s3.client.put_public_access_block().bucket("keys");
    put.public_access_block_configuration(flags).send().await.unwrap();
    contract::open(&s3, &names()).await.unwrap();
    let asked = s3.client.get_public_access_block().bucket("keys").send().await.unwrap();
    let flags = asked.public_access_block_configuration.unwrap();
    assert_eq!((flags.block_public_acls, flags.ignore_public_acls), (Some(false), Some(false)));
    assert_eq!((flags.block_public_policy, flags.restrict_public_buckets), (Some(false), Some(false)));
}

#[tokio::test]
async fn meanwhile_changed_policy_is_not_replaced() {
    let (store, s3) = store(Flavour::Compatible);
    let planned = s3.plan_public(&names()).await.unwrap();
    let theirs = r#"{"Version":"2012-10-17","Statement":{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::keys/*"}}"#;
    s3.client.put_bucket_policy().bucket("keys").policy(theirs).send().await.unwrap();
    let error = planned.open[0].run(&mut |_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::BucketChanged, "{error}");
    assert_eq!(store.policy("keys").unwrap(), theirs);
}
