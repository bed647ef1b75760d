//! gcloud itself.
