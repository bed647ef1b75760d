//! PURE. What each resource must say, and how it is recognised as ours.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{AUDIENCE, Settings, names::LONGEST_ROLE, observe::Role, policy};
use crate::{
    cluster::ServiceAccount,
    error::{Code, Error, Result},
    federation::{IssuerForm, IssuerRules, KeyRules, Login, Naming, Rules, Subject, Trust, Workload},
    hex::hex,
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
    format!("{}{}", providers(settings), bare_issuer(want))
}

/// What the ARNs of all OIDC providers of the account begin with.
fn providers(settings: &Settings) -> String {
    format!("arn:{}:iam::{}:oidc-provider/", settings.region.partition().name(), settings.account)
}

pub(super) fn role_arn(settings: &Settings) -> String {
    format!("arn:{}:iam::{}:role/{}", settings.region.partition().name(), settings.account, settings.role)
}

/// Who may assume the role: tokens of this one ServiceAccount, for this one audience.
pub(super) fn trust(settings: &Settings, want: &Trust, subject: &Subject) -> Value {
    trust_of(settings, bare_issuer(want), subject.as_str())
}

fn trust_of(settings: &Settings, issuer: &str, subject: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": format!("{}{issuer}", providers(settings)) },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": {
                (format!("{issuer}:aud")): AUDIENCE,
                (format!("{issuer}:sub")): subject,
            } },
        }],
    })
}

/// Whom a trust policy of the form that keyless writes lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trusted {
    /// Without its scheme.
    pub(super) issuer: String,
    pub(super) subject: String,
}

/// `None`: the trust policy has another form. Whom it lets in is not known then: no subject is taken to be let in, and none
/// to be kept out.
pub(super) fn trusted(settings: &Settings, document: &Value) -> Option<Trusted> {
    let statement = document.get("Statement")?;
    let statement = statement.get(0).unwrap_or(statement);
    let arn = statement.pointer("/Principal/Federated")?.as_str()?;
    let issuer = arn.strip_prefix(&providers(settings))?;
    let equals = statement.pointer("/Condition/StringEquals")?;
    let subject = equals.get(format!("{issuer}:sub"))?.as_str()?;
    let ours = trust_of(settings, issuer, subject);
    policy::same(document, &ours).then(|| Trusted { issuer: issuer.to_owned(), subject: subject.to_owned() })
}

/// Whether it is known to let in this workload, and no other.
pub(super) fn lets_in_only(settings: &Settings, document: Option<&Value>, workload: &Workload) -> bool {
    let trusted = document.and_then(|document| trusted(settings, document));
    let subject = workload.subject();
    trusted.zip(subject.ok()).is_some_and(|(trusted, subject)| trusted.subject == subject.as_str())
}

/// The login that a role of this name is; `None`: it is not marked for this cluster, or is not as keyless makes one.
pub(super) fn login(settings: &Settings, name: &str, role: &Role, want: &Trust) -> Option<Login> {
    let trusted = trusted(settings, role.trust.as_ref()?)?;
    let is_ours =
        is_of_cluster(role.mark.as_deref(), &want.cluster_id) && trusted.issuer == bare_issuer(want);
    let account = Subject::account_of(&trusted.subject).filter(|_| is_ours)?;
    // A publisher's is no store's, whether or not anything uses it.
    let policy = role.policy.as_ref().and_then(|policy| policy.as_ref());
    if policy.is_some_and(|policy| policy::names_documents(policy, settings)) {
        let workload = Workload::new(account, Naming::FromAccount);
        return Some(Login { workload, is_marked: true, stays: Some(of_publisher(name)) });
    }
    let namings = [Naming::AsSet, Naming::FromAccount].into_iter();
    let mut workloads = namings.map(|naming| Workload::new(account.clone(), naming));
    let workload = workloads.find(|workload| settings.of_workload(workload).role == name)?;
    Some(Login { workload, is_marked: true, stays: None })
}

/// Why the role stays, and how a person removes it.
fn of_publisher(role: &str) -> String {
    format!(
        "the role {} writes documents in a bucket, as a publisher's does, and cluster.publisher does not name its ServiceAccount{}",
        role.escape_debug(),
        removal(role)
    )
}

/// How a person removes a role, in brackets.
pub(super) fn removal(role: &str) -> String {
    match is_plain(role) {
        true => format!(" ({}, then `aws iam delete-role --role-name {role}`)", deletion_of_policy(role)),
        false => String::new(),
    }
}

/// How a person removes its policy alone, in brackets.
pub(super) fn removal_of_policy(role: &str) -> String {
    if is_plain(role) { format!(" ({})", deletion_of_policy(role)) } else { String::new() }
}

fn deletion_of_policy(role: &str) -> String {
    format!("`aws iam delete-role-policy --role-name {role} --policy-name {}`", policy::NAME)
}

/// What IAM takes as a name of a role; another one is put into no command.
fn is_plain(role: &str) -> bool {
    role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
}

/// What a role is there for, for people who find it.
pub(super) fn description(workload: &Workload) -> &'static str {
    match workload.publishes {
        Some(_) => "Lets a ServiceAccount of a Kubernetes cluster write the two documents of its issuer",
        None => "Lets a ServiceAccount of a Kubernetes cluster read secrets",
    }
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

/// Bytes of the digest in the name of a role. Where two names meet all the same, the trust policy is another workload's, and
/// the second one is refused.
const DIGEST: usize = 12;

