//! The change, for people.

use super::{Instructions, Stage};

impl Stage {
    fn title(self) -> &'static str {
        match self {
            Self::Accept => "every API server accepts the new issuer, and still signs with the old one",
            Self::Sign => "every API server signs with the new issuer, and still accepts the old one",
        }
    }
}

impl Instructions {
    /// What to write where, in which order, and how to check that it worked. `render issuer` adds what is needed only
    /// when it is the first command.
    pub(crate) fn to_text(&self) -> String {
        let distro = self.distro.map(|distro| format!(" ({})", distro.title)).unwrap_or_default();
        let mut out = format!("Let the API servers{distro} sign as {}:\n", self.issuer);
        let rollouts = self.rollouts.len();
        for (position, rollout) in self.rollouts.iter().enumerate() {
            let number = if rollouts > 1 {
                format!("Rollout {} of {rollouts}: ", position + 1)
            } else {
                String::new()
            };
            out.push_str(&format!("\n{number}{}\n", rollout.stage.title()));
            for file in &rollout.files {
                out.push('\n');
                // Most name their own path.
                if !file.content.starts_with(&format!("# {}", file.path)) {
                    out.push_str(&format!("  {}\n", file.path));
                }
                for line in file.content.lines() {
                    out.push_str(&format!("    {line}\n"));
                }
            }
            out.push_str(&self.actions(position));
        }
        out.push('\n');
        for note in self.notes.iter().filter(|note| note.always) {
            out.push_str(&format!("  * {}\n", note.text));
        }
        if let Some(distro) = self.distro {
            out.push_str(&format!("  * More notes: keyless render issuer --distro {}\n", distro.title));
        }
        out
    }

    /// What goes to stderr while a rollout's file goes to stdout.
    pub(crate) fn messages(&self, stage: Stage) -> String {
        let mut out = String::new();
        if let Some(unproven) = &self.unproven {
            out.push_str("Check what the cluster signs as, before anything else:\n");
            for command in &unproven.check {
                out.push_str(&format!("    $ {command}\n"));
            }
            out.push_str(&format!("  {}\n\n", unproven.remedy()));
        }
        for (position, rollout) in
            self.rollouts.iter().enumerate().filter(|(_, rollout)| rollout.stage == stage)
        {
            let of = if self.rollouts.len() > 1 {
                format!("rollout {} of {}: ", position + 1, self.rollouts.len())
            } else {
                String::new()
            };
            out.push_str(&format!("{of}{}\n", rollout.stage.title()));
            for file in rollout.files.iter().skip(1) {
                out.push_str(&format!("\n  beside it, {}\n", file.path));
                for line in file.content.lines() {
                    out.push_str(&format!("    {line}\n"));
                }
            }
            out.push_str(&self.actions(position));
            if let Some(next) = self.rollouts.get(position + 1) {
                out.push_str(&format!("\n  then, and only then: {} (--stage sign)\n", next.stage.title()));
            }
        }
        out.push_str(&self.notes());
        out
    }

    fn actions(&self, rollout: usize) -> String {
        let mut out = String::new();
        for action in self.rollouts.get(rollout).into_iter().flat_map(|rollout| &rollout.steps) {
            out.push_str(&format!("\n  {}\n", action.what));
            for command in &action.commands {
                out.push_str(&format!("    $ {command}\n"));
            }
        }
        out
    }

    fn notes(&self) -> String {
        let mut out = String::from("\n");
        for note in &self.notes {
            out.push_str(&format!("  * {}\n", note.text));
        }
        out
    }
}
