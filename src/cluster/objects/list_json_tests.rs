use serde_json::{Value, json};

use super::*;

/// Items and rest of this text, fed in pieces of this size.
fn split(text: &str, size: usize) -> Result<(Vec<Value>, Value), Malformed> {
    let mut list = ListJson::default();
    let mut items = Vec::new();
    for piece in text.as_bytes().chunks(size) {
        list.feed(piece, &mut |item| items.push(serde_json::from_slice(item).unwrap_or(json!("broken"))))?;
    }
    let rest = list.finish()?;
    Ok((items, serde_json::from_slice(&rest).unwrap_or(json!("broken"))))
}

#[test]
fn every_piece_size_gives_same_items() {
    let items = [
        json!({"a": "]},[\"", "b": {"items": [1, 2], "c": "\\"}, "d": [[], {}]}),
        json!({"metadata": {"name": "ä\u{10348}\"\\"}}),
        json!(3),
        json!("text, with comma"),
        json!(null),
        json!([]),
    ];
    let text = format!(
        " {{\"kind\":\"XList\",\"metadata\":{{\"continue\":\"a,]b\",\"items\":\"no\"}}, \"items\" : [ {} ] ,\"more\":[1]}}\n",
        items.iter().map(Value::to_string).collect::<Vec<_>>().join(" , ")
    );
    for size in [1, 2, 3, 5, 7, 16, 64, 4096] {
        let (seen, rest) = split(&text, size).unwrap();
        assert_eq!(seen, items, "{size}");
        assert_eq!(
            rest,
            json!({"kind": "XList", "metadata": {"continue": "a,]b", "items": "no"}, "items": [], "more": [1]})
        );
    }
}

#[test]
fn empty_list_has_no_items() {
    for text in [r#"{"items":[]}"#, r#"{"items":[ ],"kind":"XList"}"#] {
        assert_eq!(split(text, 4).unwrap().0, Vec::<Value>::new(), "{text}");
    }
}

#[test]
fn what_is_no_list_is_malformed() {
    for (text, why) in [
        ("", Malformed::Items),
        ("{}", Malformed::Items),
        ("[]", Malformed::Items),
        ("<html>", Malformed::Items),
        (r#"{"items":null}"#, Malformed::Items),
        (r#"{"items":{}}"#, Malformed::Items),
        (r#"{"items":"x"}"#, Malformed::Items),
        (r#"{"items":[],"items":[]}"#, Malformed::Items),
        (r#"{"other":{"items":[]}}"#, Malformed::Items),
        (r#"{"items":[{"a":1}"#, Malformed::Structure),
        (r#"{"items":[{"a":1},]}"#, Malformed::Structure),
        (r#"{"items":[,{"a":1}]}"#, Malformed::Structure),
        (r#"{"items":[{"a":1},,{"a":2}]}"#, Malformed::Structure),
        (r#"{"items":[{"a":1}}]}"#, Malformed::Structure),
        (r#"{"items":[{"a":"1"#, Malformed::Structure),
        (r#"{"items":[]"#, Malformed::Structure),
        (r#"}{"items":[]}"#, Malformed::Structure),
    ] {
        for size in [1, 4096] {
            assert_eq!(split(text, size).unwrap_err(), why, "{text}");
        }
    }
}

#[test]
fn item_and_rest_memory_is_bounded() {
    let mut list = ListJson::default();
    list.feed(br#"{"items":[{"data":""#, &mut |_| {}).unwrap();
    let piece = vec![b'x'; 1 << 20];
    let fed = (0..64).take_while(|_| list.feed(&piece, &mut |_| {}).is_ok()).count();
    assert!(fed < 8, "{fed}");
    let mut list = ListJson::default();
    list.feed(br#"{"kind":""#, &mut |_| {}).unwrap();
    assert_eq!(list.feed(&piece, &mut |_| {}), Err(Malformed::RestTooLarge));
}
