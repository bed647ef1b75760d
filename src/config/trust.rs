//! Whether a settings file that no flag named may direct credentials. `./keyless.yaml` is read because it is there: in a
//! folder where others can write it is theirs as much as the user's.

use std::{io, path::Path};

use crate::{
    base_url::is_remote,
    error::{Code, Error, Result},
    federation::{Section, Sections},
    files::foreign_writer,
    redact,
};

/// Refuses a settings file that no flag named and that others could have written.
pub(super) fn check(path: &Path, user: u32) -> Result<()> {
    let unreadable = |error: io::Error| {
        Error::usage(Code::ConfigUnreadable, format!("{} cannot be read", path.display()))
            .caused_by(error)
            .hint("--config names the settings file")
    };
    match foreign_writer(path, user).map_err(unreadable)? {
        None => Ok(()),
        Some(why) => Err(Error::usage(
            Code::ConfigUntrusted,
            format!("{} is not used: {why}, and --config does not name it", path.display()),
        )
        .caused_by("a settings file says where credentials are sent and which programs are run")
        .hint(format!("read it; if it is right, name it: --config {}", shown(path)))
        .hint(format!("or take away the other users' right to write it: chmod go-w . {}", shown(path)))),
    }
}

/// The one decision about a file that no flag named and that only the user could have written, for the bucket and all
/// providers: it may direct credentials to this machine alone. It may have come with a folder that someone else has filled,
/// such as a repository. `endpoint`: the bucket's, if no flag sets it. `is_of_user`: whether the user's environment sets a
/// setting; what it sets is the user's own word, as a flag is.
pub(super) fn refuse_endpoints(
    path: &Path,
    endpoint: Option<&str>,
    providers: &Sections,
    is_of_user: impl Fn(&str) -> bool,
) -> Result<()> {
    let bucket = endpoint.map(|url| ("bucket.endpoint".to_owned(), url.to_owned()));
    let all = bucket.into_iter().chain(providers.iter().flat_map(Section::directs_alone));
    let remote: Vec<_> = all
        .filter(|(setting, value)| is_remote(value) && !is_of_user(setting))
        .map(|(setting, value)| format!("{setting} {}", redact::message(&value)))
        .collect();
    if remote.is_empty() {
        return Ok(());
    }
    Err(Error::usage(
        Code::ConfigEndpoint,
        format!("{} is not used: it directs credentials to {}", path.display(), remote.join(", ")),
    )
    .caused_by(
        "--config does not name the file: it was found in the current folder, where anyone may have put it",
    )
    .hint(format!("read it; if it is right, name it: --config {}", shown(path))))
}

/// Refuses the kubeconfig that only a file names which no flag named. A kubeconfig runs programs, reads other files as
/// credentials, and says whose keys are published: it may have come with the folder, too.
pub(super) fn refuse_kubeconfig(
    path: &Path,
    kubeconfig: Option<&Path>,
    is_of_user: impl Fn(&str) -> bool,
) -> Result<()> {
    const SETTING: &str = "cluster.kubeconfig";
    let Some(kubeconfig) = kubeconfig.filter(|_| !is_of_user(SETTING)) else { return Ok(()) };
    let kubeconfig = redact::message(&kubeconfig.to_string_lossy()).to_string();
    Err(Error::usage(
        Code::ConfigKubeconfig,
        format!("{} is not used: its {SETTING} is {kubeconfig}", path.display()),
    )
    .caused_by(
        "--config does not name the file: it was found in the current folder, where anyone may have put it, and a \
         kubeconfig runs programs and says which cluster is trusted",
    )
    .hint(format!("read both files; if they are right, name the settings file: --config {}", shown(path)))
    .hint(format!("or take {SETTING} out of it and name the kubeconfig: --kubeconfig FILE, or KUBECONFIG")))
}

fn shown(path: &Path) -> String {
    if path.is_absolute() { path.display().to_string() } else { format!("./{}", path.display()) }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, PermissionsExt},
    };

    use super::*;

    #[test]
    fn files_are_judged_as_they_lie() {
        let home = tempfile::TempDir::new().unwrap();
        let path = home.path().join("keyless.yaml");
        fs::write(&path, "").unwrap();
        let me = fs::metadata(&path).unwrap().uid();
        let judged = |file: u32, folder: u32| {
            fs::set_permissions(&path, fs::Permissions::from_mode(file)).unwrap();
            fs::set_permissions(home.path(), fs::Permissions::from_mode(folder)).unwrap();
            check(&path, me)
        };
        judged(0o600, 0o700).unwrap();
        judged(0o644, 0o1777).unwrap();
        for (file, folder) in [(0o646, 0o700), (0o644, 0o777), (0o644, 0o707)] {
            let error = judged(file, folder).unwrap_err();
            assert_eq!(error.code, Code::ConfigUntrusted);
            assert!(error.hints[0].contains("--config"), "{error}");
        }
        judged(0o600, 0o700).unwrap();
        // What root owns is trusted by everybody; only root can give a file away.
        let other = me.wrapping_add(1);
        if me == 0 {
            std::os::unix::fs::chown(&path, Some(other), None).unwrap();
            check(&path, me).unwrap_err();
        } else {
            check(&path, other).unwrap_err();
        }
    }
}
