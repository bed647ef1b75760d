//! PURE. Secrets: the store, the provider and account behind it, and through what login it is opened.

use super::{
    Concern, Found, NONE, Portable, Seen, Tie,
    places::{ALIBABA, AWS, AZURE, GOOGLE, IBM, NEBIUS, OPENSTACK, ORACLE, OVH, SCALEWAY, YANDEX},
};
use crate::{
    audit::{LoginKind, login_kind},
    cluster::snapshot::{Store, Target},
    federation::ProviderName,
};

pub(super) const CONCERN: Concern = Concern { id: "secrets", title: "secrets trust root", judge };

/// A provider of External Secrets Operator.
pub(super) struct Row {
    /// Its member of `spec.provider`.
    pub(super) member: &'static str,
    /// A cloud or vendor; `none`; `unknown`.
    pub(super) to: &'static str,
    pub(super) title: &'static str,
    pub(super) portable: Portable,
    /// What tells one account, project or server from another: what each is, and its member.
    places: &'static [(&'static str, &'static str)],
    /// A login that works on one cloud's own clusters only: its member, and why.
    only_here: Option<(&'static str, &'static str)>,
}

const fn cloud(
    member: &'static str,
    to: &'static str,
    title: &'static str,
    places: &'static [(&'static str, &'static str)],
) -> Row {
    Row { member, to, title, portable: Portable::No, places, only_here: None }
}

/// A service of a vendor that any cluster can reach.
const fn service(
    member: &'static str,
    to: &'static str,
    places: &'static [(&'static str, &'static str)],
) -> Row {
    Row { member, to, title: to, portable: Portable::Yes, places, only_here: None }
}

/// Software that any user can run: where this server runs cannot be seen from the cluster.
const fn server(
    member: &'static str,
    title: &'static str,
    places: &'static [(&'static str, &'static str)],
) -> Row {
    Row { member, to: title, title, portable: Portable::Unknown, places, only_here: None }
}

