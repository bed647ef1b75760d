//! Against the stand-in: what is there afterwards.

use std::time::Duration;

use lab::{Curve, Fault, SigningKey};
use serde_json::json;

use super::{mark::mark, tests::*, *};
use crate::{
    error::Code,
    federation::{changes, reading},
    plan::Action,
};

#[tokio::test]
async fn first_run_creates_second_changes_nothing() {
    let far = Far::new();
    let changes = far.set_up().await.unwrap();
    assert_eq!(
        verbs(&changes),
        [Action::Enable, Action::Create, Action::Create, Action::Grant],
        "{changes:#?}"
    );
    assert!(far.google.is_enabled("sts.googleapis.com"));
    assert_eq!(far.pool()["description"], mark(CLUSTER, ISSUER));
    let provider = far.provider();
    assert_eq!(provider["attributeCondition"], format!("assertion.sub in ['{SUBJECT}']"));
    assert_eq!(provider["attributeMapping"]["google.subject"], "assertion.sub");
    assert_eq!(provider["oidc"]["issuerUri"], ISSUER);
    assert!(provider["oidc"]["allowedAudiences"].is_null());
    let role = "roles/secretmanager.secretAccessor";
    assert_eq!(far.google.policy("secrets/db"), json!([{"role": role, "members": [PRINCIPAL]}]));

    far.google.faults().forget();
    let again = far.set_up().await.unwrap();
    assert!(verbs(&again).iter().all(|verb| *verb == Action::NoOp), "{again:#?}");
    assert_eq!(far.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn withdrawal_removes_ours_and_setup_restores() {
    let far = Far::new();
    far.set_up().await.unwrap();
    let gcp = far.gcp();
    for round in 0..2 {
        let changes = changes(gcp.withdraw(&far.trust()).await.unwrap());
        let expected: &[Action] = match round {
            0 => &[Action::Revoke, Action::Delete, Action::Delete],
            _ => &[Action::NoOp, Action::NoOp],
        };
        assert_eq!(verbs(&changes), expected, "{changes:#?}");
        for change in &changes {
            change.run(&mut |_| {}).await.unwrap();
            change.run(&mut |_| {}).await.unwrap();
        }
    }
    assert_eq!((&far.pool()["state"], &far.provider()["state"]), (&json!("DELETED"), &json!("DELETED")));
    assert_eq!(far.google.policy("secrets/db"), json!([]));

    let changes = far.set_up().await.unwrap();
    assert_eq!(verbs(&changes), [Action::Restore, Action::Restore, Action::Grant], "{changes:#?}");
    assert_eq!((&far.pool()["state"], &far.provider()["state"]), (&json!("ACTIVE"), &json!("ACTIVE")));
    let findings = far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await;
    assert!(findings.iter().all(|finding| !finding.is_failed()), "{findings:?}");
}

#[tokio::test]
async fn every_change_can_be_done_twice() {
    let far = Far::new();
    let gcp = far.gcp();
    let changes = gcp.plan(&far.trust()).await.unwrap().changes;
    for change in &changes {
        change.run(&mut |_| {}).await.unwrap();
        change.run(&mut |_| {}).await.unwrap();
    }
    let again = gcp.plan(&far.trust()).await.unwrap().changes;
    assert!(verbs(&again).iter().all(|verb| *verb == Action::NoOp), "{again:#?}");
}

#[tokio::test]
async fn answers_lost_after_effect_are_resumed() {
    for (method, part) in [
        ("POST", "batchEnable"),
        ("POST", "workloadIdentityPoolId="),
        ("POST", "workloadIdentityPoolProviderId="),
        ("POST", ":setIamPolicy"),
        ("GET", "/operations/"),
    ] {
        let far = Far::new();
        far.google.faults().next(1, method, part, Fault::CloseAfterEffect);
        far.set_up().await.unwrap_or_else(|error| panic!("{part}: {error}"));
        let again = far.set_up().await.unwrap();
        assert!(verbs(&again).iter().all(|verb| *verb == Action::NoOp), "{part}: {again:#?}");
    }
}

#[tokio::test]
async fn trouble_that_passes() {
    let far = Far::new();
    far.google.faults().next(2, "POST", "workloadIdentityPoolId=", Fault::status(503));
    far.google.faults().next(2, "GET", "/operations/", Fault::status(500));
    far.google.faults().next(3, "GET", "batchGet", Fault::status(429));
    far.set_up().await.unwrap();
    assert_eq!(far.provider()["state"], "ACTIVE");
}

#[tokio::test]
async fn trouble_that_stays() {
    let throttled = Code::GoogleThrottled;
    for (status, code) in [(503, throttled), (500, Code::GoogleServer), (429, throttled)] {
        let far = Far::new();
        far.google.faults().always("GET", "workloadIdentityPools/keyless-lab", Fault::status(status));
        let error = far.gcp().plan(&far.trust()).await.unwrap_err();
        assert_eq!(error.code, code, "{error}");
    }
    let far = Far::new();
    far.google.faults().always("GET", "/v1/projects/acme-prod", Fault::html());
    let error = far.gcp().plan(&far.trust()).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleAnswer, "{error}");
}

#[tokio::test]
async fn unseen_services_are_assumed_enabled() {
    let far = Far::new();
    far.google.deny("serviceusage.services.get");
    let changes = far.set_up().await.unwrap();
    assert_eq!(verbs(&changes), [Action::NoOp, Action::Create, Action::Create, Action::Grant]);
    assert!(changes[0].step.reason.contains("serviceusage.services.get"), "{}", changes[0].step.reason);
}

#[tokio::test]
async fn disabled_services_are_enabled_first() {
    let far = Far::new();
    for service in ["iam.googleapis.com", "secretmanager.googleapis.com"] {
        far.google.enable(service, false);
    }
    let changes = far.set_up().await.unwrap();
    assert_eq!(changes[0].step.action, Action::Enable);
    for service in ["iam.googleapis.com", "secretmanager.googleapis.com", "sts.googleapis.com"] {
        assert!(changes[0].step.name.contains(service) && far.google.is_enabled(service), "{changes:#?}");
    }
    assert_eq!(far.google.policy("secrets/db")[0]["members"][0], PRINCIPAL);
}

#[tokio::test]
async fn newly_enabled_service_is_waited_for() {
    let far = Far::new();
    let gcp = far.gcp();
    let changes = gcp.plan(&far.trust()).await.unwrap().changes;
    let body = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "iam has not been used", "details": [
        {"reason": "SERVICE_DISABLED", "metadata": {"service": "iam.googleapis.com"}}]}});
    far.google.faults().next(
        2,
        "POST",
        "workloadIdentityPoolId=",
        Fault::answer(403, "application/json", body.to_string()),
    );
    let mut messages = Vec::new();
    for change in &changes {
        change.run(&mut |text| messages.push(text.to_owned())).await.unwrap();
    }
    assert_eq!(messages.iter().filter(|text| text.contains("just enabled")).count(), 2, "{messages:?}");
}

