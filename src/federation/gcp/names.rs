//! PURE. Google's names, as types that cannot be wrong: what a principal string is built from is checked,
//! because Google accepts a member that no identity can ever be.

use std::fmt;

use crate::{
    error::{Code, Error, Result},
    federation::Subject,
};

/// The longest `google.subject` (bytes); Google says so only at the exchange.
const LONGEST_SUBJECT: usize = 127;

/// Audiences of tokens that Google's token service takes: how the names of all providers begin, with and without the
/// scheme ([`Ids::token_audience`]).
pub(crate) const AUDIENCES: [&str; 2] = ["https://iam.googleapis.com/*", "//iam.googleapis.com/*"];

/// The project, pool and provider, by their IDs as they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    /// ID or number.
    pub(super) project: String,
    pub(super) pool: String,
    pub(super) provider: String,
    /// Where the secrets lie, if they are regional ones.
    pub(super) location: Option<String>,
}

/// What is known of a project that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) number: Number,
}

/// The number of a project: what principals and audiences are made of, never its ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number(String);

impl Number {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        (digits && !text.starts_with('0')).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ids {
    pub(super) fn parse(project: &str, pool: &str, provider: &str) -> Result<Self> {
        check_project(project)?;
        check_id("pool", pool)?;
        check_id("provider", provider)?;
        let (project, pool, provider) = (project.to_owned(), pool.to_owned(), provider.to_owned());
        Ok(Self { project, pool, provider, location: None })
    }

    /// The same, with secrets of this location.
    pub(super) fn with_location(self, location: Option<&str>) -> Result<Self> {
        location.map_or(Ok(()), check_location)?;
        Ok(Self { location: location.map(str::to_owned), ..self })
    }

    /// What secrets are made and listed in.
    pub(super) fn secrets(&self) -> String {
        match &self.location {
            Some(location) => format!("projects/{}/locations/{location}", self.project),
            None => format!("projects/{}", self.project),
        }
    }

    /// `acme-prod`, or `acme-prod (europe-west1)`: where secrets are, for people.
    pub(super) fn shown_place(&self) -> String {
        match &self.location {
            Some(location) => format!("{} ({location})", self.project),
            None => self.project.clone(),
        }
    }

    /// Relative name of the folder of pools.
    pub(super) fn pools(&self) -> String {
        format!("projects/{}/locations/global/workloadIdentityPools", self.project)
    }

    pub(super) fn pool(&self) -> String {
        format!("{}/{}", self.pools(), self.pool)
    }

    pub(super) fn providers(&self) -> String {
        format!("{}/providers", self.pool())
    }

    pub(super) fn provider(&self) -> String {
        format!("{}/{}", self.providers(), self.provider)
    }

    /// What a token carries as its only audience when the provider has none of its own.
    pub(super) fn token_audience(&self, number: &Number) -> String {
        format!("https:{}", self.audience(number))
    }

    /// What the token service is asked for.
    pub(super) fn audience(&self, number: &Number) -> String {
        format!(
            "//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{}/providers/{}",
            self.pool, self.provider
        )
    }

    /// The member that means one subject of the pool.
    pub(super) fn principal(&self, number: &Number, subject: &Subject) -> String {
        format!("{}{subject}", self.before_subject(number))
    }

    /// The subject of a principal of the pool; `None`: it is another one.
    pub(super) fn subject_of<'m>(&self, number: &Number, member: &'m str) -> Option<&'m str> {
        member.strip_prefix(&self.before_subject(number))
    }

    fn before_subject(&self, number: &Number) -> String {
        format!(
            "principal://iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{}/subject/",
            self.pool
        )
    }

    pub(super) fn shown_pool(&self) -> String {
        format!("pool {} in {}", self.pool, self.project)
    }

    pub(super) fn shown_provider(&self) -> String {
        format!("provider {} in the pool {}", self.provider, self.pool)
    }
}

/// Subjects that Google cannot take are refused before anything is made.
pub(super) fn check_subject(subject: &Subject) -> Result<()> {
    let subject = subject.as_str();
    if subject.len() <= LONGEST_SUBJECT {
        return Ok(());
    }
    Err(Error::usage(
        Code::GoogleSubjectTooLong,
        format!("the subject `{}` has {} bytes, and Google takes {LONGEST_SUBJECT}", subject.escape_debug(), subject.len()),
    )
    .caused_by("Google says so only when a token is exchanged: The size of mapped attribute google.subject exceeds the 127 bytes limit")
    .hint(format!(
        "namespace and name of the ServiceAccount may have {} bytes together: choose a shorter name for the store's ServiceAccount",
        LONGEST_SUBJECT - "system:serviceaccount::".len()
    )))
}

