//! PURE. Client secrets of applications at Microsoft Entra.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::mark,
    text::{is_placeholder, is_uuid, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL121",
    id: "entra-secret",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a client secret of Microsoft Entra",
    recognised: "The form of such a secret (three characters, a digit, `Q~`), or a value under its name beside a tenant or client ID of Azure.",
    remedy: "Add a federated credential that trusts the cluster; then az ad app credential delete --id APP --key-id KEY.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    const WHAT: &str = "a client secret of Microsoft Entra";
    let in_text = part
        .text_with(const { mark("Q~") })
        .into_iter()
        .flat_map(|text| words(text, "._~-"))
        .filter(|word| has_form(word));
    let is_secret = |name: &str| {
        ["clientsecret", "aadclientsecret"].iter().any(|end| name.ends_with(end)) || name == "password"
    };
    let tenant = part.named(|name| name.ends_with("tenantid") || name == "tenant").any(|(_, id)| is_uuid(id));
    // `az ad sp create-for-rbac` writes `appId` and `password`.
    let application =
        part.named(|name| name.ends_with("clientid") || name == "appid").any(|(_, id)| is_uuid(id));
    let by_name = part.named(is_secret).filter(|(name, value)| {
        let is_azure = name.contains("azure") || name.starts_with("arm") || name.starts_with("aad");
        (is_azure || tenant && application) && value.len() >= 16 && !is_placeholder(value)
    });
    let found: Vec<&str> = in_text.chain(by_name.map(|(_, value)| value)).collect();
    for secret in found {
        finds.add(&KIND, Who::Same(Same::of(secret.as_bytes())), WHAT.into());
    }
}

/// Three characters, a digit, `Q~`, and 31 to 34 more.
fn has_form(text: &str) -> bool {
    let bytes = text.as_bytes();
    (37..=40).contains(&bytes.len())
        && bytes[3].is_ascii_digit()
        && &bytes[4..6] == b"Q~"
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_~.-".contains(byte))
}
