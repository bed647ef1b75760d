//! PURE. What a login needs at Google to be asked by `keyless audit --cloud`.

use crate::{error::Code, federation::cloud::AuditRights};

pub(crate) static RIGHTS: AuditRights = AuditRights {
    refused: Code::GoogleForbidden,
    permissions: &[
        "iam.serviceAccountKeys.get",
        "iam.serviceAccountKeys.list",
        "iam.workloadIdentityPoolProviders.get",
        "orgpolicy.policy.get",
        "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query",
        "storage.hmacKeys.list",
    ],
    grant: r#"# Google: for each project whose service accounts or workload identity pools the cluster names.
: "${PROJECT:?the ID of the project}" "${MEMBER:?who audits, as user:EMAIL or serviceAccount:EMAIL}"
gcloud iam roles create keylessAudit --project="$PROJECT" --title=keyless-audit --stage=GA \
  --permissions=iam.serviceAccountKeys.get,iam.serviceAccountKeys.list,iam.workloadIdentityPoolProviders.get,orgpolicy.policy.get,storage.hmacKeys.list
gcloud projects add-iam-policy-binding "$PROJECT" --member="$MEMBER" --condition=None \
  --role="projects/$PROJECT/roles/keylessAudit"
# policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query: the last login of each key. It decides nothing.
gcloud projects add-iam-policy-binding "$PROJECT" --member="$MEMBER" --condition=None \
  --role=roles/policyanalyzer.activityAnalysisViewer
"#,
};
