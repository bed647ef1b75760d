//! PURE. Paths of files in a container.

/// A path without `.`, `..` and doubled slashes; `None` for a relative one. In the images of Linux `/var/run` is
/// `/run`.
pub(super) fn normal(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.contains("$(") {
        return None;
    }
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/').filter(|step| !step.is_empty() && *step != ".") {
        match step {
            ".." => steps.truncate(steps.len().saturating_sub(1)),
            step => steps.push(step),
        }
    }
    if steps.starts_with(&["var", "run"]) {
        steps.remove(0);
    }
    Some(format!("/{}", steps.join("/")))
}

/// The rest of a path below a folder; empty for the folder itself.
pub(super) fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}
