//! Which call of `setup` needs which answer, and the longest chain of calls that follows from it.

use std::time::{Duration, Instant};

use lab::Call;
use serde_json::{Value, json};

mod aws;
mod entra;

pub(crate) use self::aws::AWS;
pub(crate) use self::entra::ENTRA;

/// A kind of call, and why it cannot be made earlier.
struct Row {
    name: &'static str,
    /// Host's first label, method, part of path and query; or the action, where every path is the same. Of several rows that
    /// fit, that one is meant whose answer the next calls need.
    call: (&'static str, &'static str, &'static str),
    /// How often it has to be made.
    times: usize,
    /// Names of other rows, each with the reason.
    needs: &'static [(&'static str, &'static str)],
}

/// What `setup` asks of one provider.
pub(crate) struct Table {
    /// For people.
    pub(crate) title: &'static str,
    rows: &'static [Row],
    /// The row of a login that comes before everything else.
    login: Option<&'static str>,
}

pub(crate) const GOOGLE: Table = Table { title: "Google", rows: &TABLE, login: None };

/// The name of all rows that need nothing.
const READS: &str = "look at everything, at the same time";
/// The stand-in answers the first look at an operation with "not done", as Google does.
const LOOKS: usize = 2;
pub(crate) const POLLS: u32 = LOOKS as u32 - 1;
/// One for TCP, one for TLS 1.3.
pub(crate) const TRIPS_OF_CONNECTING: usize = 2;
const PLAN: (&str, &str) = (READS, "the whole plan is shown and agreed to before the first write");

const TABLE: [Row; 25] = [
    read("look which services are enabled", ("serviceusage", "GET", "/services:batchGet")),
    read("look at the project", ("cloudresourcemanager", "GET", "/projects/")),
    read("look at the project's policy", ("cloudresourcemanager", "POST", ":getIamPolicy")),
    read("ask what the login may do in the project", ("cloudresourcemanager", "POST", ":testIamPermissions")),
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
    read("look at the old key", ("iam", "GET", "/keys/")),
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
        name: "ask whether the old key was used since",
        call: ("policyanalyzer", "GET", "/activities:query"),
        times: 1,
        needs: &[(
            "read the secret with it",
            "the store turns to what has read a secret, and then leaves the key",
        )],
    },
    Row {
        name: "disable the old key",
        call: ("iam", "POST", ":disable"),
        times: 1,
        needs: &[
            ("read the secret with it", "the old way stays until the new one has read a secret"),
            ("ask whether the old key was used since", "a use that is not known of may be there"),
        ],
    },
    Row {
        name: "see that the old key is disabled",
        call: ("iam", "GET", "/keys/"),
        times: 1,
        needs: &[("disable the old key", "the effect of an act is never taken for granted")],
    },
    Row {
        name: "look at the old key right before it is deleted",
        call: ("iam", "GET", "/keys/"),
        times: 1,
        needs: &[("see that the old key is disabled", "it is deleted only when nothing broke without it")],
    },
    Row {
        name: "delete the old key",
        call: ("iam", "DELETE", "/keys/"),
        times: 1,
        needs: &[(
            "look at the old key right before it is deleted",
            "no key is deleted that another user has enabled again",
        )],
    },
    Row {
        name: "see that the old key is gone",
        call: ("iam", "GET", "/keys/"),
        times: 1,
        needs: &[("delete the old key", "the effect of an act is never taken for granted")],
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

pub(crate) fn trips(chain: &[Step]) -> usize {
    chain.iter().map(|step| step.trips).sum()
}

impl Table {
    /// The longest chain through the rows: connecting first, then call after call.
    pub(crate) fn longest(&self) -> Vec<Step> {
        let ends = self.rows.iter().filter(|row| !row.needs.is_empty()).map(|row| self.until(row));
        ends.max_by_key(|chain| trips(chain)).unwrap_or_default()
    }

    /// The longest chain that ends with this row.
    fn until(&self, row: &'static Row) -> Vec<Step> {
        let chains = row.needs.iter().map(|(name, why)| (self.before(name), *why));
        let longest = chains.max_by_key(|(chain, _)| trips(chain));
        let (mut chain, why) = longest.unwrap_or_else(|| (self.connecting(), "its connection is open"));
        for _ in 0..row.times {
            chain.push(Step { name: row.name.to_owned(), why, trips: 1, row: Some(row) });
        }
        chain
    }

    fn before(&self, name: &str) -> Vec<Step> {
        if name == READS {
            let mut chain = self.connecting();
            let why = "the connections are open";
            chain.push(Step { name: READS.to_owned(), why, trips: 1, row: None });
            return chain;
        }
        self.until(self.named(name))
    }

    fn named(&self, name: &str) -> &'static Row {
        self.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row is called {name}"))
    }

    fn connecting(&self) -> Vec<Step> {
        let name = format!("connect to {}, with TLS", self.title);
        let why = "nothing was asked before";
        let mut chain = vec![Step { name, why, trips: TRIPS_OF_CONNECTING, row: None }];
        chain.extend(self.login.map(|login| Step {
            name: login.to_owned(),
            why: "everything else takes it along",
            trips: 1,
            row: Some(self.named(login)),
        }));
        chain
    }

    /// The calls, each with the row that it belongs to. From the last call to the first: what a row is needed for has come
    /// later. A call that no row takes is a look too many.
    fn rows<'c>(&self, calls: &'c [Call]) -> Vec<(&'c Call, Option<&'static Row>)> {
        let mut made = vec![0; self.rows.len()];
        let fits = |row: &Row, call: &Call| {
            let (host, method, part) = row.call;
            let asked = match &call.action {
                Some(action) => action == part,
                None => call.path.contains(part),
            };
            call.host.split('.').next() == Some(host) && call.method == method && asked
        };
        let mut row = |call: &Call| {
            let fitting = || (0..self.rows.len()).filter(|index| fits(&self.rows[*index], call));
            let needed_later = |index: &usize| {
                let needs = |row: &Row| row.needs.iter().any(|(name, _)| *name == self.rows[*index].name);
                self.rows.iter().zip(&made).all(|(row, made)| *made > 0 || !needs(row))
            };
            let wanted: Vec<_> = fitting()
                .filter(|index| made[*index] < self.rows[*index].times)
                .filter(needed_later)
                .collect();
            // What nothing waits for was made before everything else.
            let waits = wanted.iter().find(|index| !self.rows[**index].needs.is_empty());
            let index = waits.or(wanted.first()).copied().or_else(|| fitting().next())?;
            made[index] += 1;
            self.rows.get(index)
        };
        let mut rows: Vec<_> = calls.iter().rev().map(|call| (call, row(call))).collect();
        rows.reverse();
        rows
    }

