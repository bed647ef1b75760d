//! PURE. The object around a value, as far as a kind depends on it.

use serde_json::Value;

/// The object that is looked through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holder {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// `type` of a Secret.
    pub(super) secret_type: String,
    labels: Vec<(String, String)>,
    /// Its name without case: made once, as it is asked for with each layer of each value.
    called: String,
}

impl Holder {
    /// `None` for what has no name.
    pub(super) fn of(kind: &str, object: &Value) -> Option<Self> {
        let metadata = object.get("metadata")?.as_object()?;
        let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let labels = metadata.get("labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let name = metadata.get("name")?.as_str()?;
        Some(Self {
            kind: kind.to_owned(),
            namespace: text("namespace"),
            name: name.to_owned(),
            called: name.to_ascii_lowercase(),
            secret_type: object.get("type").and_then(Value::as_str).unwrap_or_default().to_owned(),
            labels: labels.collect(),
        })
    }

    /// Of a type that the object itself does not say.
    pub(super) fn of_type(kind: &str, object: &Value, secret_type: &str) -> Option<Self> {
        Some(Self { secret_type: secret_type.to_owned(), ..Self::of(kind, object)? })
    }

    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    /// Whether its own name has one of these words in it.
    pub(super) fn is_called(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.called.contains(word))
    }
}
