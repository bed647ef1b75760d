//! What is wrong at Google, or in the settings for it: named with its remedy, the old path left as it is, and once it
//! is fixed the same command ends well.

mod later;
mod teardown;

use lab::{Google, SigningKey};
use serde_json::{Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate, SETUP},
    google::{at_once, ends_well, mark, refused, untouched},
};

const POOL: &str = "keyless-lab";
const OTHER_CLUSTER: &str =
    "managed by keyless in cluster ffffffff-0000-4000-8000-000000000000 for https://other.example";

/// What is damaged, what the refusal is and names, and how it is fixed.
struct Case {
    settings: &'static str,
    damage: fn(&Estate),
    refusal: (i32, &'static str, &'static [&'static str]),
    fix: fn(&Estate),
}

impl Case {
    fn run(&self) {
        let estate = Estate::new();
        estate.settings(self.settings);
        (self.damage)(&estate);
        let (exit, code, names) = self.refusal;
        let ran = refused(&estate, exit, code, names);
        // Keys are listed by their random IDs; of steps at the same time any can be the first to fail.
        if !["google-too-many-keys", "google-operation-failed"].contains(&code) {
            let words = names[0].split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
            let named = words.collect::<Vec<_>>().join("-").to_lowercase();
            ran.snapshot(&format!("refused-{code}-{named}"));
        }
        untouched(&estate, code);
        (self.fix)(&estate);
        ends_well(&estate, code);
    }
}

const IN_POOL: &str = "google: {pool: keyless-lab}";

fn elsewhere(estate: &Estate) {
    estate.settings("google: {pool: keyless-own}");
}

fn pool(estate: &Estate, change: impl FnOnce(&mut Value)) {
    estate.google.write(POOL, None, change);
}

/// A provider with the cluster's issuer and keys, and whatever else makes it right.
fn provider(estate: &Estate, name: &str, change: impl FnOnce(&mut Value)) {
    let jwks = json!({"keys": [estate.world.key.jwk()]}).to_string();
    estate.google.write(POOL, Some(name), |it| {
        it["attributeMapping"] = json!({"google.subject": "assertion.sub"});
        it["oidc"] = json!({"issuerUri": DEFAULT_ISSUER, "jwksJson": jwks});
        change(it);
    });
}

#[test]
fn unknown_project_is_refused_with_remedy() {
    let cases = [
        Case {
            settings: "google: {project: acme-prud}",
            damage: |_| {},
            refusal: (3, "google-project-unknown", &["acme-prud", "gcloud projects list", "roles/browser"]),
            // The number where the ID is expected will do.
            fix: |estate| estate.settings("google: {project: \"123456789012\"}"),
        },
        Case {
            settings: "google: {project: \"210987654321\"}",
            damage: |_| {},
            refusal: (3, "google-project-unknown", &["210987654321", "gcloud projects list"]),
            fix: |estate| estate.settings("google: {project: acme-prod}"),
        },
        Case {
            settings: "google: {project: Acme Production}",
            damage: |_| {},
            refusal: (2, "google-project", &["Acme Production", "the display name is neither"]),
            fix: |estate| estate.settings(""),
        },
    ];
    at_once(&cases, |case| {
        case.run();
    });
}

#[test]
fn a_pool_that_is_somebody_elses() {
    let cases = [
        Case {
            settings: IN_POOL,
            damage: |it| pool(it, |pool| pool["disabled"] = json!(true)),
            refusal: (3, "google-pool-foreign", &["is disabled", "another google.pool"]),
            fix: |it| pool(it, |pool| pool["disabled"] = json!(false)),
        },
        Case {
            settings: IN_POOL,
            damage: |it| pool(it, |pool| pool["state"] = json!("DELETED")),
            refusal: (3, "google-pool-foreign", &["soft-deleted", "30 days"]),
            fix: |it| pool(it, |pool| pool["state"] = json!("ACTIVE")),
        },
        Case {
            settings: IN_POOL,
            damage: |it| {
                pool(it, |pool| pool["description"] = json!("CI"));
                provider(it, "github", |_| {});
            },
            refusal: (3, "google-pool-foreign", &["other providers", "`CI`"]),
            fix: elsewhere,
        },
        Case {
            settings: IN_POOL,
            damage: |it| pool(it, |pool| pool["description"] = json!(OTHER_CLUSTER)),
            refusal: (
                3,
                "google-other-cluster",
                &["pool keyless-lab", "ffffffff-0000", "another google.pool"],
            ),
            fix: elsewhere,
        },
    ];
    at_once(&cases, |case| {
        case.run();
    });
}

#[test]
fn a_provider_that_is_somebody_elses() {
    let cases = [
        Case {
            settings: IN_POOL,
            damage: |it| {
                let ours = mark(it);
                pool(it, |pool| pool["description"] = json!(ours));
                provider(it, "cluster", |it| it["oidc"]["issuerUri"] = json!("https://other.example"));
            },
            refusal: (3, "google-provider-foreign", &["https://other.example", "another google.provider"]),
            fix: |it| it.settings("google: {pool: keyless-lab, provider: second}"),
        },
        Case {
            settings: IN_POOL,
            damage: |it| {
                let ours = mark(it);
                pool(it, |pool| pool["description"] = json!(ours));
                provider(it, "cluster", |it| it["description"] = json!(OTHER_CLUSTER));
            },
            refusal: (3, "google-other-cluster", &["provider cluster", "ffffffff-0000"]),
            fix: elsewhere,
        },
        // The mark of an older release, and nothing that shows whose it is.
        Case {
            settings: IN_POOL,
            damage: |it| {
                pool(it, |pool| pool["description"] = json!("managed by keyless"));
                provider(it, "cluster", |it| {
                    it["description"] = json!("managed by keyless for https://other.example");
                    it["oidc"] = json!({"issuerUri": "https://other.example"});
                });
            },
            refusal: (3, "google-other-issuer", &["https://other.example", "update-oidc", DEFAULT_ISSUER]),
            fix: |it| provider(it, "cluster", |it| it["description"] = json!("managed by keyless")),
        },
    ];
    at_once(&cases, |case| {
        case.run();
    });
}

#[test]
fn impossible_settings_are_refused_before_changes() {
    let cases = [
        Case {
            settings: "",
            // 128 bytes as a subject.
            damage: |it| {
                it.settings(&format!("store: {{serviceAccount: external-secrets/{}}}", "a".repeat(89)))
            },
            refusal: (2, "google-subject-too-long", &["128 bytes", "127", "104 bytes"]),
            fix: |it| it.settings("store: {serviceAccount: external-secrets/reader}"),
        },
        Case {
            settings: "",
            damage: |it| {
                it.world.cluster.change_servers(|server| {
                    server.key_files.extend((0..8).map(|_| (&SigningKey::rsa(2048)).into()));
                });
            },
            refusal: (3, "google-too-many-keys", &["9 keys", "takes 8", "google.mode: documents"]),
            fix: |it| it.world.cluster.change_servers(|server| server.key_files.truncate(1)),
        },
        Case {
            settings: "",
            damage: |it| {
                it.world.cluster.change_servers(|server| {
                    server.key_files.push((&SigningKey::ec(lab::Curve::P384)).into());
                });
            },
            refusal: (3, "google-key-type", &["EC P-384", "ES256 and RS256", "--service-account-key-file"]),
            fix: |it| it.world.cluster.change_servers(|server| server.key_files.truncate(1)),
        },
        Case {
            settings: "",
            damage: |it| {
                let staged = SigningKey::ec(lab::Curve::P521);
                std::fs::write(it.world.dir.path().join("next.pub"), staged.public_pem()).unwrap();
                it.settings("cluster: {publicKeys: [next.pub]}");
            },
            refusal: (3, "google-key-type", &["EC P-521", "staged", "cluster.publicKeys"]),
            fix: |it| it.settings(""),
        },
        Case {
            settings: "",
            damage: |it| {
                let issuer = format!("https://kubernetes.example.com/{}", "a".repeat(1990));
                it.world.cluster.change_servers(|server| server.issuers = vec![issuer.clone()]);
            },
            refusal: (3, "google-issuer", &["Google does not take", "1999", "--service-account-issuer"]),
            fix: |it| it.world.cluster.change_servers(|server| server.issuers = vec![DEFAULT_ISSUER.into()]),
        },
    ];
    at_once(&cases, |case| {
        case.run();
    });
}

#[test]
fn what_google_does_not_let_happen() {
    let cases = [
        Case {
            settings: "",
            damage: |it| {
                it.google.change(|it| it.allowed_issuers = Some(vec!["https://login.example.com".into()]))
            },
            refusal: (
                3,
                "google-org-policy",
                &["constraints/iam.workloadIdentityPoolProviders", "roles/orgpolicy.policyAdmin"],
            ),
            fix: |it| it.google.change(|it| it.allowed_issuers = None),
        },
        Case {
            settings: "",
            damage: |it| it.google.change(|it| it.members_restricted = true),
            refusal: (3, "google-org-policy", &["constraints/iam.allowedPolicyMemberDomains", "secret db"]),
            fix: |it| it.google.change(|it| it.members_restricted = false),
        },
        Case {
            settings: "",
            damage: |it| it.google.conflict(10),
            refusal: (3, "google-busy", &["secret db", "10 times", "Terraform"]),
            fix: |_| {},
        },
        Case {
            settings: "",
            damage: |it| it.google.fail_next_operation("FAILED_PRECONDITION", "not on a Monday"),
            refusal: (
                3,
                "google-operation-failed",
                &["FAILED_PRECONDITION: not on a Monday", "run the command again"],
            ),
            fix: |_| {},
        },
        Case {
            settings: "",
            damage: |it| it.google.change(|it| it.clock_offset = -600),
            refusal: (
                3,
                "new-path",
                &["stale to sign-in", "clock", "NTP", "the store and its key are as they were"],
            ),
            fix: |it| it.google.change(|it| it.clock_offset = 0),
        },
    ];
    at_once(&cases, |case| {
        case.run();
    });
}

/// As the bucket's own setting, and as the organisation's.
#[test]
fn bucket_barred_from_public_is_refused() {
    let issuer = "https://storage.googleapis.com/acme-oidc";
    type Prevent = fn(&Google, bool);
    let by_bucket: Prevent = |google, on| {
        if google.storage().buckets().is_empty() {
            google.storage().own_bucket("acme-oidc");
        }
        google.storage().prevent_public_access("acme-oidc", if on { "enforced" } else { "inherited" });
    };
    let by_organisation: Prevent = |google, on| {
        google.storage().change(|storage| storage.organisation_prevents_public_access = on);
    };
    let prevented = [by_bucket, by_organisation];
    at_once(&prevented, |prevent| {
        let estate = Estate::new();
        estate.world.cluster.change_servers(|server| server.issuers = vec![issuer.to_owned()]);
        estate.settings("bucket: {url: gs://acme-oidc, project: acme-prod}");
        prevent(&estate.google, true);
        let names = ["gs://acme-oidc", "--no-public-access-prevention", "storage.publicAccessPrevention"];
        refused(&estate, 3, "public-access-prevented", &names);
        untouched(&estate, "a bucket");
        assert!(estate.google.federation().is_empty(), "nothing trusts what cannot be read");
        prevent(&estate.google, false);
        ends_well(&estate, "a bucket");
    });
}
