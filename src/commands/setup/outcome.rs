//! How a run ends, in words and in an exit code.

use crate::{
    commands::Exit,
    error::{Code, Error, Kind, Result},
    report::Report,
    retirement::{Block, End, KeyView, Pending, Situation, State, Why, last_words, run::Run},
    rfc3339::rfc3339,
};

/// More names than this are counted, not shown.
const MOST_SHOWN: usize = 50;

/// What the final message of a run is made of.
#[derive(Clone, Debug)]
pub(super) struct Farewell {
    /// Where grants were made.
    pub(super) provider: Option<String>,
    /// The command that goes on.
    pub(super) command: String,
    /// Flags that name the settings file and the cluster, e.g. ` --context prod`.
    pub(super) again: String,
    /// With those that name the stores of the run, e.g. ` --context prod --store gcp`.
    pub(super) flags: String,
    /// `keyless setup --undo`, with the flag that names this store.
    pub(super) undo: String,
    pub(super) retire: bool,
    /// The plan has shown that the credential stays as it is.
    pub(super) was_blocked: bool,
    /// Whether an undo is the way back.
    pub(super) undoes: bool,
}

impl Farewell {
    pub(super) fn words(&self, run: &Run<'_>) -> String {
        last_words(&Situation {
            state: &run.state,
            untouched: run.is_untouched(),
            store: Some(&run.seen.store),
            keys: run.seen.keys.as_ref().map(|(_, keys)| keys.as_slice()),
            provider: self.provider.as_deref(),
            command: &self.command,
            undoes: self.undoes,
            undo: &self.undo,
        })
    }

    /// With what an earlier run has noted, before this one has looked.
    pub(super) fn words_of(&self, state: &State, keys: Option<&[KeyView]>) -> String {
        last_words(&Situation {
            state,
            untouched: false,
            store: None,
            keys,
            provider: self.provider.as_deref(),
            command: &self.command,
            undoes: self.undoes,
            undo: &self.undo,
        })
    }

    /// Before anything was done with the store and its credential.
    pub(super) fn early_words(&self, state: &State) -> String {
        last_words(&Situation {
            state,
            untouched: true,
            store: None,
            keys: None,
            provider: self.provider.as_deref(),
            command: &self.command,
            undoes: self.undoes,
            undo: &self.undo,
        })
    }

    /// Shows how it ended.
    pub(super) fn conclude(
        &self,
        end: &End,
        state: &State,
        words: &str,
        report: &mut Report<'_>,
    ) -> Result<Exit> {
        let store = &state.store;
        let names = || {
            let all: Vec<_> = state.credentials.iter().map(|kept| kept.identity.to_string()).collect();
            all.join(", ")
        };
        match end {
            End::Moved | End::Held => {
                report.result(format_args!(
                    "\nThe store {} logs in with short-lived tokens. See what is left: keyless audit{}",
                    store.name, self.again
                ));
                Ok(Exit::Clean)
            }
            End::Retired => {
                report.result(format_args!(
                    "\nThe store {} logs in with short-lived tokens, and nothing is left of the credential that it used. See what is left elsewhere: keyless audit{}",
                    store.name, self.again
                ));
                Ok(Exit::Clean)
            }
            End::Kept => {
                report.result(format_args!(
                    "\nThe store {} logs in with short-lived tokens. Its old key is disabled; delete it: keyless setup{} --retire-key",
                    store.name, self.flags
                ));
                Ok(Exit::Clean)
            }
            End::Undone => {
                report.result(format_args!("\nThe store {} logs in as before.", store.name));
                Ok(Exit::Clean)
            }
            End::Left => {
                report.result(format_args!(
                    "\nThe store {} logs in with short-lived tokens. What it used before is left: {}.",
                    store.name,
                    names()
                ));
                for kept in state.credentials.iter().filter(|kept| !kept.identity.by_hand.is_empty()) {
                    report.result(format_args!(
                        "  {}: {}; keyless audit counts it until its Secret is gone",
                        kept.identity, kept.identity.by_hand
                    ));
                }
                Ok(if self.retire { Exit::Found } else { Exit::Clean })
            }
            End::NotYet(pending) if state.credentials.is_empty() => {
                show(pending, "follows by itself", report);
                report.result(format_args!(
                    "\nThe store {} logs in with short-lived tokens. See what is left: keyless audit{}",
                    store.name, self.again
                ));
                Ok(Exit::Clean)
            }
            End::NotYet(pending) => {
                report.result(
                    "\nNot yet: before the credential is disabled, these have to run by the new login",
                );
                show(pending, "", report);
                report.result(
                    "--force-sync asks External Secrets Operator to run them now; --wait-for waits longer",
                );
                report.result(words);
                Ok(Exit::Found)
            }
            End::Blocked(Block::Unplanned { beyond, others }) => {
                unplanned(beyond, others, report);
                report.result(words);
                Ok(Exit::Found)
            }
            End::Blocked(block) => self.blocked(block, state, words, report),
        }
    }

