//! PURE. What looks like a secret, known or not: by its own form, or by the name that it is given.

use std::ops::Range;

use super::LEFT_OUT;

/// How tokens of well-known issuers begin, and how long they are at least.
const TOKENS: [(&str, usize); 27] = [
    ("eyJ", 24), // a JSON object in base64url: JWT
    ("ya29.", 12),
    ("1//0", 20),
    ("GOCSPX-", 16),
    ("AIza", 35),
    ("hvs.", 12),
    ("hvb.", 12),
    ("hvr.", 12),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xapp-", 16),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("glrt-", 16),
    ("gldt-", 16),
    ("dckr_pat_", 20),
    ("npm_", 36),
    ("pul-", 40),
    ("dp.st.", 40),
    ("dp.sa.", 40),
    ("AGE-SECRET-KEY-", 40),
];

/// How the name of a secret ends, in snake case.
const NAMES: [&str; 16] = [
    "token",
    "secret",
    "secret_id",
    "password",
    "passwd",
    "passphrase",
    "assertion",
    "signature",
    "private_key",
    "privatekey",
    "secretkey",
    "access_key",
    "accesskey",
    "api_key",
    "apikey",
    "key_data",
];

/// Headers that carry credentials, in snake case.
const HEADERS: [&str; 10] = [
    "authorization",
    "proxy_authorization",
    "x_vault_token",
    "x_amz_security_token",
    "x_auth_token",
    "x_api_key",
    "x_consul_token",
    "private_token",
    "cookie",
    "set_cookie",
];

/// Of a longer URL the rest is not looked at for a password.
const LONGEST_URL: usize = 2048;
pub(super) const BEGIN: &str = "-----BEGIN ";
pub(super) const PRIVATE: &str = "PRIVATE KEY-----";

/// Where secrets stand in a text. The parts may overlap.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = find_in_document(text);
    found.extend(named(text, |name| is_secret_name(name) || is_credential_header(name)));
    found.extend(byte_lists(text));
    found
}

/// The same for a document that names what is secret without holding it, as manifests do: a name alone proves nothing
/// there.
pub(super) fn find_in_document(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    found.extend(userinfos(text));
    found.extend(tokens(text));
    found.extend(private_keys(text));
    found.extend(bearers(text));
    found.extend(named(text, is_credential_header));
    found
}

/// The password of a URL, or all that is before its host if there is no name.
pub(super) fn password(text: &str) -> Option<&str> {
    let userinfo = match userinfos(text).next() {
        Some(userinfo) => &text[userinfo],
        // Without a scheme, or what no URL can hold: `user:password@host`.
        None => text.rsplit_once("://").map_or(text, |(_, rest)| rest).rsplit_once('@')?.0,
    };
    match userinfo.split_once(':') {
        Some((_, password)) => Some(password),
        None => text.contains("://").then_some(userinfo),
    }
}

/// The part before the `@` in URLs. A password that holds `/`, `?` or `#` as it is makes the URL unusable, and is
/// a password all the same.
fn userinfos(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices("://").filter_map(|(at, mark)| {
        let start = at + mark.len();
        let rest = &text[start..text.floor_char_boundary(start + LONGEST_URL)];
        let url =
            &rest[..rest.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(rest.len())];
        let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
        let end = authority.rfind('@').or_else(|| match authority.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') && !port.bytes().all(|byte| byte.is_ascii_digit()) => {
                url.rfind('@')
            }
            _ => None,
        })?;
        (end > 0).then_some(start..start + end)
    })
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_.~=".contains(c)
}

fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = text.as_bytes();
    let mut end = 0;
    // Where a word begins: one pass for all prefixes.
    let starts = (0..bytes.len()).filter(|at| {
        at.checked_sub(1).is_none_or(|before| !bytes[before].is_ascii_alphanumeric())
            && bytes[*at].is_ascii_alphanumeric()
    });
    starts.filter_map(move |at| {
        let (_, shortest) = TOKENS.iter().find(|(prefix, _)| bytes[at..].starts_with(prefix.as_bytes()))?;
        if at < end {
            return None;
        }
        end = text[at..].find(|c| !is_token(c)).map_or(text.len(), |length| at + length);
        (end - at >= *shortest).then_some(at..end)
    })
}

/// PEM blocks (RFC 7468) of private keys, whole or cut off.
pub(super) fn private_keys(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    const LONGEST_LINE: usize = 96;
    let mut end = 0;
    text.match_indices(BEGIN).filter_map(move |(at, _)| {
        let line = &text[at..text.floor_char_boundary(at + LONGEST_LINE)];
        if at < end || !line.contains(PRIVATE) {
            return None;
        }
        end = match text[at..].find("-----END ").map(|length| at + length) {
            None => text.len(),
            Some(last) => text[last..].find(PRIVATE).map_or(text.len(), |label| last + label + PRIVATE.len()),
        };
        Some(at..end)
    })
}

