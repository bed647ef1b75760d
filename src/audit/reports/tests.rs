use std::{env, fs, path::Path};

use super::{
    fakes::{all, evidence},
    *,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/reports");
const UPDATE: &str = "KEYLESS_UPDATE_SNAPSHOTS";
/// Where `tests/judges/run` wants the reports.
const JUDGED: &str = "KEYLESS_REPORTS_DIR";

#[expect(clippy::disallowed_methods, reason = "what the person or script that runs the tests asks for")]
fn asked(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// A page's style is a file of its own.
fn kept(format: &Format, text: &str) -> String {
    match (format.id, text.split_once("<style>"), text.split_once("</style>")) {
        ("html", Some((head, _)), Some((_, rest))) => {
            let head: Vec<_> =
                head.lines().filter(|line| !line.contains("Content-Security-Policy")).collect();
            format!("{}\n{}", head.join("\n"), rest.trim_start())
        }
        _ => text.to_owned(),
    }
}

#[test]
fn reports_are_those_reviewed() {
    let mut wrong = Vec::new();
    for (name, verdict) in all() {
        let evidence = evidence(&verdict);
        for format in FORMATS {
            let path = Path::new(FOLDER).join(format!("{name}.{}", format.extension));
            let seen = kept(format, &(format.write)(&evidence));
            if fs::read_to_string(&path).unwrap_or_default() == seen {
                continue;
            }
            if asked(UPDATE).is_some() {
                fs::create_dir_all(FOLDER).unwrap();
                fs::write(&path, seen).unwrap();
            } else {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these differ; if the new text is right: {UPDATE}=1 cargo test --locked --lib -- audit::reports\n{}",
        wrong.join("\n")
    );
}

#[test]
fn reports_are_written_for_judges() {
    let Some(folder) = asked(JUDGED) else { return };
    for (name, verdict) in all() {
        let evidence = evidence(&verdict);
        for format in FORMATS {
            let folder = Path::new(&folder).join(format.id);
            fs::create_dir_all(&folder).unwrap();
            let file = folder.join(format!("{name}.{}", format.extension));
            fs::write(file, (format.write)(&evidence)).unwrap();
        }
    }
}

#[test]
fn same_input_gives_same_bytes() {
    for (name, verdict) in all() {
        let (one, mut other) = (evidence(&verdict), evidence(&verdict.clone()));
        for format in FORMATS {
            assert_eq!((format.write)(&one), (format.write)(&other), "{name} {}", format.id);
        }
        other.time += 1;
        for format in FORMATS.iter().filter(|format| format.id != "json") {
            assert_ne!(
                (format.write)(&one),
                (format.write)(&other),
                "{name} {}: the time is in it",
                format.id
            );
        }
    }
}

#[test]
fn formats_are_named_once() {
    for (at, format) in FORMATS.iter().enumerate() {
        assert_eq!(Format::named(format.id).map(|it| it.id), Some(format.id));
        for other in &FORMATS[at + 1..] {
            assert_ne!(format.extension, other.extension, "{} {}", format.id, other.id);
        }
        assert!(format.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        assert!(!format.summary.ends_with('.') && format.summary.len() < 90, "{}", format.summary);
    }
}
