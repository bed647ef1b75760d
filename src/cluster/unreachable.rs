//! Why an API server did not answer, in words that lead on: which server, of which context, by which proxy.

use std::time::Duration;

use hyper_util::client::legacy;
use rustls::CertificateError;

use super::{
    Cluster,
    dial::{DialError, ProxyTrouble},
    login::Unverified,
    requests::Server,
};
use crate::{
    arrival::Arrival,
    error::{Code, Error},
    http::{self as our_http, Unresolved},
};

type Cause<'a> = &'a (dyn std::error::Error + 'static);

impl Cluster {
    /// From the client's error.
    pub(super) fn unreachable(&self, server: &Server, error: Cause<'_>, place: &str) -> Error {
        let chain = causes(error);
        let own = server.base == self.base;
        let name = self.called(server);
        if let Some(error) = chain.iter().find_map(|error| error.downcast_ref::<Error>()) {
            return error.clone().at(place);
        }
        if chain.iter().any(|error| error.is::<Unverified>()) {
            return Error::failed(Code::ClusterUnverified, format!("{name} is not asked"))
                .caused_by_chain(&Unverified)
                .hint(
                    "take insecure-skip-tls-verify out of the kubeconfig, and name the certificate authority",
                );
        }
        if let Some(proxied) = chain.iter().find_map(|error| error.downcast_ref::<DialError>()) {
            return self.no_connection(&name, own, proxied);
        }
        if let Some(unresolved) = chain.iter().find_map(|error| error.downcast_ref::<Unresolved>()) {
            return Error::failed(
                Code::Dns,
                format!("{} cannot be resolved: it is the host of {name}", unresolved.host),
            )
            .caused_by_chain(source(unresolved))
            .hint("check VPN and DNS, and the server of this context: `kubectl config view --minify`");
        }
        if let Some(error) = chain.iter().find_map(|error| tls_error(*error)) {
            return self.no_tls(&name, own, error);
        }
        if chain
            .iter()
            .any(|error| error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect))
        {
            return Error::failed(Code::Connect, format!("{name} cannot be reached"))
                .caused_by_chain(source(error))
                .hint(
                    "check VPN and firewall, and the server of this context: `kubectl config view --minify`",
                );
        }
        our_http::unreachable(error, place)
    }

    /// No whole answer to `question` within this time, although there is a connection.
    pub(super) fn too_slow(
        &self,
        server: &Server,
        question: &str,
        time: Duration,
        arrival: &Arrival,
    ) -> Error {
        let seconds = time.as_secs_f64().round();
        let name = self.called(server);
        Error::failed(Code::Timeout, format!("{name} is silent: it did not answer {question} within {seconds} s"))
            .caused_by(arrival.describe())
            .hint(
                "check VPN and firewall, and the API server's load; try `kubectl get --raw /readyz` with the same context",
            )
    }

    /// `the API server https://10.0.0.1:6443 (context prod)`.
    fn called(&self, server: &Server) -> String {
        let context = match &self.context {
            Some(context) => format!(" (context {})", context.escape_debug()),
            None => String::new(),
        };
        format!("the API server {}{context}", server.base)
    }

    fn no_connection(&self, name: &str, own: bool, error: &DialError) -> Error {
        match error {
            DialError::Silent(limit) => {
                let seconds = limit.as_secs();
                Error::failed(
                    Code::Timeout,
                    format!("{name} is silent: there was no connection within {seconds} s"),
                )
                .hint("check VPN and firewall; try `kubectl get --raw /readyz` with the same context")
            }
            DialError::Proxy { proxy, trouble } => {
                let refused = Error::failed(Code::Proxy, format!("{error}: it leads to {name}"));
                let from = proxy.from();
                match trouble {
                    ProxyTrouble::Unreachable(cause) => refused
                        .caused_by_chain(cause.as_ref())
                        .hint(format!("check {from}; to go without it, except the server by NO_PROXY")),
                    ProxyTrouble::Status(407) => refused.caused_by("it wants another login").hint(format!(
                        "put user and password into {from}, as http://USER:PASSWORD@HOST:PORT"
                    )),
                    ProxyTrouble::Status(_) => refused.hint(format!(
                        "the proxy cannot or may not reach the server: ask its owner, or correct {from}{}",
                        if own { "" } else { "; the API servers' own addresses can be excepted by NO_PROXY" }
                    )),
                    ProxyTrouble::Protocol(cause) => refused
                        .caused_by_chain(cause.as_ref())
                        .hint(format!("check scheme, port and login in {from}")),
                }
            }
        }
    }

    fn no_tls(&self, name: &str, own: bool, error: &rustls::Error) -> Error {
        let rustls::Error::InvalidCertificate(reason) = error else {
            return Error::failed(Code::Tls, format!("TLS with {name} did not come about"))
                .caused_by_chain(error)
                .hint("check that an API server listens there: `kubectl get --raw /readyz`");
        };
        let failed = |what: &str| Error::failed(Code::Tls, format!("the certificate of {name} {what}"));
        let hint = match reason {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } if own => {
                return failed("is for another name")
                    .caused_by_chain(error)
                    .hint("name the server in this context by a name that its certificate has, or set tls-server-name");
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                return failed("is not for kubernetes.default.svc: it is not an API server of this cluster")
                    .caused_by_chain(error)
                    .hint("look at the EndpointSlice: `kubectl get endpointslice kubernetes -o yaml`");
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                return failed("has expired").caused_by_chain(error).hint(
                    "renew it (kubeadm: `kubeadm certs renew apiserver`; k3s: restart it), and check this machine's clock",
                );
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                return failed("is not valid yet")
                    .caused_by_chain(error)
                    .hint("check the clocks of both machines");
            }
            _ if self.context.is_none() => {
                "this pod's ca.crt does not belong to this cluster: start the pod again"
            }
            _ => {
                "correct certificate-authority-data of this context's cluster; on k3s, copy /etc/rancher/k3s/k3s.yaml again"
            }
        };
        failed("is not trusted by the kubeconfig").caused_by_chain(error).hint(hint)
    }
}

/// What an error says it comes from, or itself.
fn source(error: Cause<'_>) -> Cause<'_> {
    error.source().unwrap_or(error)
}

/// The error and everything that it says it comes from; I/O errors hide what they wrap.
fn causes(error: Cause<'_>) -> Vec<Cause<'_>> {
    let mut all: Vec<Cause<'_>> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        all.push(error);
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inner.map(|inner| inner as Cause<'_>).or_else(|| error.source());
    }
    all
}

fn tls_error(error: Cause<'_>) -> Option<&rustls::Error> {
    error.downcast_ref::<rustls::Error>()
}
