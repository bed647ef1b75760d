//! PURE. What each resource must say, and how it is recognised as ours.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{AUDIENCE, Settings, names::LONGEST_ROLE};
use crate::{
    cluster::ServiceAccount,
    error::{Code, Error, Result},
    federation::{IssuerForm, IssuerRules, KeyRules, Naming, Rules, Subject, Trust, Workload},
    oidc::Algorithm,
    plan::ownership::{self, Evidence, Mark, Owner, Ownership},
};

/// What IAM takes as the URL of a provider, and STS as keys
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>).
pub(crate) static RULES: Rules = Rules {
    provider: "AWS",
    issuer: IssuerRules {
        form: IssuerForm::HttpsUrlWithoutPort,
        longest: 255,
        code: Code::AwsIssuer,
        source: "IAM, CreateOpenIDConnectProvider: an https URL of at most 255 characters, without port and query",
    },
    keys: KeyRules {
        algorithms: &[Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Rs256],
        // They come with the documents.
        most: None,
        codes: [Code::AwsKeyType, Code::AwsTooManyKeys],
        by_kid: true,
        without_limit: "",
    },
};

/// The tag that marks what is ours.
pub(super) const TAG: &str = "keyless";

/// What AWS would refuse, or would never trust.
pub(super) fn check(want: &Trust) -> Result<()> {
    RULES.check(want)?;
    match want.issuer.published() {
        Some(_) => Ok(()),
        None => Err(Error::failed(
            Code::AwsIssuer,
            "AWS fetches the keys from public documents, and none are published",
        )
        .hint("name a bucket, and sign as its public URL: `keyless render issuer` writes the flags")),
    }
}

/// The issuer as IAM names it: without its scheme.
pub(super) fn bare_issuer(want: &Trust) -> &str {
    let issuer = want.issuer.as_str();
    issuer.strip_prefix("https://").unwrap_or(issuer)
}

pub(super) fn provider_arn(settings: &Settings, want: &Trust) -> String {
    let partition = settings.region.partition().name();
    format!("arn:{partition}:iam::{}:oidc-provider/{}", settings.account, bare_issuer(want))
}

pub(super) fn role_arn(settings: &Settings) -> String {
    format!("arn:{}:iam::{}:role/{}", settings.region.partition().name(), settings.account, settings.role)
}

/// Who may assume the role: tokens of this one ServiceAccount, for this one audience.
pub(super) fn trust(settings: &Settings, want: &Trust, subject: &Subject) -> Value {
    let issuer = bare_issuer(want);
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": provider_arn(settings, want) },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": {
                (format!("{issuer}:aud")): AUDIENCE,
                (format!("{issuer}:sub")): subject.as_str(),
            } },
        }],
    })
}

/// The subjects that a trust document lets in, by any issuer. `None`: it lets in more than single subjects, or cannot
/// be read.
pub(super) fn subjects(trust: &Value) -> Option<Vec<String>> {
    let statements = match trust.get("Statement")? {
        Value::Array(many) => many.iter().collect(),
        one => vec![one],
    };
    let mut all = Vec::new();
    for statement in statements {
        let condition = statement.get("Condition")?.as_object()?;
        let equals = condition.get("StringEquals")?.as_object()?;
        let (_, subject) = equals.iter().find(|(name, _)| name.ends_with(":sub"))?;
        match subject {
            Value::String(one) => all.push(one.clone()),
            Value::Array(many) => {
                for one in many {
                    all.push(one.as_str()?.to_owned());
                }
            }
            _ => return None,
        }
    }
    Some(all)
}

/// The value of the tag. Values of tags take few characters, so that it does not name the issuer.
pub(super) fn mark(want: &Trust) -> String {
    ownership::mark(&want.cluster_id, "its ServiceAccounts")
}

/// Whose something with this tag is. A mark that names no cluster proves nothing.
pub(super) fn ownership(mark: Option<&str>, want: &Trust) -> Ownership {
    Owner::of(mark.and_then(Mark::parse), &want.cluster_id).proved(|| Evidence::None)
}

/// Whether the tag names this very cluster.
pub(super) fn is_of_cluster(mark: Option<&str>, cluster_id: &str) -> bool {
    Owner::of(mark.and_then(Mark::parse), cluster_id) == Owner::This
}

pub(super) fn other_cluster<'a>(mark: Option<&'a str>, want: &Trust) -> Option<&'a str> {
    Owner::of(mark.and_then(Mark::parse), &want.cluster_id).other_cluster()
}

impl Settings {
    /// As this workload logs in: its role opens nothing that another workload asks for.
    pub(super) fn of_workload(&self, workload: &Workload) -> Self {
        let role = match workload.naming {
            Naming::AsSet => self.role.clone(),
            Naming::FromAccount => own_role(&self.role, &workload.account),
        };
        Self { role, ..self.clone() }
    }
}

