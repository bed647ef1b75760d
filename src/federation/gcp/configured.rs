//! Complete settings, and what others must be told to come in by them: a secret store, Google's own libraries.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    Gcp, GoogleLogin, Grant, Mode, PROVIDER, Patience, Settings, account,
    names::{Ids, Number},
    project::{self, Project},
};
use crate::{
    cluster::snapshot::Store,
    error::{Code, Error, Result},
    federation::{Configured, CredentialFile, Federation, ProviderName, Purpose},
    google::check_endpoint,
    http::Http,
    secret_store::StoreLogin,
    target::Account,
    warning::Warning,
};

/// How long a refused read is tried again although this run has granted nothing: an earlier run, cut off, may have
/// granted what has not spread yet.
const AFTER_AN_EARLIER_RUN: Duration = Duration::from_secs(120);

#[async_trait]
impl Configured for Settings {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Account {
        account(&self.project)
    }

    fn uploads_keys(&self) -> bool {
        self.mode == Mode::Uploaded
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let mode = match self.mode {
            Mode::Documents => "documents",
            Mode::Uploaded => "uploaded",
        };
        let access = match self.grant {
            Grant::Project => "project",
            Grant::Secrets => "secrets",
        };
        let always = [
            ("google.project", self.project.clone()),
            ("google.pool", self.pool.clone()),
            ("google.provider", self.provider.clone()),
            ("google.mode", mode.to_owned()),
            ("google.access", access.to_owned()),
        ];
        let where_set =
            [("google.impersonate", self.impersonate.clone()), ("google.location", self.location.clone())];
        let set = where_set.into_iter().filter_map(|(path, value)| Some((path, value?)));
        always.into_iter().chain(set).collect()
    }

    fn connect(&self, http: &Http, purpose: Purpose) -> Result<Box<dyn Federation>> {
        let otherwise = match purpose {
            Purpose::Apply => AFTER_AN_EARLIER_RUN,
            Purpose::Look => Duration::ZERO,
        };
        let google = Gcp::connect(self, http)?;
        Ok(Box::new(google.with_patience(Patience { otherwise, ..Patience::default() })))
    }

    async fn store_login(
        &self,
        store: Option<&Store>,
        http: &Http,
    ) -> Result<(Box<dyn StoreLogin>, Vec<Warning>)> {
        let (login, warning) = project::store_login(self, store, http).await?;
        Ok((Box::new(login), warning.into_iter().collect()))
    }

    async fn credential_file(
        &self,
        token_file: &Path,
        store: Option<&Store>,
        http: &Http,
    ) -> Result<Option<CredentialFile>> {
        let number = Project::known(self, store).number(self, http).await?;
        let document = self.credential_configuration(&number, token_file)?;
        let usage = usage(&self.token_audience(&number)?, &token_file.display().to_string());
        Ok(Some(CredentialFile { document, usage }))
    }
}

impl Settings {
    /// What a secret store must say, for those who know both names of the project already.
    pub(super) fn login(&self, project_id: &str, project_number: &str) -> Result<GoogleLogin> {
        let (ids, number) = (self.ids()?, number(project_number)?);
        Ok(GoogleLogin {
            project_id: project_id.to_owned(),
            project_number: number.to_string(),
            audience: ids.audience(&number),
            token_audience: ids.token_audience(&number),
            impersonate: self.impersonate.clone(),
            location: self.location.clone(),
        })
    }

    /// What a token for this provider must carry as its only audience.
    fn token_audience(&self, project_number: &str) -> Result<String> {
        Ok(self.ids()?.token_audience(&number(project_number)?))
    }

