//! How clients find and enter the cluster.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Cluster;

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
        let token = self.token_of(user);
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

    /// The bearer token of a user
    pub fn token_of(&self, user: &str) -> String {
        let shared = self.lock();
        let found = shared.users.iter().find(|other| other.name == user);
        found.unwrap_or_else(|| panic!("no user {user}")).token.clone()
    }
}
