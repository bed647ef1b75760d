//! What is public now: as the bucket's owner sees it, and as anonymous readers do. Both count.

use super::{
    Publication,
    jwks_uri::{KeySetAt, locate},
};
use crate::{
    bucket::{Expected, Leads, Stored, WriteError},
    error::{Code, Error, Result},
    oidc::{DISCOVERY_PATH, Discovery, Document, Entry, JWKS_PATH, KeySet, PublicKey},
    relying_party::{Fetched, fetch, may_fetch},
    rotation::{Former, PublishedSet},
};

/// What is public now.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// The documents as they lie in the bucket.
    pub(crate) jwks: Option<Stored>,
    pub(crate) discovery: Option<Stored>,
    /// Every key set that the documents lead to, the bucket's own first.
    pub(crate) sets: Vec<PublishedSet>,
    /// Where the documents lead to now, if it is not where this program puts the key set.
    pub(crate) jwks_uri: Option<String>,
    /// What cannot be understood, and would be replaced.
    pub(crate) damaged: Vec<String>,
    /// There is no bucket yet.
    pub(crate) no_bucket: bool,
}

/// What anonymous readers see: keys, where they could be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublicCopy {
    sets: Vec<PublishedSet>,
    /// A document there is the very one that lies in the bucket, or holds some of its keys.
    discovery: Option<Vec<u8>>,
    jwks: Option<Vec<u8>>,
    /// The document that anonymous readers get leads to a key set that could not be read.
    pub(super) is_partial: bool,
}

const BY_HAND: &str = "it is not overwritten, as relying parties may depend on it: look at it, then move it away by hand, or put this cluster's keys in its place: keyless publish --restore";

impl Published {
    /// As the bucket's owner sees it. Refuses what cannot be understood, or is another issuer's; with
    /// [`Former::Restore`] what cannot be understood is left to be replaced.
    pub(crate) async fn read(publication: &Publication<'_>, former: Former, create: bool) -> Result<Self> {
        let bucket = publication.bucket.as_ref();
        let names = publication.names();
        let read = futures::try_join!(bucket.read(&names[0]), bucket.read(&names[1]));
        let (jwks, discovery) = match read {
            Err(error) if create && error.code == Code::BucketMissing => {
                return Ok(Self { no_bucket: true, ..Self::none() });
            }
            // It may be what an attacker wrote, and cannot be replaced as long as it cannot be read.
            Err(error) if error.code == Code::BodyTooLarge => {
                return Err(error.hint(
                    "remove it by hand, then publish again: keys that only it holds are no longer public",
                ));
            }
            read => read?,
        };
        let mut published = Self { jwks, discovery, ..Self::none() };
        let restores = former == Former::Restore;
        if let Some(stored) = published.jwks.clone() {
            let name = format!("{bucket}/{}", names[0]);
            published.add(
                publication,
                &stored.body,
                &name,
                &format!("the published key set {name}"),
                restores,
            )?;
        }
        if let Some(stored) = published.discovery.clone() {
            let name = format!("{bucket}/{}", names[1]);
            published.follow(publication, &stored.body, &name, restores).await?;
        }
        Ok(published)
    }

    fn none() -> Self {
        Self {
            jwks: None,
            discovery: None,
            sets: Vec::new(),
            jwks_uri: None,
            damaged: Vec::new(),
            no_bucket: false,
        }
    }

    /// Adds the keys of a set that relying parties are led to.
    fn add(
        &mut self,
        publication: &Publication<'_>,
        body: &[u8],
        name: &str,
        what: &str,
        restores: bool,
    ) -> Result<()> {
        let entries = match Entry::all(body, what, publication.settings.kid_rule) {
            Ok(entries) => entries,
            Err(error) if restores => {
                self.damaged.push(error.message);
                return Ok(());
            }
            Err(error) => return Err(error.hint(BY_HAND)),
        };
        let mut keys = Vec::new();
        for entry in entries {
            match entry {
                Entry::Key(key) => keys.push(key),
                // Relying parties cannot read it either.
                Entry::Unreadable(_) => {}
                Entry::Refused(error) if restores => self.damaged.push(error.message),
                Entry::Refused(error) => return Err(error.hint(BY_HAND)),
            }
        }
        if keys.is_empty() && !restores {
            return Err(Error::failed(
                Code::KeySetEmpty,
                format!("{what} has no key that relying parties can read"),
            )
            .hint(BY_HAND));
        }
        self.sets.push(PublishedSet { name: name.to_owned(), keys, copy: false });
        Ok(())
    }

