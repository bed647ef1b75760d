//! Settings into the text of files of every form.

use super::*;

fn settings() -> Vec<Setting> {
    vec![("provider", json!("google")), ("google.project", json!("acme-prod")), ("store.name", json!("gcp"))]
}

#[test]
fn missing_file_is_created() {
    let edit = edit(None, &[settings(), vec![("store.secrets", json!(["db", "12"]))]].concat());
    let made = format!(
        "{HEADER}apiVersion: keyless/v1\nprovider: google\ngoogle:\n  project: acme-prod\nstore:\n  name: gcp\n  secrets:\n    - db\n    - \"12\"\n"
    );
    assert_eq!(edit.text, Some(made.clone()));
    assert!(edit.by_hand.is_empty());
    crate::config::check_document(&made).unwrap();
    assert_eq!(super::edit(Some(&made), &settings()), Edit::default(), "a second time nothing is to be done");
}

#[test]
fn what_people_wrote_stays() {
    let text = "# ours\napiVersion: keyless/v1\n\nprovider: vault # for now\n\n# the old one\ngoogle:\n    pool: a # x\n\n    # a note\n    mode: uploaded\n\nbucket:\n    url: s3://b\n";
    let edit = edit(Some(text), &settings());
    let new = "# ours\napiVersion: keyless/v1\n\nprovider: google # for now\n\n# the old one\ngoogle:\n    pool: a # x\n\n    # a note\n    mode: uploaded\n    project: acme-prod\n\nbucket:\n    url: s3://b\nstore:\n  name: gcp\n";
    assert_eq!(edit.text.as_deref(), Some(new));
    assert_eq!(edit.changed.first(), Some(&("provider", Some("vault".to_owned()), "google".to_owned())));
}

#[test]
fn unsupported_form_is_left_unedited() {
    for text in [
        "apiVersion: keyless/v1\nprovider: google\ngoogle: {pool: a}\nstore: {name: gcp}\n",
        "apiVersion: keyless/v1\nprovider: google\ngoogle: &google\n  pool: a\nstore: {name: gcp}\n",
        r#"{"apiVersion": "keyless/v1", "provider": "google", "google": {"pool": "a"}, "store": {"name": "gcp"}}"#,
        "apiVersion: keyless/v1\nprovider: google\n\"google\":\n  pool: a\nstore: {name: gcp}\n",
        "apiVersion: keyless/v1\nprovider: google\ngoogle:\n\tpool: a\nstore: {name: gcp}\n",
    ] {
        let edit = edit(Some(text), &settings());
        assert_eq!(edit.text, None, "{text}");
        assert!(edit.by_hand.contains(&"google.project: acme-prod".to_owned()), "{text}: {edit:?}");
    }
}

#[test]
fn multiline_value_is_left_unedited() {
    let text = "apiVersion: keyless/v1\nprovider: google\nstore:\n  name: gcp\n  secrets:\n    - a\n    - b\ngoogle:\n  project: >-\n    acme-prod\n";
    assert_eq!(edit(Some(text), &settings()), Edit::default());
    let edit =
        edit(Some(text), &[("store.secrets", json!(["c"])), ("google.project", json!("other-project"))]);
    assert_eq!(edit.text, None, "{edit:?}");
    assert_eq!(edit.by_hand.len(), 2);
}

#[test]
fn ambiguous_yaml_scalars_are_quoted() {
    for (text, plain) in [
        ("acme-prod", true),
        ("s3://acme-oidc", true),
        ("https://oidc.example.com/prod", true),
        ("external-secrets/keyless-gcp", true),
        ("123456789012", false),
        ("1f0e8400-e29b-41d4-a716-446655440000", true),
        ("f10e8400-e29b-41d4-a716-446655440000", true),
        ("12345678-1234-1234-1234-123456789012", true),
        ("12345678-1234-1234-1234-12345678901", false),
        ("no", false),
        ("Null", false),
        ("a: b", false),
        ("a #b", false),
        ("https://a.example/x:y", false),
        ("-a", false),
        ("", false),
        ("a\"b", false),
    ] {
        assert_eq!(scalar(text) == text, plain, "{text}");
        let read: Value = serde_saphyr::from_str(&format!("key: {}\n", scalar(text))).unwrap();
        assert_eq!(read["key"], text);
    }
    let numbered = "apiVersion: keyless/v1\ngoogle:\n  project: 123456789012\n";
    assert_eq!(edit(Some(numbered), &[("google.project", json!("123456789012"))]), Edit::default());
}

