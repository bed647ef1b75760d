//! Arguments of `publish --watch`.

use std::{net::SocketAddr, time::Duration};

use clap::{ArgMatches, Args};

use super::setup::parse_wait;
use crate::{
    cluster::{is_label, is_subdomain},
    redact,
};

/// Publish for as long as the process lives.
#[derive(Debug, Args)]
#[command(next_help_heading = "Watch")]
pub(crate) struct WatchArgs {
    /// Stay, and publish again and again: for a Deployment. Errors are retried; SIGTERM ends it with exit code 0
    #[arg(long, conflicts_with_all = ["create", "dry_run", "same_cluster", "restore", "yes", "out"])]
    pub(crate) watch: bool,

    /// How long to wait between two looks, 1s to 1h; by default watch.poll of the settings file, else 10s. After a change, and when an API server becomes sick, the
    /// next looks follow faster
    #[arg(long, value_name = "TIME", value_parser = parse_poll, requires = "watch")]
    pub(crate) poll: Option<Duration>,

    /// Serve /metrics, /livez and /readyz there, without authentication, e.g. 0.0.0.0:9102; by default nothing is served
    #[arg(long, value_name = "ADDR:PORT", value_parser = parse_address, requires = "watch")]
    pub(crate) metrics_address: Option<SocketAddr>,

    /// Write only while holding this Lease, for several replicas; without a value the Lease keyless-publisher beside the ledger
    #[arg(
        long, value_name = "NAMESPACE/NAME", num_args = 0..=1, default_missing_value = "", value_parser = parse_lease,
        requires = "watch"
    )]
    pub(crate) lease: Option<LeaseFlag>,
}

/// What `--lease` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeaseFlag {
    BesideTheLedger,
    Named { namespace: String, name: String },
}

impl WatchArgs {
    /// The time between two looks. `set`: by the settings file.
    pub(crate) fn poll(&self, set: Option<Duration>) -> Duration {
        self.poll.or(set).unwrap_or(POLL)
    }
}

/// Of the global flags, `--watch` takes neither of these. The parser would find the conflict only where the flag follows the command.
pub(super) fn refused(matches: &ArgMatches) -> Option<String> {
    let publish = matches.subcommand_matches("publish").filter(|publish| publish.get_flag("watch"))?;
    let flag = match (publish.get_flag("quiet"), publish.get_one::<Duration>("timeout")) {
        (true, _) => "--quiet",
        (_, Some(_)) => "--timeout <TIME>",
        _ => return None,
    };
    Some(format!("the argument '--watch' cannot be used with '{flag}'"))
}

const POLL: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// Of the flag, and of `watch.poll` in the settings file.
pub(crate) fn parse_poll(text: &str) -> Result<Duration, String> {
    let poll = parse_wait(text)?;
    match (SHORTEST..=LONGEST).contains(&poll) {
        true => Ok(poll),
        false => Err("it is not between 1s and 1h".to_owned()),
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write IP:PORT, e.g. 0.0.0.0:9102 or [::]:9102".to_owned())
}

fn parse_lease(text: &str) -> Result<LeaseFlag, String> {
    match text.split_once('/') {
        _ if text.is_empty() => Ok(LeaseFlag::BesideTheLedger),
        Some((namespace, name)) if is_label(namespace) && is_subdomain(name) => {
            Ok(LeaseFlag::Named { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err(format!(
            "`{}` does not name a Lease; write NAMESPACE/NAME, e.g. keyless-system/keyless-publisher",
            redact::given(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_bounded() {
        for (text, seconds) in [("1s", 1), ("10s", 10), ("10", 10), ("1h", 3600), ("1m30s", 90)] {
            assert_eq!(parse_poll(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["0", "0s", "999ms", "3601s", "2h", "-1s", "", "x", "1e9", "18446744073709551616"] {
            assert!(parse_poll(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_numbers() {
        for text in ["0.0.0.0:9102", "127.0.0.1:0", "[::]:9102"] {
            assert!(parse_address(text).is_ok(), "{text}");
        }
        for text in
            ["", ":9102", "9102", "localhost:9102", "0.0.0.0", "0.0.0.0:65536", "::1:9102", "http://a:1"]
        {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lease_names_its_namespace() {
        assert_eq!(parse_lease(""), Ok(LeaseFlag::BesideTheLedger));
        assert!(matches!(parse_lease("keyless/keyless-publisher"), Ok(LeaseFlag::Named { .. })));
        for text in ["a", "a/", "/b", "a/b/c", "A/b", "a.b/c", "a/../b", "a/b?x", " /b"] {
            assert!(parse_lease(text).is_err(), "{text}");
        }
    }
}
