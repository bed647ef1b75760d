//! PURE. The stable names of everything that the program reports: what each means, and what to do about it.
//!
//! One entry for each, in the file of its subject. Everything else follows from it: the variant, the name that scripts
//! compare, what `keyless explain` prints, and docs/errors.md.

use std::fmt;

use serde::{Serialize, Serializer};

/// What `keyless explain` tells about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// In kebab case, e.g. `bucket-forbidden`. Scripts compare it: it stays as it is.
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) meaning: &'static str,
    /// The typical ones.
    pub(crate) causes: &'static [&'static str],
    pub(crate) remedy: &'static str,
}

/// An enum out of entries: variant, name, meaning, causes, remedy.
macro_rules! codes {
    ($(#[$meta:meta])* $enum:ident
     $($variant:ident $name:literal $meaning:literal $(causes $cause:literal)+ remedy $remedy:literal;)+) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $enum {
            $($variant,)+
        }

        impl $enum {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name that scripts compare.
            pub(crate) const fn name(self) -> &'static str {
                self.entry().name
            }

            pub(crate) const fn entry(self) -> Entry {
                match self {
                    $(Self::$variant => {
                        Entry { name: $name, meaning: $meaning, causes: &[$($cause,)+], remedy: $remedy }
                    })+
                }
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Serialize for $enum {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

#[macro_use]
mod aws;
#[macro_use]
mod azure;
#[macro_use]
mod bucket;
mod check;
#[macro_use]
mod cluster;
#[macro_use]
mod entra;
#[macro_use]
mod general;
#[macro_use]
mod google;
#[macro_use]
mod issuer;
#[macro_use]
mod keys;
#[macro_use]
mod publication;
#[macro_use]
mod store;
#[macro_use]
mod vault;

pub(crate) use self::check::Check;

/// The end of the chain: each subject hands its entries on to the next.
macro_rules! declare {
    (; $($entries:tt)*) => {
        codes! {
            /// What an error or a warning is about.
            #[allow(clippy::enum_variant_names, reason = "the variants follow the names that scripts compare")]
            Code
            $($entries)*
        }
    };
}

aws! { azure bucket cluster entra general google issuer keys publication store vault declare; }

impl Code {
    /// Whether asking again can help: the connection broke. A name that does not exist and a certificate that is not
    /// trusted stay as they are, and a time limit was waited for already.
    pub(crate) fn is_broken_connection(self) -> bool {
        matches!(self, Self::Connect | Self::BodyCut | Self::Http)
    }
}

#[cfg(test)]
#[path = "codes_tests.rs"]
mod tests;
