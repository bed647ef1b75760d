//! PURE. How a store of External Secrets Operator logs in at AWS, and which versions can do it.
//! <https://external-secrets.io/latest/provider/aws-access/>

use serde_json::{Value, json};

use super::{Service, names, place::Region};
use crate::{
    cluster::snapshot::Version,
    error::{Code, Error, Result},
    secret_store::{Difference, Have, Means, PublicFields, StoreLogin, V1_SINCE, Want, too_old},
    warning::Warning,
};

/// The member of a store's `spec.provider`.
pub(super) const MEMBER: &str = "aws";

/// What its settings hold beside secrets.
pub(super) const PUBLIC: PublicFields = PublicFields {
    values: &[
        "additionalRoles",
        "externalID",
        "prefix",
        "region",
        "role",
        "secretsManager.forceDeleteWithoutRecovery",
        "secretsManager.recoveryWindowInDays",
        "service",
        "sessionTags",
        "transitiveTagKeys",
    ],
    references: &[
        "auth.jwt.serviceAccountRef",
        "auth.secretRef.accessKeyIDSecretRef",
        "auth.secretRef.secretAccessKeySecretRef",
        "auth.secretRef.sessionTokenSecretRef",
    ],
};
/// On a ServiceAccount, the role that it assumes.
pub(super) const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";

const REFERENCE: &str = "spec.provider.aws.auth.jwt.serviceAccountRef";

/// What the operator puts before every key that is named through this store
/// (<https://external-secrets.io/latest/api/spec/#external-secrets.io/v1.AWSProvider>).
pub(super) fn key_prefix(settings: &Value) -> &str {
    settings["prefix"].as_str().unwrap_or_default()
}

/// What a store must say to reach the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsLogin {
    pub(super) service: Service,
    pub(super) region: Region,
    pub(super) role_arn: String,
}

impl StoreLogin for AwsLogin {
    fn member(&self) -> &'static str {
        MEMBER
    }

    fn since(&self) -> Version {
        V1_SINCE
    }

    fn means(&self, want: &Want<'_>, have: &Have<'_>, _warnings: &mut Vec<Warning>) -> Result<Means> {
        let annotation = have.account.and_then(|account| account.annotation(ROLE_ANNOTATION));
        self.refuse_role(&format!("the ServiceAccount {}", want.workload), annotation)?;
        match have.schema.knows(REFERENCE) {
            true => Ok(Means { field: None, annotation: Some((ROLE_ANNOTATION, self.role_arn.clone())) }),
            false => Err(too_old(have, V1_SINCE, &format!("the installed schema has no {REFERENCE}"))),
        }
    }

    fn provider(&self, account: Value, old: Value, _means: &Means) -> Value {
        let mut settings = old;
        settings["service"] = json!(self.service.name());
        settings["region"] = json!(self.region.as_str());
        // Roles that are assumed after the login: the workload's own has all its rights.
        for chained in ["role", "additionalRoles", "externalID"] {
            settings.as_object_mut().map(|members| members.remove(chained));
        }
        // Audiences of the reference would be added to the usual one, and AWS takes no token with two.
        settings["auth"] = json!({ "jwt": { "serviceAccountRef": account } });
        settings
    }

    fn differences(&self, spec: &Value) -> Vec<Difference> {
        let text = |member: &str| spec[member].as_str().unwrap_or_default();
        // By a role of another account a store reads there.
        let own = self.account();
        // The last of a chain counts. A role without an account is of one that is not known.
        let chain = std::iter::once(text("role")).filter(|role| !role.is_empty());
        let more = spec["additionalRoles"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let last = chain.chain(more).last();
        let account = last.map_or(own, account_of);
        let elsewhere = Difference::between(MEMBER, "role", account, &[own]);
        // A prefix stays, and is part of every key that is asked for.
        [
            Difference::between(MEMBER, "region", text("region"), &[self.region.as_str()]),
            Difference::between(MEMBER, "service", text("service"), &[self.service.name()]),
            elsewhere,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A role is removed from the store: then nothing shows any more that it read in another account.
    fn refuse(&self, store: &str, differences: &[Difference]) -> Result<()> {
        match differences.iter().find(|it| it.field.ends_with(".role")) {
            Some(difference) => Err(self.other_account(&format!("the store {store}"), &difference.have)),
            None => Ok(()),
        }
    }

    /// Which role that is, the ServiceAccount says.
    fn is_used_by(&self, spec: &Value) -> bool {
        spec.pointer("/auth/jwt/serviceAccountRef").is_some_and(|reference| !reference.is_null())
            && spec["region"].as_str() == Some(self.region.as_str())
    }

    fn whole_value(&self) -> &'static str {
        match self.service {
            Service::SecretsManager => {
                "Secrets Manager gives the text or the bytes of the secret as they are"
            }
            Service::ParameterStore => "Parameter Store gives the text of the parameter as it is",
        }
    }

    fn metadata(&self) -> &'static str {
        match self.service {
            Service::SecretsManager => "Secrets Manager gives the tags of the secret",
            Service::ParameterStore => "Parameter Store gives the tags of the parameter",
        }
    }

    fn refuses_latest(&self) -> Option<&'static str> {
        Some(match self.service {
            Service::SecretsManager => "Secrets Manager calls it AWSCURRENT",
            Service::ParameterStore => "Parameter Store takes numbers and its own labels",
        })
    }

    fn cannot_name(&self, key: &str) -> Option<String> {
        names::cannot_name(self.service, key)
    }
}

