//! The forms of `keyless audit` from outside: several in one run, each about the same cluster, and what cannot be written.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::world::World;

const FORMATS: [(&str, &str); 8] = [
    ("json", "audit.json"),
    ("html", "audit.html"),
    ("in-toto", "audit.intoto.json"),
    ("junit", "audit.xml"),
    ("openreports", "audit.yaml"),
    ("oscal", "audit.oscal.json"),
    ("prometheus", "audit.prom"),
    ("sarif", "audit.sarif"),
];
/// The private half of a credential.
const CANARY: &str = "kanarienvogel7f3a9c51e2d84b06kanarienvogel";

/// Holds one key of AWS.
fn with_key() -> World {
    let world = World::with_operator();
    world.cluster.put_object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "aws", "namespace": "shop"},
        "data": {"id": format!("AK{}{}", "IA", "IOSFODNN7EXAMPLE"), "secret": &CANARY[..40]}}),
    );
    world
}

fn read(world: &World, file: &str) -> String {
    fs::read_to_string(world.dir.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn one_run_writes_every_report() {
    let world = with_key();
    let reports: Vec<_> = FORMATS.iter().map(|(format, file)| format!("{format}={file}")).collect();
    let mut arguments = vec!["audit", "-o", "json"];
    arguments.extend(reports.iter().flat_map(|report| ["--report", report.as_str()]));
    let before = world.cluster.server(0).faults().requests().len();
    let ran = world.run(&arguments).ends(1);
    let with_reports = world.cluster.server(0).faults().requests().len() - before;
    world.run(&["audit", "-o", "json"]).ends(1);
    let without = world.cluster.server(0).faults().requests().len() - before - with_reports;
    assert_eq!(with_reports, without, "the cluster is read once");
    // The file is what was printed, byte for byte, and the others name its digest.
    assert_eq!(read(&world, "audit.json"), ran.out);
    let statement: Value = serde_json::from_str(&read(&world, "audit.intoto.json")).unwrap();
    let digest = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
    let printed =
        std::process::Command::new("sha256sum").arg(world.dir.path().join("audit.json")).output().unwrap();
    assert!(String::from_utf8_lossy(&printed.stdout).starts_with(digest), "{printed:?}");
    for (format, file) in FORMATS {
        let text = read(&world, file);
        let names_it = ["json", "prometheus"].contains(&format) || text.contains(digest);
        assert!(names_it, "{format} does not name the digest");
        assert!(!text.contains(&CANARY[..20]), "{format}");
        let headline = format == "prometheus" || text.contains("1 LONG-LIVED credential lies in the cluster");
        assert!(headline, "{format}: {text}");
        let mode = fs::metadata(world.dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0, "{file}");
    }
    let metrics = read(&world, "audit.prom");
    assert!(metrics.contains("keyless_long_lived_credentials{class=\"root\"} 1\n"), "{metrics}");
}

#[test]
fn every_format_is_printed() {
    let world = with_key();
    for (format, _) in FORMATS {
        let ran = world.run(&["audit", "-o", format]).ends(1);
        let start = match format {
            "html" => "<!DOCTYPE html>\n",
            "junit" => "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
            "openreports" => "---\n",
            "prometheus" => "# HELP keyless_audit_info ",
            _ => "{",
        };
        assert!(ran.out.starts_with(start), "{format}: {}", ran.out);
        assert!(!ran.out.ends_with("\n\n") && ran.out.ends_with('\n'), "{format}");
        assert!(!ran.out.contains(&CANARY[..20]) && !ran.err.contains(&CANARY[..20]), "{format}");
    }
}

/// The exit code is that of the verdict, whatever is printed.
#[test]
fn incomplete_passes_in_no_format() {
    let world = World::with_operator();
    world.cluster.deny("admin", "list", "pods");
    let text = |format: &str| world.run(&["audit", "-o", format]).ends(3).out;
    assert!(text("prometheus").contains("keyless_audit_complete 0\n"));
    assert!(text("in-toto").contains("\"FAILED\""));
    assert!(text("junit").contains("name=\"verdict\" time=\"0\">\n      <error "));
    assert!(!text("junit").contains("<skipped "), "what was not evaluated is red");
    assert!(text("html").contains("This is not a pass."));
    let log: Value = serde_json::from_str(&text("sarif")).unwrap();
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().any(|it| it["kind"] == "open"), "{log}");
    assert!(results.iter().any(|it| it["ruleId"] == "audit-incomplete" && it["level"] == "error"), "{log}");
    world.cluster.forgive("admin");
    let log: Value = serde_json::from_str(&world.run(&["audit", "-o", "sarif"]).ends(0).out).unwrap();
    assert_eq!(log["runs"][0]["results"], json!([]));
}

#[test]
fn report_that_cannot_be_written_fails() {
    let world = with_key();
    for report in ["html=missing/audit.html", "html=."] {
        let ran = world.run(&["audit", "-o", "sarif", "--report", report]).fails(
            3,
            "report-unwritable",
            &["--report"],
        );
        assert_eq!(ran.out, "", "{report}");
    }
    let ran = world.run(&["audit", "--report", "pdf=audit.pdf"]).ends(2);
    assert!(ran.err.contains("html, in-toto, junit"), "{}", ran.err);
    assert!(!world.dir.path().join("audit.pdf").exists());
}

/// A store whose headers are words of the reports keeps none of them from being written.
#[test]
fn words_as_secrets_stop_no_report() {
    let world = with_key();
    for (at, word) in ["Operator", "SHA-256", "openreports.io/v1alpha1", "utf16CodeUnits", "keyless-audit"]
        .iter()
        .enumerate()
    {
        world.cluster.put_object(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": format!("s{at}")},
            "spec": {"provider": {"vault": {"server": "https://vault.test", "headers": {"X-Vault-Token": word},
                "auth": {"tokenSecretRef": {"name": "token", "namespace": "external-secrets", "key": "k"}}}}},
        }));
    }
    let json = world.run(&["audit", "-o", "json"]).ends(1).out;
    assert!(json.contains('…'), "they are known as secrets: {json}");
    for (format, _) in FORMATS.iter().filter(|(format, _)| *format != "json") {
        let report = format!("{format}=audit.{format}");
        let printed = world.run(&["audit", "-o", format, "--report", &report]).ends(1).out;
        assert!(printed.len() > 500, "{printed}");
        assert!(read(&world, &format!("audit.{format}")).contains("keyless"), "{format}");
    }
}
