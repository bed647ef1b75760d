//! Whether what is read through a store goes on being read, by the clock that each ExternalSecret has itself.
//! Nothing is written to an ExternalSecret, not even to hurry it.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    cluster::{
        Cluster,
        objects::{Look, Object},
        snapshot::EXTERNAL_SECRETS,
    },
    error::{Check, Result},
    relying_party::Finding,
    retry::{Attempts, Backoff},
    secret_store::RefreshInterval,
};

const CHECK: Check = Check::ExternalSecretRefreshed;
/// Up to this interval the next reading is waited for.
const SOON: Duration = Duration::from_secs(60);
/// How much later than its interval a reading may come: the operator has a queue, and clocks differ.
const SLACK: Duration = Duration::from_secs(120);
/// The same where it is waited for: only the queue counts.
const GRACE: Duration = Duration::from_secs(30);
/// Between two looks at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

/// Judges the one of these ExternalSecrets that is read most often. `now` is asked for seconds since 1970, `say`
/// gets the reason of waiting.
pub(super) async fn judge(
    cluster: &Cluster,
    users: &[&Object],
    now: fn() -> u64,
    say: impl FnOnce(&str),
) -> Finding {
    let most_often = users.iter().min_by_key(|user| match RefreshInterval::of(user) {
        RefreshInterval::Every(interval) => (0, interval),
        RefreshInterval::Never(_) => (1, Duration::ZERO),
    });
    let Some(user) = most_often else {
        return Finding::skipped(CHECK, "ExternalSecrets", "none reads through this store");
    };
    let interval = match RefreshInterval::of(user) {
        RefreshInterval::Every(interval) => interval,
        RefreshInterval::Never(why) => {
            let last = match read_at(user) {
                "" => "never read".to_owned(),
                at => format!("last read at {at}"),
            };
            return Finding::skipped(
                CHECK,
                subject(user),
                format!("not read again by the clock: {why}; {last}"),
            );
        }
    };
    if user.is_ready() != Some(true) {
        return Finding::skipped(CHECK, subject(user), "it is not ready");
    }
    if interval > SOON {
        return judge_age(user, interval, now());
    }
    say(&format!(
        "waiting until {} is read again (its refreshInterval is {})",
        user.describe(),
        RefreshInterval::text(user)
    ));
    until_read_again(cluster, user, interval).await
}

/// Waits for a reading later than the one in `before`. Compared with itself, no clock but the operator's counts.
async fn until_read_again(cluster: &Cluster, before: &Object, interval: Duration) -> Finding {
    let [first, longest] = PAUSES.map(|pause| pause.min(interval));
    let mut attempts = Attempts::begin(Backoff::poll(first, longest, interval.saturating_add(GRACE)));
    let mut last = before.clone();
    loop {
        if !attempts.pause(None).await {
            let waited = attempts.elapsed().as_secs();
            return stale(&last, format!("not read again in {waited} s, last at {}", read_at(&last)));
        }
        let after = match again(cluster, before).await {
            Ok(Look::Seen(after)) => after,
            Ok(Look::Absent) => {
                let remedy = "apply it again, or leave it out: run `keyless verify` again";
                return Finding::failed(
                    CHECK,
                    subject(before),
                    "it is gone",
                    "another user has just deleted it",
                    remedy,
                );
            }
            Ok(Look::Unseen(unseen)) => return Finding::skipped(CHECK, subject(before), unseen.to_string()),
            Err(error) => return Finding::refused(CHECK, subject(before), &error),
        };
        if after.is_ready() == Some(true) && read_at(&after) != read_at(before) {
            let seen = format!(
                "read again at {}; its refreshInterval is {}",
                read_at(&after),
                RefreshInterval::text(&after)
            );
            return Finding::passed(CHECK, subject(before), seen);
        }
        last = after;
    }
}

async fn again(cluster: &Cluster, user: &Object) -> Result<Look<Object>> {
    let version = user.text("/apiVersion").rsplit('/').next().unwrap_or("v1");
    cluster.look_at(&EXTERNAL_SECRETS.at_version(version), Some(user.namespace()), user.name()).await
}

fn judge_age(user: &Object, interval: Duration, now: u64) -> Finding {
    let Ok(at) = read_at(user).parse::<Timestamp>() else {
        return stale(user, "it was never read".to_owned());
    };
    let age = now.saturating_sub(u64::try_from(at.as_second()).unwrap_or_default());
    let seen =
        format!("read {age} s ago; its refreshInterval is {}", RefreshInterval::text(user).escape_debug());
    if Duration::from_secs(age) <= interval.saturating_add(SLACK) {
        Finding::passed(CHECK, subject(user), seen)
    } else {
        stale(user, seen)
    }
}

fn stale(user: &Object, seen: String) -> Finding {
    Finding::failed(
        CHECK,
        subject(user),
        seen,
        format!("the operator does not read it any more; it says {}", user.condition_text()),
        "see whether the operator runs, and its log: kubectl -n external-secrets logs deployment/external-secrets",
    )
}

fn subject(user: &Object) -> String {
    format!("refresh of {}", user.describe())
}

fn read_at(user: &Object) -> &str {
    user.text("/status/refreshTime")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::relying_party::Outcome;

    const NOON: u64 = 1_794_398_400; // 2026-11-11T12:00:00Z

    fn user(spec: Value, refreshed: &str) -> Object {
        Object(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": { "name": "db", "namespace": "shop" }, "spec": spec,
            "status": { "refreshTime": refreshed, "conditions": [
                { "type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced" }] },
        }))
    }

    #[test]
    fn reading_older_than_interval_is_stale() {
        let hour = Duration::from_secs(3600);
        let judge = |at: &str| judge_age(&user(json!({ "refreshInterval": "1h" }), at), hour, NOON).outcome;
        for fresh in
            ["2026-11-11T11:59:00Z", "2026-11-11T11:00:00Z", "2026-11-11T10:58:30Z", "2026-11-11T12:05:00Z"]
        {
            assert!(matches!(judge(fresh), Outcome::Passed(_)), "{fresh}: {:?}", judge(fresh));
        }
        for stale in ["2026-11-11T10:57:00Z", "2026-11-10T12:00:00Z", ""] {
            let Outcome::Failed { cause, .. } = judge(stale) else { panic!("{stale} is stale") };
            assert!(cause.contains("SecretSynced: secret synced"), "{cause}");
        }
    }
}
