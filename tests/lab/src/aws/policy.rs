//! What policy documents say (IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements").

use serde_json::Value;

/// The condition keys of a request, with their values
pub(crate) type Context = [(String, Vec<String>)];

/// What the documents of a caller say together
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
    /// No statement fits
    Silent,
}

/// Whether these documents allow an action on a resource
pub(crate) fn decide(documents: &[Value], action: &str, resource: &str, context: &Context) -> Verdict {
    verdict(documents, context, |statement| {
        fits(statement, "Action", |pattern| glob_lower(pattern, action))
            && fits(statement, "Resource", |pattern| glob(pattern, resource))
    })
}

/// Whether a trust policy lets tokens of this provider in
pub(crate) fn trusts(document: &Value, provider_arn: &str, context: &Context) -> bool {
    let verdict = verdict(std::slice::from_ref(document), context, |statement| {
        let federated = texts(&statement["Principal"]["Federated"]);
        federated.iter().any(|principal| principal == provider_arn)
            && fits(statement, "Action", |pattern| glob_lower(pattern, "sts:AssumeRoleWithWebIdentity"))
    });
    verdict == Verdict::Allowed
}

fn verdict(documents: &[Value], context: &Context, about: impl Fn(&Value) -> bool) -> Verdict {
    let mut found = Verdict::Silent;
    for statement in documents.iter().flat_map(statements).filter(|statement| about(statement)) {
        let holds = holds(&statement["Condition"], context);
        match statement["Effect"].as_str() {
            Some("Allow") if holds == Some(true) => found = Verdict::Allowed,
            // A condition that cannot be judged here never widens what a caller may.
            Some("Deny") if holds != Some(false) => return Verdict::Denied,
            _ => {}
        }
    }
    found
}

/// `Statement` may be one or a list
pub(crate) fn statements(document: &Value) -> Vec<&Value> {
    match &document["Statement"] {
        Value::Array(several) => several.iter().collect(),
        one @ Value::Object(_) => vec![one],
        _ => Vec::new(),
    }
}

/// A text or a list of texts
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// `Action` or `NotAction`, `Resource` or `NotResource`
fn fits(statement: &Value, element: &str, pattern_fits: impl Fn(&str) -> bool) -> bool {
    let not = texts(&statement[format!("Not{element}")]);
    let any = |patterns: &[String]| patterns.iter().any(|pattern| pattern_fits(pattern));
    if not.is_empty() { any(&texts(&statement[element])) } else { !any(&not) }
}

/// Whether all conditions hold; `None` if one has an operator that is not judged here
fn holds(condition: &Value, context: &Context) -> Option<bool> {
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            let has = context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, has)| has);
            if !one_holds(operator, &texts(wanted), has)? {
                return Some(false);
            }
        }
    }
    Some(true)
}

fn one_holds(operator: &str, wanted: &[String], has: Option<&Vec<String>>) -> Option<bool> {
    let (all, any) = (operator.strip_prefix("ForAllValues:"), operator.strip_prefix("ForAnyValue:"));
    let operator = all.or(any).unwrap_or(operator);
    let if_exists = operator.strip_suffix("IfExists");
    let operator = if_exists.unwrap_or(operator);
    if operator == "Null" {
        return Some(wanted.iter().any(|wanted| (wanted == "true") == has.is_none()));
    }
    let same: fn(&str, &str) -> bool = match operator {
        "StringEquals" | "StringNotEquals" => |wanted, has| wanted == has,
        "StringLike" | "StringNotLike" => glob,
        "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" => str::eq_ignore_ascii_case,
        _ => return None,
    };
    let negated = operator.starts_with("StringNot");
    let Some(has) = has else {
        return Some(negated || if_exists.is_some() || all.is_some());
    };
    let fits = |has: &String| wanted.iter().any(|wanted| same(wanted, has)) != negated;
    Some(if all.is_some() { has.iter().all(fits) } else { has.iter().any(fits) })
}

fn glob_lower(pattern: &str, text: &str) -> bool {
    glob(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// `*` matches any text, `?` one character
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_match_as_amazon_has_them() {
        for (pattern, text) in [("a-??????", "a-AbC123"), ("*", ""), ("a*c*e", "abcde"), ("a?c", "abc")] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("a-??????", "a-b-AbC123"), ("a-??????", "a-AbC12"), ("a", "A"), ("?", ""), ("a*c", "abcd")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn deny_wins_and_conditions_count() {
        let allow = json!({"Statement": {"Effect": "Allow", "Action": "s:G*", "Resource": "r"}});
        let deny = json!({"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "r",
            "Condition": {"DateLessThan": {"aws:CurrentTime": "2000-01-01T00:00:00Z"}}}]});
        let only = |document: &Value| decide(std::slice::from_ref(document), "s:get", "r", &[]);
        assert_eq!(only(&allow), Verdict::Allowed);
        assert_eq!(decide(&[allow.clone(), deny], "s:get", "r", &[]), Verdict::Denied);
        for condition in [
            json!({"StringEquals": {"k": "v"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"Null": {"k": "false"}}),
            json!({"ForAnyValue:StringLike": {"k": "*"}}),
        ] {
            let mut narrow = allow.clone();
            narrow["Statement"]["Condition"] = condition.clone();
            assert_eq!(only(&narrow), Verdict::Silent, "{condition}");
        }
    }
}