#[tokio::test]
async fn etags_that_do_not_match() {
    let far = Far::new();
    far.google.conflict(3);
    let gcp = far.gcp();
    let mut messages = Vec::new();
    for change in gcp.plan(&far.trust()).await.unwrap().changes {
        change.run(&mut |text| messages.push(text.to_owned())).await.unwrap();
    }
    assert!(messages.iter().any(|text| text.contains("another client")), "{messages:?}");
    assert_eq!(far.google.policy("secrets/db")[0]["members"][0], PRINCIPAL);

    let far = Far::new();
    far.google.conflict(10);
    let error = far.set_up().await.unwrap_err();
    assert_eq!(error.code, Code::GoogleBusy, "{error}");
    assert!(
        error
            .hints
            .last()
            .unwrap()
            .contains("secretmanager.secrets.setIamPolicy (roles/secretmanager.admin)")
    );
    far.google.conflict(9);
    far.set_up().await.unwrap();
}

#[tokio::test]
async fn an_operation_that_fails() {
    let far = Far::new();
    far.google.enable("sts.googleapis.com", true);
    far.google.fail_next_operation("FAILED_PRECONDITION", "the pool cannot be made today");
    let error = far.set_up().await.unwrap_err();
    assert_eq!(error.code, Code::GoogleOperationFailed, "{error}");
    assert!(error.causes[0].contains("FAILED_PRECONDITION: the pool cannot be made today"), "{error}");
    assert!(error.message.contains("pool keyless-lab in acme-prod"), "{error}");
    far.google.fail_next_operation("PERMISSION_DENIED", "Permission 'iam.x.y' denied");
    let error = far.set_up().await.unwrap_err();
    assert_eq!(error.code, Code::GoogleForbidden, "{error}");
    far.set_up().await.unwrap();
}

