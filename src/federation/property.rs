//! PURE. What an ExternalSecret reads out of a value by `property`: a member, or a path in gjson's syntax
//! (<https://github.com/tidwall/gjson/blob/master/SYNTAX.md>).
//!
//! Only paths of plain members and indexes are followed. What says more (wildcards, queries, modifiers) is not judged,
//! and the caller reports that instead of passing it.

use serde_json::Value;

/// Whether a path leads to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup<'a> {
    Found(&'a Value),
    Missing,
    /// It uses more of the syntax than is followed here.
    NotJudged,
}

impl Lookup<'_> {
    fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        if self == Self::Missing { other() } else { self }
    }
}

/// As the Google provider of External Secrets Operator looks: a name with dots as one member first, then as a path.
pub(crate) fn member_then_path<'a>(value: &'a Value, property: &str) -> Lookup<'a> {
    let as_member = || value.get(property).map_or(Lookup::Missing, Lookup::Found);
    as_member().or_else(|| path(value, property))
}

/// By a path alone.
pub(crate) fn path<'a>(value: &'a Value, property: &str) -> Lookup<'a> {
    let Some(steps) = steps(property) else { return Lookup::NotJudged };
    let mut at = value;
    for step in steps {
        let next = match at {
            Value::Object(members) => members.get(&step),
            Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Lookup::Missing,
        }
    }
    Lookup::Found(at)
}

/// The members of a path; `None`: it is more than that.
fn steps(property: &str) -> Option<Vec<String>> {
    let mut steps = vec![String::new()];
    let mut chars = property.chars();
    while let Some(next) = chars.next() {
        match next {
            '.' => steps.push(String::new()),
            '\\' => steps.last_mut()?.push(chars.next()?),
            '*' | '?' | '#' | '|' | '@' | '!' | '{' | '}' | '[' | ']' | '(' | ')' => return None,
            _ => steps.last_mut()?.push(next),
        }
    }
    (!steps.iter().any(String::is_empty)).then_some(steps)
}

/// A map, or a text that holds one as JSON.
pub(crate) fn is_map(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::String(text) => serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_paths_lead_where_gjson_leads() {
        let value = json!({"a": {"b": [1, {"c": null}]}, "tls.crt": "x", "d.e": {"f": 2}, "": 3});
        for (property, found) in [
            ("a", Some(json!({"b": [1, {"c": null}]}))),
            ("a.b.0", Some(json!(1))),
            ("a.b.1.c", Some(Value::Null)),
            ("a.b.2", None),
            ("a.b.x", None),
            ("tls.crt", Some(json!("x"))),
            (r"tls\.crt", Some(json!("x"))),
            (r"d\.e.f", Some(json!(2))),
            ("d.e.f", None),
            ("A", None),
        ] {
            let expected = found.as_ref().map_or(Lookup::Missing, Lookup::Found);
            assert_eq!(member_then_path(&value, property), expected, "{property}");
        }
        assert_eq!(path(&value, "tls.crt"), Lookup::Missing, "by the path alone it is two members");
        assert_eq!(path(&json!("text"), "a"), Lookup::Missing);
    }

    #[test]
    fn more_than_path_is_not_judged() {
        let value = json!({"a": [{"b": 1}]});
        for property in
            ["a.#.b", "a.*", "a|0", "@reverse", "a.#(b==1).b", "{a}", "", "a..b", ".a", "a.", "a\\"]
        {
            assert_eq!(path(&value, property), Lookup::NotJudged, "{property}");
        }
        // A member of that very name is one all the same.
        assert_ne!(member_then_path(&json!({"a.*": 1}), "a.*"), Lookup::NotJudged);
    }
}
