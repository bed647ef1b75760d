//! What is not zero although nothing was found at Entra: other applications, other answers, missing rights.

use super::*;

#[test]
fn identity_of_machine_is_looked_at() {
    let scene = Scene::zero();
    let id = scene.azure.identity("eso").unwrap()["id"].as_str().unwrap().to_owned();
    for named in [id, scene.azure.client_id_of("eso")] {
        scene.store("gcp", &json!({"authType": "ManagedIdentity", "identityId": named}));
        scene.cloud().ends(0).says("ZERO (cluster + consumption + cloud)");
    }
    scene.azure.federate("eso", "ci", "https://ci.example", "repo:x");
    scene.cloud().ends(1).says("KL405");
}

#[test]
fn application_elsewhere_is_not_seen() {
    let (scene, application) = Scene::stored();
    scene.azure.move_application(&application.0, OTHER);
    let report = scene.report(1);
    assert_eq!(report["complete"], json!(false), "{report}");
    assert!(report["notSeen"].to_string().contains(OTHER), "{report}");
}

#[test]
fn other_answers_are_not_believed() {
    let scene = Scene::zero();
    let client_id = scene.azure.client_id_of("eso");
    for (from, to) in [
        ("\"ManagedIdentity\"", "\"Legacy\""),
        ("\"passwordCredentials\"", "\"passwords\""),
        ("\"keyCredentials\":[", "\"keyCredentials\":[7,"),
        (client_id.as_str(), OTHER),
        ("\"value\":[", "\"values\":["),
        (SUBJECT, ""),
        (Entra::tenant(), OTHER),
        ("\"id\":\"/subscriptions", "\"id\":\"/other"),
    ] {
        scene.azure.change(|settings| settings.swapped = Some((from.to_owned(), to.to_owned())));
        let ran = scene.cloud_with(&[]);
        assert_eq!(ran.code, Some(3), "{from} → {to}: {}", ran.out);
    }
}

#[test]
fn login_is_needed_to_ask() {
    let scene = Scene::zero();
    let before = scene.azure.heard().len();
    let mut command = scene.estate.world.command(&["audit", "--cloud", "--ca-file", "ca.pem"]);
    let ran = Ran::of(&mut command).ends(3);
    assert!(ran.out.contains("entra.tenant or AZURE_TENANT_ID"), "{}", ran.out);
    let mut command = scene.estate.world.command(&["audit", "--cloud", "--ca-file", "ca.pem"]);
    let unknown = (scene.login.0.clone(), "x".repeat(40));
    log_in(&mut command, &unknown);
    let ran = Ran::of(&mut command).ends(3);
    assert!(ran.out.starts_with("INCOMPLETE: "), "{}", ran.out);
    assert_eq!(scene.azure.heard().len(), before);
}

#[test]
fn documented_rights_are_those_needed() {
    let scene = Scene::zero();
    scene.cloud().ends(0);
    let page = std::fs::read_to_string("docs/audit.md").unwrap();
    let needed = scene.azure.needed();
    assert!(needed.len() == 3, "{needed:?}");
    for right in needed {
        assert!(page.contains(&format!("`{right}`")), "docs/audit.md lacks {right}");
    }
    let needed: Vec<_> = scene.azure.needed().into_iter().collect();
    let rendered =
        scene.estate.world.run(&["render", "rbac", "--for", "audit", "--cloud", "entra", "-o", "json"]);
    assert_eq!(rendered.ends(0).json()["permissions"], json!(needed));
    let text = scene.estate.world.run(&["render", "rbac", "--for", "audit", "--cloud", "entra"]).ends(0).out;
    assert!(needed.iter().all(|right| text.contains(right)), "{text}");
    // All that is missing, at once.
    needed.iter().for_each(|right| scene.azure.deny(right));
    let ran = scene.cloud().ends(3);
    let warning =
        ran.err.lines().find(|line| line.contains("the login at entra lacks: ")).unwrap_or_default();
    // Who may not read the application learns of its identity nothing more.
    assert!(warning.contains("Application.Read.All"), "{}", ran.err);
    assert!(warning.contains("keyless render rbac --for audit --cloud entra"), "{}", ran.err);
}
