//! The environment of this process.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    cli::{Command, ConfigArgs, ConfigCommand},
    federation::ProviderName,
    redact,
};

/// `~/…` of a settings file, where no shell replaces it.
pub(super) fn below_home(path: PathBuf, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    match (path.strip_prefix("~"), variable("HOME").filter(|home| !home.is_empty())) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path,
    }
}

/// The environment of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// What a command may read of it. A file is checked as it is, whatever this shell has set.
pub(crate) fn environment_of(command: &Command) -> impl Fn(&str) -> Option<OsString> + use<> {
    let file_alone = matches!(command, Command::Config(ConfigArgs { command: ConfigCommand::Validate(_) }));
    move |name| if file_alone && name.starts_with("KEYLESS_") { None } else { environment(name) }
}

/// From now on, no secret of the environment is printed. Libraries read theirs by themselves.
pub(crate) fn remember_environment(environment: impl Fn(&str) -> Option<OsString>) {
    const OF_BUCKETS: [&str; 6] = [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_BEARER_TOKEN",
        "AZURE_CLIENT_SECRET",
        "AZURE_STORAGE_KEY",
    ];
    const URLS: [&str; 4] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "AWS_ENDPOINT_URL"];
    let of_providers = ProviderName::all().flat_map(|provider| provider.entry().secret_variables());
    for name in of_providers.chain(&OF_BUCKETS) {
        environment(name).iter().for_each(|text| redact::remember(&text.to_string_lossy()));
    }
    for name in URLS {
        for name in [name.to_owned(), name.to_lowercase()] {
            environment(&name).iter().for_each(|text| redact::remember_url(&text.to_string_lossy()));
        }
    }
}