    /// Goes where the stored discovery document leads, if that is not where this program puts the key set.
    async fn follow(
        &mut self,
        publication: &Publication<'_>,
        body: &[u8],
        name: &str,
        restores: bool,
    ) -> Result<()> {
        let (bucket, location) = (publication.bucket.as_ref(), &publication.location);
        let what = format!("the published discovery document {name}");
        let found = match Discovery::parse(body, &what) {
            Ok(found) => found,
            Err(error) if restores => {
                self.damaged.push(error.message);
                return Ok(());
            }
            Err(error) => return Err(error.hint(BY_HAND)),
        };
        if found.issuer != location.issuer.as_str() {
            return Err(Error::failed(Code::BucketOtherIssuer, format!("{what} belongs to another issuer"))
                .caused_by(format_args!("its issuer is `{}`, not `{}`", found.issuer.escape_debug(), location.issuer))
                .hint("use a bucket or path of its own for each issuer")
                .hint("if the old issuer is given up, and no trust names it any more, delete its two documents first"));
        }
        let url = publication.bucket_url();
        let at = match locate(&found.jwks_uri, &what, location, url.as_deref(), &|url| bucket.leads(url)) {
            Ok(at) => at,
            Err(error) if restores => {
                self.damaged.push(error.message);
                self.jwks_uri = Some(found.jwks_uri);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let read = match &at {
            KeySetAt::Usual => return Ok(()),
            KeySetAt::Object(object) => match bucket.read(object).await? {
                Some(stored) => Ok((format!("{bucket}/{object}"), stored.body)),
                // Not in the bucket after all: then as everyone else reads it.
                None => publicly(publication, &found.jwks_uri).await,
            },
            KeySetAt::Url(url) => publicly(publication, url).await,
        };
        self.jwks_uri = Some(found.jwks_uri.clone());
        match read {
            Ok((name, body)) => {
                let set = format!("the key set {name}, which {what} names");
                self.add(publication, &body, &name, &set, restores)
            }
            Err(why) if restores => {
                self.damaged
                    .push(format!("the key set {} cannot be read: {why}", found.jwks_uri.escape_debug()));
                Ok(())
            }
            Err(why) => Err(Error::failed(
                Code::PublishedKeysUnreadable,
                format!(
                    "{what} names its key set at {}, which cannot be read",
                    found.jwks_uri.escape_debug()
                ),
            )
            .caused_by(why)
            .hint("the keys there would be lost: make it readable, then publish again")
            .hint("if that key set is of no use, replace the document: keyless publish --restore")),
        }
    }

    /// Whether there is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.jwks.is_none() && self.discovery.is_none()
    }

    /// Adds what anonymous readers see. A store that lags behind, or forgets, must not make keys go away that
    /// relying parties still read.
    pub(crate) fn with(mut self, copy: &PublicCopy) -> Self {
        self.sets.extend(copy.sets.iter().cloned());
        self
    }

    /// The documents that differ from these in bytes, content type or cache time; key set first.
    pub(crate) fn pending<'a>(&self, wanted: &'a [Document; 2]) -> Vec<&'a Document> {
        let differs = |document: &&Document| !self.of(document).is_some_and(|stored| same(stored, document));
        wanted.iter().filter(differs).collect()
    }

    /// The stored form of this document.
    pub(crate) fn of(&self, document: &Document) -> Option<&Stored> {
        if document.path == JWKS_PATH { self.jwks.as_ref() } else { self.discovery.as_ref() }
    }

    /// Whether anonymous readers see what lies in the bucket, or a former form of it.
    pub(crate) fn is_shown_by(&self, copy: &PublicCopy) -> bool {
        let same = |stored: &Option<Stored>, seen: &Option<Vec<u8>>| {
            stored.as_ref().zip(seen.as_ref()).is_some_and(|(stored, seen)| stored.body == *seen)
        };
        let stored: Vec<_> = self.sets.iter().filter(|set| !set.copy).flat_map(|set| &set.keys).collect();
        let known =
            |key: &PublicKey| stored.iter().any(|other| other.kid() == key.kid() && other.same_key(key));
        same(&self.jwks, &copy.jwks)
            || same(&self.discovery, &copy.discovery)
            || copy.sets.iter().flat_map(|set| &set.keys).any(known)
    }
}

