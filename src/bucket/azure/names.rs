//! PURE. Accounts, containers and their addresses.

use url::{Host, Url};

use crate::{
    base_url::base_url,
    bucket::{Leads, Place, kind::name_and_prefix},
    error::{Code, Error, Result},
};

/// The container of an account's static website.
const WEBSITE: &str = "$web";
/// The clouds of Azure: a name belongs to another customer in each of them.
const PUBLIC_CLOUD: &str = "core.windows.net";

/// Where a container is, and under which names it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) account: String,
    pub(super) container: String,
    /// The account's blob service, without a slash at its end.
    pub(super) base: Url,
    /// `core.windows.net`, as far as the address of the blob service tells.
    cloud: Option<String>,
}

/// `ACCOUNT/CONTAINER[/PREFIX]`
pub(super) fn parse(rest: &str) -> Result<Place, &'static str> {
    let account = name_and_prefix(rest)?;
    let Some((container, prefix)) = split(&account.prefix) else {
        return Err("there is no container after the storage account");
    };
    Ok(Place { name: format!("{}/{container}", account.name), prefix: prefix.to_owned() })
}

fn split(path: &str) -> Option<(&str, &str)> {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    (!first.is_empty()).then_some((first, rest))
}

impl Location {
    /// `name`: `ACCOUNT/CONTAINER`. `endpoint`: the account's blob service, if it is not in Azure's public cloud.
    pub(super) fn new(name: &str, endpoint: Option<&str>) -> Result<Self> {
        let (account, container) = name.split_once('/').unwrap_or((name, ""));
        check_account(account)?;
        check_container(container)?;
        let base = match endpoint {
            Some(endpoint) => base_url("--endpoint", endpoint)?,
            None => format!("https://{account}.blob.{PUBLIC_CLOUD}"),
        };
        let base = Url::parse(&base).map_err(|error| {
            Error::usage(Code::BucketEndpoint, "--endpoint cannot be the address of a blob service")
                .caused_by(error)
                .hint("it is the account's own, e.g. https://ACCOUNT.blob.core.usgovcloudapi.net")
        })?;
        let cloud = base.domain().and_then(|host| host.strip_prefix(account)?.strip_prefix(".blob."));
        let cloud = cloud.map(str::to_owned);
        Ok(Self { account: account.to_owned(), container: container.to_owned(), base, cloud })
    }

    pub(super) fn is_website(&self) -> bool {
        self.container == WEBSITE
    }

    /// Whether the account is one of Azure's public cloud, at its own address.
    pub(super) fn is_in_public_cloud(&self) -> bool {
        self.cloud.as_deref() == Some(PUBLIC_CLOUD)
    }