    fn blocked(&self, block: &Block, state: &State, words: &str, report: &mut Report<'_>) -> Result<Exit> {
        match block {
            Block::NeverRefreshed(never) => {
                report.result("\nThe credential stays: these never run by themselves, so nothing shows that the new login works for them");
                show(never, "", report);
                report.result("--force-sync asks those that run when they change; --accept-unrefreshed goes on without them");
                report.result(words);
                Ok(Exit::Found)
            }
            Block::Others(users) => {
                report.result("\nThe credential stays, as something else uses it:");
                users.iter().for_each(|user| report.result(format_args!("  {user}")));
                report.result(
                    "Let each of them log in by itself (or take the copy away that nothing reads), then run setup again.",
                );
                report.result(words);
                // That it is disabled was not asked for, if the plan did not show it.
                Ok(if self.retire || !self.was_blocked { Exit::Found } else { Exit::Clean })
            }
            other => Err(error(other, state).hint(words)),
        }
    }
}

/// Names what a run did not wait for: it ends well without it, and proves nothing of it.
pub(super) fn not_ready<'u>(
    users: impl Iterator<Item = (&'u str, &'u str)>,
    again: &str,
    report: &mut Report<'_>,
) {
    let users: Vec<_> = users.collect();
    if users.is_empty() {
        return;
    }
    report.result("Not ready, and not waited for, as it was not ready before or never ran:");
    for (name, says) in users.iter().take(MOST_SHOWN) {
        report.result(format_args!("  {name}: {says}"));
    }
    if let Some(more) = users.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        report.result(format_args!("  and {more} more"));
    }
    report.result(format_args!("Look at the store and what reads through it: keyless verify{again}"));
}

/// An error with the run's final message: it takes the place of the message of every other interrupted command.
pub(super) fn stopped(mut error: Error, words: String) -> Error {
    if matches!(error.kind, Kind::Interrupted(_)) {
        error.hints.clear();
    }
    error.hint(words)
}

/// What was shown as kept is kept, whatever is seen by now.
fn unplanned(beyond: &[String], others: &[String], report: &mut Report<'_>) {
    if others.is_empty() {
        report
            .result("\nThis run's plan did not show what there is to do by now, so nothing was changed of:");
        beyond.iter().for_each(|name| report.result(format_args!("  {name}")));
    } else {
        report.result("\nThe credential stays, as this run's plan showed. What else used it then is not seen to use it any more:");
        others.iter().for_each(|user| report.result(format_args!("  {user}")));
        report.result("Nothing was changed of:");
        beyond.iter().for_each(|name| report.result(format_args!("  {name}")));
    }
    report.result("Run setup again: it plans what becomes of it.");
}

fn show(pending: &[Pending], why: &str, report: &mut Report<'_>) {
    for Pending { name, why: own, at } in pending.iter().take(MOST_SHOWN) {
        let why = if why.is_empty() { own } else { why };
        match at.map(rfc3339) {
            Some(at) => report.result(format_args!("  {name}: {why}; it runs by itself at about {at}")),
            None => report.result(format_args!("  {name}: {why}")),
        }
    }
    if pending.len() > MOST_SHOWN {
        report.result(format_args!("  and {} more", pending.len() - MOST_SHOWN));
    }
}

