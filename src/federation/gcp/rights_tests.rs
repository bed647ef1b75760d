//! Against the stand-in: without each right in turn, and what the refusal says.

use serde_json::json;

use super::{tests::*, *};
use crate::error::Code;

/// Each right that is needed, taken away in turn: the refusal names it and a role that has it.
#[tokio::test]
async fn without_each_right_in_turn() {
    let pools = "roles/iam.workloadIdentityPoolAdmin";
    let viewer = "roles/iam.workloadIdentityPoolViewer";
    for (permission, role) in [
        ("iam.workloadIdentityPools.get", viewer),
        ("iam.workloadIdentityPoolProviders.list", viewer),
        ("secretmanager.secrets.getIamPolicy", "roles/secretmanager.viewer"),
        ("serviceusage.services.enable", "roles/serviceusage.serviceUsageAdmin"),
        ("iam.workloadIdentityPools.create", pools),
        ("iam.workloadIdentityPoolProviders.create", pools),
        ("iam.workloadIdentityPoolProviders.get", viewer),
        ("secretmanager.secrets.setIamPolicy", "roles/secretmanager.admin"),
    ] {
        let far = Far::new();
        far.google.deny(permission);
        let error = far.set_up().await.unwrap_err();
        assert_eq!(error.code, Code::GoogleForbidden, "{permission}: {error}");
        assert!(error.hints[0].contains(&format!("{permission} ({role})")), "{permission}: {error}");
        assert!(error.causes[0].contains(permission), "{error}");

        far.google.allow(permission);
        far.set_up().await.unwrap();
        assert_eq!(far.provider()["state"], "ACTIVE", "{permission}");
    }
}

#[tokio::test]
async fn project_or_account_refusal_names_right() {
    let project = "roles/resourcemanager.projectIamAdmin";
    let accounts = "roles/iam.serviceAccountAdmin";
    for (permission, role) in [
        ("resourcemanager.projects.getIamPolicy", project),
        ("resourcemanager.projects.setIamPolicy", project),
        ("iam.serviceAccounts.getIamPolicy", accounts),
        ("iam.serviceAccounts.setIamPolicy", accounts),
    ] {
        let mut far = Far::new();
        far.settings.grant = Grant::Project;
        far.settings.impersonate = Some(far.google.service_account("eso-reader"));
        far.google.deny(permission);
        let error = far.set_up().await.unwrap_err();
        assert_eq!(error.code, Code::GoogleForbidden, "{permission}: {error}");
        assert!(error.hints[0].contains(&format!("{permission} ({role})")), "{permission}: {error}");
    }
    for (permission, damage) in [
        ("iam.workloadIdentityPools.update", json!({"disabled": true})),
        ("iam.workloadIdentityPools.undelete", json!({"state": "DELETED"})),
        ("iam.workloadIdentityPoolProviders.update", json!({"disabled": true})),
        ("iam.workloadIdentityPoolProviders.undelete", json!({"state": "DELETED"})),
    ] {
        let far = Far::new();
        far.set_up().await.unwrap();
        let provider = permission.contains("Provider").then_some("cluster");
        far.google.write("keyless-lab", provider, |it| {
            it.as_object_mut().unwrap().extend(damage.as_object().unwrap().clone());
        });
        far.google.deny(permission);
        let gcp = far.gcp();
        let plan = gcp.plan(&far.trust()).await.unwrap().changes;
        assert!(plan.iter().any(|change| change.step.needs().starts_with(permission)), "{plan:#?}");
        let error = far.set_up().await.unwrap_err();
        assert!(
            error.hints[0].contains(&format!("{permission} (roles/iam.workloadIdentityPoolAdmin)")),
            "{error}"
        );
    }
    for permission in ["iam.workloadIdentityPools.delete", "iam.workloadIdentityPoolProviders.delete"] {
        let far = Far::new();
        far.set_up().await.unwrap();
        far.google.deny(permission);
        let gcp = far.gcp();
        let mut refused = None;
        for change in gcp.withdraw(&far.trust()).await.unwrap() {
            if let Err(error) = change.change.run(&mut |_| {}).await {
                refused = Some(error);
                break;
            }
        }
        let error = refused.unwrap();
        assert!(
            error.hints[0].contains(&format!("{permission} (roles/iam.workloadIdentityPoolAdmin)")),
            "{error}"
        );
    }
}