    /// A URL of the API below the account; the parts are names, and encoded, `/` in the last one excepted.
    pub(super) fn url(&self, name: &str, query: &str) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        let name = if name.is_empty() { String::new() } else { format!("/{}", encode(name)) };
        url.set_path(&format!("{base}/{}{name}", encode(&self.container)));
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        url
    }

    /// A URL of the account itself.
    pub(super) fn account_url(&self, query: &str) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/"));
        url.set_query(Some(query));
        url
    }

    /// Where anonymous readers find the container. `None` for the static website: its address has the number of a zone,
    /// which nothing here tells.
    pub(super) fn public_url(&self) -> Option<String> {
        let url = self.url("", "");
        (!self.is_website()).then(|| url.as_str().trim_end_matches('/').to_owned())
    }

    /// <https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-endpoints>
    pub(super) fn leads(&self, url: &Url) -> Leads {
        if url.host() == self.base.host() && url.port_or_known_default() == self.base.port_or_known_default()
        {
            let path = url.path().strip_prefix(self.base.path().trim_end_matches('/')).unwrap_or_default();
            return self.at_blob_service(path.trim_start_matches('/'));
        }
        let (Some(Host::Domain(host)), Some(cloud)) = (url.host(), &self.cloud) else {
            return Leads::Unknown;
        };
        let Some(before) = host.strip_suffix(cloud).and_then(|before| before.strip_suffix('.')) else {
            return Leads::Unknown;
        };
        let labels: Vec<_> = before.split('.').collect();
        match labels.as_slice() {
            [account, "blob"] => self.elsewhere(format!("{host} is the storage account {account:?}")),
            [account, zone, "web"] if is_zone(zone) && *account == self.account => {
                if self.is_website() {
                    return Leads::Here(url.path().trim_start_matches('/').to_owned());
                }
                self.elsewhere(format!("{host} shows the container {WEBSITE} of the account"))
            }
            [account, _, "web"] => self.elsewhere(format!("{host} is a website of the account {account:?}")),
            _ => Leads::Unknown,
        }
    }

    fn at_blob_service(&self, path: &str) -> Leads {
        if self.is_website() {
            return self
                .elsewhere(format!("the container {WEBSITE} is public at the website's address only"));
        }
        match split(path) {
            Some((container, name)) if container == self.container => Leads::Here(name.to_owned()),
            Some((container, _)) => self.elsewhere(format!("it names the container {container:?}")),
            None => self.elsewhere("the URL names no container".to_owned()),
        }
    }

    fn elsewhere(&self, why: String) -> Leads {
        let remedy = match self.public_url() {
            Some(url) => {
                format!("name one and the same container by --bucket and --issuer; this one is read at {url}")
            }
            None => format!("give the address of the website by --issuer: {}", self.website_command()),
        };
        Leads::Elsewhere { why, remedy }
    }

    /// What tells the address of the static website.
    pub(super) fn website_command(&self) -> String {
        format!("`az storage account show --name {} --query primaryEndpoints.web --output tsv`", self.account)
    }
}

