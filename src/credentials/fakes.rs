//! Well-formed credentials that were never issued, made when the tests run: none of them is in the repository.

use std::sync::LazyLock;

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, Pkcs8V1Der},
    rsa,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::text::crc32;

/// One credential, as the values that make it up.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) code: &'static str,
    /// `code`, with what is special about this one.
    pub(crate) name: &'static str,
    pub(crate) class: char,
    /// Names and values, as they lie together.
    pub(crate) pairs: Vec<(&'static str, String)>,
    /// It is told by these, and so lies in a Secret only.
    pub(crate) secret_type: &'static str,
    pub(crate) label: Option<(&'static str, &'static str)>,
    /// What the object must be called.
    pub(crate) object: &'static str,
}

pub(crate) const ALNUM: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub(crate) const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &str = "0123456789abcdef";

/// So many characters, the same in each run.
pub(crate) fn body(seed: &str, alphabet: &str, length: usize) -> String {
    let letters = alphabet.as_bytes();
    let mut text = String::new();
    for round in 0_u32.. {
        for byte in digest(&SHA256, format!("{seed} {round}").as_bytes()).as_ref() {
            if text.len() == length {
                return text;
            }
            text.push(char::from(letters[usize::from(*byte) % letters.len()]));
        }
    }
    text
}

pub(crate) fn uuid(seed: &str) -> String {
    [8, 4, 4, 4, 12].map(|length| body(&format!("{seed}{length}"), HEX, length)).join("-")
}

fn pem(tag: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {tag}-----\n{}\n-----END {tag}-----\n", lines.join("\n"))
}

/// RSA keys take a while to make: one for all.
pub(crate) static RSA: LazyLock<String> = LazyLock::new(|| {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    pem("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref())
});

/// Another one, for what needs two.
pub(crate) fn other_rsa() -> String {
    static OTHER: LazyLock<String> = LazyLock::new(|| {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        pem("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref())
    });
    OTHER.clone()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// A key of SSH with the public half of `open_ssh`, and a private one of its own.
pub(crate) fn open_ssh_written(private: &str, comment: &str) -> String {
    let public = [string(b"ssh-ed25519"), string(body("ssh", ALNUM, 32).as_bytes())].concat();
    let check = body(comment, ALNUM, 8);
    let numbers = body(private, ALNUM, 64);
    let private =
        [check.as_bytes(), &public, &string(numbers.as_bytes()), &string(comment.as_bytes()), &[1, 2, 3]];
    let blob = [
        b"openssh-key-v1\0".to_vec(),
        string(b"none"),
        string(b"none"),
        string(b""),
        1_u32.to_be_bytes().to_vec(),
        string(&public),
        string(&private.concat()),
    ];
    pem("OPENSSH PRIVATE KEY", &blob.concat())
}

pub(crate) fn open_ssh_of(private: &str) -> String {
    open_ssh_written(private, "ci@lab.test")
}

pub(crate) fn google(members: &[&str]) -> Value {
    let whole = json!({
        "type": "service_account", "project_id": "acme-prod", "private_key_id": body("google", HEX, 40),
        "private_key": *RSA, "client_email": "eso@acme-prod.iam.gserviceaccount.com", "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
    });
    let kept = whole
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| members.is_empty() || members.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// A JWT with these claims; nothing signed it.
pub(crate) fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&json!({"alg": "RS256", "kid": "a"})), part(claims), body("jwt", ALNUM, 342))
}

pub(crate) fn legacy_claims() -> Value {
    json!({"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:shop:ci",
        "kubernetes.io/serviceaccount/namespace": "shop", "kubernetes.io/serviceaccount/secret.name": "ci-token"})
}

pub(crate) fn github() -> String {
    let body = body("github", ALNUM, 30);
    let mut crc = crc32(body.as_bytes());
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.insert(0, char::from(ALNUM.as_bytes()[(crc % 62) as usize]));
        crc /= 62;
    }
    format!("ghp{}{body}{}", "_", digits.into_iter().collect::<String>())
}

/// A key store (PKCS#12) with a MAC and nothing of worth in it.
pub(crate) fn p12(password: &str) -> Vec<u8> {
    super::pkcs12::tests::file(password)
}

fn kubeconfig(user: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "a", "cluster": {"server": "https://a.lab.test"}}],
        "users": [{"name": "u", "user": user}], "contexts": []})
}

fn docker(host: &str, user: &str, password: &str) -> Value {
    json!({"auths": {host: {"auth": STANDARD.encode(format!("{user}:{password}"))}}})
}

