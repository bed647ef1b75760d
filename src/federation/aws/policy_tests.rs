use super::{
    super::{plan::tests::settings, statements},
    *,
};
use crate::federation::{further, reads};

const BEGIN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";

fn on(name: &str) -> String {
    format!("{BEGIN}{name}-??????")
}

#[test]
fn policy_gives_exactly_what_is_read() {
    let document = document(&settings(), &gives(&reads(&["db", "api"]), &settings()).unwrap(), &[]).unwrap();
    let wanted = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [on("api"), on("db")] }
    ]});
    assert!(same(&document, &wanted), "{document}");
    let none = super::document(&settings(), &BTreeSet::new(), &[]).unwrap();
    assert_eq!(none["Statement"], json!([]));
}

#[test]
fn each_right_has_its_actions() {
    for service in [Service::SecretsManager, Service::ParameterStore] {
        let settings = Settings { service, ..settings() };
        for kind in KINDS {
            let name = if kind.is_search() { "" } else { "db" };
            let given = gives(&BTreeSet::from([Right::new(kind, name)]), &settings).unwrap();
            assert!(!given.is_empty(), "{kind:?}");
            for (resource, action) in &given {
                assert_eq!(resource == "*", kind.is_search(), "{kind:?} {resource}");
                assert!(action.starts_with(service.api().name()) && !action.contains('*'), "{action}");
            }
            let read_back = statements::read(&document(&settings, &given, &[]).unwrap(), &settings).unwrap();
            assert_eq!((read_back.given, read_back.others), (given, Vec::new()), "{kind:?}");
        }
        assert_eq!(
            gives(&BTreeSet::from([Right::new(RightKind::Versions, "db")]), &settings).unwrap(),
            BTreeSet::new()
        );
    }
}

#[test]
fn customer_key_is_used_through_service() {
    let key = "arn:aws:kms:eu-central-1:123456789012:key/0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
    let settings = Settings { kms_key: Some(key.into()), ..settings() };
    let given = gives(&reads(&["db"]), &settings).unwrap();
    let document = document(&settings, &given, &[]).unwrap();
    let mut statement = document["Statement"][1].clone();
    statement.as_object_mut().unwrap().remove("Sid");
    assert_eq!(
        statement,
        json!({ "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [key],
            "Condition": { "StringEquals": { "kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com" } } })
    );
    let read_back = statements::read(&document, &settings).unwrap();
    assert!(is_given(&settings, &given, &read_back) && read_back.others.is_empty());
    // Without the setting, the statement goes.
    assert!(!is_given(&Settings { kms_key: None, ..settings.clone() }, &given, &read_back));
    let pushes = gives(&BTreeSet::from([Right::new(RightKind::Push, "db")]), &settings).unwrap();
    let document = super::document(&settings, &pushes, &[]).unwrap();
    assert_eq!(document["Statement"][1]["Action"], json!(["kms:Decrypt", "kms:GenerateDataKey"]));
}

#[test]
fn rights_never_shrink_by_themselves() {
    let held = gives(&reads(&["a", "b", "c"]), &settings()).unwrap();
    let workload = further("shop/b", &["a", "x"]);
    let (given, kept) = given_and_kept(&workload, &settings(), &held).unwrap();
    assert_eq!(given, gives(&reads(&["a", "b", "c", "x"]), &settings()).unwrap());
    assert_eq!(kept, gives(&reads(&["b", "c"]), &settings()).unwrap());
    let unused = workload.asking(reads(&["b"]), true);
    let (given, _) = given_and_kept(&unused, &settings(), &held).unwrap();
    assert_eq!(given, gives(&reads(&["a", "b", "x"]), &settings()).unwrap());
}

#[test]
fn too_long_policy_is_refused() {
    let names: Vec<_> = (0..200).map(|number| format!("team/service/secret-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let error = document(&settings(), &gives(&reads(&names), &settings()).unwrap(), &[]).unwrap_err();
    assert_eq!(error.code, Code::AwsPolicyTooLong);
}

#[test]
fn documents_are_compared_as_aws_reads() {
    let one = json!({ "Statement": [{ "Action": ["b", "a"], "Resource": "x", "Sid": "1" }] });
    let other = json!({ "Statement": { "Action": ["a", "b"], "Resource": ["x"] } });
    assert!(same(&one, &other));
    assert!(!same(&one, &json!({ "Statement": { "Action": ["a"], "Resource": ["x"] } })));
}

#[test]
fn publisher_gets_two_objects_only() {
    let objects = ["p/openid/v1/jwks", "p/.well-known/openid-configuration"].map(str::to_owned);
    let documents = Documents {
        bucket: "acme".to_owned(),
        objects: objects.into(),
        are_at_issuer: true,
        each_was_asked: true,
    };
    let publisher = crate::federation::Publishes::Documents(documents);
    let publisher = Workload::publisher("keyless-system/keyless".parse().unwrap(), publisher);
    let key = "arn:aws:kms:eu-central-1:123456789012:key/0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
    let settings = Settings { kms_key: Some(key.into()), ..settings() };
    // What it was given before and is not asked for any more goes.
    let former = ("arn:aws:s3:::acme/former".to_owned(), "s3:PutObject".to_owned());
    let secret = (on("db"), "secretsmanager:GetSecretValue".to_owned());
    let (given, kept) = given_and_kept(&publisher, &settings, &[former, secret].into()).unwrap();
    assert!(kept.is_empty(), "{kept:?}");
    let document = document(&settings, &given, &[]).unwrap();
    let mut statement = document["Statement"][0].clone();
    statement.as_object_mut().unwrap().remove("Sid");
    assert_eq!(
        statement,
        json!({ "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [
            "arn:aws:s3:::acme/p/.well-known/openid-configuration", "arn:aws:s3:::acme/p/openid/v1/jwks"] })
    );
    assert_eq!(document["Statement"][1], Value::Null, "no key of secrets is used");
    let read = statements::read(&document, &settings).unwrap();
    assert_eq!((&read.given, read.others.len()), (&given, 0));
    assert!(is_given(&settings, &given, &read) && names_documents(&document, &settings));
}

#[test]
fn statement_on_whole_bucket_is_foreign() {
    for resource in
        ["arn:aws:s3:::acme", "arn:aws:s3:::acme/*", "arn:aws:s3:::acme/p?", "arn:aws:s3:::/p", "*"]
    {
        let statement = json!({ "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [resource] });
        let document = json!({ "Version": VERSION, "Statement": [signed(statement)] });
        let read = statements::read(&document, &settings()).unwrap();
        assert_eq!((read.given.len(), read.others.len()), (0, 1), "{resource}");
    }
}
