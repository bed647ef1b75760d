//! Which call of `setup` needs which answer, and the longest chain of calls that follows from it.

use std::time::{Duration, Instant};

use lab::Call;
use serde_json::{Value, json};

/// A kind of call, and why it cannot be made earlier.
struct Row {
    name: &'static str,
    /// Host's first label, method, part of path and query: the first row that fits is meant.
    call: (&'static str, &'static str, &'static str),
    /// How often it has to be made.
    times: usize,
    /// Names of other rows, each with the reason.
    needs: &'static [(&'static str, &'static str)],
}

/// The name of all rows that need nothing.
const READS: &str = "look at everything, at the same time";
/// The stand-in answers the first look at an operation with "not done", as Google does.
const LOOKS: usize = 2;
pub(crate) const POLLS: u32 = LOOKS as u32 - 1;
/// One for TCP, one for TLS 1.3.
const TRIPS_OF_CONNECTING: usize = 2;
const PLAN: (&str, &str) = (READS, "the whole plan is shown and agreed to before the first write");

const TABLE: [Row; 20] = [
    read("look which services are enabled", ("serviceusage", "GET", "/services:batchGet")),
    read("look at the project", ("cloudresourcemanager", "GET", "/projects/")),
    read("look at the project's policy", ("cloudresourcemanager", "POST", ":getIamPolicy")),
    read("look at the secret's policy", ("secretmanager", "GET", ":getIamPolicy")),
    Row {
        name: "enable the services",
        call: ("serviceusage", "POST", "/services:batchEnable"),
        times: 1,
        needs: &[PLAN],
    },
    Row {
        name: "look at the services' operation until it is done",
        call: ("serviceusage", "GET", "/operations/"),
        times: LOOKS,
        needs: &[("enable the services", "its answer names the operation")],
    },
    Row {
        name: "make the provider",
        call: ("iam", "POST", "/providers?"),
        times: 1,
        needs: &[("look at the pool's operation until it is done", "it is made in a pool that is there")],
    },
    Row {
        name: "look at the provider's operation until it is done",
        call: ("iam", "GET", "/providers/cluster/operations/"),
        times: LOOKS,
        needs: &[("make the provider", "its answer names the operation")],
    },
    Row { name: "make the pool", call: ("iam", "POST", "/workloadIdentityPools?"), times: 1, needs: &[PLAN] },
    Row {
        name: "look at the pool's operation until it is done",
        call: ("iam", "GET", "/operations/"),
        times: LOOKS,
        needs: &[("make the pool", "its answer names the operation")],
    },
    read("look at the pool's providers", ("iam", "GET", "/providers?")),
    read("look at the pool", ("iam", "GET", "/workloadIdentityPools/")),
    // For the plan; after each act, whose effect is never taken for granted; and right before it is deleted.
    Row { times: 5, ..read("look at the old key", ("iam", "GET", "/keys/")) },
    read("ask when the old key was used last", ("policyanalyzer", "GET", "/activities:query")),
    Row {
        name: "let the workload read the secret",
        call: ("secretmanager", "POST", ":setIamPolicy"),
        times: 1,
        needs: &[
            PLAN,
            (
                "look at the pool's operation until it is done",
                "nothing is granted to a pool that may not exist",
            ),
        ],
    },
    Row {
        name: "exchange a token of the workload",
        call: ("sts", "POST", "/v1/token"),
        times: 1,
        needs: &[
            (
                "look at the provider's operation until it is done",
                "the provider must know the cluster's keys",
            ),
            ("look at the services' operation until it is done", "the token service must be enabled"),
        ],
    },
    Row {
        name: "read the secret with it",
        call: ("secretmanager", "GET", ":access"),
        times: 1,
        needs: &[
            ("exchange a token of the workload", "it is asked with the token that was exchanged"),
            ("let the workload read the secret", "it must be allowed to"),
        ],
    },
    Row {
        name: "disable the old key",
        call: ("iam", "POST", ":disable"),
        times: 1,
        needs: &[("read the secret with it", "the old way stays until the new one has read a secret")],
    },
    Row {
        name: "delete the old key",
        call: ("iam", "DELETE", "/keys/"),
        times: 1,
        needs: &[("disable the old key", "it is deleted only when nothing broke without it")],
    },
    // No call waits for its answer.
    read("open the way to the token service", ("sts", "HEAD", "/")),
];

const fn read(name: &'static str, call: (&'static str, &'static str, &'static str)) -> Row {
    Row { name, call, times: 1, needs: &[] }
}

/// One step of the longest chain.
pub(crate) struct Step {
    name: String,
    why: &'static str,
    /// Round trips that it takes.
    trips: usize,
    row: Option<&'static Row>,
}

/// The longest chain through the rows of the table: connecting first, then call after call.
pub(crate) fn longest() -> Vec<Step> {
    let ends: Vec<Vec<Step>> = TABLE.iter().filter(|row| !row.needs.is_empty()).map(until).collect();
    ends.into_iter().max_by_key(|chain| trips(chain)).unwrap_or_default()
}

pub(crate) fn trips(chain: &[Step]) -> usize {
    chain.iter().map(|step| step.trips).sum()
}

/// The longest chain that ends with this row.
fn until(row: &'static Row) -> Vec<Step> {
    let chains = row.needs.iter().map(|(name, why)| (before(name), *why));
    let longest = chains.max_by_key(|(chain, _)| trips(chain));
    let (mut chain, why) = longest.unwrap_or_else(|| (connecting(), "its connection is open"));
    for _ in 0..row.times {
        chain.push(Step { name: row.name.to_owned(), why, trips: 1, row: Some(row) });
    }
    chain
}

