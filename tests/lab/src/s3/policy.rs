//! Bucket policies, as far as they grant rights to anonymous callers.

use serde_json::Value;

use super::Access;

pub(crate) struct Policy {
    pub(crate) text: String,
    statements: Vec<Statement>,
}

struct Statement {
    allow: bool,
    everyone: bool,
    actions: Vec<String>,
    resources: Vec<String>,
}

impl Policy {
    /// `None`: `MalformedPolicy`
    pub(crate) fn parse(text: &str, bucket: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let statements = match &value["Statement"] {
            Value::Array(statements) => statements.clone(),
            statement @ Value::Object(_) => vec![statement.clone()],
            _ => return None,
        };
        let statements =
            statements.iter().map(|it| Statement::parse(it, bucket)).collect::<Option<Vec<_>>>()?;
        (!statements.is_empty()).then(|| Self { text: text.to_owned(), statements })
    }

    /// Whether someone without credentials may do this
    pub(crate) fn allows_everyone(&self, action: &str, resource: &str) -> bool {
        let applies = |statement: &&Statement| {
            statement.everyone
                && statement.actions.iter().any(|pattern| matches(pattern, action))
                && statement.resources.iter().any(|pattern| matches(pattern, resource))
        };
        let mut statements = self.statements.iter().filter(applies).peekable();
        statements.peek().is_some() && statements.all(|statement| statement.allow)
    }

    /// What `PolicyStatus` calls public
    pub(crate) fn is_public(&self) -> bool {
        self.statements.iter().any(|statement| statement.allow && statement.everyone)
    }
}

impl Statement {
    fn parse(value: &Value, bucket: &str) -> Option<Self> {
        let principal = &value["Principal"];
        let everyone = principal == "*" || list(&principal["AWS"])?.iter().any(|who| who == "*");
        let resources = list(&value["Resource"])?;
        let own = format!("arn:aws:s3:::{bucket}");
        let foreign = |arn: &String| arn != &own && !arn.starts_with(&format!("{own}/"));
        if principal.is_null() || resources.is_empty() || resources.iter().any(foreign) {
            return None;
        }
        let actions = list(&value["Action"])?;
        let effect = value["Effect"].as_str()?;
        (!actions.is_empty() && (effect == "Allow" || effect == "Deny")).then(|| Self {
            allow: effect == "Allow",
            // Conditions are not evaluated: a statement with one applies to no caller.
            everyone: everyone && value["Condition"].is_null(),
            actions,
            resources,
        })
    }
}

/// A string or a list of strings
fn list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(many) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// `*` matches any characters, `?` one
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            text.char_indices().any(|(at, _)| matches(rest, &text[at..])) || matches(rest, "")
        }
        Some(first) => text.chars().next().is_some_and(|other| {
            (first == '?' || first == other)
                && matches(&pattern[first.len_utf8()..], &text[other.len_utf8()..])
        }),
    }
}

impl Access {
    pub(crate) fn permits(&self, action: &str, reads: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Full => true,
            Self::Only(actions) => actions.iter().any(|other| other == action),
            Self::ReadOnly => reads(action),
            Self::Members { besides, .. } => besides.iter().any(|other| other == action),
            Self::Policies(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_objects_are_open() {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
            "Resource":["arn:aws:s3:::b/a","arn:aws:s3:::b/p/*"]},
            {"Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:*","Resource":"arn:aws:s3:::b/p/x"}]}"#;
        let policy = Policy::parse(text, "b").unwrap();
        let open = |key: &str| policy.allows_everyone("s3:GetObject", &format!("arn:aws:s3:::b/{key}"));
        assert!(policy.is_public() && open("a") && open("p/y"));
        assert!(!open("p/x") && !open("ab") && !policy.allows_everyone("s3:PutObject", "arn:aws:s3:::b/a"));
        assert!(Policy::parse(text, "c").is_none() && Policy::parse("{}", "b").is_none());
    }
}
