//! PURE. Long-term API keys of Amazon Bedrock.

use super::super::{Class, Finds, Kind, Part, Same, Severity, Who, marks::mark, text::words};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL114",
    id: "bedrock-key",
    class: Class::Root,
    severity: Severity::High,
    title: "a long-term API key of Amazon Bedrock",
    recognised: "ABSK and a hundred characters of base64.",
    remedy: "Let the workload assume a role with its own token; then delete the key of the IAM user.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text_with(const { mark("ABSK") }) else { return };
    for key in words(text, "+/").filter(|word| word.starts_with("ABSK") && word.len() >= 100) {
        finds.add(&KIND, Who::Same(Same::of(key.as_bytes())), "an API key of Amazon Bedrock".into());
    }
}
