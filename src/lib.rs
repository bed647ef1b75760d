#![allow(dead_code, unused_imports)]
mod bucket;
mod cluster;
mod error;
mod http;
mod oidc;
mod secret;
