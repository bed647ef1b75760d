//! From what is configured to a client that can speak to each API server singly.

use std::{path::Path, sync::Arc};

use hyper_rustls::{HttpsConnectorBuilder, ResolveServerName};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use kube::client::Body;
use rustls::pki_types::ServerName;
use tower::BoxError;

use super::{
    ServiceAccount, Settings,
    connector::FirstConnection,
    dial::Dialer,
    exec::Say,
    facts::Facts,
    kubeconfig::{self, Access, POD_FOLDER},
    login::{Authorize, Identity, Login, unbracketed},
    proxy::Proxies,
    tls::Trust,
};
use crate::{
    error::{Code, Error, Result},
    oidc::Token,
    target::ClusterTarget,
    warning::Warning,
};

/// The name that every API server's certificate carries, whatever its address.
const API_SERVER_NAME: &str = "kubernetes.default.svc";
/// The ServiceAccount of deploy/base that test tokens are minted for: nothing trusts it.
const PROBE: &str = "keyless-probe";

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
    /// Why no API server may be asked by its own address, if that is so.
    pub(super) only_own_address: Option<String>,
    /// How it was looked at.
    pub(super) facts: Facts,
}

/// What is configured, read but not used yet.
pub(crate) struct Configured<'a> {
    settings: &'a Settings,
    access: Access,
}

impl<'a> Configured<'a> {
    /// Reads kubeconfigs, or a pod's own credentials. Nothing is asked, no plugin is run.
    pub(crate) fn load(settings: &'a Settings) -> Result<Self> {
        Ok(Self { settings, access: kubeconfig::load(settings, Path::new(POD_FOLDER))? })
    }

    /// What the cluster is called.
    pub(crate) fn target(&self) -> ClusterTarget {
        let access = &self.access;
        ClusterTarget { context: access.context.clone(), server: access.server.base.clone(), uid: None }
    }

    /// What the user should know about the configuration.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.access.warnings.clone();
        warnings.extend(only_own_address(&self.access).map(|why| Warning::new(Code::ServerUnverified, why)));
        warnings
    }

    /// Makes the client; a credential plugin is run. `say` gets what a person should see meanwhile.
    pub(crate) async fn connect(self, say: &mut Say<'_>) -> Result<Cluster> {
        let Self { settings, access } = self;
        if let Login::Plugin(plugin) = &access.login {
            let context = access.context.as_ref().map(|name| format!(" (context {name})"));
            plugin.start(&context.unwrap_or_default(), say).await?;
        }
        let service_account = match (&settings.service_account, &access.context) {
            (Some(named), _) => named.clone(),
            (None, None) => probe_beside(own_service_account(&Path::new(POD_FOLDER).join("token"))?),
            (None, Some(_)) => ServiceAccount { namespace: "default".into(), name: "default".into() },
        };
        Ok(Cluster {
            base: access.server.base.clone(),
            service_account,
            context: access.context.clone(),
            uid: Err(Error::failed(
                Code::ClusterUidUnknown,
                "the UID of the namespace kube-system was not read",
            )),
            only_own_address: only_own_address(&access),
            facts: Facts::default(),
            client: client(access, settings)?,
        })
    }
}

impl Cluster {
    /// Whom test tokens are minted for.
    pub(crate) fn test_account(&self) -> &ServiceAccount {
        &self.service_account
    }
}

#[cfg(test)]
impl Cluster {
    /// As [`Configured::load`] and [`Configured::connect`], for tests of what comes after them.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self> {
        Configured::load(settings)?.connect(&mut |_: &str| {}).await
    }
}

/// A credential is for a server whose certificate is verified, or for the kubeconfig's own address alone.
fn only_own_address(access: &Access) -> Option<String> {
    let why = match (&access.trust, access.server.secure) {
        (_, false) => "the kubeconfig's address is http",
        (Trust::Everybody, true) => "the kubeconfig says insecure-skip-tls-verify",
        (Trust::These(_) | Trust::System, true) => return None,
    };
    Some(format!("{why}: no API server is asked by its own address, as it could be anybody"))
}

