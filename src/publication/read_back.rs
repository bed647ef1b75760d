//! Whether anonymous readers get what was written: status, bytes, content type, cache time.

use std::time::Duration;

use crate::{
    error::{Code, Error, Result},
    http::{Answer, Http},
    oidc::{DISCOVERY_PATH, Document, Issuer, KeySet, PublicKey},
    redact,
    relying_party::{Fetched, Finding, Outcome, Site, fetch_both, judge_discovery, judge_jwks},
    report::Report,
    retry::{Attempts, Backoff},
    waiting::Waiting,
    warning::Warning,
};

/// How long a change may take until anonymous readers see it, before that is an error.
const PATIENCE: Duration = Duration::from_secs(4);
/// The same after a bucket was opened: Google's and AWS's access rules take effect within a minute or two.
const PATIENCE_AFTER_OPENING: Duration = Duration::from_secs(120);

/// What anonymous readers get, compared with what was written.
#[derive(Debug)]
pub(super) enum Seen {
    AsWritten,
    /// A former document, from a cache: worth a note.
    Former(Warning),
    /// A later one, if the bucket now holds more keys because another publisher wrote in between; otherwise
    /// this error.
    Later(Error),
}

/// How a document is looked at again.
pub(super) struct Look<'a> {
    pub(super) http: &'a Http,
    pub(super) site: Site<'a>,
    /// Whether the bucket was just made readable.
    pub(super) just_opened: bool,
}

/// How long it makes sense to wait for another answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hope {
    /// Waiting changes nothing.
    None,
    /// A store that lags, a cache, a server that fails for a moment.
    Soon,
    /// A new access rule.
    Access,
}

impl Look<'_> {
    /// Reads both documents over their public URL until they are as written, or patience ends. `first` is a look
    /// that was taken already, with nothing written since; `keys` is the set that was written.
    pub(super) async fn until_as_written(
        &self,
        wanted: [&Document; 2],
        keys: &KeySet,
        leaving: &[PublicKey],
        first: Option<(Fetched, Fetched)>,
        report: &mut Report<'_>,
    ) -> Result<Seen> {
        let just_written = first.is_none();
        let mut fetched = match first {
            Some(first) => first,
            None => self.fetch(report).await,
        };
        // When to end is decided by what is seen.
        let backoff =
            Backoff::poll(Duration::from_millis(200), Duration::from_secs(5), PATIENCE_AFTER_OPENING);
        let (mut attempts, mut waited) = (Attempts::begin(backoff), false);
        loop {
            let seen = judge(&self.site, wanted, keys, leaving, &fetched);
            let patience = match (&seen, hope(&fetched)) {
                // A cache may show the former document for minutes: only just after writing is it worth a wait.
                (Ok(Seen::Former(_)), _) if just_written => PATIENCE,
                (Ok(_), _) | (Err(_), Hope::None) => return seen,
                (Err(_), Hope::Access) if self.just_opened => PATIENCE_AFTER_OPENING,
                (Err(_), _) => PATIENCE,
            };
            // A look can take long by itself.
            if attempts.elapsed() >= patience {
                return seen;
            }
            if self.just_opened && !waited {
                report.progress(
                    "waiting until everyone may read the documents (a new access rule takes up to 2 minutes)",
                );
            }
            attempts.pause(None).await;
            waited = true;
            fetched = self.fetch(report).await;
        }
    }

    async fn fetch(&self, report: &mut Report<'_>) -> (Fetched, Fetched) {
        let waiting = Waiting::default();
        let fetch = async {
            let _wait = waiting.on(self.site.issuer.to_string());
            fetch_both(self.http, self.site.issuer).await
        };
        waiting.tell(report, fetch).await
    }

    /// Before anything is opened: whether anonymous readers get both documents already. Refuses to go on where the
    /// issuer leads to something else, or where that could not be seen.
    pub(super) async fn is_open_already(
        &self,
        wanted: [&Document; 2],
        keys: &KeySet,
        leaving: &[PublicKey],
        report: &mut Report<'_>,
    ) -> Result<bool> {
        let fetched = self.fetch(report).await;
        let mut open = true;
        for document in wanted {
            let fetched = of(&fetched, document);
            match &fetched.answer {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) if answer.shows_nothing() => open = false,
                Ok(answer) => {
                    return Err(not_opened(
                        fetched,
                        format!("it answers {}{}{}", answer.status, answer.redirect_target(), reason(answer)),
                    ));
                }
                Err(error) => {
                    let why = error
                        .causes
                        .iter()
                        .fold(error.message.clone(), |all, cause| format!("{all}: {cause}"));
                    return Err(not_opened(fetched, why));
                }
            }
        }
        if !open {
            return Ok(false);
        }
        judge(&self.site, wanted, keys, leaving, &fetched).map(|_| true)
    }
}

