//! PURE. Google.

macro_rules! google {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            GoogleAccountShared "google-account-shared"
                "Several ServiceAccounts would become the same Google service account."
                causes "google.impersonate is set, and the stores log in with ServiceAccounts of their own."
                remedy "Leave google.impersonate out, let the stores share one ServiceAccount, or set each up \
                    with a settings file of its own.";
            GoogleAnswer "google-answer"
                "Google's answer cannot be used."
                causes "Google.endpoints names another server."
                causes "A proxy answers with a login page."
                remedy "Check google.endpoints, and what is between this machine and Google.";
            GoogleBusy "google-busy"
                "Another program keeps changing the IAM policy."
                causes "Terraform, Config Connector or another setup runs."
                remedy "Find out who writes it, then run setup again.";
            GoogleChanged "google-changed"
                "A key at Google is not any more what the plan was made from, so it was not deleted."
                causes "A person or another program enabled it again in the meantime."
                remedy "Find out who did, and why; then run the command again, and look at the new plan.";
            GoogleConditionTooLong "google-condition-too-long"
                "The condition of the provider would be longer than Google takes."
                causes "Many subjects are allowed."
                remedy "Remove subjects that are not used any more from the condition.";
            GoogleConflict "google-conflict"
                "The resource was changed while keyless was changing it."
                causes "Another run or person wrote it at the same time."
                remedy "Run the command again.";
            GoogleCredentials "google-credentials"
                "There are no Google credentials, or Google does not accept them."
                causes "No login is configured here."
                causes "The token has expired, or was made for other scopes."
                remedy "Run `gcloud auth application-default login`, or set \
                    GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token).";
            GoogleEndpoint "google-endpoint"
                "A value of google.endpoints cannot be the address of an API."
                causes "It is not an https URL, or ends with a slash."
                remedy "Write e.g. https://iam.googleapis.com; http is for this machine only.";
            GoogleForbidden "google-forbidden"
                "The credentials may not do this at Google."
                causes "A permission is missing, or the resource does not exist."
                remedy "Grant the role that the error names, or use another login.";
            GoogleIssuer "google-issuer"
                "Google does not take the issuer."
                causes "It is not an https URL, or is too long."
                remedy "Start every API server with an https URL as its first --service-account-issuer and \
                    keep the present one second, or publish documents.";
            GoogleKeyId "google-key-id"
                "The key file names no key that Google can know."
                causes "The file was edited or is incomplete."
                remedy "`gcloud iam service-accounts keys list` shows the keys that exist.";
            GoogleKeyProject "google-key-project"
                "The key file names no project that Google can know."
                causes "The file was edited or is incomplete."
                remedy "Check `project_id` in the key file: it is the project of the service account.";
            GoogleKeyType "google-key-type"
                "Google does not verify with a key of the cluster."
                causes "The key is neither RSA with RS256 nor P-256 with ES256."
                remedy "Sign with RSA 2048, and take other keys out of --service-account-key-file and \
                    cluster.publicKeys.";
            GoogleLocation "google-location"
                "google.location cannot be a location of secrets."
                causes "A typing error."
                remedy "Give a region such as europe-west1, or leave it out; `gcloud secrets locations list` \
                    shows them.";
            GoogleMissing "google-missing"
                "Google has no such resource."
                causes "A name is wrong, or it was deleted."
                remedy "Check the names in the error.";
            GoogleName "google-name"
                "The text cannot be the ID of a pool or provider."
                causes "It has capitals, the wrong length, or begins with gcp-."
                remedy "Give 4 to 32 lower-case letters, digits and hyphens in google.pool or \
                    google.provider.";
            GoogleOperationEndless "google-operation-endless"
                "An operation at Google is not done in time."
                causes "It goes on at Google."
                remedy "Run the command again later: it goes on from there.";
            GoogleOperationFailed "google-operation-failed"
                "An operation failed at Google."
                causes "The error repeats Google's reason."
                remedy "Run the command again; the error names the permission that the operation needs.";
            GoogleOrgPolicy "google-org-policy"
                "An organization policy forbids the change."
                causes "The policy allows certain issuers or members only."
                remedy "Have the policy that the error names changed; roles/orgpolicy.policyAdmin has the \
                    right.";
            GoogleOtherCluster "google-other-cluster"
                "The pool or provider belongs to another cluster."
                causes "Two clusters use one pool."
                causes "The cluster was rebuilt."
                remedy "Choose another google.pool. For a rebuilt cluster, run the command in the error, \
                    then setup again.";
            GoogleOtherIssuer "google-other-issuer"
                "The pool or provider believes another issuer."
                causes "It is another cluster's."
                causes "The issuer of this cluster has moved."
                remedy "Choose another google.pool. If the issuer has moved, run the commands in the error, \
                    then setup again.";
            GoogleOwnerUnknown "google-owner-unknown"
                "The pool or provider does not say which cluster it was made for."
                causes "It was made by an earlier version or by hand."
                remedy "Choose another google.pool. If it is this cluster's, run the command in the error, \
                    then setup again.";
            GooglePoolForeign "google-pool-foreign"
                "The pool was not made by keyless and cannot be used as it is."
                causes "It is disabled or deleted, or serves other providers."
                remedy "Choose another google.pool, or enable it by hand.";
            GoogleProjectDeleted "google-project-deleted"
                "The project is shut down."
                causes "It was deleted."
                remedy "Run `gcloud projects undelete PROJECT` within 30 days, or name another project.";
            GoogleProjectDiffers "google-project-differs"
                "The store reads the secrets of another project than google.project."
                causes "A setting is outdated."
                remedy "Set google.project to the project of the secrets.";
            GoogleProjectNumber "google-project-number"
                "The number of the project could not be asked, so the store's manifest names it as given."
                causes "No Google login here, or a missing permission."
                remedy "Log in with `gcloud auth application-default login`, or check the value in the \
                    manifest.";
            GoogleProjectUnknown "google-project-unknown"
                "There is no such project, or it may not be seen."
                causes "A display name was given."
                causes "The login is another one."
                remedy "`gcloud projects list` shows the IDs that this login can see.";
            GoogleProject "google-project"
                "The text cannot be a Google project."
                causes "It is a display name."
                remedy "Give the ID or number; `gcloud projects list` shows both.";
            GoogleProviderForeign "google-provider-foreign"
                "The provider was not made by keyless and cannot be used as it is."
                causes "It believes another issuer, or has another mapping or condition."
                remedy "Choose another google.provider or google.pool.";
            GoogleQuotaProject "google-quota-project"
                "The Google login names no project that its requests count for."
                causes "A user's login without a quota project."
                remedy "Set GOOGLE_CLOUD_QUOTA_PROJECT, or run `gcloud auth application-default \
                    set-quota-project PROJECT`.";
            GoogleRefused "google-refused"
                "Google refused the request for a reason that keyless does not know."
                causes "The error repeats Google's own reason."
                remedy "Follow Google's reason; the error names the permission that the request needs.";
            GoogleSearchTooBroad "google-search-too-broad"
                "A search finds more secrets than keyless looks at."
                causes "The pattern of an ExternalSecret is too wide."
                remedy "Name a narrower pattern or path in the ExternalSecret.";
            GoogleSearchUnsupported "google-search-unsupported"
                "Secret Manager cannot be searched like this."
                causes "The search has characters that no name or label has."
                causes "Labels of regional secrets cannot be searched."
                remedy "Search by name, with letters, digits, `-` and `_` only.";
            GoogleSecretMissing "google-secret-missing"
                "The project has none of the secrets that are read."
                causes "Google.project or a name in an ExternalSecret is wrong."
                remedy "`gcloud secrets list` shows what exists. Correct the ExternalSecret, or make the \
                    secret.";
            GoogleSecretName "google-secret-name"
                "The text cannot be a secret's name in Secret Manager."
                causes "It holds a slash or a dot."
                remedy "Give 1 to 255 letters, digits, hyphens and underscores, without projects/….";
            GoogleServer "google-server"
                "Google has failed."
                causes "Google answered with a status of 500 or more."
                remedy "Run the command again later.";
            GoogleServiceAccountMissing "google-service-account-missing"
                "There is no such Google service account."
                causes "Google.impersonate is wrong, or it was deleted."
                remedy "Correct google.impersonate, or leave it out: direct access needs none.";
            GoogleServiceAccount "google-service-account"
                "The text is not the address of a Google service account."
                causes "It is the address of a user, or incomplete."
                remedy "Write e.g. eso-reader@my-project.iam.gserviceaccount.com.";
            GoogleServiceDisabled "google-service-disabled"
                "A Google API is not enabled in the project."
                causes "It was never enabled."
                remedy "Run the `gcloud services enable` command in the error; it takes some minutes to take \
                    effect.";
            GoogleSubjectTooLong "google-subject-too-long"
                "The subject of the store's tokens is longer than Google takes."
                causes "Long names of the namespace and ServiceAccount."
                remedy "Choose a shorter name in store.serviceAccount.";
            GoogleThrottled "google-throttled"
                "Google is overloaded, or limits the number of requests."
                causes "Many writes in the project at the same time."
                remedy "Run the command again in a minute.";
            GoogleTimeout "google-timeout"
                "Google did not answer in time."
                causes "A firewall drops the connection."
                remedy "Check what is between this machine and Google.";
            GoogleTooManyKeys "google-too-many-keys"
                "The cluster has more keys than Google takes by upload."
                causes "Former keys are still in --service-account-key-file."
                causes "Keys were rotated so often that tokens of former ones are still valid."
                remedy "Read in the error which key may go when. Remove keys whose tokens have all expired, or publish \
                    documents with google.mode: documents.";
            GoogleUnreachable "google-unreachable"
                "Google cannot be reached."
                causes "DNS, firewall, proxy or certificate."
                remedy "Read the cause in the error; check HTTPS_PROXY and --ca-file.";
            TokenFile "token-file"
                "The path of the token's file cannot be used."
                causes "It is not Unicode."
                remedy "Give --token-file a path such as /var/run/service-account/token.";
        }
    };
}
