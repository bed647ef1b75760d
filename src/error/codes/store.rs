//! PURE. External Secrets Operator, stores, and the credentials that they logged in with.

macro_rules! store {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            AccountShared "account-shared"
                "keyless did not make the ServiceAccount of the store, so others may use it."
                causes "Store.serviceAccount names one that pods run as."
                remedy "Name another store.serviceAccount to give the store an identity of its own.";
            BrokeWithoutKey "broke-without-key"
                "Something stopped working while the old credential was disabled, so it was enabled again."
                causes "A workload or store needs it that keyless did not see."
                remedy "Find out what the named object needs it for. Nothing was deleted.";
            CredentialByHand "credential-by-hand"
                "keyless cannot revoke this credential."
                causes "Its provider is not one that keyless manages keys at."
                remedy "Revoke it at its provider by hand.";
            CredentialEnabled "credential-enabled"
                "The credential was enabled by someone else, so it stays enabled."
                causes "A person or tool still needs it."
                remedy "Find out who needs it, then run setup again.";
            CredentialGivenBack "credential-given-back"
                "A condition for disabling the credential no longer holds, so it was enabled again."
                causes "The store or its users changed at the same time."
                remedy "Run setup again: it names the condition.";
            CredentialInUse "credential-in-use"
                "Something else uses the credential, so it was enabled again."
                causes "Another store, workload or Secret has it."
                remedy "Move what the error names to a login of its own, then run setup again.";
            CredentialMalformed "credential-malformed"
                "A credential cannot be sent in a header."
                causes "It is empty, or holds a line break or a space."
                remedy "Write it again without the line break at its end.";
            CredentialStays "credential-stays"
                "The credential is not disabled yet."
                causes "Something has not been refreshed by the new login, or uses the credential."
                remedy "Do what the error names, then run setup again.";
            CredentialUnproved "credential-unproved"
                "It is not proved which credential this is, so it is not touched."
                causes "The Secret holds something else, or the provider does not confirm the key."
                remedy "Look at the Secret; delete it by hand once you know that nothing needs it.";
            EsoAudience "eso-audience"
                "The installed schema of External Secrets Operator cannot mint tokens for this audience \
                 alone."
                causes "An older release."
                remedy "Bind the Vault role to the audience that the error names, or upgrade.";
            EsoControllerUnknown "eso-controller-unknown"
                "No workload is recognized as the controller of External Secrets Operator."
                causes "It runs from an image of another name."
                causes "It does not run, or may not be seen."
                remedy "Label its Deployment app.kubernetes.io/name=external-secrets, or start the one that \
                    is installed.";
            EsoFieldMissing "eso-field-missing"
                "The installed schema of External Secrets Operator misses a field."
                causes "Its custom resource definitions are older than its controller."
                remedy "Upgrade both together.";
            EsoImpersonationAnnotation "eso-impersonation-annotation"
                "An annotation makes External Secrets Operator act as a Google service account."
                causes "The ServiceAccount was used with impersonation before."
                remedy "Remove the annotation with the command in the message, name another ServiceAccount, \
                    or set google.impersonate.";
            EsoMissing "eso-missing"
                "External Secrets Operator, or a part of it, is not installed in the cluster."
                causes "It was never installed."
                causes "Its custom resource definitions are missing, or may not be seen."
                remedy "Install it: helm install external-secrets external-secrets/external-secrets -n \
                    external-secrets --create-namespace. For definitions alone, use installCRDs=true.";
            EsoNamespace "eso-namespace"
                "A SecretStore cannot use a ServiceAccount of another namespace."
                causes "Store.serviceAccount names another namespace."
                remedy "Name a ServiceAccount of the store's own namespace, or use a ClusterSecretStore.";
            EsoNotInstalled "eso-not-installed"
                "It is not known that an administrator installed the operator that runs."
                causes "No ClusterRoleBinding gives its ServiceAccount the rights of External Secrets \
                    Operator."
                remedy "Install it with its ClusterRoleBinding, or grant `list` on clusterrolebindings so \
                    that keyless can see it.";
            EsoRoleForeign "eso-role-foreign"
                "A Role or RoleBinding of this name is not the one that keyless makes."
                causes "Another tool made it."
                remedy "If nothing needs it, delete it with the command in the error, and run setup again.";
            EsoTooOld "eso-too-old"
                "The installed release of External Secrets Operator cannot do this."
                causes "An older release."
                remedy "Upgrade it, with its custom resource definitions, to the release that the error \
                    names.";
            ManifestUnwritable "manifest-unwritable"
                "A manifest cannot be written."
                causes "The folder does not exist or is read-only."
                remedy "Name a folder that may be written with --manifests.";
            Manifest "manifest"
                "A manifest cannot be written as YAML."
                causes "This is a bug."
                remedy "Use -o json, and report it.";
            NewPath "new-path"
                "The new login was not proved, so the store was not changed."
                causes "A right is missing, or nothing could be read."
                remedy "Do what the error names, then run setup again; `keyless verify` shows each check.";
            NotPortable "not-portable"
                "An object would not work with another provider."
                causes "It uses a feature or name of one provider."
                remedy "Change the field that the warning names before the store moves.";
            ReplacedSecret "replaced-secret"
                "--replaced names no Secret, or one that does not exist."
                causes "A typing error."
                remedy "Write NAMESPACE/NAME or NAMESPACE/NAME/ENTRY of the Secret that the store used \
                    before.";
            RetirementNotNoted "retirement-not-noted"
                "It is not known for certain which credential the store used before. Nothing was changed."
                causes "The former login was changed without keyless."
                remedy "If the Secret in the error is right, run `keyless setup --retire-key --replaced \
                    NAMESPACE/NAME`.";
            RetirementRaced "retirement-raced"
                "Another run or a person changed the ConfigMap of the retirement at the same time."
                causes "Two runs of setup."
                remedy "Let the other run end, then run setup again.";
            RetirementState "retirement-state"
                "What an earlier run saved about the retirement cannot be used. Nothing was changed."
                causes "The ConfigMap was edited or damaged."
                remedy "Look at the ConfigMap in the error. If nothing in it is needed, delete it and run \
                    setup again.";
            SecretHoldsMore "secret-holds-more"
                "The Secret holds other values beside the credential, so it is not deleted."
                causes "Several values share one Secret."
                remedy "Move the other values into a Secret of their own, then run setup again.";
            StillSigning "still-signing"
                "The API servers still sign as the issuer whose documents are removed."
                causes "The issuer was not changed back."
                remedy "Let the old issuer sign first: `keyless render issuer --help`.";
            StoreChanged "store-changed"
                "The store has a provider that keyless did not write."
                causes "A person or tool changed it."
                remedy "Look who changed it: kubectl get -o yaml --show-managed-fields.";
            StoreGone "store-gone"
                "The store does not exist."
                causes "It was deleted."
                remedy "Bring it back, or set store.name in keyless.yaml to the one that is meant.";
            StoreLoginByNamespace "store-login-by-namespace"
                "The store logs in with what each namespace has of its own."
                causes "A ClusterSecretStore without a namespace in its references."
                remedy "Give each namespace its own SecretStore, or limit the store's conditions.";
            StoreName "store-name"
                "The text cannot be the name of a store."
                causes "It is not a name of a Kubernetes object."
                remedy "Correct store.name and store.namespace.";
            StoreNotReady "store-not-ready"
                "The store does not become ready with the new login."
                causes "A right or a setting at the provider is missing."
                remedy "Run `keyless verify`: it names the step that fails. Then run setup again.";
            StoreOrphaned "store-orphaned"
                "A store that keyless did not make loses its login."
                causes "Teardown withdraws what it logs in by."
                remedy "Move the store first with `keyless setup --to`, or name another provider in it by \
                    hand.";
            StoreOtherProvider "store-other-provider"
                "The store is at another provider than the one that the run is about."
                causes "Several stores were named, or --all was given, and not all of them are at one provider."
                remedy "Move it with --to, or set it up with a settings file of its own.";
            StoreReplaced "store-replaced"
                "The store was deleted and created again, so what was saved belongs to the former one."
                causes "A GitOps tool or a person created it again."
                remedy "Name the Secret that the store used before: `keyless setup --replaced \
                    NAMESPACE/NAME`.";
            StoreReverted "store-reverted"
                "The store names its former credential again."
                causes "Argo CD, Flux or a person applied the former manifest."
                remedy "Find out what put it back, and change it there.";
            StoreRightsMalformed "store-rights-malformed"
                "An entry of store.secrets names nothing."
                causes "It is empty, or has spaces or line breaks around it."
                remedy "Name secrets as ExternalSecrets do; `*` in a search means every secret.";
            StoreUnknown "store-unknown"
                "There is no store of this name in the cluster."
                causes "Store.name or store.namespace is wrong."
                remedy "Set store.name to one of those that the error lists; for a SecretStore, \
                    store.namespace as well.";
            StoreWrittenAgain "store-written-again"
                "The store comes from a tool that would write its former provider again."
                causes "Helm, Argo CD or Flux manages it."
                remedy "Change the store in that tool's source too.";
            TrustLeft "trust-left"
                "A trust at the provider stays after teardown or setup, or it is not known whether one does."
                causes "keyless did not make it, or another cluster uses it, or it could not be looked at."
                remedy "Remove it by hand if nothing needs it.";
            UndoDisabled "undo-disabled"
                "The former credential was disabled by someone else."
                causes "An administrator or policy disabled it."
                remedy "Find out why, enable it, then run `keyless setup --undo`.";
            UndoSeveral "undo-several"
                "--undo was given with several stores."
                causes "--store was repeated."
                remedy "Run keyless setup --undo --store STORE once for each store.";
            UndoTooLate "undo-too-late"
                "The former credential is deleted and cannot be restored."
                causes "Setup ran with --retire-key."
                remedy "Make a new key, put it into the Secret, and name it in the store.";
            UndoUnsaved "undo-unsaved"
                "The former provider of the store was not saved."
                causes "Its settings may have held a secret, or the store was changed without keyless."
                remedy "Write the former provider back by hand.";
            UndoWithoutSecret "undo-without-secret"
                "The Secret of the former credential is gone or holds something else."
                causes "It was deleted or replaced."
                remedy "Put the credential back, then run `keyless setup --undo`.";
            UsersNotRead "users-not-read"
                "A list of possible users of the credential was not answered."
                causes "Custom resource definitions are being changed."
                remedy "Run setup again when they are not being changed any more.";
            UsersNotSeen "users-not-seen"
                "What else uses the credential cannot be seen, so it is not disabled."
                causes "Rights in the cluster are missing."
                remedy "Grant the rights that the error names; deploy/setup has them.";
        }
    };
}
