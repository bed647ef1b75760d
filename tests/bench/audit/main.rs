//! The API server of a cluster with very many objects, for `keyless audit` to read. Started by audit_rows.py; it writes a
//! kubeconfig into a folder, says so, and stays until its stdin ends.
//!
//!     bench-audit FOLDER EXTERNAL_SECRETS STORES DEPLOYMENTS PODS SECRETS RELEASES

use std::error::Error;
use std::io::Read;
use std::path::Path;

use lab::{Ca, Crowd, CrowdSize};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, external_secrets, stores, deployments, pods, secrets, releases] = arguments.as_slice()
    else {
        return Err("bench-audit FOLDER EXTERNAL_SECRETS STORES DEPLOYMENTS PODS SECRETS RELEASES".into());
    };
    let size = CrowdSize {
        external_secrets: external_secrets.parse()?,
        stores: stores.parse()?,
        deployments: deployments.parse()?,
        pods: pods.parse()?,
        secrets: secrets.parse()?,
        releases: releases.parse()?,
    };
    let crowd = Crowd::start(&Ca::new(), size);
    println!("{}", crowd.kubeconfig(Path::new(folder)).display());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
