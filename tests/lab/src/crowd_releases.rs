//! Releases of Helm in great number: Secrets of `helm.sh/release.v1`, a megabyte each once it is unpacked.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

/// So many different releases there are
const DIFFERENT: usize = 8;
/// Workloads of a release, each with its service and its settings
const WORKLOADS: usize = 200;
/// Templates of its chart, and files beside them
const FILES: usize = 60;

/// The JSON of an item of a list of Secrets
pub(crate) fn release(number: usize) -> String {
    static RELEASES: OnceLock<Vec<String>> = OnceLock::new();
    let releases = RELEASES.get_or_init(|| (0..DIFFERENT).map(packed).collect());
    let value = &releases[number % DIFFERENT];
    format!(
        "{{\"metadata\":{{\"name\":\"sh.helm.release.v1.r-{number:06}.v1\",\"namespace\":\"team-{}\",\
         \"uid\":\"44444444-2222-4333-8444-{number:012}\",\"resourceVersion\":\"{}\",\
         \"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{{\"name\":\"r-{number:06}\",\"owner\":\"helm\",\
         \"status\":\"deployed\",\"version\":\"1\"}}}},\
         \"data\":{{\"release\":\"{value}\"}},\"type\":\"helm.sh/release.v1\"}}",
        number / 200,
        3_000_000 + number,
    )
}

/// As Helm stores it: JSON, gzip, base64; and base64 once more, as every value of a Secret
fn packed(seed: usize) -> String {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(unpacked(seed).to_string().as_bytes()).expect("write to memory");
    STANDARD.encode(STANDARD.encode(packer.finish().expect("write to memory")))
}

fn unpacked(seed: usize) -> Value {
    let manifest: String = (0..WORKLOADS).map(|at| workload(seed * WORKLOADS + at)).collect();
    let file = |folder: &str, at: usize| {
        let text: String = (0..4).map(|part| workload(seed * WORKLOADS + at * 4 + part)).collect();
        json!({"name": format!("{folder}/part-{at}.yaml"), "data": STANDARD.encode(text)})
    };
    let values: Value = (0..WORKLOADS)
        .map(|at| {
            (
                format!("part-{at}"),
                json!({"replicas": 2, "image": {"repository": "shop/part", "tag": "1.2.3"}}),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    json!({
        "name": format!("r-{seed}"), "version": 1, "namespace": "shop", "manifest": manifest, "config": values,
        "info": {"status": "deployed", "notes": "The shop is there once its pods are ready.\n"},
        "chart": {"metadata": {"name": "shop", "version": "1.2.3"}, "values": values,
            "templates": (0..FILES / 2).map(|at| file("templates", at)).collect::<Vec<_>>(),
            "files": (FILES / 2..FILES).map(|at| file("files", at)).collect::<Vec<_>>()},
    })
}

/// Three documents of YAML, as a chart renders them
fn workload(number: usize) -> String {
    let labels = format!("app.kubernetes.io/name: part-{number}\n    app.kubernetes.io/managed-by: Helm");
    let mut text = format!(
        "---\n# Source: shop/templates/part.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: part-{number}\n  labels:\n    {labels}\n\
         spec:\n  replicas: 2\n  template:\n    spec:\n      serviceAccountName: part-{number}\n      containers:\n      - name: part\n\
         \x20       image: \"registry.example/shop/part:{number}\"\n        env:\n"
    );
    for at in 0..8 {
        let _ = writeln!(
            text,
            "        - name: SETTING_{at}\n          value: \"https://part-{number}.shop.svc.cluster.local:8443/{at}\""
        );
    }
    let _ = write!(
        text,
        "---\n# Source: shop/templates/service.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  name: part-{number}\n  labels:\n    {labels}\n\
         spec:\n  ports:\n  - name: https\n    port: 8443\n  selector:\n    app.kubernetes.io/name: part-{number}\n\
         ---\n# Source: shop/templates/settings.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: part-{number}\n  labels:\n    {labels}\n\
         data:\n  settings.properties: |\n"
    );
    for at in 0..8 {
        let _ = writeln!(
            text,
            "    service.{at}.url=https://service-{number}-{at}.shop.svc.cluster.local:8443/api/v1"
        );
    }
    text
}
