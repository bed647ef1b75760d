//! The roles that policies of the stand-in may name, with as many of their permissions as it asks for.

/// A role and its permissions; a `*` at the end matches all that begin so
const ROLES: [(&str, &[&str]); 24] = [
    ("roles/owner", &["*"]),
    ("roles/editor", &["secretmanager.secrets.get", "secretmanager.secrets.list", "serviceusage.*"]),
    (
        "roles/viewer",
        &["resourcemanager.projects.get", "secretmanager.secrets.get", "secretmanager.secrets.list"],
    ),
    ("roles/browser", &["resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"]),
    ("roles/secretmanager.secretAccessor", &["secretmanager.versions.access"]),
    (
        "roles/secretmanager.viewer",
        &[
            "secretmanager.secrets.get",
            "secretmanager.secrets.list",
            "secretmanager.secrets.getIamPolicy",
            "secretmanager.versions.get",
            "secretmanager.versions.list",
        ],
    ),
    ("roles/secretmanager.secretVersionAdder", &["secretmanager.versions.add"]),
    (
        "roles/secretmanager.secretVersionManager",
        &["secretmanager.versions.add", "secretmanager.versions.get", "secretmanager.versions.list"],
    ),
    ("roles/secretmanager.admin", &["secretmanager.*", "resourcemanager.projects.get"]),
    (
        "roles/iam.workloadIdentityUser",
        &[
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.getOpenIdToken",
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.list",
        ],
    ),
    (
        "roles/iam.serviceAccountTokenCreator",
        &[
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.getOpenIdToken",
            "iam.serviceAccounts.get",
        ],
    ),
    ("roles/iam.serviceAccountUser", &["iam.serviceAccounts.get", "iam.serviceAccounts.list"]),
    ("roles/iam.serviceAccountAdmin", &["iam.serviceAccounts.*"]),
    ("roles/iam.serviceAccountKeyAdmin", &["iam.serviceAccountKeys.*"]),
    (
        "roles/iam.workloadIdentityPoolAdmin",
        &[
            "iam.workloadIdentityPools.*",
            "iam.workloadIdentityPoolProviders.*",
            "resourcemanager.projects.get",
        ],
    ),
    (
        "roles/iam.workloadIdentityPoolViewer",
        &[
            "iam.workloadIdentityPools.get",
            "iam.workloadIdentityPools.list",
            "iam.workloadIdentityPoolProviders.get",
            "iam.workloadIdentityPoolProviders.list",
        ],
    ),
    ("roles/serviceusage.serviceUsageAdmin", &["serviceusage.*"]),
    ("roles/serviceusage.serviceUsageConsumer", &["serviceusage.services.use", "serviceusage.services.get"]),
    ("roles/policyanalyzer.activityAnalysisViewer", &["policyanalyzer.*"]),
    ("roles/resourcemanager.projectIamAdmin", &["resourcemanager.projects.*"]),
    ("roles/storage.admin", &["storage.*"]),
    ("roles/storage.objectAdmin", &["storage.objects.*"]),
    (
        "roles/storage.objectUser",
        &[
            "storage.objects.create",
            "storage.objects.delete",
            "storage.objects.get",
            "storage.objects.list",
            "storage.objects.update",
        ],
    ),
    ("roles/storage.objectViewer", &["storage.objects.get", "storage.objects.list"]),
];

/// Whether a role is one that can be granted
pub(crate) fn known(role: &str) -> bool {
    ROLES.iter().any(|(name, _)| *name == role)
}

/// Whether a role contains a permission
pub(crate) fn has(role: &str, permission: &str) -> bool {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => permission.starts_with(prefix),
        None => pattern == permission,
    };
    ROLES.iter().any(|(name, permissions)| *name == role && permissions.iter().any(|it| matches(it)))
}
