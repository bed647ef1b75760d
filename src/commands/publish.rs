//! `keyless publish`: bring the public documents up to date with the cluster's keys.

use std::time::Duration;

use serde_json::{Value, json};

use super::Exit;
use crate::{
    bucket::{self, Bucket, Condition, WriteError},
    cli::PublishArgs,
    cluster::{ApiServer, Observed},
    config::Settings,
    error::{Error, Result},
    http::Http,
    oidc::{DISCOVERY_PATH, Document, JWKS_PATH, PublicKey},
    publication::{
        live,
        location::DocumentLocation,
        read_back::{Look, Seen},
        stored::{StoredDocuments, write},
    },
    relying_party::{Fetched, Site, fetch_both, warn_of_unread},
    report::{Report, Warning},
    rotation::{Decision, Standing, decide},
    target,
};

/// How often another writer may come in between before this one gives up.
const ATTEMPTS: u32 = 20;

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &PublishArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let bucket_settings = settings.bucket.as_ref().ok_or_else(|| {
        Error::usage("bucket-url", "no bucket is named")
            .hint("give --bucket s3://NAME, gs://NAME or file:///FOLDER, or bucket.url in keyless.yaml")
    })?;
    let cluster = target::resolve(settings, report).await?;
    let bucket = bucket::connect(bucket_settings, &http).await?;
    let bucket = bucket.as_ref();
    let place = DocumentLocation::resolve(settings, bucket.public_url().as_deref())?;

    // Observe: everything is read and parsed before the first write, all at the same time.
    let files = live::from_files(settings)?;
    let (observed, stored, seen) = futures::join!(
        live::observe(cluster.as_ref(), settings),
        StoredDocuments::read(bucket, &place, settings.kid_rule),
        fetch_both(&http, &place.issuer)
    );
    let observed = observed?;
    if let Some(observed) = &observed {
        live::refuse_unpublishable_signer(observed)?;
    }
    let live = observed.as_ref().map(Observed::live).transpose()?;
    let missing = matches!(&stored, Err(error) if error.code == "bucket-missing");
    let mut stored = match stored {
        Err(_) if args.create && missing => StoredDocuments::none(),
        Err(error) => return Err(hint_if_locked_out(error, observed.as_ref(), &seen.1)),
        Ok(stored) => stored,
    };
    let decide = |stored: &StoredDocuments| {
        decide(live.as_ref(), files.as_ref(), stored.keys.as_ref(), args.same_cluster)
    };
    let mut result = Published {
        decision: decide(&stored)?,
        warnings: observed.as_ref().map(|all| live::warnings(all, &place.issuer, now())).unwrap_or_default(),
        place: &place,
        bucket,
        observed: observed.as_ref(),
        written: Vec::new(),
        told: 0,
        makes_bucket: missing && args.dry_run,
        dry_run: args.dry_run,
    };

    let is_new =
        |key: &&PublicKey| matches!(result.decision.standing(key), Standing::Added | Standing::Staged);
    let unread = warn_of_unread(result.decision.keys.iter().filter(is_new));
    result.warnings.extend(unread);
    // Before anything is written.
    result.tell(report);

    let mut look = Look {
        http: &http,
        site: Site { issuer: &place.issuer, kid_rule: settings.kid_rule },
        just_opened: false,
    };
    if args.create && !args.dry_run {
        let done = bucket.open(&[place.object(JWKS_PATH), place.object(DISCOVERY_PATH)]).await?;
        if !done.is_empty() {
            stored = StoredDocuments::read(bucket, &place, settings.kid_rule).await?;
            look.just_opened = true;
        }
        done.iter().for_each(|line| report.progress(line));
    }
    let mut seen = Some(seen);
    for attempt in 0..ATTEMPTS {
        // Decide.
        let keys = decide(&stored)?.keys;
        let documents = [Document::jwks(&keys), Document::discovery(&place.issuer, &keys)];
        let wanted = [&documents[0], &documents[1]];
        let pending = stored.pending(wanted);

        if args.dry_run && !pending.is_empty() {
            result.written = pending.iter().map(|document| document.path).collect();
            result.show(report);
            return Ok(Exit::Found);
        }
        if pending.is_empty() {
            let seen = seen.take().filter(|_| result.written.is_empty());
            report.detail("looking at the public documents without credentials");
            match look.until_as_written(wanted, &keys, seen, report).await? {
                Seen::Later(error) => {
                    let before = stored;
                    stored = StoredDocuments::read(bucket, &place, settings.kid_rule).await?;
                    if stored.keys == before.keys {
                        return Err(error);
                    }
                    continue;
                }
                Seen::Former(warning) => result.warnings.push(warning),
                Seen::AsWritten => {}
            }
            result.show(report);
            return Ok(Exit::Clean);
        }
        // Act: the key set first, so that a document never promises keys that are not there.
        for document in pending {
            report.detail(format_args!("writing {bucket}/{}", place.object(document.path)));
            match write(bucket, &place, document, stored.of(document)).await {
                Ok(condition) => {
                    result.written.push(document.path);
                    result.note(condition);
                }
                Err(WriteError::Conflict(said)) => {
                    report.detail(format_args!("somebody else wrote in between ({said}): reading again"));
                    tokio::time::sleep(Duration::from_millis(20 * u64::from(attempt))).await;
                    break;
                }
                Err(WriteError::Other(error)) => return Err(error),
            }
        }
        // Whatever was written: what counts is what is there now, and whether it holds all that it must.
        stored = StoredDocuments::read(bucket, &place, settings.kid_rule).await?;
    }
    Err(Error::failed(
        "bucket-contended",
        format!("{bucket} changed {ATTEMPTS} times while it was being written"),
    )
    .hint("more than one publisher is at work all the time; keep one"))
}

