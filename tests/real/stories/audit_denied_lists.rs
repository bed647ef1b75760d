//! An auditor that may not list one kind: its verdict is never a zero. Every right to list in deploy/auditor, one by one.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::check::{Checked, While, check, until};
use crate::eso;
use crate::kubernetes::{Login, write_kubeconfig};
use crate::world::World;

const AUDITOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/auditor");
const NAMESPACE: &str = "keyless-system";
const ROLE: &str = "keyless-audit";
/// What a list of it tells is a note in the report, and decides nothing.
const NOTE: &str = "clusterrolebindings";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let mut server = world.other_cluster("denied", "10.99.0.6", &[])?;
    server.ready().await?;
    let server = &server;
    let kubeconfig = world.folder.join("kubeconfig-of-denied");
    world.write_kubeconfig_for(server, &kubeconfig)?;
    eso::install_objects(world, &kubeconfig, "crds.yaml").await?;
    let apply = ["apply", "--server-side"];
    let by_token = json!({"vault": {"server": "https://vault.lab.test", "path": "secret", "auth": {"kubernetes": {
        "mountPath": "kubernetes", "role": "reader",
        "serviceAccountRef": {"name": "eso", "namespace": "default"},
    }}}});
    let objects =
        [eso::namespace(NAMESPACE), eso::account("default", "eso"), eso::store("by-token", &by_token)];
    world.kubectl_at(&kubeconfig, &apply, &objects).await?;
    for file in ["service-account.yaml", "rbac.yaml"] {
        let apply = ["apply", "--namespace", NAMESPACE, "--filename", &format!("{AUDITOR}/{file}")];
        world.kubectl(&apply)?.with("KUBECONFIG", &kubeconfig).run().await?.exits(0)?;
    }
    let token = server.token(&format!("{NAMESPACE}/keyless-auditor"), &[]).await?;
    let auditor = world.folder.join("kubeconfig-of-auditor");
    write_kubeconfig(&auditor, &server.url(""), &world.pki, Login::Token(&token))?;
    says(world, &auditor, None).await.during("with all rights of deploy/auditor")?;

    let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{ROLE}");
    let rules = server.get(&path).await?["rules"].as_array().cloned().unwrap_or_default();
    let served = world.kubectl(&["api-resources", "--output=name"])?.with("KUBECONFIG", &kubeconfig);
    let served = served.run().await?.exits(0)?.stdout;
    let mut denied = 0;
    for (at, rule) in rules.iter().enumerate() {
        let group = rule["apiGroups"][0].as_str().unwrap_or_default();
        let lists = rule["verbs"].as_array().is_some_and(|verbs| verbs.contains(&json!("list")));
        if !lists {
            continue;
        }
        for resource in rule["resources"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let name = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
            // What the API server does not have is not listed.
            if resource == NOTE || !served.lines().any(|it| it == name) {
                continue;
            }
            world.kubectl_at(&kubeconfig, &["replace"], &[role(&without(&rules, at, resource))]).await?;
            let doing = format!("without the right to list {name}");
            says(world, &auditor, Some(&name)).await.during(doing)?;
            denied += 1;
        }
    }
    check!(denied > 20, "only {denied} rights to list were taken away");
    world.kubectl_at(&kubeconfig, &["replace"], &[role(&rules)]).await?;
    says(world, &auditor, None).await.during("with all rights again")
}

/// The rules, with this resource of one of them no longer to be listed.
fn without(rules: &[Value], at: usize, resource: &str) -> Vec<Value> {
    let mut rules = rules.to_vec();
    let mut others = rules[at].clone();
    let of = |value: &Value, keeps: &dyn Fn(&Value) -> bool| -> Value {
        value.as_array().into_iter().flatten().filter(|it| keeps(it)).cloned().collect()
    };
    others["resources"] = of(&others["resources"], &|it| it != resource);
    let mut rest = rules[at].clone();
    rest["resources"] = json!([resource]);
    rest["verbs"] = of(&rest["verbs"], &|verb| verb != "list");
    rules.remove(at);
    rules.extend([others, rest].into_iter().filter(|rule| {
        ["resources", "verbs"].iter().all(|field| rule[field].as_array().is_some_and(|it| !it.is_empty()))
    }));
    rules
}

fn role(rules: &[Value]) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": ROLE}, "rules": rules})
}

/// Waits until the API server has heard of the change; then the verdict is the one that fits to it.
async fn says(world: &World, auditor: &Path, denied: Option<&str>) -> Checked {
    until("the verdict", Duration::from_secs(20), async || {
        let call = world.keyless(&["audit", "-o", "json"])?.with("KUBECONFIG", auditor);
        let ran = call.run().await?.exits(if denied.is_some() { 3 } else { 0 })?;
        let report: Value = serde_json::from_str(&ran.stdout).during(&ran)?;
        check!(report["complete"] == denied.is_none(), "it should not be complete: {}", report["complete"]);
        let right = denied.map(|name| format!("list {name}")).unwrap_or_default();
        check!(ran.stdout.contains(&right), "`{right}` should be named\n{ran}");
        Ok(())
    })
    .await
}
