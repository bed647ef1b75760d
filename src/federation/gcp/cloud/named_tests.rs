use super::*;
use crate::{
    cluster::snapshot::{Inventory, tests::inventory, tests::objects},
    federation::{
        cloud::tests::{account, seen},
        gcp::GoogleSection,
    },
};

const EMAIL: &str = "reader@acme-prod.iam.gserviceaccount.com";

fn look(text: &str, accounts: &str) -> Named {
    let inventory: Inventory = inventory(&objects(text));
    let accounts = seen(accounts);
    named(
        &GoogleSection::default(),
        &Scope {
            inventory: &inventory,
            accounts: &accounts,
            issuer: &crate::federation::OwnIssuer::unknown(),
            now: 0,
            is_of_several: false,
        },
    )
}

fn store(auth: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: gcp}}\n\
         spec: {{provider: {{gcpsm: {{projectID: p, auth: {auth}}}}}}}\n"
    )
}

const BY_ACCOUNT: &str = "{workloadIdentity: {serviceAccountRef: {name: a, namespace: b}}}";

#[test]
fn annotated_service_account_names_identity() {
    let named = look(&store(BY_ACCOUNT), &account(&format!("iam.gke.io/gcp-service-account: {EMAIL}")));
    assert_eq!(named.accounts.keys().collect::<Vec<_>>(), [EMAIL]);
    assert!(named.unseen.is_empty(), "{:?}", named.unseen);
}

#[test]
fn plain_service_account_names_nothing() {
    let named = look(&store(BY_ACCOUNT), &account(""));
    assert!(named.is_empty() && named.unseen.is_empty(), "{named:?}");
}

#[test]
fn unread_service_account_is_not_seen() {
    let named = look(&store(BY_ACCOUNT), "");
    assert!(named.is_empty());
    assert_eq!(named.unseen.len(), 1, "{:?}", named.unseen);
}

#[test]
fn login_without_identity_is_not_seen() {
    for auth in ["{}", "{somethingNew: {}}", "{workloadIdentity: {clusterName: x}}"] {
        let named = look(&store(auth), "");
        assert_eq!(named.unseen.len(), 1, "{auth}: {:?}", named.unseen);
    }
}

#[test]
fn malformed_identity_is_not_asked() {
    for email in
        ["x@evil.example", "a/b@p.iam.gserviceaccount.com", "a?b@p.iam.gserviceaccount.com", "..", "x"]
    {
        let named =
            look(&store(BY_ACCOUNT), &account(&format!("iam.gke.io/gcp-service-account: \"{email}\"")));
        assert!(named.accounts.is_empty(), "{email}");
        assert_eq!(named.unseen.len(), 1, "{email}: {:?}", named.unseen);
    }
}

#[test]
fn federation_names_provider_and_identity() {
    let name = "projects/123/locations/global/workloadIdentityPools/pool-a/providers/cluster";
    let auth = format!(
        "{{workloadIdentityFederation: {{audience: \"//iam.googleapis.com/{name}\", gcpServiceAccountEmail: {EMAIL}, \
         serviceAccountRef: {{name: a, namespace: b, audiences: [\"https://iam.googleapis.com/{name}\"]}}}}}}"
    );
    let named = look(&store(&auth), &account(""));
    assert_eq!(named.accounts.keys().collect::<Vec<_>>(), [EMAIL]);
    assert_eq!(named.providers.keys().collect::<Vec<_>>(), [name]);
    assert!(named.unseen.is_empty(), "{:?}", named.unseen);
}

#[test]
fn provider_of_another_form_is_none() {
    for text in [
        "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool-a/providers/../x",
        "//iam.googleapis.com/projects/p/locations/global/workloadIdentityPools/pool-a/providers/cluster",
        "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool-a",
        "//evil.example/projects/123/locations/global/workloadIdentityPools/pool-a/providers/cluster",
        "//iam.googleapis.com/projects/123/locations/eu/workloadIdentityPools/pool-a/providers/cluster",
        "",
    ] {
        assert_eq!(provider(text), None, "{text}");
    }
}

#[test]
fn address_tells_project() {
    for (email, project) in [
        (EMAIL, "acme-prod"),
        ("a@web.example.com.iam.gserviceaccount.com", "example.com:web"),
        ("123-compute@developer.gserviceaccount.com", "123"),
        ("x-compute@developer.gserviceaccount.com", "-"),
        ("acme@appspot.gserviceaccount.com", "acme"),
        ("a@b.gserviceaccount.com", "-"),
    ] {
        assert_eq!(project_of(email), project, "{email}");
    }
}

#[test]
fn providers_beyond_most_are_unseen() {
    let mut named = Named::default();
    let text = |number: usize| {
        format!(
            "//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/pool-a/providers/cluster"
        )
    };
    for number in 1..=MOST {
        named.text(&text(number), "a store");
    }
    named.text(&text(1), "another store");
    assert!(named.providers.len() == MOST && named.unseen.is_empty(), "{:?}", named.unseen);
    named.text(&text(MOST + 1), "a store");
    assert!(named.providers.len() == MOST && named.unseen.len() == 1, "{:?}", named.unseen);
}
