//! How many calls of one run waited for each other: a figure that a busy machine does not change.

use std::time::{Duration, Instant};

use lab::Call;

/// From the last answer back to the call before it, to the answer that was there when it left, and so on to the start.
pub(crate) fn in_a_row(calls: &[Call], one_way: Duration) -> usize {
    let back = |call: &Call| call.answered.map(|answered| answered + one_way);
    let mut last = calls.iter().filter_map(back).max();
    let mut count = 0;
    while let Some(until) = last {
        count += 1;
        // When the call left whose answer was back then.
        let left = calls.iter().filter(|call| back(call) == Some(until)).map(|call| call.arrived).min();
        let left = left.and_then(|arrived| arrived.checked_sub(one_way));
        last = left.and_then(|left: Instant| calls.iter().filter_map(back).filter(|end| *end <= left).max());
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_beside_others_count_once() {
        let (start, trip) = (Instant::now() + Duration::from_secs(60), Duration::from_millis(50));
        let call = |sent: u32| Call {
            method: "GET".into(),
            host: "example".into(),
            path: "/".into(),
            headers: Vec::new(),
            body_len: 0,
            who: None,
            action: None,
            status: Some(200),
            arrived: start + trip / 10 * sent + trip / 2,
            answered: Some(start + trip / 10 * sent + trip / 2),
        };
        assert_eq!(in_a_row(&[], trip / 2), 0);
        // In tenths of a trip: two at the same time, one that begins in between, and two that wait.
        let calls = [call(0), call(0), call(5), call(10), call(40)];
        assert_eq!(in_a_row(&calls, trip / 2), 3);
        assert_eq!(in_a_row(&calls[..3], trip / 2), 1);
    }
}
