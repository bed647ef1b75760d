//! Text of which it must be certain that it holds no credential: addresses, templates, headers, parameters.

use serde_json::Value;

use crate::cluster::snapshot::is_address;

/// Steps of a path that are words of an API and no secret.
const WORDS: [&str; 23] = [
    "api",
    "bao",
    "conjur",
    "esc",
    "external-secrets",
    "graphql",
    "identity",
    "k8s",
    "kv",
    "oauth2",
    "openbao",
    "public",
    "rest",
    "secret",
    "secrets",
    "server",
    "v1",
    "v2",
    "v3",
    "v4",
    "vault",
    "webapi",
    "webhook",
];

/// Whether an address holds nothing but a server, and words of its API.
pub(super) fn is_open(text: &str) -> bool {
    if is_host(text) {
        return true;
    }
    let Some((server, path)) = split(text) else { return false };
    is_address(server) && path.split('/').all(|step| step.is_empty() || WORDS.contains(&step))
}

/// `api.example.com`, `api.example.com:443`: a name of several labels, and a port.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.contains('.')
        && host.len() <= 253
        && host.split('.').all(is_label)
        && (1..=5).contains(&port.len())
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The same for one that is filled in for each secret: a step of the path, or the value of a parameter, may be the
/// secret's own name, as `{{ .remoteRef.key }}`.
pub(super) fn is_open_template(text: &str) -> bool {
    let Some((server, rest)) = split(text) else { return false };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_reference = |text: &str| {
        let inner = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")).map(str::trim);
        inner.is_some_and(|inner| {
            matches!(
                inner.strip_prefix(".remoteRef."),
                Some("key" | "property" | "version" | "namespace" | "remoteKey")
            )
        })
    };
    let is_parameter = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        matches!(name, "version" | "key" | "property" | "name") && is_reference(value)
    };
    is_address(server)
        && path.split('/').all(|step| step.is_empty() || WORDS.contains(&step) || is_reference(step))
        && (query.is_empty() || query.split('&').all(is_parameter))
}

/// Server and path.
fn split(text: &str) -> Option<(&str, &str)> {
    let begin = text.find("://")? + 3;
    let end = text[begin..].find(['/', '?', '#', '\\']).map_or(text.len(), |end| begin + end);
    Some(text.split_at(end))
}

/// Words in the names of headers that log in.
const LOGINS: [&str; 8] =
    ["authorization", "token", "api-key", "apikey", "cookie", "secret", "password", "credential"];

pub(super) fn is_login_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    LOGINS.iter().any(|word| name.contains(word))
}

/// Headers by which nothing logs in, as long as their values have the form of one.
pub(super) fn is_harmless_header(name: &str, value: &str) -> bool {
    let fits = |allowed: &[u8]| {
        value.len() <= 100
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || allowed.contains(&byte))
    };
    match name.to_ascii_lowercase().as_str() {
        "accept" | "content-type" => value.contains('/') && fits(b"/+*.;,=- "),
        "accept-encoding" | "accept-language" | "cache-control" => value.len() <= 40 && fits(b"*.;,=- "),
        "user-agent" => value.len() <= 40 && fits(b"/.-() "),
        "x-vault-namespace" => value.len() <= 100 && fits(b"/-_"),
        "x-vault-request" | "x-vault-inconsistent" => fits(b"-"),
        _ => false,
    }
}

/// Parameters of Vault's engines that describe what is to be made, and hold no credential.
const PARAMETERS: [&str; 17] = [
    "alt_names",
    "common_name",
    "exclude_cn_from_sans",
    "ext_key_usage",
    "format",
    "ip_sans",
    "key_bits",
    "key_type",
    "key_usage",
    "max_ttl",
    "no_store",
    "not_after",
    "other_sans",
    "private_key_format",
    "remove_roots_from_chain",
    "ttl",
    "uri_sans",
];

pub(super) fn is_harmless_parameter(name: &str, value: &Value) -> bool {
    let is_short = |value: &Value| match value {
        Value::String(text) => text.len() <= 253,
        Value::Bool(_) | Value::Number(_) | Value::Null => true,
        Value::Array(_) | Value::Object(_) => false,
    };
    PARAMETERS.contains(&name)
        && match value {
            Value::Array(items) => items.iter().all(is_short),
            value => is_short(value),
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn address_with_credential_room_is_closed() {
        for yes in [
            "https://v.example",
            "https://v.example:8200/",
            "https://v.example/api/v2",
            "https://v.example//v1",
        ] {
            assert!(is_open(yes) && is_open_template(yes), "{yes}");
        }
        for yes in ["kubernetes.default", "api.cloud.example:443"] {
            assert!(is_open(yes), "{yes}");
        }
        for no in [
            "",
            "kanarienvogel",
            "a.b:x",
            "a..b",
            "u@v.example",
            "https://u:p@v.example/api",
            "https://v.example/T00/B00/xyz",
            "https://v.example/v1?t=x",
            "https://v.example/v1#x",
            "https://v.example\\T00",
            "https://v.example?x",
            "https://v.example/api/..%2fx",
            "https://",
            "https:///api",
        ] {
            assert!(!is_open(no) && !is_open_template(no), "{no}");
        }
        for yes in [
            "https://h.example/api/{{ .remoteRef.key }}",
            "https://h.example/{{.remoteRef.key}}/{{ .remoteRef.property }}",
            "https://h.example/v1?version={{ .remoteRef.version }}",
        ] {
            assert!(is_open_template(yes) && !is_open(yes), "{yes}");
        }
        for no in [
            "https://h.example/x{{ .remoteRef.key }}",
            "https://h.example/{{ .auth.token }}",
            "https://h.example/{{ .remoteRef.key | printf \"x\" }}",
            "https://h.example/v1?token={{ .remoteRef.key }}",
            "https://h.example/v1?version=T00",
            "https://{{ .remoteRef.key }}/",
            "https://u@h.example/{{ .remoteRef.key }}",
        ] {
            assert!(!is_open_template(no), "{no}");
        }
    }

    #[test]
    fn header_needs_harmless_name_and_form() {
        for (name, value) in [
            ("Accept", "application/json"),
            ("content-type", "application/json; charset=utf-8"),
            ("User-Agent", "eso/1.0"),
            ("X-Vault-Namespace", "team/prod"),
        ] {
            assert!(is_harmless_header(name, value) && !is_login_header(name), "{name}");
        }
        for (name, value) in [
            ("Accept", "kanarienvogel"),
            ("Accept", &format!("a/{}", "x".repeat(100))),
            ("User-Agent", "x\ny"),
            ("X-Acme", "a"),
            ("", ""),
        ] {
            assert!(!is_harmless_header(name, value), "{name}");
        }
        for name in [
            "Authorization",
            "X-Vault-Token",
            "PRIVATE_TOKEN",
            "X-Api-Key",
            "Proxy-Authorization",
            "Set-Cookie",
        ] {
            assert!(is_login_header(name), "{name}");
        }
    }

    #[test]
    fn parameter_needs_harmless_name_and_form() {
        assert!(
            is_harmless_parameter("common_name", &json!("a.example"))
                && is_harmless_parameter("alt_names", &json!(["a"]))
        );
        for (name, value) in [
            ("password", json!("x")),
            ("ttl", json!({"a": 1})),
            ("common_name", json!("x".repeat(300))),
            ("alt_names", json!([["x"]])),
        ] {
            assert!(!is_harmless_parameter(name, &value), "{name}");
        }
    }
}
