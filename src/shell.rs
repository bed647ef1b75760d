//! PURE. Text inside a command line that a person copies into a shell.

/// One word of a POSIX shell (XCU §2.2): as it is where nothing in it means anything, else in single quotes.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// An argument of a command, or the placeholder where the text is no plain one: it would be taken for a flag, or shows what it
/// is not.
pub(crate) fn argument(text: &str, placeholder: &str) -> String {
    let is_plain = !text.starts_with('-') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain { quote(text) } else { placeholder.to_owned() }
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
    fn odd_argument_is_not_shown() {
        for (text, shown) in [
            ("Xrg5a5wU_-x", "Xrg5a5wU_-x"),
            ("x;curl", "'x;curl'"),
            ("-x", "KID"),
            ("a b", "KID"),
            ("a\u{1b}[2J", "KID"),
            ("ключ", "KID"),
            ("", "''"),
        ] {
            assert_eq!(argument(text, "KID"), shown);
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
