//! How clients find and enter the cluster.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use serde_json::json;

use super::Cluster;
use crate::clock;

impl Cluster {
    /// Write a kubeconfig of the user `admin` for the first server into `dir`
    pub fn kubeconfig(&self, dir: &Path) -> PathBuf {
        self.kubeconfig_as(dir, "admin")
    }

    /// Write a kubeconfig of a user for the first server; the context has the user's name
    pub fn kubeconfig_as(&self, dir: &Path, user: &str) -> PathBuf {
        self.kubeconfig_at(dir, user, &self.server(0).url())
    }

    /// Write a kubeconfig of a user for the server at `url`
    pub fn kubeconfig_at(&self, dir: &Path, user: &str, url: &str) -> PathBuf {
        self.write_kubeconfig(dir, user, url, &self.token_of(user))
    }

    fn write_kubeconfig(&self, dir: &Path, user: &str, url: &str, token: &str) -> PathBuf {
        let ca = STANDARD.encode(self.ca.pem());
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {user:?}\n\
             clusters:\n- name: lab\n  cluster:\n    server: {url}\n    certificate-authority-data: {ca}\n\
             users:\n- name: {user:?}\n  user:\n    token: {token:?}\n\
             contexts:\n- name: {user:?}\n  context: {{cluster: lab, user: {user:?}}}\n"
        );
        let path = dir.join(format!("{}.kubeconfig", user.replace([':', '/'], "-")));
        fs::write(&path, text).expect("write a kubeconfig");
        path
    }

    /// Write a kubeconfig for the first server with a token of a ServiceAccount, as a pod has it
    pub fn kubeconfig_of_service_account(&self, dir: &Path, namespace: &str, name: &str) -> PathBuf {
        let server = self.server(0);
        let settings = server.settings();
        let audiences = settings.api_audiences.as_ref().unwrap_or(&settings.issuers);
        let now = clock::now(settings.clock_offset);
        let token = settings.signing_key.jws(&json!({
            "aud": audiences, "exp": now + 3607, "iat": now, "iss": settings.issuers.first(), "nbf": now,
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
        }));
        self.write_kubeconfig(dir, &format!("{namespace}-{name}"), &server.url(), &token)
    }

    /// The bearer token of a user
    pub fn token_of(&self, user: &str) -> String {
        let shared = self.lock();
        let found = shared.users.iter().find(|other| other.name == user);
        found.unwrap_or_else(|| panic!("no user {user}")).token.clone()
    }
}
