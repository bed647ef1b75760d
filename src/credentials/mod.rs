//! PURE. Long-lived credentials: what each kind looks like, and in which objects it lies. One file per kind.
//!
//! Bytes of one object go in; what comes out is public: which kind, which one, and where ([`Sighting`]). A value never
//! leaves the function that recognised it: two equal ones are told by a digest that cannot be printed ([`Same`]).

mod certificate;
mod class;
mod decoded;
mod find;
mod helm;
mod holder;
mod kinds;
mod layers;
mod listed;
mod marks;
mod object;
mod output;
mod outside;
mod pair;
mod pem_text;
mod pkcs12;
mod sightings;
mod text;

pub(crate) use self::{
    certificate::{KeyCertificate, Thumbprint},
    class::{Class, Severity},
    find::{Find, Finds, Halves, Same, Who},
    kinds::KINDS,
    object::{Reader, halves_of},
    output::ownership,
    outside::{Outside, OutsideReader},
    sightings::{Place, Sighting, Sightings},
};
use self::{holder::Holder, layers::Part};

/// One kind of long-lived credential: a value, so that the list of them is all there is to register.
pub(crate) struct Kind {
    /// Stable: `KL101`.
    pub(crate) code: &'static str,
    /// In kebab case; also the name of its file.
    pub(crate) id: &'static str,
    pub(crate) class: Class,
    pub(crate) severity: Severity,
    /// With an article, for a sentence: `a key of a Google service account`.
    pub(crate) title: &'static str,
    /// By what it is recognised.
    pub(crate) recognised: &'static str,
    /// What replaces it, and how it is made useless.
    pub(crate) remedy: &'static str,
    find: fn(&Part<'_>, &mut Finds),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

#[cfg(test)]
mod claims_tests;
#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
pub(crate) mod fakes;
#[cfg(test)]
mod tests;
