//! What the tests beside it share: a far side with a secret in it, and a client of it.

use std::time::Duration;

use lab::{Ca, Curve, Google, SigningKey};
use serde_json::{Value, json};

use super::*;
use crate::{
    error::{Code, Error},
    federation::{TrustedIssuer, reading, workload},
    google::Pace,
    oidc::{KeySet, KidRule},
    plan::{Action, Change},
    retry::Backoff,
};

pub(super) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
pub(super) const CLUSTER: &str = "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
pub(super) const SUBJECT: &str = "system:serviceaccount:external-secrets:eso-reader";
pub(super) const PRINCIPAL: &str = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/subject/system:serviceaccount:external-secrets:eso-reader";
pub(super) const PAYLOAD: &[u8] = br#"{"password":"correct horse"}"#;

/// Google with a project and the secret `db` in it, and a cluster that signs with one key.
pub(super) struct Far {
    pub(super) google: Google,
    pub(super) key: SigningKey,
    /// To be changed before [`Far::gcp`].
    pub(super) settings: Settings,
}

impl Far {
    pub(super) fn new() -> Self {
        let google = Google::start(&Ca::new());
        google.add_secret("db", PAYLOAD);
        let settings = settings(&google.http_url(), &google.token());
        Self { google, key: SigningKey::ec(Curve::P256), settings }
    }

    pub(super) fn gcp(&self) -> Gcp {
        connect(&self.settings)
    }

    pub(super) fn trust(&self) -> Trust {
        trust(&[&self.key])
    }

    /// Plans and does everything; gives back what was planned.
    pub(super) async fn set_up(&self) -> Result<Vec<Change<()>>, Error> {
        do_all(&self.gcp(), &self.trust()).await
    }

    pub(super) fn token(&self, change: impl FnOnce(&mut Value)) -> Token {
        token(&self.key, change)
    }

    pub(super) fn pool(&self) -> Value {
        self.google.pool("keyless-lab").unwrap_or_default()
    }

    pub(super) fn provider(&self) -> Value {
        self.google.provider("keyless-lab", "cluster").unwrap_or_default()
    }

    /// Methods of the calls that were made, reads left out.
    pub(super) fn writes(&self) -> Vec<String> {
        let calls = self.google.faults().requests();
        let reads = [":getIamPolicy", ":testIamPermissions"];
        let is_read = |path: &str| reads.iter().any(|verb| path.contains(verb));
        let writes = calls.iter().filter(|call| call.method != "GET" && !is_read(&call.path));
        writes.map(|call| format!("{} {}", call.method, call.path)).collect()
    }
}

pub(super) fn settings(base: &str, token: &str) -> Settings {
    Settings {
        project: "acme-prod".to_owned(),
        pool: "keyless-lab".to_owned(),
        provider: "cluster".to_owned(),
        mode: Mode::Uploaded,
        grant: Grant::Secrets,
        impersonate: None,
        location: None,
        endpoints: Endpoints {
            iam: base.to_owned(),
            iam_credentials: base.to_owned(),
            policy_analyzer: base.to_owned(),
            resource_manager: base.to_owned(),
            secret_manager: base.to_owned(),
            service_usage: base.to_owned(),
            storage: base.to_owned(),
            sts: base.to_owned(),
        },
        access_token: Some(Secret::new(token.to_owned())),
    }
}

pub(super) fn connect(settings: &Settings) -> Gcp {
    let ms = Duration::from_millis;
    let pace = Pace {
        request: Backoff::request(ms(1), 4),
        operation: Backoff::poll(ms(1), ms(5), ms(2000)),
        conflict: Backoff::conflict(ms(1), 10),
        lag: Backoff::poll(ms(5), ms(5), ms(2000)),
    };
    Gcp::connect(settings, &Http::new(&[]).unwrap()).unwrap().with_pace(pace).with_patience(Patience {
        first: ms(5),
        longest: ms(20),
        after_grant: ms(2000),
        otherwise: Duration::ZERO,
        after_write: ms(2000),
    })
}

pub(super) fn keys(keys: &[&SigningKey]) -> KeySet {
    let jwks = json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string();
    KeySet::parse(jwks.as_bytes(), "the test's keys", KidRule::Computed).unwrap().0
}

/// As a provider in this mode is told it.
pub(super) fn issuer(mode: Mode, text: &str) -> TrustedIssuer {
    match mode {
        Mode::Documents => TrustedIssuer::Published(text.parse().unwrap()),
        Mode::Uploaded => TrustedIssuer::Signed(text.parse().unwrap()),
    }
}

pub(super) fn trust(signing: &[&SigningKey]) -> Trust {
    Trust {
        issuer: issuer(Mode::Uploaded, ISSUER),
        cluster_id: CLUSTER.to_owned(),
        keys: keys(signing),
        proof: None,
        signing: Vec::new(),
        staged: Vec::new(),
        former: Vec::new(),
        workloads: vec![workload("external-secrets/eso-reader", &["db"])],
    }
}

