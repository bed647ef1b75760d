//! The way of a token, against the stand-in, which verifies it.

use std::time::Duration;

use lab::{Curve, Fault, SigningKey};
use serde_json::{Value, json};

use super::{tests::*, *};
use crate::relying_party::Outcome;
use crate::{error::Check, federation::reading};

async fn ready() -> Far {
    let far = Far::new();
    far.set_up().await.unwrap();
    far
}

/// Check, cause and remedy of the one failure.
fn failure(findings: &[Finding]) -> (Check, String, String) {
    let failed: Vec<_> = findings.iter().filter(|finding| finding.is_failed()).collect();
    assert_eq!(failed.len(), 1, "{findings:#?}");
    let Outcome::Failed { cause, remedy, .. } = &failed[0].outcome else { unreachable!() };
    (failed[0].check, cause.clone(), remedy.clone())
}

#[tokio::test]
async fn directly() {
    let far = ready().await;
    let findings = far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await;
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, [Check::GoogleExchange, Check::GoogleSecret]);
    assert!(findings.iter().all(|finding| matches!(finding.outcome, Outcome::Passed(_))), "{findings:#?}");
    let shown = format!("{findings:?}");
    assert!(shown.contains("28 bytes") && !shown.contains("correct horse"), "{shown}");
}

#[tokio::test]
async fn by_impersonation() {
    let mut far = Far::new();
    far.settings.impersonate = Some(far.google.service_account("eso-reader"));
    far.set_up().await.unwrap();
    let findings = far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await;
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, [Check::GoogleExchange, Check::GoogleImpersonation, Check::GoogleSecret]);
    assert!(findings.iter().all(|finding| matches!(finding.outcome, Outcome::Passed(_))), "{findings:#?}");

    far.google.set_policy("serviceAccounts/eso-reader@acme-prod.iam.gserviceaccount.com", json!([]));
    let findings = far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await;
    let (check, _, remedy) = failure(&findings);
    assert_eq!(check, Check::GoogleImpersonation);
    assert!(remedy.contains("roles/iam.workloadIdentityUser"), "{remedy}");
    assert!(matches!(findings[2].outcome, Outcome::Skipped(_)));
}

/// The token service fetches what is in the bucket.
#[tokio::test]
async fn with_documents() {
    let mut far = Far::new();
    let documents = "https://storage.googleapis.com/acme-oidc";
    let storage = far.google.storage();
    storage.own_bucket("acme-oidc");
    let put = |name: &str, body: &Value| {
        storage.put("acme-oidc", name, "application/json", None, body.to_string().as_bytes());
    };
    put("openid/v1/jwks", &json!({"keys": [far.key.jwk()]}));
    put(
        ".well-known/openid-configuration",
        &json!({
            "issuer": documents, "jwks_uri": format!("{documents}/openid/v1/jwks"), "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
        }),
    );
    far.settings.mode = Mode::Documents;
    let mut want = far.trust();
    want.issuer = issuer(Mode::Documents, documents);
    do_all(&far.gcp(), &want).await.unwrap();
    let token = far.token(|it| it["iss"] = json!(documents));
    let (_, cause, remedy) = failure(&far.gcp().probe(&token, &reading("db"), &mut |_: &str| ()).await);
    assert!(
        cause.contains("cannot read the issuer's documents") && remedy.contains("keyless publish"),
        "{cause}"
    );

    let policy = json!({"bindings": [{"role": "roles/storage.legacyObjectReader", "members": ["allUsers"]}]});
    let url = format!("{}/storage/v1/b/acme-oidc/iam", far.google.http_url());
    let http = Http::new(&[]).unwrap();
    let request = http.client().put(url).bearer_auth(far.google.token()).body(policy.to_string());
    assert_eq!(http.send(request, "the bucket").await.unwrap().status, 200);
    let findings = far.gcp().probe(&token, &reading("db"), &mut |_: &str| ()).await;
    assert!(findings.iter().all(|finding| !finding.is_failed()), "{findings:#?}");
}

#[tokio::test]
async fn clocks_ten_minutes_apart() {
    let far = ready().await;
    for (offset, right) in [(-600, false), (-30, true), (30, true), (1800, false)] {
        far.google.change(|it| it.clock_offset = offset);
        let findings = far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await;
        if right {
            assert!(findings.iter().all(|finding| !finding.is_failed()), "{offset}: {findings:#?}");
        } else {
            let (_, cause, remedy) = failure(&findings);
            assert!(cause.contains("clock") && remedy.contains("NTP"), "{offset}: {cause}");
        }
    }
}

