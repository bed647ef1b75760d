//! PURE. What a token needs at Vault to be asked by `keyless audit --cloud`.

use crate::{error::Code, federation::cloud::AuditRights};

pub(crate) static RIGHTS: AuditRights = AuditRights {
    refused: Code::VaultForbidden,
    permissions: &[
        "auth/token/accessors",
        "auth/token/lookup-accessor",
        "auth/token/lookup-self",
        "auth/+/role",
        "auth/+/role/+",
        "auth/+/role/+/role-id",
        "auth/+/role/+/secret-id",
        "auth/+/role/+/secret-id-accessor/lookup",
        "auth/+/users/+",
    ],
    grant: r#"# Vault, OpenBao: in each namespace that a store names, and in those above it. Replace + by the mounts to narrow it.
vault policy write keyless-audit - <<'POLICY'
path "auth/token/accessors" { capabilities = ["list", "sudo"] }
path "auth/token/lookup-accessor" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/+/role" { capabilities = ["list"] }
path "auth/+/role/+" { capabilities = ["read"] }
path "auth/+/role/+/role-id" { capabilities = ["read"] }
path "auth/+/role/+/secret-id" { capabilities = ["list"] }
path "auth/+/role/+/secret-id-accessor/lookup" { capabilities = ["update"] }
path "auth/+/users/+" { capabilities = ["read"] }
POLICY
# VAULT_TOKEN of the audit is then one with this policy, for an hour:
#   vault token create -policy=keyless-audit -ttl=1h -field=token
"#,
};
