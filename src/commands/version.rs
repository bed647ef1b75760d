//! What this binary is: version, commit, platform, and the TLS that it speaks.

use rustls::crypto::CryptoProvider;
use serde_json::json;

use super::Exit;
use crate::{http, report::Report};

/// The commit, where the build was told: `KEYLESS_COMMIT=$(git rev-parse HEAD) cargo build`. Git is not asked: the same source
/// gives the same bytes.
const COMMIT: Option<&str> = option_env!("KEYLESS_COMMIT");
const TARGET: &str = env!("KEYLESS_TARGET");
const RUSTC: Option<&str> = option_env!("KEYLESS_RUSTC");
/// Of this crate.
const FEATURES: &[&str] = &[
    #[cfg(feature = "fuzzing")]
    "fuzzing",
];

pub(crate) fn run(report: &mut Report<'_>) -> Exit {
    let commit = COMMIT.filter(|commit| !commit.is_empty());
    let tls = Tls::of(&http::crypto());
    let features = if FEATURES.is_empty() { "none".to_owned() } else { FEATURES.join(", ") };
    report.line(format_args!("keyless {}", env!("CARGO_PKG_VERSION")));
    report.line(format_args!("commit: {}", commit.unwrap_or("not known to this build")));
    report.line(format_args!("target: {TARGET}"));
    report.line(format_args!("rustc: {}", RUSTC.unwrap_or("not known to this build")));
    report.line(format_args!("features: {features}"));
    report.line(format_args!("TLS: rustls with aws-lc-rs; key exchange: {}", tls.key_exchange.join(", ")));
    report.json(
        "version",
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "commit": commit,
            "platform": TARGET,
            "rustc": RUSTC,
            "features": FEATURES,
            "tls": { "stack": "rustls", "provider": "aws-lc-rs", "fips": tls.fips, "keyExchange": tls.key_exchange },
        }),
    );
    Exit::Clean
}

/// What the provider of the cryptography offers, as it says itself.
struct Tls {
    key_exchange: Vec<String>,
    fips: bool,
}

impl Tls {
    fn of(provider: &CryptoProvider) -> Self {
        let names = provider.kx_groups.iter().map(|group| format!("{:?}", group.name()));
        Self { key_exchange: names.collect(), fips: provider.fips() }
    }
}