/// A workload's own way needs no credentials of an administrator when the project's number is given.
#[tokio::test]
async fn with_the_number_and_nothing_else() {
    let mut far = ready().await;
    far.settings.project = "123456789012".to_owned();
    far.settings.access_token = Some(Secret::new("ya29.expired".to_owned()));
    let findings = far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await;
    assert!(findings.iter().all(|finding| !finding.is_failed()), "{findings:#?}");
    far.settings.project = "acme-prod".to_owned();
    let (check, cause, remedy) =
        failure(&far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await);
    assert_eq!(check, Check::GoogleExchange);
    assert!(!cause.is_empty() && remedy.contains("gcloud auth print-access-token"), "{remedy}");
}

/// What the token service refuses is explained, and asked once only.
#[tokio::test]
async fn refused_exchanges() {
    type Damage = fn(&mut Value);
    let far = ready().await;
    let damages: [(Damage, &str); 5] = [
        (|it| it["aud"] = json!(["https://kubernetes.default.svc"]), "another audience"),
        (|it| it["iss"] = json!("https://old.example.com"), "signs with another issuer"),
        (|it| it["exp"] = json!(1), "clock"),
        (|it| it["sub"] = json!("system:serviceaccount:external-secrets:other"), "condition does not name"),
        (|it| it["kubernetes.io"] = Value::Null, "does not carry"),
    ];
    for (damage, cause) in damages {
        far.google.faults().forget();
        let findings = far.gcp().probe(&far.token(damage), &reading("db"), &mut |_: &str| ()).await;
        let (check, found, remedy) = failure(&findings);
        assert_eq!(check, Check::GoogleExchange);
        assert!(found.contains(cause), "{found}");
        assert!(!remedy.is_empty() && !remedy.contains('{'), "{remedy}");
        let calls = far.google.faults().requests();
        assert_eq!(calls.iter().filter(|call| call.path == "/v1/token").count(), 1, "400 is final");
        assert!(matches!(findings[1].outcome, Outcome::Skipped(_)));
    }
    let other_cluster = SigningKey::ec(Curve::P256);
    let (_, cause, _) =
        failure(&far.gcp().probe(&token(&other_cluster, |_| {}), &reading("db"), &mut |_: &str| ()).await);
    assert!(cause.contains("not among the keys"), "{cause}");
}

#[tokio::test]
async fn providers_through_which_nothing_goes() {
    type Damage = fn(&Far);
    let damages: [(Damage, &str); 4] = [
        (
            |far| far.google.write("keyless-lab", Some("cluster"), |it| it["disabled"] = json!(true)),
            "disabled",
        ),
        (|far| far.google.write("keyless-lab", None, |it| it["state"] = json!("DELETED")), "deleted"),
        (
            |far| {
                far.google.write("keyless-lab", Some("cluster"), |it| {
                    it["oidc"]["allowedAudiences"] = json!(["other"]);
                });
            },
            "another audience",
        ),
        (
            |far| {
                far.google.write("keyless-lab", Some("cluster"), |it| it["oidc"]["jwksJson"] = json!(""));
            },
            "cannot read the issuer's documents",
        ),
    ];
    for (damage, cause) in damages {
        let far = ready().await;
        damage(&far);
        let (check, found, _) =
            failure(&far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await);
        assert_eq!(check, Check::GoogleExchange);
        assert!(found.contains(cause), "{found}");
    }
}

#[tokio::test]
async fn unspread_grant_is_waited_for_aloud() {
    let far = Far::new();
    far.google.change(|it| it.propagation = Duration::from_millis(400));
    let gcp = far.gcp();
    do_all(&gcp, &far.trust()).await.unwrap();
    let mut messages = Vec::new();
    let findings =
        gcp.probe(&far.token(|_| {}), &reading("db"), &mut |text: &str| messages.push(text.to_owned())).await;
    assert!(findings.iter().all(|finding| !finding.is_failed()), "{findings:#?}");
    assert!(messages.len() > 1 && messages[0].contains("has not spread yet"), "{messages:?}");
}

