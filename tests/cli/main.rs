//! The binary from outside, against the far sides of `lab`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacked;
mod attacked_audit;
mod audit;
mod audit_server;
mod bounds;
mod buckets;
mod canary;
mod cluster_refused;
mod cluster_side;
mod documents_side;
mod estate;
mod google;
mod google_refused;
mod google_rights;
mod grants;
mod interrupted;
mod issuer_rollout;
mod kubeconfig;
mod least_rights;
mod needs;
mod ownership;
mod publish;
mod published;
mod remedies;
mod remedies_setup;
mod render;
mod retirement;
mod rights;
mod servers;
mod settings_files;
mod settled;
mod setup;
mod signals;
mod target;
mod teardown;
mod teardown_elsewhere;
mod terminal;
mod unnamed_settings;
mod unreachable;
mod usage;
mod vault;
mod verify;
mod ways;
mod world;
