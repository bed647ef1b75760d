//! `keyless setup` against Google at the end of a long wire, beside the same steps as a script of gcloud commands.
//! Started by measure.py; what it measured goes to stdout as JSON.
//!
//!     setup KEYLESS RUNS         measures this binary
//!     setup KEYLESS RUNS aws     the same at AWS, or at Entra (entra), without a script beside it
//!     setup --record FILE        writes down what gcloud asks, for those who do not have it

mod chain;
mod documents;
mod ground;
mod in_a_row;
mod script;

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chain::Table;
use crate::ground::{Ground, Ran};

/// A round trip of 50 ms.
const ONE_WAY: Duration = Duration::from_millis(25);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--record", file] => {
            let ground = for_script(Duration::ZERO)?;
            let (_, asked) = script::gcloud(&ground)?;
            script::record(&ground, &asked, Path::new(file))
        }
        [keyless, runs] => measure(&std::fs::canonicalize(keyless)?, runs.parse()?).await,
        [keyless, runs, "aws"] => {
            measure_alone(&chain::AWS, documents::aws, &std::fs::canonicalize(keyless)?, runs.parse()?)
        }
        [keyless, runs, "entra"] => {
            measure_alone(&chain::ENTRA, documents::entra, &std::fs::canonicalize(keyless)?, runs.parse()?)
        }
        _ => Err("setup KEYLESS RUNS [aws|entra]".into()),
    }
}

async fn measure(keyless: &Path, runs: usize) -> Result<(), Box<dyn Error>> {
    let version = gcloud_version();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first turn warms up.
    for turn in 0..=runs {
        eprintln!(
            "bench: setup and the same steps by {}, {turn} of {runs}",
            version.as_deref().unwrap_or("recorded requests")
        );
        let ran = Ground::new(ONE_WAY)?.setup(keyless)?;
        let ground = for_script(ONE_WAY)?;
        let script = match version {
            Some(_) => script::gcloud(&ground)?.0,
            None => script::recorded(&ground).await?,
        };
        if turn > 0 {
            ours.push(ran);
            theirs.push(script);
        }
    }
    let mut figures = figures(&chain::GOOGLE, &ours)?;
    figures["gcloud"] = json!(version);
    figures["theirs"] = theirs.iter().map(Duration::as_secs_f64).collect();
    println!("{figures}");
    Ok(())
}

/// One run.
type Run = fn(&Path, Duration) -> Result<Ran, Box<dyn Error>>;

fn measure_alone(table: &Table, run: Run, keyless: &Path, runs: usize) -> Result<(), Box<dyn Error>> {
    let mut ours = Vec::new();
    // The first turn warms up.
    for turn in 0..=runs {
        eprintln!("bench: setup at {}, {turn} of {runs}", table.title);
        let ran = run(keyless, ONE_WAY)?;
        if turn > 0 {
            ours.push(ran);
        }
    }
    println!("{}", figures(table, &ours)?);
    Ok(())
}

fn figures(table: &Table, ours: &[Ran]) -> Result<Value, Box<dyn Error>> {
    let longest = table.longest();
    let trip = 2.0 * ONE_WAY.as_secs_f64();
    let mut by_wall: Vec<&Ran> = ours.iter().collect();
    by_wall.sort_by_key(|ran| ran.wall);
    let median = by_wall[by_wall.len() / 2];
    let missing = table.missing(&median.calls);
    if !missing.is_empty() {
        return Err(format!(
            "setup no longer does this: {}; the table of calls must say why",
            missing.join(", ")
        )
        .into());
    }
    Ok(json!({
        "provider": table.title,
        "trip": trip,
        "ours": ours.iter().map(|ran| ran.wall.as_secs_f64()).collect::<Vec<_>>(),
        "calls": median.calls.len(),
        "chain": chain::trips(&longest) as f64 * trip,
        "chainCalls": chain::trips(&longest) - chain::TRIPS_OF_CONNECTING,
        "inARow": ours.iter().map(|ran| in_a_row::in_a_row(&ran.calls, ONE_WAY)).collect::<Vec<_>>(),
        "steps": table.beside(&longest, &median.calls, median.start, ONE_WAY),
        "timeline": table.timeline(&median.calls, median.start, ONE_WAY),
        "timelineOfCluster": table.timeline(&median.at_cluster, median.start, Duration::ZERO),
        "superfluous": table.superfluous(&median.calls),
    }))
}

/// gcloud does not wait until a pool is there. In favour of the script, everything is there at once.
fn for_script(one_way: Duration) -> Result<Ground, Box<dyn Error>> {
    let ground = Ground::new(one_way)?;
    ground.google.change(|settings| settings.operation_time = Duration::ZERO);
    Ok(ground)
}

/// `None` where it is not installed.
fn gcloud_version() -> Option<String> {
    let output = Command::new("gcloud").arg("version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("Google Cloud SDK "))
        .map(|version| format!("gcloud {version}"))
}
