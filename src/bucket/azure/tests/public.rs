//! Making the container and opening it.

use super::*;

#[tokio::test]
async fn a_new_container() {
    let store = lab::Azure::start();
    let azure = client(&store, "keys", lab::Azure::owner());
    assert_eq!(azure.read(JWKS).await.unwrap_err().code, Code::BucketMissing);
    let error = refused(azure.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketMissing, "{error}");
    let done = contract::open(&azure, &names()).await.unwrap();
    assert_eq!(done, ["container az://acmeoidc/keys", "public access of az://acmeoidc/keys"]);
    azure.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    assert_eq!(anonymous(&azure, JWKS).await, 200);
    assert_eq!(anonymous(&azure, "?restype=container&comp=list").await, 404, "no listing");
    assert_eq!(contract::open(&azure, &names()).await.unwrap(), Vec::<String>::new());
    assert!(azure.is_ours().await.unwrap());
}

#[tokio::test]
async fn planning_changes_nothing() {
    let (store, azure) = store();
    let planned = azure.plan_public(&names()).await.unwrap();
    assert_eq!((planned.create.len(), planned.open.len()), (0, 1));
    let missing = client(&store, "other", lab::Azure::owner());
    let planned = missing.plan_public(&names()).await.unwrap();
    assert_eq!((planned.create.len(), planned.open.len()), (1, 1));
    let written = store
        .faults()
        .requests()
        .iter()
        .any(|call| call.method != "GET" && call.path.starts_with("/acmeoidc"));
    assert!(!written);
}

#[tokio::test]
async fn access_policies_are_kept() {
    let (store, azure) = store();
    let policies = "<?xml version=\"1.0\" encoding=\"utf-8\"?><SignedIdentifiers><SignedIdentifier><Id>backup</Id>\
        <AccessPolicy><Permission>r</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>";
    store.set_policies("keys", policies);
    contract::open(&azure, &names()).await.unwrap();
    assert_eq!(store.policies("keys").unwrap(), policies);
    assert_eq!(store.public_access("keys").as_deref(), Some("blob"));
}

#[tokio::test]
async fn access_changed_meanwhile_is_not_overwritten() {
    let (store, azure) = store();
    store.faults().next(1, "PUT", "comp=acl", answer(412, "ConditionNotMet", "no"));
    let error = contract::open(&azure, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketContended, "{error}");
    let asked = store.faults().requests();
    let written = asked.iter().find(|call| call.method == "PUT").unwrap();
    assert!(written.header("if-unmodified-since").is_some());
}

#[tokio::test]
async fn account_forbidding_anonymous_access_is_named() {
    // The owner of a container that is to be opened.
    let (store, azure) = store();
    store.allow_public_access(false);
    let opened = contract::open(&azure, &names()).await.unwrap_err();
    // A container that was opened before the account was closed.
    store.add_container("open", Some("blob"));
    let before = client(&store, "open", lab::Azure::contributor());
    let closed = contract::open(&before, &names()).await.unwrap_err();
    for error in [opened, closed] {
        assert_eq!((error.code, error.kind), (Code::PublicAccessPrevented, Kind::Failed), "{error}");
        assert!(error.message.contains("allowBlobPublicAccess"), "{error}");
        let remedy = "az storage account update --name acmeoidc --allow-blob-public-access true";
        assert!(error.hints[0].contains(remedy), "{error}");
        assert!(error.hints[1].contains("az://acmeoidc/$web"), "{error}");
    }
    assert_eq!(store.public_access("keys"), None);
}

#[tokio::test]
async fn container_with_other_blobs_stays_closed() {
    let (store, azure) = store();
    for name in ["openid/v1/jwks", "other/.well-known/openid-configuration"] {
        store.put("keys", name, b"{}");
    }
    azure.plan_public(&names()).await.unwrap();
    store.put("keys", "backup/dump.sql", b"secret");
    let error = contract::open(&azure, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketHoldsMore);
    assert!(error.message.ends_with("backup/dump.sql"), "{error}");
    assert_eq!(store.public_access("keys"), None);
}

#[tokio::test]
async fn opening_needs_the_owner_role() {
    let (store, _) = store();
    let azure = client(&store, "keys", lab::Azure::contributor());
    let error = contract::open(&azure, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketForbidden);
    assert!(error.hints[0].contains("Storage Blob Data Owner"), "{error}");
    assert_eq!(store.public_access("keys"), None);
}

#[tokio::test]
async fn refusal_of_each_request_changes_nothing() {
    let steps = [
        ("GET", "restype=container"),
        ("PUT", "restype=container"),
        ("GET", "comp=acl"),
        ("PUT", "comp=acl"),
    ];
    for (method, part) in steps {
        let store = lab::Azure::start();
        let azure = client(&store, "keys", lab::Azure::owner());
        store.faults().always(method, part, answer(403, "AuthorizationPermissionMismatch", "no"));
        let error = contract::open(&azure, &names()).await.unwrap_err();
        assert_eq!(error.code, Code::BucketForbidden, "{method} {part}: {error}");
        assert!(error.hints[0].contains("(role \"Storage Blob Data"), "{error}");
        assert_eq!(store.public_access("keys"), None, "{method} {part}");
    }
}

#[tokio::test]
async fn website_is_private_at_blob_address() {
    let store = lab::Azure::start();
    store.allow_public_access(false);
    let azure = client(&store, "$web", Access::Full);
    let done = contract::open(&azure, &names()).await.unwrap();
    assert_eq!(done, ["static website of az://acmeoidc/$web"]);
    assert!(store.website());
    azure.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    assert_eq!(contract::open(&azure, &names()).await.unwrap(), Vec::<String>::new());
    let http = Http::new(&[]).unwrap();
    assert_eq!(http.get(&format!("{}/$web/{JWKS}", store.url())).await.unwrap().status, 404);
    assert_eq!(store.blob("$web", JWKS).unwrap().content_type, "application/jwk-set+json");
}

#[tokio::test]
async fn website_needs_rights_on_the_account() {
    let store = lab::Azure::start();
    let azure = client(&store, "$web", lab::Azure::owner());
    let error = contract::open(&azure, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketForbidden);
    assert!(error.hints[0].contains("blobServices/read (role \"Storage Account Contributor\")"), "{error}");
    assert!(!store.website());
}

#[tokio::test]
async fn website_with_other_blobs_stays_off() {
    let store = lab::Azure::start();
    store.add_container("$web", None);
    store.put("$web", "index.html", b"<html>");
    let azure = client(&store, "$web", Access::Full);
    let error = contract::open(&azure, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketHoldsMore);
    assert!(!store.website());
}

#[tokio::test]
async fn only_own_empty_container_is_removed() {
    let (store, azure) = store();
    assert!(!azure.is_ours().await.unwrap(), "another client made it");
    assert!(!azure.remove_bucket().await.unwrap());
    let ours = client(&store, "ours", lab::Azure::owner());
    contract::open(&ours, &names()).await.unwrap();
    store.put("ours", "other", b"x");
    assert!(!ours.remove_bucket().await.unwrap());
    assert_eq!(store.containers(), ["keys", "ours"]);
    let version = read(&ours, "other").await.unwrap().version;
    ours.remove("other", &version).await.unwrap();
    assert!(ours.remove_bucket().await.unwrap());
    assert!(ours.remove_bucket().await.unwrap(), "it is gone already");
    assert_eq!(store.containers(), ["keys"]);
}
