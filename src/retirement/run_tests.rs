//! The shell around the decision, against an API server and a Google that behave like the real ones.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lab::{Ca, EsoStandIn, Google, SigningKey};
use serde_json::json;
use tempfile::TempDir;

use base64::{Engine, engine::general_purpose::STANDARD};

use tokio::time::sleep;

use super::*;
use crate::{
    cluster::Settings,
    error::Code,
    federation::{
        Sections,
        credential::{self, recognise},
        gcp,
    },
    http::Http,
    retirement::{Block, Kept, Place, Shown, StoreId, Until, Why, is_again},
    secret::Secret,
};

const CRDS: &str = include_str!("../../tests/lab/fixtures/crds/eso-0.20.4-min.yaml");
const ESO: &str = "external-secrets.io/v1";

/// A store that has left the key, and everything around it.
struct World {
    lab: lab::Cluster,
    google: Google,
    email: String,
    cluster: Cluster,
    state: State,
    connected: Vec<Option<Box<dyn StoredCredential>>>,
    shelf: Shelf,
    name: StoreName,
    _dir: TempDir,
}

/// The messages, and nothing else: the store is not written here.
#[derive(Default)]
struct Messages(Vec<String>);

#[async_trait(?Send)]
impl Hands for Messages {
    fn say(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }

    async fn probe(&mut self) -> Result<()> {
        Ok(())
    }

    async fn switch(&mut self) -> Result<Option<Object>> {
        Ok(None)
    }

    async fn restore(&mut self, _store: &Object, _provider: &Value) -> Result<bool> {
        Ok(false)
    }

    fn may_ask(&mut self, _pending: &[Pending]) -> bool {
        false
    }
}

async fn world() -> World {
    let dir = TempDir::new().unwrap();
    let ca = Ca::new();
    let lab = lab::Cluster::start(&ca, 1, "https://oidc.lab.test", &SigningKey::from_stock());
    let google = Google::start(&ca);
    let email = google.service_account("eso");
    let file = google.create_key(&email).to_string();
    lab.load_crds(CRDS);
    lab.put_object(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "eso"},
        "data": {"key.json": STANDARD.encode(&file)}}),
    );
    let store = json!({"apiVersion": ESO, "kind": "ClusterSecretStore", "metadata": {"name": "gcp"},
        "spec": {"provider": {"vault": {"server": "https://bao.lab.test", "auth": {}}}}});
    lab.put_object(store);
    lab.put_object(
        json!({"apiVersion": ESO, "kind": "ExternalSecret", "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
            "data": [{"secretKey": "p", "remoteRef": {"key": "db"}}]}}),
    );
    let settings = Settings { kubeconfig: Some(lab.kubeconfig(dir.path())), ..Settings::default() };
    let cluster = Cluster::connect(&settings).await.unwrap();
    let present = Object(lab.object(ESO, "ClusterSecretStore", None, "gcp").unwrap());
    let after = present.0["spec"]["provider"].clone();
    let mut state = State::new("c", StoreId::of(&present), Some(json!({"gcpsm": {}})), after);
    let secret = Object(lab.object("v1", "Secret", Some("eso"), "key").unwrap());
    let identity = recognise(&credential::Found { path: "", value: Some(file.as_bytes()) });
    let base = google.http_url();
    let endpoints = gcp::Endpoints { iam: base.clone(), policy_analyzer: base, ..gcp::Endpoints::default() };
    let access_token = Some(Secret::new(google.token()));
    let section = gcp::GoogleSection { endpoints, access_token, ..gcp::GoogleSection::default() };
    let settings = Sections::only(Arc::new(section));
    let connected = vec![credential::connect(&identity, &settings, &Http::new(&[]).unwrap()).unwrap()];
    state.credentials.push(Kept {
        identity,
        proved: true,
        ours: false,
        places: vec![Place {
            namespace: "eso".into(),
            name: "key".into(),
            uid: secret.uid().into(),
            version: secret.text("/metadata/resourceVersion").into(),
            entries: vec!["key.json".into()],
        }],
    });
    state.stage = Stage::Switched { at: now() };
    let (shelf, _) = Shelf::open(&cluster, "c", &state.store).await.unwrap();
    let name = StoreName::Cluster("gcp".into());
    World { lab, google, email, cluster, state, connected, shelf, name, _dir: dir }
}

#[expect(clippy::disallowed_methods, reason = "the far sides go by the real clock")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn options(watch_for: u64, grace: u64) -> Options {
    Options {
        switch: false,
        retire: true,
        delete_secret: false,
        undo: false,
        force_sync: true,
        accept_unrefreshed: false,
        accept_unseen: false,
        watch_for: Some(watch_for),
        deadline: now() + 60,
        grace,
        until: Until::End,
        shown: Shown::default(),
    }
}

impl World {
    fn run<'a>(&'a self, connected: Vec<Option<Box<dyn StoredCredential>>>, mut options: Options) -> Run<'a> {
        options.shown = Shown::everything(&self.state);
        options.shown.add_force_sync(["ExternalSecret shop/db", "ExternalSecret shop/typo"]);
        let mut run = Run::new(
            &self.cluster,
            &self.name,
            Some(self.shelf.clone()),
            self.state.clone(),
            connected,
            options,
            &now,
        );
        run.is_new = true;
        run
    }

    fn is_disabled(&self) -> Option<bool> {
        self.google.keys(&self.email).first().map(|(_, disabled)| *disabled)
    }
}

