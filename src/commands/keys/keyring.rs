//! Where the keys are published: in documents, or at providers that are given them. One look at either.

use crate::{
    cluster::{Cluster, OutsideTokens, ServiceAccount},
    commands::setup::publisher::ACCOUNT,
    config::Settings,
    error::{Error, Result},
    http::Http,
    publication::{Given, History, Lockout, Options, Publication},
    report::Report,
    rotation::Former,
    waiting::Waiting,
    warning::Warning,
};

/// What a look asks.
pub(super) enum Keyring<'a> {
    Documents(Box<Publication<'a>>),
    /// Public is what every provider has. And the publisher that gives them.
    Given(Given<'a>, Option<ServiceAccount>),
}

/// What it found.
pub(super) struct Looked {
    /// `None`: there is no ledger.
    pub(super) history: Option<History>,
    /// Why it could not be read.
    pub(super) unreadable: Option<Warning>,
    pub(super) tokens: Option<OutsideTokens>,
    /// Providers that refuse, or could not be asked.
    pub(super) failures: Vec<Warning>,
    /// The first of them.
    pub(super) failed: Option<Error>,
    /// Where a publisher is kept out.
    pub(super) lockouts: Vec<Lockout>,
}

impl<'a> Keyring<'a> {
    /// Where the settings say.
    pub(super) async fn connect(settings: &'a Settings, http: &'a Http) -> Result<Self> {
        Ok(match Given::is_meant(settings) {
            true => {
                let publisher = settings.publisher.clone().or_else(|| ACCOUNT.parse().ok());
                Self::Given(Given::connect(settings, http)?.looking_up_tokens(true), publisher)
            }
            false => {
                let publication = Publication::connect(settings, http).await?;
                Self::Documents(Box::new(publication.looking_up_tokens(true)))
            }
        })
    }

    /// Nothing is written.
    pub(super) async fn look(
        &self,
        cluster: &Cluster,
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> Result<Looked> {
        let waiting = Waiting::default();
        Ok(match self {
            Self::Documents(publication) => {
                let options = Options { create: false, former: Former::Unknown };
                let look = publication.observe_with_ledger(&options, Some(cluster), now, &waiting);
                let observation = waiting.tell(report, look).await?;
                Looked {
                    lockouts: publication.lockout(&observation).into_iter().collect(),
                    unreadable: observation.unreadable().cloned(),
                    history: observation.history,
                    tokens: observation.tokens,
                    failures: Vec::new(),
                    failed: None,
                }
            }
            Self::Given(given, publisher) => {
                let seen = waiting.tell(report, given.observe(cluster, now, &waiting)).await?;
                Looked {
                    lockouts: match publisher {
                        Some(publisher) => seen.lockouts(publisher).await,
                        None => Vec::new(),
                    },
                    failures: seen.failures(),
                    failed: seen.failed(),
                    history: seen.history,
                    unreadable: seen.unreadable,
                    tokens: seen.tokens,
                }
            }
        })
    }
}