fn error(block: &Block, state: &State) -> Error {
    let store = &state.store;
    match block {
        Block::NeverRefreshed(_) | Block::Others(_) | Block::Unplanned { .. } => Error::failed(Code::CredentialStays, "it stays as it is"),
        Block::Unseen(rights) => {
            let error = Error::failed(
                Code::UsersNotSeen,
                "what else uses the credential cannot be looked at, so it is not disabled",
            );
            rights
                .iter()
                .fold(error, |error, right| error.caused_by(format_args!("missing right: {right}")))
                .hint("deploy/setup has a ClusterRole with exactly the rights that setup needs")
                .hint("--accept-unseen-users goes on without that look")
        }
        Block::Unread(records) => {
            let error = Error::failed(
                Code::UsersNotSeen,
                "what is noted of other stores cannot be read, so it is not disabled: one may still use the credential",
            );
            records
                .iter()
                .fold(error, Error::caused_by)
                .hint("look at it: kubectl get configmap -n keyless-system -o yaml; once you know that nothing in it is needed, delete it and run setup again")
                .hint("--accept-unseen-users goes on without that look")
        }
        Block::Unproved(index, why) => {
            let kept = state.credentials.get(*index);
            let name = kept.map(|kept| kept.identity.to_string()).unwrap_or_default();
            let by_hand = kept.map(|kept| kept.identity.by_hand.clone()).unwrap_or_default();
            let places = kept.into_iter().flat_map(|kept| &kept.places);
            let places: Vec<_> = places.map(ToString::to_string).collect();
            let error = Error::failed(Code::CredentialUnproved, format!("{name} is not touched: it is not proved what it is"))
                .caused_by(why)
                .hint(format!("look at {}: delete it by hand once you know that nothing needs it", places.join(", ")));
            if by_hand.is_empty() { error } else { error.hint(by_hand) }
        }
        Block::HoldsMore(places) => {
            Error::failed(Code::SecretHoldsMore, format!("{} holds more than the credential", places.join(", ")))
                .hint("move the other values into a Secret of their own, then run setup again")
                .hint("without --retire-key the credential is disabled, and the Secret stays")
        }
        Block::GaveBack(why) => gave_back(why),
        Block::StoreGone => Error::failed(Code::StoreGone, format!("{store} is gone"))
            .hint("nothing was changed because of it; bring it back, or delete the credential by hand"),
        Block::StoreReplaced => Error::failed(Code::StoreReplaced, format!("{store} was deleted and created again: what is noted belongs to the one before"))
            .hint("setup --replaced NAMESPACE/SECRET names the Secret that the store used before"),
        Block::StoreChanged => Error::failed(Code::StoreChanged, format!("{store} says something that keyless did not write"))
            .hint("see who changed it: kubectl get -o yaml --show-managed-fields"),
        Block::StoreReverted => Error::failed(Code::StoreReverted, format!("{store} names its former credential again"))
            .hint("find out who put it back (Argo CD, Flux, a file that is applied again), and change it there"),
        Block::UndoUnsaved => Error::failed(Code::UndoUnsaved, format!("the former provider of {store} was not saved"))
            .hint("its settings may have held a secret, or the store was changed without keyless: write them back by hand"),
        Block::UndoTooLate(names) => Error::failed(Code::UndoTooLate, format!("{} is deleted, and comes back by no means", names.join(", ")))
            .hint("the store can log in as before only with a new key: make one, put it into the Secret, and name it in the store"),
        Block::UndoWithout(places) => Error::failed(Code::UndoWithoutSecret, format!("{} is gone, or holds something else by now", places.join(", ")))
            .hint("the store would not log in with it: put the credential back first"),
        Block::UndoDisabled(names) => Error::failed(Code::UndoDisabled, format!("{} was disabled by another user", names.join(", ")))
            .hint("the store would not log in with it: find out why it was disabled, enable it, then undo"),
    }
}

fn gave_back(why: &Why) -> Error {
    match why {
        Why::Broke { object, says } => Error::failed(
            Code::BrokeWithoutKey,
            format!("{object} is not ready any more, so the credential was given back"),
        )
        .caused_by(says)
        .hint("see what it needs the credential for; nothing was deleted"),
        Why::Others { users } => {
            let error = Error::failed(
                Code::CredentialInUse,
                "something else uses the credential by now, so it was given back",
            );
            users
                .iter()
                .take(50)
                .fold(error, |error, user| error.caused_by(user))
                .hint("let each of them log in by itself, then run setup again")
        }
        Why::Reverted => Error::failed(
            Code::StoreReverted,
            "the store names the credential again, so it was given back",
        )
        .hint("find out who put it back (Argo CD, Flux, a file that is applied again), and change it there"),
        Why::Enabled => Error::failed(
            Code::CredentialEnabled,
            "another user has enabled the credential, so it stays enabled",
        )
        .hint("find out who needs it, then run setup again"),
        Why::Unfit => Error::failed(
            Code::CredentialGivenBack,
            "what has to hold before the credential is disabled holds no more, so it was given back",
        )
        .hint("run setup again: it says what does not hold"),
    }
}
