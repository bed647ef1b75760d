//! PURE. Text inside a command line that a person copies into a shell.

/// One word of a POSIX shell (XCU §2.2): as it is where nothing in it means anything, else in single quotes.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_nothing_to_a_shell() {
        for (text, quoted) in [
            ("https://10.5.0.2:6443/x", "https://10.5.0.2:6443/x"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("a'b", r"'a'\''b'"),
            ("a;b", "'a;b'"),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn a_shell_gives_the_text_back() {
        for text in ["a'b \"c\" $x `y` \\z", "https://a.example/?x=1&y=2#z", "*", "!", "-n"] {
            let command = format!("printf %s {}", quote(text));
            let ran = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            assert_eq!(String::from_utf8(ran.stdout).unwrap(), text);
        }
    }
}
