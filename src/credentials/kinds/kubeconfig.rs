//! PURE. Kubeconfigs and clusters of Argo CD with static credentials.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who, kinds::service_account_jwt::of_token,
    pem_text::private_keys_in, text::is_placeholder,
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL145",
    id: "kubeconfig",
    class: Class::Platform,
    severity: Severity::High,
    title: "a static login of a Kubernetes cluster",
    recognised: "A kubeconfig, or a cluster of Argo CD, whose user has a token, a password or a client key. Plugins and cloud identities are none.",
    remedy: "Use an exec plugin or workload identity; delete the user's binding, since a client certificate cannot be revoked.",
    find,
};

use base64::{Engine, engine::general_purpose::STANDARD};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(object) = part.object else { return };
    const WHAT: &str = "a static login of a Kubernetes cluster";
    let text = |name: &str| {
        let value = object.get(name).and_then(serde_json::Value::as_str);
        value.filter(|value| value.len() >= 8 && !is_placeholder(value))
    };
    // `users[].user` of a kubeconfig; `config` of a cluster of Argo CD, and its `tlsClientConfig`.
    let is_user = part.field == "user" && !object.contains_key("exec");
    let is_cluster = part.holder.label("argocd.argoproj.io/secret-type") == Some("cluster");
    let key =
        ["client-key-data", "keyData"].iter().filter(|_| is_user || is_cluster).find_map(|name| text(name));
    if let Some(key) = key {
        let pem = STANDARD.decode(key).unwrap_or_else(|_| key.as_bytes().to_vec());
        const CLIENT_KEY: &str = "a client key of a Kubernetes cluster";
        match private_keys_in(&String::from_utf8_lossy(&pem)).into_iter().next() {
            Some(pem) => finds.add_around(&KIND, KIND.class, &pem, CLIENT_KEY),
            None => finds.add(&KIND, Who::Same(Same::of(key.as_bytes())), CLIENT_KEY.into()),
        }
    }
    let token = text("token").filter(|_| is_user).or_else(|| text("bearerToken").filter(|_| is_cluster));
    let password = text("password").filter(|_| is_user || is_cluster && part.field == "config");
    for value in token.into_iter().chain(password) {
        let half = Who::Same(Same::of(value.as_bytes()));
        match of_token(value) {
            Some((Some(name), _)) => finds.add_named(&KIND, name, [half].into(), WHAT.into()),
            _ => finds.add(&KIND, half, WHAT.into()),
        }
    }
}