/// <https://cloud.google.com/resource-manager/docs/creating-managing-projects>; `example.com:name` is the old form.
fn check_project(text: &str) -> Result<()> {
    let (domain, id) = text.split_once(':').unwrap_or(("", text));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_id = (6..=30).contains(&id.len())
        && id.chars().all(plain)
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-');
    let is_domain = domain.chars().all(|c| plain(c) || c == '.') && !domain.contains("..");
    if Number::parse(text).is_some() || (is_id && is_domain) {
        return Ok(());
    }
    Err(Error::usage(Code::GoogleProject, format!("`{}` cannot be a Google project", text.escape_debug()))
        .hint("its ID has 6 to 30 lower-case letters, digits and hyphens and begins with a letter; its number will do as well")
        .hint("`gcloud projects list` shows both; the display name is neither"))
}

/// IAM v1, `workloadIdentityPoolId` and `workloadIdentityPoolProviderId`.
pub(super) fn check_id(what: &str, text: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let why = if !(4..=32).contains(&text.len()) {
        "it has not 4 to 32 characters"
    } else if !text.chars().all(plain) {
        "it has a character that is not a lower-case letter, digit or hyphen"
    } else if text.starts_with("gcp-") {
        "names that begin with `gcp-` are Google's own"
    } else {
        return Ok(());
    };
    Err(Error::usage(
        Code::GoogleName,
        format!("`{}` cannot be the ID of a {what}: {why}", text.escape_debug()),
    )
    .hint("e.g. keyless-prod: one pool for each cluster, with the cluster's name in it"))
}

/// <https://cloud.google.com/secret-manager/docs/locations>, e.g. `europe-west1`.
pub(super) fn check_location(text: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (2..=40).contains(&text.len())
        && text.chars().all(plain)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-');
    if fits && text != "global" {
        return Ok(());
    }
    Err(Error::usage(
        Code::GoogleLocation,
        format!("`{}` cannot be a location of secrets", text.escape_debug()),
    )
    .hint("google.location is a region such as europe-west1; leave it out for global secrets")
    .hint("`gcloud secrets locations list` shows them"))
}

/// The endpoint that serves this location: `secretmanager.europe-west1.rep.googleapis.com` beside
/// `secretmanager.googleapis.com`. Any other host serves all of them.
pub(super) fn endpoint(base: &str, location: Option<&str>) -> String {
    match (location, base.strip_prefix("https://secretmanager.")) {
        (Some(location), Some(rest)) if !rest.contains(".rep.") => {
            format!("https://secretmanager.{location}.rep.{rest}")
        }
        _ => base.to_owned(),
    }
}

/// Secret Manager: letters, digits, hyphens and underscores, at most 255.
pub(super) fn check_secret(text: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=255).contains(&text.len()) && text.chars().all(plain) {
        return Ok(());
    }
    Err(Error::usage(
        Code::GoogleSecretName,
        format!("`{}` cannot be a secret's name in Secret Manager", text.escape_debug()),
    )
    .hint("1 to 255 letters, digits, hyphens and underscores; the name alone, without projects/…"))
}

