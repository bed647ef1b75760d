use std::io;

use super::*;

/// Takes so many bytes, then fails.
struct Full(usize, io::ErrorKind);

impl Write for Full {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(text.len()).ok_or(self.1)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn printed(output: Output, work: impl FnOnce(&mut Report<'_>)) -> (String, String) {
    let (mut data, mut messages) = (Vec::new(), Vec::new());
    work(&mut Report::new(output, true, &mut data, &mut messages));
    (String::from_utf8(data).unwrap(), String::from_utf8(messages).unwrap())
}

#[test]
fn foreign_text_stays_in_its_line() {
    let (data, messages) = printed(Output::Text, |report| {
        report.line("\n\na\nZERO\x1b[2J");
        report.progress("b\nc\u{202e}");
        report.warning(&Warning::new(Code::Leftover, "x\ny"));
        report.error("c", &Error::failed(Code::Http, "m\nn").caused_by("o\np").hint("q\nr"));
    });
    assert_eq!(data, "\n\na\\nZERO\\u{1b}[2J\n");
    assert_eq!(
        messages,
        "b\\nc\\u{202e}\nwarning[leftover]: x\\ny\nerror[http]: m\\nn\n  caused by: o\\np\n  hint: q\n    r\n"
    );
}

#[test]
fn secret_is_redacted_from_every_output() {
    let secret = "reP0rtTest-secret-of-this-test";
    redact::remember(secret);
    for output in [Output::Text, Output::Json, Output::Yaml] {
        let (data, messages) = printed(output, |report| {
            report.line(secret);
            report.lines([secret]);
            report.progress(secret);
            report.detail(secret);
            report.warning(&Warning::new(Code::Leftover, secret));
            report.error("c", &Error::failed(Code::Http, secret).caused_by(secret).hint(secret));
            report.json("c", json!({ secret: [secret] }));
            let manifest = report.text("the manifest", &format!("a: 1\nb: {secret}\n"));
            let objects = report.json_with("c", json!({}), ("objects", json!([{ "a": secret }])));
            // Either is printed in its own form of output only.
            assert!(manifest.is_err() != objects.is_err());
            assert!(report.document("the schema", &json!({ "a": secret })).is_err());
        });
        for text in [data, messages] {
            assert!(text.contains('…') && !text.contains(secret), "{text}");
        }
    }
}

#[test]
fn refused_document_names_line_without_secret() {
    redact::remember("refUsed0ne-of-this-test");
    let error = printable("the manifests", "a: 1\nb: refUsed0ne-of-this-test\n".into()).unwrap_err();
    assert_eq!(error.message, "the manifests would hold a secret, in line 2");
    assert_eq!(error.causes, ["b: …"]);
}

#[test]
fn document_stays_as_it_is() {
    let (data, _) = printed(Output::Text, |report| report.text("it", "a:\n\t- b\n\n").unwrap());
    assert_eq!(data, "a:\n\t- b\n");
    let long = "x".repeat(100_000);
    let (data, _) = printed(Output::Json, |report| {
        report.json_with("c", json!({ "n": 1 }), ("objects", json!([long, "\u{9b}"]))).unwrap();
    });
    let value: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((&value["objects"], &value["n"]), (&json!([long, "\u{9b}"]), &json!(1)));
    assert!(data.contains("\\u009b"), "as an escape of JSON");
}

#[test]
fn full_disk_fails_closed_pipe_passes() {
    for (kind, fails) in [(io::ErrorKind::StorageFull, true), (io::ErrorKind::BrokenPipe, false)] {
        let (mut data, mut messages) = (Full(3, kind), Vec::new());
        let mut report = Report::new(Output::Text, false, &mut data, &mut messages);
        report.line("ab");
        report.finish().unwrap();
        report.line("cd");
        assert_eq!(report.finish().is_err(), fails, "{kind}");
    }
}

#[test]
fn foreign_lines_are_redacted_as_well() {
    redact::remember("f0reignLine-of-this-test");
    let mut lines = Vec::new();
    Lines(&mut lines).write_all(b"INFO a=f0reignLine-of-this-test\x1b[0m\nb\xc2\x9b\n").unwrap();
    assert_eq!(String::from_utf8(lines).unwrap(), "INFO a=…[0m\nb\\u{9b}\n");
}