fn fake(code: &'static str, name: &'static str, class: char, pairs: Vec<(&'static str, String)>) -> Fake {
    Fake { code, name, class, pairs, secret_type: "Opaque", label: None, object: "it" }
}

/// Every kind, in the forms in which it is handed out.
pub(crate) fn fakes() -> Vec<Fake> {
    let aws_id = format!("AK{}{}", "IA", body("aws", UPPER, 16));
    let aws_secret = body("aws secret", ALNUM, 40);
    let storage = format!("{}==", body("storage", ALNUM, 86));
    let entra = format!("{}8Q{}{}", body("entra", ALNUM, 3), "~", body("entra more", ALNUM, 34));
    let vault = format!("hv{}{}", "s.", body("vault", ALNUM, 90));
    let label = |mut it: Fake, label| {
        it.label = Some(label);
        it
    };
    let of_type = |mut it: Fake, secret_type| {
        it.secret_type = secret_type;
        it
    };
    let called = |mut it: Fake, object| {
        it.object = object;
        it
    };
    let trimmed = ["type", "private_key"];
    let argo = ("argocd.argoproj.io/secret-type", "repository");
    let cluster = ("argocd.argoproj.io/secret-type", "cluster");
    let age = format!("AGE-SECRET-{}-1{}", "KEY", body("age", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58));
    let pgp = format!(
        "-----BEGIN PGP {} BLOCK-----\n\n{}\n-----END PGP PRIVATE KEY BLOCK-----\n",
        "PRIVATE KEY",
        body("pgp", ALNUM, 640)
    );
    let hetzner = body("hetzner", ALNUM, 64);
    vec![
        fake("KL101", "google key, compact", 'R', vec![("key.json", google(&[]).to_string())]),
        fake("KL101", "google key, pretty", 'R', vec![("key.json", format!("{:#}", google(&[])))]),
        fake("KL101", "google key, trimmed", 'R', vec![("key.json", google(&trimmed).to_string())]),
        fake("KL101", "google key, without a type", 'R', vec![("key.json", google(&["client_email", "private_key"]).to_string())]),
        fake("KL103", "google user", 'R', vec![("adc.json", json!({"type": "authorized_user", "client_id": "a", "client_secret": "b",
            "refresh_token": format!("1//{}", body("refresh", ALNUM, 80))}).to_string())]),
        fake("KL104", "google hmac", 'R', vec![("id", format!("GOOG{}{}", "1E", body("hmac", UPPER, 55))), ("secret", body("hmac secret", ALNUM, 40))]),
        fake("KL105", "google api key", 'T', vec![("key", format!("AI{}{}", "za", body("api", ALNUM, 35)))]),
        fake("KL111", "aws pair", 'R', vec![("AWS_ACCESS_KEY_ID", aws_id.clone()), ("AWS_SECRET_ACCESS_KEY", aws_secret.clone())]),
        fake("KL111", "aws pair under other names", 'R', vec![("id", aws_id.clone()), ("key", aws_secret.clone())]),
        fake("KL111", "aws profile", 'R', vec![("credentials", format!("[default]\naws_access_key_id = {aws_id}\naws_secret_access_key = {aws_secret}\n"))]),
        fake("KL113", "s3 pair", 'T', vec![("access_key", body("s3", ALNUM, 20)), ("secret_key", body("s3 secret", ALNUM, 40))]),
        fake("KL114", "bedrock key", 'R', vec![("key", format!("AB{}{}", "SK", body("bedrock", ALNUM, 128)))]),
        fake("KL115", "alibaba pair", 'R', vec![("ALIBABA_CLOUD_ACCESS_KEY_ID", format!("LT{}{}", "AI", body("alibaba", ALNUM, 20))),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", body("alibaba secret", ALNUM, 30))]),
        fake("KL115", "alibaba pair under other names", 'R', vec![("id", format!("LT{}{}", "AI", body("alibaba", ALNUM, 20))),
            ("key", body("alibaba secret", ALNUM, 30))]),
        fake("KL116", "scaleway key", 'R', vec![("SCW_ACCESS_KEY", format!("SC{}{}", "W", body("scaleway", UPPER, 17))), ("SCW_SECRET_KEY", uuid("scaleway"))]),
        fake("KL117", "ibm key", 'R', vec![("IBMCLOUD_API_KEY", body("ibm", ALNUM, 44))]),
        fake("KL121", "entra secret", 'R', vec![("secret", entra.clone())]),
        fake("KL121", "entra service principal", 'R', vec![("sp.json", json!({"clientId": uuid("client"), "clientSecret": body("sp", ALNUM, 34),
            "tenantId": uuid("tenant"), "subscriptionId": uuid("subscription")}).to_string())]),
        fake("KL121", "entra variables", 'R', vec![("AZURE_TENANT_ID", uuid("tenant")), ("AZURE_CLIENT_ID", uuid("client")), ("AZURE_CLIENT_SECRET", body("azure", ALNUM, 34))]),
        fake("KL123", "storage connection string", 'R', vec![("connection", format!("DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={storage};EndpointSuffix=core.windows.net"))]),
        fake("KL123", "azure file", 'R', vec![("azurestorageaccountname", "acme".into()), ("azurestorageaccountkey", storage)]),
        fake("KL123", "service bus", 'T', vec![("connection", format!("Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}=", body("bus", ALNUM, 43)))]),
        fake("KL124", "sas", 'T', vec![("url", format!("https://acme.blob.core.windows.net/a?sv=2024-11-04&se=2030-01-01T00:00:00Z&sp=r&sig={}%3D", body("sas", ALNUM, 43)))]),
        fake("KL131", "vault token", 'R', vec![("token", vault)]),
        fake("KL131", "old vault token", 'R', vec![("token", format!("s.{}", body("old vault", ALNUM, 24)))]),
        fake("KL132", "approle", 'R', vec![("role_id", uuid("role")), ("secret_id", uuid("secret"))]),
        fake("KL133", "doppler", 'R', vec![("token", format!("dp.st.prd.{}", body("doppler", ALNUM, 40)))]),
        fake("KL133", "1password", 'R', vec![("token", format!("ops_ey{}", body("ops", ALNUM, 400)))]),
        called(of_type(fake("KL141", "legacy token", 'T', vec![("token", jwt(&legacy_claims())), ("namespace", "shop".into())]), "kubernetes.io/service-account-token"), "ci-token"),
        fake("KL142", "copy of a legacy token", 'T', vec![("token", jwt(&legacy_claims()))]),
        fake("KL142", "token of ten years", 'T', vec![("token", jwt(&json!({"iss": "https://kubernetes.default.svc.cluster.local",
            "sub": "system:serviceaccount:shop:ci", "iat": 1_700_000_000, "exp": 2_015_360_000, "jti": uuid("jti")})))]),
        of_type(fake("KL144", "bootstrap token", 'I', vec![("token-id", body("id", HEX, 6)), ("token-secret", body("boot", HEX, 16))]), "bootstrap.kubernetes.io/token"),
        fake("KL145", "kubeconfig with a token", 'T', vec![("kubeconfig", kubeconfig(&json!({"token": body("kube", ALNUM, 48)})).to_string())]),
        fake("KL145", "kubeconfig with a key", 'T', vec![("kubeconfig", serde_saphyr::to_string(&kubeconfig(&json!({"client-certificate-data": "QQ==",
            "client-key-data": STANDARD.encode(&*RSA)}))).unwrap())]),
        label(fake("KL145", "cluster of argo cd", 'T', vec![("name", "a".into()), ("server", "https://a.lab.test".into()),
            ("config", json!({"bearerToken": body("argo", ALNUM, 48), "tlsClientConfig": {"insecure": false}}).to_string())]), cluster),
        label(fake("KL151", "repository of argo cd", 'T', vec![("url", "https://git.lab.test/a".into()), ("password", body("repo", ALNUM, 24))]), argo),
        fake("KL153", "github token", 'T', vec![("token", github())]),
        fake("KL153", "gitlab token", 'T', vec![("token", format!("glp{}{}", "at-", body("gitlab", ALNUM, 20)))]),
        label(fake("KL154", "sealed secrets", 'R', vec![("tls.key", RSA.clone())]), ("sealedsecrets.bitnami.com/sealed-secrets-key", "active")),
        fake("KL154", "age", 'R', vec![("keys.txt", format!("# public key: age1\n{age}\n"))]),
        fake("KL154", "pgp", 'R', vec![("private.asc", pgp)]),
        fake("KL155", "ssh key", 'T', vec![("id_ed25519", open_ssh_of("ssh private"))]),
        fake("KL161", "registry login", 'T', vec![(".dockerconfigjson", docker("https://registry.lab.test/v2/", "ci", &body("reg", ALNUM, 24)).to_string())]),
        fake("KL161", "login at docker.io", 'I', vec![(".dockerconfigjson", docker("https://index.docker.io/v1/", "ci", &body("hub", ALNUM, 24)).to_string())]),
        fake("KL101", "google key as login of a registry", 'R', vec![(".dockerconfigjson", docker("eu.gcr.io", "_json_key", &google(&[]).to_string()).to_string())]),
        called(fake("KL171", "hetzner token by its object", 'I', vec![("token", hetzner.clone())]), "hcloud"),
        fake("KL171", "hetzner token by its name", 'I', vec![("HCLOUD_TOKEN", hetzner)]),
        fake("KL172", "cloudflare token", 'I', vec![("CF_API_TOKEN", body("cloudflare", ALNUM, 40))]),
        fake("KL201", "k3s token", 'I', vec![("token", format!("K1{}{}::server:{}", "0", body("k3s", HEX, 64), body("k3s secret", HEX, 32)))]),
        fake("KL203", "private key", 'T', vec![("signing.pem", RSA.clone())]),
    ]
}
