//! The user who ran `az login`: Azure's command-line program is asked for a token.

use std::{
    io,
    process::Stdio,
    time::{Duration, Instant, SystemTime},
};

use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use super::{Scope, token::Token, tokens::Failure};

/// It starts in seconds, and may ask Entra for a new token.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// A token with what is around it has a few KiB.
const LONGEST: u64 = 1 << 20;

/// `program` is `az`, looked for in PATH.
pub(super) async fn token(program: &str, tenant: Option<&str>, scope: Scope) -> Result<Token, Failure> {
    let unavailable = |why: &str| Failure::Unavailable(format!("Azure CLI: {why}"));
    let scope = scope.default_scope();
    let mut command = Command::new(program);
    command.args(["account", "get-access-token", "--output", "json", "--scope", &scope]);
    if let Some(tenant) = tenant {
        command.args(["--tenant", tenant]);
    }
    // What lies in the current folder must have no part in a login. What it writes to stderr is for its own users, and may
    // hold a token.
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let run = async {
        let mut child = command.spawn()?;
        let mut answer = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LONGEST).read_to_end(&mut answer).await?;
        }
        Ok::<_, io::Error>((answer, child.wait().await?))
    };
    let (answer, status) = match timeout(TIME_LIMIT, run).await {
        Ok(Ok(ran)) => ran,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(unavailable("`az` is not installed"));
        }
        Ok(Err(error)) => return Err(unavailable(&format!("`az` cannot be run: {error}"))),
        Err(_) => return Err(unavailable(&format!("`az` did not answer within {} s", TIME_LIMIT.as_secs()))),
    };
    if !status.success() {
        return Err(unavailable("`az account get-access-token` gives no token: `az login` comes before it"));
    }
    let token = Token::from_cli(&answer, Instant::now(), epoch(), "`az account get-access-token`");
    token.map_err(Failure::Final)
}

#[expect(clippy::disallowed_methods, reason = "`az` tells the end of a token as a time of day")]
fn epoch() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

    use super::*;
    use crate::error::Code;

    fn program(folder: &tempfile::TempDir, script: &str) -> PathBuf {
        let path = folder.path().join("az");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn login_of_azure_cli_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"test "$PWD" = / || exit 9
test "$*" = "account get-access-token --output json --scope https://storage.azure.com/.default --tenant t" || exit 8
echo '{"accessToken": "CANARY", "expires_on": 99999999999}'"#;
        let path = program(&folder, script);
        let token = token(path.to_str().unwrap(), Some("t"), Scope::Storage).await;
        let Ok(token) = token else { panic!("no token") };
        assert!(token.is_fresh(Instant::now()));
    }

    #[tokio::test]
    async fn output_of_azure_cli_stays_unquoted() {
        let folder = tempfile::tempdir().unwrap();
        for (script, is_final) in [
            ("echo CANARY >&2; echo CANARY; exit 1", false),
            ("kill -9 $$", false),
            ("echo CANARY", true),
            ("echo '{\"accessToken\": \"CANARY\", \"expires_on\": 1}'", true),
            ("", true),
        ] {
            let path = program(&folder, script);
            let shown = match token(path.to_str().unwrap(), None, Scope::Storage).await {
                Err(Failure::Unavailable(why)) => {
                    assert!(!is_final, "{script}");
                    why
                }
                Err(Failure::Final(error)) => {
                    assert!(is_final, "{script}");
                    assert_eq!(error.code, Code::AzureAnswer);
                    format!("{error} {error:?}")
                }
                Ok(_) => panic!("{script} gives a token"),
            };
            assert!(!shown.contains("CANARY"), "{shown}");
        }
        let absent = token("/no/such/az", None, Scope::Storage).await;
        assert!(matches!(absent, Err(Failure::Unavailable(why)) if why.contains("not installed")));
    }
}
