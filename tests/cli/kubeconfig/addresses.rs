//! Addresses and names of servers.

use super::{Case, Ground, kubeconfig, kubectl};
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;

#[test]
fn addresses_are_read_like_kubectl() {
    if !kubectl() {
        return;
    }
    let ground = Ground::new();
    let (port, user) = (ground.port(), format!("token: {}", ground.token()));
    let at = |name: &str, server: String| Case::new(name, kubeconfig(&server, &ground.authority(), &user));
    let named = |name: &str| {
        let cluster = format!("{}, tls-server-name: {name}", ground.authority());
        Case::new(format!("tls-server-name {name}"), kubeconfig(&ground.at("127.0.0.1"), &cluster, &user))
    };
    let mut cases = vec![
        (true, at("address", ground.at("127.0.0.1"))),
        (true, at("trailing slash", ground.at("127.0.0.1") + "/")),
        (true, at("upper case scheme", format!("HTTPS://127.0.0.1:{port}"))),
        (true, at("query and fragment", ground.at("127.0.0.1") + "?a=b#c")),
        (true, at("any address of this machine", ground.at("0.0.0.0"))),
        (true, at("user in the URL", format!("https://u:CANARY@127.0.0.1:{port}"))),
        (false, at("blank after it", ground.at("127.0.0.1") + " ")),
        (false, at("other scheme", format!("ftp://127.0.0.1:{port}"))),
        (false, at("TLS behind http", format!("http://127.0.0.1:{port}"))),
        (false, at("TLS behind no scheme", format!("127.0.0.1:{port}"))),
        (false, at("name that the certificate does not have", format!("https://127.0.7.77:{port}"))),
        (true, named("k8s.lab.test")),
        (true, named("'::1'")),
        (false, named("other.lab.test")),
    ];
    match TcpListener::bind("[::1]:0") {
        Ok(listener) => {
            let six = forward(listener, ground.cluster.server(0).addr());
            cases.push((true, at("IPv6", format!("https://[::1]:{six}"))));
            cases.push((true, at("any IPv6 address of this machine", format!("https://[::]:{six}"))));
        }
        Err(error) => eprintln!("SKIPPED: IPv6: {error}"),
    }
    ground.compare(cases);
}

/// Passes connections on; the port.
fn forward(listener: TcpListener, to: SocketAddr) -> u16 {
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(to) else { continue };
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                thread::spawn(move || {
                    drop(std::io::copy(&mut from, &mut to));
                    drop(to.shutdown(std::net::Shutdown::Write));
                });
            }
        }
    });
    port
}
