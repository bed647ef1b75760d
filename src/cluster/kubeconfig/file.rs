//! PURE. The text of one kubeconfig, as client-go reads it: YAML to JSON, then strictly by the types of `v1.Config`
//! (k8s.io/client-go/tools/clientcmd/api/v1). Unknown fields are ignored, fields of another type are refused.
//!
//! Errors name the place and never quote the text there: it may be a credential.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

use crate::{
    error::{Code, Error, Result},
    redact,
    secret::Secret,
};

/// As Go's `base64.StdEncoding`: padding is required, unused bits are ignored.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
/// The extension of a cluster that an exec plugin is given.
const EXEC_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// One kubeconfig file, or several that were merged. Names are unique. It has no `Debug` that shows values.
#[derive(Clone, Default)]
pub(super) struct File {
    pub(super) current_context: Option<String>,
    pub(super) clusters: Vec<(String, Cluster)>,
    pub(super) users: Vec<(String, User)>,
    pub(super) contexts: Vec<(String, Context)>,
}

#[derive(Clone, Default, PartialEq)]
pub(super) struct Cluster {
    pub(super) server: Option<String>,
    pub(super) insecure: bool,
    pub(super) server_name: Option<String>,
    pub(super) authority_file: Option<PathBuf>,
    /// PEM.
    pub(super) authority: Option<Vec<u8>>,
    pub(super) proxy_url: Option<String>,
    pub(super) disable_compression: bool,
    /// What an exec plugin is told about the cluster, whatever it is.
    pub(super) exec_extension: Option<Value>,
}

#[derive(Clone, Default, PartialEq)]
pub(super) struct User {
    pub(super) token: Option<Secret>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) certificate_file: Option<PathBuf>,
    /// PEM.
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) key_file: Option<PathBuf>,
    /// PEM.
    pub(super) key: Option<Vec<u8>>,
    pub(super) impersonate: Impersonate,
    pub(super) auth_provider: Option<AuthProvider>,
    pub(super) exec: Option<Exec>,
}

/// Whom to act as, `as…` in a kubeconfig.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Impersonate {
    pub(super) user: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) groups: Vec<String>,
    /// Key and values, in the order of the keys.
    pub(super) extra: Vec<(String, Vec<String>)>,
}

#[derive(Clone, PartialEq)]
pub(super) struct AuthProvider {
    pub(super) name: String,
    pub(super) id_token: Option<Secret>,
}

/// A credential plugin, `exec` in a kubeconfig.
#[derive(Clone, Default, PartialEq)]
pub(in crate::cluster) struct Exec {
    pub(in crate::cluster) api_version: Option<String>,
    /// A program in `PATH`, or an absolute path.
    pub(in crate::cluster) command: Option<String>,
    pub(in crate::cluster) args: Vec<String>,
    pub(in crate::cluster) env: Vec<(String, String)>,
    pub(in crate::cluster) install_hint: Option<String>,
    pub(in crate::cluster) interactive_mode: Option<String>,
    pub(in crate::cluster) provide_cluster_info: bool,
}

#[derive(Clone, Default, PartialEq)]
pub(super) struct Context {
    pub(super) cluster: Option<String>,
    pub(super) user: Option<String>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.contexts.iter().map(|(name, _)| name).collect();
        f.debug_struct("File").field("contexts", &names).finish_non_exhaustive()
    }
}

impl File {
    /// Reads the text. Relative paths in it are relative to `folder`.
    pub(super) fn parse(bytes: &[u8], folder: &Path) -> Result<Self> {
        let text = decode(bytes)?;
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
        };
        let documents: Vec<Value> =
            serde_saphyr::from_multiple_with_options(&text, options).map_err(|error| {
                let place = error.location().map_or_else(String::new, |place| {
                    format!(" at line {}, column {}", place.line(), place.column())
                });
                refuse(format!("it is not valid YAML{place}"))
            })?;
        // kubectl reads the first document, and no other.
        match documents.first() {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(document) => Self::from_json(&Node { value: document, path: String::new() }, folder),
        }
    }

    fn from_json(root: &Node<'_>, folder: &Path) -> Result<Self> {
        for (member, only) in [("apiVersion", "v1"), ("kind", "Config")] {
            if root.text(member)?.is_some_and(|have| have != only) {
                return Err(refuse(format!("its {member} is not {only}: it is another kind of file")));
            }
        }
        Ok(Self {
            current_context: root.text("current-context")?,
            clusters: root.named("clusters", "cluster", |node| Cluster::from_json(node, folder))?,
            users: root.named("users", "user", |node| User::from_json(node, folder))?,
            contexts: root.named("contexts", "context", Context::from_json)?,
        })
    }
}

