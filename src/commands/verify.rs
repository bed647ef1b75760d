//! `keyless verify`: read everything as a relying party does, and probe the store's path to its end.
//!
//! ```text
//!  documents ─┐                      ┌─► judge documents, or uploaded keys
//!             ├─► resolve the path ┬─┤                                      ─► findings
//!  cluster ───┘                   │  └─► judge each server's token
//!                                 └────► exchange, secrets, operator
//! ```

mod each;
mod shown;

use std::{collections::BTreeMap, sync::Arc};

use self::each::{KeysAt, OfStore};
use super::{Exit, issuer, new_path::Mode};
use crate::{
    bucket,
    cli::VerifyArgs,
    cluster::{Cluster, Observed, snapshot::Estate},
    config::Settings,
    error::{Check, Error, Kind, Result},
    federation::Keys,
    http::Http,
    oidc::{Discovery, Issuer, KeySet, PublicKey, SignedIssuer},
    publication::{
        History,
        found::{Found, Readers},
        ledger::{Book, Opened, not_kept},
        live, served,
    },
    relying_party::{
        Fetched, Finding, Known, Site, StateOf, fetch, fetch_both, is_of_issuer, judge_discovery, judge_jwks,
        judge_live, judge_missing, judge_server, judge_uploaded, may_fetch, no_ledger, not_live,
    },
    report::Report,
    rotation::KeyId,
    target,
    waiting::Waiting,
};

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &VerifyArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let verdict = examine(args, settings, &http, None, now, report).await?;
    verdict.show(report);
    verdict.ended.as_ref().map_err(Clone::clone)?;
    Ok(verdict.exit())
}

/// Looks, and judges. `connected`: a cluster that was resolved already. What was established before an error is in the
/// verdict, and the error with it.
pub(super) async fn examine<'a>(
    args: &'a VerifyArgs,
    settings: &'a Settings,
    http: &'a Http,
    connected: Option<Arc<Cluster>>,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Verdict<'a>> {
    let named = issuer::named(settings, http).await?;
    let asks_cluster = settings.cluster.is_some() && !args.public_only;
    // Without an issuer, the store's way is all there is to look at.
    let names_one = settings.names_a_provider() || settings.store.name.is_some() || args.stores.are_named();
    let to_the_end = asks_cluster && (named.is_none() || names_one);
    if args.stores.are_named() && !asks_cluster {
        return Err(target::no_cluster());
    }
    // Documents lie only at an issuer that can be published. Where the keys are uploaded, there are none to read.
    let published = named.as_ref().map(SignedIssuer::publishable).transpose().map_err(Error::into_usage);
    let published = match (published, to_the_end) {
        (Ok(None), false) => return Err(issuer::missing()),
        (Err(error), false) => return Err(error),
        (published, _) => published.ok().flatten(),
    };
    let public = async {
        match &published {
            Some(issuer) => Some(fetch_both(http, issuer).await),
            None => None,
        }
    };
    let cluster = async {
        match asks_cluster {
            true => look(settings, connected, to_the_end, report).await,
            false => Ok(None),
        }
    };
    let (public, seen) = futures::join!(public, cluster);
    // What the settings are about is another cluster: whatever was seen of it says nothing.
    if let Err(error) = &seen
        && error.kind == Kind::Usage
    {
        return Err(error.clone());
    }

    let (findings, stores, not_looked_at) = Default::default();
    let issuer = String::new();
    let mut verdict =
        Verdict { settings, args, http, named, findings, stores, not_looked_at, issuer, ended: Ok(()) };
    let judged = verdict.judge(public, seen, now, report).await;
    // What has been established is shown all the same; the error ends the command after it.
    let issuer = judged.as_ref().ok().or(verdict.named.as_ref());
    verdict.issuer = issuer.map(SignedIssuer::as_str).unwrap_or_default().to_owned();
    verdict.ended = judged.map(|_| ());
    Ok(verdict)
}

/// The cluster, asked over one connection.
struct Seen {
    cluster: Arc<Cluster>,
    observed: Observed,
    /// What External Secrets Operator has, and the cluster's own ID.
    inside: Option<Result<(Estate, String)>>,
}

async fn look(
    settings: &Settings,
    connected: Option<Arc<Cluster>>,
    to_the_end: bool,
    report: &mut Report<'_>,
) -> Result<Option<Seen>> {
    let cluster = match connected {
        Some(cluster) => {
            target::answers(&cluster)?;
            cluster
        }
        None => {
            let Some(cluster) = target::resolve(settings, report).await? else { return Ok(None) };
            Arc::new(cluster)
        }
    };
    let inside = async {
        match (to_the_end, cluster.uid()) {
            (true, Ok(uid)) => Some(cluster.estate().await.map(|estate| (estate, uid.to_owned()))),
            (true, Err(error)) => Some(Err(error)),
            (false, _) => None,
        }
    };
    let waiting = Waiting::default();
    let observe = cluster.observe(&settings.audience, settings.kid_rule, &waiting);
    let both = async { futures::join!(observe, inside) };
    let (observed, inside) = waiting.tell(report, both).await;
    Ok(Some(Seen { observed: observed?, inside, cluster }))
}

