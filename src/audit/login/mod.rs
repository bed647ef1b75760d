//! How something that logs in really does: by its provider's own order of precedence, and only if every member of its
//! settings is known. What is known to be keyless is a list; everything else is stored, or unknown.

mod address;
mod leaf;
mod providers;

use serde_json::Value;

use self::{
    leaf::{Leaf, Member, members},
    providers::{Effective, STORED_ONLY},
};

/// What the members of a store's or generator's settings come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    /// The login that takes effect.
    pub(super) by: By,
    /// Paths of references to Secrets that log in, whether or not they take effect.
    pub(super) stored: Vec<String>,
    /// Those among them whose Secret may hold an external account instead.
    pub(super) google: Vec<String>,
    /// References to Secrets with something public, which names the credential beside it.
    pub(super) public: Vec<String>,
    /// Paths of tokens that belong to temporary keys.
    pub(super) session: Vec<String>,
    /// Headers with a credential, which goes out with every request.
    pub(super) headers: Vec<String>,
    /// Other credentials in the object itself.
    pub(super) literals: Vec<String>,
    /// Why it is not known how it logs in, or what else logs in: each is a reason not to call it keyless.
    pub(super) doubts: Vec<String>,
}

/// The login that takes effect. `path` names what says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A token of a ServiceAccount of the cluster, minted for each use.
    Tokens { path: String },
    /// A file of the type `external_account` in a ConfigMap.
    ExternalAccount { path: String },
    /// What the platform hands out that the controller runs on.
    Platform { path: String },
    /// The token of the controller's own pod.
    Own { path: String },
    /// A file of the controller's pod; `None`: one of those where its library looks by itself.
    TokenFile { path: String, file: Option<String> },
    /// Whatever the controller's pod has.
    Pod,
    /// What is stored in the Secrets at these paths.
    Stored { paths: Vec<String> },
    /// A credential in the object itself.
    Literal { path: String },
    /// There is nothing to log in with.
    Nothing,
    /// It is among the doubts.
    Unknown,
}

/// How this provider logs in with these settings.
pub(super) fn login(provider: &str, settings: &Value) -> Login {
    let Some(known) = providers::find(provider) else {
        return not_listed(provider, settings);
    };
    let mut found =
        members(settings_without(settings, known.inner.map(|(name, _)| name)).as_ref(), known.leaves)
            .into_iter()
            .map(|member| Told::of(provider, &member))
            .collect::<Vec<_>>();
    let mut effective = (known.effective)(settings);
    let mut prefix = provider.to_owned();
    let mut within = settings;
    if let Some((name, inner)) = known.inner {
        within = settings.get(name).unwrap_or(&Value::Null);
        prefix = format!("{provider}.{name}");
        found.extend(members(within, inner.leaves).iter().map(|member| Told::of(&prefix, member)));
        if effective == Effective::Inner {
            effective = (inner.effective)(within);
        }
    }
    if !settings.is_object() || !within.is_object() {
        effective = Effective::Unknown("its settings have an invalid form".into());
    }
    Login::new(&prefix, effective, found)
}

/// A member, without its value.
struct Told {
    path: String,
    leaf: Option<Leaf>,
    doubt: Option<String>,
    literal: Option<String>,
    file: Option<String>,
}

impl Told {
    fn of(prefix: &str, member: &Member<'_>) -> Self {
        let within = |path: String| format!("{prefix}.{path}");
        Self {
            path: within(member.path.clone()),
            leaf: member.leaf,
            doubt: member.doubt().map(within),
            literal: member.literal().map(within),
            file: match member.leaf {
                Some(Leaf::TokenFile) => {
                    member.value.as_str().filter(|path| !path.is_empty()).map(str::to_owned)
                }
                _ => None,
            },
        }
    }
}

