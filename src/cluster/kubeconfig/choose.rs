//! PURE. From kubeconfig files to the one cluster and user that are meant, by the rules of
//! k8s.io/client-go/tools/clientcmd (loader.go, client_config.go, validation.go).
//!
//! Where kubectl falls back to `localhost:8080`, or asks on the terminal, this is an error: that cluster was not meant.

use super::file::{Cluster, Exec, File, User};
use crate::error::{Code, Error, Result};

/// The API versions of credential plugins that are understood, as kubectl 1.24 and newer.
const EXEC_VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// What a context leads to.
pub(super) struct Chosen {
    pub(super) context: String,
    pub(super) cluster_name: String,
    pub(super) user_name: String,
    pub(super) cluster: Cluster,
    pub(super) user: User,
}

/// When a credential plugin is given the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Interactive {
    Never,
    IfAvailable,
    Always,
}

/// The first file that has an entry, or names a context, decides; entries are not mixed.
pub(super) fn merge(files: impl IntoIterator<Item = File>) -> File {
    fn add<T>(all: &mut Vec<(String, T)>, more: Vec<(String, T)>) {
        for (name, entry) in more {
            if !all.iter().any(|(other, _)| *other == name) {
                all.push((name, entry));
            }
        }
    }
    let mut merged = File::default();
    for file in files {
        merged.current_context = merged.current_context.or(file.current_context);
        add(&mut merged.clusters, file.clusters);
        add(&mut merged.users, file.users);
        add(&mut merged.contexts, file.contexts);
    }
    merged
}

/// What [`merge`] leaves out although it differs: a context, a cluster or a user whose name an earlier file has.
pub(super) fn hidden(files: &[File]) -> Vec<String> {
    fn of<T: PartialEq>(kind: &str, files: &[File], entries: fn(&File) -> &[(String, T)]) -> Vec<String> {
        let mut hidden = Vec::new();
        for (number, file) in files.iter().enumerate() {
            for (name, entry) in entries(file) {
                let mut former = files[..number].iter().flat_map(entries);
                let differs =
                    former.find(|(other, _)| other == name).is_some_and(|(_, other)| other != entry);
                let line = format!("{kind} {}", name.escape_debug());
                if differs && !hidden.contains(&line) {
                    hidden.push(line);
                }
            }
        }
        hidden
    }
    let contexts = of("the context", files, |file| &file.contexts);
    let clusters = of("the cluster", files, |file| &file.clusters);
    let users = of("the user", files, |file| &file.users);
    [contexts, clusters, users].concat()
}

/// The context of this name, or the current one, with its cluster and user, if they are usable.
pub(super) fn choose(file: File, context: Option<&str>) -> Result<Chosen> {
    let contexts = || {
        let names: Vec<_> = file.contexts.iter().map(|(name, _)| name.escape_debug().to_string()).collect();
        if names.is_empty() {
            "it has no contexts".to_owned()
        } else {
            format!("it has {}", names.join(", "))
        }
    };
    let Some(name) = context.or(file.current_context.as_deref()).filter(|name| !name.is_empty()) else {
        return Err(refuse("no context is named, and there is no current-context")
            .caused_by(contexts())
            .hint("give --context NAME, or `kubectl config use-context NAME`"));
    };
    let Some((name, found)) = file.contexts.iter().find(|(other, _)| other == name) else {
        return Err(refuse(format!("there is no context {}", name.escape_debug()))
            .caused_by(contexts())
            .hint("`kubectl config get-contexts` lists the contexts"));
    };
    let (cluster, user) = (found.cluster.clone().unwrap_or_default(), found.user.clone().unwrap_or_default());
    let in_context = |error: Error| error.at(format_args!("context {}", name.escape_debug()));
    let of_name = |(other, _): &&(String, Cluster)| *other == cluster;
    let Some((_, cluster_found)) = file.clusters.iter().find(of_name) else {
        return Err(in_context(refuse(format!("there is no cluster `{}`", cluster.escape_debug())))
            .hint("`kubectl config set-cluster` adds one, `kubectl config get-clusters` lists them"));
    };
    // kubectl does not mind a user that is missing; what matters is whether there is a credential.
    let user_found = file.users.iter().find(|(other, _)| *other == user).map(|(_, user)| user.clone());
    let chosen = Chosen {
        context: name.clone(),
        cluster: cluster_found.clone(),
        cluster_name: cluster,
        user: user_found.unwrap_or_default(),
        user_name: user,
    };
    chosen.validate_cluster().map_err(in_context)?;
    chosen.validate_user().map_err(in_context)?;
    Ok(chosen)
}

