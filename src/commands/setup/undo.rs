//! `keyless setup --undo`: the former login, from what was saved before it was replaced.

use std::convert::identity;

use serde_json::json;

use super::{
    ended,
    found::add_clients,
    hands::SetupHands,
    outcome::{Farewell, stopped},
    retire,
};
use crate::{
    cli::SetupArgs,
    cluster::snapshot::Store,
    commands::{
        Exit,
        prompt::{self, Offer},
        resolve::{store_name, unknown_store},
        saved,
        stores::{flag, named},
        undecided::{Undecided, of_store},
    },
    config::Settings,
    error::{Code, Error, Result},
    federation::credential,
    http::Http,
    plan::{Action, Plan},
    report::{Line, Report, Tone},
    retirement::{
        KeyStanding, KeyView, Next, Observed, Shown, State, StoreId, StoreView, Write,
        config_map::{Lying, Shelf},
        decide, is_again, look,
        run::{Outcome, Run},
    },
    secret_store::{Planned, with_provider},
    target,
};

/// Runs it. `now` is asked for seconds since 1970.
pub(super) async fn run(
    args: &SetupArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let (settings, flags) = match args.stores.store.as_slice() {
        [] => (settings.clone(), settings.again.clone()),
        [store] => (named(settings, store), format!("{}{}", settings.again, flag(store))),
        [..] => {
            return Err(Error::usage(
                Code::UndoSeveral,
                "--undo brings back the login of one store at a time",
            )
            .hint("run it once for each store: keyless setup --undo --store STORE"));
        }
    };
    let settings = &settings;
    let http = Http::new(&settings.additional_roots)?;
    let cluster = target::require(settings, report).await?;
    let cluster_id = cluster.uid()?;
    let estate = cluster.estate().await?;
    let store = {
        let mut ask =
            |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
        store_name(settings, &estate, &mut ask)?
    };
    let present = cluster.get_object(store.resource(), store.namespace(), store.name()).await?;
    let present = present.ok_or_else(|| {
        let gone = Error::failed(Code::StoreGone, format!("there is no store {}", store.name()))
            .hint("store.name in keyless.yaml names the one that is meant");
        unknown_store(&estate, &store).unwrap_or(gone)
    })?;
    let id = StoreId::of(&present);
    let (shelf, lying) = Shelf::open(&cluster, cluster_id, &id).await?;
    let mut state = saved(&id, &shelf, lying)?;
    add_clients(&cluster, &estate, &Store(present.clone()), &mut state).await?;
    let connected: Vec<_> = state
        .credentials
        .iter()
        .map(|kept| credential::connect(&kept.identity, &settings.providers, &http))
        .collect::<Result<_>>()?;
    let keys = look::look_at(&cluster, &state.credentials, &connected).await?;
    let options = retire::options(args, false, now());

    // What prevents it is reported before the prompt.
    let provider = &present.0["spec"]["provider"];
    let view = if *provider == state.after {
        StoreView::After { ready: true, says: String::new() }
    } else if state.before.as_ref().is_some_and(|before| is_again(before, provider)) {
        StoreView::Before
    } else {
        StoreView::Other { names_it: false }
    };
    let seen = Observed { store: view, keys: Some((now(), keys.clone())), ..Observed::default() };
    let decided = decide(&state, &seen, &options, now());
    let restored = state
        .before
        .as_ref()
        .map(|before| with_provider(&store, &present, before, "its former provider, as it was saved"));
    let clock = || now();
    let mut run = Run::new(&cluster, &store, Some(shelf), state, connected, options, &clock);
    run.seen = seen;
    let undo = format!("keyless setup --undo{flags}");
    let farewell = Farewell {
        provider: None,
        command: undo.clone(),
        again: settings.again.clone(),
        flags,
        undo,
        retire: false,
        was_blocked: false,
        undoes: false,
    };
    if let Next::Stop(end) = &decided {
        if let (StoreView::Other { .. }, Some(restored)) = (&run.seen.store, &restored) {
            report.line(format_args!("{}: what it says now → what was saved", restored.object()));
            report.lines(restored.step.field_lines());
        }
        let exit = farewell.conclude(end, &run.state, &farewell.words(&run), report)?;
        let plan = Plan::default();
        return Ok(ended(json!({ "undo": true, "dryRun": args.dry_run, "plan": plan }), exit, report));
    }
    let plan = plan(&run, &keys, restored.as_ref());
    run.options.shown = Shown::of(&plan.steps, &[]);
    report.lines(plan.lines());
    let by_flag = !args.stores.store.is_empty();
    let by_file = of_store(settings, &estate, &store).filter(|_| !by_flag);
    let undecided = Undecided::cluster(settings).and(by_file);
    undecided.show(report);
    undecided.refuse_unasked(args.yes, args.dry_run, &args.plan)?;
    let summary = Line::marked(Tone::Title, format_args!("\n{}", plan.summary()));
    saved::save_or_check(&args.plan, &plan, report)?;
    let pending = plan.pending();
    let shows_only = args.dry_run || args.plan.is_saved();
    let shown = json!({ "undo": true, "dryRun": shows_only, "plan": plan });
    if shows_only {
        report.result(summary);
        return Ok(ended(shown, Exit::Found, report));
    }
    report.line(summary);
    let question = format!("Do {} ({})", prompt::these(pending), report.target());
    prompt::confirm(report, args.yes, &question)?;
    let interrupt = report.interrupt().clone();
    let _hold = interrupt.hold();

    let outcome = {
        let folder = args.manifests.as_deref();
        let mut hands =
            SetupHands { cluster: &cluster, store: &store, forward: None, folder, yes: args.yes, report };
        interrupt.unless(run.go_on(&mut hands)).await.and_then(identity)
    };
    let exit = match outcome {
        Ok(Outcome::End(end)) => farewell.conclude(&end, &run.state, &farewell.words(&run), report)?,
        Ok(Outcome::LeftToFile) => {
            report.result("\nThe credential is good again. Commit the store's manifest; once it is applied, run setup --undo again: it ends what is left.");
            Exit::Found
        }
        Err(error) => return Err(stopped(error, farewell.words(&run))),
    };
    let shown = json!({ "undo": true, "dryRun": false, "plan": plan, "undone": exit == Exit::Clean });
    Ok(ended(shown, exit, report))
}

