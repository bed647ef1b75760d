//! The publisher's own identity: it writes the documents, or gives the provider the keys, by tokens of its own ServiceAccount.
//! Where the bucket takes no such token, nothing is done at all.

use super::members::Member;
use crate::{
    bucket::KeylessWriter,
    cli::SetupArgs,
    cluster::{Observed, Reached, ServiceAccount, snapshot::Estate},
    commands::resolve::Resolved,
    config::Settings,
    error::{Code, Error, Result},
    federation::{Documents, Federation, Publishes, Workload},
    publication::Publication,
    report::{Line, Report, Tone},
    secret_store,
};

/// The ServiceAccount of the manifests in `deploy/`.
pub(crate) const ACCOUNT: &str = "keyless-system/keyless";
/// Its name in the chart, which is always the same.
const NAME_IN_CHART: &str = "keyless";
/// For which the publisher mints test tokens.
const PROBE: &str = "keyless-probe";
const PAGE: &str = "docs/cronjob.md";

/// Who publishes, and how it logs in.
pub(super) struct Publisher {
    pub(super) workload: Workload,
    /// Values of the chart.
    values: Vec<(&'static str, String)>,
    /// What a person has to do.
    by_hand: Vec<String>,
}

impl Publisher {
    /// Whether the issuer of each API server is known.
    pub(super) fn note_asked(&mut self, observed: &Observed) {
        if let Some(Publishes::Documents(documents)) = &mut self.workload.publishes {
            documents.each_was_asked = observed.failed.is_empty() && observed.reached == Reached::Each;
        }
    }

    /// `None`: the run is not about it. Refuses what cannot work before anything is changed.
    pub(super) async fn resolve(
        args: &SetupArgs,
        settings: &Settings,
        resolved: &Resolved,
        estate: &Estate,
        publication: Option<&Publication<'_>>,
        provider: &dyn Federation,
    ) -> Result<Option<Self>> {
        let decided = settings.publisher.as_ref().filter(|_| settings.publisher_is_decided);
        let Some(account) = args.publisher.as_ref().or(decided) else { return Ok(None) };
        let tests = settings.cluster.as_ref().and_then(|cluster| cluster.service_account.as_ref());
        refuse_account(account, tests)?;
        refuse_account_of_users(account, estate)?;
        let publishes = match publication.map(Publication::keyless_writer) {
            None => {
                let account = settings.undecided.of_account(resolved.provider.provider());
                refuse_undecided(settings, &Vec::from_iter(account))?;
                Publishes::Keys
            }
            Some((writer, documents)) => {
                refuse_undecided(settings, &settings.undecided.of_publisher(resolved.provider.provider()))?;
                refuse_bucket(writer, resolved.provider.provider().as_str(), settings)?;
                refuse_names(&documents)?;
                Publishes::Documents(documents)
            }
        };
        let workload = Workload::publisher(account.clone(), publishes);
        let (values, by_hand) = provider.publisher_login(&workload).await?;
        if values.is_empty() {
            return Err(takes_no_publisher(&provider.to_string()));
        }
        Ok(Some(Self { workload, values, by_hand }))
    }

    /// What is left to do, once it has its rights.
    ///
    /// `waits`: the provider does not believe the cluster's tokens before its issuer is switched.
    pub(super) fn tell(&self, settings: &Settings, waits: bool, report: &mut Report<'_>) {
        let account = &self.workload.account;
        let once = if waits { " once the issuer is switched" } else { "" };
        let what = match self.by_hand.is_empty() {
            true => format!("logs in without a stored key{once}"),
            false => format!("is admitted{once}; it also needs what a person grants it"),
        };
        report.result(Line::marked(Tone::Title, format_args!("\nThe publisher {account} {what}:")));
        for step in &self.by_hand {
            report.result(format_args!("  {step}"));
        }
        report.result(format_args!(
            "  keyless render chart-values{} --image IMAGE@sha256:DIGEST >values.yaml",
            settings.again
        ));
        let sets: Vec<_> = self.values.iter().map(|(name, value)| format!("--set {name}={value}")).collect();
        report.result(format_args!(
            "  helm install keyless deploy/chart/keyless --namespace {} --values values.yaml {}",
            account.namespace,
            sets.join(" ")
        ));
        if account.name != NAME_IN_CHART {
            report.result(format_args!(
                "  The chart's pods run as the ServiceAccount {NAME_IN_CHART}: change serviceAccountName to {} in what it renders, or give --publisher {}/{NAME_IN_CHART}",
                account.name, account.namespace
            ));
        }
        report.result(format_args!(
            "No token of it was tried: its first run shows that it can publish ({PAGE})."
        ));
    }

