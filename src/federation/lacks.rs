//! PURE. What a login is known to lack of what a plan takes, told before anything is done. It only informs: a run may be
//! refused by it, and what it does not name is not proved to be there.

use std::collections::BTreeSet;

use crate::error::{Code, Error};

/// What one step takes and the login lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    /// Name of the step.
    pub(in crate::federation) step: String,
    /// In the provider's own words, e.g. `sudo on sys/auth/keyless`.
    pub(in crate::federation) lacks: String,
    /// The refusal that the step would end in.
    pub(in crate::federation) code: Code,
    /// What to do, as that refusal says it.
    pub(in crate::federation) hints: Vec<String>,
    /// The lines of a script that grants it. Lines that several lacks have in common are run once.
    pub(in crate::federation) commands: Vec<String>,
}

/// One answer that names all of what these steps lack. `None`: nothing is known to be missing.
pub(crate) fn refusal<'s>(
    lacking: &[Lack],
    provider: &str,
    steps: impl IntoIterator<Item = &'s str>,
) -> Option<Error> {
    let steps: BTreeSet<_> = steps.into_iter().collect();
    let lacking: Vec<_> = lacking.iter().filter(|lack| steps.contains(lack.step.as_str())).collect();
    let message = format!("the login at {provider} lacks rights that this plan takes");
    let error = Error::failed(lacking.first()?.code, message);
    let error = lacking
        .iter()
        .fold(error, |error, lack| error.caused_by(format!("{}: it lacks {}", lack.step, lack.lacks)));
    let hints = once(lacking.iter().flat_map(|lack| &lack.hints));
    let error = hints.into_iter().fold(error, Error::hint);
    let commands = once(lacking.iter().flat_map(|lack| &lack.commands));
    Some(match commands.is_empty() {
        true => error,
        false => error.hint(format!("these commands grant what is named:\n{}", commands.join("\n"))),
    })
}

/// Each where it comes first.
fn once<'t>(texts: impl Iterator<Item = &'t String>) -> Vec<&'t str> {
    let mut seen = BTreeSet::new();
    texts.map(String::as_str).filter(|text| seen.insert(*text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_names_all_lacks() {
        let lack = |step: &str, lacks: &str| Lack {
            step: step.to_owned(),
            lacks: lacks.to_owned(),
            code: Code::VaultForbidden,
            hints: vec!["a policy".to_owned()],
            commands: vec!["be $ME".to_owned(), format!("grant {lacks}")],
        };
        let all = [lack("a", "sudo on x"), lack("b", "update on y"), lack("later", "delete on z")];
        assert_eq!(refusal(&all, "p", ["other"]).map(|error| error.to_string()), None);
        let error = refusal(&all, "p", ["a", "b"]).unwrap();
        assert_eq!(error.causes, ["a: it lacks sudo on x", "b: it lacks update on y"]);
        let script = "these commands grant what is named:\nbe $ME\ngrant sudo on x\ngrant update on y";
        assert_eq!(error.hints, ["a policy", script], "each line once");
    }
}
