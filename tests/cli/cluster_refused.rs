//! What can be wrong on the cluster's side of `keyless setup`.
use crate::{estate::Estate, rights::Asked};
#[test]
fn probe() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    for asked in Asked::all(&estate.world.cluster.server(0).faults().requests()) {
        println!("{asked:?}");
    }
    estate.world.cluster.server(0).faults().forget();
    let t = std::time::Instant::now();
    estate.run(&["setup", "--dry-run"]);
    println!("dry {:?}", t.elapsed());
    estate.world.cluster.server(0).faults().forget();
    estate.run(&["audit"]).ends(0);
    for asked in Asked::all(&estate.world.cluster.server(0).faults().requests()) {
        println!("audit {asked:?}");
    }
}
