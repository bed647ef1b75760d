use std::path::Path;

use serde_json::{Value, json};

use crate::{
    audit::{Exceptions, Outcome, Verdict, judge, tests::cluster},
    credentials::fakes::{ALNUM, RSA, UPPER, body, google, other_rsa},
};

/// 2026-11-27, noon.
const NOW: u64 = 1_795_780_800;

fn judged(objects: &[Value]) -> Verdict {
    judge(&cluster(&objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")))
}

fn secret(namespace: &str, values: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "it", "namespace": namespace}, "stringData": values})
}

fn store(kind: &str, settings: &Value) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": kind},
        "spec": {"provider": {kind: settings}}})
}

fn google_store() -> Value {
    let key = json!({"name": "it", "namespace": "eso", "key": "key.json"});
    store("gcpsm", &json!({"projectID": "p", "auth": {"secretRef": {"secretAccessKeySecretRef": key}}}))
}

fn google_secret(namespace: &str, pem: &str) -> Value {
    let mut key = google(&[]);
    key["private_key"] = json!(pem);
    secret(namespace, &json!({"key.json": key.to_string()}))
}

fn aws_store() -> Value {
    let key = |key: &str| json!({"name": "it", "namespace": "eso", "key": key});
    let auth = json!({"accessKeyIDSecretRef": key("id"), "secretAccessKeySecretRef": key("key")});
    store("aws", &json!({"service": "SecretsManager", "region": "r", "auth": {"secretRef": auth}}))
}

fn aws_secret(namespace: &str, seed: &str) -> Value {
    let id = format!("AK{}{}", "IA", body("claimed", UPPER, 16));
    secret(namespace, &json!({"id": id, "key": body(seed, ALNUM, 40)}))
}

fn excepting(verdict: &Verdict, id: &str, code: &str) -> Verdict {
    let text = format!(
        "apiVersion: keyless/exceptions/v1\nexceptions: [{{id: \"{id}\", code: {code}, at: [{}], reason: r, owner: o, expires: 2027-01-31}}]\n",
        ["eso", "shop", "web"].map(|namespace| format!("Secret {namespace}/it")).join(", ")
    );
    verdict.clone().excepting(&Exceptions::parse(&text, Path::new("it")).unwrap(), NOW)
}

#[test]
fn same_claimed_id_stays_two() {
    let google = |second: &str| {
        vec![
            google_store(),
            google_secret("eso", &RSA),
            google_secret("shop", second),
            google_secret("web", &RSA),
        ]
    };
    let aws = |second: &str| {
        vec![aws_store(), aws_secret("eso", "one"), aws_secret("shop", second), aws_secret("web", "one")]
    };
    for (objects, count, claimed, code) in [
        (google(&RSA), 1, "google:", "KL101"),
        (google(&other_rsa()), 2, "google:", "KL101"),
        (aws("one"), 1, "aws:", "KL111"),
        (aws("two"), 2, "aws:", "KL111"),
    ] {
        let it = judged(&objects);
        let shown = it.lines().join("\n");
        assert_eq!((it.roots.len(), it.outcome()), (count, Outcome::Found { complete: true }), "{shown}");
        assert_eq!(shown, judged(&objects).lines().join("\n"), "the same objects give another report");
        if count == 1 {
            assert!(it.roots[0].id.starts_with(claimed), "{shown}");
            continue;
        }
        // The name is that of both, and excepts none; each has an ID of its own, and that excepts it alone.
        let name = it.roots[0].claims.clone().unwrap();
        assert!(name.starts_with(claimed) && it.roots[1].claims.as_ref() == Some(&name), "{shown}");
        let refused = excepting(&it, &name, code);
        assert_eq!(
            (refused.roots.len(), refused.excepted.len(), refused.findings.len()),
            (2, 0, 1),
            "{shown}"
        );
        assert!(refused.findings[0].why.contains("2 different credentials"), "{}", refused.findings[0].why);
        assert_ne!(it.roots[0].id, it.roots[1].id);
        for root in &it.roots {
            let one = excepting(&it, &root.id, code);
            assert_eq!(
                (one.roots.len(), one.excepted.len(), one.findings.len()),
                (1, 1, 0),
                "{}\n{shown}",
                root.id
            );
        }
        // What the store uses is told from what only lies there, and its copy is its own.
        let used =
            it.roots.iter().find(|root| root.secrets.iter().any(|key| key.namespace == "eso")).unwrap();
        assert!(used.secrets.iter().any(|key| key.namespace == "web"), "{shown}");
        assert!(!used.secrets.iter().any(|key| key.namespace == "shop"), "{shown}");
    }
}

/// What setup noted under an ID is not taken for another key under the same ID.
#[test]
fn replaced_key_merges_no_other() {
    let mut objects = vec![google_store(), google_secret("eso", &RSA), google_secret("shop", &other_rsa())];
    let id = google(&[])["private_key_id"].as_str().unwrap().to_owned();
    objects[0]["metadata"]["annotations"] = json!({"keyless/replaces": "eso/it/key.json",
        "keyless/replaced-key": format!("projects/p/serviceAccounts/a@b/keys/{id}")});
    let it = judged(&objects);
    let shown = it.lines().join("\n");
    assert_eq!(it.roots.len(), 2, "{shown}");
    let mut replaced = it.roots.iter().filter(|root| root.rules.contains("replaced-credential"));
    let one = replaced.next().unwrap_or_else(|| panic!("{shown}"));
    assert!(replaced.next().is_none() && one.secrets.iter().all(|key| key.namespace == "eso"), "{shown}");
}
