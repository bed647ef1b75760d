//! What a bug prints: where it is and how it showed itself. Its message may quote any value, so it is redacted like all
//! output.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, Write},
    panic::PanicHookInfo,
};

use crate::{guard, report::Lines};

/// Prints a panic to stderr. The process then ends with exit code 101.
pub(crate) fn hook(info: &PanicHookInfo<'_>) {
    // A library's, which is an error like any other.
    if guard::is_active() {
        return;
    }
    let place = info.location().map(|place| format!("{}:{}", in_its_crate(place.file()), place.line()));
    let mut text = described(place.as_deref().unwrap_or("an unknown place"), info.payload());
    // RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("\n{backtrace}"));
    }
    drop(Lines(io::stderr()).write_all(text.as_bytes()));
}

fn described(place: &str, payload: &(dyn Any + Send)) -> String {
    let message = payload.downcast_ref::<&str>().copied();
    let message =
        message.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    // One line, whatever it quotes.
    let message = message.replace('\n', " ");
    format!(
        "keyless panicked at {place}: {message}\nThis is a bug in keyless. What it was doing may be half done: run the \
         command again, and report the line above"
    )
}

/// The path from its crate on: what is before it is of the machine that built the program.
fn in_its_crate(file: &str) -> &str {
    match file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, file)) => file,
        None => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact;

    #[test]
    fn panic_is_described_without_secrets() {
        redact::remember("paNicTest-secret");
        let payload: Box<dyn Any + Send> =
            Box::new("bad paNicTest-secret\n\x1b[31m in https://a:pw@b".to_owned());
        let mut printed = Vec::new();
        Lines(&mut printed).write_all(described("src/a.rs:1", &*payload).as_bytes()).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(
            printed.starts_with(
                "keyless panicked at src/a.rs:1: bad … \\u{1b}[31m in https://…@b\nThis is a bug"
            ),
            "{printed}"
        );
        let unknown: Box<dyn Any + Send> = Box::new(7);
        assert!(described("x", &*unknown).contains("no message"));
    }

    #[test]
    fn build_machine_path_is_left_out() {
        assert_eq!(
            in_its_crate("/home/a/.cargo/registry/src/index-1/http-1.0/src/b.rs"),
            "http-1.0/src/b.rs"
        );
        assert_eq!(in_its_crate("src/b.rs"), "src/b.rs");
    }
}