impl Login {
    fn new(prefix: &str, effective: Effective, found: Vec<Told>) -> Self {
        let of = |leaves: &[Leaf]| -> Vec<String> {
            let told = found.iter().filter(|told| told.leaf.is_some_and(|leaf| leaves.contains(&leaf)));
            told.map(|told| told.path.clone()).collect()
        };
        let mut doubts: Vec<_> = found.iter().filter_map(|told| told.doubt.clone()).collect();
        let literals = |headers: bool| -> Vec<String> {
            let told = found.iter().filter(|told| (told.leaf == Some(Leaf::Headers)) == headers);
            told.filter_map(|told| told.literal.clone()).collect()
        };
        let (headers, literals) = (literals(true), literals(false));
        let full = |path: &str| if path.is_empty() { prefix.to_owned() } else { format!("{prefix}.{path}") };
        let by = match effective {
            Effective::Branch(branch) => {
                let branch = full(branch);
                branch_of(&branch, &found, &literals).unwrap_or_else(|| {
                    doubts.push(format!("{branch} names no login that keyless knows"));
                    By::Unknown
                })
            }
            Effective::Own(path) => By::Own { path: full(path) },
            Effective::Pod => By::Pod,
            Effective::Platform(path) => By::Platform { path: full(path) },
            Effective::Nothing => By::Nothing,
            Effective::Inner => By::Unknown,
            Effective::Unknown(why) => {
                doubts.push(format!("{prefix}: {why}"));
                By::Unknown
            }
        };
        Self {
            by,
            stored: of(&[Leaf::Secret, Leaf::GoogleSecret]),
            google: of(&[Leaf::GoogleSecret]),
            public: of(&[Leaf::PublicSecret]),
            session: of(&[Leaf::SessionToken]),
            headers,
            literals,
            doubts,
        }
    }

    /// Whether the tokens of temporary keys stand beside stored keys.
    pub(super) fn is_temporary(&self) -> bool {
        !self.session.is_empty()
    }
}

/// What the members at or below a path log in with.
fn branch_of(branch: &str, found: &[Told], literals: &[String]) -> Option<By> {
    let is_within = |path: &str| {
        path.strip_prefix(branch).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let within = |leaf: Leaf| {
        found.iter().filter(move |told| told.leaf == Some(leaf)).filter(|told| is_within(&told.path))
    };
    let stored: Vec<_> =
        within(Leaf::Secret).chain(within(Leaf::GoogleSecret)).map(|told| told.path.clone()).collect();
    if !stored.is_empty() {
        return Some(By::Stored { paths: stored });
    }
    if let Some(path) = literals.iter().find(|path| is_within(path)) {
        return Some(By::Literal { path: path.clone() });
    }
    let first = |leaf: Leaf| within(leaf).next().map(|told| told.path.clone());
    if let Some(path) = first(Leaf::Account) {
        return Some(By::Tokens { path });
    }
    if let Some(path) = first(Leaf::CredConfig) {
        return Some(By::ExternalAccount { path });
    }
    if let Some(told) = within(Leaf::TokenFile).next() {
        return Some(By::TokenFile { path: told.path.clone(), file: told.file.clone() });
    }
    // IBM's container login has a file of its own where none is named.
    branch
        .ends_with(".auth.containerAuth")
        .then(|| By::TokenFile { path: format!("{branch}.tokenLocation"), file: None })
}

/// A provider on no list, or one whose members are on none.
fn not_listed(provider: &str, settings: &Value) -> Login {
    let found = crate::cluster::snapshot::references(provider, settings).into_iter();
    let secrets: Vec<_> = found
        .filter(|reference| reference.target == crate::cluster::snapshot::Target::Secret)
        .map(|reference| reference.path)
        .collect();
    let mut login = Login {
        by: By::Unknown,
        stored: Vec::new(),
        google: Vec::new(),
        public: Vec::new(),
        session: Vec::new(),
        headers: Vec::new(),
        literals: Vec::new(),
        doubts: vec![format!("the provider `{}` is unknown to keyless", provider.escape_debug())],
    };
    if STORED_ONLY.contains(&provider) && !secrets.is_empty() {
        login.by = By::Stored { paths: secrets.clone() };
        login.stored = secrets;
        login.doubts = vec![format!("other settings of {provider} are unknown to keyless")];
    }
    login
}

fn settings_without<'a>(settings: &'a Value, name: Option<&str>) -> std::borrow::Cow<'a, Value> {
    use std::borrow::Cow;
    match (name, settings.as_object()) {
        (Some(name), Some(members)) if members.contains_key(name) => {
            let mut members = members.clone();
            members.remove(name);
            Cow::Owned(Value::Object(members))
        }
        _ => Cow::Borrowed(settings),
    }
}

#[cfg(test)]
mod tests;