fn not_opened(fetched: &Fetched, why: String) -> Error {
    Error::failed(
        Code::IssuerLeadsElsewhere,
        format!("the documents are written, and nothing was opened: {} does not lead to them", fetched.url),
    )
    .caused_by(why)
    .hint("correct --issuer, --public-url or --region, or what serves this URL, then publish again")
}

fn of<'a>(fetched: &'a (Fetched, Fetched), document: &Document) -> &'a Fetched {
    if document.path == DISCOVERY_PATH { &fetched.0 } else { &fetched.1 }
}

/// What waiting for both documents can bring: no more than the worse of the two allows.
fn hope(fetched: &(Fetched, Fetched)) -> Hope {
    let one = |fetched: &Fetched| match fetched.answer.as_ref().map(|answer| answer.status) {
        Ok(401 | 403) => Hope::Access,
        // Such as 400 for an object that is encrypted with a key of its owner's, or a redirect.
        Ok(404 | 408 | 410 | 425 | 429 | 200 | 500..) => Hope::Soon,
        Ok(_) => Hope::None,
        // It was waited for long enough.
        Err(error) if error.code == Code::Timeout => Hope::None,
        Err(_) => Hope::Soon,
    };
    let fine = |fetched: &Fetched| matches!(&fetched.answer, Ok(answer) if answer.status == 200);
    match (fine(&fetched.0), fine(&fetched.1)) {
        (true, false) => one(&fetched.1),
        (false, true) => one(&fetched.0),
        _ => one(&fetched.0).min(one(&fetched.1)),
    }
}

/// `keys` are those of the key set that was written, `leaving` those that were taken out of it.
fn judge(
    site: &Site<'_>,
    wanted: [&Document; 2],
    keys: &KeySet,
    leaving: &[PublicKey],
    fetched: &(Fetched, Fetched),
) -> Result<Seen> {
    // The checks of a relying party: one failed check, and what was published is of no use.
    let (mut findings, discovery) = judge_discovery(site, &fetched.0);
    let mut public = None;
    if let Some(discovery) = &discovery {
        let (more, found) = judge_jwks(site, discovery, &fetched.1);
        findings.extend(more);
        public = found;
    }
    let failed: Vec<_> = findings.iter().filter(|finding| finding.is_failed()).collect();
    if !failed.is_empty() {
        return Err(refused(site.issuer, &failed, fetched));
    }
    let mut result = Seen::AsWritten;
    for document in wanted {
        let fetched = of(fetched, document);
        let Ok(answer) = &fetched.answer else { continue };
        if answer.body == document.body {
            continue;
        }
        // A former document holds some of ours, those that leave, and no other. A cache may show it for as long as its
        // header allowed.
        let is_known = |key: &PublicKey| {
            keys.get(key.kid()).is_some_and(|known| known.same_key(key))
                || leaving.iter().any(|known| known.same_key(key))
        };
        if public.as_ref().is_some_and(|public| public.iter().all(is_known)) {
            let age = answer.header(http::header::AGE).unwrap_or("unknown");
            result = Seen::Former(Warning {
                code: Code::PublicCopyStale,
                message: format!(
                    "{} still shows a former document (age {age} s): caches may keep it as long as its Cache-Control says; \
                     sign with a new key only after that",
                    fetched.url
                ),
            });
            continue;
        }
        if public.as_ref().is_some_and(|public| public.contains_all(keys)) {
            return Ok(Seen::Later(differs(&fetched.url, answer.body.len(), document)));
        }
        return Err(differs(&fetched.url, answer.body.len(), document));
    }
    Ok(result)
}

/// What anonymous readers get is neither what was written nor a former or later form of it.
fn differs(url: &str, length: usize, document: &Document) -> Error {
    Error::failed(Code::ReadBackDiffers, format!("{url} shows another document than was written"))
        .caused_by(format_args!("{length} bytes instead of {}", document.body.len()))
        .hint("the URL leads to another bucket or folder, or a server in between changes the document")
}

