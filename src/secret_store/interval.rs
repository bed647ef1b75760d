//! PURE. How often External Secrets Operator runs an ExternalSecret or a PushSecret.

use std::time::Duration;

use crate::{cluster::objects::Object, go_duration::GoDuration};

/// When an object is run again by the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefreshInterval {
    Every(Duration),
    /// Not by the clock, for this reason.
    Never(String),
}

const DEFAULT: &str = "1h";

impl RefreshInterval {
    pub(crate) fn of(user: &Object) -> Self {
        if let policy @ ("CreatedOnce" | "OnChange") = user.text("/spec/refreshPolicy") {
            return Self::Never(format!("its refreshPolicy is {policy}"));
        }
        let text = Self::text(user);
        // Who wrote it chose its length as well.
        let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        match text.parse::<GoDuration>() {
            Ok(interval) => interval
                .positive()
                .map_or_else(|| Self::Never(format!("its refreshInterval is {shown}")), Self::Every),
            Err(why) => Self::Never(format!("its refreshInterval `{shown}` cannot be read: {why}")),
        }
    }

    /// As it is written; one hour where nothing is.
    pub(crate) fn text(user: &Object) -> &str {
        match user.text("/spec/refreshInterval") {
            "" => DEFAULT,
            text => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(spec: Value) -> RefreshInterval {
        RefreshInterval::of(&Object(json!({ "kind": "ExternalSecret", "spec": spec })))
    }

    #[test]
    fn intervals_are_parsed_like_go() {
        let read = |text: &str| of(json!({ "refreshInterval": text }));
        for (text, seconds) in [
            ("2s", 2.0),
            ("1m", 60.0),
            ("1h0m0s", 3600.0),
            ("1m30s", 90.0),
            ("500ms", 0.5),
            ("1.5h", 5400.0),
            ("+1h", 3600.0),
            ("250000us", 0.25),
            ("", 3600.0),
        ] {
            assert_eq!(read(text), RefreshInterval::Every(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    /// A tenant may write anything that is a string.
    #[test]
    fn intervals_without_meaning_never_panic() {
        let long = "9".repeat(400);
        for never in [
            "0",
            "0s",
            "0h0m0s",
            "-1h",
            "soon",
            "5d",
            "60",
            "h",
            ".",
            ".s",
            "-",
            "+",
            "1h1",
            "1..5h",
            "1e9h",
            "NaNs",
            "infs",
            "999999999999999999999h",
            "3000000h",
            "1m\u{1b}[31m",
            &format!("{long}h"),
            &format!("{long}.{long}ns"),
            "µs",
            "1µ",
        ] {
            let RefreshInterval::Never(why) = of(json!({ "refreshInterval": never })) else {
                panic!("{never} is no interval")
            };
            assert!(why.len() < 200 && !why.contains('\u{1b}'), "{why}");
        }
    }

    #[test]
    fn once_read_object_has_no_interval() {
        for policy in ["CreatedOnce", "OnChange"] {
            let spec = json!({ "refreshPolicy": policy, "refreshInterval": "1m" });
            assert_eq!(of(spec), RefreshInterval::Never(format!("its refreshPolicy is {policy}")));
        }
        let spec = json!({ "refreshPolicy": "Periodic", "refreshInterval": "1m" });
        assert_eq!(of(spec), RefreshInterval::Every(Duration::from_secs(60)));
    }
}
