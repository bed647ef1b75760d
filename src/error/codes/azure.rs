//! PURE. Azure.

macro_rules! azure {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            AzureAnswer "azure-answer"
                "The answer to a login at Azure cannot be used."
                causes "AZURE_AUTHORITY_HOST names another server."
                causes "A proxy answers with a login page."
                causes "The clock of this machine is wrong."
                remedy "Check AZURE_AUTHORITY_HOST, the clock, and what is between this machine and Microsoft \
                    Entra.";
            AzureCredentials "azure-credentials"
                "There are no Azure credentials that can be used here."
                causes "No login is configured here."
                causes "A variable AZURE_… holds a value that cannot be used."
                remedy "Run `az login`. In a cluster, set AZURE_CLIENT_ID, AZURE_TENANT_ID and \
                    AZURE_FEDERATED_TOKEN_FILE, which names a projected token with the audience \
                    api://AzureADTokenExchange.";
            AzureLoginRefused "azure-login-refused"
                "Microsoft Entra refused the login."
                causes "No federated credential fits the issuer, subject and audience of the token."
                causes "A new credential or application is not known everywhere yet."
                causes "The token or the client secret has expired."
                remedy "Follow the hint for the number (AADSTS…) in the error. After a change, wait some minutes \
                    and run the command again.";
            AzureUnavailable "azure-unavailable"
                "Microsoft Entra is overloaded or has failed."
                causes "Entra answered with status 429, or 500 and more."
                remedy "Run the command again later.";
        }
    };
}