/// The form that External Secrets Operator and IAM both take.
pub(super) fn check_email(text: &str) -> Result<()> {
    let plain = |part: &str, more: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let fits = text.split_once('@').is_some_and(|(name, host)| {
        plain(name, "-.") && plain(host, "-.") && host.ends_with(".gserviceaccount.com")
    });
    if fits && text.len() <= 255 {
        return Ok(());
    }
    Err(Error::usage(
        Code::GoogleServiceAccount,
        format!("`{}` is not the address of a Google service account", text.escape_debug()),
    )
    .hint("e.g. eso-reader@my-project.iam.gserviceaccount.com"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ServiceAccount;

    fn subject(namespace: &str, name: &str) -> Subject {
        Subject::of(&ServiceAccount { namespace: namespace.into(), name: name.into() }).unwrap()
    }

    #[test]
    fn regional_secret_has_its_own_endpoint() {
        let ids = Ids::parse("acme-prod", "keyless-lab", "cluster").unwrap();
        assert_eq!(ids.secrets(), "projects/acme-prod");
        let ids = ids.with_location(Some("europe-west1")).unwrap();
        assert_eq!(ids.secrets(), "projects/acme-prod/locations/europe-west1");
        let google = "https://secretmanager.googleapis.com";
        for (base, location, expected) in [
            (google, None, google),
            (google, Some("europe-west1"), "https://secretmanager.europe-west1.rep.googleapis.com"),
            (
                "https://secretmanager.s3nsapis.fr",
                Some("u-france-east1"),
                "https://secretmanager.u-france-east1.rep.s3nsapis.fr",
            ),
            ("http://127.0.0.1:8080", Some("europe-west1"), "http://127.0.0.1:8080"),
        ] {
            assert_eq!(endpoint(base, location), expected);
        }
        for location in
            ["", "global", "Europe-West1", "europe-west1/..", "europe west1", "-a", "a-", "a", "eu.west"]
        {
            assert_eq!(check_location(location).unwrap_err().code, Code::GoogleLocation, "{location}");
        }
    }

    #[test]
    fn strings_that_google_compares() {
        let ids = Ids::parse("acme-prod", "keyless-lab", "cluster").unwrap();
        let number = Number::parse("123456789012").unwrap();
        let resource =
            "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab";
        assert_eq!(ids.audience(&number), format!("{resource}/providers/cluster"));
        assert_eq!(ids.token_audience(&number), format!("https:{resource}/providers/cluster"));
        assert_eq!(
            ids.principal(&number, &subject("a", "b")),
            format!("principal:{resource}/subject/system:serviceaccount:a:b")
        );
        assert_eq!(
            ids.provider(),
            "projects/acme-prod/locations/global/workloadIdentityPools/keyless-lab/providers/cluster"
        );
    }

    #[test]
    fn names_that_cannot_be() {
        for (project, pool, provider, code) in [
            ("acme-prod", "abc", "cluster", Code::GoogleName),
            ("acme-prod", "gcp-pool", "cluster", Code::GoogleName),
            ("acme-prod", "Keyless", "cluster", Code::GoogleName),
            ("acme-prod", "key/less", "cluster", Code::GoogleName),
            ("acme-prod", "keyless-prod", "a", Code::GoogleName),
            ("acme-prod", "keyless-prod", &"a".repeat(33), Code::GoogleName),
            ("Acme", "keyless-prod", "cluster", Code::GoogleProject),
            ("Acme Production", "keyless-prod", "cluster", Code::GoogleProject),
            ("acme", "keyless-prod", "cluster", Code::GoogleProject),
            ("acme-prod/x", "keyless-prod", "cluster", Code::GoogleProject),
            ("acme-prod?x", "keyless-prod", "cluster", Code::GoogleProject),
            ("0123456", "keyless-prod", "cluster", Code::GoogleProject),
            ("", "keyless-prod", "cluster", Code::GoogleProject),
            ("a..b:acme-prod", "keyless-prod", "cluster", Code::GoogleProject),
        ] {
            assert_eq!(Ids::parse(project, pool, provider).unwrap_err().code, code, "{project} {pool}");
        }
        for project in ["acme-prod", "123456789012", "example.com:acme-prod"] {
            Ids::parse(project, "keyless-prod", "cluster").unwrap();
        }
        for number in ["", "acme-prod", "12a", "-1", "1 2", "012"] {
            assert_eq!(Number::parse(number), None, "{number}");
        }
        for secret in ["", "a/b", "projects/p/secrets/s", "a b", "ü", &"a".repeat(256)] {
            assert_eq!(check_secret(secret).unwrap_err().code, Code::GoogleSecretName);
        }
        for email in
            ["", "a", "a@b", "a@example.com", "a b@p.iam.gserviceaccount.com", "a/b@p.gserviceaccount.com"]
        {
            assert_eq!(check_email(email).unwrap_err().code, Code::GoogleServiceAccount, "{email}");
        }
        check_email("123-compute@developer.gserviceaccount.com").unwrap();
    }

    #[test]
    fn subject_longer_than_127_is_refused() {
        // A part of a name has 63 letters at most for DNS, and any number for the API server.
        let subject = |name: usize| subject("external-secrets", &"a".repeat(name));
        check_subject(&subject(88)).unwrap();
        let error = check_subject(&subject(89)).unwrap_err();
        assert_eq!(error.code, Code::GoogleSubjectTooLong);
        assert!(error.message.contains("128 bytes") && error.hints[0].contains("104 bytes"), "{error}");
    }
}
