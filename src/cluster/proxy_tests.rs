use super::*;

const PROXY: &str = "http://10.9.9.9:3128";

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::read(|name| {
        variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    })
}

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    Proxies::new(None, &environment(variables))
}

/// Whether https to this host and port goes through the proxy.
fn proxied(no_proxy: &str, host: &str, port: u16) -> bool {
    let proxies = proxies(&[("HTTPS_PROXY", PROXY), ("NO_PROXY", no_proxy)]);
    proxies.to(true, host, port).unwrap().is_some()
}

#[test]
fn no_proxy_entries_except_their_addresses() {
    // Entry, host, whether the proxy is used: what Go's httpproxy and client-go's ProxierWithNoProxyCIDR say.
    for (entry, host, via_proxy) in [
        ("", "10.0.0.1", true),
        ("*", "10.0.0.1", false),
        ("a.test,*", "k8s.example.com", false),
        ("10.0.0.0/8", "10.0.0.1", false),
        ("10.0.0.0/8", "11.0.0.1", true),
        ("10.0.0.0/8", "k8s.example.com", true),
        (" 10.0.0.0/8 , x", "10.0.0.1", false),
        ("010.0.0.0/8", "10.0.0.1", false),
        ("0.0.0.0/0", "10.0.0.1", false),
        ("0.0.0.0/0", "fd00::1", true),
        ("::/0", "10.0.0.1", true),
        ("10.0.0.0/33", "10.0.0.1", true),
        ("10.0.0.0/+8", "10.0.0.1", true),
        ("10.0.0.0/", "10.0.0.1", true),
        ("10.0.0.1", "10.0.0.1", false),
        ("010.0.0.1", "10.0.0.1", true),
        ("10.0.0.1,", "10.0.0.1", false),
        (",,10.0.0.1", "10.0.0.1", false),
        ("10.0.0", "10.0.0.1", true),
        ("10.0.0.1:6443", "10.0.0.1", false),
        ("10.0.0.1:443", "10.0.0.1", true),
        ("10.0.0.1:", "10.0.0.1", false),
        ("::ffff:10.0.0.1", "10.0.0.1", false),
        (".0.0.1", "10.0.0.1", true),
        ("*.0.0.1", "10.0.0.1", true),
        ("https://10.0.0.1", "10.0.0.1", true),
        ("fd00::/8", "fd00::1", false),
        ("fd00::1", "fd00::1", false),
        ("fd00:0:0:0:0:0:0:1", "fd00::1", false),
        ("[fd00::1]", "fd00::1", true),
        ("[fd00::1]:6443", "fd00::1", false),
        ("[fd00::1]:443", "fd00::1", true),
        ("fd00::1", "fd00::2", true),
        ("example.com", "example.com", false),
        ("example.com", "k8s.example.com", false),
        ("example.com", "notexample.com", true),
        ("EXAMPLE.com", "K8S.example.COM", false),
        (".example.com", "example.com", true),
        (".example.com", "k8s.example.com", false),
        ("*.example.com", "k8s.example.com", false),
        ("*.example.com", "example.com", true),
        ("example.com:6443", "k8s.example.com", false),
        ("example.com:443", "k8s.example.com", true),
        ("example.com.", "example.com", true),
        ("*example.com", "k8s.example.com", true),
        ("k8s", "k8s.example.com", true),
        (".", "k8s.example.com", true),
        ("com", "k8s.example.com", false),
    ] {
        assert_eq!(proxied(entry, host, 6443), via_proxy, "NO_PROXY={entry} {host}");
    }
}

#[test]
fn loopback_is_never_proxied() {
    for host in ["localhost", "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        assert!(!proxied("", host, 6443), "{host}");
    }
    // None of these is loopback for Go.
    for host in ["0.0.0.0", "::", "LOCALHOST", "localhost.localdomain", "127.0.0.1.nip.io", "192.168.1.1"] {
        assert!(proxied("", host, 6443), "{host}");
    }
}

#[test]
fn proxy_url_wins_over_everything() {
    let always = Proxy::of_kubeconfig("socks5://10.8.8.8", "c").unwrap();
    let all = environment(&[("HTTPS_PROXY", PROXY), ("HTTP_PROXY", PROXY), ("NO_PROXY", "*")]);
    let proxies = Proxies::new(Some(always), &all);
    for (secure, host) in [(true, "10.0.0.1"), (true, "localhost"), (false, "127.0.0.1")] {
        assert_eq!(proxies.to(secure, host, 1).unwrap().unwrap().to_string(), "socks5://10.8.8.8:1080");
    }
}

