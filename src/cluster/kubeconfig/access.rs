//! From what a context leads to, to what a connection needs: address, trust, credential, whom to act as.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Access, choose::Chosen, file::Impersonate, read_bytes, refuse};
use crate::{
    cluster::{
        exec::{Plugin, cluster_info},
        login::{Login, basic, bearer, token_in},
        proxy::Proxy,
        server::ServerUrl,
        tls::{ClientIdentity, Trust},
    },
    error::{Error, Result},
};

/// What a header name cannot hold (RFC 9110 §5.6.2), and `%` itself.
const NOT_IN_HEADER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');
impl Chosen {
    pub(super) fn access(&self) -> Result<Access> {
        let cluster = &self.cluster;
        let server = ServerUrl::parse(cluster.server.as_deref().unwrap_or_default())?;
        let proxy = match &cluster.proxy_url {
            Some(url) => Some(Proxy::of_kubeconfig(url, &self.cluster_name)?),
            None => None,
        };
        let authority = match &cluster.authority_file {
            Some(path) => Some(read_part(path, "certificate-authority")?),
            None => cluster.authority.clone(),
        };
        let trust = match (&authority, cluster.insecure) {
            (_, true) => Trust::Everybody,
            (Some(pem), false) => Trust::These(pem.clone()),
            (None, false) => Trust::System,
        };
        let identity: Arc<ClientIdentity> = Arc::default();
        // Like kubectl: without TLS no credential is sent, and none is asked for.
        let login = match server.secure {
            true => self.login(&server, authority.as_deref(), &identity)?,
            false => Login::Nothing,
        };
        Ok(Access {
            context: Some(self.context.clone()),
            server,
            server_name: cluster.server_name.clone(),
            trust,
            proxy,
            login,
            identity,
            headers: impersonation(&self.user.impersonate)?,
            warnings: Vec::new(),
        })
    }

    /// In kubectl's order: user and password of the URL, of the user, the token, the plugin. The certificate comes
    /// beside any of them.
    fn login(
        &self,
        server: &ServerUrl,
        authority: Option<&[u8]>,
        identity: &Arc<ClientIdentity>,
    ) -> Result<Login> {
        let (cluster, user) = (&self.cluster, &self.user);
        let of_user = |error: Error| error.at(format_args!("user {}", self.user_name.escape_debug()));
        let unfit = |what: &str| {
            of_user(refuse(format!(
                "its {what} cannot be sent: it holds a character that a header cannot carry"
            )))
            .hint("write it again without line breaks, blanks and control characters")
        };
        if !self.has_credential() {
            return Err(of_user(refuse("it has no credential"))
                .hint("`kubectl config set-credentials` adds one, or log in to the cluster again"));
        }
        let certificate = match &user.certificate_file {
            Some(path) => Some(read_part(path, "client-certificate").map_err(of_user)?),
            None => user.certificate.clone(),
        };
        if let Some(certificate) = certificate {
            let key = match &user.key_file {
                Some(path) => read_part(path, "client-key").map_err(of_user)?,
                None => user.key.clone().unwrap_or_default(),
            };
            identity.set(&certificate, &key, &format!("user {}", self.user_name.escape_debug()))?;
        }
        if let Some((name, password)) = &server.login {
            return basic(name, password).map(Login::Fixed).ok_or_else(|| unfit("password in the URL"));
        }
        if user.username.is_some() || user.password.is_some() {
            let password = user.password.clone().unwrap_or_default();
            let header = basic(user.username.as_deref().unwrap_or_default(), &password);
            return header.map(Login::Fixed).ok_or_else(|| unfit("password"));
        }
        let fixed = match &user.token {
            Some(token) => Some(bearer(token).ok_or_else(|| unfit("token"))?),
            None => None,
        };
        if let Some(path) = &user.token_file {
            let read = fs::read_to_string(path);
            // A file wins over the token beside it, as long as it can be read.
            let last = match (&read, fixed) {
                (Ok(content), fixed) => match token_in(content) {
                    Some(token) => Some(bearer(&token).ok_or_else(|| unfit("tokenFile"))?),
                    None => fixed,
                },
                (Err(_), fixed) => fixed,
            };
            if last.is_none() {
                let error = of_user(refuse(format!("its tokenFile {} holds no token", path.display())));
                let error = match read {
                    Err(cause) => error.caused_by(cause),
                    Ok(_) => error,
                };
                return Err(error.hint("tokenFile names a file with a bearer token"));
            }
            return Ok(Login::File { path: path.clone(), last: Mutex::new(last) });
        }
        if let Some(header) = fixed {
            return Ok(Login::Fixed(header));
        }
        if let Some(token) = user.auth_provider.as_ref().and_then(|provider| provider.id_token.as_ref()) {
            return bearer(token).map(Login::Fixed).ok_or_else(|| unfit("id-token"));
        }
        let Some(exec) = user.exec.clone() else { return Ok(Login::Nothing) };
        let info = exec.provide_cluster_info.then(|| {
            cluster_info(
                // As it is written there.
                cluster.server.as_deref().unwrap_or(&server.base),
                cluster.server_name.as_deref(),
                cluster.insecure,
                authority,
                cluster.proxy_url.as_deref(),
                cluster.disable_compression,
                cluster.exec_extension.as_ref(),
            )
        });
        Ok(Login::Plugin(Box::new(Plugin::new(exec, info, identity.clone()))))
    }
}

/// A file that a kubeconfig names.
fn read_part(path: &Path, what: &str) -> Result<Vec<u8>> {
    read_bytes(path).map_err(|error| {
        refuse(format!("its {what} {} cannot be read", path.display()))
            .caused_by(error)
            .hint("paths in a kubeconfig are relative to its folder, and `~` means nothing in them")
    })
}

/// The headers of <https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/>.
pub(super) fn impersonation(whom: &Impersonate) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let header = |name: HeaderName, text: &str| {
        HeaderValue::from_str(text).map(|value| (name, value)).map_err(|_| {
            refuse("whom to impersonate cannot be sent: it holds line breaks or control characters")
                .hint("correct `as` and its like")
        })
    };
    let mut headers = Vec::new();
    if let Some(user) = &whom.user {
        headers.push(header(HeaderName::from_static("impersonate-user"), user)?);
    }
    if let Some(uid) = &whom.uid {
        headers.push(header(HeaderName::from_static("impersonate-uid"), uid)?);
    }
    for group in &whom.groups {
        headers.push(header(HeaderName::from_static("impersonate-group"), group)?);
    }
    for (key, values) in &whom.extra {
        let name = format!("impersonate-extra-{}", utf8_percent_encode(key, NOT_IN_HEADER));
        let name = HeaderName::try_from(name).map_err(|_| {
            refuse("a key of as-user-extra cannot be sent").hint("keys are at most 32 KiB long")
        })?;
        for value in values {
            headers.push(header(name.clone(), value)?);
        }
    }
    Ok(headers)
}
