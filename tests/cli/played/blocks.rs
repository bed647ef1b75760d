//! The console blocks of the pages, and the table that says in which world each is played.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;

/// A console block: what a person types, each with what the page shows of its output.
#[derive(Debug)]
pub(super) struct Block {
    /// Of the first line, in the page.
    pub(super) line: usize,
    pub(super) typed: Vec<Typed>,
}

#[derive(Debug)]
pub(super) struct Typed {
    pub(super) command: String,
    pub(super) shown: Vec<String>,
}

/// `fixtures/docs/played.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// Programs that are not run, each with the reason.
    pub(super) others: BTreeMap<String, String>,
    /// The blocks of each page, in the order of the page.
    pub(super) pages: BTreeMap<String, Vec<Row>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// The first line of the block, without the prompt and the comment.
    pub(super) first: String,
    /// The world in which it is played.
    pub(super) world: Option<String>,
    /// Why it cannot be played.
    pub(super) not: Option<String>,
    /// What a placeholder is replaced by.
    #[serde(default)]
    pub(super) fill: BTreeMap<String, String>,
    /// Exit codes of the lines that are run.
    #[serde(default)]
    pub(super) codes: Vec<i32>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn table() -> Table {
    let text = fs::read_to_string(root().join("fixtures/docs/played.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("fixtures/docs/played.yaml: {error}"))
}

/// README and the pages of `docs/` that have console blocks.
pub(super) fn pages() -> BTreeMap<String, Vec<Block>> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let all = docs.chain([root().join("README.md")]).map(|path| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        (name, blocks(&fs::read_to_string(&path).unwrap()))
    });
    all.filter(|(_, blocks)| !blocks.is_empty()).collect()
}

/// Languages of blocks that a person types.
const TYPED: [&str; 4] = ["console", "sh", "shell", "bash"];

pub(super) fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<Option<Block>>);
    for (number, line) in page.lines().enumerate() {
        let line = line.trim_start();
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let typed = TYPED.contains(&language.trim());
                open = Some(typed.then(|| Block { line: number + 1, typed: Vec::new() }));
            }
            (Some(_), Some(_)) => blocks.extend(open.take().flatten()),
            (None, Some(Some(block))) => match (line.strip_prefix("$ "), block.typed.last_mut()) {
                (Some(command), _) => {
                    block.typed.push(Typed { command: without_comment(command), shown: Vec::new() });
                }
                (None, Some(last)) => last.shown.push(line.to_owned()),
                (None, None) => panic!("line {}: a block begins without a prompt", number + 1),
            },
            (None, _) => {}
        }
    }
    blocks
}

/// What is typed, without the remark behind it.
fn without_comment(command: &str) -> String {
    command.split("  # ").next().unwrap_or_default().trim_end().to_owned()
}

/// Whether the lines that a page shows are those that were printed. `…` matches anything in its line; a line of it
/// alone matches any lines.
pub(super) fn agrees(shown: &[String], printed: &str) -> Result<(), String> {
    let mut printed = printed.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut may_skip = false;
    for wanted in shown.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        if wanted == "…" {
            may_skip = true;
            continue;
        }
        let found = if may_skip {
            printed.any(|line| fits(wanted, line))
        } else {
            printed.next().is_some_and(|line| fits(wanted, line))
        };
        if !found {
            return Err(format!("the page shows what was not printed:\n  {wanted}"));
        }
        may_skip = false;
    }
    Ok(())
}

fn fits(wanted: &str, line: &str) -> bool {
    let parts: Vec<_> = wanted.split('…').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return wanted == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