    /// The chain, with the moment at which each step was over in one run, in milliseconds after its start.
    pub(crate) fn beside(&self, chain: &[Step], calls: &[Call], start: Instant, one_way: Duration) -> Value {
        let seen = |call: &Call| {
            let end = call.answered.unwrap_or(call.arrived) + one_way;
            end.duration_since(start).as_secs_f64() * 1000.0
        };
        let rows = self.rows(calls);
        let is_read = |row: &Option<&Row>| row.is_none_or(|row| row.needs.is_empty());
        let mut due = 0;
        let mut shown = Vec::new();
        for (index, step) in chain.iter().enumerate() {
            due += step.trips;
            let end = match step.row {
                Some(wanted) => {
                    let earlier = chain[..index].iter().filter(|other| other.name == step.name).count();
                    let mut same =
                        rows.iter().filter(|(_, row)| row.is_some_and(|row| row.name == wanted.name));
                    same.nth(earlier).map(|(call, _)| seen(call))
                }
                // From the first piece of the first call to the last answer of all that are made at the same time.
                None if index == 0 => calls
                    .first()
                    .map(|call| (call.arrived - one_way).duration_since(start).as_secs_f64() * 1000.0),
                None => {
                    let first_write = rows.iter().position(|(_, row)| !is_read(row)).unwrap_or(calls.len());
                    calls[..first_write].iter().map(seen).reduce(f64::max)
                }
            };
            shown.push(
                json!({"name": step.name, "why": step.why, "trips": step.trips, "due": due, "seen": end}),
            );
        }
        json!(shown)
    }

