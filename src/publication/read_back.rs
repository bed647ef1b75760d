//! Whether strangers get what was written: status, bytes, content type, cache time.

use std::time::Duration;

use crate::{
    error::{Error, Result},
    http::Http,
    oidc::{DISCOVERY_PATH, Document, Issuer, KeySet},
    relying_party::{Fetched, Finding, Outcome, Site, fetch_both, judge_discovery, judge_jwks},
    report::{Report, Warning},
};

/// How long a change may take until strangers see it, before that is an error.
const PATIENCE: Duration = Duration::from_secs(4);
/// The same after a bucket was opened: Google's and AWS's access rules take effect within a minute or two.
const PATIENCE_AFTER_OPENING: Duration = Duration::from_secs(120);

/// What strangers get, compared with what was written.
#[derive(Debug)]
pub(crate) enum Seen {
    AsWritten,
    /// A former document, from a cache: worth a warning.
    Former(Warning),
    /// A later one, if the bucket now holds more keys because somebody else published in between; otherwise
    /// this error.
    Later(Error),
}

/// How a document is looked at again.
pub(crate) struct Look<'a> {
    pub(crate) http: &'a Http,
    pub(crate) site: Site<'a>,
    /// Whether the bucket was just made readable.
    pub(crate) just_opened: bool,
}

impl Look<'_> {
    /// Reads both documents over their public URL until they are as written, or patience ends. `first` is a look
    /// that was taken already, with nothing written since; `keys` is the set that was written.
    pub(crate) async fn until_as_written(
        &self,
        wanted: [&Document; 2],
        keys: &KeySet,
        first: Option<(Fetched, Fetched)>,
        report: &mut Report<'_>,
    ) -> Result<Seen> {
        let just_written = first.is_none();
        let patience = if self.just_opened { PATIENCE_AFTER_OPENING } else { PATIENCE };
        let mut fetched = match first {
            Some(first) => first,
            None => fetch_both(self.http, self.site.issuer).await,
        };
        let (mut pause, mut waited) = (Duration::from_millis(200), Duration::ZERO);
        loop {
            let seen = judge(&self.site, wanted, keys, &fetched);
            // A cache may show the former document for minutes: only just after writing is it worth a wait.
            let settled = match &seen {
                Ok(Seen::Former(_)) => !just_written,
                Ok(_) => true,
                Err(_) => false,
            };
            if settled || waited >= patience {
                return seen;
            }
            if self.just_opened && waited.is_zero() {
                report.progress("waiting until strangers may read the documents (a new access rule takes up to 2 minutes)");
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_secs(5));
            fetched = fetch_both(self.http, self.site.issuer).await;
        }
    }
}

fn of<'a>(fetched: &'a (Fetched, Fetched), document: &Document) -> &'a Fetched {
    if document.path == DISCOVERY_PATH { &fetched.0 } else { &fetched.1 }
}

fn judge(
    site: &Site<'_>,
    wanted: [&Document; 2],
    keys: &KeySet,
    fetched: &(Fetched, Fetched),
) -> Result<Seen> {
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
    let mut result = Seen::AsWritten;
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
            result = Seen::Former(Warning::new(
                "public-copy-stale",
                format!(
                    "{} still shows a former document (age {age} s): caches may keep it as long as its Cache-Control says; \
                     sign with a new key only after that",
                    fetched.url
                ),
            ));
            continue;
        }
        if public.as_ref().is_some_and(|public| public.contains_all(keys)) {
            return Ok(Seen::Later(differs(&fetched.url, answer.body.len(), document)));
        }
        return Err(differs(&fetched.url, answer.body.len(), document));
    }
    Ok(result)
}

/// What strangers get is neither what was written nor a former or later form of it.
fn differs(url: &str, length: usize, document: &Document) -> Error {
    Error::failed("read-back-differs", format!("{url} shows strangers another document than was written"))
        .caused_by(format_args!("{length} bytes instead of {}", document.body.len()))
        .hint("the URL leads to another bucket or folder, or a server in between changes the document")
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
