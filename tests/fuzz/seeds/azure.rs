//! Answers of Azure: blobs, tokens, Azure Resource Manager, Microsoft Graph and Key Vault.

use serde_json::json;

use super::{CANARY, SENT, Seed, texts};

pub(super) fn blobs() -> Vec<Seed> {
    let list = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://acme.blob.core.windows.net/\" ContainerName=\"keys\"><Blobs><Blob><Name>openid/v1/jwks</Name><Properties><Etag>0x8D</Etag></Properties></Blob><Blob><Name>&amp;x</Name></Blob></Blobs><NextMarker/></EnumerationResults>";
    let properties = "<StorageServiceProperties><Logging/><StaticWebsite><Enabled>true</Enabled><IndexDocument>a</IndexDocument></StaticWebsite></StorageServiceProperties>";
    texts(&[list, properties])
}

pub(super) fn tokens() -> Vec<Seed> {
    vec![
        json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": CANARY}).into(),
        // The metadata service gives texts.
        json!({"access_token": CANARY, "expires_in": "86399", "expires_on": "1800003600", "resource": "https://vault.azure.net",
            "token_type": "Bearer", "client_id": "00000000-0000-0000-0000-000000000001"})
        .into(),
        json!({"accessToken": CANARY, "expiresOn": "2027-01-15 09:00:00.000000", "expires_on": 1_800_003_600_u64,
            "subscription": "x", "tenant": "y", "tokenType": "Bearer"})
        .into(),
        json!({"access_token": format!("{CANARY}\n"), "expires_in": 0}).into(),
    ]
}

pub(super) fn answers() -> Vec<Seed> {
    let id = "00000000-0000-0000-0000-000000000001";
    let group = format!("/subscriptions/{id}/resourceGroups/platform");
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/eso");
    let scope = format!("{group}/providers/Microsoft.KeyVault/vaults/acme/secrets/db");
    let role = format!(
        "/subscriptions/{id}/providers/Microsoft.Authorization/roleDefinitions/4633458b-17de-408a-b874-0445c86b69e6"
    );
    let secret = json!({"keyId": id, "hint": "aB3", "startDateTime": "2026-01-02T03:04:05Z",
        "endDateTime": "2028-01-02T03:04:05.1234567Z", "secretText": null, "displayName": "eso"});
    let certificate = json!({"keyId": id, "type": "AsymmetricX509Cert", "usage": "Verify", "customKeyIdentifier": "AB12",
        "endDateTime": "2028-01-02T03:04:05Z", "key": "MIIB"});
    let all = [
        json!({"id": identity, "name": "eso", "location": "westeurope", "tags": {"keyless": "x"},
            "properties": {"tenantId": id, "principalId": id, "clientId": id}}),
        json!({"id": format!("{identity}/federatedIdentityCredentials/keyless"), "name": "keyless",
            "properties": {"issuer": "https://oidc.acme.example", "subject": "system:serviceaccount:es:eso",
                "audiences": ["api://AzureADTokenExchange"]}}),
        json!({"id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{id}"), "name": id,
            "properties": {"scope": scope, "roleDefinitionId": role, "principalId": id, "principalType": "ServicePrincipal",
                "description": "managed by keyless", "condition": null}}),
        json!({"value": [], "nextLink": format!("https://management.azure.com:443{group}?api-version=2022-04-01&$skiptoken=a%20b")}),
        json!({"value": [{"id": "https://acme.vault.azure.net/secrets/db", "attributes": {"enabled": true}, "tags": {"a": "b"}}],
            "nextLink": "https://acme.vault.azure.net:443/secrets?api-version=7.4&$skiptoken=x"}),
        json!({"appId": id, "accountEnabled": true, "appOwnerOrganizationId": id, "servicePrincipalType": "Application",
            "alternativeNames": [], "passwordCredentials": [secret], "keyCredentials": [certificate]}),
        json!({"appId": id, "accountEnabled": true, "appOwnerOrganizationId": null, "servicePrincipalType": "ManagedIdentity",
            "alternativeNames": ["isExplicit=True", identity], "passwordCredentials": [], "keyCredentials": []}),
        json!({"issuer": "https://oidc.acme.example", "subject": null,
            "claimsMatchingExpression": {"value": "claims['sub'] matches 'x*'", "languageVersion": 1}}),
        json!({"value": CANARY, "id": "https://acme.vault.azure.net/secrets/db/0123", "attributes": {"enabled": true}}),
    ];
    let refused = [
        json!({"error": {"code": "AuthorizationFailed", "message": "The client 'x' does not have authorization to perform action 'y'."}}),
        json!({"error": {"code": "Forbidden", "message": format!("Caller is not authorized. {SENT}\r\n"),
            "innererror": {"code": "ForbiddenByRbac"}}}),
    ];
    let all = all.into_iter().map(|answer| format!("\0{answer}"));
    all.chain(refused.map(|answer| format!("\u{4}{answer}"))).map(Seed::from).collect()
}