impl Chosen {
    fn validate_cluster(&self) -> Result<()> {
        let (cluster, name) = (&self.cluster, self.cluster_name.escape_debug());
        if cluster.server.is_none() {
            return Err(refuse(format!("the cluster {name} has no server"))
                .hint("`kubectl config set-cluster NAME --server=https://…` sets it"));
        }
        if cluster.authority.is_some() && cluster.authority_file.is_some() {
            return Err(refuse(format!(
                "the cluster {name} has both certificate-authority and certificate-authority-data"
            ))
            .hint("leave one of them out; kubectl refuses both, too"));
        }
        if cluster.insecure && (cluster.authority.is_some() || cluster.authority_file.is_some()) {
            return Err(refuse(format!(
                "the cluster {name} has insecure-skip-tls-verify beside a certificate authority"
            ))
            .hint("leave insecure-skip-tls-verify out, so that the certificate is verified"));
        }
        Ok(())
    }

    fn validate_user(&self) -> Result<()> {
        let (user, name) = (&self.user, self.user_name.escape_debug());
        let refuse = |why: &str| refuse(format!("the user {name} {why}"));
        let basic = user.username.is_some() || user.password.is_some();
        if basic && (user.token.is_some() || user.token_file.is_some()) {
            return Err(refuse("has both a token and a user name or password").hint("leave one of them out"));
        }
        let certificate = user.certificate.is_some() || user.certificate_file.is_some();
        if certificate {
            if user.certificate.is_some() && user.certificate_file.is_some() {
                return Err(refuse("has both client-certificate and client-certificate-data")
                    .hint("leave one of them out"));
            }
            if user.key.is_some() && user.key_file.is_some() {
                return Err(refuse("has both client-key and client-key-data").hint("leave one of them out"));
            }
            if user.key.is_none() && user.key_file.is_none() {
                return Err(refuse("has a client certificate, but no client-key or client-key-data")
                    .hint("add the private key of the certificate"));
            }
        }
        let impersonate = &user.impersonate;
        let beside =
            impersonate.uid.is_some() || !impersonate.groups.is_empty() || !impersonate.extra.is_empty();
        if beside && impersonate.user.is_none() {
            return Err(refuse("has as-uid, as-groups or as-user-extra, but no `as`")
                .hint("name the user to impersonate by `as`"));
        }
        if let Some(provider) = &user.auth_provider {
            if user.exec.is_some() {
                return Err(
                    refuse("has both an exec plugin and an auth-provider").hint("leave one of them out")
                );
            }
            validate_provider(&provider.name, provider.id_token.is_some())
                .map_err(|error| error.at(format_args!("user {name}")))?;
        }
        if let Some(exec) = &user.exec {
            interactive(exec).map_err(|error| error.at(format_args!("user {name}")))?;
        }
        Ok(())
    }

    /// Whether there is anything that the API server could tell the user by.
    pub(super) fn has_credential(&self) -> bool {
        let user = &self.user;
        user.token.is_some()
            || user.token_file.is_some()
            || user.username.is_some()
            || user.certificate.is_some()
            || user.certificate_file.is_some()
            || user.exec.is_some()
            || user.auth_provider.is_some()
    }
}