    /// For a program.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let values: serde_json::Map<_, _> =
            self.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        serde_json::json!({
            "serviceAccount": self.workload.account.to_string(), "values": values, "byHand": self.by_hand,
        })
    }
}

/// A file that no flag names may have come with the folder: it does not decide who writes the cluster's keys. What was granted
/// before stays.
pub(super) fn tell_undecided(args: &SetupArgs, settings: &Settings, report: &mut Report<'_>) {
    let undecided = settings.publisher.as_ref().filter(|_| !settings.publisher_is_decided);
    if let (None, Some(account)) = (&args.publisher, undecided) {
        report.progress(format_args!(
            "The publisher {account} is not looked at: --config does not name {}. Read it; if it is right, name it: --config {0}",
            settings.file.display()
        ));
    }
}

/// Others have tokens of these, or mint them with any audience.
fn refuse_account(account: &ServiceAccount, tests: Option<&ServiceAccount>) -> Result<()> {
    let why = match account.name.as_str() {
        _ if tests == Some(account) => "test tokens are minted for it, with any audience",
        PROBE => "the publisher itself mints tokens for it, with any audience",
        "default" => "every pod of its namespace that names no other has tokens of it",
        _ => return Ok(()),
    };
    Err(Error::usage(
        Code::PublisherAccount,
        format!("the publisher cannot log in with the ServiceAccount {account}: {why}"),
    )
    .hint(format!("give it one of its own, as the manifests do: --publisher {ACCOUNT}"))
    .hint("nothing was changed"))
}

/// What a store reads is not the publisher's, and the other way round: for no store of a run, whether or not the run is about
/// the publisher.
pub(super) fn refuse_accounts_of(members: &[Member], args: &SetupArgs, settings: &Settings) -> Result<()> {
    for account in args.publisher.iter().chain(&settings.publisher) {
        if let Some(member) = members.iter().find(|member| member.account == *account) {
            return Err(used_by(account, &member.shown));
        }
    }
    Ok(())
}

fn refuse_account_of_users(account: &ServiceAccount, estate: &Estate) -> Result<()> {
    let users = secret_store::other_users(estate, account, |_| false).unwrap_or_default();
    users.first().map_or(Ok(()), |user| Err(used_by(account, user)))
}

fn used_by(account: &ServiceAccount, user: &str) -> Error {
    Error::usage(
        Code::PublisherAccount,
        format!("the publisher cannot log in with the ServiceAccount {account}: {user} does"),
    )
    .caused_by(
        "the publisher could then read its secrets, and who uses the store could replace the cluster's keys",
    )
    .hint(format!("give it one of its own, as the manifests do: --publisher {ACCOUNT}"))
    .hint("nothing was changed")
}

/// Setup grants the publisher its rights together with a store.
pub(super) fn without_store(account: &ServiceAccount) -> Error {
    Error::usage(
        Code::PublisherNoStore,
        format!("the publisher {account} is given its rights together with a store, and this run has none to set up"),
    )
    .hint(format!("name a store: keyless setup --store NAME --publisher {account}"))
    .hint("nothing was changed")
}

/// A file that may have come with the folder does not decide who writes what.
fn refuse_undecided(settings: &Settings, undecided: &[String]) -> Result<()> {
    if undecided.is_empty() {
        return Ok(());
    }
    let file = settings.file.display();
    Err(Error::usage(
        Code::PublisherUndecided,
        format!("the publisher is granted nothing: {file} alone says {}", undecided.join(", ")),
    )
    .caused_by(
        "--config does not name the file: it was found in the current folder, where anyone may have put it, and the \
         publisher would get its right where it says",
    )
    .hint(format!("read it; if it is right, name it: --config {file}"))
    .hint("nothing was changed"))
}

