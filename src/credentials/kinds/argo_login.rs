//! PURE. Logins of Argo CD at repositories.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who, pem_text::private_keys_in, text::is_placeholder,
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL151",
    id: "argo-login",
    class: Class::Platform,
    severity: Severity::High,
    title: "a login of Argo CD at a repository",
    recognised: "A Secret with the label argocd.argoproj.io/secret-type of a repository, and a password, token or key in it.",
    remedy: "Use workload identity where the forge takes it; else a read-only deploy key or a GitHub App, rotated at the forge.",
    find,
};

const TYPES: [&str; 4] = ["repository", "repo-creds", "repository-write", "repo-write-creds"];
/// `argo-cd:util/db/repository_secrets.go`
const SECRETS: [&str; 5] =
    ["password", "bearertoken", "sshprivatekey", "githubappprivatekey", "tlsclientcertkey"];

fn find(part: &Part<'_>, finds: &mut Finds) {
    let label = part.holder.label("argocd.argoproj.io/secret-type");
    if !label.is_some_and(|label| TYPES.contains(&label)) || finds.at() != "data" {
        return;
    }
    let found: Vec<(&str, &str)> = part
        .named(|name| SECRETS.contains(&name))
        .filter(|(_, value)| !value.is_empty() && !is_placeholder(value))
        .collect();
    for (name, value) in found {
        let class = if name == "githubappprivatekey" { Class::Irreducible } else { KIND.class };
        const WHAT: &str = "a login of Argo CD at a repository";
        match private_keys_in(value).into_iter().next() {
            Some(key) if class == KIND.class => finds.add_around(&KIND, class, &key, WHAT),
            Some(key) => finds.add_key(&KIND, class, &key, WHAT),
            None => finds.add_as(&KIND, class, Who::Same(Same::of(value.as_bytes())), WHAT.into()),
        }
    }
}
