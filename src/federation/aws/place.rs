//! PURE. Regions, and the names and addresses that follow from them. No address comes from a name that is not one of a
//! region of AWS.

use crate::{
    base_url::base_url,
    error::{Code, Error, Result},
};

/// The name of a region, e.g. `eu-central-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region(String);

/// A group of regions with ARNs, addresses and accounts of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partition {
    Aws,
    China,
    Government,
}

/// A service that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Iam,
    Sts,
    SecretsManager,
    Ssm,
}

/// Base URLs in place of those of AWS, without a trailing slash.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "AwsEndpoints")]
pub(crate) struct Endpoints {
    iam: Option<String>,
    sts: Option<String>,
    secrets_manager: Option<String>,
    ssm: Option<String>,
}

impl Region {
    /// `setting` is how its owner calls it.
    pub(super) fn parse(setting: &str, text: &str) -> Result<Self> {
        let parts: Vec<_> = text.split('-').collect();
        let is_word = |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
        let fits = match parts.as_slice() {
            [area, middle @ .., number] => {
                area.len() == 2
                    && is_word(area)
                    && (1..=2).contains(&middle.len())
                    && middle.iter().all(is_word)
                    // Isolated partitions have addresses of their own.
                    && !middle.iter().any(|part| part.starts_with("iso"))
                    && matches!(number.as_bytes(), [b'1'..=b'9'])
            }
            _ => false,
        };
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::usage(Code::AwsSetting, format!("`{}` cannot be {setting}", text.escape_debug()))
            .hint(format!("{setting} is the name of a region of AWS, e.g. eu-central-1")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn partition(&self) -> Partition {
        match self.0.as_str() {
            text if text.starts_with("cn-") => Partition::China,
            text if text.starts_with("us-gov-") => Partition::Government,
            _ => Partition::Aws,
        }
    }

    /// The region that a request is signed for.
    pub(super) fn signs(&self, api: Api) -> &str {
        match (api, self.partition()) {
            (Api::Iam, Partition::Aws) => "us-east-1",
            (Api::Iam, Partition::China) => "cn-north-1",
            (Api::Iam, Partition::Government) => "us-gov-west-1",
            _ => &self.0,
        }
    }

    /// The base URL of a service, where no setting names another one
    /// (<https://docs.aws.amazon.com/general/latest/gr/iam-service.html>).
    fn usual(&self, api: Api) -> String {
        match (api, self.partition()) {
            (Api::Iam, Partition::Aws) => "https://iam.amazonaws.com".to_owned(),
            (Api::Iam, Partition::China) => "https://iam.cn-north-1.amazonaws.com.cn".to_owned(),
            (Api::Iam, Partition::Government) => "https://iam.us-gov.amazonaws.com".to_owned(),
            (api, partition) => format!("https://{}.{}.{}", api.name(), self.0, partition.domain()),
        }
    }
}

impl Partition {
    /// As ARNs name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::Government => "aws-us-gov",
        }
    }

    pub(super) fn domain(self) -> &'static str {
        match self {
            Self::China => "amazonaws.com.cn",
            Self::Aws | Self::Government => "amazonaws.com",
        }
    }
}

impl Api {
    /// As signatures and host names have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
        }
    }

    /// For people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Iam => "IAM",
            Self::Sts => "STS",
            Self::SecretsManager => "Secrets Manager",
            Self::Ssm => "Systems Manager",
        }
    }
}

impl Endpoints {
    /// Those that are set, by their settings.
    pub(super) fn set(&self) -> Vec<(String, String)> {
        let all = [
            ("iam", &self.iam),
            ("sts", &self.sts),
            ("secretsManager", &self.secrets_manager),
            ("ssm", &self.ssm),
        ];
        let set =
            all.into_iter().filter_map(|(name, url)| Some((format!("aws.endpoints.{name}"), url.clone()?)));
        set.collect()
    }

    /// Whether a credential may be sent to each of them.
    pub(super) fn check(&self) -> Result<()> {
        self.set().iter().try_for_each(|(setting, url)| base_url(setting, url).map(drop))
    }

    pub(super) fn of(&self, api: Api, region: &Region) -> String {
        let set = match api {
            Api::Iam => &self.iam,
            Api::Sts => &self.sts,
            Api::SecretsManager => &self.secrets_manager,
            Api::Ssm => &self.ssm,
        };
        set.as_ref().map_or_else(|| region.usual(api), |url| url.trim_end_matches('/').to_owned())
    }
}

/// An account ID: 12 digits.
pub(super) fn account_id(setting: &str, text: &str) -> Result<String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(Error::usage(Code::AwsSetting, format!("`{}` cannot be {setting}", text.escape_debug()))
        .hint(format!("{setting} has 12 digits: `aws sts get-caller-identity --query Account` prints it; in YAML, write it in quotes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(text: &str) -> Region {
        Region::parse("aws.region", text).unwrap()
    }

    #[test]
    fn region_decides_partition_and_addresses() {
        for (name, partition, iam, sts, signs) in [
            (
                "eu-central-1",
                "aws",
                "https://iam.amazonaws.com",
                "https://sts.eu-central-1.amazonaws.com",
                "us-east-1",
            ),
            (
                "us-east-1",
                "aws",
                "https://iam.amazonaws.com",
                "https://sts.us-east-1.amazonaws.com",
                "us-east-1",
            ),
            (
                "cn-northwest-1",
                "aws-cn",
                "https://iam.cn-north-1.amazonaws.com.cn",
                "https://sts.cn-northwest-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "us-gov-east-1",
                "aws-us-gov",
                "https://iam.us-gov.amazonaws.com",
                "https://sts.us-gov-east-1.amazonaws.com",
                "us-gov-west-1",
            ),
        ] {
            let (region, usual) = (region(name), Endpoints::default());
            assert_eq!(region.partition().name(), partition);
            assert_eq!(usual.of(Api::Iam, &region), iam);
            assert_eq!(usual.of(Api::Sts, &region), sts);
            assert_eq!((region.signs(Api::Iam), region.signs(Api::Ssm)), (signs, name));
        }
    }

    #[test]
    fn no_other_host_is_a_region() {
        for text in [
            "",
            "eu",
            "eu-central",
            "eu-central-1.evil.example",
            "eu-central-1/",
            "EU-central-1",
            "eu-central-1@evil.example",
            "eu--1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eusc-de-east-1",
            "eu-central-0",
            "eu-central-12",
            "eu-c-1",
            "a-b-c-d-1",
            "global",
            "eu-central-1 ",
        ] {
            assert_eq!(Region::parse("aws.region", text).unwrap_err().code, Code::AwsSetting, "{text}");
        }
    }

    #[test]
    fn account_has_twelve_digits() {
        assert!(account_id("aws.account", "123456789012").is_ok());
        for text in ["", "12345678901", "1234567890123", "12345678901a", "１２３４", "123456789012 "] {
            assert_eq!(account_id("aws.account", text).unwrap_err().code, Code::AwsSetting, "{text}");
        }
    }
}
