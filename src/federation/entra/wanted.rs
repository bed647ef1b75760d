//! PURE. What each resource must say, and how it is recognised as ours.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{
    AUDIENCE, Settings,
    observe::{Credential, Identity},
    place::LONGEST_IDENTITY,
};
use crate::{
    cluster::ServiceAccount,
    error::{Code, Error, Result},
    federation::{IssuerForm, IssuerRules, KeyRules, Login, Naming, Rules, Subject, Trust, Workload},
    hex::hex,
    oidc::Algorithm,
    plan::ownership::{self, Evidence, Mark, Owner, Ownership},
};

/// What Entra takes as the issuer of a federated credential, and as keys
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>). It compares the issuer as
/// text: port, capitals and a slash at its end count.
pub(crate) static RULES: Rules = Rules {
    provider: "Microsoft Entra",
    issuer: IssuerRules {
        form: IssuerForm::HttpsUrl,
        longest: 600,
        code: Code::EntraIssuer,
        source: "Microsoft Entra, federated identity credentials: an https URL of at most 600 characters",
    },
    keys: KeyRules {
        algorithms: &[Algorithm::Rs256],
        // They come with the documents: see `check`.
        most: None,
        codes: [Code::EntraKeyType, Code::EntraTooManyKeys],
        by_kid: true,
        without_limit: "",
    },
};

/// Entra keeps the first of an issuer's keys only.
const MOST_KEYS: usize = 100;
/// Of one managed identity.
pub(super) const MOST_CREDENTIALS: usize = 20;
/// The tag that marks an identity of ours.
pub(super) const TAG: &str = "keyless";
/// The federated credential that keyless writes.
pub(super) const CREDENTIAL: &str = "keyless";

/// What Entra would refuse, or would never trust.
pub(super) fn check(want: &Trust) -> Result<()> {
    RULES.check(want)?;
    if want.issuer.published().is_none() {
        return Err(Error::failed(
            Code::EntraIssuer,
            "Microsoft Entra fetches the keys from public documents, and none are published",
        )
        .hint("name a bucket, and sign as its public URL: `keyless render issuer` writes the flags"));
    }
    match want.keys.len() > MOST_KEYS {
        true => Err(Error::failed(
            Code::EntraTooManyKeys,
            format!(
                "the cluster has {} keys, and Microsoft Entra keeps the first {MOST_KEYS} of an issuer",
                want.keys.len()
            ),
        )
        .hint(
            "take keys whose tokens have all expired out of --service-account-key-file of every API server",
        )),
        false => Ok(()),
    }
}

/// Whose tokens are let in: of this one ServiceAccount, for this one audience.
pub(super) fn credential(issuer: &str, subject: &Subject) -> Credential {
    Credential {
        name: CREDENTIAL.to_owned(),
        issuer: issuer.to_owned(),
        subject: subject.as_str().to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
    }
}

impl Credential {
    /// As Azure Resource Manager takes it.
    pub(super) fn body(&self) -> Value {
        json!({ "properties": {
            "issuer": self.issuer, "subject": self.subject, "audiences": self.audiences,
        } })
    }
}

/// Whether these let in the workload alone.
pub(super) fn lets_in_only(credentials: &[Credential], workload: &Workload) -> bool {
    let [only] = credentials else { return false };
    let subject = workload.subject();
    only.name == CREDENTIAL
        && only.audiences == [AUDIENCE]
        && subject.is_ok_and(|subject| only.subject == subject.as_str())
}

/// The login that an identity of this name is; `None`: it is not marked for this cluster, or is not as keyless makes one.
pub(super) fn login(settings: &Settings, name: &str, identity: &Identity, want: &Trust) -> Option<Login> {
    let [only] = identity.credentials.as_slice() else { return None };
    let is_ours =
        is_of_cluster(identity.mark.as_deref(), &want.cluster_id) && only.issuer == want.issuer.as_str();
    let account = Subject::account_of(&only.subject).filter(|_| is_ours)?;
    let namings = [Naming::AsSet, Naming::FromAccount].into_iter();
    let mut workloads = namings.map(|naming| Workload::new(account.clone(), naming));
    let workload = workloads.find(|workload| {
        settings.of_workload(workload).identity.eq_ignore_ascii_case(name)
            && lets_in_only(&identity.credentials, workload)
    })?;
    Some(Login { workload, is_marked: true, stays: None })
}

/// The value of the tag, and the description of role assignments.
pub(super) fn mark(want: &Trust) -> String {
    ownership::mark(&want.cluster_id, "its ServiceAccounts")
}

/// Whose something with this mark is. A mark that names no cluster proves nothing.
pub(super) fn ownership(mark: Option<&str>, want: &Trust) -> Ownership {
    Owner::of(mark.and_then(Mark::parse), &want.cluster_id).proved(|| Evidence::None)
}

/// Whether the mark names this very cluster.
pub(super) fn is_of_cluster(mark: Option<&str>, cluster_id: &str) -> bool {
    Owner::of(mark.and_then(Mark::parse), cluster_id) == Owner::This
}

pub(super) fn other_cluster<'a>(mark: Option<&'a str>, want: &Trust) -> Option<&'a str> {
    Owner::of(mark.and_then(Mark::parse), &want.cluster_id).other_cluster()
}

/// The name of a role assignment: the same for the same role, scope and principal.
pub(super) fn assignment(scope: &str, role: &str, principal: &str) -> String {
    let parts = format!("{}\n{role}\n{}", scope.to_ascii_lowercase(), principal.to_ascii_lowercase());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(&SHA256, parts.as_bytes()).as_ref()[..16]);
    // RFC 9562 §5.8: a UUID whose bits are the maker's own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

