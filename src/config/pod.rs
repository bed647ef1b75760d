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
/// Of `cluster`, what has no meaning in a pod, or names what the publisher's own objects are called.
const OF_THIS_MACHINE: [&str; 6] =
    ["enabled", "kubeconfig", "context", "serviceAccount", "ledger", "publicKeys"];

impl Settings {
    /// The settings file without what is true of this machine only. It must be there, and name a bucket.
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
    if !is_set(&["bucket", "url"]) {
        return refused(
            "bucket.url",
            "is missing: the publisher writes a bucket",
            "keyless setup --bucket sets it",
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
    settings.retain(|name, _| SECTIONS.contains(&name.as_str()));
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
                "serviceAccount": "d/e", "ledger": "f/g", "longestTokenSeconds": 3600 },
            "provider": "vault", "store": { "name": "h" }, "vault": { "address": "https://i" }, "tls": {},
        }));
        let wanted = json!({
            "apiVersion": "keyless/v1", "issuer": "https://a", "bucket": { "url": "s3://a", "region": "b" },
            "cluster": { "uid": "c", "longestTokenSeconds": 3600 },
        });
        assert_eq!(kept.unwrap(), wanted);
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