    /// A credential configuration file (<https://google.aip.dev/auth/4117>) for a token that lies in a file, as
    /// gcloud writes it. It holds no secret.
    fn credential_configuration(&self, project_number: &str, token_file: &Path) -> Result<Value> {
        let (ids, endpoints) = (self.ids()?, &self.endpoints);
        let Some(token_file) = token_file.to_str() else {
            return Err(Error::usage(Code::TokenFile, "the path of the token's file is not Unicode")
                .hint("--token-file takes a path such as /var/run/service-account/token"));
        };
        check_endpoint("sts", &endpoints.sts)?;
        let mut file = json!({
            "universe_domain": "googleapis.com",
            "type": "external_account",
            "audience": ids.audience(&number(project_number)?),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/v1/token", endpoints.sts),
            "credential_source": { "file": token_file, "format": { "type": "text" } },
        });
        if let Some(email) = &self.impersonate {
            super::check_email(email)?;
            check_endpoint("iamCredentials", &endpoints.iam_credentials)?;
            let base = &endpoints.iam_credentials;
            file["service_account_impersonation_url"] =
                json!(format!("{base}/v1/projects/-/serviceAccounts/{email}:generateAccessToken"));
        } else {
            // By it, gcloud shows as whom one is logged in.
            file["token_info_url"] = json!(format!("{}/v1/introspect", endpoints.sts));
        }
        Ok(file)
    }

    /// The project's number, where the project was given by it.
    pub(super) fn project_number(&self) -> Option<&str> {
        Number::parse(&self.project).map(|_| self.project.as_str())
    }

    pub(super) fn ids(&self) -> Result<Ids> {
        Ids::parse(&self.project, &self.pool, &self.provider)?.with_location(self.location.as_deref())
    }
}

fn number(text: &str) -> Result<Number> {
    Number::parse(text).ok_or_else(|| {
        Error::usage(
            Code::GoogleProject,
            format!("`{}` is not the number of a Google project", text.escape_debug()),
        )
        .hint("`gcloud projects list` shows it")
    })
}

/// How a pod gets the token, and who reads the file.
fn usage(audience: &str, token_file: &str) -> String {
    let (folder, file) = token_file.rsplit_once('/').unwrap_or((".", token_file));
    format!(
        "\
A pod gets the token by a projected volume, and finds the file by GOOGLE_APPLICATION_CREDENTIALS:

    env:
    - {{name: GOOGLE_APPLICATION_CREDENTIALS, value: /etc/google/credentials.json}}
    volumeMounts:
    - {{name: token, mountPath: {folder}, readOnly: true}}
    - {{name: google, mountPath: /etc/google, readOnly: true}}
  volumes:
  - name: token
    projected:
      sources:
      - serviceAccountToken:
          path: {file}
          expirationSeconds: 3600
          audience: {audience}
  - name: google
    configMap: {{name: google}}   # with this file as credentials.json

gcloud takes it by `gcloud auth login --cred-file=FILE`. Its ServiceAccount must be admitted by the provider's
condition, and be granted what it reads, as `keyless setup` does for the store's own."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::gcp::Endpoints;

    fn settings(impersonate: Option<&str>) -> Settings {
        Settings {
            project: "acme-prod".into(),
            pool: "keyless-lab".into(),
            provider: "cluster".into(),
            mode: Mode::Uploaded,
            grant: Grant::Secrets,
            impersonate: impersonate.map(str::to_owned),
            location: None,
            endpoints: Endpoints::default(),
            access_token: None,
        }
    }

    #[test]
    fn credential_file_matches_that_of_gcloud() {
        let token = Path::new("/var/run/service-account/token");
        let audience = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/providers/cluster";
        let mut wanted = json!({
            "universe_domain": "googleapis.com",
            "type": "external_account",
            "audience": audience,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/var/run/service-account/token", "format": {"type": "text"}},
            "token_info_url": "https://sts.googleapis.com/v1/introspect",
        });
        assert_eq!(settings(None).credential_configuration("123456789012", token).unwrap(), wanted);
        wanted.as_object_mut().unwrap().remove("token_info_url");
        let email = "eso@acme-prod.iam.gserviceaccount.com";
        wanted["service_account_impersonation_url"] = json!(
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/eso@acme-prod.iam.gserviceaccount.com:generateAccessToken"
        );
        assert_eq!(settings(Some(email)).credential_configuration("123456789012", token).unwrap(), wanted);
        assert_eq!(settings(None).token_audience("123456789012").unwrap(), format!("https:{audience}"));
    }

    #[test]
    fn a_project_id_is_no_number() {
        let token = Path::new("token");
        for number in ["acme-prod", "", "0123"] {
            let error = settings(None).credential_configuration(number, token).unwrap_err();
            assert_eq!(error.code, Code::GoogleProject, "{number}");
        }
    }
}