fn saved(id: &StoreId, shelf: &Shelf, lying: Lying) -> Result<State> {
    let error = |why: &str| {
        Error::failed(
            Code::UndoUnsaved,
            format!("nothing is saved that the former login of {id} could come from"),
        )
        .caused_by(why)
        .hint("nothing was changed; write the former provider back by hand, if you have it")
    };
    match lying {
        Lying::State(state) => Ok(*state),
        Lying::Nothing => Err(error(&format!("there is no ConfigMap {}", shelf.place()))),
        Lying::Unusable(unusable) => Err(error(&format!("ConfigMap {}: {unusable}", shelf.place()))),
    }
}

/// What is done, in this order.
fn plan(run: &Run<'_>, keys: &[KeyView], restored: Option<&Planned>) -> Plan {
    let disabled = run.state.credentials.iter().zip(keys);
    let disabled = disabled.filter(|(_, key)| key.standing == KeyStanding::Disabled);
    let mut steps: Vec<_> = disabled
        .map(|(kept, _)| {
            let why = "the store logs in with it again";
            Write::Enable(kept).step(Action::Enable, why)
        })
        .collect();
    if let (Some(restored), StoreView::After { .. }) = (restored, &run.seen.store) {
        steps.push(restored.step.clone());
    }
    if run.shelf.is_some() {
        let record = Write::Record(&run.state.store);
        steps.push(record.step(Action::Delete, "nothing is left to remember"));
    }
    Plan { steps, notes: Vec::new() }
}
