//! Proxies, and what is excepted from them.

use super::{Case, Ground, kubeconfig, kubectl};
use crate::world::Ran;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

#[test]
fn proxies_are_used_like_kubectl() {
    if !kubectl() {
        return;
    }
    let ground = Ground::new();
    let (http, https, socks) = (ground.http.url(), ground.https.url(), ground.socks.url());
    let with = |url: &str, login: &str| url.replace("://", &format!("://{login}@"));
    let url = |name: &str, server: &str, url: &str| {
        let cluster = format!("{}, proxy-url: '{url}'", ground.authority());
        Case::new(name, kubeconfig(server, &cluster, &format!("token: {}", ground.token())))
    };
    let (loopback, any) = (ground.at("127.0.0.1"), ground.at("0.0.0.0"));
    let env = |name: &str, server: &str, variable: &str, value: &str| {
        Case::new(name, ground.usual(server)).set(variable, value)
    };
    let everything = |case: Case| case.set("NO_PROXY", "*").set("no_proxy", "*");
    let refused = TcpListener::bind("127.0.7.9:0").unwrap().local_addr().unwrap();
    ground.compare(vec![
        (true, url("http", &loopback, &http)),
        (true, url("https", &loopback, &https)),
        (true, url("socks5", &loopback, &socks)),
        (true, everything(url("http, everything excepted", &loopback, &http))),
        (true, everything(url("socks5, everything excepted", &loopback, &socks))),
        (true, url("another in the environment", &any, &http).set("HTTPS_PROXY", socks.clone())),
        (true, url("user and password", &loopback, &with(&http, "us%40er:p%3Ass"))),
        (true, url("user and password at https", &loopback, &with(&https, "user:pass"))),
        (true, url("user and password at socks5", &loopback, &with(&socks, "user:pass"))),
        (true, url("name that only the proxy knows", &ground.at("k8s.lab.test"), &http)),
        (true, url("name that only socks5 knows", &ground.at("k8s.lab.test"), &socks)),
        (false, url("socks5h", &loopback, &socks.replace("socks5", "socks5h"))),
        (false, url("no scheme", &loopback, http.trim_start_matches("http://"))),
        (false, url("other scheme", &loopback, &http.replace("http", "ftp"))),
        (false, url("no listener", &loopback, &format!("http://{refused}"))),
        (false, url("http spoken to https", &loopback, &https.replace("https", "http"))),
        (false, url("https spoken to http", &loopback, &http.replace("http", "https"))),
        (true, env("HTTPS_PROXY", &any, "HTTPS_PROXY", &http)),
        (true, env("https_proxy", &any, "https_proxy", &http)),
        (true, env("https_proxy beside an empty one", &any, "https_proxy", &http).set("HTTPS_PROXY", "")),
        (
            true,
            env("HTTPS_PROXY before https_proxy", &any, "HTTPS_PROXY", &http)
                .set("https_proxy", socks.clone()),
        ),
        (true, env("HTTP_PROXY is not for https", &any, "HTTP_PROXY", &http)),
        (true, env("ALL_PROXY is not read", &any, "ALL_PROXY", &http)),
        (true, env("without a scheme", &any, "HTTPS_PROXY", http.trim_start_matches("http://"))),
        (true, env("https by variable", &any, "HTTPS_PROXY", &https)),
        (true, env("socks5 by variable", &any, "HTTPS_PROXY", &socks)),
        (
            true,
            env(
                "socks5h by variable",
                &any,
                "HTTPS_PROXY",
                &with(&socks, "a:b").replace("socks5", "socks5h"),
            ),
        ),
        (true, env("password by variable", &any, "HTTPS_PROXY", &with(&http, "u:p"))),
        (true, env("name by variable", &ground.at("k8s.lab.test"), "HTTPS_PROXY", &http)),
        (true, env("loopback is excepted", &loopback, "HTTPS_PROXY", &http)),
        (true, env("CGI minds http only", &any, "HTTPS_PROXY", &http).set("REQUEST_METHOD", "GET")),
        (false, env("no listener by variable", &any, "HTTPS_PROXY", &format!("http://{refused}"))),
    ]);
    // Proxies that want a login, and proxies that will not.
    for proxy in [&ground.http, &ground.https, &ground.socks] {
        proxy.change(|settings| settings.login = Some(("user".into(), "pass".into())));
    }
    ground.compare(vec![
        (true, url("right password", &loopback, &with(&http, "user:pass"))),
        (true, url("right password at https", &loopback, &with(&https, "user:pass"))),
        (true, url("right password at socks5", &loopback, &with(&socks, "user:pass"))),
        (false, url("wrong password", &loopback, &with(&http, "user:CANARY"))),
        (false, url("wrong password at socks5", &loopback, &with(&socks, "user:CANARY"))),
        (false, url("no password", &loopback, &http)),
        (false, url("no password at socks5", &loopback, &socks)),
    ]);
    ground.http.change(|settings| settings.refuses_with = Some(403));
    let (ran, ..) = ground.run(&url("refused", &loopback, &with(&http, "user:CANARY-pass")));
    ran.fails(3, "proxy", &["403", "127.0.7.1", "proxy-url of the cluster prod", "context prod"]);
}

