//! PURE. Issuers, and the flags of the API servers.

macro_rules! issuer {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            ApiAudiencesPinned "api-audiences-pinned"
                "The ClusterConfiguration pins --api-audiences."
                causes "The API servers accept tokens for these audiences only."
                remedy "Add audiences if you must, and remove none: running pods would lose access.";
            ClusterConfiguration "cluster-configuration"
                "The ClusterConfiguration of kubeadm cannot be used."
                causes "The file cannot be read."
                causes "It is no ClusterConfiguration, or of an old version."
                remedy "Take it from `kubectl -n kube-system get configmap kubeadm-config -o \
                    jsonpath='{.data.ClusterConfiguration}'`. Migrate an old one with `kubeadm config \
                    migrate`.";
            DistroManaged "distro-managed"
                "The API servers belong to the provider of the cluster, which publishes the documents itself."
                causes "The cluster is EKS, GKE, AKS or OpenShift."
                remedy "Publish nothing. Take the workload identity of the cluster's provider, or make another provider's \
                    trust in the cluster's own issuer with that provider's tools. The error says where that issuer is.";
            DistroTooOld "distro-too-old"
                "This version of Kubernetes knows one issuer only."
                causes "Kubernetes before 1.22."
                remedy "Upgrade first: before 1.22, a change of the issuer is an outage for every pod.";
            IssuerCharacter "issuer-character"
                "The issuer holds a character that is not compared the same way everywhere."
                causes "A percent sign, a space or a letter outside of ASCII."
                remedy "Use lower-case letters, digits, `-`, `.`, `_`, `~` and `/`.";
            IssuerComma "issuer-comma"
                "The issuer holds a comma."
                causes "Several issuers in one value."
                remedy "Give one URL. The API server takes several only as repeated flags.";
            IssuerEmpty "issuer-empty"
                "The issuer is empty."
                causes "A template was not filled in."
                remedy "Give `iss` of the cluster's tokens.";
            IssuerFragment "issuer-fragment"
                "The issuer holds a fragment."
                causes "The URL was copied from a browser."
                remedy "Remove the `#` and what follows.";
            IssuerHost "issuer-host"
                "The host of the issuer is not a public DNS name."
                causes "An IP address, a name without a dot, or an underscore."
                remedy "Use a name with a certificate that relying parties trust, e.g. that of the bucket.";
            IssuerIsADocument "issuer-is-a-document"
                "The URL is that of a document, not of the issuer."
                causes "It ends with the path of the discovery document or of the key set."
                remedy "Give what is before that path.";
            IssuerNotAUrl "issuer-not-a-url"
                "The issuer is not a URL."
                causes "The scheme is missing."
                remedy "Give a URL such as https://oidc.example.com/prod.";
            IssuerNotHttps "issuer-not-https"
                "The scheme of the issuer is not https."
                causes "Http, or another scheme."
                remedy "Use https: relying parties accept nothing else (OpenID Connect Discovery 1.0 §3).";
            IssuerPath "issuer-path"
                "The path of the issuer has empty or dot segments."
                causes "A double slash, `.` or `..`."
                remedy "Name each segment once, e.g. https://oidc.example.com/prod.";
            IssuerPort "issuer-port"
                "The issuer holds a port."
                causes "The documents are served on another port than 443."
                remedy "Serve the documents on port 443: AWS refuses ports.";
            IssuerQuery "issuer-query"
                "The issuer holds a query."
                causes "The URL was copied from a browser or is a signed URL."
                remedy "Remove the `?` and what follows.";
            IssuerTooLong "issuer-too-long"
                "The issuer is too long."
                causes "A long path."
                remedy "Use a shorter path; the error names the limit.";
            IssuerTrailingSlash "issuer-trailing-slash"
                "The issuer ends with a slash."
                causes "Some relying parties keep it and others remove it."
                remedy "Remove the slash.";
            IssuerUpperCase "issuer-upper-case"
                "The issuer holds a capital letter."
                causes "Relying parties compare bytes."
                remedy "Write it in lower case everywhere.";
            IssuerUserInfo "issuer-user-info"
                "The issuer holds user info."
                causes "A user or password is before an `@`."
                remedy "Remove everything up to the `@`.";
            OneIssuerOnly "one-issuer-only"
                "The API servers of this distribution can name one issuer only."
                causes "Its settings hold one value for each flag."
                remedy "Plan an outage: running pods lose access to the API until they are restarted. Or \
                    upgrade to a version that can name several.";
            OldIssuerAssumed "old-issuer-assumed"
                "The old issuer was assumed from the distribution's default."
                causes "No cluster was asked."
                remedy "Check it by the commands that are printed, and give the right one with --old-issuer.";
            OldIssuerUnproven "old-issuer-unproven"
                "The old issuer was taken from the ClusterConfiguration."
                causes "No cluster was asked, and what runs may differ."
                remedy "Check it by the commands that are printed, and give the right one with --old-issuer.";
            OldIssuer "old-issuer"
                "A value of --old-issuer cannot be an issuer."
                causes "It is empty, holds a comma or an `@`, or characters that no issuer has."
                remedy "Give `iss` of a token that the cluster signs now. Repeat --old-issuer for several.";
            Stage "stage"
                "There is no such rollout."
                causes "One API server needs one rollout only."
                remedy "Leave --stage out. With several API servers, give --servers.";
        }
    };
}
