//! Verdicts for the tests: one of each kind, with names that mean harm.

use std::{collections::BTreeSet, path::Path};

use super::Evidence;
use crate::{
    audit::{
        Exceptions, Hit, Identity, Opens, Weight, judge,
        record::Record,
        verdict::{Root, Verdict},
    },
    cluster::{
        objects::Unseen,
        snapshot::{ConfigMapKey, Inventory, SecretKey},
    },
    credentials::{Class, Halves},
    target::{ClusterTarget, Target},
};

/// 2026-11-26T12:00:00Z.
pub(super) const TIME: u64 = 1_795_694_400;

/// What another user could write into a name, a message or an annotation.
pub(super) const HOSTILE: &str = "a</script><img src=x onerror=\"alert('1')\">&amp;]]>--><!-- {{7*7}} \u{0}\u{b}\u{1b}[2J\u{202e}\r\nkeyless_audit_complete 1\n---\n\u{fffe}%41 'x': \"y\" \\ #";

/// Of a cluster in which nothing was found.
pub(super) fn zero() -> Verdict {
    let mut verdict = judge(&Inventory::default());
    verdict.installed = true;
    verdict.stores = 2;
    verdict.generators = 1;
    verdict.outputs = 7;
    verdict.unmanaged = 12;
    let looked =
        [("ConfigMaps", 41), ("Deployments", 17), ("Pods", 52), ("Secrets", 96), ("releases of Helm", 3)];
    verdict.record = Record::fake(None);
    verdict.looked = looked.map(|(kind, count)| (kind.to_owned(), count)).into();
    verdict
}

/// Credentials of every class, a finding and a note.
pub(super) fn found() -> Verdict {
    let mut verdict = zero();
    let mut key = root(
        Class::Root,
        "google:0123abcd",
        "key 0123abcd of the Google service account eso@acme-prod.iam.gserviceaccount.com",
    );
    key.opens = BTreeSet::from([Opens::Store]);
    key.secrets = BTreeSet::from([
        secret("external-secrets", "gcp-key", "key.json"),
        secret("backup", "copy", "key.json"),
    ]);
    key.config_maps = BTreeSet::from([ConfigMapKey {
        namespace: "backup".into(),
        name: "old".into(),
        key: Some("env".into()),
    }]);
    key.objects = BTreeSet::from(["Deployment shop/api (spec.template.spec.containers.app.env)".into()]);
    key.hits = vec![
        hit(
            "stored-credential",
            "ClusterSecretStore gcp",
            "provider.gcpsm.auth.secretRef takes effect before every other login; 14 ExternalSecrets use this store",
            "keyless setup --retire-key",
        ),
        hit(
            "google-key",
            "Secret backup/copy",
            "it holds a key of a Google service account",
            "gcloud iam service-accounts keys delete 0123abcd --iam-account=eso@acme-prod.iam.gserviceaccount.com",
        ),
    ];
    let mut token = root(
        Class::Platform,
        "secret:ci/deployer-token",
        "a token of the ServiceAccount ci/deployer that never expires",
    );
    token.secrets =
        BTreeSet::from([SecretKey { namespace: "ci".into(), name: "deployer-token".into(), key: None }]);
    token.hits = vec![hit(
        "legacy-token",
        "Secret ci/deployer-token",
        "it is of the type kubernetes.io/service-account-token",
        "kubectl delete secret -n ci deployer-token",
    )];
    let mut hcloud = root(Class::Irreducible, "secret:kube-system/hcloud#token", "a token of Hetzner Cloud");
    hcloud.secrets = BTreeSet::from([secret("kube-system", "hcloud", "token")]);
    hcloud.hits = vec![hit(
        "hetzner-token",
        "Secret kube-system/hcloud",
        "64 characters under the key token",
        "Issue one token for each component, with access to one project.",
    )];
    verdict.roots = vec![key];
    verdict.others = vec![token, hcloud];
    verdict.findings = vec![Hit {
        weight: Weight::Finding,
        ..hit(
            "token-audience",
            "SecretStore shop/vault",
            "the token is made for the audience of the API server",
            "Set audiences to the issuer of the store.",
        )
    }];
    verdict.notes = vec![Hit {
        weight: Weight::Note,
        ..hit(
            "minting-power",
            "ClusterRole external-secrets-controller",
            "it may make tokens of every ServiceAccount",
            "Set rbac.serviceAccountTokenCreate to false.",
        )
    }];
    verdict
}

/// The same with hostile text in every place that can hold some, and not everything read.
pub(super) fn hostile() -> Verdict {
    let mut verdict = found();
    for root in verdict.roots.iter_mut().chain(&mut verdict.others) {
        root.what = HOSTILE.into();
        root.id = HOSTILE.into();
        root.secrets.insert(secret(HOSTILE, HOSTILE, HOSTILE));
        root.objects.insert(HOSTILE.into());
        root.objects.insert(format!("Deployment shop/{HOSTILE}"));
        for hit in &mut root.hits {
            (hit.place, hit.why, hit.remedy) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
        }
    }
    for hit in verdict.findings.iter_mut().chain(&mut verdict.notes) {
        (hit.place, hit.why, hit.remedy) =
            (format!("SecretStore shop/{HOSTILE}"), HOSTILE.into(), HOSTILE.into());
    }
    verdict.unseen = vec![Unseen { what: HOSTILE.into(), right: HOSTILE.into(), why: HOSTILE.into() }];
    verdict.unseen_here = verdict.unseen.iter().cloned().collect();
    verdict.looked.insert(HOSTILE.into(), 1);
    verdict.record = Record::fake(Some(HOSTILE));
    verdict
}

