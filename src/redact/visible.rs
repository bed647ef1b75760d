//! PURE. Text that a terminal shows as it is: nothing that moves the cursor, reverses the order of letters, cannot be seen,
//! or goes on for ever.

use super::LEFT_OUT;

/// Marks that are set above one letter: more of them cover the lines around.
const MARKS: usize = 4;

/// Control characters (C0, DEL, C1), characters that reverse text (Unicode TR9) or end a line, and characters without a
/// shape of their own: what is read is then not what is there.
pub(super) fn is_unprintable(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Combining marks, which take no place of their own.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// One line: control characters become spaces, what cannot be seen is dropped.
pub(super) fn spaced(text: &str) -> String {
    rewritten(text, MARKS, |c, to| {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            to.push(' ');
        }
    })
}

/// One line: what is unprintable becomes an escape, e.g. `\n` and `\u{202e}`.
pub(super) fn escaped(text: &str) -> String {
    rewritten(text, MARKS, |c, to| to.extend(c.escape_default()))
}

/// As [`escaped`]; a tab stays.
pub(super) fn escaped_but_tab(text: &str) -> String {
    rewritten(text, usize::MAX, |c, to| match c {
        '\t' => to.push(c),
        _ => to.extend(c.escape_default()),
    })
}

/// JSON, which writes C0 as escapes by itself. A line break between its members stays.
pub(super) fn json_escaped(text: &str) -> String {
    rewritten(text, usize::MAX, |c, to| match c {
        '\n' => to.push(c),
        _ => {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| to.push_str(&format!("\\u{unit:04x}")));
        }
    })
}

fn rewritten(text: &str, most_marks: usize, instead: impl Fn(char, &mut String)) -> String {
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return text.to_owned();
    }
    let mut to = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if is_unprintable(c) {
            instead(c, &mut to);
        } else if marks <= most_marks {
            to.push(c);
        }
    }
    to
}

/// At most so many characters, and a mark where it was cut.
pub(super) fn short(text: String, longest: usize) -> String {
    if text.len() <= longest {
        return text;
    }
    match text.char_indices().nth(longest) {
        None => text,
        Some((at, _)) => format!("{}{LEFT_OUT}", &text[..at]),
    }
}

/// No word of more than so many characters: one value alone must not take the place of the rest of its line.
pub(super) fn short_words(text: String, longest: usize) -> String {
    if text.len() <= longest || !text.split(' ').any(|word| word.len() > longest) {
        return text;
    }
    let words: Vec<_> = text.split(' ').map(|word| short(word.to_owned(), longest)).collect();
    words.join(" ")
}
