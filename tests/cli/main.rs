//! The binary from outside, against the far sides of `lab`.

mod cluster_side;
mod documents_side;
mod publish;
mod usage;
mod verify;
mod world;