#[test]
fn scheme_of_target_chooses_variable() {
    let to = |variables: &[(&str, &str)], secure| {
        let proxies = proxies(variables);
        proxies.to(secure, "10.0.0.1", 1).map(|proxy| proxy.map(ToString::to_string))
    };
    let both = [("HTTPS_PROXY", "http://a:1"), ("HTTP_PROXY", "http://b:2")];
    assert_eq!(to(&both, true).unwrap().as_deref(), Some("http://a:1"));
    assert_eq!(to(&both, false).unwrap().as_deref(), Some("http://b:2"));
    assert_eq!(to(&both[1..], true).unwrap(), None);
    assert_eq!(to(&[("ALL_PROXY", "http://a:1")], true).unwrap(), None);
    let lower = [("HTTPS_PROXY", ""), ("https_proxy", "http://c:3")];
    assert_eq!(to(&lower, true).unwrap().as_deref(), Some("http://c:3"));
    let cgi = [both[0], both[1], ("REQUEST_METHOD", "GET")];
    assert_eq!(to(&cgi, false).unwrap_err().code, Code::ProxySetting);
    assert_eq!(to(&cgi, true).unwrap().as_deref(), Some("http://a:1"));
}

#[test]
fn proxy_values_are_parsed_like_go() {
    for (value, wanted) in [
        ("http://10.9.9.9:3128", Some("http://10.9.9.9:3128")),
        ("10.9.9.9:3128", Some("http://10.9.9.9:3128")),
        ("proxy.example.com", Some("http://proxy.example.com:80")),
        ("https://10.9.9.9", Some("https://10.9.9.9:443")),
        ("socks5://10.9.9.9", Some("socks5://10.9.9.9:1080")),
        ("socks5h://u:p@10.9.9.9:9", Some("socks5://10.9.9.9:9")),
        ("http://[fd00::9]:3128/", Some("http://[fd00::9]:3128")),
        ("HTTP://10.9.9.9:3128/path?a=b", Some("http://10.9.9.9:3128")),
        ("http://u:p@ss@10.9.9.9", Some("http://10.9.9.9:80")),
        ("foo://10.9.9.9:3128", Some("http://10.9.9.9:3128")),
        ("http://", None),
        ("http://10.9.9.9:99999", None),
        ("http://a b", None),
        (" ", None),
    ] {
        let proxies = proxies(&[("HTTPS_PROXY", value), ("NO_PROXY", "10.0.0.2")]);
        let proxy = proxies.to(true, "10.0.0.1", 6443).map(|proxy| proxy.map(ToString::to_string));
        match (wanted, proxy) {
            (Some(wanted), Ok(Some(proxy))) => assert_eq!(proxy, wanted, "{value}"),
            // It is an error only where it would be used.
            (None, Err(error)) => assert_eq!(error.code, Code::ProxySetting, "{value}"),
            (_, proxy) => panic!("{value}: {proxy:?}"),
        }
        assert!(proxies.to(true, "10.0.0.2", 6443).unwrap().is_none(), "{value}");
    }
}

#[test]
fn kubeconfig_proxy_needs_known_scheme() {
    for url in ["socks5h://a:1", "socks4://a:1", "foo://a:1", "a:1", "10.0.0.1:3128", "", "http://", "://a"] {
        let error = Proxy::of_kubeconfig(url, "c").unwrap_err();
        assert_eq!(error.code, Code::ProxySetting, "{url}");
    }
    let error = Proxy::of_kubeconfig("http://user:CANARY@[::1", "c").unwrap_err();
    assert!(!error.to_string().contains("CANARY"), "{error}");
}

#[test]
fn credentials_are_decoded_and_hidden() {
    let proxy = Proxy::of_kubeconfig("http://us%40er:p%3Ass@10.9.9.9:1", "c").unwrap();
    assert_eq!(proxy.authorization().unwrap(), "Basic dXNAZXI6cDpzcw==");
    assert!(proxy.authorization().unwrap().is_sensitive());
    for shown in [proxy.to_string(), format!("{proxy:?}")] {
        assert!(!shown.contains("p:ss") && !shown.contains("us@er"), "{shown}");
    }
    let alone = Proxy::of_kubeconfig("http://user@10.9.9.9:1", "c").unwrap();
    assert_eq!(alone.authorization().unwrap(), "Basic dXNlcjo=");
    assert!(Proxy::of_kubeconfig("http://10.9.9.9:1", "c").unwrap().authorization().is_none());
}
