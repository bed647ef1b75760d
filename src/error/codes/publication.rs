//! PURE. The public documents.

macro_rules! publication {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            AudienceMalformed "audience-malformed"
                "The audience of test tokens is empty, too long, or has other than printable ASCII \
                 characters."
                causes "--audience or verify.audience holds a space or a line break."
                remedy "Give 1 to 255 printable ASCII characters without spaces, or leave it out.";
            AudienceTrusted "audience-trusted"
                "Something trusts tokens for this audience, so it cannot be that of test tokens."
                causes "It is the audience of the API server or of a provider."
                remedy "Leave --audience and verify.audience out, or name an audience that nothing trusts.";
            BodyCut "body-cut"
                "The answer ended before its end."
                causes "The connection broke."
                causes "A proxy cuts long answers."
                remedy "Run the command again; if it happens each time, look at what is before the server.";
            BodyDuplicateMember "body-duplicate-member"
                "A JSON document has a member twice."
                causes "Something other than an API server wrote it."
                remedy "Find out what serves the document that the error names, and correct it there.";
            BodyEmpty "body-empty"
                "The document is empty."
                causes "The server answered with success and no body."
                remedy "Run the command again, then look at what serves the document.";
            BodyHtml "body-html"
                "The document is a web page."
                causes "A login page, a proxy, or a web site answers in its place."
                remedy "Open the URL in the error with `curl`, and correct what serves it.";
            BodyNotAnObject "body-not-an-object"
                "The document is JSON, but not an object."
                causes "Something else is served at this address."
                remedy "Open the URL in the error with `curl`, and correct what serves it.";
            BodyNotJson "body-not-json"
                "The document is not JSON."
                causes "It was cut off."
                causes "Something else is served at this address."
                remedy "Open the URL in the error with `curl`, and correct what serves it.";
            BodyNotUtf8 "body-not-utf8"
                "The document is not UTF-8 text."
                causes "Something else is served at this address."
                causes "It is compressed."
                remedy "Open the URL in the error with `curl`, and correct what serves it.";
            BodyStatus "body-status"
                "The document is a Kubernetes Status object."
                causes "An API server refused, and something in between changed the HTTP status to success."
                remedy "Look at what is between this machine and the API server.";
            BodyTooLarge "body-too-large"
                "The answer is larger than keyless reads."
                causes "Something else is served at this address."
                causes "Objects of the cluster are very large."
                remedy "Look at the address in the error with `curl` or `kubectl get --raw`.";
            Damaged "damaged"
                "A damaged document is replaced."
                causes "`keyless publish --restore` was run."
                remedy "Nothing; the warning names what was damaged.";
            DiscoveryMalformed "discovery-malformed"
                "The discovery document misses a required member."
                causes "Something else is served at this address."
                remedy "Publish with `keyless publish`, or correct what serves the document.";
            IssuerLeadsElsewhere "issuer-leads-elsewhere"
                "The issuer's URL shows something other than what is in the bucket."
                causes "--issuer, --public-url or --bucket name another place."
                causes "A cache shows a former document."
                remedy "Correct --issuer, --bucket or --public-url. After a change of the place, wait until \
                    caches have expired.";
            IssuerMissing "issuer-missing"
                "No issuer is named, and none follows from the bucket."
                causes "Neither --issuer nor issuer in keyless.yaml is set."
                remedy "Give --issuer URL, the URL that becomes `iss` in every token.";
            IssuerNotOfBucket "issuer-not-of-bucket"
                "Nothing shows that the issuer leads to the bucket. Nothing was written."
                causes "The issuer is on a domain of your own."
                remedy "If https://HOST shows the bucket's root, give --public-url https://HOST.";
            IssuerOfAnotherCluster "issuer-of-another-cluster"
                "This cluster serves none of the published keys."
                causes "Two clusters use one issuer."
                causes "All keys of the cluster were replaced at once."
                remedy "Give each cluster a path of its own with --issuer. If it is this cluster, run \
                    `keyless publish --same-cluster`.";
            IssuerOtherBucket "issuer-other-bucket"
                "The issuer leads to another bucket."
                causes "--issuer or --bucket names another place."
                remedy "Correct --issuer or --bucket; the error names where the issuer leads.";
            IssuerOutsideBucket "issuer-outside-bucket"
                "The issuer is outside of the bucket's public URL."
                causes "--public-url is not the beginning of the issuer."
                remedy "Give --public-url the URL where the bucket's root is read, and an issuer that begins \
                    with it.";
            IssuerPrefix "issuer-prefix"
                "The prefix of the bucket and the path of the issuer differ."
                causes "--bucket has a prefix that the issuer does not have."
                remedy "Leave the prefix out of --bucket: object names follow from the issuer.";
            JwksUriChanges "jwks-uri-changes"
                "The published document names another key set, and keyless changes that."
                causes "Another tool published the issuer before."
                remedy "Wait until caches have expired before the former key set is removed.";
            KeyForeign "key-foreign"
                "A key is published that the ledger knows neither from an API server nor from a file."
                causes "Someone else wrote it into the bucket."
                causes "It was staged by `keyless setup`, by a run without a cluster, or by one that could not write the ledger."
                remedy "If you staged it, run `keyless keys add FILE`. Otherwise find out whose key it is: its holder can sign \
                    as every workload. `keyless keys revoke KID` removes it.";
            KeyLive "key-live"
                "A key is not revoked, because it would be published again."
                causes "An API server still has it."
                causes "A file in the settings holds it."
                remedy "Take it from every API server and from the settings, then run `keyless keys revoke` again.";
            KeyMissing "key-missing"
                "A former or staged key is no longer published, and relying parties refuse its tokens."
                causes "Someone else took it out of the bucket, or replaced the bucket."
                causes "With uploaded keys: one provider has it, and another one lacks it."
                causes "A run that staged it was interrupted."
                remedy "Find out who removed it. `keyless keys add FILE` publishes it again. If it is of no use \
                    any more, run `keyless keys revoke KID`.";
            KeyNotReadByAll "key-not-read-by-all"
                "Not every relying party reads keys of this type."
                causes "The cluster signs with a key other than RSA 2048."
                remedy "If you use one of the relying parties that the warning names, sign with RSA 2048.";
            KeyNotServed "key-not-served"
                "A key is published that no API server serves."
                causes "It is a former key of this cluster."
                causes "Someone else put it into the bucket."
                remedy "Find out whose key it is. Its holder can sign as every workload.";
            KeyOnlyPublic "key-only-public"
                "Anonymous readers see keys that are not in the bucket. They are kept."
                causes "A cache or another bucket is before this one."
                remedy "Find out where the public URL leads, and whose keys they are.";
            KeyReplaced "key-replaced"
                "A published key gives way to the one that this cluster serves under the same kid."
                causes "`keyless publish --restore` was run."
                remedy "Find out who published the other key: its holder could sign as every workload.";
            KeyReturned "key-returned"
                "A key that was taken out of the published set is published again."
                causes "Someone else put it back into the bucket."
                causes "The run that took it out was interrupted, or a cache shows a former key set."
                remedy "Find out who wrote it: its holder can sign as every workload. `keyless publish` takes it \
                    out once every API server answers. Where there are fewer API servers than before, run \
                    `keyless keys revoke KID`.";
            KeyRevokedLive "key-revoked-live"
                "A revoked key is served or used by an API server, and so it is published."
                causes "It is still in --service-account-key-file of an API server."
                remedy "Take it from every API server, then run `keyless publish`.";
            KeyShownOnce "key-shown-once"
                "One API server had a key in one look, never signed with it, and no longer has it."
                causes "A rotation was begun and withdrawn."
                causes "Someone else changed an API server for a short time."
                remedy "Find out who changed the API server. `keyless keys revoke KID` removes the key at once.";
            KeyUnknown "key-unknown"
                "No key of this kid is published, live or staged."
                causes "A mistyped kid."
                remedy "Run `keyless keys`: it lists every key.";
            KeysUploaded "keys-uploaded"
                "There are no documents, because the provider is given the keys."
                causes "The settings choose uploaded keys and name no bucket."
                remedy "Run `keyless publish` without flags about documents: it updates the provider's keys. `keyless keys add \
                    FILE` records a former key. To publish documents as well, give --bucket.";
            KidTaken "kid-taken"
                "Another key is published under a kid of this cluster. Nothing was written."
                causes "Someone wrote it into the bucket."
                causes "The cluster's key was damaged."
                remedy "Find out who published it, then run `keyless publish --restore`; with uploaded keys, `keyless setup`.";
            LeaseLost "lease-lost"
                "The process could not renew its Lease in time, or lost it. It stopped writing."
                causes "The API server did not answer for 10 seconds."
                causes "The process did not get to run, e.g. because its CPU limit is too low."
                causes "Another user changed or deleted the Lease."
                remedy "Nothing, if it happens once: another publisher goes on. Otherwise look at the API server and at the \
                    pod's CPU.";
            LeaseUnavailable "lease-unavailable"
                "The Lease could not be read or written. Nothing is written without it."
                causes "The right to get, create or update the Lease is missing."
                causes "Its namespace does not exist."
                causes "The API server did not answer."
                remedy "Grant get and update on this Lease, and create in its namespace; or leave out --lease where only one \
                    publisher runs.";
            LedgerLost "ledger-lost"
                "The ledger of the keys, or a part of it, cannot be used. Keys stay longer by that."
                causes "Its ConfigMap was edited, damaged, or restored from another cluster's backup: a new one is begun."
                causes "A newer version of keyless wrote it, or the ConfigMap holds something else: it is left as it is."
                causes "A clock was ahead: the entries with such times are left out."
                remedy "Run the version of keyless that wrote it, or name another ConfigMap in cluster.ledger, if it is left as \
                    it is. Former keys that are reported as key-not-served are recorded by `keyless publish --same-cluster`.";
            LedgerMissing "ledger-missing"
                "No ledger of the keys is kept where the settings name one."
                causes "cluster.ledger is mistyped."
                causes "The namespace does not exist, or no run has written the ledger yet."
                remedy "Correct cluster.ledger, or create the namespace. Once it exists, the next `keyless publish` begins \
                    the ledger.";
            LedgerUnreadable "ledger-unreadable"
                "The ledger of the keys could not be read. No key is removed."
                causes "The right to get the ConfigMap is missing."
                causes "The API server did not answer."
                remedy "Apply deploy/base, which has the ConfigMap and the right.";
            LedgerUnwritten "ledger-unwritten"
                "The ledger of the keys could not be written. The keys are published, and none is removed."
                causes "The right to patch the ConfigMap is missing."
                causes "Other publishers write it all the time."
                remedy "Apply deploy/base, which has the ConfigMap and the right.";
            MetricsAddress "metrics-address"
                "The address of --metrics-address cannot be listened on."
                causes "Another process uses the port."
                causes "The address is not one of this host, or the port needs more rights."
                remedy "Give another address or port.";
            NoKeySource "no-key-source"
                "There is no key to publish."
                causes "No cluster is asked and no file is given."
                remedy "Leave out --no-cluster, or give --public-key FILE.";
            ProviderNotSetUp "provider-not-set-up"
                "The provider cannot be given the cluster's keys as it is. Nothing was changed."
                causes "`keyless setup` has not run yet, or what it made was deleted or disabled."
                causes "The provider believes another issuer, or fetches public documents."
                remedy "Run `keyless setup`, which shows what it would change; `publish` creates nothing at a provider.";
            PublicCopyStale "public-copy-stale"
                "Anonymous readers still get a former document."
                causes "A cache shows it as long as its Cache-Control allows."
                remedy "Sign with a new key only after the document's cache time (5 minutes).";
            PublicKeyUnreadable "public-key-unreadable"
                "The file of --public-key cannot be read."
                causes "It does not exist, or may not be read."
                remedy "Give the file of --service-account-key-file, e.g. /etc/kubernetes/pki/sa.pub.";
            PublicUnknown "public-unknown"
                "It could not be established which keys anonymous readers see. Nothing was written."
                causes "The public URL does not answer."
                remedy "Make the public URL answer, then publish again. The causes say what went wrong.";
            PublishedKeysElsewhere "published-keys-elsewhere"
                "The published document names a key set that keyless does not read."
                causes "It is on another host than the issuer."
                remedy "Publish the keys on the issuer's host. If that key set is of no use, run `keyless \
                    publish --restore`.";
            PublishedKeysUnreadable "published-keys-unreadable"
                "The published key set cannot be read, and its keys would be lost. Nothing was written."
                causes "It was damaged or deleted."
                causes "It is not public."
                remedy "Make it readable and publish again. If it is of no use, run `keyless publish \
                    --restore`.";
            PublisherAccount "publisher-account"
                "The publisher cannot log in with this ServiceAccount."
                causes "A secret store logs in with it."
                causes "Test tokens are minted for it, or it is the default account of its namespace."
                remedy "Give the publisher a ServiceAccount of its own: `keyless setup --publisher \
                    keyless-system/keyless`.";
            PublisherBinding "publisher-binding"
                "The publisher's right on the bucket is marked for another cluster."
                causes "Two clusters share a workload identity pool."
                remedy "Give each cluster a pool of its own, or remove the binding by hand if that cluster is \
                    no more.";
            PublisherByHand "publisher-by-hand"
                "`keyless setup` does not give the publisher its right on a bucket of this kind."
                causes "The bucket is at Azure, behind a token service of its own, or a folder."
                remedy "Give it by hand as docs/cronjob.md describes, and leave out --publisher and \
                    cluster.publisher.";
            PublisherLockedOut "publisher-locked-out"
                "The cluster signs with a key that is not known where its publisher logs in."
                causes "An API server signs with a new key that was not published before."
                remedy "Run `keyless publish` once with a person's login, or sign with the former key until \
                    the new one is public. Next time, publish the key first: `keyless keys add FILE`.";
            PublisherNoStore "publisher-no-store"
                "The publisher gets its rights together with a store, and the run has no store to set up."
                causes "No store is known to log in with a stored credential, and none is named."
                causes "No store that was named could be set up."
                remedy "Name a store, also one that is set up already: `keyless setup --store NAME --publisher \
                    keyless-system/keyless`.";
            PublisherObject "publisher-object"
                "No right can be granted on the documents by their names."
                causes "The bucket, or the prefix, in --bucket has other characters than letters, digits and -_.~ in it."
                remedy "Take another prefix, or grant the right by hand.";
            PublisherProvider "publisher-provider"
                "The publisher cannot log in through the provider that setup is about."
                causes "The bucket is at another provider than the secrets."
                causes "The provider is given the keys, and takes a person's login for that."
                remedy "Run setup with --publisher for a store at the bucket's provider, or grant the right by \
                    hand as docs/cronjob.md describes.";
            PublisherStoredKey "publisher-stored-key"
                "The bucket takes stored keys only, so no publisher can log in to it by a token of the cluster."
                causes "The store has no token service: Hetzner, Cloudflare R2, Backblaze B2, Garage and others."
                remedy "Take a bucket at Google or AWS, or give Google the keys (google.mode: uploaded), or store \
                    a key for this one bucket: `keyless audit` counts it.";
            PublisherUndecided "publisher-undecided"
                "The publisher is granted nothing, because a settings file that no flag names says where it would write, or \
                    who it is."
                causes "The file was found in the current folder, where anyone may have put it."
                remedy "Read it. If it is right, name it: `keyless setup --publisher --config keyless.yaml`. Or name bucket \
                    and account by flags or variables.";
            ReadBackDiffers "read-back-differs"
                "Anonymous readers get another document than was written."
                causes "The public URL leads to another bucket or folder."
                causes "A server in between changes the document."
                remedy "Correct --issuer or --public-url, or what serves the URL.";
            ReadBackFailed "read-back-failed"
                "Relying parties cannot use what was published."
                causes "The causes name each failed check."
                remedy "Do what the hints say, then run `keyless publish` again; `keyless verify` shows \
                    every check.";
        }
    };
}
