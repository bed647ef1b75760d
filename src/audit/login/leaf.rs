//! What every member of a provider's settings is. The lists of [`super::providers`] name them all; a member that is on no
//! list is unknown, and so is the login beside it.

use serde_json::Value;

use super::address;

/// What a member is to those who ask how something logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// A name, an id, a region, an option: nothing logs in with it.
    Plain,
    /// The address of a server: harmless as long as it holds nothing but that.
    Address,
    /// An address or text that is filled in for each secret: harmless like an address.
    Template,
    /// Headers of requests, by name.
    Headers,
    /// Parameters of a request, by name.
    Parameters,
    /// Names a Secret with something public in it: an id, a certificate.
    PublicSecret,
    /// Names, or holds, the certificates of an authority.
    Authority,
    /// Names the key of the TLS connection, which is no login at the server.
    Connection,
    /// Names a Secret that logs in.
    Secret,
    /// Names a Secret that logs in, and may hold a file of the type `external_account` instead.
    GoogleSecret,
    /// Names the Secret of a token that belongs to temporary keys.
    SessionToken,
    /// A credential in the object itself.
    Literal,
    /// Names the ServiceAccount whose token is minted for each use.
    Account,
    /// Names a ConfigMap with a file of the type `external_account`.
    CredConfig,
    /// The path of a file with a token, in the controller's pod.
    TokenFile,
}

/// The members of one kind of provider or generator, by paths: `.` goes into an object, `[]` into a list, `*` means
/// every member.
pub(super) type Leaves = &'static [(Leaf, &'static [&'static str])];

/// One member that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member<'a> {
    /// Without the provider's name.
    pub(super) path: String,
    /// `None`: it is on no list.
    pub(super) leaf: Option<Leaf>,
    pub(super) value: &'a Value,
}

/// Every member of these settings. What is `null` is not there.
pub(super) fn members<'a>(settings: &'a Value, leaves: Leaves) -> Vec<Member<'a>> {
    let mut found = Vec::new();
    visit(String::new(), settings, leaves, &mut found);
    found
}

fn visit<'a>(path: String, value: &'a Value, leaves: Leaves, found: &mut Vec<Member<'a>>) {
    if value.is_null() {
        return;
    }
    if let Some(leaf) = leaf_at(&path, leaves) {
        let leaf = leaf.fits(value).then_some(leaf);
        found.push(Member { path, leaf, value });
        return;
    }
    if let (Some(leaf), Some(members)) = (leaf_at(&below_any(&path), leaves), value.as_object()) {
        // Their names may be anything.
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let leaf = leaf.fits(value).then_some(leaf);
            found.push(Member { path: format!("{path}.{name}"), leaf, value });
        }
        return;
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                visit(below(name), value, leaves, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                visit(format!("{path}[]"), item, leaves, found);
            }
        }
        // An empty branch on the way to known members holds nothing; whether it decides is the provider's to say.
        Value::Object(_) if path.is_empty() || is_branch(&path, '.', leaves) => {}
        Value::Array(_) if is_branch(&path, '[', leaves) => {}
        _ => found.push(Member { path, leaf: None, value }),
    }
}

fn leaf_at(path: &str, leaves: Leaves) -> Option<Leaf> {
    leaves.iter().find(|(_, paths)| paths.contains(&path)).map(|(leaf, _)| *leaf)
}

/// The path that means every member of the one at this path.
fn below_any(path: &str) -> String {
    format!("{path}.*")
}

/// Whether known members begin with this path, as those of an object (`.`) or of a list (`[`).
fn is_branch(path: &str, step: char, leaves: Leaves) -> bool {
    let mut paths = leaves.iter().flat_map(|(_, paths)| *paths);
    paths.any(|known| known.strip_prefix(path).is_some_and(|rest| rest.starts_with(step)))
}

impl Leaf {
    /// Whether a value has the form that this member has.
    fn fits(self, value: &Value) -> bool {
        let is_text = |value: &Value| value.is_string();
        match self {
            Self::Plain => !value.is_object() && !value.is_array(),
            Self::Address | Self::Template | Self::Literal | Self::TokenFile => is_text(value),
            Self::Headers => value.as_object().is_some_and(|headers| headers.values().all(Value::is_string)),
            Self::Parameters => value.is_object(),
            Self::Authority => is_text(value) || value.is_object(),
            Self::PublicSecret
            | Self::Connection
            | Self::Secret
            | Self::GoogleSecret
            | Self::SessionToken
            | Self::CredConfig => value.as_object().is_some_and(|members| {
                members.get("name").is_some_and(is_text)
                    && members.iter().all(|(name, value)| {
                        matches!(name.as_str(), "name" | "namespace" | "key")
                            && (value.is_null() || is_text(value))
                    })
            }),
            Self::Account => value.as_object().is_some_and(|members| {
                members.get("name").is_some_and(is_text)
                    && members.keys().all(|name| matches!(name.as_str(), "name" | "namespace" | "audiences"))
            }),
        }
    }
}

impl Member<'_> {
    /// Why it may be a credential, for a member that is harmless by its name.
    pub(super) fn doubt(&self) -> Option<String> {
        let text = self.value.as_str().unwrap_or_default();
        let path = self.path.escape_debug();
        match self.leaf {
            None => Some(format!("{path} is unknown to keyless")),
            Some(Leaf::Address) if !text.is_empty() && !address::is_open(text) => {
                Some(format!("{path} is an address with more than a server in it, which may be a credential"))
            }
            Some(Leaf::Template) if !text.is_empty() && !address::is_open_template(text) => {
                Some(format!("{path} holds more than a server's address, which may be a credential"))
            }
            Some(Leaf::Headers) => {
                let headers = self.value.as_object().into_iter().flatten();
                let doubtful = headers.into_iter().find(|(name, value)| {
                    !address::is_login_header(name)
                        && !address::is_harmless_header(name, value.as_str().unwrap_or_default())
                });
                doubtful.map(|(name, _)| format!("{path}.{} may be a credential", name.escape_debug()))
            }
            Some(Leaf::Parameters) => {
                let parameters = self.value.as_object().into_iter().flatten();
                let doubtful =
                    parameters.into_iter().find(|(name, value)| !address::is_harmless_parameter(name, value));
                doubtful.map(|(name, _)| format!("{path}.{} may be a credential", name.escape_debug()))
            }
            _ => None,
        }
    }

    /// The credential that the object itself holds, if this is one.
    pub(super) fn literal(&self) -> Option<String> {
        match self.leaf {
            Some(Leaf::Literal) if self.value.as_str().is_some_and(|text| !text.is_empty()) => {
                Some(self.path.clone())
            }
            Some(Leaf::Headers) => {
                let mut headers = self.value.as_object().into_iter().flatten();
                let login = headers.find(|(name, value)| {
                    address::is_login_header(name) && value.as_str().is_some_and(|text| !text.is_empty())
                });
                login.map(|(name, _)| format!("{}.{}", self.path, name.escape_debug()))
            }
            _ => None,
        }
    }
}
