//! PURE. Text from the cluster as a part of XML, HTML, URIs and Prometheus' text format.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986 §2.3 leaves as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Text or a quoted attribute of XML 1.0 and HTML. A character that XML cannot hold (§2.2) is shown as an escape.
pub(super) fn markup(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}') => {
                to.extend(c.escape_default());
            }
            c => to.push(c),
        }
    }
    to
}

/// One segment of a path in a URI; never empty, `.` or `..`.
pub(super) fn segment(text: &str) -> String {
    match text {
        "" => "_".to_owned(),
        "." | ".." => text.replace('.', "%2E"),
        _ => utf8_percent_encode(text, SEGMENT).to_string(),
    }
}

/// The value of a label in Prometheus' text format, without its quotes.
pub(super) fn label(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// One line that neither begins nor ends with a space, and is not empty: what OSCAL takes as a string.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.is_empty() { "-".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_holds_no_markup() {
        assert_eq!(markup("</script>&\"'\u{0}\u{b}\n"), "&lt;/script&gt;&amp;&quot;&#39;\\u{0}\\u{b}\\n");
        assert_eq!(markup("grün"), "grün");
    }

    #[test]
    fn segments_are_encoded_whole() {
        for (text, wanted) in
            [("a/b c", "a%2Fb%20c"), ("..", "%2E%2E"), ("", "_"), ("ü%", "%C3%BC%25"), ("a.b", "a.b")]
        {
            assert_eq!(segment(text), wanted);
        }
    }

    #[test]
    fn labels_and_lines_are_whole() {
        assert_eq!(label("a\\b\"c\nd"), r#"a\\b\"c\nd"#);
        assert_eq!(one_line(" a\n\tb \u{0}"), "a b");
        assert_eq!(one_line("\n"), "-");
    }
}