/// What was found so far.
pub(super) struct Verdict<'a> {
    settings: &'a Settings,
    args: &'a VerifyArgs,
    http: &'a Http,
    named: Option<SignedIssuer>,
    findings: Vec<Finding>,
    /// Of several stores, each apart.
    stores: Vec<OfStore>,
    /// With --all, those that are left out, and why.
    not_looked_at: Vec<(String, String)>,
    /// What it was judged by; empty: it is not known.
    issuer: String,
    /// What ended it before its end.
    pub(super) ended: Result<()>,
}

impl Verdict<'_> {
    /// Judges everything that was seen, and gives back the issuer that it was judged by.
    async fn judge(
        &mut self,
        public: Option<(Fetched, Fetched)>,
        seen: Result<Option<Seen>>,
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> Result<SignedIssuer> {
        let Ok(Some(Seen { cluster, observed, inside })) = seen else {
            let published = self.named.as_ref().and_then(|named| named.publishable().ok());
            if let (Some(public), Some(issuer)) = (public, published) {
                self.judge_documents(&issuer, public).await;
            }
            seen?;
            return self.named.clone().ok_or_else(issuer::missing);
        };
        // By the clock of this moment: the end of the way may be far.
        let at = now();
        // On to the end: a token as External Secrets Operator asks for it, the provider, the secrets, the store.
        let (end, all) = match inside {
            None => ((Vec::new(), Ok(())), Vec::new()),
            Some(Err(error)) => ((Vec::new(), Err(error)), Vec::new()),
            Some(Ok(inside)) => self.ways(&cluster, &inside, now, report).await?,
        };
        let uploaded: Vec<_> = all.iter().filter(|it| it.mode != Mode::Documents).collect();
        // Without any, the documents are all there is to look at.
        let wants_documents = uploaded.is_empty() || uploaded.len() < all.len();
        let is_there = |(discovery, _): &(Fetched, Fetched)| {
            discovery.answer.as_ref().is_ok_and(|answer| answer.status == 200)
        };
        let public = match (public, wants_documents) {
            (Some(public), true) => Some(public),
            (Some(public), false) => Some(public).filter(is_there),
            (None, true) => {
                let issuer = issuer::of_documents(self.named.as_ref(), &observed)?;
                Some(fetch_both(self.http, &issuer).await)
            }
            (None, false) => None,
        };
        let audience = &self.settings.audience;
        let staged = live::from_files(self.settings)?;
        let issuer = match public {
            Some(public) => {
                let issuer = issuer::of_documents(self.named.as_ref(), &observed)?;
                let ages: Vec<_> = [&public.0, &public.1].into_iter().filter_map(served).collect();
                let published = self.judge_documents(&issuer, public).await;
                let published_keys = published.as_ref().map(|keys| (keys, Some(&ages[..])));
                let history = self.history(&cluster, &observed, issuer.signed(), published_keys, at).await?;
                let state = history.as_ref().map(|history| |key: &PublicKey| history.state(key));
                let known = Known::Published(published.as_ref());
                for server in &observed.servers {
                    self.findings.extend(judge_server(server, issuer.signed(), audience, known, at));
                }
                self.findings.extend(judge_live(
                    &observed,
                    published.as_ref(),
                    state.as_ref().map(|state| state as &StateOf<'_>),
                ));
                let missing = history.as_ref().map(History::missing).unwrap_or_default();
                self.findings.extend(judge_missing(&missing));
                let issuer = SignedIssuer::from(issuer);
                self.judge_given(&cluster, &observed, &issuer, staged.as_ref(), &uploaded, at).await?;
                issuer
            }
            None => {
                let issuer = match &self.settings.issuer {
                    Some(named) => named.clone(),
                    None => issuer::signed(&observed)?.clone(),
                };
                self.judge_given(&cluster, &observed, &issuer, staged.as_ref(), &uploaded, at).await?;
                for KeysAt { keys, .. } in uploaded {
                    let given = keys.as_ref().ok().and_then(Keys::given);
                    let known = || Known::Uploaded(given);
                    let judged =
                        observed.servers.iter().map(|it| judge_server(it, &issuer, audience, known(), at));
                    self.findings.extend(judged.flatten());
                }
                issuer
            }
        };
        self.findings.extend(end.0);
        end.1.map(|()| issuer)
    }

    /// Judges the keys that providers were given. The ledger is read where one has others than live and staged ones.
    async fn judge_given(
        &mut self,
        cluster: &Cluster,
        observed: &Observed,
        issuer: &SignedIssuer,
        staged: Option<&KeySet>,
        uploaded: &[&KeysAt],
        now: u64,
    ) -> Result<()> {
        let given = || uploaded.iter().filter_map(|it| it.keys.as_ref().ok().and_then(Keys::given));
        let history = match given().any(|keys| not_live(observed, staged, keys)) {
            false => None,
            true => {
                let mut all: Vec<PublicKey> = Vec::new();
                for key in given().flat_map(KeySet::iter) {
                    if !all.iter().any(|known| known.same_key(key) || known.kid() == key.kid()) {
                        all.push(key.clone());
                    }
                }
                let all = KeySet::new(all)?;
                self.history(cluster, observed, issuer, Some((&all, None)), now).await?
            }
        };
        let state = history.as_ref().map(|history| |key: &PublicKey| history.state(key));
        for KeysAt { provider, keys, .. } in uploaded {
            let state = state.as_ref().map(|state| state as &StateOf<'_>);
            self.findings.extend(judge_uploaded(observed, staged, provider, keys, state));
        }
        Ok(())
    }

    /// What the ledger says of these keys. Nothing is written. With the cache times of the documents that they are in;
    /// `None`: a provider was given them.
    async fn history(
        &mut self,
        cluster: &Cluster,
        observed: &Observed,
        issuer: &SignedIssuer,
        published: Option<(&KeySet, Option<&[Option<u64>]>)>,
        now: u64,
    ) -> Result<Option<History>> {
        let Some((published, ages)) = published else { return Ok(None) };
        let note = match Opened::read(Some(cluster), &self.settings.ledger).await {
            Opened::Kept(book) => {
                return self.judge_keys(book, observed, issuer, published, ages, now).map(Some);
            }
            Opened::Unreadable(note) => Some(note),
            Opened::NotKept => not_kept(&self.settings.ledger),
            Opened::NotAsked => None,
        };
        self.findings.extend(note.map(|note| no_ledger(&note.message)));
        Ok(None)
    }

    fn judge_keys(
        &mut self,
        book: Book,
        observed: &Observed,
        issuer: &SignedIssuer,
        published: &KeySet,
        ages: Option<&[Option<u64>]>,
        now: u64,
    ) -> Result<History> {
        let files = live::from_files(self.settings)?;
        let public = Some(published.iter().map(KeyId::of).collect());
        let readers = match ages {
            Some(ages) => Readers::Fetch {
                copies: published.iter().collect(),
                public,
                ages: ages.to_vec(),
                is_served: false,
            },
            None => Readers::Given { public, unread: false, lacking: BTreeMap::new() },
        };
        let found = Found {
            observed,
            files: files.as_ref(),
            stored: published.iter().collect(),
            readers,
            tokens: None,
            vouched: false,
        };
        let history = History::of(found, book, issuer.as_str(), self.settings, now);
        self.findings.extend(history.note_of_ledger().map(|note| no_ledger(&note.message)));
        Ok(history)
    }

    /// Judges both documents as a strict relying party; gives back the keys that it would verify with.
    async fn judge_documents(
        &mut self,
        issuer: &Issuer,
        (discovery, jwks): (Fetched, Fetched),
    ) -> Option<KeySet> {
        let named = discovery.answer.as_ref().ok().and_then(|answer| Discovery::parse(&answer.body, "").ok());
        let bucket_url = match named.map(|document| document.jwks_uri) {
            // Only then it matters where the bucket is read.
            Some(url) if !may_fetch(issuer, None, &url).is_ok_and(|url| is_of_issuer(issuer, None, &url)) => {
                bucket_url(self.settings, self.http).await
            }
            _ => None,
        };
        let site = Site { issuer, kid_rule: self.settings.kid_rule, bucket_url: bucket_url.as_deref() };
        let (findings, document) = judge_discovery(&site, &discovery);
        self.findings.extend(findings);
        let Some(document) = document else {
            let why = "no discovery document names it";
            self.findings.push(Finding::skipped(Check::JwksReachable, "key set", why));
            return None;
        };
        // The key set that the document names, which may be another than the one expected, or nothing that this
        // machine should ask for.
        let jwks = match may_fetch(issuer, bucket_url.as_deref(), &document.jwks_uri) {
            Ok(_) if document.jwks_uri == jwks.url => jwks,
            Ok(_) => fetch(self.http, document.jwks_uri.clone()).await,
            Err(why) => {
                let why = format!("it was not fetched from where the discovery document leads: {why}");
                self.findings.push(Finding::skipped(Check::JwksReachable, "key set", why));
                return None;
            }
        };
        let (findings, keys) = judge_jwks(&site, &document, &jwks);
        self.findings.extend(findings);
        keys
    }
}

/// Where the settings' bucket is read; whatever is wrong with it is not what is judged here.
async fn bucket_url(settings: &Settings, http: &Http) -> Option<String> {
    bucket::connect(settings.bucket.as_ref()?, http).await.ok()?.public_url()
}
