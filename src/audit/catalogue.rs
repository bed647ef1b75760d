//! PURE. Every rule and every kind of credential by its code, for `keyless explain` and docs/credentials.md.

use serde::Serialize;

use super::{RULES, exceptions};
use crate::{
    credentials::{Class, KINDS, Severity},
    federation::cloud::issued_kinds,
};

/// What a code of a report means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) id: &'static str,
    /// `None`: it finds no credential, or credentials of several classes.
    pub(crate) class: Option<Class>,
    pub(crate) severity: Severity,
    pub(crate) meaning: &'static str,
    /// Empty for a rule that looks at how something logs in.
    pub(crate) recognised: &'static str,
    pub(crate) remedy: &'static str,
}

/// All of them, by code.
pub(crate) fn catalogue() -> Vec<Described> {
    let rules = RULES.iter().chain([&exceptions::RULE]).map(|rule| Described {
        name: rule.code,
        id: rule.id,
        class: rule.class,
        severity: rule.severity,
        meaning: rule.summary,
        recognised: "",
        remedy: rule.remedy,
    });
    let kinds = KINDS.iter().map(|kind| Described {
        name: kind.code,
        id: kind.id,
        class: Some(kind.class),
        severity: kind.severity,
        meaning: kind.title,
        recognised: kind.recognised,
        remedy: kind.remedy,
    });
    let issued = issued_kinds().map(|kind| Described {
        name: kind.code,
        id: kind.id,
        class: kind.class,
        severity: kind.severity,
        meaning: kind.summary,
        recognised: "",
        remedy: kind.remedy,
    });
    let mut all: Vec<_> = rules.chain(kinds).chain(issued).collect();
    all.sort_by_key(|it| it.name);
    all
}

/// The code of a rule or kind by its ID.
pub(super) fn code_of(id: &str) -> &'static str {
    let of_rule = RULES.iter().chain([&exceptions::RULE]).find(|rule| rule.id == id).map(|rule| rule.code);
    let of_rule = of_rule.or_else(|| issued_kinds().find(|kind| kind.id == id).map(|kind| kind.code));
    of_rule.or_else(|| KINDS.iter().find(|kind| kind.id == id).map(|kind| kind.code)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_whole() {
        let all = catalogue();
        let names: BTreeSet<_> = all.iter().map(|it| it.name).collect();
        let ids: BTreeSet<_> = all.iter().map(|it| it.id).collect();
        assert_eq!((names.len(), ids.len()), (all.len(), all.len()));
        for it in &all {
            let digits = it.name.strip_prefix("KL").unwrap_or_default();
            assert!(digits.len() == 3 && (b'1'..=b'4').contains(&digits.as_bytes()[0]), "{}", it.name);
            assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{}", it.name);
            assert!(it.remedy.ends_with('.') && it.meaning.len() > 8, "{}", it.name);
            assert!(it.recognised.is_empty() || it.recognised.ends_with('.'), "{}", it.name);
            assert_eq!(code_of(it.id), it.name);
        }
    }
}
