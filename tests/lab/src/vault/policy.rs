//! Policies: which capabilities a token has on a path (vault/policy.go, vault/acl.go).

const CAPABILITIES: [&str; 9] =
    ["create", "delete", "deny", "list", "patch", "read", "scan", "sudo", "update"];

struct Rule {
    path: String,
    capabilities: Vec<String>,
}

/// The words of the refusal when a text is no policy
pub(crate) fn check(text: &str) -> Result<(), String> {
    rules(text).map(drop).map_err(|problem| format!("failed to parse policy: {problem}"))
}

/// What these policies together give on a path. The most specific rule counts: an exact path, then
/// the longest pattern; the same pattern in several policies adds up; `deny` wins.
pub(crate) fn capabilities<'a>(texts: impl Iterator<Item = &'a str>, path: &str) -> Vec<String> {
    let mut best: Vec<Rule> = Vec::new();
    for rule in
        texts.flat_map(|text| rules(text).unwrap_or_default()).filter(|rule| matches(&rule.path, path))
    {
        let rank = |rule: &Rule| (!rule.path.contains(['*', '+']), rule.path.len());
        match best.first().map(|first| rank(&rule).cmp(&rank(first))) {
            Some(std::cmp::Ordering::Less) => {}
            Some(std::cmp::Ordering::Equal) => best.push(rule),
            _ => best = vec![rule],
        }
    }
    let mut all: Vec<String> = best.into_iter().flat_map(|rule| rule.capabilities).collect();
    all.sort();
    all.dedup();
    if all.is_empty() || all.iter().any(|capability| capability == "deny") {
        vec!["deny".into()]
    } else {
        all
    }
}

/// Whether any rule is about something below a mount
pub(crate) fn reach<'a>(mut texts: impl Iterator<Item = &'a str>, mount: &str) -> bool {
    texts.any(|text| rules(text).unwrap_or_default().iter().any(|rule| rule.path.starts_with(mount)))
}

fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, open) = match pattern.strip_suffix('*') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let (mut parts, mut wanted) = (path.split('/'), pattern.split('/').peekable());
    while let Some(segment) = wanted.next() {
        let last = wanted.peek().is_none();
        let Some(part) = parts.next() else { return false };
        let fits = segment == "+" || part == segment || last && open && part.starts_with(segment);
        if !fits {
            return false;
        }
    }
    open || parts.next().is_none()
}

/// The rules of `path "…" { capabilities = ["…"] }` in HCL; comments are skipped
fn rules(text: &str) -> Result<Vec<Rule>, String> {
    let lines = text.lines().map(|line| match line.find(['#']).or_else(|| line.find("//")) {
        Some(at) if !line[..at].contains('"') => &line[..at],
        _ => line,
    });
    let text: String = lines.collect::<Vec<_>>().join("\n");
    let mut rest = text.trim();
    let mut rules = Vec::new();
    while let Some(after) = rest.strip_prefix("path") {
        let mut quoted = after.trim_start().splitn(3, '"');
        let (Some(""), Some(path), Some(after)) = (quoted.next(), quoted.next(), quoted.next()) else {
            return Err("object expected after path".into());
        };
        let body = after.trim_start().strip_prefix('{').ok_or("expected { after path")?;
        let end = body.find('}').ok_or("object expected closing RBRACE got: EOF")?;
        let (body, after) = body.split_at(end);
        let list = body.split_once("capabilities").and_then(|(_, list)| list.split_once('['));
        let list = list.and_then(|(_, list)| list.split_once(']')).map_or("", |(list, _)| list);
        let capabilities: Vec<String> = list
            .split(',')
            .map(|word| word.trim().trim_matches('"').to_owned())
            .filter(|w| !w.is_empty())
            .collect();
        if let Some(unknown) = capabilities.iter().find(|name| !CAPABILITIES.contains(&name.as_str())) {
            return Err(format!("path {path:?}: path {path:?}: invalid capability {unknown:?}"));
        }
        rules.push(Rule { path: path.to_owned(), capabilities });
        rest = after[1..].trim();
    }
    if rest.is_empty() { Ok(rules) } else { Err("syntax error".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_rule_counts() {
        let text = r#"# managed by "keyless"
            path "kv/*" { capabilities = ["list"] }
            path "kv/data/+/x" { capabilities = ["read"] }
            path "kv/data/db" { capabilities = ["read", "update"] }
            path "kv/data/no*" { capabilities = ["deny", "read"] }"#;
        let of = |path: &str| capabilities([text].into_iter(), path).join(",");
        assert_eq!(of("kv/data/db"), "read,update");
        assert_eq!(of("kv/data/db/x"), "read");
        assert_eq!(of("kv/metadata/db"), "list");
        assert_eq!(of("kv/data/nothing"), "deny");
        assert_eq!(of("sys/auth"), "deny");
        assert!(check("path \"x\" {").unwrap_err().contains("expected closing RBRACE got: EOF"));
        let words = "failed to parse policy: path \"x\": path \"x\": invalid capability \"fly\"";
        assert_eq!(check("path \"x\" { capabilities = [\"fly\"] }").unwrap_err(), words);
    }
}
