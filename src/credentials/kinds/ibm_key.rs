//! PURE. API keys of IBM Cloud: they have no form of their own, so their name tells.
//! <https://cloud.ibm.com/docs/account?topic=account-userapikey>

use super::super::{Class, Finds, Kind, Part, Same, Severity, Who, text::is_placeholder};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL117",
    id: "ibm-key",
    class: Class::Root,
    severity: Severity::Critical,
    title: "an API key of IBM Cloud",
    recognised: "44 letters, digits, - or _ under the name of an API key of IBM Cloud: IBMCLOUD_API_KEY, IC_API_KEY, iamApiKey.",
    remedy: "Let the workload log in with a trusted profile and its own token; then ibmcloud iam service-api-key-delete.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    const NAMES: [&str; 7] = [
        "ibmcloudapikey",
        "ibmapikey",
        "icapikey",
        "bluemixapikey",
        "iamapikey",
        "ibmcloudkey",
        "iaasclassicapikey",
    ];
    // In what `ibmcloud iam service-api-key-create --file` and a service's own credentials hold.
    let is_beside =
        part.named(|name| name.starts_with("iamapikey") || name.starts_with("iamserviceid")).next().is_some();
    let is_named = |name: &str| NAMES.iter().any(|end| name.ends_with(end)) || is_beside && name == "apikey";
    for (_, key) in part.named(is_named).filter(|(_, value)| is_key(value)) {
        finds.add(&KIND, Who::Same(Same::of(key.as_bytes())), "an API key of IBM Cloud".into());
    }
}

fn is_key(value: &str) -> bool {
    value.len() == 44
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !is_placeholder(value)
}
