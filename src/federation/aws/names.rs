//! PURE. Names of secrets and parameters, and the ARNs by which policies name them: of exactly one secret each.

use super::{Service, Settings};
use crate::error::{Code, Error, Result};

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>
const LONGEST_SECRET: usize = 512;
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>
const LONGEST_PARAMETER: usize = 1011;
/// What follows the name of a secret in its ARN: a hyphen and six characters that AWS chooses.
const SUFFIX: &str = "-??????";

/// Why the service cannot have a secret of this name. A clause.
pub(super) fn cannot_name(service: Service, name: &str) -> Option<String> {
    let (longest, more) = match service {
        Service::SecretsManager => (LONGEST_SECRET, b"/_+=.@-".as_slice()),
        Service::ParameterStore => (LONGEST_PARAMETER, b"/_.-".as_slice()),
    };
    let title = service.title();
    let shown = name.escape_debug();
    if name.is_empty() || name.len() > longest {
        return Some(format!(
            "{title} takes names of 1 to {longest} characters, and `{shown}` has {}",
            name.len()
        ));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte)) {
        return Some(format!(
            "{title} cannot have a secret of the name `{shown}`: it takes letters, digits and {}",
            marks(more)
        ));
    }
    if service == Service::ParameterStore {
        let inner = name.strip_prefix('/').unwrap_or(name);
        let lower = inner.to_ascii_lowercase();
        if lower.starts_with("aws") || lower.starts_with("ssm") {
            return Some(format!("{title} keeps names that begin with aws or ssm for itself: `{shown}`"));
        }
        if inner.split('/').any(str::is_empty) || inner.len() != name.len() && inner.is_empty() {
            return Some(format!("{title} takes no empty part in a path: `{shown}`"));
        }
        // A path of several parts begins with a slash.
        if inner.contains('/') && inner.len() == name.len() {
            return Some(format!("{title} takes a path only with a slash at its beginning: `/{shown}`"));
        }
        if inner.split('/').count() > 15 {
            return Some(format!("{title} takes at most 15 parts in a path"));
        }
    }
    None
}

fn marks(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte).to_string()).collect::<Vec<_>>().join(" ")
}

/// The ARN of the secret that an ExternalSecret names by this key, as a policy names it.
pub(super) fn arn(settings: &Settings, key: &str) -> Result<String> {
    let begin = beginning(settings);
    // The operator hands an ARN on as it is; one of another account or region is none of this store's.
    if key.starts_with("arn:") {
        let rest = key.strip_prefix(begin.as_str());
        let rest = rest.filter(|rest| cannot_name(Service::SecretsManager, rest).is_none());
        return match (rest, settings.service) {
            (Some(rest), Service::SecretsManager) if !has_suffix(rest) => Ok(format!("{key}{SUFFIX}")),
            (Some(_), _) => Ok(key.to_owned()),
            (None, _) => {
                Err(refuse(settings, key, "it is an ARN, and not one of this account, region and service"))
            }
        };
    }
    if let Some(why) = cannot_name(settings.service, key) {
        return Err(refuse(settings, key, &why));
    }
    Ok(match settings.service {
        Service::SecretsManager => format!("{begin}{key}{SUFFIX}"),
        Service::ParameterStore => format!("{begin}{}", key.strip_prefix('/').unwrap_or(key)),
    })
}

/// Whether an answer with this ARN is about the secret that was asked for by this key.
pub(super) fn is_arn_of(settings: &Settings, key: &str, seen: &str) -> bool {
    let Ok(named) = arn(settings, key) else { return false };
    if settings.service == Service::ParameterStore {
        return named == seen;
    }
    let name = named.strip_suffix(SUFFIX).unwrap_or(&named);
    let rest = seen.strip_prefix(name);
    rest.is_some_and(|rest| rest.len() == SUFFIX.len() && has_suffix(rest)) || named == seen && named == key
}

/// What the ARNs of all secrets of the account and region begin with.
pub(super) fn beginning(Settings { region, account, service, .. }: &Settings) -> String {
    let (partition, region) = (region.partition().name(), region.as_str());
    match service {
        Service::SecretsManager => format!("arn:{partition}:secretsmanager:{region}:{account}:secret:"),
        Service::ParameterStore => format!("arn:{partition}:ssm:{region}:{account}:parameter/"),
    }
}

