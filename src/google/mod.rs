//! Google's REST APIs: tokens, requests, errors, long-running operations, IAM policies.