#[tokio::test]
async fn endless_operation_is_resumed_when_rerun() {
    let far = Far::new();
    far.google.enable("sts.googleapis.com", true);
    far.google.change(|it| it.operations_never_end = true);
    let mut gcp = far.gcp();
    gcp.api.pace.operation.deadline = Duration::from_millis(50);
    let error = do_all(&gcp, &far.trust()).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleOperationEndless, "{error}");
    assert!(error.hints[0].contains("start again"), "{error}");
    // The name is taken by what is not there yet.
    let error = do_all(&gcp, &far.trust()).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleOperationEndless, "{error}");
}

#[tokio::test]
async fn slow_operation_is_reported_meanwhile() {
    let far = Far::new();
    far.google.change(|it| {
        it.operation_polls = 9;
        it.operation_time = Duration::from_secs(60);
    });
    let gcp = far.gcp();
    let mut messages = Vec::new();
    for change in gcp.plan(&far.trust()).await.unwrap().changes {
        change.run(&mut |text| messages.push(text.to_owned())).await.unwrap();
    }
    assert!(messages.iter().any(|text| text.contains("Google is still at it")), "{messages:?}");
}

#[tokio::test]
async fn an_interrupted_creation_is_taken_up() {
    let far = Far::new();
    far.google.enable("sts.googleapis.com", true);
    far.google.change(|it| {
        it.operation_polls = 1000;
        it.operation_time = Duration::from_millis(150);
    });
    let mut gcp = far.gcp();
    gcp.api.pace.operation.deadline = Duration::from_millis(10);
    assert_eq!(do_all(&gcp, &far.trust()).await.unwrap_err().code, Code::GoogleOperationEndless);
    far.google.change(|it| it.operation_polls = 1);
    far.set_up().await.unwrap();
    assert_eq!(far.provider()["state"], "ACTIVE");
}

#[tokio::test]
async fn aborted_change_waits_for_the_other() {
    let far = Far::new();
    far.set_up().await.unwrap();
    far.google.write("keyless-lab", None, |it| it["disabled"] = json!(true));
    let body =
        json!({"error": {"code": 409, "status": "ABORTED", "message": "another operation is under way"}});
    far.google.faults().next(2, "PATCH", "", Fault::answer(409, "application/json", body.to_string()));
    far.set_up().await.unwrap();
    assert!(far.pool()["disabled"].is_null());
}

#[tokio::test]
async fn name_taken_after_plan_is_refused() {
    let far = Far::new();
    let gcp = far.gcp();
    let changes = gcp.plan(&far.trust()).await.unwrap().changes;
    far.google.write("keyless-lab", None, |it| it["description"] = json!("of the network team"));
    let error = changes[1].run(&mut |_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleConflict, "{error}");
    assert_eq!(far.pool()["description"], "of the network team");

    let older = format!("managed by keyless in cluster {CLUSTER} for https://old.example");
    for unknown in ["managed by keyless for https://old.example", "managed by keyless"] {
        far.google.write("keyless-lab", None, |it| {
            it["description"] = json!(unknown);
            it["state"] = json!("DELETED");
        });
        let error = changes[1].run(&mut |_| {}).await.unwrap_err();
        assert_eq!(error.code, Code::GoogleConflict, "{error}");
        assert_eq!(far.pool()["state"], "DELETED", "{unknown}");
    }
    far.google.write("keyless-lab", None, |it| it["description"] = json!(older));
    changes[1].run(&mut |_| {}).await.unwrap();
    assert_eq!(far.pool()["description"], mark(CLUSTER, ISSUER));
    assert_eq!(far.pool()["state"], "ACTIVE");
}

#[tokio::test]
async fn organisation_policies() {
    let far = Far::new();
    far.google.change(|it| it.allowed_issuers = Some(vec!["https://login.example.com".to_owned()]));
    let error = far.set_up().await.unwrap_err();
    assert_eq!(error.code, Code::GoogleOrgPolicy, "{error}");
    assert!(error.hints[0].contains("constraints/iam.workloadIdentityPoolProviders"), "{error}");

    let far = Far::new();
    far.google.change(|it| it.members_restricted = true);
    let error = far.set_up().await.unwrap_err();
    assert_eq!(error.code, Code::GoogleOrgPolicy, "{error}");
    assert!(error.hints[0].contains("constraints/iam.allowedPolicyMemberDomains"), "{error}");
}

