//! What clap says when the arguments are refused, or when help is asked for. It quotes arguments: they pass the redactor
//! first, and then its lines.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{
    builder::StyledStr,
    error::{ContextValue, Error},
};

use crate::{
    redact,
    report::{Lines, Tone},
};

/// What the parser's errors begin with.
const ERROR: &str = "error";

/// Prints it where it belongs, and gives the exit code: 2 for refused arguments, 0 for help.
pub(crate) fn refused(error: Error, coloured: bool) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if error.use_stderr() {
        // Without stderr there is nowhere to say so.
        let text = quoting_nothing_secret(error);
        let (label, text) =
            text.split_once(':').filter(|(label, _)| *label == ERROR && coloured).map_or_else(
                || (String::new(), text.as_str()),
                |(label, rest)| (Tone::Error.paint(label) + ":", rest),
            );
        drop(io::stderr().write_all(label.as_bytes()));
        drop(Lines(io::stderr()).write_all(text.as_bytes()));
        return ExitCode::from(code);
    }
    let mut out = io::stdout();
    match out.write_all(error.render().to_string().as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let line = format!("error[output]: the help cannot be written to stdout: {error}");
            drop(Lines(io::stderr()).write_all(line.as_bytes()));
            ExitCode::from(3)
        }
        _ => ExitCode::from(code),
    }
}

fn quoting_nothing_secret(mut error: Error) -> String {
    let context: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in context {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(redact::given(&text)),
            ContextValue::Strings(texts) => {
                ContextValue::Strings(texts.iter().map(|text| redact::given(text)).collect())
            }
            ContextValue::StyledStrs(texts) => ContextValue::StyledStrs(
                texts.iter().map(|text| StyledStr::from(redact::message(&text.to_string()))).collect(),
            ),
            // Usage lines quote nothing.
            other => other,
        };
        error.insert(kind, value);
    }
    error.render().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn text(arguments: &[&str]) -> String {
        let arguments = ["keyless"].iter().chain(arguments).map(Into::into);
        let error = Cli::read(arguments).unwrap_err();
        let mut printed = Vec::new();
        Lines(&mut printed).write_all(quoting_nothing_secret(error).as_bytes()).unwrap();
        String::from_utf8(printed).unwrap()
    }

    #[test]
    fn refused_arguments_show_no_secret() {
        let jwt = format!("eyJ{}", "hbGciOiJSUzI1NiJ9.".repeat(4));
        let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        for arguments in [
            vec!["audit", &jwt],
            vec!["audit", key],
            vec![&jwt],
            vec!["audit", "--output", &jwt],
            vec!["audit", "--service-account", &jwt],
            vec!["publish", "--addressing", key],
        ] {
            let shown = text(&arguments);
            assert!(shown.contains('…') && shown.contains("--help"), "{shown}");
            assert!(!shown.contains(&jwt[..30]) && !shown.contains(&key[..20]), "{shown}");
        }
        let flag = format!("--{jwt}");
        assert!(!text(&["audit", &flag]).contains(&jwt[..30]));
        let url = "https://user:pw@host";
        for arguments in
            [vec!["audit", url], vec!["audit", "-o", url], vec!["audit", "--service-account", url]]
        {
            assert!(!text(&arguments).contains("pw"), "{}", text(&arguments));
        }
    }

    #[test]
    fn refused_argument_stays_in_its_line() {
        let shown = text(&["verify", "a\n\nZERO\x1b[2J"]);
        assert!(shown.starts_with("error: unexpected argument 'a  ZERO [2J' found\n"), "{shown}");
        assert!(text(&["verify", &"x".repeat(1 << 20)]).len() < 2000);
    }
}