/// `oidc` is the only one that kubectl still has.
fn validate_provider(name: &str, has_id_token: bool) -> Result<()> {
    match (name, has_id_token) {
        ("oidc", true) => Ok(()),
        ("oidc", false) => Err(refuse("the auth-provider oidc has no id-token")
            .hint("log in once with kubectl, which writes it; or use the exec plugin kubelogin")),
        ("gcp", _) => Err(refuse("the auth-provider gcp is no longer supported, by kubectl neither")
            .hint("use the exec plugin gke-gcloud-auth-plugin: `gcloud container clusters get-credentials` writes it")),
        ("azure", _) => Err(refuse("the auth-provider azure is no longer supported, by kubectl neither")
            .hint("use the exec plugin kubelogin: `kubelogin convert-kubeconfig` writes it")),
        _ => Err(refuse(format!("there is no auth-provider `{}`", name.escape_debug()))
            .hint("use an exec plugin")),
    }
}

/// When the plugin is given the terminal, if it is described whole.
pub(in crate::cluster) fn interactive(exec: &Exec) -> Result<Interactive> {
    let plugin = |why: &str| refuse(format!("the exec plugin {why}"));
    if exec.command.is_none() {
        return Err(plugin("has no command").hint("name the program by `command`"));
    }
    let Some(version) = &exec.api_version else {
        return Err(
            plugin("has no apiVersion").hint("write client.authentication.k8s.io/v1, if the plugin knows it")
        );
    };
    if !EXEC_VERSIONS.contains(&version.as_str()) {
        return Err(plugin(&format!("has the apiVersion `{}`, which is not known", version.escape_debug()))
            .hint("write client.authentication.k8s.io/v1 or v1beta1, whichever the plugin knows"));
    }
    if exec.env.iter().any(|(name, _)| name.is_empty() || name.contains(['=', '\0'])) {
        return Err(plugin("has an environment variable without a name").hint("name each entry of `env`"));
    }
    match exec.interactive_mode.as_deref() {
        Some("Never") => Ok(Interactive::Never),
        Some("IfAvailable") => Ok(Interactive::IfAvailable),
        Some("Always") => Ok(Interactive::Always),
        None if version.ends_with("/v1beta1") => Ok(Interactive::IfAvailable),
        None => {
            Err(plugin("has no interactiveMode").hint("write Never, IfAvailable or Always; v1 demands it"))
        }
        Some(_) => {
            Err(plugin("has an interactiveMode that is not known").hint("write Never, IfAvailable or Always"))
        }
    }
}