/// `z` and a number.
fn is_zone(label: &str) -> bool {
    label.strip_prefix('z').is_some_and(|number| {
        (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Everything but RFC 3986's unreserved characters is encoded, and `/`, and the `$` of `$web`.
fn encode(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'$' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftstorage>
fn check_account(name: &str) -> Result<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if plain && (3..=24).contains(&name.len()) {
        return Ok(());
    }
    Err(Error::usage(Code::BucketName, format!("{name:?} cannot be the name of an Azure storage account"))
        .hint("3 to 24 lower-case letters and digits: az://ACCOUNT/CONTAINER"))
}

/// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>
fn check_container(name: &str) -> Result<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let hyphens = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    if name == WEBSITE || plain && !hyphens && (3..=63).contains(&name.len()) {
        return Ok(());
    }
    Err(Error::usage(Code::BucketName, format!("{name:?} cannot be the container of the documents"))
        .hint("3 to 63 lower-case letters, digits and single hyphens, a letter or digit at both ends; or $web, the static website"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(name: &str) -> Location {
        Location::new(name, None).unwrap()
    }

    #[test]
    fn account_and_container_are_read() {
        for (text, name, prefix) in [
            ("acmeoidc/keys", "acmeoidc/keys", ""),
            ("acmeoidc/keys/", "acmeoidc/keys", ""),
            ("acmeoidc/$web/prod/eu", "acmeoidc/$web", "prod/eu"),
        ] {
            let place = parse(text).unwrap();
            assert_eq!((place.name.as_str(), place.prefix.as_str()), (name, prefix), "{text}");
        }
        for text in [
            "",
            "acmeoidc",
            "acmeoidc/",
            "/keys",
            "acmeoidc//keys",
            "a@b/keys",
            "acme:443/keys",
            "acme/../x",
            "acme/keys/./x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_that_nothing_can_have() {
        let (long, longer) = ("a".repeat(25), "a".repeat(64));
        for name in [
            "ab/keys",
            "Acme/keys",
            "acme-oidc/keys",
            "acme.blob/keys",
            "acmé/keys",
            &format!("{long}/keys"),
            "acme/ab",
            "acme/Keys",
            "acme/ke--ys",
            "acme/-keys",
            "acme/keys-",
            "acme/ke_ys",
            "acme/$root",
            "acme/$logs",
            "acme/",
            "acme",
            &format!("acme/{longer}"),
        ] {
            let error = Location::new(name, None).unwrap_err();
            assert_eq!(error.code, Code::BucketName, "{name}");
        }
        for name in ["acme1/keys", "acme/k3y-s", "acme/$web"] {
            Location::new(name, None).unwrap();
        }
    }

    #[test]
    fn addresses_of_requests_and_readers() {
        let keys = location("acmeoidc/keys");
        let base = "https://acmeoidc.blob.core.windows.net";
        assert_eq!(keys.public_url(), Some(format!("{base}/keys")));
        assert_eq!(
            keys.url("p/.well-known/a b%ü", "comp=acl").as_str(),
            format!("{base}/keys/p/.well-known/a%20b%25%C3%BC?comp=acl")
        );
        assert_eq!(keys.account_url("restype=service").as_str(), format!("{base}/?restype=service"));
        assert_eq!(location("acmeoidc/$web").public_url(), None);
        let emulated =
            Location::new("devstoreaccount1/keys", Some("http://127.0.0.1:10000/devstoreaccount1/")).unwrap();
        assert_eq!(emulated.public_url().unwrap(), "http://127.0.0.1:10000/devstoreaccount1/keys");
        assert_eq!(emulated.account_url("a=b").as_str(), "http://127.0.0.1:10000/devstoreaccount1/?a=b");
        for endpoint in [
            "acme.blob.core.windows.net",
            "http://acme.example.com",
            "https://h?x=y",
            "https://u:CANARY@h",
            "",
        ] {
            let error = Location::new("acme/keys", Some(endpoint)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn issuer_leads_to_one_container() {
        let leads = |name: &str, endpoint: Option<&str>, url: &str| {
            let location = Location::new(name, endpoint).unwrap();
            match location.leads(&Url::parse(url).unwrap()) {
                Leads::Here(name) => format!("here {name}"),
                Leads::Elsewhere { .. } => "elsewhere".to_owned(),
                Leads::Unknown => "unknown".to_owned(),
            }
        };
        let usa = Some("https://acme.blob.core.usgovcloudapi.net");
        for (name, endpoint, url, expected) in [
            ("acme/keys", None, "https://acme.blob.core.windows.net/keys/prod", "here prod"),
            ("acme/keys", None, "https://acme.blob.core.windows.net/keys", "here "),
            ("acme/keys", None, "https://acme.blob.core.windows.net/keys2", "elsewhere"),
            ("acme/keys", None, "https://acme.blob.core.windows.net/", "elsewhere"),
            ("acme/keys", None, "https://other.blob.core.windows.net/keys", "elsewhere"),
            ("acme/keys", None, "https://acme.z6.web.core.windows.net/prod", "elsewhere"),
            ("acme/keys", None, "https://acme.blob.core.usgovcloudapi.net/keys", "unknown"),
            ("acme/keys", None, "https://acme.blob.core.windows.net.example.com/keys", "unknown"),
            ("acme/keys", None, "https://id.example.com/keys", "unknown"),
            ("acme/keys", usa, "https://acme.blob.core.usgovcloudapi.net/keys/a", "here a"),
            ("acme/keys", usa, "https://acme.blob.core.windows.net/keys/a", "unknown"),
            ("acme/$web", None, "https://acme.z6.web.core.windows.net/prod", "here prod"),
            ("acme/$web", None, "https://acme.z13.web.core.windows.net", "here "),
            ("acme/$web", None, "https://acme.web.core.windows.net/prod", "unknown"),
            ("acme/$web", None, "https://acme.x6.web.core.windows.net/prod", "elsewhere"),
            ("acme/$web", None, "https://other.z6.web.core.windows.net/prod", "elsewhere"),
            ("acme/$web", None, "https://acme.blob.core.windows.net/$web/prod", "elsewhere"),
            ("acme/$web", usa, "https://acme.z6.web.core.windows.net/prod", "unknown"),
        ] {
            assert_eq!(leads(name, endpoint, url), expected, "{name} {url}");
        }
    }
}