/// `provider`: that of the run.
fn refuse_bucket(writer: KeylessWriter, provider: &str, settings: &Settings) -> Result<()> {
    let bucket =
        settings.bucket.as_ref().map(|bucket| format!("{}://{}", bucket.kind.scheme, bucket.place.name));
    let bucket = bucket.unwrap_or_default();
    match writer {
        KeylessWriter::Through(through) if through == provider => Ok(()),
        KeylessWriter::Through(through) => Err(Error::usage(
            Code::PublisherProvider,
            format!("{bucket} believes the publisher through the provider {through}, and this run is about {provider}"),
        )
        .hint(format!("run setup with --publisher for a store at {through}, with a settings file of its own: --config FILE"))
        .hint(format!("or grant it by hand: {PAGE}, Prepare; then leave --publisher and cluster.publisher out"))
        .hint("nothing was changed")),
        KeylessWriter::ByHand(how) => Err(Error::usage(
            Code::PublisherByHand,
            format!("the publisher can write {bucket} without a stored key, but setup does not set that up yet"),
        )
        .hint(format!("do it by hand: {how} ({PAGE}, Prepare); then leave --publisher and cluster.publisher out"))
        .hint("nothing was changed")),
        KeylessWriter::StoredKey => Err(Error::usage(
            Code::PublisherStoredKey,
            format!("{bucket} takes stored keys only: no publisher can log in to it by a token of the cluster"),
        )
        .hint("take a bucket that can: --bucket gs://NAME or s3://NAME at AWS; the issuer moves with it")
        .hint("or give Google the keys and name no bucket: google.mode: uploaded")
        .hint("or put a key for this one bucket into a Secret of the publisher's namespace: `keyless audit` counts it from then on")
        .hint("nothing was changed")),
        KeylessWriter::NoLogin => Err(Error::usage(
            Code::PublisherByHand,
            format!("{bucket} is a folder, and has no login"),
        )
        .hint(format!("mount the folder into the publisher's pods ({PAGE}); then leave --publisher and cluster.publisher out"))
        .hint("nothing was changed")),
    }
}

/// Characters that policies and conditions give a meaning are not written into them.
fn refuse_names(documents: &Documents) -> Result<()> {
    let is_plain = |name: &str, more: &[u8]| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let Documents { bucket, objects, .. } = documents;
    let (odd, what) = match objects.iter().find(|object| !is_plain(object, b"-_.~/")) {
        // What names the bucket begins what names its objects.
        None if !is_plain(bucket, b"-_.") => (bucket, "bucket"),
        None => return Ok(()),
        Some(object) => (object, "object"),
    };
    Err(Error::usage(
        Code::PublisherObject,
        format!(
            "no right can be granted on the {what} {}: its name has other than plain characters",
            odd.escape_debug()
        ),
    )
    .hint("take a bucket, and a prefix of letters, digits and -_.~, in --bucket")
    .hint("nothing was changed"))
}

fn takes_no_publisher(provider: &str) -> Error {
    Error::usage(Code::PublisherProvider, format!("{provider} takes no token of the publisher here"))
        .hint("run `keyless publish` as a person after each rotation, or let it fetch public documents: keyless setup --bucket")
        .hint("leave --publisher and cluster.publisher out; nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_get_into_no_policy() {
        let documents = |bucket: &str, object: &str| Documents {
            bucket: bucket.into(),
            objects: vec![object.into()],
            are_at_issuer: true,
            each_was_asked: true,
        };
        assert!(
            refuse_names(&documents("acme-oidc_1.x", "prod/~a/.well-known/openid-configuration")).is_ok()
        );
        for (bucket, object) in [
            ("acme*", "jwks"),
            ("acme?", "jwks"),
            ("acme/other", "jwks"),
            ("ac\"me", "jwks"),
            ("${aws:username}", "jwks"),
            ("", "jwks"),
            ("acme", "jw*ks"),
            ("acme", "jw?ks"),
            ("acme", "a\" || true || \""),
            ("acme", "${x}"),
            ("acme", "a b"),
            ("acme", ""),
        ] {
            let error = refuse_names(&documents(bucket, object)).unwrap_err();
            assert_eq!(error.code, Code::PublisherObject, "{bucket} {object}");
        }
    }
}
