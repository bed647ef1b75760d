//! PURE. Access keys of Alibaba Cloud. <https://www.alibabacloud.com/help/en/ram/user-guide/create-an-accesskey-pair>

use super::{
    super::{
        Class, Finds, Halves, Kind, Part, Same, Severity, Who,
        marks::mark,
        text::{is_placeholder, words},
    },
    aws_key::paired,
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL115",
    id: "alibaba-key",
    class: Class::Root,
    severity: Severity::Critical,
    title: "an access key of Alibaba Cloud",
    recognised: "LTAI and 12 to 20 letters or digits, with a secret of 30 letters or digits in the same object. It is named by its ID.",
    remedy: "Let the workload assume a RAM role with its own token (AssumeRoleWithOIDC); then disable the key, and delete it.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let with_id = part.texts_with(const { mark("LTAI") });
    let ids: Vec<&str> = with_id.flat_map(|text| words(text, "")).filter(|word| is_id(word)).collect();
    let is_secret = |word: &str| word.len() == 30 && !is_placeholder(word);
    let is_named = |name: &str| name.ends_with("accesskeysecret") || name.ends_with("secretkey");
    let half = |value: &str| Who::Same(Same::of(value.as_bytes()));
    let named = part.named(is_named).filter(|(_, value)| value.len() >= 16 && !is_placeholder(value));
    let bare = |value| words(value, "").find(|word| is_secret(word)).unwrap_or(value);
    let mut halves: Halves = named.map(|(_, value)| half(bare(value))).collect();
    if halves.is_empty() && !ids.is_empty() {
        let words = part.texts().flat_map(|text| words(text, ""));
        halves = words.filter(|word| is_secret(word)).map(half).collect();
    }
    if !ids.is_empty() && !halves.is_empty() {
        for (id, halves) in paired(&ids, &halves) {
            let what = format!("Alibaba Cloud access key {id}");
            finds.add_named(&KIND, format!("alibaba:{id}"), halves, what);
        }
        return;
    }
    // The other half is somewhere else: what it opens is not known.
    for id in ids {
        let what = format!("the ID of the Alibaba Cloud access key {id}, without its secret half");
        finds.add_as(&KIND, Class::NotSeen, Who::Named(format!("alibaba:{id}")), what);
    }
    let of_name = |name: &str| name.ends_with("accesskeysecret");
    for (_, secret) in part.named(of_name).filter(|(_, value)| is_secret(value)) {
        let who = Who::Same(Same::of(secret.as_bytes()));
        finds.add(&KIND, who, "the secret half of an Alibaba Cloud access key".into());
    }
}

fn is_id(word: &str) -> bool {
    word.starts_with("LTAI")
        && (16..=24).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !is_placeholder(word)
}