    /// Every call of one run, in milliseconds after its start: when it left, when its answer was here, and what was asked.
    pub(crate) fn timeline(&self, calls: &[Call], start: Instant, one_way: Duration) -> Vec<Value> {
        let after = |moment: Instant| moment.saturating_duration_since(start).as_secs_f64() * 1000.0;
        let line = |(call, row): (&Call, Option<&Row>)| {
            let sent = call.arrived.checked_sub(one_way).unwrap_or(call.arrived);
            let answered = call.answered.map(|moment| after(moment + one_way).round());
            let name = row.map(|row| row.name);
            json!({"sent": after(sent).round(), "answered": answered, "name": name, "call": shown(call)})
        };
        self.rows(calls).into_iter().map(line).collect()
    }

    /// Calls that the table has no need of: made more often than needed, or not in it.
    pub(crate) fn superfluous(&self, calls: &[Call]) -> Vec<String> {
        let mut counts: Vec<(String, usize, usize)> = Vec::new();
        for (call, row) in self.rows(calls) {
            let (name, times) = match row {
                Some(row) => (row.name.to_owned(), row.times),
                None => (shown(call), 0),
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
    pub(crate) fn missing(&self, calls: &[Call]) -> Vec<&'static str> {
        let made: Vec<&str> = self.rows(calls).into_iter().filter_map(|(_, row)| Some(row?.name)).collect();
        let needed = self.rows.iter().filter(|row| !row.needs.is_empty());
        needed.map(|row| row.name).filter(|name| !made.contains(name)).collect()
    }
}

fn shown(call: &Call) -> String {
    let action = call.action.as_deref().unwrap_or_default();
    format!("{} {}{}{action}", call.method, call.host, call.path)
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
        let chain = GOOGLE.longest();
        let names: Vec<&str> = chain.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names.first(), Some(&"connect to Google, with TLS"));
        assert_eq!(names.last(), Some(&"see that the old key is gone"));
        assert!(!names.contains(&"let the workload read the secret"), "it can be done beside the provider");
        assert_eq!(trips(&chain), 2 + 1 + 3 + 3 + 2 + 2 + 4);
    }

    #[test]
    fn calls_beyond_the_table_are_named() {
        let look = call("GET", "cloudresourcemanager", "/v1/projects/acme-prod");
        let odd = call("GET", "iam", "/v1/permissions");
        assert!(GOOGLE.superfluous(std::slice::from_ref(&look)).is_empty());
        let found = GOOGLE.superfluous(&[look.clone(), look.clone(), odd]);
        assert_eq!(found[0], "look at the project: 2 times instead of 1");
        assert_eq!(found[1], "GET iam.googleapis.com/v1/permissions: 1 times instead of 0");
        assert_eq!(GOOGLE.missing(&[look]).len(), 15);
    }

    #[test]
    fn same_call_later_is_another_row() {
        let key = "/v1/projects/p/serviceAccounts/e/keys/k";
        let look = || call("GET", "iam", key);
        let disable = call("POST", "iam", &format!("{key}:disable"));
        let made = [look(), look(), disable, look(), look(), call("DELETE", "iam", key), look()];
        let names: Vec<_> = GOOGLE.rows(&made).into_iter().map(|(_, row)| row.map(|row| row.name)).collect();
        assert_eq!(names[1], Some("look at the old key"));
        assert_eq!(names[3], Some("see that the old key is disabled"));
        assert_eq!(names[4], Some("look at the old key right before it is deleted"));
        assert_eq!(names[6], Some("see that the old key is gone"));
        assert_eq!(GOOGLE.superfluous(&made), ["look at the old key: 2 times instead of 1"]);
    }

    #[test]
    fn every_table_has_its_chain() {
        for (table, last, length) in [
            (AWS, "see that the old key is gone", 2 + 1 + 4 + 6),
            (ENTRA, "see that the old secret is gone", 3 + 1 + 7 + 6),
        ] {
            let chain = table.longest();
            assert_eq!(chain.last().map(|step| step.name.as_str()), Some(last));
            assert_eq!(trips(&chain), length, "{}", table.title);
        }
    }
}
