//! Long-running operations (AIP-151) of pools, providers and services.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::error::{Code, GoogleError, Result};
use super::state::State;

/// Operations by name, and the failures that wait for the next ones
#[derive(Default)]
pub(crate) struct Operations {
    all: BTreeMap<String, Operation>,
    pub(crate) failures: Vec<(Code, String)>,
}

struct Operation {
    polls_left: u32,
    started: Instant,
    time: Duration,
    never: bool,
    /// What the operation will have written, until it has
    effect: Option<(String, Value)>,
    outcome: std::result::Result<Value, Value>,
}

impl State {
    /// Starts an operation that writes `resource` at `name`; the first answer
    pub(crate) fn start(&mut self, name: &str, kind: &str, resource: Value) -> Value {
        let operation = format!("{name}/operations/{}", self.operation_id());
        let outcome = match self.operations.failures.pop() {
            Some((code, message)) => Err(GoogleError::new(code, message).status()),
            None => {
                let mut response = resource.clone();
                response["@type"] = json!(format!("type.googleapis.com/google.iam.v1.{kind}"));
                Ok(response)
            }
        };
        let effect = outcome.is_ok().then(|| (name.to_owned(), resource));
        self.record(operation.clone(), effect, outcome);
        self.advance();
        self.look(&operation)
    }

    /// Starts an operation without an effect of its own
    pub(crate) fn start_plain(&mut self, response: Value) -> Value {
        let operation = format!("operations/acat.p2-{}", self.operation_id());
        let outcome = match self.operations.failures.pop() {
            Some((code, message)) => Err(GoogleError::new(code, message).status()),
            None => Ok(response),
        };
        self.record(operation.clone(), None, outcome);
        self.look(&operation)
    }

    /// `GET …/operations/…`
    pub(crate) fn operation(&mut self, name: &str) -> Result<Value> {
        let Some(operation) = self.operations.all.get_mut(name) else {
            return Err(GoogleError::not_found("Requested entity was not found."));
        };
        if !operation.never {
            operation.polls_left = operation.polls_left.saturating_sub(1);
        }
        self.advance();
        Ok(self.look(name))
    }

    /// Applies the effects of operations that are over
    pub(crate) fn advance(&mut self) {
        let over = |operation: &&mut Operation| {
            !operation.never && (operation.polls_left == 0 || operation.started.elapsed() >= operation.time)
        };
        for operation in self.operations.all.values_mut().filter(over) {
            if let Some((name, resource)) = operation.effect.take() {
                self.federation.insert(name, resource);
            }
        }
    }

    /// Ends whatever is under way, also what would never have ended
    pub(crate) fn finish_operations(&mut self) {
        for operation in self.operations.all.values_mut() {
            (operation.polls_left, operation.never) = (0, false);
        }
        self.advance();
    }

    /// Whether an operation is going to write at this name
    pub(crate) fn awaited(&self, name: &str) -> bool {
        let writes = |operation: &Operation| operation.effect.as_ref().is_some_and(|(at, _)| at == name);
        self.operations.all.values().any(writes)
    }

    /// What will be at this name when all its operations are over
    pub(crate) fn latest(&self, name: &str) -> Option<Value> {
        let effects = self.operations.all.values().rev().filter_map(|it| it.effect.as_ref());
        let pending = effects.filter(|(at, _)| at == name).map(|(_, resource)| resource).next();
        let current = self.federation.get(name)?;
        Some(pending.unwrap_or(current).clone())
    }

    fn record(
        &mut self,
        name: String,
        effect: Option<(String, Value)>,
        outcome: std::result::Result<Value, Value>,
    ) {
        let operation = Operation {
            // A poll counts before it is answered.
            polls_left: self.settings.operation_polls + 1,
            started: Instant::now(),
            time: self.settings.operation_time,
            never: self.settings.operations_never_end,
            effect,
            outcome,
        };
        self.operations.all.insert(name, operation);
    }

    fn operation_id(&mut self) -> String {
        format!("b{:07}", self.next())
    }

    /// As it is answered: nothing but the name until it is done
    fn look(&self, name: &str) -> Value {
        let mut shown = json!({"name": name});
        let Some(operation) = self.operations.all.get(name) else { return shown };
        if operation.polls_left == 0 && !operation.never {
            shown["done"] = json!(true);
            match &operation.outcome {
                Ok(response) => shown["response"] = response.clone(),
                Err(error) => shown["error"] = error.clone(),
            }
        }
        shown
    }
}
