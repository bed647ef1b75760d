//! PURE. An audit in the forms that other programs and auditors read. One file per form and one line in [`FORMATS`].
//!
//! Every form is derived from one [`Evidence`], and what it says of the whole comes from [`Outcome`](super::Outcome):
//! none of them can say something else. INCOMPLETE and NOTHING TO JUDGE are a pass in none. The same input and time give
//! the same bytes.

mod clean;
mod escape;
mod evidence;
mod fleet;
mod html;
mod in_toto;
mod item;
mod json;
mod junit;
mod openreports;
mod oscal;
mod place;
mod prometheus;
mod rules;
mod sarif;
mod uuid;

pub(crate) use self::{evidence::Evidence, fleet::FleetEvidence};

/// One form of a report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// As `-o` and `--report` name it.
    pub(crate) id: &'static str,
    /// Of its files, without the dot.
    pub(crate) extension: &'static str,
    /// One sentence, without its full stop.
    pub(crate) summary: &'static str,
    pub(crate) write: fn(&Evidence) -> String,
    /// The same of several clusters. `None`: it holds one.
    pub(crate) several: Option<fn(&FleetEvidence) -> String>,
}

/// Every form, in the order in which they are listed. `json` is the result of `-o json`, byte for byte.
pub(crate) static FORMATS: &[Format] = &[
    json::FORMAT,
    html::FORMAT,
    in_toto::FORMAT,
    junit::FORMAT,
    openreports::FORMAT,
    oscal::FORMAT,
    prometheus::FORMAT,
    sarif::FORMAT,
];

impl Format {
    /// By its ID.
    pub(crate) fn named(id: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.id == id)
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Format {}

#[cfg(test)]
mod agreement_tests;
#[cfg(test)]
mod fakes;
#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