impl PublicCopy {
    /// What anonymous readers get, and the key set that the document they get leads to. `stored`: there is a
    /// document in the bucket, so that another one in public is a copy that lags behind.
    pub(crate) async fn read(
        publication: &Publication<'_>,
        (discovery, jwks): &(Fetched, Fetched),
        stored: bool,
        former: Former,
    ) -> Result<Self> {
        let issuer = &publication.location.issuer;
        let mut copy = Self { discovery: body(discovery), jwks: body(jwks), ..Self::default() };
        let found = copy.discovery.as_deref().and_then(|body| Discovery::parse(body, "").ok());
        if let Some(found) = found.as_ref().filter(|found| found.issuer != issuer.as_str()) {
            return Err(Error::failed(
                Code::IssuerLeadsElsewhere,
                format!("{} shows the document of another issuer", discovery.url),
            )
            .caused_by(format_args!("its issuer is `{}`, not `{issuer}`", found.issuer.escape_debug()))
            .hint("the URL leads to another bucket or folder: correct --issuer, --bucket or --public-url")
            .hint("if the other issuer was at this URL before, caches may show it for up to an hour: wait, then try again"));
        }
        copy.add(publication, jwks);
        let Some(url) = found.map(|found| found.jwks_uri).filter(|url| *url != jwks.url) else {
            return Ok(copy);
        };
        let allowed = may_fetch(issuer, publication.bucket_url().as_deref(), &url);
        let unreadable = match allowed.map(|parsed| publication.bucket.leads(&parsed)) {
            Ok(Leads::Elsewhere { why, .. }) => Some(why),
            Ok(Leads::Here(_) | Leads::Unknown) => {
                let fetched = fetch(publication.http, url.clone()).await;
                (!copy.add(publication, &fetched)).then(|| "no key set can be read there".to_owned())
            }
            Err(why) => Some(why.to_owned()),
        };
        match unreadable {
            Some(why) if !stored && former != Former::Restore => Err(Error::failed(
                Code::PublishedKeysUnreadable,
                format!("{} names its key set at `{}`, which is not read: {why}", discovery.url, url.escape_debug()),
            )
            .hint("the keys there would be lost: make them readable on the issuer's own host, then publish again")
            .hint("if that key set is of no use, replace the document: keyless publish --restore")),
            Some(_) => Ok(Self { is_partial: true, ..copy }),
            None => Ok(copy),
        }
    }

    /// Only what can be published again: a damaged copy is judged when it is read back. Whether there was anything.
    fn add(&mut self, publication: &Publication<'_>, fetched: &Fetched) -> bool {
        let Some(body) = body(fetched) else { return false };
        let Ok(entries) = Entry::all(&body, "", publication.settings.kid_rule) else { return false };
        let key = |entry| match entry {
            Entry::Key(key) => Some(key),
            Entry::Unreadable(_) | Entry::Refused(_) => None,
        };
        let keys: Vec<_> = entries.into_iter().filter_map(key).collect();
        let some = !keys.is_empty();
        if some {
            self.sets.push(PublishedSet { name: fetched.url.clone(), keys, copy: true });
        }
        some
    }

    /// Whether there is a discovery document.
    pub(crate) fn shows_document(&self) -> bool {
        self.discovery.as_deref().is_some_and(|body| Discovery::parse(body, "").is_ok())
    }

    pub(crate) fn shows_keys(&self) -> bool {
        !self.sets.is_empty()
    }
}

fn body(fetched: &Fetched) -> Option<Vec<u8>> {
    let answer = fetched.answer.as_ref().ok().filter(|answer| answer.status == 200)?;
    Some(answer.body.clone())
}

async fn publicly(publication: &Publication<'_>, url: &str) -> Result<(String, Vec<u8>), String> {
    let allowed = may_fetch(&publication.location.issuer, publication.bucket_url().as_deref(), url);
    allowed.map_err(str::to_owned)?;
    let fetched = fetch(publication.http, url.to_owned()).await;
    match fetched.answer {
        Ok(answer) if answer.status == 200 => Ok((fetched.url, answer.body)),
        Ok(answer) => Err(format!("it answers {}", answer.status)),
        Err(error) => Err(error.message),
    }
}

/// Writes one document over what was read before.
pub(crate) async fn write(
    publication: &Publication<'_>,
    document: &Document,
    before: Option<&Stored>,
) -> Result<crate::bucket::Condition, WriteError> {
    let name = publication.location.object(document.path);
    let written = publication.bucket.write(&name, document, &Expected::of(before)).await;
    tracing::info!(
        path = document.path,
        conflict = matches!(written, Err(WriteError::Conflict(_))),
        "written"
    );
    written
}

fn same(stored: &Stored, document: &Document) -> bool {
    stored.body == document.body && headers_of(stored, document).is_empty()
}

/// The headers that the store keeps otherwise than they were to be, each with what it keeps. Where the store keeps
/// none the web server decides; reading back shows what it serves.
pub(crate) fn headers_of(stored: &Stored, document: &Document) -> Vec<(&'static str, String)> {
    let kept = [
        ("Content-Type", &stored.content_type, document.content_type),
        ("Cache-Control", &stored.cache_control, document.cache_control),
    ];
    let other = kept.into_iter().filter_map(|(name, kept, wanted)| {
        kept.as_ref().filter(|kept| *kept != wanted).map(|kept| (name, kept.clone()))
    });
    other.collect()
}

/// What the key set would be, and the document that leads to it.
pub(crate) fn documents(publication: &Publication<'_>, keys: &KeySet) -> [Document; 2] {
    [Document::jwks(keys), Document::discovery(&publication.location.issuer, keys)]
}

/// Where both documents lie, key set first.
pub(crate) fn paths() -> [&'static str; 2] {
    [JWKS_PATH, DISCOVERY_PATH]
}
