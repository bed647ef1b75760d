use super::*;
use crate::audit::{
    Outcome, Weight,
    verdict::tests::{hit, verdict},
};
use crate::credentials::Class;

fn state(it: &Verdict, id: &str) -> RuleState {
    it.states().into_iter().find(|ended| ended.rule.id == id).unwrap().state
}

/// A rule passes only where everything was seen, and each has a state.
#[test]
fn nothing_passes_that_was_not_seen() {
    for number in 0..(2 * 2 * 2 * 2 * 2) {
        let bit = |at: usize| number >> at & 1;
        let it = verdict(bit(0), bit(1), bit(2), bit(3), bit(4) == 1);
        let states = it.states();
        // Without exceptions, and without asking the providers.
        let asked = catalogue().into_iter().filter(|rule| !cloud::is_of_provider(rule.id)).count();
        assert_eq!(states.len(), asked - 1);
        let has = |state: RuleState| states.iter().any(|it| it.state == state);
        let at = format!("{} {} {} {} {}", bit(0), bit(1), bit(2), bit(3), bit(4));
        assert!(bit(3) == 0 || !has(RuleState::Pass), "{at}");
        assert!(
            it.outcome() != Outcome::Zero || !has(RuleState::Fail) && !has(RuleState::NotEvaluated),
            "{at}"
        );
        assert_eq!(has(RuleState::NotEvaluated), bit(2) + bit(3) > 0, "{at}");
        assert!(states.iter().all(|it| it.state == RuleState::Pass || !it.why.is_empty()), "{at}");
    }
}

#[test]
fn states_follow_what_was_found() {
    let mut it = verdict(1, 0, 0, 0, true);
    it.roots[0].hits = vec![hit("google-key", Weight::Note)];
    assert_eq!(state(&it, "google-key"), RuleState::Fail);
    assert_eq!(state(&it, "aws-key"), RuleState::Pass);
    // The rule by which it was found, whatever its kind.
    it.roots[0].rules.insert("google-key");
    assert_eq!(state(&it, "stray-credential"), RuleState::Fail);
    it.roots[0].rules.clear();
    // What nothing can replace is listed.
    it.others = std::mem::take(&mut it.roots);
    it.others[0].class = Class::Irreducible;
    assert_eq!(state(&it, "google-key"), RuleState::Pass);
    // An unknown login may be a stored one; the kinds of values are not touched by it.
    it.unknown.push(hit("unknown-login", Weight::Unknown));
    assert_eq!(state(&it, "stored-credential"), RuleState::NotEvaluated);
    assert_eq!(state(&it, "aws-key"), RuleState::Pass);
    it.unknown.push(hit("aws-key", Weight::Unknown));
    assert_eq!(state(&it, "aws-key"), RuleState::NotEvaluated);
    let it = verdict(0, 0, 0, 0, false);
    assert_eq!(state(&it, "stored-credential"), RuleState::NotApplicable);
    assert!(it.states().iter().all(|it| it.rule.id != "exception"));
}

/// What a store is known to log in with is recognised as well where it lies: neither of the two passes.
#[test]
fn kind_fails_beside_store() {
    let text = include_str!("../../fixtures/audit/stored-credential/bad-namespace-of-the-user.yaml");
    let it = crate::audit::judge(&crate::audit::tests::cluster(text));
    assert!(!it.roots.is_empty());
    for root in &it.roots {
        for rule in &root.rules {
            assert_eq!(state(&it, rule), RuleState::Fail, "{rule}");
        }
    }
    assert!(it.roots.iter().any(|root| root.rules.len() > 1), "{it:?}");
}