/// The failed checks as one error: the documents are stored, but of no use to relying parties.
fn refused(issuer: &Issuer, failed: &[&Finding], fetched: &(Fetched, Fetched)) -> Error {
    let mut error = Error::failed(
        Code::ReadBackFailed,
        format!("relying parties cannot use what is published for {issuer}"),
    );
    for finding in failed {
        if let Outcome::Failed { seen, cause, remedy } = &finding.outcome {
            error = error.caused_by(format_args!("{}: {seen} ({cause})", finding.subject)).hint(remedy);
        }
    }
    for fetched in [&fetched.0, &fetched.1] {
        let reason = fetched.answer.as_ref().map(reason).unwrap_or_default();
        if !reason.is_empty() {
            error = error.caused_by(format_args!("{} says{reason}", fetched.url));
        }
        if matches!(&fetched.answer, Ok(answer) if reads_as_encrypted(answer)) {
            error = error.hint(
                "if the bucket encrypts with SSE-KMS, it cannot be read without credentials: let it encrypt with SSE-S3 (AES256), remove both documents, and publish again",
            );
        }
    }
    error.hints.dedup();
    error.causes.dedup();
    error
}

/// What a store says in its error document (Amazon S3 API Reference, "Error responses"), in brackets or nothing.
fn reason(answer: &Answer) -> String {
    if answer.status < 400 {
        return String::new();
    }
    let body = String::from_utf8_lossy(&answer.body);
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    let word = |code: &String| {
        (1..=64).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match element("Code").filter(word) {
        Some(code) => match element("Message").map(|message| redact::message(&message)) {
            Some(message) if !message.is_empty() => format!(" {code}: {message}"),
            _ => format!(" {code}"),
        },
        None => String::new(),
    }
}

/// `InvalidArgument`: "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature
/// Version 4."
fn reads_as_encrypted(answer: &Answer) -> bool {
    answer.status == 400 && String::from_utf8_lossy(&answer.body).contains("<Code>InvalidArgument</Code>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(status: u16, body: &str) -> Fetched {
        let answer = Answer { status, headers: http::HeaderMap::new(), body: body.as_bytes().to_vec() };
        Fetched { url: "https://a.example/x".into(), answer: Ok(answer) }
    }

    #[test]
    fn only_recoverable_answers_are_waited_for() {
        let (good, broken) =
            (200, Fetched { answer: Err(Error::failed(Code::Connect, "no")), ..fetched(0, "") });
        for (one, other, wanted) in [
            (403, 403, Hope::Access),
            (403, good, Hope::Access),
            (good, 401, Hope::Access),
            (404, 403, Hope::Soon),
            (404, 404, Hope::Soon),
            (500, good, Hope::Soon),
            (429, 503, Hope::Soon),
            (good, good, Hope::Soon),
            (400, good, Hope::None),
            (400, 403, Hope::None),
            (403, 301, Hope::None),
            (405, 404, Hope::None),
        ] {
            assert_eq!(hope(&(fetched(one, ""), fetched(other, ""))), wanted, "{one} {other}");
        }
        assert_eq!(hope(&(broken.clone(), broken.clone())), Hope::Soon);
        let silent = Fetched { answer: Err(Error::failed(Code::Timeout, "no")), ..broken.clone() };
        assert_eq!(hope(&(silent.clone(), silent.clone())), Hope::None);
        assert_eq!(hope(&(silent, broken)), Hope::None);
    }

    #[test]
    fn reason_of_a_store_is_kept() {
        let answer = |status, body: &str| fetched(status, body).answer.unwrap();
        let kms = "<Error><Code>InvalidArgument</Code><Message>Requests specifying Server Side Encryption</Message></Error>";
        assert_eq!(reason(&answer(400, kms)), " InvalidArgument: Requests specifying Server Side Encryption");
        assert!(reads_as_encrypted(&answer(400, kms)));
        assert_eq!(reason(&answer(403, "<Error><Code>AccessDenied</Code></Error>")), " AccessDenied");
        for body in
            ["", "<html>403</html>", "<Code>two words</Code>", "<Code></Code>", "<Code>\u{1b}[31m</Code>"]
        {
            assert_eq!(reason(&answer(403, body)), "", "{body:?}");
        }
        assert_eq!(reason(&answer(200, kms)), "", "an answer is not an error");
    }
}
