//! What teardown leaves at Google.

use super::*;

#[test]
fn teardown_leaves_what_is_another_clusters() {
    let estate = Estate::new();
    estate.settings(IN_POOL);
    ends_well(&estate, "at first");
    for provider in [None, Some("cluster")] {
        estate.google.write(POOL, provider, |it| it["description"] = json!(OTHER_CLUSTER));
    }
    let policy = estate.google.policy("secrets/db");
    let ran = estate.run(&["teardown", "--yes"]).ends(0);
    assert!(ran.out.contains("it belongs to another cluster"), "{}", ran.out);
    assert_eq!(estate.google.provider(POOL, "cluster").unwrap()["state"], "ACTIVE");
    assert_eq!(estate.google.pool(POOL).unwrap()["state"], "ACTIVE");
    assert_eq!(estate.google.policy("secrets/db"), policy, "its principal is the other cluster's");
}
