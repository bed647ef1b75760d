//! PURE. What a right takes at Key Vault: a built-in role on one secret, or on the vault for a search.
//! <https://learn.microsoft.com/azure/key-vault/general/rbac-guide>

use std::collections::BTreeSet;

use super::{Settings, place};
use crate::{
    error::Result,
    federation::{Impossible, Right, RightKind, Workload},
    shell,
};

/// A role that keyless assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Read the value of a secret.
    SecretsUser,
    /// List what a vault holds, without values.
    Reader,
}

/// A role on a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Given {
    pub(super) on: On,
    pub(super) role: Role,
}

/// What a role is assigned on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum On {
    Vault,
    /// In lower case: Azure compares names without regard to case.
    Secret(String),
}

impl Role {
    const ALL: [Self; 2] = [Self::SecretsUser, Self::Reader];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::SecretsUser => "Key Vault Secrets User",
            Self::Reader => "Key Vault Reader",
        }
    }

    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security>
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::SecretsUser => "4633458b-17de-408a-b874-0445c86b69e6",
            Self::Reader => "21090545-7ca7-4776-b22c-e363652d74d2",
        }
    }

    /// By the last part of a role definition's ID.
    pub(super) fn of_definition(id: &str) -> Option<Self> {
        let id = id.rsplit('/').next().unwrap_or_default();
        Self::ALL.into_iter().find(|role| role.id().eq_ignore_ascii_case(id))
    }

    pub(super) fn definition(self, settings: &Settings) -> String {
        format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{}",
            settings.subscription,
            self.id()
        )
    }
}

impl Given {
    /// The scope of the assignment.
    pub(super) fn scope(&self, settings: &Settings) -> String {
        let vault = settings.vault_id();
        match &self.on {
            On::Vault => vault,
            On::Secret(name) => format!("{vault}/secrets/{name}"),
        }
    }

    /// What an assignment of this role on this scope gives; `None`: keyless assigns no such thing.
    pub(super) fn of(settings: &Settings, scope: &str, definition: &str) -> Option<Self> {
        let role = Role::of_definition(definition)?;
        let scope = scope.to_ascii_lowercase();
        let rest = scope.strip_prefix(&settings.vault_id().to_ascii_lowercase())?;
        let on = match rest.strip_prefix("/secrets/") {
            Some(name) if place::cannot_name(name).is_none() => On::Secret(name.to_owned()),
            None if rest.is_empty() => On::Vault,
            _ => return None,
        };
        Some(Self { on, role })
    }

    /// `Key Vault Secrets User on the secret db`.
    pub(super) fn shown(&self) -> String {
        match &self.on {
            On::Vault => format!("{} on the vault", self.role.title()),
            On::Secret(name) => format!("{} on the secret {name}", self.role.title()),
        }
    }
}

/// What these rights take. Rights to write take none: see [`impossible`].
pub(super) fn gives<'a>(rights: impl IntoIterator<Item = &'a Right>) -> Result<BTreeSet<Given>> {
    let mut all = BTreeSet::new();
    for right in rights {
        let (on, role) = match (right.kind, right.secret()) {
            // Tags come with the value.
            (RightKind::Read | RightKind::Metadata, Some(secret)) => {
                (On::Secret(place::secret(secret)?), Role::SecretsUser)
            }
            // Key Vault lists a whole vault, or nothing.
            (RightKind::Find | RightKind::FindByTags, _) => (On::Vault, Role::Reader),
            _ => continue,
        };
        all.insert(Given { on, role });
    }
    Ok(all)
}

/// Rights that keyless does not give: the smallest built-in role with them can delete secrets and take them back as well.
pub(super) fn impossible(settings: &Settings, workload: &Workload) -> Vec<Impossible> {
    let writes = |kind| matches!(kind, RightKind::Push | RightKind::Update | RightKind::Delete);
    let all = workload.rights.iter().filter(|right| writes(right.kind));
    let one = |right: &Right| {
        let name = right.secret().map(place::secret_name).unwrap_or_default();
        let scope = shell::quote(&format!("{}/secrets/{name}", settings.vault_id()));
        Impossible {
            right: right.clone(),
            why: "keyless gives no right to write in Key Vault: its smallest role for that, Key Vault Secrets Officer, \
                  may do everything with a secret"
                .to_owned(),
            remedy: format!(
                "if that is acceptable, give it: `az role assignment create --role 'Key Vault Secrets Officer' --assignee-object-id \
                 PRINCIPAL --assignee-principal-type ServicePrincipal --scope {scope}`"
            ),
        }
    };
    all.map(one).collect()
}

/// What becomes of what the workload was given: all that it shall have, what of it this run does not ask for, and what goes.
pub(super) struct Becomes {
    pub(super) wanted: BTreeSet<Given>,
    pub(super) kept: BTreeSet<Given>,
    pub(super) dropped: BTreeSet<Given>,
}

pub(super) fn becomes(workload: &Workload, held: &BTreeSet<Given>) -> Result<Becomes> {
    let holding = workload.holding(held, |rights| gives(rights))?;
    Ok(Becomes { wanted: gives(&workload.rights)?, kept: holding.kept, dropped: holding.dropped })
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests::settings, *};

    #[test]
    fn right_takes_role_on_one_secret() {
        let given = gives(&[Right::read("db"), Right::new(RightKind::Metadata, "secret/DB")]).unwrap();
        let [one] = given.iter().collect::<Vec<_>>()[..] else { panic!("{given:?}") };
        assert_eq!(
            one.scope(&settings()),
            "/subscriptions/00000000-0000-0000-0000-0000000000aa/resourceGroups/secrets/providers/Microsoft.KeyVault/vaults/acme/secrets/db"
        );
        assert!(one.role.definition(&settings()).ends_with("/4633458b-17de-408a-b874-0445c86b69e6"));
        let found = gives(&[Right::new(RightKind::Find, "")]).unwrap();
        assert_eq!(found.first().unwrap().shown(), "Key Vault Reader on the vault");
        for kind in [RightKind::Push, RightKind::Update, RightKind::Delete, RightKind::Versions] {
            assert!(gives(&[Right::new(kind, "db")]).unwrap().is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn assignment_is_read_as_written() {
        let (settings, user) = (settings(), Role::SecretsUser.definition(&settings()));
        for given in gives(&[Right::read("db"), Right::new(RightKind::Find, "")]).unwrap() {
            let scope = given.scope(&settings).to_uppercase();
            assert_eq!(Given::of(&settings, &scope, &given.role.definition(&settings)), Some(given));
        }
        let vault = settings.vault_id();
        for scope in [
            "/".to_owned(),
            "/subscriptions/00000000-0000-0000-0000-0000000000aa".to_owned(),
            format!("{vault}2"),
            format!("{vault}/keys/db"),
            format!("{vault}/secrets/"),
            format!("{vault}/secrets/a/b"),
        ] {
            assert_eq!(Given::of(&settings, &scope, &user), None, "{scope}");
        }
        assert_eq!(Given::of(&settings, &vault, "/x/00482a5a-887f-4fb3-b363-3b7fe8e74483"), None);
    }
}
