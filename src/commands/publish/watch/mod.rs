//! `keyless publish --watch`: one look after another, each the same as a run of `publish`.
//!
//! ```text
//!  connect ─► look: observe ─► plan ─► apply, if this process leads ─► board, a line ─► pause ─┐
//!     ▲        ▲                                                                               │
//!     │        └──────────────────────────── it came to an end ────────────────────────────────┤
//!     └───────────────────────────────────── it failed ────────────────────────────────────────┘
//!  election: keeps the Lease meanwhile        server: /metrics, /livez, /readyz
//! ```

mod election;
mod publisher;
mod server;
mod told;

use std::{sync::Arc, time::Duration};

use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use self::{
    election::{Keeper, Leads},
    publisher::Publisher,
    server::Shared,
};
use crate::{
    cli::{LeaseFlag, WatchArgs},
    cluster::Cluster,
    commands::{Exit, undecided::Undecided},
    config::{LedgerPlace, Settings},
    error::{Code, Error, Kind, Result},
    http::Http,
    interrupt::Interrupt,
    publication::{Given, Publication},
    report::Report,
    retry,
    signal::Signal,
    target,
    watch::{
        Board, Ended, Notice, Outcome, Pace,
        board::{At, Lead},
    },
};

/// From a signal to the end; a pod has 30 s.
const GRACE: Duration = Duration::from_secs(10);
/// Of that, what a write that has begun may take.
const TO_FINISH: Duration = Duration::from_secs(8);
/// The first look waits so long until it is known who leads.
const FIRST_ATTEMPT: Duration = Duration::from_secs(6);
/// Of the Lease beside the ledger.
const LEASE: &str = "keyless-publisher";

/// Runs until a signal. `now` is asked for seconds since 1970.
///
/// Errors: the metrics cannot be served; arguments or settings that cannot be meant, as long as no look has succeeded.
pub(crate) async fn run(
    args: &WatchArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    Undecided::key_set(settings).refuse()?;
    let interrupt = report.interrupt().clone();
    interrupt.set_grace(GRACE);
    let _hold = interrupt.hold();
    let lead = if args.lease.is_none() { Lead::Always } else { Lead::Unknown };
    let shared = Shared::new(Board::new(args.poll(settings.poll), lead));
    if let Some(address) = args.metrics_address {
        let address = server::serve(address, shared.clone()).await?;
        report.progress(format_args!("serving /metrics, /livez and /readyz on {address}"));
    }
    let (clusters, found) = watch::channel(None);
    let (sender, leads) = watch::channel(match args.lease {
        None => Leads::Always,
        Some(_) => Leads::No { holder: None },
    });
    let mut looks = Looks {
        settings,
        now,
        report,
        interrupt,
        shared: &shared,
        leads,
        clusters,
        pace: Pace::new(args.poll(settings.poll)),
        notice: Notice::default(),
        told_leads: None,
        uid: None,
        has_succeeded: false,
        began: Duration::ZERO,
    };
    let Some(flag) = &args.lease else {
        let done = looks.run().await;
        drop(sender);
        return done;
    };
    let mut keeper = Keeper::new(place(flag, &settings.ledger), &shared, now, sender, found);
    let done = select! {
        done = looks.run() => done,
        never = keeper.run() => match never {},
    };
    keeper.release().await;
    done
}

fn place(flag: &LeaseFlag, ledger: &LedgerPlace) -> (String, String) {
    match flag {
        LeaseFlag::BesideTheLedger => (ledger.namespace.clone(), LEASE.to_owned()),
        LeaseFlag::Named { namespace, name } => (namespace.clone(), name.clone()),
    }
}

/// The looks, and what one leaves to the next.
struct Looks<'a, 'r> {
    settings: &'a Settings,
    now: fn() -> u64,
    report: &'a mut Report<'r>,
    interrupt: Interrupt,
    shared: &'a Shared,
    leads: watch::Receiver<Leads>,
    /// Where the election finds the cluster.
    clusters: watch::Sender<Option<Arc<Cluster>>>,
    pace: Pace,
    notice: Notice,
    /// What was last told about who leads.
    told_leads: Option<told::LeadsTold>,
    /// The cluster that all of it is about.
    uid: Option<String>,
    has_succeeded: bool,
    /// When the look began that is under way, on the local clock.
    began: Duration,
}

/// What came of one look.
struct Look {
    ended: Ended,
    /// This process led when the look decided whether to write.
    led: bool,
    reconnects: bool,
}

/// What is connected once, and used until a look fails.
struct Session<P> {
    publisher: P,
    cluster: Arc<Cluster>,
}

impl Looks<'_, '_> {
    async fn run(&mut self) -> Result<Exit> {
        loop {
            let Err(error) = self.session().await else { continue };
            match error.kind {
                Kind::Interrupted(signal) => return Ok(self.stop(signal)),
                Kind::Usage if !self.has_succeeded => return Err(error),
                Kind::Usage | Kind::Failed | Kind::Declined => {}
            }
            let ended = Ended { outcome: Outcome::Failed, changed: false };
            self.end(ended, Some(error.code.name()));
            self.tell_failure(&error);
            let led = self.leads.borrow().now();
            if let Err(error) = self.rest(ended, led).await
                && let Kind::Interrupted(signal) = error.kind
            {
                return Ok(self.stop(signal));
            }
        }
    }

