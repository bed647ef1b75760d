use serde_json::json;

use super::*;

fn refusal(status: u16, error: &Value) -> Refusal {
    let body = json!({ "error": error }).to_string().into_bytes();
    Refusal::of(&Answer { status, headers: HeaderMap::new(), body }, &HeaderMap::new())
}

fn error(status: u16, error: &Value) -> Error {
    refusal(status, error).error("making the pool", "iam.workloadIdentityPools.create", "the project p")
}

#[test]
fn refusals_name_missing_permission_and_role() {
    let named = json!({"status": "PERMISSION_DENIED", "message": "Permission 'iam.workloadIdentityPools.get' denied on resource '//iam.googleapis.com/x' (or it may not exist)."});
    let silent = json!({"status": "PERMISSION_DENIED", "message": "The caller does not have permission"});
    let info = json!({"status": "PERMISSION_DENIED", "message": "no", "details": [{"@type": "…", "reason": "IAM_PERMISSION_DENIED", "metadata": {"permission": "serviceusage.services.enable"}}]});
    for (body, expected) in [
        (named, "iam.workloadIdentityPools.get (roles/iam.workloadIdentityPoolViewer) on the project p"),
        (silent, "iam.workloadIdentityPools.create (roles/iam.workloadIdentityPoolAdmin) on the project p"),
        (info, "serviceusage.services.enable (roles/serviceusage.serviceUsageAdmin) on the project p"),
    ] {
        let error = error(403, &body);
        assert_eq!(error.code, Code::GoogleForbidden);
        assert!(error.hints[0].contains(expected), "{error}");
        assert!(error.causes[0].starts_with("HTTP 403 PERMISSION_DENIED: "), "{error}");
    }
}

#[test]
fn organisation_policies_are_named() {
    let issuer = json!({"status": "FAILED_PRECONDITION", "message": "Precondition check failed.", "details": [{"violations": [{"type": "orgpolicy:projects/1/locations/global/workloadIdentityPools/p", "subject": "x", "description": "not allowed"}]}]});
    let member = json!({"status": "FAILED_PRECONDITION", "message": "One or more users named in the policy do not belong to a permitted customer."});
    let typed = json!({"status": "FAILED_PRECONDITION", "message": "no.", "details": [{"violations": [{"type": "constraints/iam.workloadIdentityPoolProviders", "subject": "s"}]}]});
    let other = json!({"status": "FAILED_PRECONDITION", "message": "Operation denied by org policy on resource: constraints/gcp.restrictServiceUsage."});
    for (body, constraint) in [
        (issuer, "constraints/iam.workloadIdentityPoolProviders:"),
        (member, "constraints/iam.allowedPolicyMemberDomains:"),
        (typed, "constraints/iam.workloadIdentityPoolProviders:"),
        (other, "constraints/gcp.restrictServiceUsage:"),
    ] {
        let error = error(400, &body);
        assert_eq!(error.code, Code::GoogleOrgPolicy, "{error}");
        assert!(error.hints[0].starts_with(constraint), "{error}");
    }
    assert_eq!(error(400, &json!({"message": "Precondition check failed."})).code, Code::GoogleRefused);
}

#[test]
fn kinds_of_refusals() {
    let disabled = json!({"status": "PERMISSION_DENIED", "message": "x", "details": [{"reason": "SERVICE_DISABLED", "metadata": {"service": "iam.googleapis.com"}}]});
    assert!(!refusal(403, &disabled).is_forbidden());
    assert_eq!(error(403, &disabled).code, Code::GoogleServiceDisabled);
    for (status, word, code) in [
        (401, "UNAUTHENTICATED", Code::GoogleCredentials),
        (404, "NOT_FOUND", Code::GoogleMissing),
        (409, "ABORTED", Code::GoogleConflict),
        (429, "RESOURCE_EXHAUSTED", Code::GoogleThrottled),
        (500, "INTERNAL", Code::GoogleServer),
        (400, "INVALID_ARGUMENT", Code::GoogleRefused),
    ] {
        assert_eq!(error(status, &json!({"status": word, "message": "m"})).code, code);
    }
    let scopes =
        json!({"status": "PERMISSION_DENIED", "message": "Request had insufficient authentication scopes."});
    assert_eq!(error(403, &scopes).code, Code::GoogleCredentials);
    let taken = refusal(409, &json!({"status": "ALREADY_EXISTS"}));
    assert!(taken.is_taken() && !taken.is_conflict());
    let conflict = refusal(409, &json!({"status": "ABORTED"}));
    assert!(conflict.is_conflict() && !conflict.is_taken());
}

/// Another reason than a lacking permission goes not away with a permission.
#[test]
fn only_permission_refusals_lack_one() {
    let of = |reason: Option<&str>| {
        let details = reason.map(|reason| json!({ "reason": reason }));
        json!({"status": "PERMISSION_DENIED", "message": "no", "details": details.into_iter().collect::<Vec<_>>()})
    };
    assert!(refusal(403, &of(None)).lacks_permission());
    assert!(refusal(403, &of(Some("IAM_PERMISSION_DENIED"))).lacks_permission());
    for reason in ["USER_PROJECT_DENIED", "SECURITY_POLICY_VIOLATED", "SERVICE_DISABLED", "SOMETHING_NEW"] {
        assert!(!refusal(403, &of(Some(reason))).lacks_permission(), "{reason}");
    }
    assert!(!refusal(404, &of(None)).lacks_permission());
    let policy =
        json!({"status": "PERMISSION_DENIED", "message": "constraints/gcp.restrictServiceUsage forbids it"});
    assert!(!refusal(403, &policy).lacks_permission());
}

#[test]
fn html_refusal_is_shown_without_token() {
    let mut sent = HeaderMap::new();
    sent.insert(AUTHORIZATION, "Bearer ya29.tok".parse().unwrap());
    let body = b"<html>who are you, ya29.tok?</html>".to_vec();
    let refusal = Refusal::of(&Answer { status: 403, headers: HeaderMap::new(), body }, &sent);
    assert_eq!(refusal.summary(), "HTTP 403: <html>who are you, …?</html>");
}
