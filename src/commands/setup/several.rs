//! Several stores in one run, step by step together: the new logins are proved and the stores switched first, then everything
//! that uses them has to run, then what they used before is retired. One that fails does not hold up the others.

use tokio::time::Instant;

use super::{
    act::Act,
    members::{NotMoved, ends_all, shown},
    outcome::stopped,
    seat::{Begun, Moving, Prepared, Seat},
    with_rights,
};
use crate::{
    commands::Exit,
    error::{Error, Result},
    report::{Line, Report, Tone},
    retirement::{
        End, Kept, State, Until,
        run::{Companion, Outcome, Pause},
    },
    secret_store::StoreName,
};

/// A store that has its new login, or is on its way to it.
struct Traveller<'a> {
    /// Among all stores of the run.
    index: usize,
    moving: Box<Moving<'a>>,
    /// How far it came.
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Going,
    /// Everything that uses it has run by the new login.
    Refreshed,
    /// It ended before that.
    Ended,
    /// What it used before has come to the end that this run was asked for.
    Done,
    /// What it used before stays, for a reason that was shown.
    Stays,
}

/// What the others have to know of one.
struct View {
    store: StoreName,
    state: State,
    standing: Standing,
}

impl View {
    fn of_one_behind(seat: &Seat) -> Option<Self> {
        let state = seat.part.retirement.as_ref()?.state.clone();
        Some(Self { store: seat.member.store.clone(), state, standing: Standing::Ended })
    }

    fn shares_with(&self, state: &State) -> bool {
        let theirs = |own: &Kept| state.credentials.iter().any(|kept| kept.touches(own));
        self.state.credentials.iter().any(theirs)
    }
}