/// Source: apis/externalsecrets/v1/secretstore_types.go and the provider's own `secretstore_NAME_types.go`. A test holds
/// the names against fixtures/eso/providers.txt.
pub(super) const TABLE: &[Row] = &[
    // secretstore_gcpsm_types.go; only the metadata of GKE and of fleets exchanges tokens of auth.workloadIdentity.
    Row {
        only_here: Some(("/auth/workloadIdentity", "its login works on GKE only")),
        ..cloud(
            "gcpsm",
            GOOGLE,
            "Google Secret Manager",
            &[("project", "/projectID"), ("location", "/location")],
        )
    },
    // secretstore_aws_types.go
    cloud(
        "aws",
        AWS,
        "AWS Secrets Manager or Parameter Store",
        &[("service", "/service"), ("region", "/region"), ("role", "/role")],
    ),
    // secretstore_azurekv_types.go
    cloud("azurekv", AZURE, "Azure Key Vault", &[("vault", "/vaultUrl"), ("tenant", "/tenantId")]),
    // secretstore_oracle_types.go
    cloud("oracle", ORACLE, "Oracle Vault", &[("region", "/region"), ("vault", "/vault")]),
    // secretstore_ibm_types.go
    cloud("ibm", IBM, "IBM Secrets Manager", &[("at", "/serviceUrl")]),
    // secretstore_alibaba_types.go
    cloud("alibaba", ALIBABA, "Alibaba KMS", &[("region", "/regionID")]),
    // secretstore_yandex_types.go
    cloud("yandexlockbox", YANDEX, "Yandex Lockbox", &[("at", "/apiEndpoint")]),
    cloud("yandexcertificatemanager", YANDEX, "Yandex Certificate Manager", &[("at", "/apiEndpoint")]),
    // secretstore_scaleway_types.go
    cloud(
        "scaleway",
        SCALEWAY,
        "Scaleway Secret Manager",
        &[("project", "/projectId"), ("region", "/region")],
    ),
    // secretstore_volcengine_types.go
    cloud("volcengine", "Volcengine", "Volcengine KMS", &[("region", "/region")]),
    // secretstore_nebius_mysterybox_types.go
    cloud("nebiusmysterybox", NEBIUS, "Nebius MysteryBox", &[("at", "/apiDomain")]),
    // secretstore_ovh_types.go
    cloud("ovh", OVH, "OVHcloud Secret Manager", &[("at", "/server")]),
    // secretstore_cloudru_types.go
    cloud("cloudrusm", "Cloud.ru", "Cloud.ru Secret Manager", &[("project", "/projectID")]),
    // secretstore_barbican_types.go: the OpenStack may be one's own.
    cloud("barbican", OPENSTACK, "OpenStack Barbican", &[("at", "/authURL"), ("tenant", "/tenantName")]),
    // secretstore_vault_types.go
    server("vault", "Vault or OpenBao", &[("at", "/server"), ("path", "/path")]),
    server("openBao", "OpenBao", &[("at", "/server"), ("path", "/path")]),
    // secretstore_conjur_types.go
    server("conjur", "Conjur", &[("at", "/url")]),
    // secretstore_onepassword_types.go: Connect is a server of one's own before the vendor's service.
    server("onepassword", "1Password Connect", &[("at", "/connectHost")]),
    // secretstore_kubernetes_types.go: without a server it is this cluster.
    server("kubernetes", "Secrets of a cluster", &[("at", "/server/url"), ("namespace", "/remoteNamespace")]),
    server("crd", "objects of a cluster", &[("at", "/server/url")]),
    // secretstore_webhook_types.go
    server("webhook", "a webhook", &[("at", "/url")]),
    // secretstore_chef_types.go, _delinea_, _secretserver_, _senhasegura_, _device42_, _passbolt_, _passworddepot_,
    // _beyondtrust_, _fortanix_, _bitwarden_, _infisical_, _gitlab_, _dvls_: servers that a user can run.
    server("beyondtrust", "BeyondTrust Password Safe", &[("at", "/server/apiUrl")]),
    server("beyondtrustworkloadcredentials", "BeyondTrust Workload Credentials", &[]),
    server("bitwardensecretsmanager", "Bitwarden Secrets Manager", &[("at", "/bitwardenServerSDKURL")]),
    server("chef", "Chef", &[("at", "/serverUrl")]),
    server("delinea", "Delinea DevOps Secrets Vault", &[("tenant", "/tenant")]),
    server("device42", "Device42", &[("at", "/host")]),
    server("dvls", "Devolutions Server", &[("at", "/serverUrl")]),
    server("fortanix", "Fortanix DSM", &[("at", "/apiUrl")]),
    server("gitlab", "GitLab", &[("at", "/url")]),
    server("infisical", "Infisical", &[("at", "/hostAPI")]),
    server("passbolt", "Passbolt", &[("at", "/host")]),
    server("passworddepot", "Password Depot", &[("at", "/host")]),
    server("secretserver", "Delinea Secret Server", &[("at", "/serverURL")]),
    server("senhasegura", "senhasegura", &[("at", "/url")]),
    server("akeyless", "Akeyless, or a gateway of one's own", &[("at", "/akeylessGWApiURL")]),
    // Services of a vendor, which are of no cloud: _doppler_, _github_, _keepersecurity_, _ngrok_, _onboardbase_,
    // _onepassword_sdk_, _previder_, _pulumi_.
    service("doppler", "Doppler", &[("project", "/project")]),
    service("github", "GitHub", &[("at", "/url")]),
    service("keepersecurity", "Keeper Security", &[]),
    service("ngrok", "ngrok", &[("at", "/apiUrl")]),
    service("onboardbase", "Onboardbase", &[("at", "/apiHost")]),
    service("onepasswordSDK", "1Password", &[("vault", "/vault")]),
    service("previder", "Previder", &[("at", "/baseUri")]),
    service("pulumi", "Pulumi ESC", &[("at", "/apiUrl"), ("organization", "/organization")]),
    // secretstore_fake_types.go: the values lie in the store itself.
    Row { title: "values in the store itself", ..service("fake", NONE, &[]) },
];

fn judge(seen: &Seen) -> Found {
    let mut found = Found::default();
    found.misses(&seen.stores);
    found.ties.extend(seen.stores.items.iter().map(tie));
    if seen.stores.items.is_empty() && seen.stores.is_whole() {
        found.ties.push(Tie::unknown(
            "no store of External Secrets Operator: where secrets come from cannot be seen",
            "the cluster",
        ));
    }
    let mut stores: Vec<_> = seen.stores.items.iter().map(to_resolve).collect();
    stores.sort_unstable();
    stores.into_iter().for_each(|what| found.resolves(what));
    if seen.stores.items.is_empty() {
        found.resolves("where secrets come from: keyless sees no store");
    }
    found
}

