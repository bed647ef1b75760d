//! PURE. Which of the literals that kinds are recognised by are in a text: all of them in one pass, however many there are.

use memchr::memmem;

/// Every literal that a text is searched for as a whole. Two characters are enough; from the third on fewer places are looked at.
const LITERALS: [&str; 42] = [
    "AKIA",
    "LTAI",
    "GOOG",
    "ABSK",
    "AIza",
    "K10",
    "eyJ",
    "Q~",
    "se=",
    "sv=",
    "AccountKey=",
    "SharedAccessKey=",
    "AGE-SECRET-KEY-1",
    "PRIVATE KEY",
    "service_account",
    ".gserviceaccount.com",
    "authorized_user",
    "hvs.",
    "hvb.",
    "hvr.",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "dp.st.",
    "dp.sa.",
    "dp.pt.",
    "dp.ct.",
    "ops_ey",
    "pul-",
    "{\"",
    "\\\"",
    "client-key-data",
    "users",
    "auths",
    "keyData",
    "bearerToken",
    ":",
];

/// One of [`LITERALS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u8);

/// In every private key that is text, whatever its form.
pub(super) const PRIVATE_KEY: Mark = mark("PRIVATE KEY");

/// The mark of a literal: of one that is not in the list there is none, and the program is not built.
pub(super) const fn mark(literal: &str) -> Mark {
    let mut at = 0;
    while at < LITERALS.len() {
        if is_same(LITERALS[at].as_bytes(), literal.as_bytes()) {
            return Mark(at as u8);
        }
        at += 1;
    }
    panic!("a literal that no text is searched for")
}

/// The mark of each token's prefix.
pub(super) const fn marks_of<const N: usize>(tokens: &[(&str, usize, &str); N]) -> [Mark; N] {
    let mut marks = [PRIVATE_KEY; N];
    let mut at = 0;
    while at < N {
        marks[at] = mark(tokens[at].0);
        at += 1;
    }
    marks
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

impl Mark {
    fn literal(self) -> &'static [u8] {
        LITERALS[usize::from(self.0)].as_bytes()
    }

    /// Whether it is in a text that was not gone through.
    pub(super) fn is_in(self, text: &str) -> bool {
        memmem::find(text.as_bytes(), self.literal()).is_some()
    }
}

/// The literals that are in one text: a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u64);

/// For each byte, the literals that have it as their first, their second, their third. One that is shorter has any byte there.
const TABLES: [[u64; 256]; 3] = {
    let mut tables = [[0; 256]; 3];
    let mut at = 0;
    while at < LITERALS.len() {
        let literal = LITERALS[at].as_bytes();
        let mut place = 0;
        while place < 3 {
            let mut byte = 0;
            while byte < 256 {
                if place >= literal.len() || literal[place] as usize == byte {
                    tables[place][byte] |= 1 << at;
                }
                byte += 1;
            }
            place += 1;
        }
        at += 1;
    }
    tables
};

static FIRST: [u64; 256] = TABLES[0];
static SECOND: [u64; 256] = TABLES[1];
static THIRD: [u64; 256] = TABLES[2];

impl Marks {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let (mut one, mut two, mut found) = (0, 0, 0);
        for (at, byte) in bytes.iter().map(|byte| usize::from(*byte)).enumerate() {
            let three = two & THIRD[byte];
            two = one & SECOND[byte];
            one = FIRST[byte];
            // `three` begins two bytes before this one.
            if three & !found != 0 {
                found |= begun(&bytes[at - 2..], three & !found);
            }
        }
        // A literal of one or two bytes may be the end of the text.
        let rest = bytes.len().saturating_sub(2);
        for begin in rest..bytes.len() {
            found |= begun(&bytes[begin..], !found & FIRST[usize::from(bytes[begin])]);
        }
        Self(found)
    }

    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & 1 << mark.0 != 0
    }

    pub(super) fn has_any(self, marks: &[Mark]) -> bool {
        marks.iter().any(|mark| self.has(*mark))
    }
}

/// Those of `may` with which a text begins.
fn begun(text: &[u8], mut may: u64) -> u64 {
    let mut found = 0;
    while may != 0 {
        let bit = may & may.wrapping_neg();
        may ^= bit;
        let literal = LITERALS[bit.trailing_zeros() as usize].as_bytes();
        if text.starts_with(literal) {
            found |= bit;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One search for each literal.
    fn plainly(text: &str) -> Marks {
        Marks((0..LITERALS.len()).filter(|at| text.contains(LITERALS[*at])).fold(0, |all, at| all | 1 << at))
    }

    #[test]
    fn every_literal_is_found_anywhere() {
        for (at, literal) in LITERALS.iter().enumerate() {
            for text in [
                (*literal).to_owned(),
                format!("a{literal}"),
                format!("ab{literal}"),
                format!("{literal}a"),
                format!("{literal}{literal}"),
                format!("é{literal}é"),
            ] {
                assert!(Marks::of(&text).has(Mark(at as u8)), "{text}");
                assert_eq!(Marks::of(&text), plainly(&text), "{text}");
            }
            let cut = &literal[..literal.len() - 1];
            assert_eq!(Marks::of(cut), plainly(cut), "{cut}");
        }
        assert_eq!(Marks::of(""), Marks::default());
    }

    proptest! {
        /// Texts of pieces of literals, whole ones, and what is between them.
        #[test]
        fn one_pass_equals_one_search_each(
            pieces in prop::collection::vec((0..LITERALS.len(), 0usize..40, 0usize..40, "[A-Za-z0-9=+/ :é]{0,3}"), 0..30)
        ) {
            let text: String = pieces.iter().map(|(at, from, to, between)| {
                let literal = LITERALS[*at];
                let (from, to) = (from % literal.len(), to % (literal.len() + 1));
                format!("{}{between}", literal.get(from..to).unwrap_or(literal))
            }).collect();
            prop_assert_eq!(Marks::of(&text), plainly(&text));
        }
    }
}