/// After the name of an authentication scheme (RFC 9110 §11.4).
fn bearers(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    ["earer ", "EARER ", "asic "].into_iter().flat_map(move |scheme| {
        text.match_indices(scheme).filter_map(move |(at, _)| {
            let start = at + scheme.len();
            let length = text[start..].find(|c| !is_token(c)).unwrap_or(text.len() - start);
            let word = &text[start..start + length];
            let is_prose = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'.');
            (length >= 8 && !is_prose).then_some(start..start + length)
        })
    })
}

/// Bytes as `Debug` writes them: `[45, 45, 66, …`. They help no reader, and they may be a key.
fn byte_lists(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    const FEWEST: usize = 8;
    text.match_indices('[').filter_map(|(at, _)| {
        let list = &text[at + 1..];
        let length = list.find(|c: char| !(c.is_ascii_digit() || c == ',' || c == ' ')).unwrap_or(list.len());
        let many = list[..length].split(", ").filter(|byte| !byte.is_empty()).count() >= FEWEST;
        many.then_some(at + 1..at + 1 + length)
    })
}

/// `X-Vault-Token: …`, `password=…`, `"private_key": "…"`.
fn named(text: &str, is_secret: impl Fn(&str) -> bool) -> impl Iterator<Item = Range<usize>> {
    let is_other = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-');
    text.char_indices().filter(|(_, c)| matches!(c, '=' | ':')).filter_map(move |(at, mark)| {
        let before = text[..at].trim_end();
        let bare = before.trim_end_matches(['"', '\'', '\\']);
        let name = bare.rsplit(is_other).next().unwrap_or_default();
        let is_header = is_credential_header(name);
        // `token: …` is prose, `"token": …` is JSON.
        let is_member = is_header || mark == '=' || bare.len() < before.len();
        (is_member && is_secret(name)).then(|| value(text, at + 1, is_header)).flatten()
    })
}

/// The value that begins here: in quotes, or up to the next space; a header's scheme is part of it.
fn value(text: &str, at: usize, is_header: bool) -> Option<Range<usize>> {
    let rest = text[at..].trim_start_matches([' ', '\t']);
    let unquoted = rest.trim_start_matches('\\').trim_start_matches(['"', '\'']);
    let start = text.len() - unquoted.len();
    let quote = rest.trim_start_matches('\\').chars().next().filter(|c| matches!(c, '"' | '\''));
    let mut end = match quote {
        Some(quote) => unquoted.find(quote).unwrap_or(unquoted.len()),
        None => {
            unquoted.find(|c: char| c.is_whitespace() || "&,;\"'`<>)}]".contains(c)).unwrap_or(unquoted.len())
        }
    };
    if is_header
        && quote.is_none()
        && matches!(unquoted[..end].to_ascii_lowercase().as_str(), "bearer" | "basic" | "token")
    {
        let more = unquoted[end..].trim_start();
        let skipped = unquoted.len() - more.len();
        end = skipped + more.find(char::is_whitespace).unwrap_or(more.len());
    }
    let value = unquoted[..end].trim_end_matches('\\');
    // `$(…)`, `<token>` and the like stand for a value.
    let is_placeholder =
        value.starts_with(['$', '<', '{', '[', '(', '…']) || matches!(value, "true" | "false" | "null");
    (!value.is_empty() && !is_placeholder).then_some(start..start + value.len())
}

/// Words that look like a signature, a key or a token go.
pub(super) fn without_odd_words(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "+/-_.~".contains(c))) {
        let end = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || "+/-_.~".contains(c)));
        shown.push_str(if is_odd(end) { LEFT_OUT } else { end });
        shown.push_str(&word[end.len()..]);
    }
    shown
}

/// SigV4 signatures are 64 hex digits, secret keys and session tokens are base64, Google's tokens and JWTs are
/// base64url with dots. Names of roles, buckets and objects are shorter, or have letters of one case only.
fn is_odd(word: &str) -> bool {
    if word.len() < 40 {
        return false;
    }
    let mixed = word.bytes().any(|b| b.is_ascii_uppercase())
        && word.bytes().any(|b| b.is_ascii_lowercase())
        && word.bytes().any(|b| b.is_ascii_digit());
    let base64 = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    let hex = word.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && word.len() >= 64) || (mixed && base64) || (mixed && word.len() >= 100)
}

/// Whether a name says that its value is secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let snake = snake_case(name);
    NAMES.iter().any(|known| snake.ends_with(known))
}

/// Whether this is a header that is known to carry a credential.
fn is_credential_header(name: &str) -> bool {
    HEADERS.contains(&&*snake_case(name))
}

/// Whether the name of a header says that its value is a credential.
pub(super) fn is_secret_header(name: &str) -> bool {
    let name = snake_case(name);
    ["token", "auth", "secret", "key", "cookie", "password", "session"].iter().any(|part| name.contains(part))
}

fn snake_case(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}
