//! The two public documents of an issuer.
//!
//! ```text
//!  ConfigMap ───► ledger, history ──┐
//!  API servers ─► live ─────────────┤
//!  bucket ──────► published ────────┼─► rotation::decide ─► plan ─► show ─► apply ─► read_back
//!  public https ► published (copy) ─┘        (PURE)                          │
//!                 jwks_uri (PURE)                                            ├─► ledger
//!                                                                             └─► bucket
//! ```
//!
//! `publish` and `setup` both use it: observed once, planned once, applied as shown.

mod alarms;
mod apply;
mod each;
mod facts;
pub(crate) mod found;
mod given;
mod guard;
pub(crate) mod history;
mod jwks_uri;
mod keep;
pub(crate) mod ledger;
pub(crate) mod live;
pub(crate) mod location;
mod lockout;
mod plan;
mod published;
mod read_back;
mod show;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

pub(crate) use self::{
    apply::Outcome,
    given::{Given, GivenPlan, Kept, Known},
    history::History,
    keep::served,
    lockout::Lockout,
    plan::PublicationPlan,
};
use self::{
    location::DocumentLocation,
    lockout::{foresee, hint_if_locked_out},
    published::{PublicCopy, Published, paths},
};
use crate::{
    bucket::{self, Bucket, KeylessWriter, Version},
    cluster::{Observed, OutsideTokens},
    config::Settings,
    credential_file,
    error::{Code, Error, Result},
    federation::Documents,
    http::Http,
    oidc::{KeySet, Token},
    relying_party::{Fetched, fetch_both},
    rotation::{Copies, Former, KeyId, State},
    waiting::Waiting,
    warning::Warning,
};

/// Where the documents of the settings' issuer are published.
pub(crate) struct Publication<'a> {
    settings: &'a Settings,
    http: &'a Http,
    bucket: Box<dyn Bucket>,
    /// Whether each look asks the cluster for the longest token: it takes the right to list pods.
    looks_up_tokens: bool,
    /// The bucket was asked, so there is a login that may still count.
    has_asked: AtomicBool,
    pub(crate) location: DocumentLocation,
}

/// What the user allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// To make the bucket where it is missing, and to let everyone read the documents.
    pub(crate) create: bool,
    pub(crate) former: Former,
}

/// Everything that is decided upon.
pub(crate) struct Observation {
    /// `None`: no cluster was asked.
    pub(crate) observed: Option<Observed>,
    files: Option<KeySet>,
    published: Published,
    copy: PublicCopy,
    /// What anonymous readers got for both documents.
    seen: (Fetched, Fetched),
    leftovers: Vec<(String, Version)>,
    /// What the ledger says of the keys; `None`: none is kept.
    pub(crate) history: Option<History>,
    /// Why the ledger could not be read, or that there is none where the settings name one.
    unreadable: Option<Warning>,
    /// `None`: it was not looked up.
    pub(crate) tokens: Option<OutsideTokens>,
    copies: Copies,
    /// The issuer is known to be this cluster's.
    is_own: bool,
}

impl Observation {
    /// Why the ledger could not be read, or that there is none where the settings name one.
    pub(crate) fn unreadable(&self) -> Option<&Warning> {
        self.unreadable.as_ref()
    }

    /// What is known of each key; nothing without a ledger.
    pub(super) fn states(&self) -> BTreeMap<KeyId, State> {
        self.history.as_ref().map(|history| history.judged.states.clone()).unwrap_or_default()
    }
}

impl<'a> Publication<'a> {
    /// Where the settings say. Nothing is sent yet.
    pub(crate) async fn connect(settings: &'a Settings, http: &'a Http) -> Result<Self> {
        let named = settings.bucket.as_ref().ok_or_else(|| match settings.providers.give_keys() {
            true => Error::usage(
                Code::KeysUploaded,
                "there are no documents: keyless.yaml says that the provider is given the keys, and names no bucket",
            )
            .hint("after each change of the cluster's keys, run `keyless publish`, which gives the provider the present ones")
            .hint("to publish documents as well, give --bucket s3://NAME, gs://NAME, az://ACCOUNT/CONTAINER or file:///FOLDER"),
            false => Error::usage(Code::BucketNotNamed, "no bucket is named")
                .hint("give --bucket s3://NAME, gs://NAME, az://ACCOUNT/CONTAINER or file:///FOLDER, or bucket.url in keyless.yaml"),
        })?;
        let bucket = bucket::connect(named, http).await?;
        let location = DocumentLocation::resolve(settings, bucket.as_ref())?;
        Ok(Self {
            settings,
            http,
            bucket,
            looks_up_tokens: false,
            has_asked: AtomicBool::new(false),
            location,
        })
    }

    /// How a publisher in the cluster writes the documents without a stored key, and which objects those are.
    pub(crate) fn keyless_writer(&self) -> (KeylessWriter, Documents) {
        let name = self.settings.bucket.as_ref().map(|bucket| bucket.place.name.clone());
        (self.bucket.keyless_writer(), self.location.documents_in(&name.unwrap_or_default()))
    }

    /// Each look asks the cluster for the longest token as well.
    pub(crate) fn looking_up_tokens(self, yes: bool) -> Self {
        Self { looks_up_tokens: yes, ..self }
    }