/// `PREFIX.NAMESPACE.SERVICEACCOUNT`. Where that is too long, or its parts could be those of another name as well, a
/// digest of them tells which.
fn own_role(prefix: &str, ServiceAccount { namespace, name }: &ServiceAccount) -> String {
    let plain = format!("{prefix}.{namespace}.{name}");
    if plain.len() <= LONGEST_ROLE && !prefix.contains('.') && !name.contains('.') {
        return plain;
    }
    let parts = digest(&SHA256, format!("{prefix}\n{namespace}\n{name}").as_bytes());
    let parts = hex(&parts.as_ref()[..DIGEST]);
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
        let found = trusted(&settings(), &document).unwrap();
        assert_eq!(found.subject, "system:serviceaccount:external-secrets:eso-reader");
        assert_eq!(found.issuer, "oidc.lab.test/prod");
        assert!(!document.to_string().contains(['*', '?']));
    }

    #[test]
    fn other_forms_of_trust_are_unknown() {
        let want = wanted_trust();
        let ours = trust(&settings(), &want, &want.workloads[0].subject().unwrap());
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut document = ours.clone();
            change(&mut document);
            document
        };
        let condition = |value: Value| changed(&|it| it["Statement"][0]["Condition"] = value.clone());
        let (aud, sub) = ("oidc.lab.test/prod:aud", "oidc.lab.test/prod:sub");
        let subject = "system:serviceaccount:external-secrets:eso-reader";
        for document in [
            json!({}),
            json!({ "Statement": [] }),
            changed(&|it| it["Version"] = json!("2008-10-17")),
            changed(&|it| it["Id"] = json!("x")),
            changed(&|it| it["Statement"][0]["Effect"] = json!("Deny")),
            changed(&|it| it["Statement"][0]["Action"] = json!("sts:AssumeRole")),
            changed(&|it| it["Statement"][0]["Action"] = json!("sts:*")),
            changed(&|it| {
                it["Statement"][0]["Action"] = json!(["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]);
            }),
            changed(&|it| {
                let action = it["Statement"][0].as_object_mut().unwrap().remove("Action").unwrap();
                it["Statement"][0]["NotAction"] = action;
            }),
            changed(&|it| {
                let who = it["Statement"][0].as_object_mut().unwrap().remove("Principal").unwrap();
                it["Statement"][0]["NotPrincipal"] = who;
            }),
            changed(&|it| it["Statement"][0]["Principal"] = json!("*")),
            changed(&|it| it["Statement"][0]["Principal"]["AWS"] = json!("*")),
            changed(&|it| it["Statement"][0]["Principal"]["Federated"] = json!("accounts.google.com")),
            changed(&|it| {
                it["Statement"][0]["Principal"]["Federated"] =
                    json!("arn:aws:iam::123456789012:oidc-provider/other.lab.test");
            }),
            changed(&|it| {
                it["Statement"][0]["Principal"]["Federated"] =
                    json!("arn:aws:iam::210987654321:oidc-provider/oidc.lab.test/prod");
            }),
            changed(&|it| {
                let one = it["Statement"][0]["Principal"]["Federated"].clone();
                it["Statement"][0]["Principal"]["Federated"] =
                    json!([one, "arn:aws:iam::123456789012:oidc-provider/other.lab.test"]);
            }),
            changed(&|it| {
                let mut more = it["Statement"][0].clone();
                more["Effect"] = json!("Deny");
                more["Condition"] = json!({ "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } });
                it["Statement"].as_array_mut().unwrap().push(more);
            }),
            changed(&|it| {
                it["Statement"].as_array_mut().unwrap().insert(0, json!({ "Effect": "Allow" }));
            }),
            condition(json!({ "StringLike": { aud: AUDIENCE, sub: "system:serviceaccount:*" } })),
            condition(json!({ "StringLike": { aud: AUDIENCE, sub: subject } })),
            condition(json!({ "ForAnyValue:StringEquals": { aud: AUDIENCE, sub: subject } })),
            condition(json!({ "StringEqualsIfExists": { aud: AUDIENCE, sub: subject } })),
            condition(json!({ "StringEquals": { aud: AUDIENCE } })),
            condition(json!({ "StringEquals": { sub: subject } })),
            condition(json!({ "StringEquals": { aud: "other", sub: subject } })),
            condition(json!({ "StringEquals": { aud: AUDIENCE, sub: 1 } })),
            condition(
                json!({ "StringEquals": { aud: AUDIENCE, sub: [subject, "system:serviceaccount:a:b"] } }),
            ),
            condition(json!({ "StringEquals": { aud: AUDIENCE, "other.lab.test:sub": subject } })),
            condition(json!({ "StringEquals": { aud: AUDIENCE, sub: subject, "aws:RequestedRegion": "x" } })),
            condition(json!({
                "StringEquals": { aud: AUDIENCE, sub: subject }, "IpAddress": { "aws:SourceIp": "192.0.2.0/24" }
            })),
        ] {
            assert_eq!(trusted(&settings(), &document), None, "{document}");
            assert!(!lets_in_only(&settings(), Some(&document), &want.workloads[0]));
        }
        // As AWS reads it, these say the same.
        for document in [
            changed(&|it| it["Statement"] = it["Statement"][0].clone()),
            changed(&|it| it["Statement"][0]["Sid"] = json!("x")),
            condition(json!({ "StringEquals": { aud: [AUDIENCE], sub: subject } })),
        ] {
            assert!(lets_in_only(&settings(), Some(&document), &want.workloads[0]), "{document}");
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
        let digest = one.rsplit('.').next().unwrap();
        assert!(digest.len() >= 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
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