impl Act<'_> {
    /// How it ended for each of them.
    pub(super) async fn several(&self, seats: &mut [Seat], report: &mut Report<'_>) -> Result<Vec<Exit>> {
        let mut exits = vec![Exit::Clean; seats.len()];
        let mut travellers: Vec<Traveller<'_>> = Vec::new();
        // Those whose new login does not work, and what they used before.
        let mut behind: Vec<View> = Vec::new();
        for (index, seat) in seats.iter_mut().enumerate() {
            if let Some(error) = seat.failed.take() {
                exits[index] = left(&seat.member.store, error.hint(seat.early_words()), report);
                behind.extend(View::of_one_behind(seat));
                continue;
            }
            let interrupt = report.interrupt().clone();
            let proved = interrupt.unless(self.prove(seat, report)).await.and_then(|proved| proved);
            match proved {
                Ok(Prepared::Probed) => {}
                Ok(Prepared::Ended(exit)) => {
                    exits[index] = exit;
                    behind.extend(View::of_one_behind(seat));
                    continue;
                }
                Err(error) if ends_all(&error) => {
                    return Err(with_words(stopped(error, seat.early_words()), &travellers));
                }
                Err(error) => {
                    exits[index] = left(&seat.member.store, error.hint(seat.early_words()), report);
                    behind.extend(View::of_one_behind(seat));
                    continue;
                }
            }
            let store = seat.member.store.clone();
            match self.begin(seat, false) {
                Begun::Nothing => {}
                Begun::Unmoved(planned) => {
                    exits[index] = match self.new_or_unchanged(&store, planned, report).await {
                        Ok(exit) => exit,
                        Err(error) if ends_all(&error) => return Err(with_words(error, &travellers)),
                        Err(error) => left(&store, error, report),
                    };
                }
                Begun::Moving(moving) => {
                    travellers.push(Traveller { index, moving, standing: Standing::Going });
                }
            }
        }
        for place in 0..travellers.len() {
            self.patiently(&mut travellers[place].moving, Until::Switched);
            let outcome = self.go_on(&mut travellers[place].moving, report).await;
            exits[travellers[place].index] = self.after_step(&mut travellers, place, outcome, report)?;
        }
        self.refresh(&mut travellers, &mut exits, report).await?;
        for place in 0..travellers.len() {
            if travellers[place].standing == Standing::Refreshed {
                let exit = self.retire(&mut travellers, place, &behind, report).await?;
                exits[travellers[place].index] = exit;
            }
        }
        drop(travellers);
        let all = exits.into_iter().zip(seats);
        Ok(all
            .map(|(exit, seat)| with_rights(exit, &seat.member.rights, &seat.farewell.flags, report))
            .collect())
    }

    /// Each step waits as long as it was told to: the others took their time as well.
    fn patiently(&self, moving: &mut Moving<'_>, until: Until) {
        let deadline = (self.clock)().saturating_add(self.args.wait_for.as_secs());
        (moving.run.options.until, moving.run.options.deadline) = (until, deadline);
    }

    /// Everything that uses them has to run by the new login: all of it is waited for at the same time.
    async fn refresh(
        &self,
        travellers: &mut [Traveller<'_>],
        exits: &mut [Exit],
        report: &mut Report<'_>,
    ) -> Result<()> {
        for traveller in travellers.iter_mut() {
            self.patiently(&mut traveller.moving, Until::Refreshed);
        }
        let interrupt = report.interrupt().clone();
        let mut pause = Pause::default();
        loop {
            let looked = Instant::now();
            let mut waits = false;
            for place in 0..travellers.len() {
                if travellers[place].standing != Standing::Going {
                    continue;
                }
                let outcome = match self.until_it_waits(&mut travellers[place].moving, report).await {
                    Ok(None) => {
                        waits = true;
                        continue;
                    }
                    Ok(Some(outcome)) => Ok(outcome),
                    Err(error) => Err(error),
                };
                let is_refreshed = matches!(outcome, Ok(Outcome::End(End::Held)));
                exits[travellers[place].index] = self.after_step(travellers, place, outcome, report)?;
                if is_refreshed {
                    travellers[place].standing = Standing::Refreshed;
                }
            }
            if !waits {
                return Ok(());
            }
            let paused = interrupt.unless(pause.until_the_next_look(looked.elapsed())).await;
            if let Err(mut error) = paused {
                error.hints.clear();
                return Err(with_words(error, travellers));
            }
        }
    }

    /// How one of them goes on after a step.
    fn after_step(
        &self,
        travellers: &mut [Traveller<'_>],
        place: usize,
        outcome: Result<Outcome>,
        report: &mut Report<'_>,
    ) -> Result<Exit> {
        if matches!(outcome, Ok(Outcome::End(End::Held))) {
            return Ok(Exit::Clean);
        }
        travellers[place].standing = Standing::Ended;
        self.ended(travellers, place, outcome, report)
    }

    /// Brings what a store used before to its end: once for all that used it.
    async fn retire(
        &self,
        travellers: &mut [Traveller<'_>],
        place: usize,
        behind: &[View],
        report: &mut Report<'_>,
    ) -> Result<Exit> {
        let views: Vec<_> = travellers
            .iter()
            .map(|it| View {
                store: it.moving.store.clone(),
                state: it.moving.run.state.clone(),
                standing: it.standing,
            })
            .collect();
        let own = &views[place];
        let others = views.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, view)| view);
        let others = others.chain(behind);
        let sharing: Vec<_> = others.filter(|view| view.shares_with(&own.state)).collect();
        if let Some(first) = sharing.iter().find(|view| view.standing == Standing::Stays) {
            travellers[place].standing = Standing::Stays;
            report.result(format_args!(
                "\nThe store {} logs in with short-lived tokens. What it used before stays, as it does for {}.",
                own.store.name(),
                shown(&first.store)
            ));
            return Ok(if self.args.retire_key { Exit::Found } else { Exit::Clean });
        }
        let traveller = &mut travellers[place];
        let run = &mut traveller.moving.run;
        let done = sharing.iter().filter(|view| view.standing == Standing::Done);
        for leader in done {
            if let Err(error) = run.follow(&leader.state).await {
                traveller.standing = Standing::Stays;
                return self.ended(travellers, place, Err(error), report);
            }
        }
        run.companions = sharing.iter().map(|view| Companion::new(view.store.clone(), &view.state)).collect();
        // One that is behind still needs its copy.
        let moved = sharing.iter().filter(|view| view.standing != Standing::Ended);
        run.copies = moved.flat_map(|view| own.state.copies_of(&view.state)).collect();
        run.judged = sharing.iter().map(|view| view.store.clone()).collect();
        let behind = sharing.iter().filter(|view| view.standing == Standing::Ended);
        run.held_by = behind
            .map(|view| format!("{}, which has not come as far as this store", shown(&view.store)))
            .collect();
        self.patiently(&mut traveller.moving, Until::End);
        let outcome = self.go_on(&mut traveller.moving, report).await;
        traveller.standing = match &outcome {
            Ok(Outcome::End(End::Moved | End::Kept | End::Left | End::Retired)) => Standing::Done,
            _ => Standing::Stays,
        };
        self.ended(travellers, place, outcome, report)
    }

    /// Shows how it ended for one of them. Only what ends the whole run is an error.
    fn ended(
        &self,
        travellers: &mut [Traveller<'_>],
        place: usize,
        outcome: Result<Outcome>,
        report: &mut Report<'_>,
    ) -> Result<Exit> {
        let moving = &mut travellers[place].moving;
        let concluded = match outcome {
            Ok(outcome) => moving.conclude(&outcome, report).map_err(|error| (error, false)),
            Err(error) => {
                moving.note_remaining();
                Err((error, true))
            }
        };
        let moving = &travellers[place].moving;
        let words = || moving.farewell.words(&moving.run);
        match concluded {
            Ok(exit) => Ok(exit),
            Err((error, _)) if ends_all(&error) => {
                let others = travellers.iter().enumerate().filter(|(other, _)| *other != place);
                let others = others.map(|(_, it)| it.moving.farewell.words(&it.moving.run));
                Err(others.fold(stopped(error, words()), Error::hint))
            }
            Err((error, is_bare)) => {
                let error = if is_bare { error.hint(words()) } else { error };
                Ok(left(moving.store, error, report))
            }
        }
    }
}

/// An error that ends all, with the state that each store is in.
fn with_words(error: Error, travellers: &[Traveller<'_>]) -> Error {
    let words = travellers.iter().map(|it| it.moving.farewell.words(&it.moving.run));
    words.fold(error, Error::hint)
}

/// Names a store that does not go on.
pub(super) fn left(store: &StoreName, error: Error, report: &mut Report<'_>) -> Exit {
    report.result(Line::whole(Tone::Error, "\nstopped"));
    NotMoved { store: shown(store), error }.lines().into_iter().for_each(|line| report.result(line));
    Exit::Incomplete
}
