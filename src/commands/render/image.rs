//! PURE. An image of the program, by digest, or by a tag where that was asked for.

use std::{fmt, str::FromStr};

use clap::Args;

/// Which image the pods run. One of the two must be given.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct ImageArgs {
    /// The image of the program, by digest: REGISTRY/NAME@sha256:…
    #[arg(long, value_name = "IMAGE", value_parser = by_digest)]
    image: Option<Image>,

    /// The image of the program, by tag: REGISTRY/NAME:TAG. A tag can be moved to another image
    #[arg(long, value_name = "IMAGE", value_parser = by_tag)]
    image_by_tag: Option<Image>,
}

impl ImageArgs {
    pub(super) fn chosen(&self) -> Option<&Image> {
        self.image.as_ref().or(self.image_by_tag.as_ref())
    }
}

/// `registry.example.com/keyless@sha256:…` or `registry.example.com/keyless:0.1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) repository: String,
    pub(super) version: Version,
}

/// What distinguishes an image from others of its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// `sha256:` and 64 digits.
    Digest(String),
    Tag(String),
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Digest(digest) => write!(f, "{}@{digest}", self.repository),
            Version::Tag(tag) => write!(f, "{}:{tag}", self.repository),
        }
    }
}

impl FromStr for Image {
    type Err = String;

    /// As the container runtimes read it (distribution/reference, grammar of `reference`), without a tag beside a digest.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((repository, digest)) = text.split_once('@') {
            let is_hex =
                |it: &str| it.len() == 64 && it.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            return match digest.strip_prefix("sha256:") {
                Some(hex) if is_hex(hex) && is_repository(repository) => Ok(Self {
                    repository: repository.to_owned(),
                    version: Version::Digest(digest.to_owned()),
                }),
                _ => Err("write it as REGISTRY/NAME@sha256: and 64 hexadecimal digits".to_owned()),
            };
        }
        let (repository, tag) = text.rsplit_once(':').unwrap_or((text, ""));
        let is_tag = !tag.is_empty()
            && tag.len() <= 128
            && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
            && !tag.starts_with(['.', '-']);
        match is_tag && is_repository(repository) {
            true => Ok(Self { repository: repository.to_owned(), version: Version::Tag(tag.to_owned()) }),
            false => Err("write it as REGISTRY/NAME:TAG".to_owned()),
        }
    }
}

/// Names with slashes between them; the first may be a host with a port.
fn is_repository(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte))
    };
    let (host, path) = text.split_once('/').unwrap_or(("", text));
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let is_host = host.is_empty() || (is_name(name) && port.parse::<u16>().is_ok());
    is_host && path.split('/').all(is_name)
}

fn by_digest(text: &str) -> Result<Image, String> {
    let image: Image = text.parse()?;
    match image.version {
        Version::Digest(_) => Ok(image),
        Version::Tag(_) => {
            Err("it has no digest: write REGISTRY/NAME@sha256:…, or use --image-by-tag".to_owned())
        }
    }
}

fn by_tag(text: &str) -> Result<Image, String> {
    let image: Image = text.parse()?;
    match image.version {
        Version::Tag(_) => Ok(image),
        Version::Digest(_) => Err("it has a digest: use --image".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_digest_or_tag() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            format!("keyless@{digest}"),
            format!("localhost:5000/a/keyless@{digest}"),
            "registry.example.com/keyless:0.1.0".to_owned(),
            "registry.example.com:5000/team_a/key-less:v1_2.3-rc".to_owned(),
        ] {
            assert_eq!(text.parse::<Image>().unwrap().to_string(), text);
        }
        let invalid = [
            String::new(),
            "keyless".to_owned(),
            ":0.1.0".to_owned(),
            "keyless:".to_owned(),
            "keyless@".to_owned(),
            format!("@{digest}"),
            format!("keyless:1@{digest}"),
            format!("keyless@{}", digest.to_uppercase()),
            format!("keyless@{}", &digest[..70]),
            "keyless@sha512:00".to_owned(),
            "Keyless:1".to_owned(),
            "a//b:1".to_owned(),
            "a/b c:1".to_owned(),
            "a/b:1\n".to_owned(),
            "a:port/b:1".to_owned(),
            "../b:1".to_owned(),
            "a/b:-1".to_owned(),
            format!("a/b:{}", "1".repeat(129)),
        ];
        for text in invalid {
            assert!(text.parse::<Image>().is_err(), "{text}");
        }
    }

    #[test]
    fn tag_takes_its_own_flag() {
        let digest = format!("a/b@sha256:{}", "0".repeat(64));
        assert!(by_digest(&digest).is_ok() && by_digest("a/b:1").is_err());
        assert!(by_tag("a/b:1").is_ok() && by_tag(&digest).is_err());
    }
}