/// An operator that needs the key although the store does not say so.
fn needs_the_key(world: &World) -> EsoStandIn {
    let keys = world.google.watch_keys(&world.email);
    EsoStandIn::start(&world.lab, move |_, key| match key {
        "" => Ok(Vec::new()),
        _ if keys() => Ok(b"x".to_vec()),
        _ => Err("permission denied".into()),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn user_broken_by_disabling_restores_key() {
    let mut world = world().await;
    let _eso = needs_the_key(&world);
    let connected = std::mem::take(&mut world.connected);
    let mut run = world.run(connected, options(600, 1));
    let mut messages = Messages::default();
    let outcome = run.go_on(&mut messages).await.unwrap();
    let Outcome::End(End::Blocked(Block::GaveBack(Why::Broke { object, .. }))) = outcome else {
        panic!("{outcome:?}: {messages:?}", messages = messages.0)
    };
    assert_eq!(object, "ExternalSecret shop/db");
    assert_eq!(world.is_disabled(), Some(false));
    let of = |text: &str| messages.0.iter().filter(|line| line.starts_with(text)).count();
    assert_eq!((of("disabling key "), of("enabling key ")), (1, 1), "{:?}", messages.0);
    assert!(messages.0.iter().any(|line| line.contains("is not ready: Ready=False")), "{:?}", messages.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn self_recovering_user_is_no_failure() {
    let mut world = world().await;
    let ill = Arc::new(AtomicBool::new(false));
    let (seen, keys) = (ill.clone(), world.google.watch_keys(&world.email));
    let _eso = EsoStandIn::start(&world.lab, move |_, key| {
        // Once, right after the key was disabled.
        let fails = !key.is_empty() && !keys() && !seen.swap(true, Ordering::SeqCst);
        if fails { Err("it was cut off".into()) } else { Ok(b"x".to_vec()) }
    });
    let connected = std::mem::take(&mut world.connected);
    let mut run = world.run(connected, options(3, 30));
    let mut messages = Messages::default();
    let outcome = run.go_on(&mut messages).await.unwrap();
    assert_eq!(outcome, Outcome::End(End::Retired), "{:?}", messages.0);
    assert!(ill.load(Ordering::SeqCst), "it was ill");
    assert_eq!(world.is_disabled(), None);
}

/// An ExternalSecret that asks for what there is not says nothing about the way to its store.
#[tokio::test(flavor = "multi_thread")]
async fn previously_broken_user_does_not_block() {
    let mut world = world().await;
    world.lab.put_object(
        json!({"apiVersion": ESO, "kind": "ExternalSecret", "metadata": {"name": "typo", "namespace": "shop"},
        "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
            "data": [{"secretKey": "p", "remoteRef": {"key": "none"}}]}}),
    );
    let _eso = EsoStandIn::start(&world.lab, |_, key| match key {
        "none" => Err("there is no such secret".into()),
        _ => Ok(b"x".to_vec()),
    });
    sleep(Duration::from_millis(400)).await;
    let connected = std::mem::take(&mut world.connected);
    let mut run = world.run(connected, options(1, 0));
    let outcome = run.go_on(&mut Messages::default()).await.unwrap();
    assert_eq!(outcome, Outcome::End(End::Retired));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_run_at_work_is_noticed() {
    let mut world = world().await;
    let _eso = EsoStandIn::start(&world.lab, |_, _| Ok(b"x".to_vec()));
    let connected = std::mem::take(&mut world.connected);
    let mut run = world.run(connected, options(600, 60));
    let state = world.state.clone();
    let other = async {
        // As soon as the first has noted where it begins.
        loop {
            let (mut there, _) = Shelf::open(&world.cluster, "c", &state.store).await.unwrap();
            if !there.is_empty() {
                there.save(&world.cluster, &state.with_stage(Stage::Undoing { at: 1 })).await.unwrap();
                return;
            }
        }
    };
    let mut messages = Messages::default();
    let (outcome, ()) = futures::join!(run.go_on(&mut messages), other);
    assert_eq!(outcome.unwrap_err().code, Code::RetirementRaced);
    assert_eq!(world.is_disabled(), Some(false), "{:?}", messages.0);
}

#[tokio::test]
async fn store_with_same_login_is_recognised() {
    let before = json!({"gcpsm": {"projectID": "p", "auth": {"secretRef": {"name": "k"}}}});
    let with = |pointer: &str, name: &str, value: Value| {
        let mut now = before.clone();
        now.pointer_mut(pointer).unwrap()[name] = value;
        now
    };
    for (now, again) in [
        (before.clone(), true),
        (with("/gcpsm", "secretVersionSelectionPolicy", json!("LatestOrFail")), true),
        (with("/gcpsm", "projectID", json!("other")), false),
        (with("/gcpsm/auth", "workloadIdentity", json!({})), false),
        (with("/gcpsm/auth/secretRef", "key", json!("x")), false),
        (with("", "vault", json!({})), false),
        (json!({"gcpsm": {"projectID": "p"}}), false),
        (json!(null), false),
    ] {
        assert_eq!(is_again(&before, &now), again, "{now}");
    }
}