#[tokio::test]
async fn manual_changes_are_reverted() {
    let far = Far::new();
    far.set_up().await.unwrap();
    let right = far.provider();
    let other = SigningKey::ec(Curve::P256);
    let jwks = json!({"keys": [other.jwk()]}).to_string();
    for (field, value) in [
        ("attributeMapping", json!({"google.subject": "assertion.email"})),
        ("attributeCondition", json!("true")),
        ("disabled", json!(true)),
        ("description", json!("managed by keyless")),
        ("/oidc/allowedAudiences", json!(["sts.amazonaws.com"])),
        ("/oidc/jwksJson", json!(jwks)),
        ("/oidc/jwksJson", json!("")),
    ] {
        far.google.write("keyless-lab", Some("cluster"), |it| match field.strip_prefix("/oidc/") {
            Some(field) => it["oidc"][field] = value.clone(),
            None => it[field] = value.clone(),
        });
        far.google.faults().forget();
        let changes = far.set_up().await.unwrap();
        let changed: Vec<_> = changes.iter().filter(|change| change.step.action != Action::NoOp).collect();
        assert_eq!(changed.len(), 1, "{changes:#?}");
        let mask = field.trim_start_matches('/').replace('/', ".");
        assert_eq!(changed[0].step.fields.len(), 1, "{changes:#?}");
        assert_eq!(changed[0].step.fields[0].path, mask);
        assert!(
            far.writes()[0].ends_with(&format!("providers/cluster?updateMask={mask}")),
            "{:?}",
            far.writes()
        );
        assert_eq!(far.provider(), right, "{field}");
    }
}

#[tokio::test]
async fn between_uploaded_keys_and_documents() {
    let mut far = Far::new();
    far.set_up().await.unwrap();
    let mut want = far.trust();
    want.issuer = issuer(Mode::Documents, "https://storage.googleapis.com/acme-oidc");
    far.settings.mode = Mode::Documents;
    far.google.faults().forget();
    do_all(&far.gcp(), &want).await.unwrap();
    assert_eq!(far.provider()["oidc"], json!({"issuerUri": "https://storage.googleapis.com/acme-oidc"}));
    let provider = far.writes().into_iter().find(|call| call.contains("/providers/")).unwrap();
    assert!(provider.ends_with("?updateMask=description,oidc.issuerUri,oidc.jwksJson"), "{provider}");

    far.settings.mode = Mode::Uploaded;
    want.issuer = issuer(Mode::Uploaded, "https://storage.googleapis.com/acme-oidc");
    do_all(&far.gcp(), &want).await.unwrap();
    assert!(far.provider()["oidc"]["jwksJson"].as_str().unwrap().contains(&far.key.kid()));
}

#[tokio::test]
async fn missing_service_account_is_refused() {
    let mut far = Far::new();
    far.settings.impersonate = Some("missing@acme-prod.iam.gserviceaccount.com".to_owned());
    let error = far.gcp().plan(&far.trust()).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleServiceAccountMissing, "{error}");
    assert_eq!(far.writes(), Vec::<String>::new());
}

/// What has been seen is not asked for again, and one login does for all secrets.
#[tokio::test]
async fn no_call_too_many() {
    let far = Far::new();
    let mut want = far.trust();
    want.workloads[0].rights = (0..30).map(|number| Right::read(format!("secret{number:02}"))).collect();
    want.workloads[0].rights.iter().for_each(|right| far.google.add_secret(&right.on, PAYLOAD));
    let gcp = far.gcp();
    let (changes, login) = futures::join!(gcp.plan(&want), gcp.store_login());
    let changes = changes.unwrap().changes;
    login.unwrap();
    let looked = far.google.faults().requests().len();
    assert_eq!(looked, 5 + 1 + 30, "project, services, pool, providers, rights; all the policies");
    for change in &changes {
        change.run(&mut |_| {}).await.unwrap();
    }
    let polls = far.google.faults().requests().iter().filter(|it| it.path.contains("/operations/")).count();
    let done = far.google.faults().requests().len() - looked - polls;
    assert_eq!(done, 3 + 30, "services, pool, provider; the policies of the secrets");
    far.google.faults().forget();
    gcp.audience().await.unwrap();
    let token = far.token(|_| {});
    for right in &want.workloads[0].rights {
        let findings = gcp.probe(&token, &reading(&right.on), &mut |_: &str| ()).await;
        assert!(findings.len() == 2 && findings.iter().all(|finding| !finding.is_failed()), "{findings:?}");
    }
    assert_eq!(far.google.faults().requests().len(), 1 + 30, "the exchange, and each read");
    let other = far.token(|claims| claims["jti"] = json!("another"));
    gcp.probe(&other, &reading("secret00"), &mut |_: &str| ()).await;
    assert_eq!(far.google.faults().requests().len(), 31 + 2, "another token is exchanged by itself");
}
