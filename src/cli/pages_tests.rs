//! PURE. Each `keyless …` of the pages, read by the parser that reads the user's arguments.

use std::{fs, path::Path};

use clap::error::ErrorKind;

use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Name and text of every page for users.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let others = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name));
    let mut paths: Vec<_> =
        docs.filter(|path| path.extension().is_some_and(|it| it == "md")).chain(others).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

/// The commands of all console blocks, without the prompt. Within lists they are indented.
fn console(page: &str) -> Vec<&str> {
    let (mut shown, mut lines) = (false, Vec::new());
    for line in page.lines().map(str::trim_start) {
        match line.strip_prefix("```") {
            Some(language) => shown = language == "console",
            None if shown => lines.extend(line.strip_prefix("$ ")),
            None => {}
        }
    }
    lines
}

/// The code within the text. Blocks are left out.
fn spans(page: &str) -> Vec<String> {
    let (mut block, mut text) = (false, String::new());
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if !block {
            text.push_str(line.trim());
            text.push(' ');
        }
    }
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The words of the first command of a shell's line: up to a pipe, a redirection, a comment or the end of a substitution.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match (quoted, character) {
            (Some(quote), _) if quote == character => quoted = None,
            (None, '\'' | '"') => {
                quoted = Some(character);
                word.get_or_insert_default();
            }
            (None, '|' | '>' | '<' | '&' | ';' | ')') => break,
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The arguments of each `keyless` that a line runs: at its begin, after variables, in a pipe or in a substitution.
fn runs(line: &str) -> Vec<Vec<String>> {
    let begins = line.split(" && ").flat_map(|part| part.split("| ")).flat_map(|part| part.split("<("));
    let begins = begins.flat_map(|part| part.split("$("));
    let runs = begins.map(|part| {
        let is_variable =
            |word: &String| word.split_once('=').is_some_and(|(name, _)| name.starts_with("KEYLESS_"));
        words(part).into_iter().skip_while(is_variable).collect::<Vec<_>>()
    });
    runs.filter_map(|run| {
        run.split_first().filter(|(name, _)| *name == "keyless").map(|(_, rest)| rest.to_vec())
    })
    .collect()
}

fn read(arguments: &[String]) -> Result<Cli, clap::Error> {
    Cli::read(["keyless"].into_iter().map(Into::into).chain(arguments.iter().map(Into::into)))
}

/// Whether a page may show these arguments. What `…` leaves out may be required; all else must be read as it is.
fn accepted(arguments: &[String]) -> Result<(), String> {
    let whole: Vec<_> = arguments.iter().map(|word| word.replace("sha256:…", DIGEST)).collect();
    let shown: Vec<_> = whole.iter().filter(|word| !word.contains('…')).cloned().collect();
    match read(&shown) {
        Err(error) if error.kind() == ErrorKind::DisplayHelp || error.kind() == ErrorKind::DisplayVersion => {
            Ok(())
        }
        Err(error) if shown.len() < whole.len() && error.kind() != ErrorKind::UnknownArgument => Ok(()),
        Err(error) => Err(error.render().to_string()),
        Ok(_) => Ok(()),
    }
}

#[test]
fn shown_commands_are_parsed_as_shown() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (page, text) in pages() {
        for arguments in console(&text).into_iter().flat_map(runs) {
            count += 1;
            if let Err(error) = accepted(&arguments) {
                wrong.push(format!("{page}: keyless {}\n{error}", arguments.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 110, "only {count} commands were found");
}

#[test]
fn named_commands_and_flags_exist() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (page, text) in pages() {
        let named = spans(&text).into_iter().flat_map(|span| runs(&span));
        // What follows `help` is a placeholder.
        for arguments in named.filter(|run| run.first().is_some_and(|word| word != "help")) {
            count += 1;
            match read(&arguments) {
                Err(error)
                    if [ErrorKind::UnknownArgument, ErrorKind::InvalidSubcommand].contains(&error.kind()) =>
                {
                    wrong.push(format!("{page}: keyless {}\n{}", arguments.join(" "), error.render()));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 110, "only {count} commands were found");
}

#[test]
fn commands_in_lines_are_found() {
    for (line, found) in [
        ("keyless audit -o json | jq .verdict", &["audit -o json"][..]),
        ("KEYLESS_BUCKET_URL=s3://a keyless publish  # now", &["publish"]),
        ("source <(keyless completions bash)", &["completions bash"]),
        ("keyless setup && keyless verify > out", &["setup", "verify"]),
        ("keyless publish --bucket 'az://a/$web' > keyless.txt", &["publish --bucket az://a/$web"]),
        ("helm install keyless deploy/chart/keyless", &[]),
        ("cat keyless | grep keyless", &[]),
    ] {
        let runs: Vec<_> = runs(line).iter().map(|run| run.join(" ")).collect();
        assert_eq!(runs, found, "{line}");
    }
}

#[test]
fn commands_that_fail_are_refused() {
    for line in [
        "keyless setup --no-such-flag",
        "keyless setup --no-such-flag --bucket …",
        "keyless render issuer --distro",
        "keyless apply",
        "keyless keys revoke",
        "keyless audit --bucket s3://a",
        "keyless no-such-command",
        "keyless verify -o sarif",
        "keyless publish --poll 10s --dry-run --watch",
    ] {
        let run = &runs(line)[0];
        assert!(accepted(run).is_err(), "{line}");
    }
}
