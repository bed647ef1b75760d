//! The pauses between looks.

use std::time::Duration;

use tokio::time::sleep;

/// Between the first two looks; each time half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Looks at growing distances, so that a quick operator costs no second, and a large cluster is not asked all the time.
#[derive(Default)]
pub(super) struct Pause(Option<Duration>);

impl Pause {
    pub(super) async fn until_the_next_look(&mut self, look_took: Duration) {
        let pause = self.0.map_or(FIRST_PAUSE, |pause| (pause * 3 / 2).min(LONGEST_PAUSE));
        self.0 = Some(pause);
        sleep(pause.max(look_took * 2)).await;
    }
}
