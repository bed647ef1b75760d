//! PURE. Vault and OpenBao.

macro_rules! vault {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            VaultAddressDiffers "vault-address-differs"
                "The settings and VAULT_ADDR name different servers."
                causes "It is not known which of them the token is for."
                remedy "Unset VAULT_ADDR (BAO_ADDR), or set vault.address to the same server.";
            VaultAddress "vault-address"
                "The text cannot be the address of Vault."
                causes "It is not an https URL, or names a path or user."
                remedy "Write the base URL of the API, e.g. https://vault.example.com:8200; http is for this \
                    machine only.";
            VaultBusy "vault-busy"
                "Vault is overloaded, or what is before it has failed."
                causes "It answered 412, 429, 500 or 502 to 504."
                remedy "Look at the server's log and at what is before it, then run the command again.";
            VaultCannotFetch "vault-cannot-fetch"
                "Vault cannot read the issuer's documents."
                causes "It cannot reach the issuer's host."
                causes "The documents are missing or not public."
                remedy "Run `keyless publish` and `keyless verify --public-only`. For a server without a way \
                    to the documents, set vault.mode: static-keys.";
            VaultCa "vault-ca"
                "Vault does not trust the certificate of the issuer's host."
                causes "The host has a certificate authority of your own."
                remedy "Give its authority as vault.issuerCaFile.";
            VaultConfigForeign "vault-config-foreign"
                "The auth method was not made by keyless and is configured otherwise."
                causes "Another team or tool uses it."
                remedy "Choose another path: vault.mount.";
            VaultForbidden "vault-forbidden"
                "The Vault token may not do this."
                causes "Its policies miss a capability."
                remedy "Give the token the policy that the error prints.";
            VaultIssuerDiffers "vault-issuer-differs"
                "The document that Vault reads names another issuer."
                causes "The public URL leads to another cluster's documents."
                remedy "Run `keyless verify --public-only`, and correct what it names.";
            VaultIssuer "vault-issuer"
                "Vault does not take the issuer."
                causes "It is too long."
                remedy "Use a shorter issuer.";
            VaultKeyType "vault-key-type"
                "Vault does not verify with a key of the cluster."
                causes "The key is neither RSA nor EC."
                remedy "Sign with RSA 2048, and take other keys out of --service-account-key-file and \
                    cluster.publicKeys.";
            VaultKvVersion "vault-kv-version"
                "vault.kv is not a KV engine of version 2."
                causes "It is of version 1, or another engine."
                remedy "Give the path of a KV v2 engine; `vault secrets list -detailed` shows the versions.";
            VaultMissing "vault-missing"
                "Vault has nothing at a path that was there before."
                causes "It was deleted at the same time."
                remedy "Run the command again.";
            VaultMountForeign "vault-mount-foreign"
                "The auth method was not made by keyless, and only the store names it."
                causes "The store in the cluster named it."
                remedy "Set vault.mount in keyless.yaml: to this path to have a role added there, or to a \
                    new one.";
            VaultMountInUse "vault-mount-in-use"
                "The path of the auth method is in use by a method of another type."
                causes "Another auth method was mounted there."
                remedy "Choose another path: vault.mount.";
            VaultNamespacesUnknown "vault-namespaces-unknown"
                "It could not be established whether the server has namespaces, so the namespace is not used."
                causes "The server's health is not readable without a token, or hides its version."
                remedy "Let /v1/sys/health be read without a token, with `version` in its answer. Without \
                    namespaces, leave vault.namespace out.";
            VaultNamespace "vault-namespace"
                "Vault has no such namespace."
                causes "Vault.namespace is wrong."
                causes "The server has no namespaces."
                remedy "Give an existing namespace, e.g. team/prod, or leave vault.namespace out.";
            VaultNoNamespaces "vault-no-namespaces"
                "The server has no namespaces, so the resources would go into its root namespace."
                causes "Vault without Enterprise, or OpenBao before 2.3."
                remedy "Leave vault.namespace out, and choose names with vault.mount and vault.role.";
            VaultNoToken "vault-no-token"
                "There is no usable Vault token."
                causes "Neither VAULT_TOKEN nor BAO_TOKEN is set."
                remedy "Log in with `vault login`, then set VAULT_TOKEN=$(vault print token).";
            VaultNotInitialized "vault-not-initialized"
                "The server has not been initialized."
                causes "It is new."
                remedy "Run `vault operator init` or `bao operator init`, and unseal it.";
            VaultNotVault "vault-not-vault"
                "What answers is not Vault."
                causes "Vault.address has a path such as /v1 or /ui."
                causes "A proxy answers."
                remedy "Give the base URL of the API as vault.address.";
            VaultOtherCluster "vault-other-cluster"
                "The resource at Vault belongs to another cluster."
                causes "Two clusters use one auth method or role."
                causes "The cluster was rebuilt."
                remedy "Choose another vault.mount or vault.role. For a rebuilt cluster, run the command in \
                    the error, then setup again.";
            VaultOtherIssuer "vault-other-issuer"
                "The auth method serves another issuer."
                causes "It is another cluster's."
                causes "The issuer of this cluster has moved."
                remedy "Choose another vault.mount and vault.role. If it is this cluster's, run the command \
                    in the error, then setup again.";
            VaultOwnerUnknown "vault-owner-unknown"
                "The resource at Vault does not say which cluster it was made for."
                causes "It was made by an earlier version or by hand."
                remedy "Choose another vault.mount or vault.role. If it is this cluster's, run the command \
                    in the error, then setup again.";
            VaultPolicyForeign "vault-policy-foreign"
                "The policy was not made by keyless."
                causes "Another policy has this name, or it was changed by hand and cannot be read."
                remedy "Choose another name: vault.role; or take out of it what keyless did not write.";
            VaultRefused "vault-refused"
                "Vault refused the request for a reason that keyless does not know."
                causes "The error repeats the server's own reason."
                remedy "Look at the server's log; ask the same path with `curl` to compare.";
            VaultRoleForeign "vault-role-foreign"
                "The role was not made by keyless."
                causes "Another role has this name, or the role lets in another ServiceAccount."
                remedy "Choose another name: vault.role.";
            VaultSealed "vault-sealed"
                "The server is sealed."
                causes "It was restarted."
                remedy "Unseal it with `vault operator unseal` or `bao operator unseal`, then run the \
                    command again.";
            VaultSearchTooBroad "vault-search-too-broad"
                "A search finds more folders than keyless looks at."
                causes "The path of an ExternalSecret is too wide."
                remedy "Name a folder in the ExternalSecret: find.path.";
            VaultSetting "vault-setting"
                "A setting of Vault is not a name or path."
                causes "It holds a space or a character that no path has."
                remedy "Correct the setting that the error names.";
            VaultStandby "vault-standby"
                "The server is a standby that passes requests on to another server."
                causes "Vault.address names a standby."
                remedy "Give the active server's address as vault.address.";
            VaultToken "vault-token"
                "Vault does not know the token."
                causes "It has expired, was revoked, or is of another server."
                causes "Nothing is mounted at the path."
                remedy "Log in with `vault login`, then set VAULT_TOKEN=$(vault print token). Check \
                    vault.address and vault.namespace.";
            VaultTooManyKeys "vault-too-many-keys"
                "The cluster has more keys than Vault takes."
                causes "Former keys are still in --service-account-key-file."
                remedy "Remove keys whose tokens have all expired.";
        }
    };
}
