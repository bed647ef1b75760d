//! From a kubeconfig, or a pod's own credentials, to a client that can speak to each API server singly.

use std::{path::Path, time::Duration};

use hyper_rustls::{HttpsConnectorBuilder, ResolveServerName};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, proxy::Tunnel},
    },
    rt::TokioExecutor,
};
use kube::{
    Config,
    client::{Body, ConfigExt},
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use rustls::pki_types::ServerName;
use tower::{BoxError, ServiceBuilder};

use super::{ServiceAccount, Settings, one_first::OneFirst};
use crate::{
    error::{Error, Result},
    oidc::Token,
};

/// The name that every API server's certificate carries, whatever its address.
const API_SERVER_NAME: &str = "kubernetes.default.svc";
/// Long enough for a far site, short enough for a laptop that cannot route to the servers' own addresses.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Where a pod finds its own token.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A client for every API server of one cluster.
pub(crate) struct Cluster {
    pub(super) client: kube::Client,
    /// The kubeconfig's address, without a trailing slash.
    pub(super) base: String,
    /// Whom test tokens are minted for.
    pub(super) service_account: ServiceAccount,
    /// The kubeconfig's context; `None` in a pod.
    pub(super) context: Option<String>,
    /// UID of the namespace `kube-system`, or why it is not known.
    pub(super) uid: Result<String>,
}

impl Cluster {
    /// Reads the kubeconfig (contexts, exec plugins) or, without one, a pod's own credentials. Asks nothing yet.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self> {
        let (config, context) = load(settings).await?;
        let base = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let service_account = match (&settings.service_account, context.is_none()) {
            (Some(named), _) => named.clone(),
            (None, true) => own_service_account(Path::new(POD_TOKEN))?,
            (None, false) => ServiceAccount { namespace: "default".into(), name: "default".into() },
        };
        let uid =
            Err(Error::failed("cluster-uid-unknown", "the UID of the namespace kube-system was not read"));
        Ok(Self { client: client(&config)?, base, service_account, context, uid })
    }
}

/// And the context's name, outside a pod.
async fn load(settings: &Settings) -> Result<(Config, Option<String>)> {
    let options = KubeConfigOptions { context: settings.context.clone(), ..KubeConfigOptions::default() };
    let unusable = |error: &(dyn std::error::Error + 'static)| {
        Error::usage("kubeconfig", "the kubeconfig cannot be used").caused_by_chain(error)
    };
    if let Some(path) = &settings.kubeconfig {
        let place = path.display();
        let kubeconfig = Kubeconfig::read_from(path).map_err(|error| {
            unusable(&error).at(format_args!("{place}")).hint("--kubeconfig names a file as kubectl uses it")
        })?;
        let context = options.context.clone().or(kubeconfig.current_context.clone());
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| {
            unusable(&error)
                .at(format_args!("{place}"))
                .hint("`kubectl config get-contexts` lists what it holds")
        })?;
        return Ok((config, context));
    }
    let found = async {
        let kubeconfig = Kubeconfig::read()?;
        let context = options.context.clone().or(kubeconfig.current_context.clone());
        Ok((Config::from_custom_kubeconfig(kubeconfig, &options).await?, context))
    };
    match (found.await, settings.context.is_some()) {
        (Ok(found), _) => Ok(found),
        (Err(error), true) => {
            Err(unusable(&error).hint("`kubectl config get-contexts` lists the contexts there are"))
        }
        (Err::<_, KubeconfigError>(kubeconfig), false) => {
            Config::incluster().map(|config| (config, None)).map_err(|in_cluster| {
                Error::usage("kubeconfig", "no cluster is known: no usable kubeconfig, and this is not a pod")
                    .caused_by_chain(&kubeconfig)
                    .caused_by_chain(&in_cluster)
                    .hint("set KUBECONFIG or give --kubeconfig FILE")
                    .hint("for an issuer before its cluster exists: --no-cluster --public-key sa.pub")
            })
        }
    }
}

/// The ServiceAccount that a pod runs as: the subject of its own token.
fn own_service_account(path: &Path) -> Result<ServiceAccount> {
    let unknown = || {
        Error::failed("service-account", "this pod's own ServiceAccount cannot be told from its token")
            .hint("name it: --service-account NAMESPACE/NAME")
    };
    let token = std::fs::read_to_string(path).map_err(|error| unknown().caused_by(error))?;
    let token = Token::parse(token.trim()).map_err(|error| unknown().caused_by(error.message))?;
    let subject = &token.claims().subject;
    let account = subject.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let (namespace, name) = account.ok_or_else(|| unknown().caused_by(subject))?;
    Ok(ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
}

fn client(config: &Config) -> Result<kube::Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_LIMIT));
    // A question is written in several small pieces: none may wait until the one before is acknowledged.
    connector.set_nodelay(true);
    match &config.proxy_url {
        None => stack(config, connector),
        Some(proxy) if proxy.scheme_str() == Some("http") => {
            stack(config, Tunnel::new(proxy.clone(), connector))
        }
        Some(proxy) => Err(Error::usage(
            "proxy",
            format!("a proxy of scheme {} cannot be used for the cluster", proxy.scheme_str().unwrap_or("?")),
        )
        .hint("give an http:// proxy, or except the cluster's addresses by NO_PROXY")),
    }
}

/// One connection pool for all servers; HTTP/2 where the server speaks it, so that one connection serves all
/// questions to it.
fn stack<C>(config: &Config, connector: C) -> Result<kube::Client>
where
    C: tower::Service<http::Uri> + Clone + Send + Sync + 'static,
    C::Response: hyper_util::client::legacy::connect::Connection
        + hyper::rt::Read
        + hyper::rt::Write
        + Send
        + Unpin
        + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let failed = |error: kube::Error| {
        Error::usage("kubeconfig", "the kubeconfig's credentials or certificates cannot be used")
            .caused_by_chain(&error)
            .hint("`kubectl get --raw /version` with the same context shows whether they work at all")
    };
    let names = Names {
        authority: config.cluster_url.authority().map(ToString::to_string).unwrap_or_default(),
        name: config.tls_server_name.clone(),
    };
    let tls = config.rustls_client_config().map_err(failed)?;
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .with_server_name_resolver(names)
        .enable_all_versions()
        .wrap_connector(connector);
    let https = OneFirst::new(https);
    let service = ServiceBuilder::new()
        .option_layer(config.auth_layer().map_err(failed)?)
        .layer(config.extra_headers_layer().map_err(failed)?)
        .map_err(BoxError::from)
        .service(Client::builder(TokioExecutor::new()).build::<_, Body>(https));
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

/// Which name a server's certificate must carry: the kubeconfig's own for its address, and
/// [`API_SERVER_NAME`] for the servers' addresses, of which certificates often name only some.
struct Names {
    authority: String,
    name: Option<String>,
}

impl ResolveServerName for Names {
    fn resolve(&self, uri: &http::Uri) -> Result<ServerName<'static>, BoxError> {
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = match &self.name {
            _ if authority != self.authority => API_SERVER_NAME,
            Some(name) => name,
            None => host,
        };
        Ok(ServerName::try_from(name.to_owned())?)
    }
}
