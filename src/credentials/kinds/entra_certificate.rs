//! PURE. Client certificates of applications at Microsoft Entra.

use super::super::{Class, Finds, Kind, Part, Severity, pem_text::private_keys_in, text::is_uuid};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL122",
    id: "entra-certificate",
    class: Class::Root,
    severity: Severity::High,
    title: "a client certificate of Microsoft Entra with its key",
    recognised: "A private key under a name of a client certificate, or beside a tenant ID and a client ID.",
    remedy: "Add a federated credential that trusts the cluster; then az ad app credential delete --id APP --key-id KEY --cert.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let tenant = part.named(|name| name.ends_with("tenantid") || name == "tenant").any(|(_, id)| is_uuid(id));
    let application =
        part.named(|name| name.ends_with("clientid") || name == "appid").any(|(_, id)| is_uuid(id));
    if !tenant || !application {
        return;
    }
    let keys: Vec<_> = part.pairs.iter().flat_map(|pair| private_keys_in(&pair.value)).collect();
    for key in keys {
        finds.add_around(&KIND, KIND.class, &key, "a client certificate of Microsoft Entra");
    }
}
