//! PURE. The cluster and its API servers.

macro_rules! cluster {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            ApplyConflict "apply-conflict"
                "Another field manager owns fields that keyless writes."
                causes "Helm, Argo CD, Flux or kubectl wrote the object."
                remedy "Change the fields where they come from; the error names the manager.";
            ApplyInvalid "apply-invalid"
                "The API server does not take the object."
                causes "The custom resource definitions of External Secrets Operator are older than its \
                    controller."
                remedy "Upgrade the custom resource definitions together with External Secrets Operator.";
            ApplyRaced "apply-raced"
                "The object was changed while keyless was changing it."
                causes "A controller or a person wrote it at the same time."
                remedy "Run the command again.";
            ClockSkew "clock-skew"
                "The clock of an API server differs from that of this machine."
                causes "One of the two has no time synchronization."
                remedy "Set the clock of both (`timedatectl`, NTP).";
            ClusterAnswer "cluster-answer"
                "The API server answered with something that no API server sends."
                causes "A proxy or gateway changes the answers."
                causes "The kubeconfig leads to another server."
                remedy "Compare with `kubectl get --raw` and the path in the error.";
            ClusterBusy "cluster-busy"
                "The API server is overloaded or starting."
                causes "It answered 429 or 503."
                remedy "Run the command again in a minute.";
            ClusterConflict "cluster-conflict"
                "The object differs from what keyless read."
                causes "Another writer changed it at the same time."
                remedy "Run the command again.";
            ClusterForbidden "cluster-forbidden"
                "A right in the cluster is missing."
                causes "The user or ServiceAccount has no role that grants it."
                remedy "Grant the right that the error names. deploy/base, deploy/auditor and deploy/setup \
                    grant what each command needs.";
            ClusterGone "cluster-gone"
                "The list changes faster than it can be read."
                causes "Many objects are written at the same time."
                remedy "Run the command again in a minute.";
            ClusterInvalid "cluster-invalid"
                "The API server refuses the object."
                causes "The installed custom resource definition has other fields."
                remedy "Upgrade External Secrets Operator and its custom resource definitions.";
            ClusterMismatch "cluster-mismatch"
                "The settings are for another cluster. Nothing was changed."
                causes "The current context of the kubeconfig is another one."
                causes "The cluster was rebuilt."
                remedy "Choose the context with --context, or other settings with --config. For a rebuilt \
                    cluster, set cluster.uid to its new UID.";
            ClusterNeeded "cluster-needed"
                "The command works on a cluster, and the settings turn it off."
                causes "keyless.yaml has `cluster.enabled: false`."
                remedy "Remove `cluster.enabled: false` from keyless.yaml.";
            ClusterNotFound "cluster-not-found"
                "The API server has no such object or path."
                causes "It was deleted."
                causes "The cluster has no such API."
                remedy "Check the name in the error; run the command again.";
            ClusterNotSeen "cluster-not-seen"
                "Not everything could be seen that the change may touch. Nothing was changed."
                causes "Rights in the cluster are missing."
                remedy "Grant the rights that the message names; `keyless render rbac --for COMMAND` prints \
                    those of each command.";
            ClusterRefused "cluster-refused"
                "The API server refused the request."
                causes "The error repeats its reason."
                remedy "Look at the API server's log; `kubectl get --raw` with the same path shows the whole \
                    answer.";
            ClusterRequest "cluster-request"
                "The request to the API server could not be made."
                causes "The server of the kubeconfig cannot be part of a URL."
                remedy "Check the context with `kubectl config view --minify`.";
            ClusterUidUnknown "cluster-uid-unknown"
                "The UID of the namespace kube-system, which identifies the cluster, was not read."
                causes "The right to get this namespace is missing."
                causes "What answers is not a whole cluster."
                remedy "Grant `get` on the namespace kube-system; deploy/base does.";
            ClusterUidUnreadable "cluster-uid-unreadable"
                "The settings name a cluster, and it could not be established that this is the one. Nothing \
                 was changed."
                causes "The right to get the namespace kube-system is missing."
                remedy "Grant `get` on the namespace kube-system; deploy/base does.";
            ClusterUid "cluster-uid"
                "cluster.uid in the settings file is not a UID."
                causes "A template was not filled in."
                remedy "Set it to the output of `kubectl get namespace kube-system -o \
                    jsonpath='{.metadata.uid}'`.";
            ClusterUnauthorized "cluster-unauthorized"
                "The API server does not accept the credential."
                causes "The certificate or token of the kubeconfig has expired."
                causes "The API servers hold different keys."
                remedy "Log in again; `kubectl auth whoami` must work.";
            ClusterUnverified "cluster-unverified"
                "The kubeconfig tells keyless not to verify the API server, so it is not asked."
                causes "Insecure-skip-tls-verify is set."
                remedy "Remove insecure-skip-tls-verify from the kubeconfig, and name the certificate \
                    authority.";
            CredentialPlugin "credential-plugin"
                "The credential plugin of the kubeconfig failed."
                causes "Its login has expired."
                causes "It printed something that is no ExecCredential."
                remedy "Run the plugin by hand; `kubectl auth whoami` must work.";
            IssuerDiffers "issuer-differs"
                "An API server signs as another issuer than its own discovery document names."
                causes "A gateway changes the document."
                causes "The server is being restarted with other flags."
                remedy "Compare `kubectl get --raw /.well-known/openid-configuration` of every API server.";
            IssuerEndpointsMissing "issuer-endpoints-missing"
                "The API server does not serve its issuer documents."
                causes "Its first --service-account-issuer is not an https URL without query and fragment."
                remedy "Start every API server with such an issuer first; keep the present one as a second \
                    flag. `keyless render issuer` prints the flags.";
            IssuerNotSigned "issuer-not-signed"
                "API servers do not sign as the issuer yet."
                causes "Their first --service-account-issuer is another one."
                remedy "Make the change that `keyless render issuer` prints, on one API server after the \
                    other, then run setup again.";
            KeyLeftOut "key-left-out"
                "A key that an API server serves is not published."
                causes "Relying parties cannot read keys of this type."
                remedy "Sign with an RSA or EC key.";
            KubeconfigMissing "kubeconfig-missing"
                "KUBECONFIG names a file that does not exist. It is ignored."
                causes "A path in the list is outdated."
                remedy "Remove the path from KUBECONFIG.";
            Kubeconfig "kubeconfig"
                "The kubeconfig cannot be used."
                causes "It or its context does not exist."
                causes "It is malformed, or names a server or login that cannot be used."
                remedy "`kubectl config view` with the same file shows how kubectl reads it. Choose with \
                    --kubeconfig and --context.";
            ServerBadAnswer "server-bad-answer"
                "An API server gave an answer that cannot be used."
                causes "A key set or token that is malformed or weak."
                causes "A gateway changes the answers."
                remedy "Read the cause; compare `kubectl get --raw /openid/v1/jwks` of every API server.";
            ServerRefuses "server-refuses"
                "An API server refused the request."
                causes "The servers authorize or authenticate differently."
                remedy "Compare the flags of the API servers; the warning names the right that is missing.";
            ServerUnreachable "server-unreachable"
                "An API server did not answer. Keys that only it serves are not known."
                causes "It is down."
                causes "It cannot be reached from here."
                remedy "Bring the server back, or run keyless where it can be reached.";
            ServerUnverified "server-unverified"
                "API servers cannot be asked by their own addresses."
                causes "The kubeconfig has no certificate authority, or names one server only."
                remedy "Name the certificate authority in the kubeconfig.";
            ServersDiffer "servers-differ"
                "Two API servers serve different keys."
                causes "A rotation has not reached all of them."
                remedy "Give every API server the same --service-account-key-file flags.";
            ServersNotSingly "servers-not-singly"
                "Only the kubeconfig's address was asked, and other API servers may be behind it."
                causes "The EndpointSlice default/kubernetes may not be read, or its addresses cannot be \
                    reached."
                remedy "Grant `get` on the EndpointSlice default/kubernetes, or run keyless where every API \
                    server can be reached.";
            ServersTooMany "servers-too-many"
                "The EndpointSlice default/kubernetes lists more addresses than keyless asks."
                causes "Another program writes the EndpointSlice."
                remedy "Find out what writes them: `kubectl get endpointslice kubernetes -o yaml`.";
            ServersUnsound "servers-unsound"
                "Some API servers cannot be relied on. What the others serve is published."
                causes "A server did not answer, refused, or signs with a key that no server serves."
                remedy "Read the causes: each names a server and what to do.";
            ServiceAccountMissing "service-account-missing"
                "There is no such ServiceAccount."
                causes "It was deleted, or setup has not made it yet."
                remedy "For the store, run `keyless setup`. For test tokens, name one that exists by \
                    --service-account; deploy/base makes keyless-probe.";
            ServiceAccountUnknown "service-account-unknown"
                "keyless could not determine the ServiceAccount of its own pod."
                causes "The pod's token is mounted by another tool, or is not a token of a ServiceAccount."
                remedy "Name it by --service-account NAMESPACE/NAME.";
            ServiceAccount "service-account"
                "The text does not name a ServiceAccount."
                causes "The namespace is missing."
                causes "The name cannot be that of a Kubernetes object."
                remedy "Write NAMESPACE/NAME, in --service-account or store.serviceAccount.";
            SignerNotServed "signer-not-served"
                "An API server signs with a key that it or no API server serves."
                causes "--service-account-key-file misses the public half of the signing key."
                remedy "Add the key to --service-account-key-file of every API server, then publish again.";
            SignerUnproved "signer-unproved"
                "It is not known which key an API server signs with."
                causes "Its token names no `kid`, or was not made by the key that it names."
                remedy "Find out what signs the tokens, and whether something changes them on the way.";
            SignerUnpublishable "signer-unpublishable"
                "An API server signs with a key that relying parties cannot read."
                causes "The key is neither RSA nor EC."
                remedy "Sign with an RSA or EC key; RSA 2048 is accepted everywhere.";
            TlsClient "tls-client"
                "TLS cannot be set up on this system."
                causes "The kubeconfig's client certificate or authority cannot be used together."
                remedy "Check the certificates of the context with `kubectl config view --minify`.";
            TokenMalformed "token-malformed"
                "The API server's token cannot be read."
                causes "A gateway changes the answer."
                remedy "Compare with `kubectl create token default`.";
        }
    };
}
