//! PURE. Keys of Azure storage accounts, Service Bus and Event Hubs, mostly in connection strings.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::mark,
    text::{after, is_base64, is_placeholder},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL123",
    id: "azure-shared-key",
    class: Class::Root,
    severity: Severity::High,
    title: "a shared key of an Azure account",
    recognised: "AccountKey= with 88 characters, or such a value under the name of a storage account's key; SharedAccessKey= in a connection string is class T.",
    remedy: "Give the workload a role at Entra; then az storage account update --allow-shared-key-access false.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    const STORAGE: &str = "a key of an Azure storage account";
    let mut keys: Vec<(Class, &str, &str)> = Vec::new();
    if let Some(text) = part.text_with(const { mark("AccountKey=") }) {
        keys.extend(after(text, "AccountKey=", "+/=").map(|key| (KIND.class, key, STORAGE)));
    }
    if let Some(text) = part.text_with(const { mark("SharedAccessKey=") }) {
        let shared = after(text, "SharedAccessKey=", "+/=");
        keys.extend(shared.map(|key| (Class::Platform, key, "a shared access key of Azure")));
    }
    let is_key = |name: &str| {
        ["storageaccountkey", "storagekey", "accountkey", "storageaccountaccesskey", "storageaccesskey"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    keys.extend(part.named(is_key).map(|(_, key)| (KIND.class, key, STORAGE)));
    for (class, key, what) in keys {
        if is_key_of_length(key, 88) || class == Class::Platform && is_key_of_length(key, 44) {
            finds.add_as(&KIND, class, Who::Same(Same::of(key.as_bytes())), what.into());
        }
    }
}

fn is_key_of_length(key: &str, length: usize) -> bool {
    key.len() == length && key.ends_with('=') && is_base64(key.trim_end_matches('=')) && !is_placeholder(key)
}