impl Cluster {
    /// Whether both are reached alike: by the same address, authority and proxy.
    pub(super) fn is_reached_as(&self, other: &Self) -> bool {
        let address = |it: &Self| it.server.as_ref().map(|server| server.trim_end_matches('/').to_owned());
        address(self) == address(other)
            && self.server_name == other.server_name
            && self.insecure == other.insecure
            && self.authority == other.authority
            && self.authority_file == other.authority_file
            && self.proxy_url == other.proxy_url
    }

    fn from_json(node: &Node<'_>, folder: &Path) -> Result<Self> {
        let extensions = node.list("extensions")?;
        let mut exec_extension = None;
        for extension in &extensions {
            if extension.text("name")?.as_deref() == Some(EXEC_EXTENSION) {
                exec_extension = extension.value.get("extension").cloned();
            }
        }
        let (server, proxy_url) = (node.text("server")?, node.text("proxy-url")?);
        [&server, &proxy_url].into_iter().flatten().for_each(|url| redact::remember_url(url));
        Ok(Self {
            server,
            insecure: node.flag("insecure-skip-tls-verify")?,
            server_name: node.text("tls-server-name")?,
            authority_file: node.path("certificate-authority", folder)?,
            authority: node.bytes("certificate-authority-data")?,
            proxy_url,
            disable_compression: node.flag("disable-compression")?,
            exec_extension,
        })
    }
}

impl User {
    fn from_json(node: &Node<'_>, folder: &Path) -> Result<Self> {
        let provider = node.member("auth-provider");
        let exec = node.member("exec");
        // By their names: the key, and what only a login plugin reads.
        redact::remember_content(node.value.to_string().as_bytes());
        Ok(Self {
            token: node.text("token")?.map(Secret::new),
            token_file: node.path("tokenFile", folder)?,
            username: node.text("username")?,
            password: node.text("password")?.map(Secret::new),
            certificate_file: node.path("client-certificate", folder)?,
            certificate: node.bytes("client-certificate-data")?,
            key_file: node.path("client-key", folder)?,
            key: node.bytes("client-key-data")?,
            impersonate: Impersonate {
                user: node.text("as")?,
                uid: node.text("as-uid")?,
                groups: node.texts("as-groups")?,
                extra: node.lists_of_texts("as-user-extra")?,
            },
            auth_provider: provider.as_ref().map(AuthProvider::from_json).transpose()?,
            exec: exec.as_ref().map(|node| Exec::from_json(node, folder)).transpose()?,
        })
    }
}

impl AuthProvider {
    fn from_json(node: &Node<'_>) -> Result<Self> {
        let config = node.member("config");
        let id_token = config.as_ref().map(|config| config.text("id-token")).transpose()?.flatten();
        Ok(Self { name: node.text("name")?.unwrap_or_default(), id_token: id_token.map(Secret::new) })
    }
}

impl Exec {
    fn from_json(node: &Node<'_>, folder: &Path) -> Result<Self> {
        let mut env = Vec::new();
        for entry in node.list("env")? {
            env.push((entry.text("name")?.unwrap_or_default(), entry.text("value")?.unwrap_or_default()));
        }
        let command = node.text("command")?;
        Ok(Self {
            api_version: node.text("apiVersion")?,
            // A name without a slash is looked for in PATH.
            command: command.map(|command| match command.contains('/') {
                true => folder.join(command).display().to_string(),
                false => command,
            }),
            args: node.texts("args")?,
            env,
            install_hint: node.text("installHint")?,
            interactive_mode: node.text("interactiveMode")?,
            provide_cluster_info: node.flag("provideClusterInfo")?,
        })
    }
}

