use super::{super::plan::tests::settings, *};

#[test]
fn answer_without_arn_proves_nothing() {
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbC123";
    assert!(is_about(&settings(), "db", &json!(arn)).is_ok());
    for seen in [json!(null), json!(""), json!(1), json!(arn.replace(":db-", ":other-"))] {
        let error = is_about(&settings(), "db", &seen).unwrap_err().error("reading", "x");
        assert_eq!(error.code, crate::error::Code::AwsOtherAnswer, "{seen}");
    }
}

#[test]
fn tags_are_list_of_pairs() {
    assert_eq!(tags(&json!([])), Some(Vec::new()));
    assert_eq!(tags(&json!([{ "Key": "a", "Value": "b" }])), Some(vec![("a", "b")]));
    for list in [json!(null), json!({}), json!("x"), json!([1]), json!([{ "Value": "b" }])] {
        assert_eq!(tags(&list), None, "{list}");
    }
}
