//! Google's REST APIs: tokens, requests, errors, long-running operations, IAM policies.
//!
//! ```text
//! Tokens (given, or found as Google's tools do) ──► Api ──► JSON, or Refusal ──► Error
//!                                                    ├─ operation   polled to its end
//!                                                    └─ policy      read, changed, written if unchanged
//! ```

mod api;
mod condition;
mod held;
mod operation;
mod policy;
mod refusal;
mod rights;
mod tokens;

#[cfg(test)]
pub(crate) use self::{api::Pace, tokens::Library};
pub(crate) use self::{
    api::{Api, check_endpoint},
    condition::Condition,
    operation::Doing,
    policy::{Policy, Target},
    refusal::{Outcome, Refusal},
    rights::{needs, role as role_of},
    tokens::{TOKEN_VARIABLE, Tokens, log_in},
};

/// What the program asks its tokens for, where it does more than store objects.
pub(crate) const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
