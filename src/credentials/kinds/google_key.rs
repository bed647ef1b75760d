//! PURE. Keys of Google service accounts (JSON).

use super::super::{
    Class, Finds, Halves, Kind, Part, Same, Severity, Who,
    marks::{PRIVATE_KEY, mark},
    pem_text::{PrivateKey, private_keys_in},
    text::{has, is_placeholder, plain, shown},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL101",
    id: "google-key",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a key of a Google service account",
    recognised: "A JSON object with `private_key` that calls itself `service_account` or names an account at gserviceaccount.com; also trimmed, nested, in YAML, in pieces, or in base64. It is named by `private_key_id`, else by its public half.",
    remedy: "Let the workload log in by workload identity federation, then gcloud iam service-accounts keys delete KEY --iam-account=ACCOUNT.",
    find,
};

const ACCOUNT: &str = ".gserviceaccount.com";
/// Between the member's name and its value: a colon, quotes, a line break of YAML.
const BETWEEN: usize = 40;
/// A key and its members are not farther apart.
const MOST_AROUND: usize = 64 << 10;

fn find(part: &Part<'_>, finds: &mut Finds) {
    of_members(part, finds);
    let names_account = part.has(const { mark("service_account") }) || part.has(const { mark(ACCOUNT) });
    if let Some(text) = part.text_with(PRIVATE_KEY).filter(|_| names_account) {
        of_text(text, finds);
    }
}

fn of_members(part: &Part<'_>, finds: &mut Finds) {
    let Some(key) = part.get("privatekey") else { return };
    let account = part.get("clientemail").unwrap_or_default();
    if part.get("type") != Some("service_account") && !account.ends_with(ACCOUNT) {
        return;
    }
    let pem = private_keys_in(key).into_iter().next();
    // What is no PEM may be one that was altered; what is there to be replaced is none.
    let begins = has(key, "PRIVATE KEY-----");
    let body = key.rsplit_once("BEGIN").map_or(key, |(_, rest)| rest);
    if pem.is_none() && (key.len() < 20 || is_placeholder(body) && !begins || begins && is_placeholder(body))
    {
        return;
    }
    add(part.get("privatekeyid").unwrap_or_default(), account, key, pem, finds);
}

/// In a text that is no JSON by itself: among other text, cut off, in YAML.
fn of_text(text: &str, finds: &mut Finds) {
    if !has(text, "PRIVATE KEY-----") {
        return;
    }
    let account = account_in(text);
    for (at, _) in text.match_indices("-----BEGIN ") {
        let before = &text[..at];
        let begin = before.char_indices().rev().take(BETWEEN).last().map_or(0, |(begin, _)| begin);
        if !plain(&before[begin..]).contains("privatekey") {
            continue;
        }
        // Of several keys the nearest before, or the first after.
        let near = text.floor_char_boundary(at.saturating_sub(MOST_AROUND));
        let begin = text[near..at].rfind("-----END").map_or(near, |end| near + end);
        let end = text[at + 1..].find("-----BEGIN ").map_or(text.len(), |next| at + 1 + next);
        let end = text.floor_char_boundary(end.min(at + MOST_AROUND));
        let around = |name: &str| value_of(&text[begin..end], name).unwrap_or_default().to_owned();
        let block = &text[at..end];
        let block = block.find("-----END").map_or(block, |end| &block[..block.floor_char_boundary(end + 60)]);
        let pem = private_keys_in(block).into_iter().next();
        let body = block.split("-----").nth(2).unwrap_or_default();
        if pem.is_none() && is_placeholder(body) {
            continue;
        }
        add(&around("private_key_id"), &account, body, pem, finds);
    }
}

/// The word after a name.
fn value_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let rest = &text[text.find(name)? + name.len()..];
    let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.next().filter(|word| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn account_in(text: &str) -> String {
    let Some(at) = text.find(ACCOUNT) else { return String::new() };
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-.@_".contains(c);
    let before = text[..at].char_indices().rev().find(|(_, c)| !is_of_name(*c));
    let begin = before.map_or(0, |(at, c)| at + c.len_utf8());
    text[begin..at + ACCOUNT.len()].to_owned()
}

/// What is no key as a whole, however its line breaks are written.
fn altered(key: &str) -> Same {
    let body = key.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----"));
    let body = body.map_or(key, |(_, body)| body);
    // A text within a text has a line break as so many backslashes and a letter.
    let body = body.split('\\').collect::<Vec<_>>().join("\n");
    let mut own = String::new();
    for line in body.lines().map(str::trim) {
        let line = line.strip_prefix(['n', 'r']).filter(|_| key.contains('\\')).unwrap_or(line);
        let letters = line.find(|c: char| !c.is_ascii_alphanumeric() && !"+/=-_".contains(c));
        match letters.map(|at| line.split_at(at)) {
            None => own.push_str(line),
            // The end of the text that the key is in; anything else is no line of a key.
            Some((line, rest)) => {
                own.push_str(if rest.starts_with(['"', '\'']) { line } else { "" });
                break;
            }
        }
    }
    Same::of(if own.is_empty() { key.as_bytes() } else { own.as_bytes() })
}

fn add(id: &str, account: &str, key: &str, pem: Option<PrivateKey>, finds: &mut Finds) {
    let fits = |text: &str, more: &[u8]| {
        !text.is_empty()
            && text.len() <= 320
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let id = Some(id).filter(|id| fits(id, b"-_"));
    let address = Some(account).filter(|account| fits(account, b"-.@_:"));
    let of = address.map(shown).map(|account| format!(" {account}")).unwrap_or_default();
    let what = match id {
        Some(id) => format!("key {id} of the Google service account{of}"),
        None => format!("a key of a Google service account{of}"),
    };
    let whole = pem.as_ref().map(|pem| &pem.who).filter(|who| matches!(who, Who::Key(_)));
    let half = whole.cloned().unwrap_or_else(|| Who::Same(altered(key)));
    let halves = match (id, &pem) {
        (Some(_), _) => [half.clone()].into(),
        (None, Some(pem)) => pem.halves.clone(),
        (None, None) => Halves::new(),
    };
    let key = pem.map(|pem| pem.who);
    let who = id.map(|id| Who::Named(format!("google:{id}")));
    let who = who.or_else(|| key.clone()).unwrap_or(half);
    // In a text without members the first that ends so may be a part of a URL.
    let account = address.filter(|address| address.contains('@')).map(str::to_owned);
    finds.add_of_account(&KIND, (who, halves), what, key, account);
}
