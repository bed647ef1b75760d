use super::{
    super::{
        Service,
        plan::tests::settings,
        policy::{document, gives, is_given},
    },
    *,
};
use crate::federation::reads;

const ON_DB: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-??????";
const READ: &str = "secretsmanager:GetSecretValue";

/// What a person may have added.
fn of_people() -> Vec<Value> {
    vec![
        json!({ "Effect": "Allow", "Action": READ, "Resource": "*" }),
        json!({ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": ON_DB }),
        json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::backup/*" }),
        json!({ "Effect": "Deny", "Action": READ, "Resource": ON_DB }),
        json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }),
        json!({ "Effect": "Allow", "Action": READ, "NotResource": ON_DB }),
        json!({ "Effect": "Allow", "Action": READ, "Resource": ON_DB,
            "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } } }),
        json!({ "Sid": "Keyless", "Effect": "Allow", "Action": [READ], "Resource": [ON_DB] }),
        json!({ "Sid": "KeylessReadsTheDatabase", "Effect": "Allow", "Action": [READ], "Resource": [ON_DB] }),
        // A statement as keyless writes it, without its Sid.
        json!({ "Effect": "Allow", "Action": [READ], "Resource": [ON_DB] }),
    ]
}

#[test]
fn statements_of_people_stay_verbatim() {
    let given = gives(&reads(&["db"]), &settings()).unwrap();
    let ours = document(&settings(), &given, &[]).unwrap()["Statement"][0].clone();
    for theirs in of_people() {
        for statements in [json!([ours, theirs]), json!([theirs, ours])] {
            let found = read(&json!({ "Version": VERSION, "Statement": statements }), &settings()).unwrap();
            assert_eq!((&found.given, &found.others), (&given, &vec![theirs.clone()]), "{theirs}");
            let more = gives(&reads(&["db", "api"]), &settings()).unwrap();
            let written = document(&settings(), &more, &found.others).unwrap();
            assert!(written["Statement"].as_array().unwrap().contains(&theirs), "{written}");
            let again = read(&written, &settings()).unwrap();
            assert!(is_given(&settings(), &more, &again) && again.others == [theirs.clone()]);
        }
    }
    let found = read(&json!({ "Version": VERSION, "Statement": of_people() }), &settings()).unwrap();
    assert_eq!((found.given, found.others), (BTreeSet::new(), of_people()));
    // One alone need not be in a list.
    let one = of_people().remove(3);
    let found = read(&json!({ "Version": VERSION, "Statement": one }), &settings()).unwrap();
    assert_eq!(found.others, [one]);
}

#[test]
fn statement_changed_by_hand_is_unread() {
    let given = gives(&reads(&["db"]), &settings()).unwrap();
    let ours = document(&settings(), &given, &[]).unwrap();
    assert!(read(&ours, &settings()).is_some());
    for (member, value) in [
        ("Effect", json!("Deny")),
        ("Action", json!("secretsmanager:*")),
        ("Resource", json!("*")),
        ("Condition", json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } })),
        ("NotAction", json!("iam:*")),
    ] {
        let mut changed = ours.clone();
        changed["Statement"][0][member] = value;
        assert_eq!(read(&changed, &settings()), None, "{changed}");
        // With a Sid of its own it is that person's.
        changed["Statement"][0]["Sid"] = json!("OfOurTeam");
        assert_eq!(read(&changed, &settings()).unwrap().others.len(), 1);
    }
}

#[test]
fn other_documents_are_unread() {
    let statement = of_people().remove(0);
    for document in [
        json!({}),
        json!([]),
        json!({ "Version": VERSION }),
        json!({ "Version": VERSION, "Statement": 1 }),
        json!({ "Version": VERSION, "Statement": [1] }),
        json!({ "Version": VERSION, "Id": "x", "Statement": [statement] }),
        json!({ "Version": "2008-10-17", "Statement": [statement] }),
        json!({ "Statement": [statement] }),
    ] {
        assert_eq!(read(&document, &settings()), None, "{document}");
    }
}

#[test]
fn statements_of_other_place_stay() {
    let there = Settings { service: Service::ParameterStore, ..settings() };
    let given = gives(&reads(&["/db"]), &there).unwrap();
    let written = document(&there, &given, &[]).unwrap();
    let found = read(&written, &settings()).unwrap();
    assert!(found.given.is_empty() && found.others.len() == 1, "{found:?}");
    assert_eq!(read(&written, &there).unwrap().given, given);
    // Neither a right that keyless never gives, nor one in another account, is ours by its Sid alone.
    for (action, resource) in [
        (READ, "*"),
        ("s3:GetObject", "*"),
        ("secretsmanager:*", ON_DB),
        (READ, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:*"),
        (READ, "arn:aws:secretsmanager:eu-central-1:210987654321:secret:db-??????"),
    ] {
        let one = signed(json!({ "Effect": "Allow", "Action": [action], "Resource": [resource] }));
        let found = read(&json!({ "Version": VERSION, "Statement": [one] }), &settings()).unwrap();
        assert_eq!((found.given, found.others), (BTreeSet::new(), vec![one]));
    }
}