#[tokio::test]
async fn refusal_without_fresh_grant_counts_immediately() {
    let far = ready().await;
    far.google.set_policy("secrets/db", json!([]));
    let mut messages = Vec::new();
    let gcp = far.gcp();
    let findings =
        gcp.probe(&far.token(|_| {}), &reading("db"), &mut |text: &str| messages.push(text.to_owned())).await;
    let (check, cause, remedy) = failure(&findings);
    assert_eq!((check, messages.len()), (Check::GoogleSecret, 0));
    assert!(cause.contains("has not spread yet"), "{cause}");
    assert!(remedy.contains("secretmanager.versions.access"), "{remedy}");
}

#[tokio::test]
async fn never_spreading_grant_ends_the_waiting() {
    let far = Far::new();
    far.google.change(|it| it.propagation = Duration::from_secs(600));
    let gcp = far.gcp();
    let mut patience = gcp.patience;
    patience.after_grant = Duration::from_millis(60);
    let gcp = gcp.with_patience(patience);
    do_all(&gcp, &far.trust()).await.unwrap();
    let (check, ..) = failure(&gcp.probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await);
    assert_eq!(check, Check::GoogleSecret);
}

#[tokio::test]
async fn secrets_that_cannot_be_read() {
    let mut far = Far::new();
    far.settings.grant = Grant::Project;
    far.set_up().await.unwrap();
    let (_, cause, _) =
        failure(&far.gcp().probe(&far.token(|_| {}), &reading("nothing"), &mut |_: &str| ()).await);
    assert!(cause.contains("no secret nothing"), "{cause}");
    let (_, seen, _) =
        failure(&far.gcp().probe(&far.token(|_| {}), &reading("../db"), &mut |_: &str| ()).await);
    assert!(!seen.is_empty());
    far.google.enable("secretmanager.googleapis.com", false);
    let (_, cause, remedy) =
        failure(&far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await);
    assert!(cause.contains("secretmanager.googleapis.com is not enabled"), "{cause}");
    assert!(remedy.contains("gcloud services enable"), "{remedy}");
}

#[tokio::test]
async fn answers_that_are_none() {
    let far = ready().await;
    for (part, answer) in [
        ("/v1/token", Fault::html()),
        ("/v1/token", Fault::answer(200, "application/json", "{}")),
        ("/v1/token", Fault::answer(200, "application/json", r#"{"access_token":"x","expires_in":0}"#)),
        (":access", Fault::answer(200, "application/json", r#"{"payload":{"data":"%%%"}}"#)),
        (":access", Fault::gibibyte()),
        (":access", Fault::status(500)),
    ] {
        far.google.faults().clear();
        far.google.faults().always("", part, answer);
        failure(&far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await);
    }
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let far = ready().await;
    let token = far.token(|_| {});
    let echo =
        json!({"error": "invalid_grant", "error_description": format!("bad token {}", token.expose())});
    far.google.faults().always("POST", "/v1/token", Fault::answer(400, "application/json", echo.to_string()));
    let findings = far.gcp().probe(&token, &reading("db"), &mut |_: &str| ()).await;
    let shown = format!("{findings:?}");
    assert!(!shown.contains(token.expose()) && shown.contains("bad token"), "{shown}");
}

#[tokio::test]
async fn unknown_new_provider_is_waited_for() {
    let unknown = r#"{"error": "invalid_target", "error_description": "The target service indicated by the \"audience\" parameters is invalid."}"#;
    let refuse = |far: &Far, times| {
        far.google.faults().next(times, "POST", "/v1/token", Fault::answer(400, "application/json", unknown));
    };
    let far = Far::new();
    let gcp = far.gcp();
    do_all(&gcp, &far.trust()).await.unwrap();
    refuse(&far, 2);
    let mut messages = Vec::new();
    let findings =
        gcp.probe(&far.token(|_| {}), &reading("db"), &mut |text: &str| messages.push(text.to_owned())).await;
    assert!(findings.iter().all(|finding| !finding.is_failed()), "{findings:?}");
    assert!(messages.len() == 2 && messages[0].contains("may not know the provider yet"), "{messages:?}");
    // Nothing was written by this run, and the token itself is at fault: neither is waited for.
    refuse(&far, 1);
    failure(&far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await);
    far.google.change(|it| it.clock_offset = -600);
    let mut messages = 0;
    failure(
        &gcp.probe(&far.token(|it| it["jti"] = json!("x")), &reading("db"), &mut |_: &str| messages += 1)
            .await,
    );
    assert_eq!(messages, 0);
}
