//! What the program asks API servers, as the rights that it takes.

use std::collections::BTreeSet;

use lab::Call;

/// One verb on one resource, as RBAC has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) verb: &'static str,
    /// `secrets`, `serviceaccounts/token`, `secretstores.external-secrets.io`; or a path.
    pub(crate) resource: String,
    /// Empty for all of them, and for what lies in none.
    pub(crate) namespace: String,
}

impl Asked {
    /// Each right once, in the order in which it was first needed.
    pub(crate) fn all(calls: &[Call]) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        let asked = calls.iter().map(Self::of);
        asked.filter(|asked| seen.insert(asked.clone())).collect()
    }

    fn of(call: &Call) -> Self {
        let path = call.path.split('?').next().unwrap();
        let steps: Vec<_> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match steps.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] if !rest.is_empty() => (*group, rest),
            _ => return Self { verb: "get", resource: path.to_owned(), namespace: String::new() },
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let plural = match rest {
            [plural, _, subresource] => format!("{plural}/{subresource}"),
            [plural, ..] => (*plural).to_owned(),
            [] => panic!("{path}"),
        };
        let verb = match (call.method.as_str(), rest.len()) {
            ("GET", 1) => "list",
            ("GET", _) => "get",
            ("PATCH", _) => "patch",
            ("POST", _) => "create",
            ("DELETE", _) => "delete",
            (method, _) => panic!("{method} {path}"),
        };
        let resource = if group.is_empty() { plural } else { format!("{plural}.{group}") };
        Self { verb, resource, namespace: namespace.to_owned() }
    }
}
