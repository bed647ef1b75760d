//! What the stand-in promises, asked over plain HTTP.

use std::time::Duration;

use serde_json::json;

use super::{Federation, POOLS, SUBJECT, call, make_public, now, principal};

const SECRET: &str = "/v1/projects/acme-prod/secrets/db/versions/latest:access";

#[tokio::test(flavor = "multi_thread")]
async fn federated_token_reads_only_granted_secrets() {
    for here in [Federation::uploaded(), Federation::documents()] {
        if here.google.provider("keyless-lab", "cluster").unwrap()["oidc"]["jwksJson"].is_null() {
            // Not public yet: the token service reads the bucket anonymously.
            let (_, body) = here.exchange(&here.token(json!({}))).await;
            assert_eq!(
                body["error_description"], "Error connecting to the given credential's issuer.",
                "{body}"
            );
            make_public(&here).await;
        }
        let bearer = here.federated().await;
        let (status, body) = call(&here.google, &bearer, "GET", SECRET, None).await;
        assert_eq!((status, &body["name"]), (200, &json!("projects/123456789012/secrets/db/versions/1")));

        here.google.set_policy("secrets/db", json!([]));
        let (status, body) = call(&here.google, &bearer, "GET", SECRET, None).await;
        assert_eq!(status, 403, "{body}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(
            message.starts_with("Permission 'secretmanager.versions.access' denied for resource"),
            "{message}"
        );
        let set = "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/attribute.namespace/external-secrets";
        here.google.grant("project", "roles/secretmanager.secretAccessor", set);
        assert_eq!(call(&here.google, &bearer, "GET", SECRET, None).await.0, 200);

        // A disabled provider issues no token, and tokens issued before keep working; a disabled pool refuses both.
        here.google.write("keyless-lab", Some("cluster"), |provider| provider["disabled"] = json!(true));
        let (status, body) = here.exchange(&here.token(json!({}))).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_target")));
        assert_eq!(call(&here.google, &bearer, "GET", SECRET, None).await.0, 200);
        here.google.write("keyless-lab", None, |pool| pool["state"] = json!("DELETED"));
        assert_eq!(call(&here.google, &bearer, "GET", SECRET, None).await.0, 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_service_explains_its_refusals() {
    let here = Federation::uploaded();
    let long = format!("system:serviceaccount:{}", "x".repeat(106));
    let cases = [
        (json!({"aud": ["vault"]}), "invalid_grant", "The audience in ID Token [vault] does not match"),
        (json!({"iss": "https://other.example"}), "invalid_grant", "The issuer in ID Token https://other"),
        (json!({"exp": now() - 120}), "invalid_grant", "ID Token issued at "),
        (json!({"iat": now() + 600, "exp": now() + 900}), "invalid_grant", "ID Token issued at "),
        (
            json!({"sub": "system:serviceaccount:x:y"}),
            "unauthorized_client",
            "The given credential is rejected",
        ),
        (
            json!({"sub": long}),
            "invalid_request",
            "The size of mapped attribute google.subject exceeds the 127",
        ),
        (json!({"sub": null}), "unauthorized_client", "Could not obtain a value for google.subject"),
    ];
    for (claims, error, description) in cases {
        let (status, body) = here.exchange(&here.token(claims)).await;
        let message = body["error_description"].as_str().unwrap();
        assert!(status == 400 && body["error"] == error && message.starts_with(description), "{body}");
    }
    // Another key under the same name, and a key of another name.
    let other = Federation::uploaded().key;
    let header = json!({"alg": "ES256", "kid": here.key.kid()});
    let (_, body) = here.exchange(&other.jws_with_header(&header, &super::claims(json!({})))).await;
    assert_eq!(body["error_description"], "Unable to verify the ID Token signature.");
    let (_, body) = here.exchange(&other.jws(&super::claims(json!({})))).await;
    assert_eq!(body["error_description"], "Error connecting to the given credential's issuer.");
    // A list of audiences replaces the default one.
    here.google.write("keyless-lab", Some("cluster"), |provider| {
        provider["oidc"]["allowedAudiences"] = json!(["mine"]);
    });
    assert_eq!(here.exchange(&here.token(json!({}))).await.0, 400);
    assert_eq!(here.exchange(&here.token(json!({"aud": "mine"}))).await.0, 200);
    here.google.change(|settings| settings.clock_offset = 600 + 900);
    assert_eq!(here.exchange(&here.token(json!({"aud": "mine"}))).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_service_accepts_a_json_body() {
    let here = Federation::uploaded();
    let body = json!({
        "grantType": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": super::audience(),
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        "subjectToken": here.token(json!({"exp": now() + 300})),
    });
    let (status, reply) = call(&here.google, "", "POST", "/v1/token", Some(body)).await;
    assert_eq!(status, 200, "{reply}");
    let lifetime = reply["expires_in"].as_i64().unwrap();
    assert!((290..=300).contains(&lifetime), "no longer than the token itself: {lifetime}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_and_providers_follow_api_rules() {
    let here = Federation::uploaded();
    let (google, owner) = (&here.google, here.google.token());
    let pools = "/v1/projects/acme-prod/locations/global/workloadIdentityPools";
    let ask = |method: &'static str, path: String, body| {
        let owner = owner.clone();
        async move { call(google, &owner, method, &path, body).await }
    };
    // An operation, at first without effect.
    let (_, operation) =
        ask("POST", format!("{pools}?workloadIdentityPoolId=fresh"), Some(json!({"displayName": "x"}))).await;
    assert!(operation["done"].is_null());
    assert_eq!(ask("GET", format!("{pools}/fresh"), None).await.0, 404);
    let path = format!("/v1/{}", operation["name"].as_str().unwrap());
    assert!(ask("GET", path.clone(), None).await.1["done"].is_null());
    let (_, done) = ask("GET", path, None).await;
    assert_eq!((&done["done"], &done["response"]["state"]), (&json!(true), &json!("ACTIVE")));
    let (_, pool) = ask("GET", format!("{pools}/fresh"), None).await;
    assert_eq!(pool, json!({"name": format!("{POOLS}/fresh"), "displayName": "x", "state": "ACTIVE"}));

    google.change(|settings| settings.operation_time = Duration::ZERO);
    for id in ["abc", "gcp-pool", "Upper", &"x".repeat(33)] {
        let reply = ask("POST", format!("{pools}?workloadIdentityPoolId={id}"), Some(json!({}))).await;
        assert_eq!(reply.1["error"]["status"], "INVALID_ARGUMENT", "{id}");
    }
    assert_eq!(ask("POST", format!("{pools}?workloadIdentityPoolId=fresh"), Some(json!({}))).await.0, 409);
    ask("DELETE", format!("{pools}/fresh"), None).await;
    let (status, body) = ask("POST", format!("{pools}?workloadIdentityPoolId=fresh"), Some(json!({}))).await;
    assert_eq!((status, &body["error"]["status"]), (409, &json!("ALREADY_EXISTS")));
    let patch = Some(json!({"displayName": "y", "description": "z", "disabled": true}));
    let (_, body) = ask("PATCH", format!("{pools}/fresh?updateMask=displayName"), patch.clone()).await;
    assert_eq!(body["error"]["status"], "FAILED_PRECONDITION");
    ask("POST", format!("{pools}/fresh:undelete"), Some(json!({}))).await;
    ask("PATCH", format!("{pools}/fresh?updateMask=displayName"), patch).await;
    let pool = google.pool("fresh").unwrap();
    assert_eq!(pool, json!({"name": format!("{POOLS}/fresh"), "displayName": "y", "state": "ACTIVE"}));

    let key = here.key.jwk();
    let mut forbidden = key.clone();
    forbidden["x5c"] = json!(["x"]);
    let mapping = json!({"google.subject": "assertion.sub"});
    let provider = |oidc| json!({"attributeMapping": mapping, "oidc": oidc});
    let jwks = |keys: Vec<serde_json::Value>| {
        provider(json!({"issuerUri": "https://x.example", "jwksJson": json!({"keys": keys}).to_string()}))
    };
    let path = |id: &str| format!("{pools}/fresh/providers?workloadIdentityPoolProviderId={id}");
    let refused = [
        json!({"oidc": {"issuerUri": "https://x.example"}}),
        provider(json!({"issuerUri": "http://x.example"})),
        provider(json!({"issuerUri": "https://x.example", "allowedAudiences": vec!["a"; 11]})),
        jwks(vec![key.clone(); 9]),
        jwks(vec![forbidden]),
        jwks(vec![lab::SigningKey::ec(lab::Curve::P384).jwk()]),
    ];
    for body in refused {
        let (status, reply) = ask("POST", path("cluster"), Some(body.clone())).await;
        assert_eq!((status, &reply["error"]["status"]), (400, &json!("INVALID_ARGUMENT")), "{body}");
    }
    google.change(|settings| settings.allowed_issuers = Some(vec!["https://y.example".into()]));
    let (_, reply) = ask("POST", path("cluster"), Some(jwks(vec![key.clone()]))).await;
    assert_eq!(reply["error"]["status"], "FAILED_PRECONDITION");
    google.change(|settings| settings.allowed_issuers = None);
    google.fail_next_operation("INVALID_ARGUMENT", "not this time");
    let (_, operation) = ask("POST", path("cluster"), Some(jwks(vec![key.clone()]))).await;
    let poll = format!("/v1/{}", operation["name"].as_str().unwrap());
    ask("GET", poll.clone(), None).await;
    assert_eq!(ask("GET", poll, None).await.1["error"]["message"], "not this time");
    assert!(google.provider("fresh", "cluster").is_none());
    assert_eq!(ask("POST", path("cluster"), Some(jwks(vec![key; 8]))).await.0, 200);
    assert!(google.provider("fresh", "cluster").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_permission_can_be_taken_away() {
    let here = Federation::uploaded();
    let pool = "/v1/projects/acme-prod/locations/global/workloadIdentityPools/keyless-lab";
    let owner = here.google.token();
    here.google.deny("iam.workloadIdentityPools.get");
    let (status, body) = call(&here.google, &owner, "GET", pool, None).await;
    assert_eq!(status, 403);
    assert_eq!(
        body["error"]["message"],
        "Permission 'iam.workloadIdentityPools.get' denied on resource '//iam.googleapis.com/projects/acme-prod/locations/global/workloadIdentityPools/keyless-lab' (or it may not exist)."
    );
    here.google.allow("iam.workloadIdentityPools.get");
    let some = here.google.caller(&["iam.workloadIdentityPools.get"]);
    assert_eq!(call(&here.google, &some, "GET", pool, None).await.0, 200);
    assert_eq!(call(&here.google, &some, "DELETE", pool, None).await.0, 403);
    assert_eq!(call(&here.google, "unknown", "GET", pool, None).await.0, 401);
    here.google.enable("iam.googleapis.com", false);
    let (_, body) = call(&here.google, &owner, "GET", pool, None).await;
    assert_eq!(body["error"]["details"][0]["reason"], "SERVICE_DISABLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_need_etags_and_spread_later() {
    let here = Federation::uploaded();
    let owner = here.google.token();
    let bearer = here.federated().await;
    let get = "/v1/projects/acme-prod/secrets/db:getIamPolicy?options.requestedPolicyVersion=3";
    let set = "/v1/projects/acme-prod/secrets/db:setIamPolicy";
    let (_, mut policy) = call(&here.google, &owner, "GET", get, None).await;
    policy["version"] = json!(3);
    here.google.conflict(1);
    let body = Some(json!({"policy": policy}));
    let (status, reply) = call(&here.google, &owner, "POST", set, body.clone()).await;
    assert_eq!((status, &reply["error"]["status"]), (409, &json!("ABORTED")));
    // A new etag each time, so the old one stays stale.
    assert_eq!(call(&here.google, &owner, "POST", set, body).await.0, 409);
    let (_, mut policy) = call(&here.google, &owner, "GET", get, None).await;
    policy["bindings"] = json!([]);
    here.google.change(|settings| settings.propagation = Duration::from_millis(200));
    let (status, reply) = call(&here.google, &owner, "POST", set, Some(json!({"policy": policy}))).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!(call(&here.google, &bearer, "GET", SECRET, None).await.0, 200, "not spread yet");
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(call(&here.google, &bearer, "GET", SECRET, None).await.0, 403);

    let member = |member: &str| {
        Some(
            json!({"policy": {"bindings": [{"role": "roles/secretmanager.secretAccessor", "members": [member]}]}}),
        )
    };
    for bad in ["principal://x", "unprefixed", "serviceAccount:absent@acme-prod.iam.gserviceaccount.com"] {
        assert_eq!(call(&here.google, &owner, "POST", set, member(bad)).await.0, 400, "{bad}");
    }
    // With the project's id in place of its number: accepted, and grants nothing.
    let wrong = principal(SUBJECT).replace("123456789012", "acme-prod");
    assert_eq!(call(&here.google, &owner, "POST", set, member(&wrong)).await.0, 200);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(call(&here.google, &bearer, "GET", SECRET, None).await.0, 403);
    here.google.change(|settings| settings.members_restricted = true);
    let (_, reply) = call(&here.google, &owner, "POST", set, member(&principal(SUBJECT))).await;
    assert_eq!(reply["error"]["status"], "FAILED_PRECONDITION");
}

#[tokio::test(flavor = "multi_thread")]
async fn workload_impersonates_account_when_allowed() {
    let here = Federation::uploaded();
    let email = here.google.service_account("eso-reader");
    here.google.set_policy("secrets/db", json!([]));
    here.google.grant("secrets/db", "roles/secretmanager.secretAccessor", &format!("serviceAccount:{email}"));
    let bearer = here.federated().await;
    let path = format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
    let body =
        Some(json!({"scope": ["https://www.googleapis.com/auth/cloud-platform"], "lifetime": "3600s"}));
    let (_, reply) = call(&here.google, &bearer, "POST", &path, body.clone()).await;
    assert_eq!(reply["error"]["details"][0]["reason"], "SERVICE_DISABLED");
    here.google.enable("iamcredentials.googleapis.com", true);
    let (status, reply) = call(&here.google, &bearer, "POST", &path, body.clone()).await;
    assert_eq!(status, 403);
    assert_eq!(
        reply["error"]["message"],
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
    );
    let account = format!("serviceAccounts/{email}");
    here.google.grant(&account, "roles/iam.workloadIdentityUser", &principal(SUBJECT));
    let (_, reply) = call(&here.google, &bearer, "POST", &path, body).await;
    let token = reply["accessToken"].as_str().unwrap();
    assert_eq!(call(&here.google, token, "GET", SECRET, None).await.0, 200);
    assert_eq!(call(&here.google, &bearer, "GET", SECRET, None).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_machines_get_tokens() {
    let here = Federation::uploaded();
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::read(here.google.user_file(dir.path())).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let url = here.google.http_url();
    let refresh = async |token: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "x")];
        let answer = reqwest::Client::new().post(format!("{url}/token")).form(&form).send().await.unwrap();
        answer.json::<serde_json::Value>().await.unwrap()
    };
    assert_eq!(refresh("wrong").await["error"], "invalid_grant");
    let reply = refresh(file["refresh_token"].as_str().unwrap()).await;
    let token = reply["access_token"].as_str().unwrap();
    assert_eq!(call(&here.google, token, "GET", SECRET, None).await.0, 200);

    let email = here.google.service_account("node");
    here.google.grant("secrets/db", "roles/secretmanager.secretAccessor", &format!("serviceAccount:{email}"));
    let path = format!("{url}/computeMetadata/v1/instance/service-accounts/default/token");
    let ask = reqwest::Client::new().get(path);
    assert_eq!(ask.try_clone().unwrap().send().await.unwrap().status(), 403);
    let answer = ask.header("metadata-flavor", "Google").send().await.unwrap();
    let reply: serde_json::Value = answer.json().await.unwrap();
    let token = reply["access_token"].as_str().unwrap();
    assert_eq!(call(&here.google, token, "GET", SECRET, None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_may_hang_and_writes_accumulate() {
    let here = Federation::uploaded();
    let owner = here.google.token();
    let pool = "/v1/projects/acme-prod/locations/global/workloadIdentityPools/keyless-lab";
    let patch = async |mask: &str| {
        let body = Some(json!({"displayName": "new", "description": "new"}));
        let path = format!("{pool}?updateMask={mask}");
        let (status, body) = call(&here.google, &owner, "PATCH", &path, body).await;
        assert_eq!(status, 200, "{body}");
        format!("/v1/{}", body["name"].as_str().unwrap())
    };
    patch("displayName").await;
    let last = patch("description").await;
    assert!(here.google.pool("keyless-lab").unwrap()["description"].is_null());
    call(&here.google, &owner, "GET", &last, None).await;
    call(&here.google, &owner, "GET", &last, None).await;
    let pool_now = here.google.pool("keyless-lab").unwrap();
    assert_eq!((&pool_now["displayName"], &pool_now["description"]), (&json!("new"), &json!("new")));

    here.google.change(|settings| settings.operations_never_end = true);
    let never = patch("disabled").await;
    for _ in 0..5 {
        assert!(call(&here.google, &owner, "GET", &never, None).await.1["done"].is_null());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_service_accounts_are_administered() {
    let here = Federation::uploaded();
    let owner = here.google.token();
    let email = here.google.service_account("eso-reader");
    let keys = format!("/v1/projects/-/serviceAccounts/{email}/keys");
    let ask =
        async |method: &str, path: String| call(&here.google, &owner, method, &path, Some(json!({}))).await;
    let (_, made) = ask("POST", keys.clone()).await;
    assert_eq!(made["keyType"], "USER_MANAGED");
    let name = format!("/v1/{}", made["name"].as_str().unwrap());
    let users = format!("{keys}?keyTypes=USER_MANAGED");
    assert_eq!(ask("GET", users.clone()).await.1["keys"].as_array().unwrap().len(), 1);
    assert_eq!(ask("GET", keys.clone()).await.1["keys"].as_array().unwrap().len(), 2);
    assert_eq!(ask("POST", format!("{name}:disable")).await.0, 200);
    assert_eq!(ask("GET", name.clone()).await.1["disabled"], true);
    assert_eq!(ask("POST", format!("{name}:enable")).await.0, 200);
    assert!(ask("GET", name.clone()).await.1["disabled"].is_null());
    assert_eq!(ask("DELETE", name.clone()).await.0, 200);
    assert_eq!(ask("GET", name).await.0, 404);
    here.google.change(|settings| settings.key_creation_forbidden = true);
    assert_eq!(ask("POST", keys).await.1["error"]["status"], "FAILED_PRECONDITION");
    assert_eq!(ask("GET", format!("/v1/projects/other/serviceAccounts/{email}")).await.0, 403);
}
