//! PURE. The flags that lead a run to its settings file and its cluster. A command that a message names repeats them: without
//! them it could be about another cluster.

use crate::{cli::Common, shell};

/// As flags of a command: ` --config FILE --context NAME`; empty where none was given. A variable of the environment is still
/// there for the next command, so it is not repeated.
pub(super) fn again(common: &Common) -> String {
    let file = |flag: &str, path: &Option<std::path::PathBuf>| {
        let path = path.as_ref()?;
        Some(format!(" {flag} {}", shell::quote(&path.display().to_string())))
    };
    let files = [file("--config", &common.config), file("--kubeconfig", &common.kubeconfig)];
    let contexts = common.context.iter().map(|name| format!(" --context {}", shell::quote(name)));
    files.into_iter().flatten().chain(contexts).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        common: Common,
    }

    #[test]
    fn where_a_run_looks_is_repeated() {
        let again = |flags: &[&str]| again(&Flags::parse_from([&["keyless"], flags].concat()).common);
        for (given, repeated) in [
            ("", ""),
            ("--issuer https://issuer.example -v --no-cluster", ""),
            ("--config keyless.yaml", " --config keyless.yaml"),
            ("--context b --config a.yaml", " --config a.yaml --context b"),
            ("--kubeconfig=/etc/rancher/k3s/k3s.yaml", " --kubeconfig /etc/rancher/k3s/k3s.yaml"),
            ("--context a --context b", " --context a --context b"),
        ] {
            let flags: Vec<_> = given.split_whitespace().collect();
            assert_eq!(again(&flags), repeated);
        }
        assert_eq!(again(&["--context", "admin@prod; rm x"]), " --context 'admin@prod; rm x'");
    }
}
