//! Where the API servers are: the EndpointSlice of the Service `default/kubernetes`.

use serde::Deserialize;

use crate::error::{Error, Result};

/// The part of `discovery.k8s.io/v1` EndpointSlice that says where API servers are.
#[derive(Deserialize)]
struct EndpointSlice {
    #[serde(default)]
    endpoints: Option<Vec<Endpoint>>,
    #[serde(default)]
    ports: Option<Vec<Port>>,
}

#[derive(Deserialize)]
struct Endpoint {
    addresses: Vec<String>,
}

#[derive(Deserialize)]
struct Port {
    port: Option<u16>,
}

/// `host:port` of every API server; empty when the slice lists none.
pub(super) fn addresses(slice: &[u8]) -> Result<Vec<String>> {
    let slice: EndpointSlice = serde_json::from_slice(slice).map_err(|error| {
        Error::failed("cluster-answer", "the EndpointSlice default/kubernetes cannot be read")
            .caused_by_chain(&error)
            .hint("compare with `kubectl get endpointslice kubernetes -o yaml`")
    })?;
    let port = slice.ports.unwrap_or_default().iter().find_map(|port| port.port).unwrap_or(443);
    Ok(slice
        .endpoints
        .unwrap_or_default()
        .into_iter()
        .flat_map(|endpoint| endpoint.addresses)
        .map(
            |address| {
                if address.contains(':') {
                    format!("[{address}]:{port}")
                } else {
                    format!("{address}:{port}")
                }
            },
        )
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_every_address_with_the_port() {
        let two = br#"{"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"],"conditions":{"ready":true}}],"ports":[{"name":"https","port":6443,"protocol":"TCP"}]}"#;
        assert_eq!(addresses(two).unwrap(), ["10.0.0.1:6443", "10.0.0.2:6443"]);
        let six = br#"{"addressType":"IPv6","endpoints":[{"addresses":["fd00::1"]}],"ports":[{"port":443}]}"#;
        assert_eq!(addresses(six).unwrap(), ["[fd00::1]:443"]);
    }

    #[test]
    fn a_slice_without_endpoints_lists_none() {
        for slice in [&br#"{"endpoints":null,"ports":null}"#[..], b"{}", br#"{"endpoints":[]}"#] {
            assert!(addresses(slice).unwrap().is_empty());
        }
        assert_eq!(addresses(b"<html>").unwrap_err().code, "cluster-answer");
    }
}
