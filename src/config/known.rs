//! PURE. Every setting there is, out of the schema of `keyless.yaml`: what it is called in the file and in the environment.
//! One table, for `config view`, `config init`, `explain` and the environment.

use std::sync::LazyLock;

use serde_json::Value;

use super::file::schema;

/// A setting.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// As in the file: `cluster.maxTokenSeconds`.
    pub(crate) path: String,
    /// One sentence or two.
    pub(crate) about: String,
    pub(crate) form: Form,
    /// What holds where nothing sets it, if that does not depend on anything else.
    pub(crate) default: Option<Value>,
    /// The environment variable that sets it; `None`: a list, which only the file holds.
    pub(crate) variable: Option<String>,
}

/// What a setting can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Number,
    Switch,
    OneOf(Vec<String>),
    List,
}

/// Settings that name a file. In the environment they are relative to the current folder, in a file to the file.
pub(super) const PATHS: [&str; 4] =
    ["cluster.kubeconfig", "tls.caFile", "vault.caFile", "vault.issuerCaFile"];

/// In the order of the schema.
static ALL: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let schema = schema();
    let mut all = Vec::new();
    collect(&schema, &schema, ("", ""), &mut all);
    all
});

/// Every setting but the version of the file's form.
pub(crate) fn known_settings() -> &'static [Known] {
    &ALL
}

/// `above`: path and description of what holds these.
fn collect(root: &Value, node: &Value, (above, what): (&str, &str), all: &mut Vec<Known>) {
    for (name, member) in node["properties"].as_object().into_iter().flatten() {
        if above.is_empty() && name == "apiVersion" {
            continue;
        }
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        let target = resolved(root, member);
        let about = member["description"].as_str().or(target["description"].as_str()).unwrap_or(what);
        if target["properties"].is_object() {
            collect(root, target, (&path, about), all);
            continue;
        }
        let about = about.replace('\n', " ");
        let form = form(target);
        let variable = (form != Form::List).then(|| variable(&path));
        let default = Some(member["default"].clone()).filter(|it| !it.is_null() && !it.is_array());
        all.push(Known { path, about, form, default, variable });
    }
}

/// What a reference leads to, and the one alternative to `null`.
fn resolved<'a>(root: &'a Value, node: &'a Value) -> &'a Value {
    let alternatives = node["anyOf"].as_array().into_iter().flatten();
    if let Some(other) = alternatives.into_iter().find(|it| it["type"] != "null") {
        return resolved(root, other);
    }
    match node["$ref"].as_str().and_then(|reference| root.pointer(reference.strip_prefix('#')?)) {
        Some(target) => resolved(root, target),
        None => node,
    }
}

fn form(node: &Value) -> Form {
    let kind = match &node["type"] {
        Value::Array(kinds) => kinds.iter().find_map(|kind| kind.as_str().filter(|kind| *kind != "null")),
        kind => kind.as_str(),
    };
    let words = |all: &Value| all.as_array().into_iter().flatten().cloned().collect::<Vec<_>>();
    let listed = words(&node["enum"]).into_iter().chain(words(&node["oneOf"]).into_iter().flat_map(|one| {
        let constant = Some(one["const"].clone()).filter(|it| !it.is_null());
        constant.into_iter().chain(words(&one["enum"])).collect::<Vec<_>>()
    }));
    let listed: Vec<_> = listed.filter_map(|word| word.as_str().map(str::to_owned)).collect();
    match kind {
        _ if !listed.is_empty() => Form::OneOf(listed),
        Some("boolean") => Form::Switch,
        Some("integer" | "number") => Form::Number,
        Some("array") => Form::List,
        _ => Form::Text,
    }
}

/// `cluster.maxTokenSeconds` is `KEYLESS_CLUSTER_MAX_TOKEN_SECONDS`.
fn variable(path: &str) -> String {
    let mut name = "KEYLESS_".to_owned();
    for letter in path.chars() {
        match letter {
            '.' => name.push('_'),
            upper if upper.is_ascii_uppercase() => name.extend(['_', upper]),
            lower => name.push(lower.to_ascii_uppercase()),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn find(path: &str) -> &'static Known {
        known_settings().iter().find(|it| it.path == path).unwrap_or_else(|| panic!("{path}"))
    }

    #[test]
    fn table_has_every_form() {
        assert_eq!(find("issuer").form, Form::Text);
        assert_eq!(find("bucket.addressing").form, Form::OneOf(vec!["path".into(), "virtual".into()]));
        assert_eq!(find("cluster.maxTokenSeconds").form, Form::Number);
        assert_eq!(find("cluster.enabled").form, Form::Switch);
        assert_eq!(find("store.rights.push").form, Form::List);
        assert!(matches!(&find("provider").form, Form::OneOf(names) if names.contains(&"vault".to_owned())));
        assert_eq!(find("google.endpoints.iamCredentials").form, Form::Text);
        assert!(known_settings().len() > 40);
        for setting in known_settings() {
            assert!(!setting.about.is_empty(), "{}", setting.path);
        }
    }

    #[test]
    fn variables_are_distinct_and_speaking() {
        let names: BTreeSet<_> = known_settings().iter().filter_map(|it| it.variable.as_deref()).collect();
        assert_eq!(names.len(), known_settings().iter().filter(|it| it.variable.is_some()).count());
        assert!(names.contains("KEYLESS_CLUSTER_MAX_TOKEN_SECONDS"));
        assert_eq!(find("cluster.publicKeys").variable, None);
    }

    /// A Service sets variables in every pod of its namespace: `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`,
    /// `NAME_SERVICE_PORT_name`, `NAME_PORT`, `NAME_PORT_80_TCP`, `NAME_PORT_80_TCP_ADDR`.
    #[test]
    fn no_service_sets_a_setting() {
        for name in known_settings().iter().filter_map(|it| it.variable.as_deref()) {
            for part in ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT", "_PORT_"] {
                assert!(!name.ends_with(part) && !name.contains("_SERVICE_PORT_"), "{name}");
            }
            assert!(!name.contains("_PORT_"), "{name}");
        }
    }

    #[test]
    fn every_path_is_listed_as_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let sections = [
            ("config/file.rs", ""),
            ("federation/vault/section.rs", "vault."),
            ("federation/gcp/section.rs", ""),
            ("federation/aws/section.rs", ""),
        ];
        let count: usize = sections
            .iter()
            .map(|(file, _)| {
                let text = fs::read_to_string(root.join(file)).unwrap();
                let written = text.split("\nimpl ").next().unwrap_or_default().to_owned();
                let fields = written.lines().filter(|line| line.ends_with(": Option<PathBuf>,"));
                // `VaultSection` holds one of them again.
                fields.count() - usize::from(*file == "federation/vault/section.rs")
            })
            .sum();
        assert_eq!(count, PATHS.len());
        for path in PATHS {
            assert_eq!(find(path).form, Form::Text, "{path}");
        }
    }
}