#[test]
fn proxy_exceptions_are_those_of_kubectl() {
    if !kubectl() {
        return;
    }
    let ground = Ground::new();
    let port = ground.port();
    // On Linux this is an address of this machine, and no loopback address in anybody's book.
    let own = ground.at("0.0.0.0");
    let except = |server: &str, no_proxy: &str| {
        Case::new(format!("NO_PROXY={no_proxy} {server}"), ground.usual(server))
            .set("HTTPS_PROXY", ground.http.url())
            .set("NO_PROXY", no_proxy)
    };
    let mut cases: Vec<_> = [
        "*",
        "0.0.0.0",
        "0.0.0.0/8",
        " 0.0.0.0/8 , x",
        "0.0.0.0,",
        ",,0.0.0.0",
        " 0.0.0.0 ",
        "0.0.0.0:1",
        ".0.0.0",
        "*.0.0.0",
        "0.0.0",
        "0.0.0.0/33",
        "0.0.0.0/",
        "::/0",
        "::ffff:0.0.0.0",
        "https://0.0.0.0",
        "a.test,*",
        "000.0.0.0/8",
        "00.0.0.0",
        "127.0.0.0/8,localhost",
    ]
    .iter()
    .map(|no_proxy| (true, except(&own, no_proxy)))
    .collect();
    for no_proxy in
        [format!("0.0.0.0:{port}"), format!("[0.0.0.0]:{port}"), format!("127.0.7.1,0.0.0.0:{port}")]
    {
        cases.push((true, except(&own, &no_proxy)));
    }
    // The proxy's own address is not what is excepted.
    cases.push((true, except(&own, "127.0.7.1")));
    cases.push((true, except(&own, "").set("no_proxy", "0.0.0.0")));
    cases.push((true, except(&own, "x").set("no_proxy", "0.0.0.0")));
    for no_proxy in
        ["lab.test.", "other.test", ".k8s.lab.test", "8s.lab.test", "k8s.lab.test:1", "10.0.0.0/8"]
    {
        cases.push((true, except(&ground.at("k8s.lab.test"), no_proxy)));
    }
    for no_proxy in ["10.20.30.41", "10.20.30.40/31:1", "11.0.0.0/8"] {
        cases.push((false, except(&ground.at("10.20.30.40"), no_proxy)));
    }
    ground.compare(cases);
}

/// The client for public URLs has rules of its own, those of curl. What API servers' proxies must be able to do, so must these.
#[test]
fn public_urls_go_through_proxies_too() {
    let ground = Ground::new();
    let folder = TempDir::new().unwrap();
    for proxy in [&ground.http, &ground.https, &ground.socks] {
        proxy.change(|settings| settings.login = Some(("user".into(), "pa:ss".into())));
    }
    let ca = ground.ca.write(folder.path()).display().to_string();
    let verify = |proxy: &str, no_proxy: &str, issuer: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
        command
            .args(["verify", "--public-only", "--ca-file", &ca, "--issuer", issuer])
            .current_dir(folder.path());
        command.env_clear().env("HTTPS_PROXY", proxy).env("NO_PROXY", no_proxy).stdin(Stdio::null());
        Ran::from(command.output().unwrap())
    };
    for (name, proxy) in [("http", &ground.http), ("https", &ground.https), ("socks", &ground.socks)] {
        // With socks5:// this client resolves names itself, as curl does; with socks5h:// the proxy does.
        let url = proxy.url().replace("socks5://", "socks5h://").replace("://", "://user:pa%3Ass@");
        verify(&url, "", "https://oidc.lab.test");
        let asked: BTreeSet<_> = proxy.asked().into_iter().map(|asked| (asked.target, asked.user)).collect();
        let wanted = ("oidc.lab.test:443".to_owned(), Some("user".to_owned()));
        assert_eq!(asked, BTreeSet::from([wanted]), "{name}");
        for no_proxy in ["lab.test", "oidc.lab.test", ".lab.test", "*", "x, lab.test,"] {
            verify(&url, no_proxy, "https://oidc.lab.test");
            assert_eq!(proxy.asked(), [], "{name} {no_proxy}");
        }
    }
}
