//! PURE. The checks of `keyless verify` and of setup.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Entry;

codes! {
    /// What a check looks at.
    Check
    AwsExchange "aws-exchange"
        "Whether AWS gives temporary credentials for a token of the store's ServiceAccount."
        causes "The provider or the role does not trust the issuer, the audience or the subject."
        causes "STS cannot fetch the issuer's documents."
        remedy "Run `keyless setup`, which shows the difference.";
    AwsMetadata "aws-metadata"
        "Whether the tags of a secret can be read."
        causes "The role's policy does not give this right."
        remedy "Run `keyless setup`.";
    AwsProperty "aws-property"
        "Whether the value has the member that is read."
        causes "The secret has no such member."
        remedy "Add it, or correct the ExternalSecret.";
    AwsRead "aws-read"
        "Whether a secret or parameter can be read."
        causes "The role's policy does not give it, or there is no such secret."
        remedy "Run `keyless setup`, or correct the ExternalSecret.";
    AwsSearch "aws-search"
        "Whether a search finds secrets, and each can be read."
        causes "The role's policy does not give this right."
        remedy "Run `keyless setup`, which shows what is found and asks to grant it.";
    AwsVersions "aws-versions"
        "Whether a version of a secret can be read."
        causes "The version was deleted."
        remedy "Correct the version in the ExternalSecret.";
    AwsWrite "aws-write"
        "Whether a right to write is held. It is not used."
        causes "The role's policy does not give this right."
        remedy "Run `keyless setup`.";
    DiscoveryAlgorithms "discovery-algorithms"
        "Whether the discovery document lists the algorithms of the published keys."
        causes "The document is older than the key set."
        remedy "Run `keyless publish`.";
    DiscoveryCache "discovery-cache"
        "Whether the discovery document may be cached for a short time only."
        causes "The store or a gateway sets its own Cache-Control."
        remedy "Let the store keep the header that keyless writes.";
    DiscoveryContentType "discovery-content-type"
        "Whether the discovery document is served as JSON."
        causes "The store or a gateway sets its own Content-Type."
        remedy "Let the store keep the header that keyless writes.";
    DiscoveryContent "discovery-content"
        "Whether the discovery document can be read."
        causes "Something else is served at the issuer's URL."
        remedy "Run `keyless publish`, or correct what serves the URL.";
    DiscoveryIssuer "discovery-issuer"
        "Whether the discovery document names the issuer, byte for byte."
        causes "Another cluster's documents are served."
        remedy "Run `keyless publish`, or correct --issuer.";
    DiscoveryJwksUri "discovery-jwks-uri"
        "Whether the discovery document names a key set below the issuer."
        causes "Another tool published the document."
        remedy "Run `keyless publish`.";
    DiscoveryMembers "discovery-members"
        "Whether the discovery document has the required members."
        causes "Another tool published the document."
        remedy "Run `keyless publish`.";
    DiscoveryReachable "discovery-reachable"
        "Whether the discovery document can be fetched without credentials."
        causes "It was not published, or is not public."
        remedy "Run `keyless publish --create`.";
    EntraExchange "entra-exchange"
        "Whether Microsoft Entra gives an access token for a token of the store's ServiceAccount."
        causes "No federated credential names the issuer, the subject or the audience."
        causes "Entra cannot fetch the issuer's documents."
        remedy "Run `keyless setup`, which shows the difference.";
    EntraMetadata "entra-metadata"
        "Whether the tags of a secret can be read."
        causes "No role of the identity gives this right."
        remedy "Run `keyless setup`.";
    EntraProperty "entra-property"
        "Whether the value has the member that is read."
        causes "The secret has no such member."
        remedy "Add it, or correct the ExternalSecret.";
    EntraRead "entra-read"
        "Whether a secret of the key vault can be read."
        causes "No role of the identity gives it, or there is no such secret."
        remedy "Run `keyless setup`, or correct the ExternalSecret.";
    EntraSearch "entra-search"
        "Whether a search finds secrets, and each can be read."
        causes "No role of the identity gives this right."
        remedy "Run `keyless setup`, which shows what is found and asks to grant it.";
    EntraVersions "entra-versions"
        "Whether a version of a secret can be read."
        causes "The version was deleted."
        remedy "Correct the version in the ExternalSecret.";
    EntraWrite "entra-write"
        "Whether a right to write is held. It is not used."
        causes "keyless gives no right to write in Key Vault."
        remedy "Give the role that `keyless setup` names, if it is acceptable.";
    ExternalSecretReady "external-secret-ready"
        "Whether an ExternalSecret of the store is ready."
        causes "The operator cannot read the secret."
        remedy "Do what the remedy of the check names; `kubectl describe externalsecret` shows the \
            operator's message.";
    ExternalSecretRefreshed "external-secret-refreshed"
        "Whether an ExternalSecret was refreshed after the new login."
        causes "Its interval has not passed, or it is never refreshed."
        remedy "Wait, or run `keyless setup --force-sync`.";
    GoogleExchange "google-exchange"
        "Whether Google exchanges a token of the store's ServiceAccount."
        causes "The provider does not believe the issuer, the audience or the subject."
        remedy "Run `keyless setup`, which shows the difference.";
    GoogleImpersonation "google-impersonation"
        "Whether the workload may act as the Google service account."
        causes "Roles/iam.workloadIdentityUser is missing."
        remedy "Run `keyless setup`, which grants it.";
    GoogleMetadata "google-metadata"
        "Whether labels and annotations of a secret can be read."
        causes "A right is missing, or the secret has no such label."
        remedy "Run `keyless setup`, or correct the ExternalSecret.";
    GoogleProperty "google-property"
        "Whether the value has the member that is read."
        causes "The value is not JSON, or has no such member."
        remedy "Add a version that has it, or correct the ExternalSecret.";
    GoogleSearch "google-search"
        "Whether a search finds secrets, and each can be read."
        causes "A right is missing."
        remedy "Run `keyless setup`, which shows what is found and asks to grant it.";
    GoogleSecret "google-secret"
        "Whether a secret can be read."
        causes "A right is missing, or there is no such secret or version."
        remedy "Run `keyless setup`, or correct the ExternalSecret.";
    GoogleVersions "google-versions"
        "Whether the versions of a secret can be listed."
        causes "A right is missing."
        remedy "Run `keyless setup`.";
    GoogleWrite "google-write"
        "Whether a right to write is held. It is not used."
        causes "A right is missing."
        remedy "Run `keyless setup`.";
    JwksCache "jwks-cache"
        "Whether the key set may be cached for a short time only."
        causes "The store or a gateway sets its own Cache-Control."
        remedy "Let the store keep the header that keyless writes.";
    JwksContentType "jwks-content-type"
        "Whether the key set is served as JSON."
        causes "The store or a gateway sets its own Content-Type."
        remedy "Let the store keep the header that keyless writes.";
    JwksContent "jwks-content"
        "Whether every key of the key set can be read by relying parties."
        causes "A key is malformed or weak."
        remedy "Run `keyless publish --restore`.";
    JwksReachable "jwks-reachable"
        "Whether the key set can be fetched without credentials."
        causes "It was not published, or is not public."
        remedy "Run `keyless publish --create`.";
    LiveKeys "live-keys"
        "Whether every key that an API server serves is published."
        causes "A key is new."
        remedy "Run `keyless publish`.";
    Provider "provider"
        "Whether the provider can be used with these settings."
        causes "A setting or name does not fit."
        remedy "Do what the remedy of the check names.";
    PublishedKeys "published-keys"
        "Whether an API server serves every published key."
        causes "A former key, or a foreign one."
        remedy "Find out whose key it is. Its holder can sign as every workload.";
    ServerAnswers "server-answers"
        "Whether an API server gave an answer that can be used."
        causes "It refused, or something changes its answers."
        remedy "Do what the remedy of the check names.";
    ServerReachable "server-reachable"
        "Whether an API server can be reached."
        causes "It is down, or cannot be reached from here."
        remedy "Bring it back, or run keyless where it can be reached.";
    ServersAgree "servers-agree"
        "Whether all API servers serve the same keys."
        causes "A rotation has not reached all of them."
        remedy "Give every API server the same --service-account-key-file flags.";
    StorePlace "store-place"
        "Whether the store reads where the settings say."
        causes "The store was changed."
        remedy "Run `keyless setup`, or correct keyless.yaml.";
    StoreReady "store-ready"
        "Whether the store is ready."
        causes "Its login does not work."
        remedy "Do what the remedy of the check names; `kubectl describe` shows the operator's message.";
    StoreRights "store-rights"
        "Whether it is known which secrets are read through the store."
        causes "An object that uses the store is broken."
        remedy "Correct the object, then run `keyless setup`.";
    StoreToken "store-token"
        "Whether a token of the store's ServiceAccount can be minted."
        causes "The ServiceAccount or a right is missing."
        remedy "Run `keyless setup`.";
    TokenAudience "token-audience"
        "Whether a test token is for the audience that was asked for."
        causes "Something changes tokens on the way."
        remedy "Find out what is between this machine and the API server.";
    TokenIssuer "token-issuer"
        "Whether an API server signs as the issuer."
        causes "Its first --service-account-issuer is another one."
        remedy "Make the change that `keyless render issuer` prints.";
    TokenKey "token-key"
        "Whether the key that signs is published."
        causes "A key was not published before it signed."
        remedy "Run `keyless publish`.";
    TokenLifetime "token-lifetime"
        "Whether a test token is valid now and for a short time."
        causes "The clocks differ, or the API server extends tokens."
        remedy "Set the clocks; check the flags of the API server.";
    TokenSignature "token-signature"
        "Whether a test token verifies from the public documents alone."
        causes "The signing key is not published."
        remedy "Run `keyless publish`.";
    UploadedKeys "uploaded-keys"
        "Whether the provider has the cluster's present keys."
        causes "A key was added or replaced since the last setup."
        remedy "Run `keyless setup`.";
    VaultLogin "vault-login"
        "Whether Vault accepts a token of the store's ServiceAccount."
        causes "The role does not believe the issuer, the audience or the subject."
        remedy "Run `keyless setup`, which shows the difference.";
    VaultLogout "vault-logout"
        "Whether the token of the test login was revoked."
        causes "The server did not answer."
        remedy "Nothing: the token ends by itself.";
    VaultMetadata "vault-metadata"
        "Whether the metadata of a secret can be read."
        causes "The role's policy does not give this right."
        remedy "Run `keyless setup`.";
    VaultProperty "vault-property"
        "Whether the value has the member that is read."
        causes "The secret has no such member."
        remedy "Add it, or correct the ExternalSecret.";
    VaultRead "vault-read"
        "Whether a secret can be read."
        causes "The role's policy does not give it, or there is no such secret."
        remedy "Run `keyless setup`, or correct the ExternalSecret.";
    VaultSearch "vault-search"
        "Whether a search finds secrets, and each can be read."
        causes "The role's policy does not give this right."
        remedy "Run `keyless setup`, which shows what is found and asks to grant it.";
    VaultVersions "vault-versions"
        "Whether a version of a secret can be read."
        causes "The version was deleted."
        remedy "Correct the version in the ExternalSecret.";
    VaultWrite "vault-write"
        "Whether a right to write is held. It is not used."
        causes "The role's policy does not give this right."
        remedy "Run `keyless setup`.";
}