impl Settings {
    /// As this workload logs in: its identity opens nothing that another workload asks for.
    pub(super) fn of_workload(&self, workload: &Workload) -> Self {
        let identity = match workload.naming {
            Naming::AsSet => self.identity.clone(),
            Naming::FromAccount => own_identity(&self.identity, &workload.account),
        };
        Self { identity, ..self.clone() }
    }
}

/// Bytes of the digest in the name of an identity. Where two names meet all the same, the federated credential is another
/// workload's, and the second one is refused.
const DIGEST: usize = 12;

/// `PREFIX_NAMESPACE_SERVICEACCOUNT`. Where that is too long, or its parts could be those of another name as well, a digest
/// of them tells which.
fn own_identity(prefix: &str, ServiceAccount { namespace, name }: &ServiceAccount) -> String {
    let plain = format!("{prefix}_{namespace}_{name}");
    if plain.len() <= LONGEST_IDENTITY && !prefix.contains('_') && !name.contains('.') {
        return plain;
    }
    let parts = digest(&SHA256, format!("{prefix}\n{namespace}\n{name}").as_bytes());
    let parts = hex(&parts.as_ref()[..DIGEST]);
    // All of it is ASCII; a name holds no dot.
    let begin: String = plain.replace('.', "-").chars().take(LONGEST_IDENTITY - parts.len() - 1).collect();
    format!("{begin}_{parts}")
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests::trust, *};
    use crate::federation::{TrustedIssuer, further, workload};

    #[test]
    fn credential_names_issuer_subject_and_audience() {
        let want = trust();
        let one = credential(want.issuer.as_str(), &want.workloads[0].subject().unwrap());
        assert_eq!(
            one.body(),
            json!({ "properties": {
                "issuer": "https://oidc.lab.test/prod",
                "subject": "system:serviceaccount:external-secrets:eso-reader",
                "audiences": ["api://AzureADTokenExchange"],
            } })
        );
        assert!(lets_in_only(std::slice::from_ref(&one), &want.workloads[0]));
        let other = further("shop/b", &[]);
        assert!(!lets_in_only(std::slice::from_ref(&one), &other));
        assert!(!lets_in_only(&[], &want.workloads[0]) && !lets_in_only(&[one.clone(), one.clone()], &other));
        for changed in [
            Credential { name: "other".into(), ..one.clone() },
            Credential { subject: one.subject.to_uppercase(), ..one.clone() },
            Credential { audiences: vec![AUDIENCE.into(), "x".into()], ..one.clone() },
            Credential { audiences: Vec::new(), ..one.clone() },
        ] {
            assert!(!lets_in_only(&[changed], &want.workloads[0]));
        }
    }

    #[test]
    fn identities_of_accounts_are_told_apart() {
        let own = |account: &str| own_identity("eso", &account.parse().unwrap());
        assert_eq!(own("shop/reader"), "eso_shop_reader");
        assert_ne!(own("a/b.c"), own("a/b-c"));
        let (one, other) =
            (own(&format!("shop/{}a", "x".repeat(150))), own(&format!("shop/{}b", "x".repeat(150))));
        assert!(one != other && one.len() == 128 && other.len() == 128, "{one} {other}");
        for name in [own("a/b.c"), one] {
            super::super::place::identity("it", &name).unwrap();
        }
        assert_eq!(
            Settings::of_workload(&super::super::plan::tests::settings(), &workload("a/b", &[])).identity,
            "eso"
        );
    }

    #[test]
    fn assignment_name_follows_from_its_parts() {
        let name = assignment("/A/b", "role", "P");
        assert!(super::super::place::is_guid(&name), "{name}");
        assert_eq!(name, assignment("/a/B", "role", "p"), "Azure does not regard case");
        for other in
            [assignment("/a/c", "role", "p"), assignment("/a/b", "r", "p"), assignment("/a/b", "role", "q")]
        {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn mark_of_another_cluster_always_counts() {
        let want = trust();
        assert_eq!(ownership(Some(&mark(&want)), &want), Ownership::This);
        let other = Trust { cluster_id: "other".into(), ..want.clone() };
        assert_eq!(ownership(Some(&mark(&other)), &want), Ownership::OtherCluster);
        assert_eq!(other_cluster(Some(&mark(&other)), &want), Some("other"));
        assert_eq!(ownership(Some("managed by keyless"), &want), Ownership::Unproven);
        assert_eq!(ownership(Some("terraform"), &want), Ownership::Foreign);
        assert_eq!(ownership(None, &want), Ownership::Foreign);
        assert!(mark(&want).len() <= 256, "what a tag holds");
    }

    #[test]
    fn untaken_issuer_and_key_are_refused() {
        let of = |text: &str| Trust { issuer: TrustedIssuer::Signed(text.parse().unwrap()), ..trust() };
        for text in [
            "http://a.example",
            "https://a.example/?x=1",
            "kubernetes/serviceaccount",
            &format!("https://a.example/{}", "x".repeat(600)),
        ] {
            assert_eq!(RULES.check(&of(text)).unwrap_err().code, Code::EntraIssuer, "{text}");
        }
        RULES.check(&of("https://a.example:8443/prod")).unwrap();
        let error = check(&of("https://kubernetes.default.svc.cluster.local")).unwrap_err();
        assert!(error.message.contains("documents"), "{error}");
        check(&trust()).unwrap();
        let pem = lab::SigningKey::ec(lab::Curve::P256).public_pem();
        let keys = crate::oidc::keys_from_pem(pem.as_bytes(), "test").unwrap();
        let keys = crate::oidc::KeySet::new(keys).unwrap();
        let error = check(&Trust { keys, ..trust() }).unwrap_err();
        assert_eq!(error.code, Code::EntraKeyType);
        assert!(error.hints.iter().any(|hint| hint.contains("RS256")), "{error}");
    }
}