impl Context {
    fn from_json(node: &Node<'_>) -> Result<Self> {
        Ok(Self { cluster: node.text("cluster")?, user: node.text("user")? })
    }
}

/// A place in the file.
struct Node<'a> {
    value: &'a Value,
    /// E.g. `users[admin].user`.
    path: String,
}

impl<'a> Node<'a> {
    /// `None`: it is absent or null.
    fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Some(Self { value, path })
    }

    fn is_no(&self, kind: &str) -> Error {
        refuse(format!("{} must be {kind}", self.path))
    }

    fn as_text(&self) -> Result<String> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.is_no("a string; put it in quotes"))
    }

    /// An empty text is none, as in Go.
    fn text(&self, name: &str) -> Result<Option<String>> {
        self.map_itself()?;
        let text = self.member(name).map(|member| member.as_text()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn path(&self, name: &str, folder: &Path) -> Result<Option<PathBuf>> {
        Ok(self.text(name)?.map(|path| folder.join(path)))
    }

    fn flag(&self, name: &str) -> Result<bool> {
        let Some(member) = self.member(name) else { return Ok(false) };
        member.value.as_bool().ok_or_else(|| member.is_no("true or false"))
    }

    /// Base64 with line breaks, but without blanks.
    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let decoded = BASE64.decode(text).map_err(|_| {
            refuse(format!(
                "{}.{name} is not base64; a value over several lines is written with `|`, not `>`",
                self.path
            ))
        })?;
        Ok(Some(decoded).filter(|decoded| !decoded.is_empty()))
    }

    fn list(&self, name: &str) -> Result<Vec<Self>> {
        self.map_itself()?;
        let Some(member) = self.member(name) else { return Ok(Vec::new()) };
        let all = member.value.as_array().ok_or_else(|| member.is_no("a list"))?;
        let node = |(index, value)| Self { value, path: format!("{}[{index}]", member.path) };
        Ok(all.iter().enumerate().map(node).collect())
    }

    fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.list(name)?.iter().map(Self::as_text).collect()
    }

    fn lists_of_texts(&self, name: &str) -> Result<Vec<(String, Vec<String>)>> {
        let Some(member) = self.member(name) else { return Ok(Vec::new()) };
        let entries = member.value.as_object().ok_or_else(|| member.is_no("a map"))?;
        let mut all: Vec<_> =
            entries.keys().map(|key| Ok((key.clone(), member.texts(key)?))).collect::<Result<_>>()?;
        all.sort();
        Ok(all)
    }

    /// A list of named things, whose names are unique.
    fn named<T>(
        &self,
        list: &str,
        what: &str,
        read: impl Fn(&Self) -> Result<T>,
    ) -> Result<Vec<(String, T)>> {
        let mut all: Vec<(String, T)> = Vec::new();
        for entry in self.list(list)? {
            let name = entry.text("name")?.unwrap_or_default();
            if all.iter().any(|(other, _)| *other == name) {
                return Err(refuse(format!("{list} has the name `{}` twice", name.escape_debug())));
            }
            let path = format!("{list}[{}].{what}", name.escape_debug());
            let value = entry.value.get(what).unwrap_or(&Value::Null);
            all.push((name, read(&Self { value, path })?));
        }
        Ok(all)
    }

    /// Null is an empty map, as in Go.
    fn map_itself(&self) -> Result<()> {
        let place = if self.path.is_empty() { "the file" } else { &self.path };
        match self.value {
            Value::Object(_) | Value::Null => Ok(()),
            _ => Err(refuse(format!("{place} must be a map"))),
        }
    }
}

fn refuse(why: impl Into<String>) -> Error {
    Error::usage(Code::Kubeconfig, why)
        .hint("`kubectl config view` with the same file shows how kubectl reads it")
}

/// UTF-8, or UTF-16 with a byte order mark.
fn decode(bytes: &[u8]) -> Result<String> {
    let wide = |rest: &[u8], order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| order([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok().filter(|_| rest.len().is_multiple_of(2))
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8(rest.to_vec()).ok(),
    };
    text.ok_or_else(|| refuse("it is neither UTF-8 nor UTF-16"))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
