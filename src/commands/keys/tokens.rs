//! PURE. How long tokens live that are used outside the cluster, and how that is known.

use serde_json::{Value, json};

use crate::{cluster::OutsideTokens, rfc3339::rfc3339};

/// What the ledger holds of the longest token: seconds, what asks for it, until when something did.
pub(super) type Recorded<'a> = Option<(u64, Option<&'a str>, Option<u64>)>;

/// `longest`: what is waited for, in seconds.
pub(super) fn line(longest: u64, tokens: Option<&OutsideTokens>, recorded: Recorded<'_>) -> String {
    let unseen = tokens.map(|tokens| tokens.unseen.join("; ")).unwrap_or_default();
    let found = tokens.and_then(|tokens| tokens.longest.as_ref());
    let why = match found {
        Some((seconds, by)) if *seconds == longest => format!(" ({by} asks for it)"),
        Some((seconds, by)) if *seconds > longest => {
            format!(" ({by} asks for {seconds} s; more than cluster.maxTokenSeconds does not count)")
        }
        _ if let Some((seconds, Some(by), until)) = recorded
            && seconds == longest =>
        {
            let by = by.escape_debug();
            match until {
                Some(until) => {
                    let falls = rfc3339(until.saturating_add(seconds));
                    format!(" ({by} asked for it until {}; it counts until {falls})", rfc3339(until))
                }
                None => format!(
                    " ({by} asked for it when it was recorded; `keyless publish --look-up-tokens` records what is asked for now)"
                ),
            }
        }
        Some((seconds, by)) => format!(" (set, recorded or assumed; {by} asks for {seconds} s)"),
        None => " (set, recorded or assumed)".to_owned(),
    };
    let unseen = match unseen.is_empty() {
        true => String::new(),
        false => format!("; what else asks for tokens could not be looked up: {unseen}"),
    };
    format!("longest token outside the cluster: {longest} s{why}{unseen}")
}

pub(super) fn to_json(longest: u64, tokens: Option<&OutsideTokens>, recorded: Recorded<'_>) -> Value {
    let found = tokens.and_then(|tokens| tokens.longest.as_ref());
    json!({
        "seconds": longest,
        "found": found.map(|(seconds, _)| seconds),
        "askedForBy": found.map(|(_, by)| by),
        "recorded": recorded.map(|(seconds, by, until)| json!({
            "seconds": seconds,
            "askedForBy": by,
            "until": until.map(rfc3339),
        })),
        "notLookedUp": tokens.map(|tokens| &tokens.unseen),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_names_what_is_known() {
        let of = |longest: Option<u64>, unseen: &[&str]| OutsideTokens {
            longest: longest.map(|seconds| (seconds, "Pod a/b".to_owned())),
            unseen: unseen.iter().map(|&unseen| unseen.to_owned()).collect(),
        };
        for (tokens, expected) in [
            (of(Some(200), &[]), "200 s (Pod a/b asks for it)"),
            (of(Some(100), &[]), "200 s (set, recorded or assumed; Pod a/b asks for 100 s)"),
            (of(None, &[]), "200 s (set, recorded or assumed)"),
            (
                of(None, &["pods: forbidden"]),
                "200 s (set, recorded or assumed); what else asks for tokens could not be looked up: pods: forbidden",
            ),
        ] {
            assert_eq!(
                line(200, Some(&tokens), None),
                format!("longest token outside the cluster: {expected}")
            );
        }
    }
}
