//! Label selectors, as the API server and every controller read them
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>).

use std::collections::BTreeMap;

use serde_json::Value;

/// Labels by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// Whether all of the selector holds; the empty one always does. `Err`: a controller would refuse it as well.
pub(super) fn matches(selector: &Value, labels: &Labels) -> Result<bool, String> {
    let refuse = |what: &str| Err(format!("its selector has {what}"));
    let Some(members) = selector.as_object() else { return refuse("another form than that of a selector") };
    if members.keys().any(|name| !["matchLabels", "matchExpressions"].contains(&name.as_str())) {
        return refuse("a member that selectors do not have");
    }
    let mut all = true;
    match members.get("matchLabels") {
        None | Some(Value::Null) => {}
        Some(Value::Object(wanted)) => {
            for (name, value) in wanted {
                let Some(value) = value.as_str() else { return refuse("a label that is no text") };
                all &= labels.get(name).is_some_and(|it| it == value);
            }
        }
        Some(_) => return refuse("matchLabels that are no map"),
    }
    match members.get("matchExpressions") {
        None | Some(Value::Null) => {}
        Some(Value::Array(expressions)) => {
            for expression in expressions {
                all &= expression_holds(expression, labels)?;
            }
        }
        Some(_) => return refuse("matchExpressions that are no list"),
    }
    Ok(all)
}

fn expression_holds(expression: &Value, labels: &Labels) -> Result<bool, String> {
    let refuse = |what: &str| Err(format!("its selector has an expression {what}"));
    let Some(key) = expression["key"].as_str().filter(|key| !key.is_empty()) else {
        return refuse("without a key");
    };
    let values: Option<Vec<&str>> = match expression.get("values") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(values) => values.as_array().and_then(|all| all.iter().map(Value::as_str).collect()),
    };
    let Some(values) = values else { return refuse("whose values are no texts") };
    let found = labels.get(key);
    let is_in = found.is_some_and(|found| values.contains(&found.as_str()));
    match (expression["operator"].as_str(), values.is_empty()) {
        (Some("In"), false) => Ok(is_in),
        (Some("NotIn"), false) => Ok(!is_in),
        (Some("Exists"), true) => Ok(found.is_some()),
        (Some("DoesNotExist"), true) => Ok(found.is_none()),
        (Some("In" | "NotIn"), true) => refuse("without values"),
        (Some("Exists" | "DoesNotExist"), false) => refuse("with values that it cannot have"),
        _ => refuse("with an operator that there is not"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(all: &[(&str, &str)]) -> Labels {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn selectors_hold_as_kubernetes_defines_them() {
        let have = labels(&[("team", "shop"), ("env", "prod")]);
        for (selector, holds) in [
            (json!({}), true),
            (json!({"matchLabels": {"team": "shop"}}), true),
            (json!({"matchLabels": {"team": "shop", "env": "dev"}}), false),
            (json!({"matchLabels": {"none": ""}}), false),
            (
                json!({"matchExpressions": [{"key": "env", "operator": "In", "values": ["dev", "prod"]}]}),
                true,
            ),
            (json!({"matchExpressions": [{"key": "none", "operator": "In", "values": ["x"]}]}), false),
            (json!({"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["prod"]}]}), false),
            (json!({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["x"]}]}), true),
            (json!({"matchExpressions": [{"key": "env", "operator": "Exists"}]}), true),
            (json!({"matchExpressions": [{"key": "env", "operator": "DoesNotExist", "values": []}]}), false),
            (json!({"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]}), true),
            (
                json!({"matchLabels": {"team": "shop"}, "matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]}),
                true,
            ),
            (json!({"matchLabels": null, "matchExpressions": null}), true),
        ] {
            assert_eq!(matches(&selector, &have), Ok(holds), "{selector}");
        }
    }

    #[test]
    fn selector_of_another_form_is_refused() {
        for selector in [
            json!(null),
            json!([]),
            json!("team=shop"),
            json!({"team": "shop"}),
            json!({"matchLabels": {"team": 1}}),
            json!({"matchLabels": ["team"]}),
            json!({"matchExpressions": {"key": "a"}}),
            json!({"matchExpressions": [{"operator": "Exists"}]}),
            json!({"matchExpressions": [{"key": "", "operator": "Exists"}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "In", "values": [1]}]}),
            json!({"matchExpressions": ["a"]}),
        ] {
            assert!(matches(&selector, &labels(&[])).is_err(), "{selector}");
        }
    }
}
