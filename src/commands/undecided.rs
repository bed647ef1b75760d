//! What only a settings file says that no flag names. It may have come with the folder: it decides neither what a provider
//! believes, nor what is granted, nor whose credential ends, unless a person reads the plan and confirms it.

use crate::{
    cluster,
    config::Settings,
    error::{Code, Error, Result},
    report::{Line, Report, Tone},
};

/// Settings with their values, for people.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    file: String,
    says: Vec<String>,
}

impl Undecided {
    /// Another cluster than the one that the user's tools take.
    pub(super) fn cluster(settings: &Settings) -> Self {
        let file = settings.file.display().to_string();
        Self { file, says: context(settings).into_iter().collect() }
    }

    pub(super) fn and(mut self, more: impl IntoIterator<Item = String>) -> Self {
        self.says.extend(more);
        self
    }

    pub(super) fn show(&self, report: &mut Report<'_>) {
        if self.says.is_empty() {
            return;
        }
        report.line(Line::whole(
            Tone::Title,
            format_args!("\nsaid by {} alone, which --config does not name", self.file),
        ));
        for one in &self.says {
            report.line(Line::marked(Tone::Warning, format_args!("! {one}")));
        }
    }

    /// Where nobody is asked, nobody has read it.
    pub(super) fn refuse(&self) -> Result<()> {
        if self.says.is_empty() {
            return Ok(());
        }
        let file = &self.file;
        Err(Error::usage(
            Code::SettingsUndecided,
            format!("nothing is changed without a question: {file} alone says {}", self.says.join(", ")),
        )
        .caused_by(
            "--config does not name the file: it was found in the current folder, where anyone may have put it, and the \
             cluster does not lead to the same without it",
        )
        .hint(format!("read it; if it is right, name it: --config {file}"))
        .hint("or run it on a terminal without --yes, and confirm the plan")
        .hint("nothing was changed"))
    }

    /// For a program.
    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.says)
    }
}

fn context(settings: &Settings) -> Option<String> {
    let cluster = settings.cluster.as_ref()?;
    let named = settings.undecided.context(cluster.context.as_deref())?;
    let own = cluster::Settings { context: None, ..cluster.clone() };
    let own = cluster::Configured::load(&own).ok().and_then(|own| own.target().context);
    (own.as_deref() != Some(named)).then(|| format!("cluster.context {}", named.escape_debug()))
}
