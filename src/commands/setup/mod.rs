//! `keyless setup`: from a stored key to short-lived tokens, in one plan.
//!
//! ```text
//!  observe ─► resolve ─► rights ─► plan ─► show, ask ─► documents ─► provider ─► objects ─► probe ─► store ─► old credential
//! ```
//!
//! Each step is safe to repeat, and each is planned from what is there: stopped anywhere and started again, it
//! goes on where it was.

mod act;
mod ahead;
mod asked;
mod decide;
mod ended;
mod foreseen;
mod found;
mod hands;
mod issuer_rollout;
mod last_lines;
mod managed;
mod members;
mod no_store;
mod outcome;
mod plan;
pub(crate) mod publisher;
mod retire;
mod retire_shown;
mod retire_steps;
mod seat;
mod settings_file;
mod several;
mod shared;
mod undecided;
mod undo;
mod watch;

use serde_json::json;

pub(super) use self::members::shown;
use self::{
    act::Act,
    decide::{Decided, decide},
    ended::{ended, with_left, with_rights, worst},
    last_lines::{of_keys, tell_remaining},
    members::{Member, Shared, ends_all},
    outcome::Farewell,
    publisher::Publisher,
    retire::Retirement,
    seat::{Keys, Seat},
    settings_file::SettingsFile,
    shared::share,
    undecided::undecided,
};
use super::{
    Exit, issuer, naming,
    objects::Sight,
    prompt,
    resolve::resolve_asking,
    saved,
    stores::{Stores, flag},
};
use crate::{
    cli::SetupArgs,
    cluster::{FailedServer, Failure, Observed},
    config::Settings,
    error::{Code, Error, Result},
    federation::Purpose,
    http::Http,
    publication::{
        Kept, Known, Publication,
        live::{self, Silence},
    },
    report::{Line, Report, Tone},
    secret_store::StoreName,
    shell,
};

