//! PURE. The section `store` of `keyless.yaml`: the secret store, and what its identity may do.

use std::{collections::BTreeSet, path::Path};

use schemars::JsonSchema;
use serde::Deserialize;

use super::written::Setting;
use crate::{
    error::{Code, Error, Result},
    federation::{RIGHT_KINDS, Right, RightKind},
};

/// The secret store that is pointed at the provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Store {
    /// Name of the secret store
    pub(super) name: Option<String>,
    /// `None` is a ClusterSecretStore.
    pub(super) namespace: Option<String>,
    /// NAMESPACE/NAME of the ServiceAccount that the store uses
    pub(super) service_account: Option<String>,
    /// Secrets that it may read. Setup writes this list, and asks before it adds to it.
    pub(super) secrets: Option<Vec<String>>,
    /// What it may do beyond reading secrets
    pub(super) rights: Option<Rights>,
}

/// Rights beyond reading the values of secrets. Each lists names of secrets; searches list what names begin with, or
/// `*` for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rights {
    /// Secrets whose labels, annotations or custom metadata it may read
    pub(super) metadata: Vec<String>,
    /// Secrets whose versions it may list
    pub(super) versions: Vec<String>,
    /// Where it may search for secrets by name
    pub(super) find: Vec<String>,
    /// Where it may search for secrets by tags
    pub(super) find_by_tags: Vec<String>,
    /// Secrets that it may write
    pub(super) push: Vec<String>,
    /// Secrets whose labels, annotations or custom metadata it may change
    pub(super) update: Vec<String>,
    /// Secrets that it may delete
    pub(super) delete: Vec<String>,
}

impl Store {
    /// As the commands work by it.
    pub(super) fn settings(self, path: &Path) -> Result<super::Store> {
        Ok(super::Store {
            listed: self.listed(path)?,
            name: self.name,
            namespace: self.namespace,
            service_account: self.service_account.map(|text| text.parse()).transpose()?,
        })
    }

    /// Everything that is listed; `None`: there is no list. An entry that is empty would mean everything to a search.
    pub(super) fn listed(&self, path: &Path) -> Result<Option<BTreeSet<Right>>> {
        if self.secrets.is_none() && self.rights.is_none() {
            return Ok(None);
        }
        let rights = self.rights.clone().unwrap_or_default();
        let Rights { metadata, versions, find, find_by_tags, push, update, delete } = rights;
        let lists = [
            (RightKind::Read, self.secrets.clone().unwrap_or_default()),
            (RightKind::Metadata, metadata),
            (RightKind::Versions, versions),
            (RightKind::Find, find),
            (RightKind::FindByTags, find_by_tags),
            (RightKind::Push, push),
            (RightKind::Update, update),
            (RightKind::Delete, delete),
        ];
        let mut listed = BTreeSet::new();
        for (kind, names) in lists {
            for name in names {
                if name.trim() != name || name.is_empty() || name.chars().any(char::is_control) {
                    let what = format!("`{}` in {} names nothing", name.escape_debug(), setting(kind));
                    return Err(Error::usage(
                        Code::StoreRightsMalformed,
                        format!("{}: {what}", path.display()),
                    )
                    .hint("name secrets as ExternalSecrets do; `*` in a search means every secret"));
                }
                let all = kind.is_search() && name == ALL;
                listed.insert(Right::new(kind, if all { String::new() } else { name }));
            }
        }
        Ok(Some(listed))
    }
}

/// How a search of everything is written.
const ALL: &str = "*";

/// The lists as they are written, in the order of the file. Beyond reading, only those that have entries, or had some
/// before.
pub(crate) fn listed(rights: &BTreeSet<Right>, before: &BTreeSet<Right>) -> Vec<Setting> {
    let names = |wanted: RightKind| -> Vec<&str> {
        let these = rights.iter().filter(|right| right.kind == wanted);
        these.map(|right| if right.on.is_empty() { ALL } else { right.on.as_str() }).collect()
    };
    let is_written =
        |kind| kind == RightKind::Read || rights.iter().chain(before).any(|right: &Right| right.kind == kind);
    let kinds = RIGHT_KINDS.into_iter().filter(|kind| is_written(*kind));
    kinds.map(|kind| (setting(kind), serde_json::json!(names(kind)))).collect()
}

/// Where rights of a kind are listed.
fn setting(kind: RightKind) -> &'static str {
    match kind {
        RightKind::Read => "store.secrets",
        RightKind::Metadata => "store.rights.metadata",
        RightKind::Versions => "store.rights.versions",
        RightKind::Find => "store.rights.find",
        RightKind::FindByTags => "store.rights.findByTags",
        RightKind::Push => "store.rights.push",
        RightKind::Update => "store.rights.update",
        RightKind::Delete => "store.rights.delete",
    }
}
