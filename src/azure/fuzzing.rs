//! What is read of answers that hold an access token, as plain functions for [`crate::fuzzing`].

use std::time::Instant;

use super::token::Token;
use crate::error::{Error, Result};

/// The answer of Entra, of the metadata service, and of `az account get-access-token`. What is accepted can be sent, is
/// not used for longer than a day, and cannot print itself.
#[expect(clippy::disallowed_methods, reason = "a fuzzer has no other clock")]
pub(crate) fn token(body: &[u8]) -> Vec<Error> {
    let now = Instant::now();
    let day = std::time::Duration::from_secs(24 * 3600);
    let read: [Result<Token>; 3] = [
        Token::from_answer(body, now, "Entra"),
        Token::from_answer(body, now, "the metadata service"),
        Token::from_cli(body, now, 1_800_000_000, "`az account get-access-token`"),
    ];
    let used = |token: Token| {
        token.header().expect("a token that can be sent");
        assert!(!token.is_fresh(now + day), "a token is used for longer than a day");
    };
    read.into_iter().filter_map(|read| read.map(used).err()).collect()
}
