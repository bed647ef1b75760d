//! The way of the data, and where each step lives.
//!
//! ```text
//!  API servers ─► cluster ─► live set ─► rotation ─► publication ─► bucket ─► public https ─► relying_party ─┐
//!                    │             (published set) ┘   (plan, oidc)                                          ├─► findings ─► report
//!                    ├─► test tokens ────────────────────────────────────────────────────────────────────────┤
//!                    │                     ┌─► federation: observe → plan → apply → probe ───────────────────┤
//!                    └─► snapshot ─► trust ┤                                                                 │
//!                            │             └─► secret_store: manifests ─► apply                              │
//!                            └─► audit rules ────────────────────────────────────────────────────────────────┘
//! ```
//!
//! * [`cluster`] asks every API server for its keys, its discovery document and a test token, and takes stock of what
//!   External Secrets Operator has.
//! * [`oidc`] holds the values: issuer, keys, documents, tokens, as types that cannot be wrong. PURE.
//! * [`rotation`] decides which keys are published. PURE.
//! * [`plan`] holds what a command would change, step by step: shown, then applied as shown. PURE.
//! * [`publication`] brings the two public documents up to date: observe, plan, apply, read back.
//! * [`bucket`] stores the two documents where everyone can read them.
//! * [`federation`] makes a provider believe the cluster's tokens.
//! * [`secret_store`] turns trust into manifests, and what objects do through a store into rights. PURE.
//! * [`distro`] knows where a distribution keeps its issuer flags. PURE.
//! * [`audit`] counts the credentials that never expire. PURE.
//! * [`coupling`] states which cloud the cluster's parts tie a platform to. PURE.
//! * [`target`] resolves which cluster and account a run is about, and refuses another cluster than the settings name.
//! * [`watch`] decides what `publish --watch` does between its looks. PURE.
//! * [`relying_party`] reads public URLs only, and judges what it finds as the strictest verifier does.
//! * [`commands`] bring it together: observe, decide, show, act.
//!
//! `async` is the mark of I/O: what is PURE has none, and no clock, environment, file or output.

mod arrival;
mod ask;
mod audit;
mod authorities;
mod azure;
mod base_url;
mod bucket;
mod cli;
mod cluster;
mod commands;
mod config;
mod coupling;
mod credential_file;
mod credentials;
mod distro;
mod error;
mod exit;
mod federation;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod go_duration;
mod google;
mod guard;
mod hex;
mod http;
mod interrupt;
mod lifetime;
mod oidc;
mod panic;
mod pattern;
mod plan;
mod publication;
mod redact;
mod relying_party;
mod report;
mod retirement;
mod retry;
mod rfc3339;
mod rotation;
mod secret;
mod secret_store;
mod shell;
mod signal;
mod target;
mod waiting;
mod warning;
mod watch;
mod xml;
mod yaml;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    process::ExitCode,
    time::SystemTime,
};

use serde_json::json;

use crate::{
    cli::{Cli, Command},
    commands::{Exit, keys, publish, render, setup, teardown, verify},
    config::Settings,
    error::{Code, Error, Kind, Result},
    interrupt::Interrupt,
    report::{Colour, Lines, Report, When, Wish},
};

/// Runs the program with these arguments and gives back its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    std::panic::set_hook(Box::new(panic::hook));
    let arguments: Vec<_> = arguments.into_iter().collect();
    arguments.iter().for_each(|argument| redact::remember_url(&argument.to_string_lossy()));
    config::remember_environment(config::environment);
    let mut cli = match Cli::read(arguments.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => {
            let when = When::asked(arguments.iter().filter_map(|argument| argument.to_str()));
            return cli::refused(error, colour(when).messages);
        }
    };
    cli.remember(arguments.iter().skip(1));
    traces(cli.common.verbose);
    let (mut data, mut messages) = (io::BufWriter::new(io::stdout()), io::stderr());
    let interrupt = Interrupt::new();
    let mut report = Report::new(cli.common.output, cli.common.verbose > 0, &mut data, &mut messages)
        .interrupted_by(&interrupt)
        .coloured(colour(cli.common.color))
        .wrapped(width())
        .quiet(cli.common.quiet);
    let exit = match execute(&mut cli, &mut report) {
        Ok(exit) => exit.code(),
        Err(error) if error.kind == Kind::Declined => {
            report.say(&error.message);
            report.json(cli.command.name(), json!({ "outcome": "declined" }));
            1
        }
        Err(error) => {
            let interrupted = matches!(error.kind, Kind::Interrupted(_));
            let words = if interrupted { interrupt.last_words() } else { Vec::new() };
            let error = words.into_iter().fold(error, Error::hint);
            report.error(cli.command.name(), &error);
            match error.kind {
                Kind::Declined => 1,
                Kind::Usage => 2,
                Kind::Failed => 3,
                Kind::Interrupted(signal) => signal.exit_code(),
            }
        }
    };
    match report.finish() {
        Ok(()) => ExitCode::from(exit),
        Err(error) => {
            report.error(cli.command.name(), &error);
            ExitCode::from(3)
        }
    }
}

