//! PURE. API keys of Google: they name a project, no identity.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::mark,
    text::{is_placeholder, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL105",
    id: "google-api-key",
    class: Class::Platform,
    severity: Severity::Medium,
    title: "an API key of Google",
    recognised: "AIza and 35 more characters.",
    remedy: "Let the workload log in by workload identity federation; then gcloud services api-keys delete KEY.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text_with(const { mark("AIza") }) else { return };
    for key in
        words(text, "-_").filter(|word| word.starts_with("AIza") && word.len() == 39 && !is_placeholder(word))
    {
        finds.add(&KIND, Who::Same(Same::of(key.as_bytes())), "an API key of Google".into());
    }
}
