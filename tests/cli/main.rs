//! The binary from outside, against the far sides of `lab`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod buckets;
mod cluster_side;
mod documents_side;
mod publish;
mod render;
mod usage;
mod verify;
mod world;