fn refuse(why: impl Into<String>) -> Error {
    Error::usage(Code::Kubeconfig, why)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CLUSTER: &str = "clusters: [{name: c, cluster: {server: 'https://a'}}]\n\
                           contexts: [{name: x, context: {cluster: c, user: u}}, {name: w, context: {cluster: d}}]\n";

    fn file(text: &str) -> File {
        File::parse(text.as_bytes(), Path::new("/")).unwrap()
    }

    fn user(members: &str) -> Result<Chosen> {
        choose(file(&format!("{CLUSTER}users: [{{name: u, user: {{{members}}}}}]\n")), Some("x"))
    }

    #[test]
    fn first_file_wins_entry_by_entry() {
        let first = file("current-context: ''\nusers: [{name: u, user: {token: first}}]\n");
        let second =
            file("current-context: x\nusers: [{name: u, user: {token: second, as: jane}}, {name: v}]\n");
        let third = file("current-context: w\n");
        let merged = merge([first, second, third]);
        assert_eq!(merged.current_context.as_deref(), Some("x"));
        let users: Vec<_> = merged.users.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(users, ["u", "v"]);
        let first = &merged.users[0].1;
        assert_eq!(first.token.as_ref().map(|token| token.expose()), Some("first"));
        assert!(first.impersonate.user.is_none(), "nothing of the second is mixed in");
    }

    #[test]
    fn hidden_entries_are_those_that_differ() {
        let a = "clusters: [{name: d, cluster: {server: 'https://a'}}]\nusers: [{name: d, user: {token: t}}]\n\
                 contexts: [{name: d, context: {cluster: d, user: d}}]\n";
        let other = |from: &str, to: &str| file(&a.replace(from, to));
        assert!(hidden(&[file(a), file(a), File::default()]).is_empty());
        assert_eq!(hidden(&[file(a), other("https://a", "https://b")]), ["the cluster d"]);
        assert_eq!(hidden(&[file(a), other("token: t", "token: u")]), ["the user d"]);
        assert_eq!(hidden(&[file(a), other("{cluster: d,", "{cluster: e,")]), ["the context d"]);
        let all = other("https://a", "https://b");
        assert_eq!(hidden(&[file(a), all.clone(), all]), ["the cluster d"]);
    }

    #[test]
    fn context_is_named_or_current() {
        let chosen = |text: &str, name| choose(file(&format!("{CLUSTER}{text}")), name).map(|it| it.context);
        assert_eq!(chosen("", Some("x")).unwrap(), "x");
        assert_eq!(chosen("current-context: x\n", None).unwrap(), "x");
        assert_eq!(chosen("current-context: nope\n", Some("x")).unwrap(), "x");
        // One context alone is not taken for the current one, and no default takes the place of any of these.
        for (text, name) in
            [("", None), ("", Some("")), ("current-context: nope\n", None), ("", Some("z")), ("", Some("w"))]
        {
            let error = chosen(text, name).unwrap_err();
            assert_eq!(error.code, Code::Kubeconfig);
            assert!(!error.hints.is_empty(), "{error}");
        }
        assert!(chosen("", Some("z")).unwrap_err().to_string().contains("it has x, w"));
    }

    #[test]
    fn missing_user_has_no_credential() {
        assert!(!choose(file(CLUSTER), Some("x")).unwrap().has_credential());
        assert!(!user("as: jane").unwrap().has_credential());
        for members in ["token: a", "username: a", "tokenFile: a", "client-certificate: a, client-key: b"] {
            assert!(user(members).unwrap().has_credential(), "{members}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let cluster = |members: &str| {
            choose(file(&format!("clusters: [{{name: c, cluster: {{{members}}}}}]\ncontexts: [{{name: x, context: {{cluster: c}}}}]\n")), Some("x")).map(drop)
        };
        for members in [
            "server: ''",
            "server: a, certificate-authority: f, certificate-authority-data: YQ==",
            "server: a, insecure-skip-tls-verify: true, certificate-authority: f",
            "server: a, insecure-skip-tls-verify: true, certificate-authority-data: YQ==",
        ] {
            cluster(members).expect_err(members);
        }
        cluster("server: a, insecure-skip-tls-verify: true, certificate-authority-data: ''").unwrap();
        for members in [
            "token: a, username: b",
            "token: a, password: b",
            "tokenFile: a, username: b",
            "client-certificate: a",
            "client-certificate-data: YQ==",
            "client-certificate: a, client-certificate-data: YQ==, client-key: b",
            "client-certificate: a, client-key: b, client-key-data: YQ==",
            "token: a, as-groups: [b]",
            "token: a, as-uid: b",
            "token: a, as-user-extra: {b: [c]}",
            "auth-provider: {name: gcp}",
            "auth-provider: {name: azure}",
            "auth-provider: {name: openstack}",
            "auth-provider: {name: oidc}",
            "auth-provider: {name: oidc, config: {id-token: a}}, exec: {command: b}",
            "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}",
            "exec: {command: a, interactiveMode: Never}",
            "exec: {command: a, apiVersion: client.authentication.k8s.io/v1}",
            "exec: {command: a, apiVersion: client.authentication.k8s.io/v1alpha1, interactiveMode: Never}",
            "exec: {command: a, apiVersion: client.authentication.k8s.io/v1, interactiveMode: sometimes}",
            "exec: {command: a, apiVersion: client.authentication.k8s.io/v1beta1, env: [{value: b}]}",
        ] {
            let error = user(members).map(drop).expect_err(members);
            assert!(!error.hints.is_empty(), "{error}");
        }
        for members in [
            // A key alone is no certificate, a token beside a certificate is another factor.
            "token: a, client-key: b",
            "token: a, client-certificate: a, client-key: b",
            "token: a, tokenFile: b",
            "token: a, exec: {command: b, apiVersion: client.authentication.k8s.io/v1beta1}",
            "auth-provider: {name: oidc, config: {id-token: a}}",
            "exec: {command: a, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}",
        ] {
            user(members).map(drop).unwrap_or_else(|error| panic!("{members}: {error}"));
        }
    }
}
