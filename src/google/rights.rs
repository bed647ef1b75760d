//! PURE. Which role has a permission: the smallest predefined one, in one place.

/// The first entry that matches is used; `*` matches the rest.
const ROLES: [(&str, &str); 25] = [
    ("iam.serviceAccountKeys.list", "roles/iam.serviceAccountViewer"),
    ("iam.serviceAccountKeys.*", "roles/iam.serviceAccountKeyAdmin"),
    ("iam.serviceAccounts.getAccessToken", "roles/iam.workloadIdentityUser"),
    ("iam.serviceAccounts.*", "roles/iam.serviceAccountAdmin"),
    ("iam.workloadIdentityPools.get", "roles/iam.workloadIdentityPoolViewer"),
    ("iam.workloadIdentityPoolProviders.get", "roles/iam.workloadIdentityPoolViewer"),
    ("iam.workloadIdentityPoolProviders.list", "roles/iam.workloadIdentityPoolViewer"),
    ("iam.workloadIdentityPool*", "roles/iam.workloadIdentityPoolAdmin"),
    ("policyanalyzer.*", "roles/policyanalyzer.activityAnalysisViewer"),
    ("resourcemanager.projects.get", "roles/browser"),
    ("resourcemanager.projects.*", "roles/resourcemanager.projectIamAdmin"),
    ("secretmanager.secrets.get", "roles/secretmanager.viewer"),
    ("secretmanager.secrets.getIamPolicy", "roles/secretmanager.viewer"),
    ("secretmanager.secrets.list", "roles/secretmanager.viewer"),
    ("secretmanager.versions.list", "roles/secretmanager.viewer"),
    ("secretmanager.versions.add", "roles/secretmanager.secretVersionAdder"),
    ("secretmanager.secrets.setIamPolicy", "roles/secretmanager.admin"),
    ("secretmanager.versions.access", "roles/secretmanager.secretAccessor"),
    ("secretmanager.*", "roles/secretmanager.admin"),
    ("serviceusage.services.get", "roles/serviceusage.serviceUsageConsumer"),
    ("serviceusage.services.use", "roles/serviceusage.serviceUsageConsumer"),
    ("serviceusage.*", "roles/serviceusage.serviceUsageAdmin"),
    ("storage.buckets.*", "roles/storage.admin"),
    ("storage.hmacKeys.*", "roles/storage.hmacKeyAdmin"),
    ("storage.objects.*", "roles/storage.objectAdmin"),
];

/// A predefined role that has this permission, if the program ever asks for it.
pub(crate) fn role(permission: &str) -> Option<&'static str> {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => permission.starts_with(start),
        None => permission == pattern,
    };
    ROLES.iter().find(|(pattern, _)| matches(pattern)).map(|(_, role)| *role)
}

/// A permission with a role that has it, and on what: `a.b.c (roles/x) on the project p`.
pub(crate) fn needs(permission: &str, on: &str) -> String {
    match role(permission) {
        Some(role) => format!("{permission} ({role}) on {on}"),
        None => format!("{permission} on {on}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_entry_comes_first() {
        for (position, (pattern, _)) in ROLES.iter().enumerate() {
            let start = pattern.trim_end_matches('*');
            let hidden = ROLES[..position]
                .iter()
                .any(|(above, _)| above.strip_suffix('*').is_some_and(|above| start.starts_with(above)));
            assert!(!hidden, "{pattern} is never reached");
        }
        let needed = needs("iam.workloadIdentityPools.create", "the project p");
        assert_eq!(
            needed,
            "iam.workloadIdentityPools.create (roles/iam.workloadIdentityPoolAdmin) on the project p"
        );
        assert_eq!(needs("unheard.of.permission", "p"), "unheard.of.permission on p");
    }
}