fn before(name: &str) -> Vec<Step> {
    if name == READS {
        let mut chain = connecting();
        chain.push(Step { name: READS.to_owned(), why: "the connections are open", trips: 1, row: None });
        return chain;
    }
    let row = TABLE.iter().find(|row| row.name == name);
    until(row.unwrap_or_else(|| panic!("no row is called {name}")))
}

fn connecting() -> Vec<Step> {
    let name = "connect to Google, with TLS".to_owned();
    vec![Step { name, why: "nothing was asked before", trips: TRIPS_OF_CONNECTING, row: None }]
}

/// The row that a call belongs to.
fn row(call: &Call) -> Option<&'static Row> {
    TABLE.iter().find(|row| {
        let (host, method, part) = row.call;
        call.host.split('.').next() == Some(host) && call.method == method && call.path.contains(part)
    })
}

/// The chain, with the moment at which each step was over in one run, in milliseconds after its start.
pub(crate) fn beside(chain: &[Step], calls: &[Call], start: Instant, one_way: Duration) -> Value {
    let seen = |call: &Call| {
        let end = call.answered.unwrap_or(call.arrived) + one_way;
        end.duration_since(start).as_secs_f64() * 1000.0
    };
    let is_read = |call: &Call| row(call).is_some_and(|row| row.needs.is_empty());
    let mut due = 0;
    let mut shown = Vec::new();
    for (index, step) in chain.iter().enumerate() {
        due += step.trips;
        let end = match step.row {
            Some(wanted) => {
                let earlier = chain[..index].iter().filter(|other| other.name == step.name).count();
                let same = |call: &&Call| row(call).is_some_and(|row| row.name == wanted.name);
                calls.iter().filter(same).nth(earlier).map(seen)
            }
            // From the first piece of the first call to the last answer of all that are made at the same time.
            None if index == 0 => calls
                .first()
                .map(|call| (call.arrived - one_way).duration_since(start).as_secs_f64() * 1000.0),
            None => {
                let first_write = calls.iter().position(|call| !is_read(call)).unwrap_or(calls.len());
                calls[..first_write].iter().map(seen).reduce(f64::max)
            }
        };
        shown.push(json!({"name": step.name, "why": step.why, "trips": step.trips, "due": due, "seen": end}));
    }
    json!(shown)
}

/// Every call of one run, in milliseconds after its start: when it left, when its answer was here, and what was asked.
pub(crate) fn timeline(calls: &[Call], start: Instant, one_way: Duration) -> Value {
    let after = |moment: Instant| moment.saturating_duration_since(start).as_secs_f64() * 1000.0;
    let line = |call: &Call| {
        let sent = call.arrived.checked_sub(one_way).unwrap_or(call.arrived);
        let answered = call.answered.map(|moment| after(moment + one_way).round());
        let name = row(call).map(|row| row.name);
        json!({"sent": after(sent).round(), "answered": answered, "name": name, "call": format!("{} {}{}", call.method, call.host, call.path)})
    };
    calls.iter().map(line).collect()
}

/// Calls that the table has no need of: made more often than needed, or not in it.
pub(crate) fn superfluous(calls: &[Call]) -> Vec<String> {
    let mut counts: Vec<(String, usize, usize)> = Vec::new();
    for call in calls {
        let (name, times) = match row(call) {
            Some(row) => (row.name.to_owned(), row.times),
            None => (format!("{} {}{}", call.method, call.host, call.path), 0),
        };
        match counts.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, count, _)) => *count += 1,
            None => counts.push((name, 1, times)),
        }
    }
    let too_many = counts.into_iter().filter(|(_, count, times)| count > times);
    too_many.map(|(name, count, times)| format!("{name}: {count} times instead of {times}")).collect()
}

/// The rows of the table that were not made at all.
pub(crate) fn missing(calls: &[Call]) -> Vec<&'static str> {
    let made: Vec<&str> = calls.iter().filter_map(row).map(|row| row.name).collect();
    let needed = TABLE.iter().filter(|row| !row.needs.is_empty());
    needed.map(|row| row.name).filter(|name| !made.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, host: &str, path: &str) -> Call {
        Call {
            method: method.into(),
            host: format!("{host}.googleapis.com"),
            path: path.into(),
            headers: Vec::new(),
            body_len: 0,
            who: None,
            action: None,
            status: Some(200),
            arrived: Instant::now(),
            answered: None,
        }
    }

    #[test]
    fn longest_chain_follows_from_dependencies() {
        let chain = longest();
        let names: Vec<&str> = chain.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names.first(), Some(&"connect to Google, with TLS"));
        assert_eq!(names.last(), Some(&"delete the old key"));
        assert!(!names.contains(&"let the workload read the secret"), "it can be done beside the provider");
        assert_eq!(trips(&chain), 2 + 1 + 3 + 3 + 2 + 2);
    }

    #[test]
    fn calls_beyond_the_table_are_named() {
        let look = call("GET", "cloudresourcemanager", "/v1/projects/acme-prod");
        let odd = call("GET", "iam", "/v1/permissions");
        assert!(superfluous(std::slice::from_ref(&look)).is_empty());
        let found = superfluous(&[look.clone(), look.clone(), odd]);
        assert_eq!(found[0], "look at the project: 2 times instead of 1");
        assert_eq!(found[1], "GET iam.googleapis.com/v1/permissions: 1 times instead of 0");
        assert_eq!(missing(&[look]).len(), 11);
    }
}