    fn stop(&mut self, signal: Signal) -> Exit {
        self.report.progress(format_args!("stopped by {}", signal.name()));
        Exit::Clean
    }

    /// Connects, then looks until a look fails, at one provider at least, or a signal comes.
    async fn session(&mut self) -> Result<()> {
        self.began = self.shared.clock();
        let settings = self.settings;
        let http = Http::new(&settings.additional_roots)?;
        match Given::is_meant(settings) {
            true => self.looks(Given::connect(settings, &http)?).await,
            false => {
                let connect = Publication::connect(settings, &http);
                let publication = self.interrupt.clone().unless(connect).await??;
                self.looks(publication).await
            }
        }
    }

    async fn looks(&mut self, publisher: impl Publisher) -> Result<()> {
        let interrupt = self.interrupt.clone();
        let cluster = interrupt.unless(target::require(self.settings, self.report)).await??;
        self.refuse_another(&cluster)?;
        let session = Session { publisher, cluster: Arc::new(cluster) };
        self.clusters.send_replace(Some(session.cluster.clone()));
        if !self.has_succeeded && !matches!(&*self.leads.borrow(), Leads::Always) {
            drop(interrupt.unless(timeout(FIRST_ATTEMPT, self.leads.changed())).await?);
        }
        loop {
            self.tell_leads();
            self.began = self.shared.clock();
            let Look { ended, led, reconnects } = self.look(&session).await?;
            self.has_succeeded = true;
            self.rest(ended, led).await?;
            if reconnects {
                return Ok(());
            }
        }
    }

    /// Settings without a UID are for any cluster, and this process for one.
    fn refuse_another(&mut self, cluster: &Cluster) -> Result<()> {
        let Ok(uid) = cluster.uid() else { return Ok(()) };
        let known = self.uid.get_or_insert_with(|| uid.to_owned());
        match known == uid {
            true => Ok(()),
            false => Err(Error::failed(
                Code::ClusterMismatch,
                "the kubeconfig leads to another cluster than at the start: nothing was published",
            )
            .caused_by(format_args!("at the start: {known}, now: {uid}"))
            .hint(
                "if the cluster was rebuilt, start this command again, with the settings of the new cluster",
            )),
        }
    }

    /// The same as one run of `publish`. A process that does not lead stops before the first write.
    async fn look<P: Publisher>(&mut self, session: &Session<P>) -> Result<Look> {
        let (publisher, cluster, now) = (&session.publisher, &*session.cluster, self.now);
        let plan = async {
            let (same, plan) = futures::join!(cluster.confirm(), publisher.plan(cluster, now));
            same.and(plan)
        };
        let mut plan = self.interrupt.clone().unless(plan).await??;
        // Known whatever becomes of what follows from it.
        self.shared.board().found(publisher.facts(&plan, None));
        // It may have changed since the look began: a reader sees who leads before what this process writes.
        self.tell_leads();
        let led = self.leads.borrow().now();
        let applied = match led {
            true => Some(self.apply(session, &mut plan).await?),
            false => None,
        };
        let looked = publisher.looked(&plan, applied.as_ref());
        let look = Look { ended: looked.ended, led, reconnects: looked.reconnects };
        self.shared.board().found(looked.facts.clone());
        self.end(look.ended, None);
        self.tell(looked);
        Ok(look)
    }

    /// Does what was planned, for as long as this process leads. After a signal, what has begun has some time to end; each
    /// write by itself is whole or not there, whenever this stops.
    async fn apply<'p, P: Publisher>(
        &mut self,
        session: &'p Session<P>,
        plan: &mut P::Plan<'p>,
    ) -> Result<P::Applied> {
        let interrupt = self.interrupt.clone();
        let out_of_time = async {
            let signal = interrupt.signal().await;
            sleep(TO_FINISH).await;
            signal
        };
        select! {
            biased;
            () = election::lost(self.leads.clone()) => Err(Error::failed(
                Code::LeaseLost,
                "this process could not renew its Lease in time, or lost it: it stopped writing",
            )
            .hint("another publisher goes on; if it happens again, look at the API server and at this pod's CPU")),
            signal = out_of_time => Err(Error::interrupted(signal)),
            applied = session.publisher.apply(plan, &session.cluster, self.now, self.report) => applied,
        }
    }

    fn end(&mut self, ended: Ended, failed_with: Option<&'static str>) {
        let clock = self.shared.clock();
        let at = At { clock, time: (self.now)(), took: clock.saturating_sub(self.began) };
        self.shared.board().ended(ended, at, failed_with);
    }

    /// Until the next look is due. A process that has begun to lead since the last look decided looks at once; `led`: it
    /// led then.
    ///
    /// Errors: a signal.
    async fn rest(&mut self, ended: Ended, led: bool) -> Result<()> {
        let end = Instant::now() + self.pace.after(ended, retry::random());
        let interrupt = self.interrupt.clone();
        loop {
            if !led && self.leads.borrow_and_update().now() {
                return Ok(());
            }
            let changed = select! {
                biased;
                signal = interrupt.signal() => return Err(Error::interrupted(signal)),
                () = sleep_until(end) => return Ok(()),
                changed = self.leads.changed() => changed,
            };
            match changed {
                Ok(()) => self.tell_leads(),
                // Without a sender there is no Lease.
                Err(_) => {
                    interrupt.unless(sleep_until(end)).await?;
                    return Ok(());
                }
            }
        }
    }
}
