//! PURE. What a login needs at Microsoft Entra to be asked by `keyless audit --cloud`.

use crate::{error::Code, federation::cloud::AuditRights};

/// Of Microsoft Graph.
const GRAPH: &str = "Application.Read.All";
/// The same by the ID that it has in every tenant: <https://learn.microsoft.com/graph/permissions-reference#applicationreadall>
const GRAPH_ID: &str = "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30";
/// Of Azure.
const AZURE: [&str; 2] = [
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
];

pub(crate) static RIGHTS: AuditRights = AuditRights {
    refused: Code::EntraForbidden,
    permissions: || std::iter::once(GRAPH).chain(AZURE).map(str::to_owned).collect(),
    grant,
};

fn grant() -> String {
    let actions = AZURE.map(|action| format!("\"{action}\"")).join(",\n    ");
    format!(
        r#"# Microsoft Entra: {GRAPH} of Microsoft Graph, for the application that audits.
: "${{APPLICATION:?the client ID of the application that audits}}" "${{SUBSCRIPTION:?the ID of the subscription}}"
SP=$(az ad sp show --id "$APPLICATION" --query id --output tsv)
GRAPH=$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query id --output tsv)
: "${{SP:?the application has no service principal: az ad sp create --id $APPLICATION}}" "${{GRAPH:?Microsoft Graph was not found}}"
# This one permission: what else the application may have requested is not consented to.
az rest --method POST --url "https://graph.microsoft.com/v1.0/servicePrincipals/$SP/appRoleAssignments" \
  --headers Content-Type=application/json \
  --body '{{"principalId":"'"$SP"'","resourceId":"'"$GRAPH"'","appRoleId":"{GRAPH_ID}"}}'
# Azure: where the cluster names managed identities.
az role definition create --role-definition '{{
  "Name": "keyless-audit",
  "Description": "Reads managed identities and whom they trust",
  "Actions": [
    {actions}
  ],
  "AssignableScopes": ["/subscriptions/'"$SUBSCRIPTION"'"]
}}'
az role assignment create --assignee "$APPLICATION" --role keyless-audit --scope "/subscriptions/$SUBSCRIPTION"
"#
    )
}
