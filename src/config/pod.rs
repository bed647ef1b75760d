//! The settings file as the publisher's pods read it.

use std::path::Path;

use serde_json::{Map, Value};

use super::Settings;
use crate::{
    error::{Code, Error, Result},
    files::{self, Accept, MAX_SMALL},
    yaml::{from_yaml, unread},
};

/// What the publisher reads. The rest is about the secret store, which it does not touch.
const SECTIONS: [&str; 5] = ["apiVersion", "issuer", "bucket", "cluster", "verify"];
/// Where Google is given the keys, and there is no bucket: which provider that is.
const OF_GOOGLE: [&str; 5] = ["project", "pool", "provider", "mode", "endpoints"];
/// Of `cluster`, what has no meaning in a pod, or names what the publisher's own objects are called.
const OF_THIS_MACHINE: [&str; 7] =
    ["enabled", "kubeconfig", "context", "serviceAccount", "publisher", "ledger", "publicKeys"];

impl Settings {
    /// The settings file without what is true of this machine only. It must be there, and name a bucket, or a provider at
    /// Google that is given the keys.
    pub(crate) fn for_pods(&self) -> Result<Map<String, Value>> {
        let path = &self.file;
        let text =
            files::read_text(path, Accept::File, MAX_SMALL).map_err(|error| match error.is_missing() {
                true => Error::usage(Code::SettingMissing, "there is no settings file for the publisher")
                    .hint("name it by --config, or write keyless.yaml: docs/settings.md lists the settings"),
                false => unread(path, error),
            })?;
        let Value::Object(settings) = from_yaml(&text, path, &[])? else {
            return Err(Error::usage(Code::ConfigMalformed, format!("{} holds no settings", path.display())));
        };
        pods(settings, path)
    }
}

fn pods(mut settings: Map<String, Value>, path: &Path) -> Result<Map<String, Value>> {
    let is_set = |pointer: &[&str]| {
        let mut value = settings.get(pointer[0]);
        for name in &pointer[1..] {
            value = value.and_then(|value| value.get(name));
        }
        value.is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()))
    };
    let refused = |setting: &str, why: &str, hint: &str| {
        let message = format!("{}: {setting} {why}", path.display());
        Err(Error::usage(Code::SettingNotForPods, message).hint(hint))
    };
    let uploads = !is_set(&["bucket", "url"]);
    let is_mode = |section: &str, mode: &str| {
        settings.get(section).and_then(|section| section.get("mode")).and_then(Value::as_str) == Some(mode)
    };
    if uploads && is_mode("vault", "static-keys") {
        return refused(
            "vault.mode",
            "is static-keys: the pods have no login at Vault or OpenBao, and no token is stored for them",
            "after each rotation run `keyless publish` with a person's token, or let the server fetch public documents: keyless setup --bucket",
        );
    }
    if uploads && !is_mode("google", "uploaded") {
        return refused(
            "bucket.url",
            "is missing: the publisher writes a bucket, or gives Google the keys (google.mode: uploaded)",
            "keyless setup sets either",
        );
    }
    if let (true, Some(missing)) =
        (uploads, ["project", "pool", "provider"].into_iter().find(|name| !is_set(&["google", name])))
    {
        return refused(
            &format!("google.{missing}"),
            "is missing: the publisher gives the keys to the provider that the settings name",
            "keyless setup writes it",
        );
    }
    if is_set(&["tls", "caFile"]) {
        return refused(
            "tls.caFile",
            "is a file of this machine, which the pods do not have",
            "leave it out here; add the file as ca.pem to the ConfigMap keyless-settings, and `tls: {caFile: ca.pem}` to its keyless.yaml",
        );
    }
    if is_set(&["cluster", "publicKeys"]) {
        return refused(
            "cluster.publicKeys",
            "names files of this machine, which the pods do not have",
            "publish them once by `keyless keys add FILE`, and leave them out here",
        );
    }
    settings.retain(|name, _| SECTIONS.contains(&name.as_str()) || uploads && name == "google");
    if let Some(Value::Object(google)) = settings.get_mut("google") {
        google.retain(|name, _| OF_GOOGLE.contains(&name.as_str()));
    }
    if let Some(Value::Object(cluster)) = settings.get_mut("cluster") {
        cluster.retain(|name, _| !OF_THIS_MACHINE.contains(&name.as_str()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(settings: Value) -> Result<Value> {
        let Value::Object(settings) = settings else { panic!("{settings}") };
        pods(settings, Path::new("keyless.yaml")).map(Value::Object)
    }

    #[test]
    fn settings_of_this_machine_are_removed() {
        let kept = of(json!({
            "apiVersion": "keyless/v1", "issuer": "https://a", "bucket": { "url": "s3://a", "region": "b" },
            "cluster": { "kubeconfig": "/home/a", "context": "b", "uid": "c", "enabled": true, "publicKeys": [],
                "serviceAccount": "d/e", "publisher": "d/p", "ledger": "f/g", "longestTokenSeconds": 3600 },
            "provider": "vault", "store": { "name": "h" }, "vault": { "address": "https://i" }, "tls": {},
        }));
        let wanted = json!({
            "apiVersion": "keyless/v1", "issuer": "https://a", "bucket": { "url": "s3://a", "region": "b" },
            "cluster": { "uid": "c", "longestTokenSeconds": 3600 },
        });
        assert_eq!(kept.unwrap(), wanted);
    }

    #[test]
    fn uploaded_keys_need_no_bucket() {
        let google = json!({ "project": "acme-prod", "pool": "keyless-prod", "provider": "cluster", "mode": "uploaded" });
        let settings = |google: &Value| json!({ "apiVersion": "keyless/v1", "google": google, "cluster": { "uid": "c" } });
        let mut whole = settings(&google);
        whole["google"]["impersonate"] = json!("eso@acme-prod.iam.gserviceaccount.com");
        whole["store"] = json!({ "name": "gcp" });
        assert_eq!(of(whole).unwrap(), settings(&google));
        for missing in ["project", "pool", "provider", "mode"] {
            let mut part = google.clone();
            part[missing] = Value::Null;
            assert_eq!(of(settings(&part)).unwrap_err().code, Code::SettingNotForPods, "{missing}");
        }
        let mut documents = google.clone();
        documents["mode"] = json!("documents");
        assert!(of(settings(&documents)).is_err());
        let mut vault = settings(&google);
        vault["vault"] = json!({ "address": "https://i", "mode": "static-keys" });
        let refused = of(vault).unwrap_err();
        assert!(refused.message.contains("vault.mode"), "{refused}");
        // With a bucket, what providers are given is no matter of the pods.
        let mut bucket = settings(&google);
        bucket["bucket"] = json!({ "url": "s3://a" });
        assert!(of(bucket).unwrap().get("google").is_none());
    }

    #[test]
    fn files_of_this_machine_are_refused() {
        for (section, value) in [
            ("tls", json!({ "caFile": "ca.pem" })),
            ("cluster", json!({ "publicKeys": ["sa.pub"] })),
            ("bucket", json!({ "region": "b" })),
            ("bucket", Value::Null),
        ] {
            let mut settings = json!({ "apiVersion": "keyless/v1", "bucket": { "url": "s3://a" } });
            settings[section] = value;
            assert_eq!(of(settings).unwrap_err().code, Code::SettingNotForPods, "{section}");
        }
    }
}
