//! Far sides that need no account: they run in the test process, listen on loopback only, and stop
//! when they are dropped.
//!
//! ```text
//!                    ┌─► Cluster   API servers, one settings object each; EsoStandIn is the
//!                    │             External Secrets controller in it
//!  program under     ├─► S3        buckets, policies, signatures
//!  test, or a    ────┼─► Gcs       Google's JSON API and public reads
//!  foreign client    ├─► Google    workload identity, service-account keys, Secret Manager; a Gcs
//!                    ├─► Aws       STS, IAM, Secrets Manager, Parameter Store; access keys
//!                    ├─► Azure     Blob service, Entra's token endpoint
//!                    ├─► Entra     Azure's side: tokens, identities, roles, Graph, Key Vault
//!                    ├─► Vault     OpenBao: JWT logins, KV secrets, policies
//!                    ├─► Crowd     an API server with very many objects
//!                    ├─► Web       a directory behind https
//!                    ├─► Proxy     http, https, socks5: in front of API servers
//!                    └─► Internet  CONNECT proxy: public names lead to the above
//! ```
//!
//! Each says what it is faithful in and what not. [`Ca`] signs their certificates. Every one has
//! [`Faults`]: trouble on demand, a record of what was asked, and a [`KillSwitch`].
//!
//! Starting is not `async`, so tests of both kinds use them alike. Nothing here depends on
//! `keyless`: keys, signatures and documents are made a second time, on purpose. The folder `demo` is
//! no part of this: it is the program that shows them at work, `cargo run -p lab`.

mod aws;
mod azure;
mod ca;
mod client_cert;
mod clock;
mod cluster;
mod crc32c;
mod crowd;
mod crowd_releases;
mod crowd_secrets;
mod der;
mod entra;
mod gcs;
mod google;
mod internet;
mod keys;
mod md5;
mod protobuf;
mod proxy;
mod s3;
mod vault;
mod web;
mod wire;

pub use aws::{Aws, AwsCall, AwsSettings};
pub use azure::{Azure, AzureBlob};
pub use ca::{Ca, Certificate};
pub use client_cert::ClientKey;
pub use clock::day_in;
pub use cluster::{
    Anonymous, ApiServer, Cluster, ClusterSettings, EsoStandIn, KeyFile, Right, ServerSettings,
};
pub use crowd::{Crowd, CrowdSize};
pub use entra::{Entra, EntraCall, EntraSettings};
pub use gcs::{Gcs, GcsObject, GcsSettings};
pub use google::{Google, GoogleSettings, Heard, PROJECT_ID, PROJECT_NUMBER, Resolver};
pub use internet::Internet;
pub use keys::{Curve, SigningKey, jws_part};
pub use md5::md5;
pub use proxy::{Asked, Proxy, ProxyKind, ProxySettings};
pub use s3::{Access, Conditions, Credentials, Flavour, S3, S3Object, S3Settings};
pub use vault::{Vault, VaultFlavour, VaultSettings};
pub use web::{Web, WebSettings};
pub use wire::{Call, Counted, EchoForm, Fault, Faults, Gate, KillSwitch, LongWire, Moment};
