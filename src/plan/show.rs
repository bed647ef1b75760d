//! A plan in lines, as a dry run shows it, and as it is shown before the confirmation.

use serde_json::Value;

use super::{Action, FieldChange, Gate, Plan, Step};
use crate::report::{Line, Tone};

impl Plan {
    /// One line for each step, its fields and permissions below it.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.steps.iter().flat_map(Step::lines).collect()
    }
}

impl Step {
    pub(crate) fn lines(&self) -> Vec<Line> {
        let (mark, tone) = match self.gate {
            Some(Gate::AtItsSource) => ('!', Some(Tone::Changed)),
            _ => self.action.mark(),
        };
        let verb = self.action.name();
        let text = format!("{mark} {verb:<8}{}: {}", self.name, self.reason);
        let mut lines = vec![match tone {
            Some(tone) => Line::marked(tone, text),
            None => Line::from(text),
        }];
        lines.extend(self.field_lines().into_iter().map(Line::from));
        if !self.requires.is_empty() {
            lines.push(format!("    needs {}", self.requires.join(", ")).into());
        }
        lines
    }

    pub(crate) fn field_lines(&self) -> Vec<String> {
        self.fields.iter().map(|field| format!("    {}", field.line())).collect()
    }

    /// While it is being applied.
    pub(crate) fn progress(&self) -> String {
        format!("{} {}", self.action.doing(), self.name)
    }
}

impl FieldChange {
    fn line(&self) -> String {
        if self.sensitive {
            return format!("{}: (sensitive)", self.path);
        }
        let [before, after] = self.values();
        format!("{}: {before} → {after}", self.path)
    }

    /// For an error that refuses to make the change.
    pub(crate) fn in_words(&self) -> String {
        let [before, after] = self.values();
        format!("{} is {before}, and should be {after}", self.path)
    }

    fn values(&self) -> [String; 2] {
        let value = |value: &Option<Value>| match value {
            None => "(none)".to_owned(),
            Some(Value::String(text)) => text.clone(),
            // A list of names reads better without brackets.
            Some(Value::Array(items)) if items.iter().all(Value::is_string) && !items.is_empty() => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
            }
            Some(other) => other.to_string(),
        };
        [value(&self.before), value(&self.after)]
    }
}

impl Action {
    fn mark(self) -> (char, Option<Tone>) {
        match self {
            Self::Create | Self::Enable | Self::Grant | Self::Restore => ('+', Some(Tone::Good)),
            Self::NoOp => ('=', None),
            Self::Delete | Self::Disable | Self::Revoke => ('-', Some(Tone::Bad)),
            Self::Update => ('~', Some(Tone::Changed)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Grant => "grant",
            Self::NoOp => "keep",
            Self::Restore => "restore",
            Self::Revoke => "revoke",
            Self::Update => "update",
        }
    }

    fn doing(self) -> &'static str {
        match self {
            Self::Create => "creating",
            Self::Delete => "deleting",
            Self::Disable => "disabling",
            Self::Enable => "enabling",
            Self::Grant => "granting",
            Self::NoOp => "keeping",
            Self::Restore => "restoring",
            Self::Revoke => "revoking",
            Self::Update => "updating",
        }
    }
}