    /// Asks the cluster, the bucket and the public URL at the same time. Everything is read and parsed before
    /// anything is written.
    pub(crate) async fn observe(
        &self,
        options: &Options,
        cluster: impl Future<Output = Result<Option<Observed>>>,
        waiting: &Waiting,
    ) -> Result<Observation> {
        let files = live::from_files(self.settings)?;
        let bucket = async {
            let _wait = waiting.on(self.bucket.to_string());
            let published = Published::read(self, options.former, options.create).await?;
            let leftovers = match published.no_bucket {
                true => Vec::new(),
                false => self.bucket.leftovers(&self.location.prefix).await,
            };
            Ok((published, leftovers))
        };
        let public = async {
            let _wait = waiting.on(self.location.issuer.to_string());
            fetch_both(self.http, &self.location.issuer).await
        };
        let (observed, stored, seen) = match self.login_token() {
            None => {
                let (observed, stored, seen) = futures::join!(cluster, bucket, public);
                (observed, stored, seen)
            }
            // First what those get who judge the token.
            Some(token) => {
                let (observed, seen) = futures::join!(cluster, public);
                let locked_out = foresee(token.claims(), self.location.issuer.as_str(), &seen);
                let stored = match locked_out {
                    Some(it) if observed.is_ok() => Err(it.error(self.bucket.as_ref(), &seen.1)),
                    _ => bucket.await,
                };
                (observed, stored, seen)
            }
        };
        self.has_asked.store(true, Ordering::Relaxed);
        let observed = observed?;
        if let Some(observed) = &observed {
            live::refuse_unpublishable_signer(observed)?;
        }
        let (mut published, leftovers) =
            stored.map_err(|error| hint_if_locked_out(error, observed.as_ref(), &seen.1))?;
        let copy = PublicCopy::read(self, &seen, published.discovery.is_some(), options.former).await?;
        if published.is_empty() && copy.shows_document() && self.bucket.knows_absence() {
            // Another publisher may have written both between the two looks.
            published = Published::read(self, options.former, options.create).await?;
            if published.is_empty() && options.former != Former::Restore {
                return Err(self.leads_elsewhere(&seen.0));
            }
        }
        self.refuse_unknown_absence(&published, &copy, &seen)?;
        let published = published.with(&copy);
        Ok(Observation {
            observed,
            files,
            published,
            copy,
            seen,
            leftovers,
            history: None,
            unreadable: None,
            tokens: None,
            copies: Copies::IfOurs,
            is_own: false,
        })
    }

    /// Key set first.
    fn names(&self) -> [String; 2] {
        paths().map(|path| self.location.object(path))
    }

    fn bucket_url(&self) -> Option<String> {
        self.bucket.public_url()
    }

    /// What the URL shows does not come out of this folder.
    fn leads_elsewhere(&self, discovery: &Fetched) -> Error {
        Error::failed(
            Code::IssuerLeadsElsewhere,
            format!("{} shows a document, and there is none in {}", discovery.url, self.bucket),
        )
        .hint("the URL leads to another folder: correct --bucket or --issuer")
        .hint("if the documents were here and are gone, caches may still show them: wait for 5 minutes, or put the documents back: keyless publish --restore")
    }

    /// The cluster's own token that the bucket's login will be exchanged for. `None`: another login is used, or one that was
    /// made before is still valid; or the provider is given keys, and what is public says nothing of what it knows.
    fn login_token(&self) -> Option<Token> {
        if self.has_asked.load(Ordering::Relaxed) || self.settings.providers.give_keys() {
            return None;
        }
        let content = credential_file::content(&self.bucket.token_file()?)?;
        Token::parse(String::from_utf8(content).ok()?.trim()).ok()
    }

    /// "There is no key set" must be true before one is put there: a store may lag behind, and what anonymous
    /// readers still see may be more.
    fn refuse_unknown_absence(
        &self,
        published: &Published,
        copy: &PublicCopy,
        (_, jwks): &(Fetched, Fetched),
    ) -> Result<()> {
        if published.jwks.is_some() || self.bucket.knows_absence() || copy.shows_keys() {
            return Ok(());
        }
        let unknown = || {
            Error::failed(
                Code::PublicUnknown,
                format!(
                    "{} holds no key set, and whether anonymous readers see one at {} could not be established",
                    self.bucket, jwks.url
                ),
            )
        };
        match &jwks.answer {
            Ok(answer) if answer.shows_nothing() => Ok(()),
            Ok(answer) if answer.status == 200 => Err(unknown()
                .caused_by("it answers 200 with something that is no key set")
                .hint("the URL leads to another bucket, folder or site: correct --issuer, --bucket or --public-url")),
            Ok(answer) => Err(unknown()
                .caused_by(format_args!("it answers {}{}", answer.status, answer.redirect_target()))
                .hint("nothing was written: look at what serves this URL, then try again")),
            Err(error) => {
                let causes = error.causes.iter().fold(unknown().caused_by(&error.message), Error::caused_by);
                Err(error.hints.iter().fold(causes, Error::hint))
            }
        }
    }
}