/// Whether this ends like the ARN of a secret: then it may be whole, and a name that looks like that gets no wildcard.
fn has_suffix(rest: &str) -> bool {
    let end = rest.rsplit_once('-').map(|(_, end)| end);
    end.is_some_and(|end| end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn refuse(settings: &Settings, key: &str, why: &str) -> Error {
    let title = settings.service.title();
    Error::usage(Code::AwsSetting, format!("`{}` cannot be a secret of {title}", key.escape_debug()))
        .caused_by(why)
        .hint("correct the key in the object that names it, or aws.region, aws.account and aws.service")
}

/// The key of a customer that secrets are encrypted with: the ARN of one key, no alias and no wildcard.
pub(super) fn kms_key(settings: &Settings, arn: &str) -> Result<String> {
    let Settings { region, account, .. } = settings;
    let begin = format!("arn:{}:kms:{}:{account}:key/", region.partition().name(), region.as_str());
    let id = arn.strip_prefix(&begin);
    if id.is_some_and(|id| {
        (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    }) {
        return Ok(arn.to_owned());
    }
    Err(Error::usage(Code::AwsSetting, format!("`{}` cannot be aws.kmsKey", arn.escape_debug()))
        .hint(format!("aws.kmsKey is the ARN of a key of this account and region: {begin}ID")))
}

/// The name of a role.
pub(super) fn role_name(setting: &str, text: &str) -> Result<String> {
    let fits = (1..=LONGEST_ROLE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
    if fits {
        return Ok(text.to_owned());
    }
    Err(Error::usage(Code::AwsSetting, format!("`{}` cannot be {setting}", text.escape_debug()))
        .hint(format!("{setting} is a name of 1 to {LONGEST_ROLE} letters, digits and + = , . @ _ -")))
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub(super) const LONGEST_ROLE: usize = 64;

#[cfg(test)]
mod tests {
    use super::{super::plan::tests::settings, *};

    fn store() -> Settings {
        Settings { service: Service::ParameterStore, ..settings() }
    }

    #[test]
    fn arn_names_exactly_one_secret() {
        let begin = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
        for (key, end) in [
            ("db", "db-??????"),
            ("prod/db", "prod/db-??????"),
            ("prod/db-abcdef", "prod/db-abcdef-??????"),
            (&format!("{begin}prod/db-AbC123"), "prod/db-AbC123"),
            (&format!("{begin}prod/db"), "prod/db-??????"),
        ] {
            assert_eq!(arn(&settings(), key).unwrap(), format!("{begin}{end}"), "{key}");
        }
        let begin = "arn:aws:ssm:eu-central-1:123456789012:parameter/";
        for (key, end) in [("db", "db"), ("/db", "db"), ("/prod/db", "prod/db")] {
            assert_eq!(arn(&store(), key).unwrap(), format!("{begin}{end}"), "{key}");
        }
    }

    #[test]
    fn answer_is_about_one_secret() {
        let begin = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
        let is_of = |key: &str, end: &str| is_arn_of(&settings(), key, &format!("{begin}{end}"));
        assert!(is_of("db", "db-AbC123") && is_of("prod/db", "prod/db-AbC123"));
        assert!(
            is_of(&format!("{begin}db-AbC123"), "db-AbC123") && is_of(&format!("{begin}db"), "db-AbC123")
        );
        for (key, end) in [
            ("db", "db"),
            ("db", "db-AbC12"),
            ("db", "db-AbC1234"),
            ("db", "db-x-AbC123"),
            ("db", "other-AbC123"),
            ("db", "prod/db-AbC123"),
            ("db*", "db-AbC123"),
        ] {
            assert!(!is_of(key, end), "{key} {end}");
        }
        assert!(!is_arn_of(&settings(), "db", &format!("{}db-AbC123", begin.replace("1234567", "7654321"))));
        let begin = "arn:aws:ssm:eu-central-1:123456789012:parameter/";
        assert!(is_arn_of(&store(), "/prod/db", &format!("{begin}prod/db")));
        assert!(!is_arn_of(&store(), "/prod/db", &format!("{begin}prod/dbx")));
    }

    #[test]
    fn wildcard_and_foreign_arn_are_refused() {
        for key in [
            "",
            "*",
            "db*",
            "d?",
            "${aws:username}",
            "a b",
            "a\"b",
            "ü",
            "arn:aws:secretsmanager:eu-central-1:210987654321:secret:db",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:*",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:",
            "arn:aws:s3:::bucket",
            &"a".repeat(513),
        ] {
            assert_eq!(arn(&settings(), key).unwrap_err().code, Code::AwsSetting, "{key}");
        }
        for key in ["", "/", "a/b", "//a", "/a//b", "/a/", "aws/x", "/aws-x", "SSMx", "a+b", "a@b", "/a*"] {
            assert_eq!(arn(&store(), key).unwrap_err().code, Code::AwsSetting, "{key}");
        }
    }

    #[test]
    fn key_of_kms_is_one_key() {
        let good = "arn:aws:kms:eu-central-1:123456789012:key/0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
        assert!(kms_key(&settings(), good).is_ok());
        for arn in [
            "arn:aws:kms:eu-central-1:123456789012:key/*",
            "arn:aws:kms:eu-central-1:123456789012:alias/x",
            "arn:aws:kms:eu-central-1:210987654321:key/0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11",
            "*",
            "",
        ] {
            assert_eq!(kms_key(&settings(), arn).unwrap_err().code, Code::AwsSetting, "{arn}");
        }
    }
}
