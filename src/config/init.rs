//! PURE. A `keyless.yaml` to begin with: every setting that there is, each in a comment.

use super::{
    file::VERSION,
    known::{Form, Known, known_settings},
};

/// What editors that use the YAML language server look for. The file is written by `keyless config schema`.
const MODELINE: &str = "# yaml-language-server: $schema=keyless.schema.json";
const WIDTH: usize = 100;

/// The text of the file.
pub(crate) fn commented() -> String {
    let mut lines = vec![
        MODELINE.to_owned(),
        "# Every setting that there is. Take away the `#` before those that you need, and before the section above them.".into(),
        "# `keyless setup` writes what it resolves; `keyless explain SETTING` says more.".into(),
        format!("apiVersion: {VERSION}"),
    ];
    let mut above: Vec<&str> = Vec::new();
    for setting in known_settings() {
        let words: Vec<_> = setting.path.split('.').collect();
        let Some((name, sections)) = words.split_last() else { continue };
        let same = above.iter().zip(sections).take_while(|(a, b)| a == b).count();
        if sections.is_empty() || same == 0 {
            lines.push(String::new());
        }
        for (depth, section) in sections.iter().enumerate().skip(same) {
            lines.push(format!("#{}{section}:", "  ".repeat(depth)));
        }
        above = sections.to_vec();
        let indent = "  ".repeat(sections.len());
        lines.extend(
            wrapped(&setting.about, WIDTH - indent.len() - 4).map(|line| format!("#{indent}# {line}")),
        );
        lines.push(format!("#{indent}{name}:{}", value(setting)));
    }
    lines.join("\n") + "\n"
}

fn value(setting: &Known) -> String {
    match (&setting.default, &setting.form) {
        (Some(default), _) => format!(" {default}"),
        (None, Form::List) => " []".to_owned(),
        (None, Form::OneOf(words)) => format!("  # {}", words.join(", ")),
        (None, _) => String::new(),
    }
}

fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check_document;

    #[test]
    fn text_is_accepted_as_written() {
        check_document(&commented()).unwrap();
    }

    /// The settings without the comments about them.
    #[test]
    fn every_setting_can_be_uncommented() {
        let text: Vec<_> = commented()
            .lines()
            .filter(|line| !line.trim_start_matches(['#', ' ']).is_empty())
            .filter_map(|line| match line.strip_prefix('#') {
                None => Some(line.to_owned()),
                Some(rest) if rest.trim_start().starts_with('#') || rest.starts_with(" yaml") => None,
                Some(rest) => Some(rest.to_owned()),
            })
            .filter(|line| !line.starts_with(" Every") && !line.starts_with(" `keyless"))
            .collect();
        let text = text.join("\n");
        check_document(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        for setting in known_settings() {
            let name = setting.path.rsplit('.').next().unwrap();
            assert!(text.contains(&format!("{name}:")), "{}", setting.path);
        }
    }
}
