//! Both names of a project: from the settings and the store that is there, and only for what these do not say, from
//! Google. Everything here reads only.

use super::{Gcp, GoogleLogin, Settings, store_login::MEMBER};
use crate::{
    cluster::snapshot::Store,
    error::{Code, Result},
    http::Http,
    warning::Warning,
};

/// Both names of a project, as far as they are known without asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) id: Option<String>,
    pub(super) number: Option<String>,
}

impl Project {
    /// A store that logs in by this program's own form names the number, and the ID beside it.
    pub(super) fn known(google: &Settings, store: Option<&Store>) -> Self {
        let number = google.project_number().map(str::to_owned);
        let id = match number {
            Some(_) => None,
            None => Some(google.project.clone()),
        };
        let named = store.and_then(Store::provider).filter(|(member, _)| *member == MEMBER);
        let Some((_, gcpsm)) = named else { return Self { id, number } };
        let audience = gcpsm.pointer("/auth/workloadIdentityFederation/audience").and_then(|it| it.as_str());
        let named_number = audience
            .and_then(|audience| audience.strip_prefix("//iam.googleapis.com/projects/"))
            .and_then(|rest| rest.split('/').next())
            .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        // A store that reads secrets from another project than its pool's says nothing of either's other name.
        let named_id = gcpsm["projectID"].as_str().filter(|id| !id.bytes().all(|byte| byte.is_ascii_digit()));
        match (&id, &number, named_id, named_number) {
            (Some(known), None, Some(id), Some(number)) if known == id => {
                Self { id: Some(id.to_owned()), number: Some(number.to_owned()) }
            }
            (None, Some(known), Some(id), Some(number)) if known == number => {
                Self { id: Some(id.to_owned()), number: Some(number.to_owned()) }
            }
            _ => Self { id, number },
        }
    }

    /// The number, which tokens and audiences are made of.
    pub(super) async fn number(self, google: &Settings, http: &Http) -> Result<String> {
        match self.number {
            Some(number) => Ok(number),
            None => Ok(ask(google, http).await?.project_number),
        }
    }
}

/// What a store must say to reach Google, and what to know of it.
pub(super) async fn store_login(
    google: &Settings,
    store: Option<&Store>,
    http: &Http,
) -> Result<(GoogleLogin, Option<Warning>)> {
    let Project { id, number } = Project::known(google, store);
    Ok(match (id, number) {
        (Some(id), Some(number)) => (google.login(&id, &number)?, None),
        (None, Some(number)) => match ask(google, http).await {
            Ok(login) => (login, None),
            Err(error) => {
                let why = format!(
                    "the store names the project by its number, because Google does not say its ID: {}",
                    error.message
                );
                (google.login(&number, &number)?, Some(Warning::new(Code::GoogleProjectNumber, why)))
            }
        },
        _ => (ask(google, http).await?, None),
    })
}

async fn ask(google: &Settings, http: &Http) -> Result<GoogleLogin> {
    let asked = async { Gcp::connect(google, http)?.google_login().await };
    asked.await.map_err(|error| {
        error.hint("google.project as the project's number needs no request; `gcloud projects list` shows it")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        cluster::objects::Object,
        federation::gcp::{Endpoints, Grant, Mode},
    };

    fn known(project: &str, store: Option<(&str, &str)>) -> (Option<String>, Option<String>) {
        let google = Settings {
            project: project.into(),
            pool: "keyless-lab".into(),
            provider: "cluster".into(),
            mode: Mode::Uploaded,
            grant: Grant::Secrets,
            impersonate: None,
            location: None,
            endpoints: Endpoints::default(),
            access_token: None,
        };
        let store = store.map(|(id, number)| {
            let audience = format!("//iam.googleapis.com/projects/{number}/locations/global/x");
            Store(Object(json!({ "kind": "ClusterSecretStore", "spec": { "provider": { "gcpsm": {
                "projectID": id, "auth": { "workloadIdentityFederation": { "audience": audience } } } } } })))
        });
        let Project { id, number } = Project::known(&google, store.as_ref());
        (id, number)
    }

    #[test]
    fn store_resolves_only_its_own_project() {
        let some = |text: &str| Some(text.to_owned());
        for (project, store, id, number) in [
            ("acme-prod", None, some("acme-prod"), None),
            ("123", None, None, some("123")),
            ("acme-prod", Some(("acme-prod", "123")), some("acme-prod"), some("123")),
            ("123", Some(("acme-prod", "123")), some("acme-prod"), some("123")),
            ("acme-prod", Some(("other-one", "123")), some("acme-prod"), None),
            ("123", Some(("acme-prod", "456")), None, some("123")),
            ("123", Some(("123", "123")), None, some("123")),
        ] {
            assert_eq!(known(project, store), (id, number), "{project} {store:?}");
        }
    }
}