impl AwsLogin {
    fn account(&self) -> &str {
        account_of(&self.role_arn)
    }

    /// Each user of `what` reads by this role now.
    fn refuse_role(&self, what: &str, role: Option<&str>) -> Result<()> {
        match role.map(account_of) {
            Some(account) if account != self.account() => Err(self.other_account(what, account)),
            _ => Ok(()),
        }
    }

    fn other_account(&self, what: &str, account: &str) -> Error {
        let account = match account {
            "" => "no account that can be read".to_owned(),
            account => format!("the account {}", account.escape_debug()),
        };
        Error::usage(
            Code::AwsOtherAccount,
            format!("{what} names a role of {account}, and aws.account is {}", self.account()),
        )
        .hint("set aws.account to the account of the secrets")
        .hint("or, if the secrets have moved, take that role out of it first")
    }
}

/// Empty: it is no ARN.
fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> AwsLogin {
        AwsLogin {
            service: Service::SecretsManager,
            region: Region::parse("aws.region", "eu-central-1").unwrap(),
            role_arn: "arn:aws:iam::123456789012:role/eso".into(),
        }
    }

    #[test]
    fn store_names_account_and_no_audience() {
        let account = json!({ "name": "reader", "namespace": "eso" });
        let old = json!({
            "service": "ParameterStore", "region": "us-east-1", "prefix": "team/", "role": "arn:aws:iam::1:role/x",
            "auth": { "secretRef": { "accessKeyIDSecretRef": { "name": "k" } } },
        });
        let spec = login().provider(account.clone(), old, &Means::default());
        assert_eq!(
            spec,
            json!({
                "service": "SecretsManager", "region": "eu-central-1", "prefix": "team/",
                "auth": { "jwt": { "serviceAccountRef": account } },
            })
        );
        // The prefix stays, and with it the place.
        assert!(login().differences(&spec).is_empty() && login().is_used_by(&spec));
    }

    #[test]
    fn other_place_is_told_from_same() {
        let fields = |spec: Value| -> Vec<String> {
            login()
                .differences(&spec)
                .into_iter()
                .map(|it| it.field.rsplit('.').next().unwrap().to_owned())
                .collect()
        };
        let same = json!({ "service": "SecretsManager", "region": "eu-central-1" });
        assert!(fields(same.clone()).is_empty());
        for (member, value) in [
            ("region", json!("us-east-1")),
            ("service", json!("ParameterStore")),
            ("role", json!("arn:aws:iam::210987654321:role/x")),
            ("role", json!("x")),
        ] {
            let mut other = same.clone();
            other[member] = value;
            assert_eq!(fields(other), [member]);
            let mut chained = same.clone();
            chained["additionalRoles"] = json!(["arn:aws:iam::210987654321:role/y"]);
            assert_eq!(fields(chained), ["role"]);
        }
        let mut assumes = same;
        assumes["role"] = json!("arn:aws:iam::123456789012:role/x");
        assert!(fields(assumes).is_empty(), "it reads in the same account");
        assert!(!login().is_used_by(&json!({ "region": "eu-central-1", "auth": { "secretRef": {} } })));
    }

    #[test]
    fn role_of_another_account_is_refused() {
        let own = "arn:aws:iam::123456789012:role/x";
        for role in [None, Some(own)] {
            assert!(login().refuse_role("it", role).is_ok(), "{role:?}");
        }
        for role in ["arn:aws:iam::210987654321:role/x", "arn:aws:iam:::role/x", "x", ""] {
            let error = login().refuse_role("the ServiceAccount eso/reader", Some(role)).unwrap_err();
            assert_eq!(error.code, Code::AwsOtherAccount, "{role}: {error}");
            let spec = json!({ "service": "SecretsManager", "region": "eu-central-1", "role": role });
            let refused = login().refuse("main", &login().differences(&spec));
            assert_eq!(refused.is_err(), !role.is_empty(), "{role}");
        }
        let elsewhere = login().differences(&json!({ "service": "ParameterStore", "region": "us-east-1" }));
        assert!(!elsewhere.is_empty() && login().refuse("main", &elsewhere).is_ok());
    }
}