/// Nothing found, and not everything read or known.
pub(super) fn incomplete() -> Verdict {
    let mut verdict = zero();
    verdict.unknown = vec![Hit {
        weight: Weight::Unknown,
        ..hit(
            "unknown-login",
            "ClusterSecretStore acme",
            "the provider acme is not known to this version",
            "Look at its login yourself, or use a version that knows it.",
        )
    }];
    verdict.unseen = vec![Unseen {
        what: "pods".into(),
        right: "list pods".into(),
        why: "the API server refuses it: forbidden".into(),
    }];
    verdict.unseen_here = verdict.unseen.iter().cloned().collect();
    verdict
}

/// There is no External Secrets Operator.
pub(super) fn nothing() -> Verdict {
    judge(&Inventory::default())
}

/// The credential that was found is excepted, and nothing else is within the gate.
pub(super) fn excepted() -> Verdict {
    let mut verdict = found();
    verdict.findings.clear();
    let text = "apiVersion: keyless/exceptions/v1\nexceptions:\n\
        - {id: 'google:0123abcd', at: [Secret backup/copy, Secret external-secrets/gcp-key, ConfigMap backup/old, Deployment shop/api], reason: the agent of the vendor takes no other, owner: platform-team, expires: 2027-01-31, control: it reads one bucket}\n\
        - {id: 'secret:kube-system/hcloud#token', code: KL171, reason: Hetzner Cloud has no other login, owner: \"o'\\\"hara\", expires: 2026-12-24}\n";
    let exceptions = Exceptions::parse(text, Path::new("exceptions.yaml")).unwrap();
    verdict.excepting(&exceptions, TIME)
}

/// What is written by these names into `fixtures/reports`.
pub(super) fn all() -> Vec<(&'static str, Verdict)> {
    vec![
        ("zero", zero()),
        ("found", found()),
        ("excepted", excepted()),
        ("hostile", hostile()),
        ("incomplete", incomplete()),
        ("nothing-to-judge", nothing()),
    ]
}

pub(super) fn evidence(verdict: &Verdict) -> Evidence {
    evidence_by(verdict, &crate::redact::line)
}

pub(super) fn evidence_by(verdict: &Verdict, clean: &dyn Fn(&str) -> String) -> Evidence {
    let mut document = verdict.to_json();
    crate::redact::json(&mut document);
    let json = format!("{}\n", crate::redact::ascii_escapes(&document.to_string()));
    let uid = Some("1f0e4a52-8d1c-4f0e-9a53-0c2b7d1e6f90".to_owned());
    let cluster = ClusterTarget { context: Some("prod".into()), server: "https://10.0.0.1:6443".into(), uid };
    let target = Target { cluster: Some(cluster), account: None };
    Evidence::new(verdict, json, &target, "0.1.0", TIME, clean)
}

/// With what a verdict is made of when nothing is fixed.
pub(super) fn of_parts(
    roots: usize,
    platform: usize,
    findings: usize,
    unknown: usize,
    unseen: usize,
    installed: bool,
) -> Verdict {
    let (from, open) = (found(), incomplete());
    let numbered = |root: &Root, number: usize| Root { id: format!("{}:{number}", root.id), ..root.clone() };
    let mut verdict = zero();
    verdict.roots =
        from.roots.iter().cycle().take(roots).enumerate().map(|(at, it)| numbered(it, at)).collect();
    verdict.others = from
        .others
        .iter()
        .take(1)
        .cycle()
        .take(platform)
        .enumerate()
        .map(|(at, it)| numbered(it, at))
        .collect();
    verdict.findings = from.findings.iter().cycle().take(findings).cloned().collect();
    verdict.unknown = open.unknown.iter().cycle().take(unknown).cloned().collect();
    verdict.unseen = open.unseen.iter().cycle().take(unseen).cloned().collect();
    verdict.unseen_here = verdict.unseen.iter().cloned().collect();
    verdict.installed = installed;
    verdict
}

fn root(class: Class, id: &str, what: &str) -> Root {
    Root {
        known: BTreeSet::from([(Identity::Named(id.into()), Halves::new())]),
        what: what.into(),
        id: id.into(),
        claims: None,
        secrets: BTreeSet::new(),
        config_maps: BTreeSet::new(),
        objects: BTreeSet::new(),
        more: 0,
        class,
        opens: BTreeSet::from([Opens::Unused]),
        rules: Default::default(),
        hits: Vec::new(),
    }
}

fn hit(rule: &'static str, place: &str, why: &str, remedy: &str) -> Hit {
    Hit { rule, weight: Weight::Note, place: place.into(), why: why.into(), remedy: remedy.into() }
}

fn secret(namespace: &str, name: &str, key: &str) -> SecretKey {
    SecretKey { namespace: namespace.into(), name: name.into(), key: Some(key.into()) }
}
