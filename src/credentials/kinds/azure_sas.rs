//! PURE. Shared access signatures of Azure.

use super::super::{Class, Finds, Kind, Part, Same, Severity, Who, marks::mark, text::after};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL124",
    id: "azure-sas",
    class: Class::Platform,
    severity: Severity::High,
    title: "a shared access signature of Azure",
    recognised: "A query with `sig=`, `se=` and `sv=`.",
    remedy: "Give the workload a role at Entra, or a signature of a user delegation that lives for minutes; then rotate the key that signed it.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text_with(const { mark("se=") }).filter(|_| part.has(const { mark("sv=") })) else {
        return;
    };
    for signature in after(text, "sig=", "%+/=").filter(|signature| signature.len() >= 43) {
        finds.add(
            &KIND,
            Who::Same(Same::of(signature.as_bytes())),
            "a shared access signature of Azure".into(),
        );
    }
}
