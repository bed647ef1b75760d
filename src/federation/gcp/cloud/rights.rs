//! PURE. What a login needs at Google to be asked by `keyless audit --cloud`.

use crate::{error::Code, federation::cloud::AuditRights};

/// In each project whose service accounts or workload identity pools the cluster names.
const IN_PROJECT: [&str; 5] = [
    "iam.serviceAccountKeys.get",
    "iam.serviceAccountKeys.list",
    "iam.workloadIdentityPoolProviders.get",
    "orgpolicy.policy.get",
    "storage.hmacKeys.list",
];
/// The last login of each key. A predefined role has it; a custom one cannot.
const LAST_LOGIN: &str = "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query";
/// In the project that requests count for, where the login or `GOOGLE_CLOUD_QUOTA_PROJECT` names one
/// (<https://docs.cloud.google.com/docs/quotas/set-quota-project>).
const QUOTA_PROJECT: &str = "serviceusage.services.use";

pub(crate) static RIGHTS: AuditRights = AuditRights { refused: Code::GoogleForbidden, permissions, grant };

fn permissions() -> Vec<String> {
    let mut all: Vec<_> =
        IN_PROJECT.into_iter().chain([LAST_LOGIN, QUOTA_PROJECT]).map(str::to_owned).collect();
    all.sort_unstable();
    all
}

fn grant() -> String {
    format!(
        r#"# Google: for each project whose service accounts or workload identity pools the cluster names.
: "${{PROJECT:?the ID of the project}}" "${{MEMBER:?who audits, as user:EMAIL or serviceAccount:EMAIL}}"
gcloud iam roles create keylessAudit --project="$PROJECT" --title=keyless-audit --stage=GA \
  --permissions={}
gcloud projects add-iam-policy-binding "$PROJECT" --member="$MEMBER" --condition=None \
  --role="projects/$PROJECT/roles/keylessAudit"
# {LAST_LOGIN}: the last login of each key. It decides nothing.
gcloud projects add-iam-policy-binding "$PROJECT" --member="$MEMBER" --condition=None \
  --role=roles/policyanalyzer.activityAnalysisViewer
# {QUOTA_PROJECT}: only if requests count for a project of their own, which GOOGLE_CLOUD_QUOTA_PROJECT or the login names.
if [ -n "${{GOOGLE_CLOUD_QUOTA_PROJECT:-}}" ]; then
  gcloud iam roles create keylessAuditQuota --project="$GOOGLE_CLOUD_QUOTA_PROJECT" --title=keyless-audit-quota \
    --stage=GA --permissions={QUOTA_PROJECT}
  gcloud projects add-iam-policy-binding "$GOOGLE_CLOUD_QUOTA_PROJECT" --member="$MEMBER" --condition=None \
    --role="projects/$GOOGLE_CLOUD_QUOTA_PROJECT/roles/keylessAuditQuota"
fi
"#,
        IN_PROJECT.join(",")
    )
}
