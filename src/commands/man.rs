//! The manual pages, out of the same definition of the arguments that reads them.

use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use serde_json::json;

use super::Exit;
use crate::{
    cli::{Cli, ManArgs},
    error::{Code, Error, Result},
    files::{self, FileError},
    report::{Report, printable},
};

/// The name of a file, and the text of the page.
type Page = (String, String);

pub(crate) fn run(args: &ManArgs, report: &mut Report<'_>) -> Result<Exit> {
    let pages = pages()?;
    match &args.dir {
        Some(folder) => {
            let written = write(&pages, folder)?;
            report.lines(&written);
            report.json("man", json!({ "files": written }));
        }
        None => {
            let Some((_, page)) = pages.into_iter().next() else { return Ok(Exit::Clean) };
            report.text("the manual page", &page)?;
            report.json_with("man", json!({}), ("page", page.into()))?;
        }
    }
    Ok(Exit::Clean)
}

/// That of the program first, then one for each command.
fn pages() -> Result<Vec<Page>> {
    let mut command = Cli::visible().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, pages: &mut Vec<Page>) -> Result<()> {
    let man = Man::new(command.clone()).manual("keyless manual");
    let mut text = Vec::new();
    man.render(&mut text)
        .map_err(|error| Error::failed(Code::Output, "a manual page cannot be made").caused_by(error))?;
    pages.push((man.get_filename(), String::from_utf8_lossy(&text).into_owned()));
    command.get_subcommands().try_for_each(|below| add(below, pages))
}

/// The paths of what was written.
fn write(pages: &[Page], folder: &Path) -> Result<Vec<String>> {
    let unwritable = |path: &Path, error: FileError| {
        Error::failed(Code::ManUnwritable, format!("{} cannot be written", path.display()))
            .caused_by(error)
            .hint("name a folder that you may write with --dir")
    };
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error.into()))?;
    let mut written = Vec::new();
    for (name, text) in pages {
        let path = folder.join(name);
        let text = printable("the manual page", text.clone())?;
        files::replace(&path, text.as_bytes()).map_err(|error| unwritable(&path, error))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}
