//! What External Secrets Operator does for a store: logs in as the store says, reads the secret. The
//! stand-in for its controller decides when.

mod google;
mod vault;

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Certificate, Client, NoProxy, Proxy, RequestBuilder};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use lab::{Ca, Cluster, EsoStandIn, Internet, Right};

const ACCOUNT: &str = "system:serviceaccount:external-secrets:external-secrets";

/// The operator of the demo's cluster; it stops when it is dropped
pub(crate) struct Operator {
    _controller: EsoStandIn,
    refused: Arc<Mutex<Option<String>>>,
}

/// Where it asks, and as whom in the cluster
struct Reader {
    client: Client,
    cluster: String,
    token: String,
}

/// `Err` holds the message of the server that refused
type Read<T> = Result<T, String>;

impl Operator {
    /// It may read Secrets and mint tokens. Which tokens, a Role would say in a real cluster; the lab's obeys none.
    pub(crate) fn start(cluster: &Cluster, internet: &Internet, ca: &Ca, runtime: Handle) -> Read<Self> {
        cluster.add_user(ACCOUNT, &[Right::CreateToken]);
        cluster.allow(ACCOUNT, "get", "secrets");
        let anchor = Certificate::from_pem(ca.pem().as_bytes()).map_err(words)?;
        let proxy = Proxy::https(internet.url()).map_err(words)?;
        let proxy = proxy.no_proxy(NoProxy::from_string("127.0.0.0/8"));
        let client = Client::builder().tls_certs_only([anchor]).proxy(proxy).build().map_err(words)?;
        let reader = Reader { client, cluster: cluster.server(0).url(), token: cluster.token_of(ACCOUNT) };
        let refused = Arc::<Mutex<Option<String>>>::default();
        let log = refused.clone();
        let controller = EsoStandIn::start(cluster, move |store, key| {
            let read = runtime.block_on(reader.read(store, key));
            *log.lock().map_err(words)? = read.as_ref().err().cloned();
            read
        });
        Ok(Self { _controller: controller, refused })
    }

    /// Why its last read failed, if it did
    pub(crate) fn refused(&self) -> Option<String> {
        self.refused.lock().ok()?.clone()
    }
}

impl Reader {
    /// Logs in, and reads `key`; without a key that is all, as for the validation of a store
    async fn read(&self, store: &Value, key: &str) -> Read<Vec<u8>> {
        let provider = &store["spec"]["provider"];
        match (&provider["gcpsm"], &provider["vault"]) {
            (google, Value::Null) if google.is_object() => google::read(self, google, key).await,
            (Value::Null, vault) if vault.is_object() => vault::read(self, vault, key).await,
            _ => Err("this operator knows gcpsm and vault".into()),
        }
    }

    /// One value of a Secret
    async fn secret_value(&self, reference: &Value) -> Read<Vec<u8>> {
        let (namespace, name) = (text(&reference["namespace"]), text(&reference["name"]));
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let secret = self.ask(self.client.get(self.url(&path)).bearer_auth(&self.token)).await?;
        let value = text(&secret["data"][text(&reference["key"])]);
        STANDARD.decode(value).map_err(words)
    }

    /// A fresh token of the ServiceAccount that the store names, for these audiences
    async fn token(&self, account: &Value, audiences: &Value) -> Read<String> {
        let (namespace, name) = (text(&account["namespace"]), text(&account["name"]));
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": audiences, "expirationSeconds": 600},
        });
        let request = self.client.post(self.url(&path)).bearer_auth(&self.token).json(&request);
        Ok(text(&self.ask(request).await?["status"]["token"]).to_owned())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.cluster)
    }

    async fn ask(&self, request: RequestBuilder) -> Read<Value> {
        let answer = request.send().await.map_err(words)?;
        let (status, url) = (answer.status(), answer.url().clone());
        let body = answer.text().await.map_err(words)?;
        if !status.is_success() {
            return Err(format!("{url}: {status}: {}", body.trim()));
        }
        serde_json::from_str(&body).map_err(words)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
