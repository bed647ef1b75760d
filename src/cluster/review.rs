//! One question about a right of this login: a SelfSubjectAccessReview. Its answer only informs: what it allows is proved by
//! the request itself, and what it denies that request finds out as well.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Cluster;

/// Reviews at the same time.
pub(super) const IN_FLIGHT: usize = 16;

const KIND: &str = "SelfSubjectAccessReview";

#[derive(Deserialize)]
struct Review {
    kind: String,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    allowed: bool,
}

impl Cluster {
    /// Whether the API server grants it. `spec`: `resourceAttributes` or `nonResourceAttributes` of `authorization.k8s.io/v1`.
    /// `None`: it gives no answer.
    pub(super) async fn review(&self, spec: &Value) -> Option<bool> {
        const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        const RIGHT: &str = "create selfsubjectaccessreviews.authorization.k8s.io";
        let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": KIND, "spec": spec });
        let answer = self.ask_objects(Method::POST, PATH, Some(&review), RIGHT).await;
        answer.ok().and_then(allowed)
    }
}

/// `None`: it is no answer to a review.
fn allowed(answer: Value) -> Option<bool> {
    let review: Review = serde_json::from_value(answer).ok()?;
    (review.kind == KIND).then_some(review.status.allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_review_is_an_answer() {
        for (answer, wanted) in [
            (json!({"kind": KIND, "status": {"allowed": true}}), Some(true)),
            (json!({"kind": KIND, "status": {"allowed": false, "reason": "x"}}), Some(false)),
            (json!({"kind": KIND, "status": {}}), None),
            (json!({"kind": KIND, "status": {"allowed": "true"}}), None),
            (json!({"kind": "Status", "status": {"allowed": true}}), None),
            (json!([]), None),
        ] {
            assert_eq!(allowed(answer.clone()), wanted, "{answer}");
        }
    }
}
