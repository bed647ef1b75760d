//! PURE. What a token needs at Vault to be asked by `keyless audit --cloud`.

use crate::{error::Code, federation::cloud::AuditRights};

/// Paths in each namespace, and what the token may do there.
const OF_TOKENS: [(&str, &str); 3] = [
    ("auth/token/accessors", r#""list", "sudo""#),
    (LOOKUP_ACCESSOR, r#""update""#),
    ("auth/token/lookup-self", r#""read""#),
];
/// Paths below the mount of each auth method.
const OF_MOUNTS: [(&str, &str); 6] = [
    ("role", r#""list""#),
    ("role/+", r#""read""#),
    ("role/+/role-id", r#""read""#),
    ("role/+/secret-id", r#""list""#),
    ("role/+/secret-id-accessor/lookup", r#""update""#),
    ("users/+", r#""read""#),
];

pub(super) const LOOKUP_ACCESSOR: &str = "auth/token/lookup-accessor";

pub(crate) static RIGHTS: AuditRights = AuditRights { refused: Code::VaultForbidden, permissions, grant };

/// `+` is any one segment.
fn permissions() -> Vec<String> {
    let of_tokens = OF_TOKENS.iter().map(|(path, _)| (*path).to_owned());
    of_tokens.chain(OF_MOUNTS.iter().map(|(path, _)| format!("auth/+/{path}"))).collect()
}

/// A policy is of one namespace, and its paths begin there: those of a namespace below it begin with its name. In a path `+` is
/// one segment, so that a mount of several has to be named. Shells differ in what they make of a variable without quotes
/// (<https://developer.hashicorp.com/vault/docs/concepts/policies>, <https://developer.hashicorp.com/vault/docs/enterprise/namespaces>).
fn grant() -> String {
    let rules = |paths: &[(&str, &str)], start: &str| {
        let lines =
            paths.iter().map(|(path, may)| format!("path \"{start}{path}\" {{ capabilities = [{may}] }}\n"));
        lines.collect::<String>()
    };
    let of_tokens = rules(&OF_TOKENS, "${below}");
    let of_mounts = rules(&OF_MOUNTS, "${below}auth/$mount/");
    format!(
        r#"# Vault, OpenBao: in the namespace that the token of the audit is made in, mostly the root namespace.
# NAMESPACES: those below it that stores name, and those between, by their paths from there: "team team/shop".
# MOUNTS: those of the auth methods that stores name. + is each whose name has no slash; others are named: "+ team/approle".
printf '%s\n' / "${{NAMESPACES:-}}" | tr -s ' ' '\n' | while read -r namespace; do
  [ -n "$namespace" ] || continue
  below=${{namespace#/}}
  below=${{below:+${{below%/}}/}}
  cat <<RULES
{of_tokens}RULES
  printf '%s\n' "${{MOUNTS:-+}}" | tr -s ' ' '\n' | while read -r mount; do
    [ -n "$mount" ] || continue
    cat <<RULES
{of_mounts}RULES
  done
done | vault policy write keyless-audit -
# VAULT_TOKEN of the audit is then one with this policy, for an hour:
#   vault token create -policy=keyless-audit -ttl=1h -field=token
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the commands give to `vault policy write`, with these variables.
    fn policy(variables: &[(&str, &str)]) -> Vec<String> {
        policy_by("", variables)
    }

    /// The same after these commands.
    fn policy_by(before: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let text = grant().replace("| vault policy write keyless-audit -", "");
        let mut shell = std::process::Command::new("sh");
        let ran = shell
            .arg("-euc")
            .arg(format!("{before}{text}"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(variables.iter().copied());
        let ran = ran.output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn policy_covers_every_path() {
        let lines = policy(&[]);
        assert_eq!(lines.len(), permissions().len());
        for path in permissions() {
            assert!(
                lines.iter().any(|line| line.starts_with(&format!("path \"{path}\" {{"))),
                "{path}: {lines:?}"
            );
        }
    }

    /// As zsh does, and with names that a shell would take for patterns of files.
    #[test]
    fn policy_needs_no_word_splitting() {
        let variables = [("NAMESPACES", " team  team/shop "), ("MOUNTS", "+ eu/approle")];
        assert_eq!(policy_by("IFS=\n", &variables), policy(&variables));
        let lines = policy(&[("NAMESPACES", "sr*"), ("MOUNTS", "Cargo.*")]);
        assert!(lines.iter().any(|line| line.starts_with("path \"sr*/auth/Cargo.*/role\"")), "{lines:#?}");
    }

    #[test]
    fn policy_covers_namespaces_and_long_mounts() {
        let lines = policy(&[("NAMESPACES", "team team/shop/"), ("MOUNTS", "+ eu/approle")]);
        for wanted in [
            r#"path "auth/token/accessors" { capabilities = ["list", "sudo"] }"#,
            r#"path "team/auth/token/accessors" { capabilities = ["list", "sudo"] }"#,
            r#"path "team/shop/auth/eu/approle/role/+/secret-id" { capabilities = ["list"] }"#,
            r#"path "team/auth/+/users/+" { capabilities = ["read"] }"#,
            r#"path "auth/eu/approle/role" { capabilities = ["list"] }"#,
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:#?}");
        }
        assert_eq!(lines.len(), 3 * (OF_TOKENS.len() + 2 * OF_MOUNTS.len()));
        assert!(lines.iter().all(|line| !line.contains("//") && !line.contains("\"/")), "{lines:#?}");
    }
}
