//! The publisher as `deploy/base` makes it: what its token may do, and what a thief of that token cannot buy with it.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::eso_far_sides::federate;
use super::rbac::{self, PROBE};
use crate::check::{Checked, While, check, until};
use crate::google::{pools, provider};
use crate::kubernetes::ApiServer;
use crate::openbao;
use crate::world::{ACCOUNT, ISSUER, World};

const JOB: &str = "keyless-system/keyless";
const JOB_SUBJECT: &str = "system:serviceaccount:keyless-system:keyless";
const PROBE_SUBJECT: &str = "system:serviceaccount:keyless-system:keyless-probe";
/// A pool that trusts the job, as `deploy/gcp` has it.
const POOL: &str = "publisher";
/// The audience that `deploy/aws` has.
const AWS: &str = "sts.amazonaws.com";
const TEN_YEARS: u64 = 315_360_000;
const RULES: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    world.published().await?;
    rbac::install(world).await?;
    let job = world.servers()?[0].token(JOB, &[]).await?;
    may_mint_for_the_probe(world, &job).await?;
    trust_the_job(world).await?;

    has_no_other_right(world, &job).await.during("the rights of the job")?;
    for server in world.servers()? {
        mints_for_no_other(world, server, &job).await.during(server.settings.name)?;
    }
    no_other_way_to_a_token(world, &job).await?;
    probe_opens_nothing(world, &job).await.during("the token that the job may mint")?;

    rbac::publish_with(world, &job, PROBE).await?.exits(0).during("`publish` with the job's token")?;
    let document = world.public(&format!("{ISSUER}/.well-known/openid-configuration")).await?;
    check!(document["issuer"] == ISSUER, "the public document: {document}");

    let google = world.google()?;
    google.operate(reqwest::Method::DELETE, &format!("{}/{POOL}", pools()), &Value::Null).await
}

/// Waits until every API server has heard of the role.
async fn may_mint_for_the_probe(world: &World, job: &str) -> Checked {
    until("the right to mint the probe's tokens", Duration::from_secs(20), async || {
        for server in world.servers()? {
            let (status, answer) = mint(world, server, job, PROBE, Some("anyone"), 600).await?;
            check!(status == StatusCode::CREATED, "{}: {status}: {answer}", server.settings.name);
        }
        Ok(())
    })
    .await
}

/// Relying parties that let the job in by its subject, whatever the audience they ask for.
async fn trust_the_job(world: &World) -> Checked {
    world.openbao()?.trust(&world.anyone, ISSUER, &world.pki.ca_pem, JOB_SUBJECT).await?;
    federate(world, POOL, JOB_SUBJECT).await?;
    // What a kubelet gives the job's pod is accepted: this is what would be stolen.
    let server = &world.servers()?[0];
    let [bao, google] = accepted(world, &tokens(server, JOB).await?).await?;
    check!(bao.is_ok() && google.is_ok(), "the job itself is refused: {bao:?}, {google:?}");
    Ok(())
}

/// One token for each of the two relying parties, minted by the administrator.
async fn tokens(server: &ApiServer, account: &str) -> Checked<[String; 2]> {
    let google = format!("https:{}", provider(POOL, "cluster"));
    Ok([server.token(account, &[openbao::AUDIENCE]).await?, server.token(account, &[&google]).await?])
}

/// What OpenBao and Google say to these tokens.
async fn accepted(world: &World, [bao, google]: &[String; 2]) -> Checked<[Result<(), String>; 2]> {
    let bao = world.openbao()?.login(&world.anyone, bao).await?;
    let google = world.google()?.exchange(&provider(POOL, "cluster"), google).await?;
    Ok([bao, google])
}

/// The API server's own list of what the bearer may do, without what every ServiceAccount may.
async fn has_no_other_right(world: &World, job: &str) -> Checked {
    let rule = |group: &str, resource: &str, name: &str, verb: &str| json!({"apiGroups": [group], "resourceNames": [name], "resources": [resource], "verbs": [verb]});
    let identity = rule("", "namespaces", "kube-system", "get");
    let mut ledger = rule("", "configmaps", "keyless-ledger", "get");
    ledger["verbs"] = json!(["get", "patch"]);
    let server = &world.servers()?[0];
    let other = server.token(ACCOUNT, &[]).await?;
    for (namespace, more) in [
        ("keyless-system", vec![rule("", "serviceaccounts/token", "keyless-probe", "create"), ledger]),
        ("default", vec![rule("discovery.k8s.io", "endpointslices", "kubernetes", "get")]),
        ("kube-system", Vec::new()),
    ] {
        let expected: Vec<Value> = [identity.clone()].into_iter().chain(more).collect();
        let own = own_rules(world, server, job, &other, namespace).await?;
        let same = own.len() == expected.len() && expected.iter().all(|rule| own.contains(rule));
        check!(same, "in {namespace} it has the rights {own:?}, not {expected:?}");
    }
    Ok(())
}

