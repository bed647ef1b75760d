use std::{collections::BTreeMap, fs, path::PathBuf};

use super::*;

fn folder(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/pem").join(kind)
}

/// `kids.json` was written by a Python library from the same keys.
#[test]
fn every_block_kind_gives_kubernetes_kid() {
    let wanted: BTreeMap<String, Vec<String>> =
        serde_json::from_slice(&fs::read(folder("valid").join("kids.json")).unwrap()).unwrap();
    assert_eq!(wanted.len() + 1, fs::read_dir(folder("valid")).unwrap().count(), "a file that no test reads");
    for (name, kids) in wanted {
        let content = fs::read(folder("valid").join(&name)).unwrap();
        let keys = keys_from_pem(&content, &name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: Vec<_> = keys.iter().map(|key| key.kid().to_owned()).collect();
        assert_eq!(found, kids, "{name}");
    }
}

#[test]
fn pem_rejected_by_kubernetes_is_refused() {
    let mut seen = 0;
    for entry in fs::read_dir(folder("invalid")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (code, _) = name.split_once("--").expect("the file's name begins with its code");
        let error = keys_from_pem(&fs::read(&path).unwrap(), "sa.pub").expect_err(name);
        assert_eq!(error.code.name(), code, "{name}: {error}");
        assert!(error.message.contains("sa.pub") && !error.hints.is_empty(), "{name}: {error}");
        seen += 1;
    }
    assert!(seen > fs::read_dir(folder("valid")).unwrap().count());
}