pub(super) async fn do_all(gcp: &Gcp, want: &Trust) -> Result<Vec<Change<()>>, Error> {
    let Plan { changes, .. } = gcp.plan(want).await?;
    for change in &changes {
        change.run(&mut |_| {}).await?;
    }
    Ok(changes.into_iter().map(|change| change.map(drop)).collect())
}

/// A token as an API server mints it for a secret store.
pub(super) fn token(key: &SigningKey, change: impl FnOnce(&mut Value)) -> Token {
    let now = now();
    let mut claims = json!({
        "iss": ISSUER, "sub": SUBJECT, "iat": now, "nbf": now, "exp": now + 900,
        "aud": ["https://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/providers/cluster"],
        "kubernetes.io": {"namespace": "external-secrets", "serviceaccount": {"name": "eso-reader", "uid": "u"}},
    });
    change(&mut claims);
    Token::parse(&key.jws(&claims)).unwrap()
}

pub(super) fn verbs<A>(changes: &[Change<A>]) -> Vec<Action> {
    changes.iter().map(|change| change.step.action).collect()
}

#[expect(clippy::disallowed_methods, reason = "the far side compares tokens with the real clock")]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[tokio::test]
async fn names_that_a_store_needs() {
    let far = Far::new();
    let gcp = far.gcp();
    let audience = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/providers/cluster";
    assert_eq!(gcp.audience().await.unwrap(), format!("https:{audience}"));
    let GoogleLogin { project_id, project_number, audience: found, token_audience, impersonate, .. } =
        gcp.google_login().await.unwrap();
    assert_eq!((project_id.as_str(), project_number.as_str()), ("acme-prod", "123456789012"));
    assert_eq!((found, token_audience), (audience.to_owned(), format!("https:{audience}")));
    assert_eq!(impersonate, None);
    let asked = far.google.faults().requests().len();
    gcp.audience().await.unwrap();
    assert_eq!(far.google.faults().requests().len(), asked, "it is asked for once");
}

#[tokio::test]
async fn project_number_works_like_the_id() {
    let mut far = Far::new();
    far.settings.project = "123456789012".to_owned();
    far.set_up().await.unwrap();
    let findings = far.gcp().probe(&far.token(|_| {}), &reading("db"), &mut |_: &str| ()).await;
    assert!(findings.iter().all(|finding| !finding.is_failed()), "{findings:?}");
    let GoogleLogin { project_id, .. } = far.gcp().google_login().await.unwrap();
    assert_eq!(project_id, "acme-prod", "a store says the ID");
}

#[tokio::test]
async fn unshown_project_is_used_by_number() {
    let far = Far::new();
    far.google.deny("resourcemanager.projects.get");
    let changes = far.set_up().await.unwrap();
    assert_eq!(changes[0].step.action, Action::NoOp);
    assert!(changes[0].step.reason.contains("123456789012"), "{}", changes[0].step.reason);
    assert_eq!(far.google.policy("secrets/db")[0]["members"][0], PRINCIPAL);
}

#[tokio::test]
async fn an_unknown_project() {
    let mut far = Far::new();
    for project in ["acme-prud", "210987654321"] {
        far.settings.project = project.to_owned();
        let error = far.gcp().plan(&far.trust()).await.unwrap_err();
        assert_eq!(error.code, Code::GoogleProjectUnknown, "{error}");
        assert!(error.message.contains(project), "{error}");
        assert!(error.hints.iter().any(|hint| hint.contains("gcloud projects list")), "{error}");
        assert!(error.hints.iter().any(|hint| hint.contains("roles/browser")), "{error}");
    }
    assert_eq!(far.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn credentials_that_are_none() {
    let mut far = Far::new();
    far.settings.access_token = Some(Secret::new("ya29.expired".to_owned()));
    let error = far.gcp().plan(&far.trust()).await.unwrap_err();
    assert_eq!(error.code, Code::GoogleCredentials, "{error}");
    assert!(error.hints.last().unwrap().contains("gcloud auth print-access-token"), "{error}");
    assert!(!format!("{error} {error:?}").contains("ya29.expired"), "{error}");
}

#[test]
fn settings_that_cannot_be_meant() {
    let good = settings("http://127.0.0.1:1", "t");
    let refused = |change: fn(&mut Settings)| {
        let mut bad = good.clone();
        change(&mut bad);
        Gcp::connect(&bad, &Http::new(&[]).unwrap()).map(drop).unwrap_err().code
    };
    assert_eq!(refused(|it| it.project = "Acme Prod".into()), Code::GoogleProject);
    assert_eq!(refused(|it| it.pool = "x".into()), Code::GoogleName);
    assert_eq!(refused(|it| it.provider = "gcp-x".into()), Code::GoogleName);
    assert_eq!(refused(|it| it.impersonate = Some("me@example.com".into())), Code::GoogleServiceAccount);
    assert_eq!(refused(|it| it.endpoints.sts = "https://sts.googleapis.com/".into()), Code::GoogleEndpoint);
    assert_eq!(refused(|it| it.endpoints.iam = "iam.googleapis.com".into()), Code::BaseUrl);
    assert_eq!(refused(|it| it.endpoints.iam = "https://u:p@iam.googleapis.com".into()), Code::BaseUrl);
}
