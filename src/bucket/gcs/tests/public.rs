//! Making the bucket and opening it.

use super::*;

#[tokio::test]
async fn a_new_bucket() {
    let store = lab::Gcs::start();
    // Some ways of making buckets default to this; it is set explicitly, so it does not matter.
    store.change(|settings| settings.default_public_access_prevention = "enforced".into());
    let gcs = client(&store, store.token());
    assert_eq!(gcs.read(JWKS).await.unwrap_err().code, Code::BucketMissing);
    let error = refused(gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketMissing, "{error}");
    assert_eq!(contract::open(&gcs, &names()).await.unwrap().len(), 2);
    gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    assert_eq!(anonymous(&gcs, JWKS).await, 200);
    assert_eq!(anonymous(&gcs, "").await, 403, "no listing");
    let bindings = store.bindings("keys").unwrap();
    let ours = json!({"role": "roles/storage.legacyObjectReader", "members": ["allUsers"]});
    assert_eq!(bindings.as_array().unwrap().len(), 3, "the bucket's own bindings stay: {bindings}");
    assert!(bindings.as_array().unwrap().contains(&ours), "{bindings}");
    assert_eq!(contract::open(&gcs, &names()).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_new_bucket_needs_a_project() {
    let store = lab::Gcs::start();
    let mut gcs = client(&store, store.token());
    gcs.project = None;
    let error = contract::open(&gcs, &names()).await.unwrap_err();
    assert_eq!((error.code, error.kind), (Code::BucketProject, Kind::Usage));
    assert_eq!(store.buckets(), Vec::<String>::new());
}

#[tokio::test]
async fn open_bucket_is_left_alone() {
    let (store, gcs) = store();
    for role in ["roles/storage.objectViewer", "roles/storage.legacyObjectReader"] {
        let policy = json!({"bindings": [{"role": role, "members": ["user:a@example.com", "allUsers"]}]});
        store.faults().clear();
        store.faults().always("GET", "/iam", Fault::answer(200, "application/json", policy.to_string()));
        assert_eq!(contract::open(&gcs, &names()).await.unwrap(), Vec::<String>::new(), "{role}");
    }
    assert!(store.faults().requests().iter().all(|call| call.method == "GET"));
}

#[test]
fn lookalike_public_grants_are_not_open() {
    for binding in [
        json!({"role": "roles/storage.legacyBucketReader", "members": ["allUsers"]}),
        json!({"role": "roles/storage.objectViewer", "members": ["allAuthenticatedUsers"]}),
        json!({"role": "roles/storage.objectViewer", "members": ["allUsers"], "condition": {"expression": "false"}}),
        json!({"role": "roles/storage.legacyObjectReader", "members": ["user:a@example.com"]}),
    ] {
        let policy = json!({"etag": "CAE=", "version": 1, "bindings": [binding]});
        let Value::Object(mut policy) = policy else { unreachable!() };
        assert!(!crate::bucket::gcs::public::is_open(&policy), "{binding}");
        crate::bucket::gcs::public::admit_everyone(&mut policy).unwrap();
        assert!(crate::bucket::gcs::public::is_open(&policy));
        assert_eq!((&policy["etag"], &policy["version"]), (&json!("CAE="), &json!(3)));
        let first = &policy["bindings"][0];
        assert_eq!((&first["role"], first.get("condition")), (&binding["role"], binding.get("condition")));
        assert_eq!(first["members"][0], binding["members"][0]);
    }
    let Value::Object(mut odd) = json!({"bindings": {}}) else { unreachable!() };
    assert_eq!(crate::bucket::gcs::public::admit_everyone(&mut odd).unwrap_err().code, Code::BucketPolicy);
}

#[tokio::test]
async fn concurrently_changed_policy_is_read_again() {
    let (store, gcs) = store();
    store.faults().next(
        2,
        "PUT",
        "/iam",
        google(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."),
    );
    store.faults().next(1, "PUT", "/iam", google(409, "conflict", "try again"));
    assert_eq!(contract::open(&gcs, &names()).await.unwrap().len(), 1);

    let (store, gcs) = self::store();
    store.faults().always(
        "PUT",
        "/iam",
        google(412, "conditionNotMet", "At least one of the pre-conditions"),
    );
    assert_eq!(contract::open(&gcs, &names()).await.unwrap_err().code, Code::BucketContended, "not for ever");
}

#[tokio::test]
async fn public_access_prevention_is_no_conflict() {
    let (store, gcs) = store();
    store.prevent_public_access("keys", "enforced");
    let error = contract::open(&gcs, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::PublicAccessPrevented);
    assert!(error.to_string().contains("--no-public-access-prevention"), "{error}");

    store.prevent_public_access("keys", "inherited");
    store.change(|settings| settings.organisation_prevents_public_access = true);
    store.faults().forget();
    let error = contract::open(&gcs, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::PublicAccessPrevented, "{error}");
    assert!(error.causes[0].contains("public access prevention is enforced"), "{error}");
    let puts = store.faults().requests().iter().filter(|call| call.method == "PUT").count();
    assert_eq!(puts, 1, "asking again would not help");

    store.faults().always(
        "PUT",
        "/iam",
        google(
            412,
            "conditionNotMet",
            "One or more users named in the policy do not belong to a permitted customer.",
        ),
    );
    assert_eq!(contract::open(&gcs, &names()).await.unwrap_err().code, Code::PublicAccessPrevented);
}

#[tokio::test]
async fn bucket_with_foreign_objects_stays_closed() {
    let (store, gcs) = store();
    store.put("keys", "other/openid/v1/jwks", "application/json", None, b"{}");
    store.put("keys", "salaries.xlsx", "application/octet-stream", None, b"");
    let error = contract::open(&gcs, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketHoldsMore);
    assert!(error.message.contains("salaries.xlsx"), "{error}");
    assert_eq!(anonymous(&gcs, "salaries.xlsx").await, 403);
    store.remove("keys", "salaries.xlsx");
    assert_eq!(
        contract::open(&gcs, &names()).await.unwrap().len(),
        1,
        "documents of other clusters are fine"
    );
}

#[tokio::test]
async fn a_server_without_iam() {
    let (store, gcs) = store();
    store.faults().always("", "/iam", Fault::answer(404, "text/plain", "404 page not found"));
    let error = contract::open(&gcs, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketNoIam, "{error}");
    gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    assert!(gcs.read(JWKS).await.unwrap().is_some());
}

#[tokio::test]
async fn a_bucket_of_somebody_else() {
    let store = lab::Gcs::start();
    store.foreign_bucket("keys");
    let gcs = client(&store, store.token());
    assert_eq!(gcs.read(JWKS).await.unwrap_err().code, Code::BucketForbidden);
    assert_eq!(contract::open(&gcs, &names()).await.unwrap_err().code, Code::BucketForbidden);
    let error = refused(gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketForbidden);
    // When even its existence is hidden until it is to be made.
    store.faults().always("GET", "/b/keys", google(404, "notFound", "The specified bucket does not exist."));
    assert_eq!(contract::open(&gcs, &names()).await.unwrap_err().code, Code::BucketOfAnotherOwner);
}

#[tokio::test]
async fn each_missing_right_is_named() {
    let all = [
        "storage.buckets.get",
        "storage.buckets.create",
        "storage.buckets.getIamPolicy",
        "storage.objects.list",
        "storage.buckets.setIamPolicy",
        "storage.objects.get",
        "storage.objects.create",
        "storage.objects.delete",
    ];
    let (empty, (store, _)) = (lab::Gcs::start(), store());
    for missing in all {
        let store = if missing == "storage.buckets.create" { &empty } else { &store };
        let rights = all.iter().filter(|right| **right != missing).map(ToString::to_string).collect();
        let gcs = client(store, store.add_token(Access::Only(rights)));
        let error = match missing {
            "storage.objects.get" => gcs.read(JWKS).await.unwrap_err(),
            "storage.objects.create" => refused(gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await),
            "storage.objects.delete" => {
                store.put("keys", JWKS, "application/json", None, b"{}");
                let stored = read(&gcs, JWKS).await;
                refused(gcs.write(JWKS, &jwks("[]"), &Expected::of(stored.as_ref())).await)
            }
            _ => contract::open(&gcs, &names()).await.unwrap_err(),
        };
        assert_eq!(error.code, Code::BucketForbidden, "{missing}: {error}");
        assert!(error.hints[0].contains(missing), "{missing}: {error}");
    }
}
