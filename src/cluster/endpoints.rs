//! Where the API servers are: the EndpointSlice of the Service `default/kubernetes`.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
};

use serde::Deserialize;

use crate::error::{Code, Error, Result};

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
    port: Option<NonZeroU16>,
}

/// Of https, where the slice names none.
const DEFAULT_PORT: u16 = 443;

/// `IP:port` of every API server, each once; empty when the slice lists none.
pub(crate) fn addresses(slice: &[u8]) -> Result<Vec<String>> {
    let refused = || {
        Error::failed(Code::ClusterAnswer, "the EndpointSlice default/kubernetes cannot be read")
            .hint("compare with `kubectl get endpointslice kubernetes -o yaml`")
    };
    let slice: EndpointSlice =
        serde_json::from_slice(slice).map_err(|error| refused().caused_by_chain(&error))?;
    let port = slice.ports.unwrap_or_default().iter().find_map(|port| port.port);
    let port = port.map_or(DEFAULT_PORT, NonZeroU16::get);
    let mut addresses = Vec::new();
    let mut seen = HashSet::new();
    for address in slice.endpoints.unwrap_or_default().into_iter().flat_map(|endpoint| endpoint.addresses) {
        // An API server's address is an IP address; anything else would be looked up, or sent elsewhere.
        let ip: IpAddr = address
            .parse()
            .map_err(|_| refused().caused_by(format_args!("it lists `{address}`, which is no IP address")))?;
        if seen.insert(ip) {
            addresses.push(SocketAddr::new(ip, port).to_string());
        }
    }
    Ok(addresses)
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
    fn address_listed_twice_counts_once() {
        let twice = br#"{"endpoints":[{"addresses":["10.0.0.1","10.0.0.2"]},{"addresses":["10.0.0.1"]}]}"#;
        assert_eq!(addresses(twice).unwrap(), ["10.0.0.1:443", "10.0.0.2:443"]);
    }

    #[test]
    fn name_instead_of_address_is_refused() {
        for address in ["evil.example.com", "10.0.0.1/x", "10.0.0.1:1", "", "10.0.0.1@evil.example.com"] {
            let slice = format!(r#"{{"endpoints":[{{"addresses":["{address}"]}}]}}"#);
            assert_eq!(addresses(slice.as_bytes()).unwrap_err().code, Code::ClusterAnswer, "{address}");
        }
    }

    #[test]
    fn a_slice_without_endpoints_lists_none() {
        for slice in [&br#"{"endpoints":null,"ports":null}"#[..], b"{}", br#"{"endpoints":[]}"#] {
            assert!(addresses(slice).unwrap().is_empty());
        }
        assert_eq!(addresses(b"<html>").unwrap_err().code, Code::ClusterAnswer);
    }

    #[test]
    fn odd_addresses_and_ports_are_refused() {
        let at = |address: &str, port: &str| {
            addresses(
                format!(r#"{{"endpoints":[{{"addresses":["{address}"]}}],"ports":[{{"port":{port}}}]}}"#)
                    .as_bytes(),
            )
        };
        assert_eq!(at("10.0.0.1", "null").unwrap(), ["10.0.0.1:443"]);
        for address in [
            "",
            "evil.example",
            "10.0.0.1@evil.example",
            "10.0.0.1/x",
            "10.0.0.1:1",
            "fe80::1%eth0",
            "010.0.0.1",
        ] {
            assert_eq!(at(address, "6443").unwrap_err().code, Code::ClusterAnswer, "{address}");
        }
        for port in ["0", "65536", "-1", "6443.5", "18446744073709551616", "\"6443\"", "[]", "true"] {
            assert_eq!(at("10.0.0.1", port).unwrap_err().code, Code::ClusterAnswer, "{port}");
        }
        for endpoint in ["1", "\"a\"", "{}", "null", "{\"addresses\":null}", "{\"addresses\":[1]}"] {
            let slice = format!(r#"{{"endpoints":[{endpoint}]}}"#);
            assert_eq!(addresses(slice.as_bytes()).unwrap_err().code, Code::ClusterAnswer, "{endpoint}");
        }
    }

    #[test]
    fn repeated_addresses_are_listed_once() {
        let list = ["\"10.0.0.1\""; 10_000].join(",");
        let slice =
            format!(r#"{{"endpoints":[{{"addresses":[{list}]}},{{"addresses":["10.0.0.2","10.0.0.1"]}}]}}"#);
        assert_eq!(addresses(slice.as_bytes()).unwrap(), ["10.0.0.1:443", "10.0.0.2:443"]);
    }
}
