//! Whether strangers get what was written: status, bytes, content type, cache time.

use std::time::Duration;

use crate::{
    error::{Error, Result},
    http::Http,
    oidc::{DISCOVERY_PATH, Document, Issuer, KeySet},
    relying_party::{Fetched, Finding, Outcome, Site, fetch_both, judge_discovery, judge_jwks},
    report::Warning,
};

/// How long a change may take until strangers see it, before that is an error. Stores are quick; a web
/// server or a new bucket's name may take some seconds.
const PATIENCE: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Reads both documents over their public URL until they are as written, or patience ends. `seen` is a first
/// look that was taken already; `keys` is the set that was written.
pub(super) async fn read_back(
    http: &Http,
    site: &Site<'_>,
    wanted: [&Document; 2],
    keys: &KeySet,
    seen: Option<(Fetched, Fetched)>,
) -> Result<Option<Warning>> {
    let patient = seen.is_none();
    let mut fetched = match seen {
        Some(seen) => seen,
        None => fetch_both(http, site.issuer).await,
    };
    for pause in PATIENCE {
        let settled = if patient {
            is_as_written(&fetched, wanted)
        } else {
            judge(site, wanted, keys, &fetched).is_ok()
        };
        if settled {
            break;
        }
        tokio::time::sleep(pause).await;
        fetched = fetch_both(http, site.issuer).await;
    }
    judge(site, wanted, keys, &fetched)
}

/// Whether both answers carry exactly what was written.
fn is_as_written(fetched: &(Fetched, Fetched), wanted: [&Document; 2]) -> bool {
    wanted.into_iter().all(|document| {
        let answer = &of(fetched, document).answer;
        answer.as_ref().is_ok_and(|answer| answer.status == 200 && answer.body == document.body)
    })
}

fn of<'a>(fetched: &'a (Fetched, Fetched), document: &Document) -> &'a Fetched {
    if document.path == DISCOVERY_PATH { &fetched.0 } else { &fetched.1 }
}

fn judge(
    site: &Site<'_>,
    wanted: [&Document; 2],
    keys: &KeySet,
    fetched: &(Fetched, Fetched),
) -> Result<Option<Warning>> {
    // The checks of a stranger: one failed check, and what was published is of no use.
    let (mut findings, discovery) = judge_discovery(site, &fetched.0);
    let mut public = None;
    if let Some(discovery) = &discovery {
        let (more, found) = judge_jwks(site, discovery, &fetched.1);
        findings.extend(more);
        public = found;
    }
    let failed: Vec<_> = findings.iter().filter(|finding| finding.is_failed()).collect();
    if !failed.is_empty() {
        return Err(refused(site.issuer, &failed));
    }
    let mut warning = None;
    for document in wanted {
        let fetched = of(fetched, document);
        let Ok(answer) = &fetched.answer else { continue };
        if answer.body == document.body {
            continue;
        }
        // Keys are only added, so a former document holds some of ours and no other. A cache may show it for
        // as long as its header allowed.
        if public.as_ref().is_some_and(|public| keys.contains_all(public)) {
            let age = answer.header(http::header::AGE).unwrap_or("unknown");
            warning = Some(Warning::new(
                "public-copy-stale",
                format!(
                    "{} still shows a former document (age {age} s): caches may keep it as long as its Cache-Control says; \
                     sign with a new key only after that",
                    fetched.url
                ),
            ));
            continue;
        }
        return Err(Error::failed(
            "read-back-differs",
            format!("{} shows strangers another document than was written", fetched.url),
        )
        .caused_by(format_args!("{} bytes instead of {}", answer.body.len(), document.body.len()))
        .hint("the URL leads to another bucket or folder, or a server in between changes the document"));
    }
    Ok(warning)
}

/// The failed checks as one error: the documents are stored, but of no use to strangers.
fn refused(issuer: &Issuer, failed: &[&Finding]) -> Error {
    let mut error =
        Error::failed("read-back-failed", format!("strangers cannot use what is published for {issuer}"));
    for finding in failed {
        if let Outcome::Failed { seen, cause, remedy } = &finding.outcome {
            error = error.caused_by(format_args!("{}: {seen} ({cause})", finding.subject)).hint(remedy);
        }
    }
    error.hints.dedup();
    error
}