/// Which of the two streams get colour.
fn colour(when: When) -> Colour {
    let wish = Wish::read(|name| Some(config::environment(name)?.to_string_lossy().into_owned()));
    Colour {
        data: wish.colours(when, io::stdout().is_terminal()),
        messages: wish.colours(when, io::stderr().is_terminal()),
    }
}

/// Columns of the terminal that the result goes to; `None`: it goes elsewhere.
fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(size.ws_col.into()).filter(|columns| *columns > 0)
}

/// One thread: everything here waits for the network.
fn execute(cli: &mut Cli, report: &mut Report<'_>) -> Result<Exit> {
    if let Command::Apply(args) = &cli.command {
        *cli = commands::saved::load(args, &cli.common)?;
    }
    cli.name_settings();
    let cli = &*cli;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::failed(Code::Runtime, "the program cannot wait for the network on this system")
            .caused_by(error)
    })?;
    let interrupt = report.interrupt().clone();
    interrupt.listen(cli.time_limit())?;
    let done = runtime.block_on(interrupt.run(async {
        if let Some(done) = commands::without_settings(&cli.command, &cli.common, report) {
            return done;
        }
        let audience = match &cli.command {
            Command::Verify(args) => args.audience.as_deref(),
            _ => None,
        };
        let settings = Settings::resolve(&cli.common, audience, config::environment_of(&cli.command))?;
        settings.announcement.iter().for_each(|line| report.progress(line));
        settings.warnings.iter().for_each(|warning| report.warning(warning));
        let done = match &cli.command {
            // It is the command that the plan was saved by, from here on.
            Command::Apply(_)
            | Command::Completions(_)
            | Command::Explain(_)
            | Command::Man(_)
            | Command::Version(_) => Ok(Exit::Clean),
            Command::Config(args) => commands::config::run(args, &cli.common, &settings, report),
            Command::Audit(args) => {
                commands::audit::run(args, &cli.common.context, &settings, now, report).await
            }
            Command::Coupling(_) => commands::coupling::run(&settings, report).await,
            Command::Doctor(_) => commands::doctor::run(&settings, now, report).await,
            Command::Keys(args) => keys::run(args, &settings, now, report).await,
            Command::Publish(args) if args.watch.watch => {
                publish::watch(&args.watch, &settings, now, report).await
            }
            Command::Publish(args) => {
                publish::run(&publish::Intent::from(args), &settings, now, report).await
            }
            Command::Setup(args) => setup::run(args, &settings, now, report).await,
            Command::Status(_) => commands::status::run(&settings, now, report).await,
            Command::Teardown(args) => teardown::run(args, &settings, report).await,
            Command::Verify(args) => verify::run(args, &settings, now, report).await,
            Command::Render(args) => render::run(args, &settings, report).await,
        };
        match done {
            Err(error) => Err(render::rights::all_missing(error, &cli.command, &settings, report).await),
            done => done,
        }
    }));
    // A name that is still being resolved, or a plugin that hangs, is not waited for.
    runtime.shutdown_background();
    done
}

/// Seconds since 1970 by this machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the clock; everything else takes it as argument"
)]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What is sent where, on stderr, on request. The libraries get no further than `info`, whatever is asked: at
/// finer levels HTTP stacks print headers, and headers hold credentials.
fn traces(verbose: u8) {
    use tracing::{Level, level_filters::LevelFilter};
    use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};
    let filter = match verbose {
        0 => return,
        1 => Targets::new().with_target("keyless", Level::INFO),
        _ => Targets::new()
            .with_default(Level::INFO)
            // Quotes what it does not understand of the files that hold AWS credentials.
            .with_target("aws_runtime::env_config", LevelFilter::OFF),
    };
    let lines = fmt::layer().with_writer(|| Lines(io::stderr())).without_time().with_ansi(false);
    drop(tracing_subscriber::registry().with(lines).with(filter).try_init());
}
