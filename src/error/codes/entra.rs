//! PURE. Microsoft Entra and Key Vault, as a provider.

macro_rules! entra {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            EntraAbsent "entra-absent"
                "Azure does not have the subscription, resource group, vault or identity that was asked for."
                causes "A name in the settings is wrong, or the login does not see it."
                remedy "Check entra.subscription, entra.resourceGroup, entra.vault and entra.vaultResourceGroup.";
            EntraAnswer "entra-answer"
                "The answer of Azure cannot be used."
                causes "entra.endpoints names another server."
                causes "A proxy answers with a login page."
                remedy "Check entra.endpoints, and what is between this machine and Azure.";
            EntraBusy "entra-busy"
                "Azure is overloaded, or limits how often it is called."
                causes "Other programs write to the same identity: Azure takes one write at a time."
                remedy "Run the command again later.";
            EntraChanged "entra-changed"
                "Something at Azure is not any more what the plan was made from, so nothing was done about it."
                causes "A person or another program changed it in the meantime."
                remedy "Run the command again, and look at the new plan.";
            EntraForbidden "entra-forbidden"
                "The credentials may not do this at Azure."
                causes "A role or a permission of Microsoft Graph is missing, or a policy denies it."
                remedy "Give the identity what the error names.";
            EntraIdentityForeign "entra-identity-foreign"
                "The managed identity is not this store's alone."
                causes "keyless did not make it, or another workload logs in as it."
                causes "It has federated credentials or roles that keyless did not write."
                remedy "Choose another entra.identity, or take out what keyless did not write.";
            EntraIssuer "entra-issuer"
                "Microsoft Entra does not take the issuer."
                causes "It is not https, has a query, or is longer than 600 characters."
                causes "Its documents are not published, and Entra can only fetch keys."
                remedy "Publish documents in a bucket, and sign as its public URL.";
            EntraKeyApplication "entra-key-application"
                "It is not confirmed which application the client secret is of, so it is left as it is."
                causes "entra.keyApplication does not name the application, the store names another client ID beside the secret, or the application has more than this one way to log in."
                remedy "Find out who uses the application; if it is the store alone, set entra.keyApplication to its client ID.";
            EntraKeyType "entra-key-type"
                "Microsoft Entra does not verify with a key of the cluster."
                causes "The key is not RSA: Entra supports RS256 only."
                remedy "Sign with RSA 2048, and take other keys out of --service-account-key-file.";
            EntraLimit "entra-limit"
                "A limit of Azure is reached."
                causes "An identity has at most 20 federated credentials, a subscription 4000 role assignments."
                remedy "Choose another entra.identity, or delete what is not used any more.";
            EntraOtherAnswer "entra-other-answer"
                "Azure answers about something else than was asked for, so nothing is done by it."
                causes "entra.endpoints or a proxy leads to another service."
                remedy "Check entra.endpoints, and what is between this machine and Azure.";
            EntraOtherCluster "entra-other-cluster"
                "A managed identity belongs to another cluster."
                causes "Two clusters have the same entra.identity."
                remedy "Choose another entra.identity, or take it over as the error shows.";
            EntraOtherTenant "entra-other-tenant"
                "Something is of another tenant or cloud than the settings name."
                causes "The login, the subscription, the vault, the identity or the application is of another tenant."
                remedy "Correct entra.tenant, or log in there: `az login --tenant TENANT`.";
            EntraOwnerUnknown "entra-owner-unknown"
                "A managed identity was made by keyless, and does not say for which cluster."
                causes "Its tag was changed by hand."
                remedy "Choose another entra.identity, or set the tag as the error shows.";
            EntraRefused "entra-refused"
                "Azure refuses what was asked, for the reason that it gives."
                causes "A policy of the subscription, or a value that Azure does not take."
                remedy "Look up the code that the error shows in the documentation of the service.";
            EntraSearchTooBroad "entra-search-too-broad"
                "A search finds too many secrets."
                causes "The pattern of the ExternalSecret fits nearly everything."
                remedy "Name a narrower pattern: find.name.regexp.";
            EntraSetting "entra-setting"
                "A value cannot be what its setting names."
                causes "A GUID, a name of a vault, of a resource group or of a secret has another form."
                remedy "Correct the setting, or the object that names the secret.";
            EntraTooManyKeys "entra-too-many-keys"
                "The cluster has more keys than Microsoft Entra keeps."
                causes "Keys were never taken out of the API servers: Entra keeps the first 100."
                remedy "Take keys whose tokens have all expired out of --service-account-key-file.";
            EntraVaultMode "entra-vault-mode"
                "The key vault goes by access policies, which keyless does not write."
                causes "An access policy gives every secret of a vault; a role can give one."
                remedy "Give its present users roles, then `az keyvault update --name VAULT --enable-rbac-authorization true`.";
        }
    };
}