/// The objects that name the provider: what else reads secrets names them.
pub(super) fn swap_points(seen: &Seen) -> Vec<String> {
    let cluster = seen.stores.items.iter().filter(|store| store.is_cluster());
    let mut names: Vec<_> = cluster.map(|store| store.0.describe()).collect();
    names.sort_unstable();
    names
}

fn tie(store: &Store) -> Tie {
    let evidence = store.0.describe();
    let Some((member, settings)) = store.provider() else {
        return Tie::unknown("it names no provider, or several", evidence);
    };
    let (login, words) = login(store);
    let Some(row) = TABLE.iter().find(|row| row.member == member) else {
        let through = format!("the provider `{}`, which keyless does not know", member.escape_debug());
        return Tie::unknown(through, evidence).detail(words).fact("login", login);
    };
    let places: Vec<_> = row
        .places
        .iter()
        .filter_map(|(what, pointer)| {
            let value = settings.pointer(pointer)?.as_str().filter(|value| !value.is_empty())?;
            Some(format!("{what} {}", plain(value)))
        })
        .collect();
    let through = [&[row.title.to_owned()], places.as_slice()].concat().join(", ");
    Tie::new(row.to, through, evidence, row.portable).detail(words).fact("login", login)
}

/// Of an address only scheme, host and port: the rest may hold a credential.
fn plain(value: &str) -> String {
    match url::Url::parse(value) {
        Ok(url) if url.has_host() => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
        }
        // A host without a scheme may have user and password before it.
        _ if value.contains(['@', '?', ' ']) => "an address that is not shown".to_owned(),
        _ => value.to_owned(),
    }
}

/// Whether it is keyless, in one word and in several.
fn login(store: &Store) -> (&'static str, String) {
    match login_kind(store) {
        LoginKind::Stored => ("stored", "login: a stored credential".to_owned()),
        LoginKind::Tokens => {
            let account = store.references().into_iter().find(|it| it.target == Target::ServiceAccount);
            let account = account.map_or_else(
                || "a ServiceAccount".to_owned(),
                |it| match (it.namespace.as_deref(), store.0.namespace()) {
                    (None, "") => format!("ServiceAccount {} in the namespace of each user", it.name),
                    (Some(namespace), "") | (_, namespace) => {
                        format!("ServiceAccount {namespace}/{}", it.name)
                    }
                },
            );
            ("keyless", format!("login: keyless, by short-lived tokens of {account}"))
        }
        LoginKind::Other(why) => ("unknown", format!("login: unknown whether it is keyless: {why}")),
    }
}

/// What a move has to solve again for this store.
fn to_resolve(store: &Store) -> String {
    let name = store.0.describe();
    let Some((member, settings)) = store.provider() else {
        return format!("{name}: which provider it is at");
    };
    let row = TABLE.iter().find(|row| row.member == member);
    if let Some((pointer, why)) = row.and_then(|row| row.only_here)
        && settings.pointer(pointer).is_some_and(|it| !it.is_null())
    {
        return format!(
            "{name}: {why}: let the provider trust the new cluster's issuer instead, in a pool of its own (keyless setup)"
        );
    }
    // Whether this program itself can make the provider trust a cluster.
    let is_set_up = ProviderName::of_store(store).is_some();
    match (login_kind(store), is_set_up) {
        _ if row.is_some_and(|row| row.to == NONE) => format!("{name}: its values move along with it"),
        (LoginKind::Tokens, true) => format!(
            "{name}: publish the new cluster's keys and let the provider trust them (keyless setup); to leave the provider, keyless setup --to"
        ),
        (LoginKind::Tokens, false) => {
            format!(
                "{name}: publish the new cluster's keys (keyless publish), and let the provider trust them by its own tools"
            )
        }
        (LoginKind::Stored, true) => {
            format!(
                "{name}: its stored credential would move along: replace it by short-lived tokens (keyless setup)"
            )
        }
        (LoginKind::Stored, false) => format!(
            "{name}: its stored credential would move along; keyless has no short-lived login at this provider"
        ),
        (LoginKind::Other(_), _) => format!("{name}: its login: what it depends on is not known"),
    }
}
