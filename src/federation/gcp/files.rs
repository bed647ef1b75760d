//! PURE. What others must be told to come in by this provider: a secret store, Google's own libraries.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Settings,
    names::{Ids, Number},
};
use crate::{
    error::{Code, Error, Result},
    google::check_endpoint,
    secret_store::Access,
};

impl Settings {
    /// What a secret store must say, for those who know both names of the project already.
    pub(crate) fn access(&self, project_id: &str, project_number: &str) -> Result<Access> {
        let (ids, number) = (self.ids()?, number(project_number)?);
        Ok(Access::Google {
            project_id: project_id.to_owned(),
            project_number: number.to_string(),
            audience: ids.audience(&number),
            token_audience: ids.token_audience(&number),
            impersonate: self.impersonate.clone(),
            location: self.location.clone(),
        })
    }

    /// What a token for this provider must carry as its only audience.
    pub(crate) fn token_audience(&self, project_number: &str) -> Result<String> {
        Ok(self.ids()?.token_audience(&number(project_number)?))
    }

    /// A credential configuration file (<https://google.aip.dev/auth/4117>) for a token that lies in a file, as
    /// gcloud writes it. It holds no secret.
    pub(crate) fn credential_configuration(&self, project_number: &str, token_file: &Path) -> Result<Value> {
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
    pub(crate) fn project_number(&self) -> Option<&str> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::gcp::{Endpoints, Grant, Mode};

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
    fn the_file_says_what_gcloud_would_write() {
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