/// `PREFIX.NAMESPACE.SERVICEACCOUNT`. Where that is too long, or its parts could be those of another name as well, a
/// digest of them tells which.
fn own_role(prefix: &str, ServiceAccount { namespace, name }: &ServiceAccount) -> String {
    let plain = format!("{prefix}.{namespace}.{name}");
    if plain.len() <= LONGEST_ROLE && !prefix.contains('.') && !name.contains('.') {
        return plain;
    }
    let parts = digest(&SHA256, format!("{prefix}\n{namespace}\n{name}").as_bytes());
    let parts: String = parts.as_ref().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    // All of it is ASCII.
    let begin: String = plain.chars().take(LONGEST_ROLE - parts.len() - 1).collect();
    format!("{begin}.{parts}")
}

#[cfg(test)]
mod tests {
    use super::{
        super::plan::tests::{settings, trust as wanted_trust},
        *,
    };

    #[test]
    fn trust_names_audience_and_whole_subject() {
        let want = wanted_trust();
        let subject = want.workloads[0].subject().unwrap();
        let document = trust(&settings(), &want, &subject);
        assert_eq!(
            document["Statement"][0]["Condition"],
            json!({ "StringEquals": {
                "oidc.lab.test/prod:aud": "sts.amazonaws.com",
                "oidc.lab.test/prod:sub": "system:serviceaccount:external-secrets:eso-reader",
            } })
        );
        assert_eq!(
            document["Statement"][0]["Principal"]["Federated"],
            "arn:aws:iam::123456789012:oidc-provider/oidc.lab.test/prod"
        );
        assert_eq!(subjects(&document).unwrap(), ["system:serviceaccount:external-secrets:eso-reader"]);
        assert!(!document.to_string().contains(['*', '?']));
    }

    #[test]
    fn broader_trust_has_no_subjects() {
        for document in [
            json!({}),
            json!({ "Statement": [{ "Effect": "Allow" }] }),
            json!({ "Statement": { "Condition": { "StringLike": { "a:sub": "*" } } } }),
            json!({ "Statement": { "Condition": { "StringEquals": { "a:aud": "x" } } } }),
            json!({ "Statement": { "Condition": { "StringEquals": { "a:sub": 1 } } } }),
        ] {
            assert_eq!(subjects(&document), None, "{document}");
        }
    }

    #[test]
    fn roles_of_accounts_are_told_apart() {
        let role = |account: &str| own_role("eso", &account.parse().unwrap());
        assert_eq!(role("shop/reader"), "eso.shop.reader");
        assert_ne!(role("a/b.c"), role("a/b-c"));
        let (one, other) =
            (role(&format!("shop/{}a", "x".repeat(80))), role(&format!("shop/{}b", "x".repeat(80))));
        assert!(one != other && one.len() == 64 && other.len() == 64, "{one} {other}");
    }

    #[test]
    fn mark_of_another_cluster_always_counts() {
        let want = wanted_trust();
        assert_eq!(ownership(Some(&mark(&want)), &want), Ownership::This);
        let other = Trust { cluster_id: "other".into(), ..want.clone() };
        assert_eq!(ownership(Some(&mark(&other)), &want), Ownership::OtherCluster);
        assert_eq!(other_cluster(Some(&mark(&other)), &want), Some("other"));
        assert_eq!(ownership(Some("managed by keyless"), &want), Ownership::Unproven);
        assert_eq!(ownership(Some("terraform"), &want), Ownership::Foreign);
        assert_eq!(ownership(None, &want), Ownership::Foreign);
        // What values of tags take.
        assert!(mark(&want).chars().all(|it| it.is_ascii_alphanumeric() || " +-=._:/@".contains(it)));
    }

    #[test]
    fn issuers_that_iam_refuses_are_refused() {
        let of = |text: &str| Trust {
            issuer: crate::federation::TrustedIssuer::Signed(text.parse().unwrap()),
            ..wanted_trust()
        };
        for text in [
            "https://a.example:8443",
            "https://a.example:443/x",
            "https://[2001:db8::1]:6443",
            "http://a.example",
            "https://a.example/?x=1",
            "kubernetes/serviceaccount",
            &format!("https://a.example/{}", "x".repeat(255)),
        ] {
            assert_eq!(RULES.check(&of(text)).unwrap_err().code, Code::AwsIssuer, "{text}");
        }
        RULES.check(&of("https://a.example/prod")).unwrap();
        let error = check(&of("https://kubernetes.default.svc.cluster.local")).unwrap_err();
        assert!(error.message.contains("documents"), "{error}");
        check(&wanted_trust()).unwrap();
    }
}