/// A publisher that logs in to its store through the issuer that it publishes is locked out once the cluster
/// signs with a key that is not public. Then only somebody else's login can publish that key.
fn hint_if_locked_out(error: Error, observed: Option<&Observed>, jwks: &Fetched) -> Error {
    let Some(observed) = observed.filter(|_| error.code == "bucket-credentials") else { return error };
    let public = jwks.answer.as_ref().map(|answer| String::from_utf8_lossy(&answer.body)).unwrap_or_default();
    let signers = observed.servers.iter().filter_map(|server| server.token.claims().kid.as_deref());
    match signers.into_iter().find(|kid| !public.contains(kid)) {
        Some(kid) => error.hint(format!(
            "the cluster signs with {kid}, which is not public: a publisher that logs in with the cluster's own tokens is locked \
             out. Run `keyless publish` once with a person's login, or sign with the former key until the new one is public"
        )),
        None => error,
    }
}

/// What came of it, to be shown.
struct Published<'a> {
    place: &'a DocumentLocation,
    bucket: &'a dyn Bucket,
    observed: Option<&'a Observed>,
    decision: Decision,
    /// Paths of the documents that were written, or would be.
    written: Vec<&'static str>,
    warnings: Vec<Warning>,
    /// How many of the warnings have been told.
    told: usize,
    /// Would make it: there is none yet.
    makes_bucket: bool,
    dry_run: bool,
}

impl Published<'_> {
    /// Says once if the store does not check conditions.
    fn note(&mut self, condition: Condition) {
        let warning = match condition {
            Condition::Kept | Condition::Unknown => return,
            Condition::Ignored => Warning::new(
                "conditions-ignored",
                format!("{} ignores conditional writes: let only one publisher write to it", self.bucket),
            ),
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn tell(&mut self, report: &mut Report<'_>) {
        self.warnings[self.told..].iter().for_each(|warning| report.warning(warning));
        self.told = self.warnings.len();
    }

    fn show(&mut self, report: &mut Report<'_>) {
        self.written.dedup();
        self.tell(report);
        report.json("publish", self.to_json());
        let count = self.decision.keys.len();
        let keys = format!("{count} {}", if count == 1 { "key" } else { "keys" });
        let issuer = &self.place.issuer;
        let from = match self.observed.map(|observed| observed.servers.len()) {
            Some(1) => "1 API server".to_owned(),
            Some(count) => format!("{count} API servers"),
            None => "files only".to_owned(),
        };
        if self.written.is_empty() {
            report.line(format_args!("unchanged: {keys} at {issuer} ({from})"));
            return;
        }
        for key in self.decision.keys.iter() {
            let standing = self.decision.standing(key);
            let mark = if matches!(standing, Standing::Added | Standing::Staged) { '+' } else { ' ' };
            let served = self
                .observed
                .map(|all| format!(", served by {} of {}", all.serving(key), all.servers.len()))
                .unwrap_or_default();
            let (algorithm, kind) = (key.algorithm().name(), key.describe());
            report.line(format_args!(
                "{mark} {}  {algorithm} {kind}  {}{served}",
                key.kid(),
                standing.name()
            ));
        }
        if self.makes_bucket {
            report.line(format_args!(
                "would make {}, and let everyone read exactly the two documents in it",
                self.bucket
            ));
        }
        for path in &self.written {
            let verb = if self.dry_run { "would write" } else { "wrote" };
            report.line(format_args!("{verb} {}/{}", self.bucket, self.place.object(path)));
        }
        if self.dry_run {
            report.line(format_args!(
                "pending: {} to add, {keys} in all at {issuer} ({from})",
                self.decision.added()
            ));
        } else {
            report
                .line(format_args!("published: {keys} at {issuer} ({from}); read back without credentials"));
        }
    }

    fn to_json(&self) -> Value {
        let servers = self.observed.map(|observed| {
            let server = |server: &ApiServer| {
                json!({
                    "address": server.address,
                    "keys": server.keys.iter().map(PublicKey::kid).collect::<Vec<_>>(),
                    "signsWith": server.token.claims().kid,
                    "signsAs": server.token.claims().issuer.as_str(),
                })
            };
            observed.servers.iter().map(server).collect::<Vec<_>>()
        });
        let key = |key: &PublicKey| {
            json!({
                "kid": key.kid(),
                "algorithm": key.algorithm().name(),
                "kind": key.describe(),
                "standing": self.decision.standing(key).name(),
                "servedBy": self.observed.map(|observed| observed.serving(key)),
            })
        };
        json!({
            "issuer": self.place.issuer.as_str(),
            "bucket": self.bucket.to_string(),
            "changed": !self.written.is_empty(),
            "makesBucket": self.makes_bucket,
            "dryRun": self.dry_run,
            "documents": self.written,
            "servers": servers,
            "keys": self.decision.keys.iter().map(key).collect::<Vec<_>>(),
            "warnings": self.warnings.iter().map(Warning::to_json).collect::<Vec<_>>(),
        })
    }
}