async fn own_rules(
    world: &World,
    server: &ApiServer,
    token: &str,
    other: &str,
    namespace: &str,
) -> Checked<Vec<Value>> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let mut rules = Vec::new();
    for token in [token, other] {
        let (status, answer) = server.post_as(&world.anyone, token, RULES, &review).await?;
        check!(status.is_success(), "{RULES}: {status}: {answer}");
        rules.push(answer["status"]["resourceRules"].as_array().cloned().unwrap_or_default());
    }
    let [mut own, others] = <[_; 2]>::try_from(rules).unwrap_or_default();
    own.retain(|rule| !others.contains(rule));
    Ok(own)
}

/// TokenRequest for any ServiceAccount but the probe, with any audience and life.
async fn mints_for_no_other(world: &World, server: &ApiServer, job: &str) -> Checked {
    let google = format!("https:{}", provider(POOL, "cluster"));
    let audiences = [None, Some(AWS), Some(google.as_str()), Some(openbao::AUDIENCE)];
    for account in [JOB, ACCOUNT, "keyless-system/default", "kube-system/absent", "external-secrets/absent"] {
        for audience in audiences {
            for seconds in [600, TEN_YEARS] {
                let (status, answer) = mint(world, server, job, account, audience, seconds).await?;
                let refused = status == StatusCode::FORBIDDEN && answer["status"]["token"].is_null();
                check!(refused, "a token of {account} for {audience:?}: {status}: {}", answer["message"]);
            }
        }
    }
    Ok(())
}

async fn mint(
    world: &World,
    server: &ApiServer,
    bearer: &str,
    account: &str,
    audience: Option<&str>,
    seconds: u64,
) -> Checked<(StatusCode, Value)> {
    let (namespace, name) = account.split_once('/').unwrap_or_default();
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": audience.into_iter().collect::<Vec<_>>(), "expirationSeconds": seconds},
    });
    server.post_as(&world.anyone, bearer, &path, &request).await
}

/// A token without TokenRequest: a pod or a Secret that holds one, a role that allows more, another's name.
async fn no_other_way_to_a_token(world: &World, job: &str) -> Checked {
    let server = &world.servers()?[0];
    let own = "/api/v1/namespaces/keyless-system";
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/keyless-system";
    let objects = [
        (
            format!("{own}/pods"),
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "thief"},
                "spec": {"serviceAccountName": "keyless", "containers": [{"name": "thief", "image": "thief"}]},
            }),
        ),
        (
            format!("{own}/secrets"),
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                "metadata": {"name": "thief", "annotations": {"kubernetes.io/service-account.name": "keyless"}},
            }),
        ),
        (
            format!("{roles}/roles"),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "thief"},
                "rules": [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}],
            }),
        ),
        (
            format!("{roles}/rolebindings"),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "thief"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": "keyless", "namespace": "keyless-system"}],
            }),
        ),
    ];
    for (path, object) in objects {
        let (status, answer) = server.post_as(&world.anyone, job, &path, &object).await?;
        check!(status == StatusCode::FORBIDDEN, "POST {path}: {status}: {}", answer["message"]);
        let left = server.get(&path).await?.to_string();
        check!(!left.contains("thief"), "POST {path} was refused, and the object is there");
    }
    let url = server.url(&format!("{own}/secrets"));
    let request = world.anyone.get(&url).bearer_auth(job).header("Impersonate-User", JOB_SUBJECT);
    let status = request.send().await?.status();
    check!(status == StatusCode::FORBIDDEN, "it may take its own name by impersonation: {status}");
    Ok(())
}

/// The probe's token is a true one of this cluster, and is refused wherever the job's is accepted.
async fn probe_opens_nothing(world: &World, job: &str) -> Checked {
    let server = &world.servers()?[0];
    let google = format!("https:{}", provider(POOL, "cluster"));
    let mut probes = [String::new(), String::new()];
    for (probe, audience) in probes.iter_mut().zip([openbao::AUDIENCE, google.as_str()]) {
        let (status, answer) = mint(world, server, job, PROBE, Some(audience), 600).await?;
        check!(status == StatusCode::CREATED, "{status}: {}", answer["message"]);
        *probe = answer["status"]["token"].as_str().unwrap_or_default().to_owned();
    }
    let [bao, google] = accepted(world, &probes).await?;
    check!(bao.as_ref().is_err_and(|error| error.contains("(sub) claim")), "OpenBao: {bao:?}");
    check!(google.as_ref().is_err_and(|error| error.contains("attribute condition")), "Google: {google:?}");

    let (_, answer) = mint(world, server, job, PROBE, None, 600).await?;
    let probe = answer["status"]["token"].as_str().unwrap_or_default();
    let user = server.who_is(&world.anyone, probe).await?;
    check!(user == Ok(PROBE_SUBJECT.to_owned()), "the API server takes it for {user:?}");
    let other = server.token(ACCOUNT, &[]).await?;
    let rules = own_rules(world, server, probe, &other, "keyless-system").await?;
    check!(rules.is_empty(), "it may do more than any other ServiceAccount: {rules:?}");
    Ok(())
}