fn lists(text: &str, secrets: &[&str], find: &[&str]) -> Edit {
    let mut settings = vec![("store.secrets", json!(secrets))];
    if !find.is_empty() {
        settings.push(("store.rights.find", json!(find)));
    }
    edit(Some(text), &settings)
}

#[test]
fn list_is_edited_line_by_line() {
    let begin = "apiVersion: keyless/v1\nstore:\n  name: gcp\n  secrets:";
    for (have, want, becomes) in [
        (
            "\n    - db # main\n    # old\n    - 12\n",
            &["db", "12", "new"][..],
            "\n    - db # main\n    # old\n    - 12\n    - new\n",
        ),
        (
            "\n  - db\n  - gone\n  serviceAccount: a/b\n",
            &["db", "api"],
            "\n  - db\n  - api\n  serviceAccount: a/b\n",
        ),
        ("\n  - gone\n  - db\n  - \"went: too\"\n", &["api", "db"], "\n  - db\n  - api\n"),
        ("\n  - gone\n", &["api"], "\n  - api\n"),
        (
            "\n  - gone\n\n# bucket\nbucket:\n  url: s3://b\n",
            &[],
            " []\n\n# bucket\nbucket:\n  url: s3://b\n",
        ),
        (" [b, a] # two\n", &["a", "b", "c"], " [a, b, c] # two\n"),
        (" []\n", &["a"], " [a]\n"),
        ("\n", &["a"], " [a]\n"),
    ] {
        let text = format!("{begin}{have}");
        assert_eq!(lists(&text, want, &[]).text, Some(format!("{begin}{becomes}")), "{text}");
        let done = format!("{begin}{becomes}");
        assert_eq!(lists(&done, want, &[]), Edit::default(), "a second time");
    }
    let same = format!("{begin}\n  - b\n  - a\n");
    assert_eq!(lists(&same, &["a", "b"], &[]), Edit::default(), "another order is the same list");
}

#[test]
fn rights_are_written_a_level_deeper() {
    let begin = "apiVersion: keyless/v1\nstore:\n  name: gcp\n";
    let after = "  secrets:\n    - a\n  rights:\n    find:\n      - \"^prod-\"\n";
    for rest in ["", "bucket:\n  url: s3://b\n", "# about buckets\nbucket:\n  url: s3://b\n"] {
        let made = lists(&format!("{begin}{rest}"), &["a"], &["^prod-"]);
        assert_eq!(made.text, Some(format!("{begin}{after}{rest}")));
    }
    let text = format!("{begin}{after}");
    let more = edit(Some(&text), &[("store.rights.find", json!([])), ("store.rights.push", json!(["x"]))]);
    let becomes = "  secrets:\n    - a\n  rights:\n    find: []\n    push:\n      - x\n";
    assert_eq!(more.text, Some(format!("{begin}{becomes}")));
}

#[test]
fn list_of_another_form_is_left() {
    for have in [
        "store:\n  secrets:\n    - {a: b}\n",
        "store:\n  secrets:\n    - >-\n      a\n    - b\n",
        "store:\n  secrets: [a,\n    b]\n",
        "store:\n  secrets: &names\n    - a\n",
        "store:\n  secrets: !!seq\n    - a\n",
        "store: {secrets: [a]}\n",
    ] {
        let text = format!("apiVersion: keyless/v1\n{have}");
        let edit = lists(&text, &["a", "b", "c"], &[]);
        assert_eq!(edit.text, None, "{text}");
        assert_eq!(edit.by_hand, ["store.secrets: [a, b, c]"], "{text}");
    }
    let flow = "apiVersion: keyless/v1\nstore:\n  secrets: [a]\n  rights: {find: [a]}\n";
    assert_eq!(lists(flow, &["a"], &["z"]).by_hand, ["store.rights.find: [z]"]);
}
