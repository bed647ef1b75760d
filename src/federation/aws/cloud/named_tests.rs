use std::path::Path;

use super::*;
use crate::{
    cluster::snapshot::tests::{inventory, objects},
    federation::{
        Source,
        cloud::tests::{account, seen},
    },
};

const ROLE: &str = "arn:aws:iam::111122223333:role/eso";

fn section(yaml: &str) -> AwsSection {
    AwsSection::read(&Source {
        file: Some((yaml, Path::new("keyless.yaml"))),
        environment: &|_| None,
        has_bucket: true,
        ca_pem: None,
        is_of_user: &|_| true,
    })
    .unwrap()
}

fn look(text: &str, accounts: &str) -> Named {
    let inventory = inventory(&objects(text));
    let accounts = seen(accounts);
    named(
        &section(""),
        Partition::Aws,
        &Scope {
            inventory: &inventory,
            accounts: &accounts,
            issuer: &crate::federation::OwnIssuer::unknown(),
            now: 0,
            is_of_several: false,
        },
    )
}

fn store(more: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: aws}}\n\
         spec: {{provider: {{aws: {{service: SecretsManager, {more}}}}}}}\n"
    )
}

const BY_ACCOUNT: &str = "region: eu-central-1, auth: {jwt: {serviceAccountRef: {name: a, namespace: b}}}";

fn roles(named: &Named) -> Vec<(&str, By)> {
    named.roles.keys().map(|(arn, by)| (&*arn.text, *by)).collect()
}

#[test]
fn annotated_service_account_names_role() {
    let named = look(&store(BY_ACCOUNT), &account(&format!("eks.amazonaws.com/role-arn: \"{ROLE}\"")));
    assert_eq!(roles(&named), [(ROLE, By::Token)]);
    assert!(named.unseen.is_empty(), "{:?}", named.unseen);
}

#[test]
fn plain_service_account_names_nothing() {
    let named = look(&store(BY_ACCOUNT), &account(""));
    assert!(named.is_empty() && named.unseen.is_empty(), "{named:?}");
}

#[test]
fn further_roles_are_named() {
    let other = "arn:aws:iam::999988887777:role/path/last";
    let more = format!("role: \"{ROLE}\", additionalRoles: [\"{other}\"]");
    let named = look(&store(&format!("{BY_ACCOUNT}, {more}")), &account(""));
    assert_eq!(roles(&named), [(ROLE, By::Login), (other, By::Login)]);
}

#[test]
fn generators_name_roles_too() {
    let text = format!(
        "apiVersion: generators.external-secrets.io/v1alpha1\nkind: ECRAuthorizationToken\n\
         metadata: {{name: ecr, namespace: b}}\nspec: {{region: eu-central-1, role: \"{ROLE}\", \
         auth: {{jwt: {{serviceAccountRef: {{name: a}}}}}}}}\n"
    );
    let named = look(&text, &account(&format!("eks.amazonaws.com/role-arn: \"{ROLE}\"")));
    assert_eq!(roles(&named), [(ROLE, By::Token), (ROLE, By::Login)]);
    assert!(named.unseen.is_empty(), "{:?}", named.unseen);
}

#[test]
fn unread_objects_are_not_seen() {
    let secret = "region: eu-central-1, auth: {secretRef: {accessKeyIDSecretRef: \
        {name: s, namespace: b, key: id}, secretAccessKeySecretRef: {name: s, namespace: b, key: key}}}";
    let named = look(&store(BY_ACCOUNT), "");
    assert_eq!((named.is_empty(), named.unseen.len()), (true, 1), "{named:?}");
    // The Secret does not exist: nothing logs in by it.
    let named = look(&store(secret), "");
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn unknown_login_is_unseen() {
    for more in [
        "region: eu-central-1",
        "region: eu-central-1, auth: {}",
        "region: eu-central-1, auth: {somethingNew: {}}",
        "region: eu-central-1, auth: {jwt: {}}",
        "auth: {jwt: {serviceAccountRef: {name: a, namespace: b}}}",
        "region: eu-central-1.evil.example, auth: {jwt: {serviceAccountRef: {name: a, namespace: b}}}",
        "region: cn-north-1, auth: {jwt: {serviceAccountRef: {name: a, namespace: b}}}",
        "region: us-iso-east-1, auth: {jwt: {serviceAccountRef: {name: a, namespace: b}}}",
    ] {
        let annotated = account(&format!("eks.amazonaws.com/role-arn: \"{ROLE}\""));
        let named = look(&store(more), &annotated);
        assert!(!named.unseen.is_empty(), "{more}");
    }
}

#[test]
fn malformed_role_is_not_asked() {
    for arn in [
        "eso",
        "arn:aws:iam::111122223333:user/eso",
        "arn:aws:iam::1111:role/eso",
        "arn:aws-cn:iam::111122223333:role/eso",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role/a b",
        "arn:aws:iam::111122223333:role/a&Action=DeleteRole",
        "arn:aws:sts::111122223333:role/eso",
    ] {
        let annotated = account(&format!("eks.amazonaws.com/role-arn: \"{arn}\""));
        let named = look(&store(BY_ACCOUNT), &annotated);
        assert!(named.is_empty(), "{arn}");
        assert_eq!(named.unseen.len(), 1, "{arn}: {:?}", named.unseen);
    }
}

#[test]
fn named_user_is_asked_for() {
    let inventory = inventory(&[]);
    let scope = Scope {
        inventory: &inventory,
        accounts: &BTreeMap::new(),
        issuer: &crate::federation::OwnIssuer::unknown(),
        now: 0,
        is_of_several: false,
    };
    let named = named(&section("aws: {keyUser: eso}"), Partition::Aws, &scope);
    assert_eq!(named.users.keys().collect::<Vec<_>>(), ["eso"]);
}