/// With --retire-key, where nothing is known of a credential that the store used before.
const NONE_NOTED: &str = "No replaced credential is noted for this store. If one is left, name its Secret: keyless setup --retire-key --replaced NAMESPACE/SECRET";

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &SetupArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    if args.undo {
        return undo::run(args, settings, now, report).await;
    }
    let http = Http::new(&settings.additional_roots)?;

    // Observe.
    let Sight { cluster, estate, observed, cluster_id, ledger } =
        Sight::with_ledger(settings, report).await?;
    live::refuse_doubts(&observed, Silence::Accepted)?;
    let stores = Stores::choose(&args.stores, settings, &estate, &cluster, &cluster_id).await?;
    refuse_one_for_several(args, &stores)?;
    let Some((first, completes)) = stores.first_trusted(settings, args.to, &estate)? else {
        return no_store::nothing_movable(&stores, &[], args, report);
    };
    let resolved = resolve_asking(&first, args.to, completes, &estate, &cluster_id, report)?;
    if !resolved.uploads_keys() {
        live::refuse_doubts(&observed, Silence::Refused)?;
    }
    report.about_account(Some(resolved.provider.account()));
    publisher::tell_undecided(args, settings, report);
    let provider = resolved.provider.connect(&http, Purpose::Apply)?;
    let provider = provider.as_ref();
    let issuer = issuer::trusted(settings, &resolved, &observed, &http).await?;
    let managed = managed::signed(&observed, &issuer)?;
    let staged = live::from_files(settings)?;
    let mut kept = match resolved.uploads_keys() {
        true => {
            let known = Known {
                settings,
                observed: &observed,
                files: staged.as_ref(),
                issuer: issuer.signed(),
                ledger: ledger.clone(),
                is_only: resolved.is_only_given(),
                now: now(),
            };
            Kept::read(known, provider).await?
        }
        false => Kept::default(),
    };
    let trust = resolved.trust(issuer.clone(), cluster_id.clone(), &observed, staged.as_ref(), &kept)?;
    provider.rules().check(&trust)?;

    let skew = skew(&observed, now);
    let clock = || now().saturating_add_signed(skew);
    let command = command(args, settings, &stores);
    let farewell_of = |store: &StoreName| Farewell {
        provider: Some(provider.to_string()),
        command: command.clone(),
        again: settings.again.clone(),
        flags: format!("{}{}", settings.again, stores.flags()),
        // The only store that the settings lead to needs no flag.
        undo: match &stores.named {
            Some(_) => format!("keyless setup --undo{}{}", settings.again, flag(store)),
            None => format!("keyless setup --undo{}", settings.again),
        },
        retire: args.retire_key,
        was_blocked: true,
        undoes: true,
    };

    let publication = match resolved.uploads_keys() {
        true => None,
        false => Some(Publication::connect(settings, &http).await?),
    };
    let mut publisher =
        Publisher::resolve(args, settings, &resolved, &estate, publication.as_ref(), provider).await?;
    publisher.iter_mut().for_each(|publisher| publisher.note_asked(&observed));
    let named = naming::account_of_settings(&stores, settings, &resolved, &estate);
    let shared = Shared {
        args,
        settings,
        stores: &stores,
        resolved: &resolved,
        cluster: &cluster,
        cluster_id: &cluster_id,
        estate: &estate,
        provider,
        named: named.as_ref(),
        publisher: publisher.as_ref(),
        http: &http,
    };
    let (foreseen, labelled) = futures::join!(
        shared.look_ahead(&first, &trust, clock()),
        managed::labelled(&cluster, &observed, &issuer)
    );
    let (mut members, mut not_moved) = match &stores.named {
        Some(named) if stores.are_several() => shared.each(named, report).await?,
        _ => (vec![shared.only(&first, report).await?], Vec::new()),
    };
    publisher::refuse_accounts_of(&members, args, settings)?;

    // Decide.
    let (Decided { mut plan, impossible, mut documents, .. }, trust, beside) = loop {
        if stores.are_several() {
            shared.retirements(&mut members, &mut not_moved, farewell_of, clock()).await?;
            if members.is_empty() {
                return no_store::nothing_movable(&stores, &not_moved, args, report);
            }
        }
        let beside = shared.beside(&members).await?;
        let publisher = publisher.iter().map(|publisher| publisher.workload.clone());
        let others = beside.iter().map(|it| it.workload.clone());
        let trust = trust.clone().of(members.iter().map(Member::workload).chain(others).chain(publisher));
        let decided =
            decide(publication.as_ref(), &shared, (&observed, &ledger), &trust, &mut members, now).await?;
        match decided.refused.first() {
            None => break (decided, trust, beside),
            Some((_, error)) if !stores.are_several() => return Err(error.clone()),
            // They are looked at again: one that drops out is another user of what the others leave.
            Some(_) => Shared::leave_out(&mut members, &mut not_moved, &decided.refused),
        }
    };
    for (member, part) in members.iter_mut().zip(&mut plan.stores) {
        member.rights.leave_out(impossible.clone());
        part.keep_store(member.rights.would_break());
    }
    if !stores.are_several() {
        shared.retirements_of_only(&mut members, foreseen, farewell_of, clock()).await?;
    }
    for (member, part) in members.iter_mut().zip(&mut plan.stores) {
        part.retirement = member.retirement.take();
    }
    share(&mut plan.stores);
    if args.force_sync && !plan.waits() {
        for (member, part) in members.iter().zip(&mut plan.stores) {
            part.asked = asked::plan(&cluster, member, part, clock()).await?;
        }
    }
    plan.keep(&mut kept, &trust);
    (plan.not_moved, plan.not_looked_at) = (not_moved, stores.not_looked_at.clone());
    plan.are_several = stores.are_several();
    let about = members.iter().find(|member| member.is_of_settings());
    let file = SettingsFile::plan(
        settings,
        &resolved,
        issuer.published(),
        &trust.cluster_id,
        about,
        publisher.as_ref(),
    )?;
    plan.settings = file.step();
    managed.iter().chain(&labelled).for_each(|warning| report.warning(warning));
    // An issuer that comes only from a file that no flag names is none to sign as.
    let change = settings.undecided.of_documents().is_empty().then(|| {
        format!("keyless render issuer --issuer {}{}", shell::quote(issuer.as_str()), settings.again)
    });
    plan.show(&issuer, change.as_deref(), report);
    for member in &members {
        if plan.are_several && member.rights.shows_something() {
            report.line(format_args!("\n{}", member.shown));
        }
        member.rights.show(report);
    }
    if let Some(step) = &plan.settings {
        report.line(Line::whole(Tone::Title, "\nsettings file"));
        report.lines(step.lines());
    }
    let whole = plan.whole();
    let undecided = undecided(&shared, (&observed, &issuer, staged.as_ref()), &members, &beside)?;
    undecided.show(report);
    let shows_only = args.dry_run || args.plan.is_saved();
    let rights = members.iter().map(|member| &member.rights);
    let mut shown = plan.to_json(rights, &issuer, &whole, shows_only);
    shown["publisher"] = publisher.as_ref().map(Publisher::to_json).into();
    shown["undecided"] = undecided.to_json();
    let pending = plan::pending(&whole);
    if pending > 0 {
        undecided.refuse_unasked(args.yes, args.dry_run, &args.plan)?;
    }
    saved::save_or_check(&args.plan, &whole, report)?;
    let left = plan.left();
    if pending == 0 && !plan.waits() {
        if !shows_only {
            file.write(report)?;
        }
        report.result("\nnothing to do");
        let mut exits = vec![];
        for (member, part) in members.iter().zip(&plan.stores) {
            if args.retire_key && part.retirement.is_none() {
                report.result(NONE_NOTED);
            }
            let exit = match &part.retirement {
                Some(retirement) if !part.keeps_store() => {
                    match retirement.nothing_to_do(&farewell_of(&member.store), report) {
                        Err(error) if plan.are_several && !ends_all(&error) => {
                            several::left(&member.store, error, report)
                        }
                        ended => ended?,
                    }
                }
                _ => Exit::Clean,
            };
            exits.push(with_rights(exit, &member.rights, &farewell_of(&member.store).flags, report));
        }
        let retirements = plan.stores.iter().filter_map(|part| part.retirement.as_ref());
        tell_remaining(retirements.flat_map(Retirement::remaining), &mut shown, report);
        exits.push(of_keys(documents.as_ref(), &kept, report));
        publisher.iter().filter(|_| !shows_only).for_each(|it| it.tell(settings, plan.waits(), report));
        return Ok(ended(shown, with_left(worst(exits), left, report), report));
    }
    let summary = Line::marked(Tone::Title, format_args!("\n{}", whole.summary()));
    if shows_only {
        plan.tell_lacking(report);
        report.result(summary);
        let exit = worst([Exit::Found, of_keys(documents.as_ref(), &kept, report)]);
        return Ok(ended(shown, with_left(exit, left, report), report));
    }
    report.line(summary);
    if let Some(error) = plan.lacks() {
        let parts = members.iter().zip(&plan.stores);
        let words = parts.map(|(member, part)| {
            // Nothing was granted yet.
            let farewell = Farewell { provider: None, ..farewell_of(&member.store) };
            seat::early_words(&farewell, member, part)
        });
        return Err(words.fold(error.hint("nothing was changed"), Error::hint));
    }
    if plan.stores.iter().any(|part| !part.obstacles.is_empty()) && args.to.is_some() && !args.yes {
        report.progress("What is marked with ! reads something else, or nothing, after the change.");
    }
    prompt::confirm(
        report,
        args.yes || pending == 0,
        &format!("Do {} ({})", prompt::these(pending), report.target()),
    )?;
    // Before anything else: an interrupted run goes on with the same answers.
    file.write(report)?;

    let act = Act {
        args,
        again: &settings.again,
        publication: publication.as_ref(),
        cluster: &cluster,
        provider,
        issuer: &issuer,
        servers: observed.servers.len(),
        clock: &clock,
    };
    // The rest of the plan is what stores share.
    let seats = members.into_iter().zip(std::mem::take(&mut plan.stores));
    let mut seats: Vec<_> = seats
        .map(|(member, part)| {
            let farewell = farewell_of(&member.store);
            Seat::new(member, part, farewell)
        })
        .collect();
    let keys = Keys { documents: documents.as_mut(), kept: &mut kept };
    let exits = act.run(&plan, keys, &mut seats, report).await?;
    for (exit, store) in exits.iter().zip(shown["stores"].as_array_mut().into_iter().flatten()) {
        store["outcome"] = json!(exit.outcome());
    }
    tell_remaining(seats.into_iter().flat_map(|seat| seat.remaining), &mut shown, report);
    let keys = of_keys(documents.as_ref(), &kept, report);
    publisher.iter().for_each(|it| it.tell(settings, plan.waits(), report));
    let exit = worst(exits.into_iter().chain([keys]));
    Ok(ended(shown, with_left(exit, left, report), report))
}

/// What is meant for one store, with several.
fn refuse_one_for_several(args: &SetupArgs, stores: &Stores) -> Result<()> {
    if args.replaced.is_none() || !stores.are_several() {
        return Ok(());
    }
    Err(Error::usage(
        Code::ReplacedSecret,
        "--replaced names what one store used before, and several are named",
    )
    .hint("run it for that store: keyless setup --store STORE --replaced NAMESPACE/SECRET"))
}

/// How far the cluster's clock is ahead of this machine's, in seconds.
fn skew(observed: &Observed, now: fn() -> u64) -> i64 {
    let clock = observed.servers.iter().find_map(|server| server.clock);
    clock.map_or(0, |clock| i64::try_from(i128::from(clock) - i128::from(now())).unwrap_or(0))
}

/// The command by which this run is gone on with.
fn command(args: &SetupArgs, settings: &Settings, stores: &Stores) -> String {
    let mut command = format!("keyless setup{}{}", settings.again, stores.flags());
    if args.retire_key {
        command.push_str(" --retire-key");
    }
    command
}

/// The API servers that did not answer.
fn silent(observed: &Observed) -> impl Iterator<Item = &FailedServer> {
    observed.failed.iter().filter(|server| server.failure == Failure::Unreachable)
}
