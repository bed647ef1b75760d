//! What a later run finds at Google: an operation that has not ended, and changes by hand.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::*;

#[test]
fn endless_operation_is_reported_and_resumed() {
    let estate = Estate::new();
    estate.google.change(|it| it.operations_never_end = true);
    let mut run = estate.command(&SETUP).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let messages = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = messages.into_iter().find(|line| line.contains("Google is still at it")).unwrap();
    assert!(line.contains("operations/"), "it says which: {line}");
    run.kill().unwrap();
    run.wait().unwrap();
    untouched(&estate, "an operation");
    estate.google.change(|it| it.operations_never_end = false);
    estate.google.finish_operations();
    ends_well(&estate, "an operation");
}

/// On what is ours: shown as what it is, and put right.
#[test]
fn manual_changes_are_shown_and_reverted() {
    type Damage = fn(&Estate);
    let estate = Estate::new();
    estate.settings(IN_POOL);
    ends_well(&estate, "at first");
    let right = estate.google.provider(POOL, "cluster").unwrap();
    let damages: [(Damage, &[&str]); 6] = [
        (
            |it| {
                pool(it, |pool| pool["state"] = json!("DELETED"));
                it.google.write(POOL, Some("cluster"), |it| it["state"] = json!("DELETED"));
            },
            &["+ restore pool keyless-lab", "+ restore provider cluster", "30 days"],
        ),
        (
            |it| pool(it, |pool| pool["disabled"] = json!(true)),
            &["+ enable  pool keyless-lab", "no token of it is accepted"],
        ),
        (
            |it| it.google.write(POOL, Some("cluster"), |it| it["disabled"] = json!(true)),
            &["+ enable  provider cluster"],
        ),
        (
            |it| {
                it.google.write(POOL, Some("cluster"), |it| {
                    it["attributeMapping"] = json!({"google.subject": "assertion.email"})
                })
            },
            &[
                "~ update  provider cluster",
                "attributeMapping: google.subject=assertion.email → ",
                "changes who is meant",
            ],
        ),
        (
            |it| {
                it.google.write(POOL, Some("cluster"), |it| {
                    it["oidc"] = json!({"issuerUri": "https://storage.googleapis.com/former"});
                });
            },
            &["oidc.issuerUri: https://storage.googleapis.com/former → ", "are refused from then on"],
        ),
        (
            |it| {
                for provider in [None, Some("cluster")] {
                    it.google.write(POOL, provider, |it| it["description"] = json!("managed by keyless"));
                }
            },
            &[
                "~ update  pool keyless-lab",
                "description: managed by keyless → managed by keyless in cluster ",
            ],
        ),
    ];
    for (damage, shown) in damages {
        damage(&estate);
        let planned = estate.run(&["setup", "--dry-run"]).ends(1);
        for shown in shown {
            assert!(planned.out.contains(shown), "`{shown}` is not in\n{}", planned.out);
        }
        estate.run(&SETUP).ends(0);
        estate.run(&["setup", "--dry-run"]).ends(0);
        assert_eq!(estate.google.provider(POOL, "cluster").unwrap(), right, "{shown:?}");
        assert!(estate.google.pool(POOL).unwrap()["disabled"].is_null(), "{shown:?}");
    }
}