/// The ServiceAccount that a pod runs as: the subject of its own token.
fn own_service_account(path: &Path) -> Result<ServiceAccount> {
    let unknown = || {
        Error::failed(
            Code::ServiceAccountUnknown,
            "could not determine this pod's own ServiceAccount from its token",
        )
        .hint("name it: --service-account NAMESPACE/NAME")
    };
    let token = std::fs::read_to_string(path).map_err(|error| unknown().caused_by(error))?;
    let token = Token::parse(token.trim()).map_err(|error| unknown().caused_by(error.message))?;
    let subject = &token.claims().subject;
    let account = subject.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let (namespace, name) = account.ok_or_else(|| unknown().caused_by(subject))?;
    Ok(ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// Whom a pod mints test tokens for. Never itself: the right to mint a token of its own account is the right to choose an
/// audience and a life for tokens that a bucket or a provider trusts.
fn probe_beside(own: ServiceAccount) -> ServiceAccount {
    ServiceAccount { name: PROBE.to_owned(), ..own }
}

/// One connection pool for all servers; HTTP/2 where the server speaks it, so that one connection serves all
/// questions to it.
fn client(access: Access, settings: &Settings) -> Result<kube::Client> {
    let Access { server, server_name, trust, proxy, login, identity, headers, .. } = access;
    let proxies = Arc::new(Proxies::new(proxy, &settings.proxies));
    let verifies = !matches!(trust, Trust::Everybody);
    let tls = trust.client_config(identity)?;
    let to_proxy = Arc::new(ProxyNames(server_name.clone()));
    let dialer = Dialer::new(proxies.clone(), &tls, to_proxy, server.clone());
    let names = Names { server: server.clone(), name: server_name };
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .with_server_name_resolver(names)
        .enable_all_versions()
        .wrap_connector(dialer);
    let https = FirstConnection::new(https);
    let client = Client::builder(TokioExecutor::new()).build::<_, Body>(https);
    let service = Authorize::new(client, Identity { login, headers, server, verifies, proxies });
    Ok(kube::Client::new(service, "default"))
}

/// Which name a server's certificate must carry: the kubeconfig's own for its address, and
/// [`API_SERVER_NAME`] for the servers' addresses, of which certificates often name only some.
struct Names {
    server: super::server::ServerUrl,
    name: Option<String>,
}

impl ResolveServerName for Names {
    fn resolve(&self, uri: &http::Uri) -> Result<ServerName<'static>, BoxError> {
        let name = match &self.name {
            _ if !self.server.is(uri) => API_SERVER_NAME,
            Some(name) => name,
            None => unbracketed(uri.host().unwrap_or_default()),
        };
        Ok(ServerName::try_from(name.to_owned())?)
    }
}

/// An `https://` proxy is verified like the server itself, `tls-server-name` included, as kubectl does.
struct ProxyNames(Option<String>);

impl ResolveServerName for ProxyNames {
    fn resolve(&self, uri: &http::Uri) -> Result<ServerName<'static>, BoxError> {
        let host = unbracketed(uri.host().unwrap_or_default());
        Ok(ServerName::try_from(self.0.clone().unwrap_or_else(|| host.to_owned()))?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_never_mints_for_itself() {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("token");
        let claims = json!({"iss": "https://10.5.0.2:6443", "sub": "system:serviceaccount:keyless-system:keyless",
            "aud": ["x"], "iat": 1, "exp": 2});
        std::fs::write(&file, format!("{}\n", lab::SigningKey::ec(lab::Curve::P256).jws(&claims))).unwrap();
        let own = own_service_account(&file).unwrap();
        assert_eq!(own.to_string(), "keyless-system/keyless");
        assert_eq!(probe_beside(own).to_string(), "keyless-system/keyless-probe");
        std::fs::write(&file, "none").unwrap();
        assert_eq!(own_service_account(&file).unwrap_err().code, Code::ServiceAccountUnknown);
    }
}
