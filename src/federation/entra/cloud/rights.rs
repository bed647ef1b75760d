//! PURE. What a login needs at Microsoft Entra to be asked by `keyless audit --cloud`.

use crate::{error::Code, federation::cloud::AuditRights};

pub(crate) static RIGHTS: AuditRights = AuditRights {
    refused: Code::EntraForbidden,
    permissions: &[
        "Application.Read.All",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    ],
    // The application role of Microsoft Graph, by the IDs that are the same in every tenant:
    // <https://learn.microsoft.com/graph/permissions-reference#applicationreadall>
    grant: r#"# Microsoft Entra: Application.Read.All of Microsoft Graph, for the application that audits.
: "${APPLICATION:?the client ID of the application that audits}" "${SUBSCRIPTION:?the ID of the subscription}"
az ad app permission add --id "$APPLICATION" --api 00000003-0000-0000-c000-000000000000 \
  --api-permissions 9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30=Role
az ad app permission admin-consent --id "$APPLICATION"
# Azure: where the cluster names managed identities.
az role definition create --role-definition '{
  "Name": "keyless-audit",
  "Description": "Reads managed identities and whom they trust",
  "Actions": [
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read"
  ],
  "AssignableScopes": ["/subscriptions/'"$SUBSCRIPTION"'"]
}'
az role assignment create --assignee "$APPLICATION" --role keyless-audit --scope "/subscriptions/$SUBSCRIPTION"
"#,
};
