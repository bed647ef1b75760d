//! A cluster of several API servers, a folder as bucket and a web server before it, for `keyless publish --watch` to look at.
//! Started by watch_rows.py; it writes what a command needs into a folder, prints that as one line of JSON, and stays until
//! its stdin ends.
//!
//!     bench-watch FOLDER SERVERS

use std::error::Error;
use std::io::Read;
use std::path::Path;

use lab::{Ca, Cluster, Internet, SigningKey, Web};
use serde_json::json;

const ISSUER: &str = "https://oidc.lab.test/prod";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, servers] = arguments.as_slice() else {
        return Err("bench-watch FOLDER SERVERS".into());
    };
    let folder = Path::new(folder);
    let (ca, key) = (Ca::new(), SigningKey::rsa(2048));
    let cluster = Cluster::start(&ca, servers.parse()?, ISSUER, &key);
    // The namespace of the ledger, as deploy/base has it.
    cluster
        .put_object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}}));
    let www = folder.join("www");
    std::fs::create_dir(&www)?;
    let web = Web::start(&ca, &["oidc.lab.test"], &www);
    web.change(|settings| {
        let types = std::mem::take(&mut settings.content_types);
        settings.content_types =
            types.into_iter().map(|(path, kind)| (format!("/prod{path}"), kind)).collect();
    });
    let internet = Internet::start();
    internet.route("oidc.lab.test", web.addr());
    let ready = json!({
        "arguments": ["--bucket", format!("file://{}", www.display()), "--issuer", ISSUER, "--ca-file", ca.write(folder)],
        "environment": {
            "HOME": folder,
            "KUBECONFIG": cluster.kubeconfig(folder),
            "HTTPS_PROXY": internet.url(),
            "NO_PROXY": "127.0.0.0/8,localhost",
        },
    });
    println!("{ready}");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
