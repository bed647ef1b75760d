//! Where each reader begins: the fixtures, valid and invalid, and answers with a secret in them.

mod azure;

use std::{fs, path::Path};

use lab::{Curve, SigningKey};
use serde_json::{Value, json};

/// In the place of everything secret.
pub(crate) const CANARY: &str = "CANARYd41d8cd98f00b204e9800998ecf8427e";
/// A credential of the program itself, which the other side sends back.
pub(crate) const SENT: &str = "SENTd41d8cd98f00b204e9800998ecf8427e";

pub(crate) struct Seed {
    pub(crate) bytes: Vec<u8>,
}

impl From<Vec<u8>> for Seed {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

impl From<String> for Seed {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Value> for Seed {
    fn from(value: Value) -> Self {
        value.to_string().into()
    }
}

/// The seeds of a target.
pub(crate) fn of(target: &str) -> Vec<Seed> {
    match target {
        "pem" => files("pem").into_iter().chain(keys().iter().flat_map(pem_forms)).collect(),
        "jwks" => files("jwks").into_iter().chain([key_set(), private_key_set()]).collect(),
        "discovery" => discovery(),
        "issuer" => lines("issuers"),
        "token" => tokens(),
        "endpoints" => endpoints(),
        "object" => objects(),
        "coupling" => clusters(),
        "settings" => files("config").into_iter().chain(settings()).collect(),
        "go-duration" => texts(&[
            "1h30m",
            "-1.5h",
            "300ms",
            "+5s",
            ".5h",
            "0",
            "1h1h",
            "52763797000ns",
            "2562047h47m16.854775807s",
        ]),
        "ledger" => ledgers(),
        "lifetime" => vec![json!({"access_token": CANARY, "expires_in": 3599}).into()],
        "cache-control" => texts(&["public, max-age=300", "no-store", "max-age=\"60\", s-maxage=1"]),
        "google-error" | "gcs-error" => google_errors(),
        "s3-error" | "azure-error" => s3_errors(),
        "azure-blobs" => azure::blobs(),
        "azure-token" => azure::tokens(),
        "entra-answer" => azure::answers(),
        "entra-error" => entra_errors(),
        "s3-policy" => s3_policies(),
        "aws-error" => aws_errors(),
        "aws-policy" => aws_policies(),
        "vault-error" => vault_errors(),
        "vault-config" => vault_configs(),
        _ => Vec::new(),
    }
}

fn texts(texts: &[&str]) -> Vec<Seed> {
    texts.iter().map(|text| (*text).to_owned().into()).collect()
}

/// Of the cluster, the issuer and the time that the reader is told.
fn ledgers() -> Vec<Seed> {
    let id = |number: u8| format!("{}{}", (b'A' + number) as char, "A".repeat(42));
    let whole = json!({"kid": "a", "noticed": 1_799_990_000_u64, "source": "server", "seen": "live", "seenSince": 1_799_990_000_u64,
        "servers": 3, "publicSince": 1_799_990_300_u64, "cache": 300, "absentSince": 1_799_999_000_u64, "signed": true,
        "idleSince": 1_799_999_000_u64, "revoked": 1_799_999_500_u64, "dropped": 1_799_999_500_u64});
    let bare = json!({"kid": CANARY, "noticed": 1_800_000_400_u64, "source": "copy", "seen": "never"});
    let of = |keys: Value| {
        json!({"version": 1, "cluster": "uid", "issuer": "https://acme.example", "own": true,
            "caches": [{"seconds": 300}, {"seconds": 86400, "until": 1_799_990_000_u64}], "keys": keys})
    };
    vec![
        of(json!({ id(0): whole, id(1): bare })).into(),
        of(json!({ id(0): whole })).into(),
        of(json!({})).into(),
        json!({"version": 2, "keys": {}}).into(),
    ]
}

/// Every file of a folder of fixtures.
fn files(folder: &str) -> Vec<Seed> {
    let mut found = Vec::new();
    collect_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder), &mut found);
    assert!(!found.is_empty(), "no fixtures in {folder}");
    found.sort();
    found.into_iter().map(Seed::from).collect()
}

fn collect_files(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder of fixtures").flatten() {
        match entry.path() {
            path if path.is_dir() => collect_files(&path, found),
            path => found.push(fs::read(path).expect("a fixture")),
        }
    }
}

fn lines(folder: &str) -> Vec<Seed> {
    let all = files(folder);
    let texts = all.iter().filter_map(Seed::text).flat_map(str::lines);
    texts.map(|line| line.split_whitespace().last().unwrap_or_default().to_owned().into()).collect()
}

fn keys() -> Vec<SigningKey> {
    vec![
        SigningKey::from_stock(),
        SigningKey::ec(Curve::P256),
        SigningKey::ec(Curve::P384),
        SigningKey::ec(Curve::P521),
    ]
}

fn pem_forms(key: &SigningKey) -> Vec<Seed> {
    let forms = [
        Some(key.public_pem()),
        key.public_pkcs1_pem(),
        Some(key.private_pem()),
        Some(key.traditional_pem()),
    ];
    forms.into_iter().flatten().map(Seed::from).collect()
}

fn key_set() -> Seed {
    json!({ "keys": keys().iter().map(SigningKey::jwk).collect::<Vec<_>>() }).into()
}

fn private_key_set() -> Seed {
    let mut key = SigningKey::from_stock().jwk();
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        key[member] = json!(CANARY);
    }
    json!({ "keys": [key] }).into()
}

fn discovery() -> Vec<Seed> {
    vec![
        json!({"issuer": "https://oidc.example.com/prod", "jwks_uri": "https://oidc.example.com/prod/openid/v1/jwks",
            "authorization_endpoint": "urn:kubernetes:programmatic_authorization", "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "claims_supported": ["sub", "iss"]})
        .into(),
        json!({"kind": "Status", "status": "Failure", "message": "Unauthorized", "code": 401}).into(),
        "<!DOCTYPE html><title>Sign in</title>".to_owned().into(),
    ]
}

fn tokens() -> Vec<Seed> {
    let claims = json!({"iss": "https://oidc.example.com", "sub": "system:serviceaccount:a:b", "aud": ["keyless"],
        "iat": 1_800_000_000, "nbf": 1_800_000_000, "exp": 1_800_000_600, "jti": CANARY});
    keys().iter().map(|key| key.jws(&claims).into()).collect()
}

fn endpoints() -> Vec<Seed> {
    vec![
        json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"],
            "conditions": {"ready": true}}], "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]})
        .into(),
        json!({"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"]}], "ports": [{"port": null}]})
            .into(),
        json!({"endpoints": null, "ports": null}).into(),
    ]
}

fn objects() -> Vec<Seed> {
    let metadata = json!({"name": "gcp", "namespace": "shop", "uid": "1", "resourceVersion": "1", "generation": 1,
        "labels": {"app.kubernetes.io/managed-by": "keyless"}, "annotations": {"keyless/replaces": "a/b/c"}});
    let ready = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Valid", "message": "ok"}],
        "refreshTime": "2026-11-11T12:00:00Z"});
    vec![
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": metadata,
            "spec": {"refreshInterval": "1h", "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
                "data": [{"secretKey": "a", "remoteRef": {"key": "db", "property": "password"}}]}, "status": ready})
        .into(),
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": metadata,
            "spec": {"conditions": [{"namespaces": ["shop"]}], "provider": {"gcpsm": {"projectID": "acme-prod", "auth": {"secretRef":
                {"secretAccessKeySecretRef": {"name": "key", "namespace": "shop", "key": "key.json"}}}}}}, "status": ready})
        .into(),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": {"key.json": CANARY}}).into(),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]})
        .into(),
    ]
}

/// Every object of `fixtures/coupling`.
fn clusters() -> Vec<Seed> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/coupling");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let objects = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap();
        serde_saphyr::from_multiple::<Value>(&text).unwrap()
    });
    objects.filter(|object| !object.is_null()).map(Seed::from).collect()
}

fn settings() -> Vec<Seed> {
    vec![
        json!({"apiVersion": "keyless/v1", "issuer": "https://oidc.example.com", "bucket": {"url": "s3://keys"},
            "provider": "google", "google": {"project": "acme-prod"}, "store": {"name": "gcp", "secrets": ["db"]}})
        .into(),
        "# ours\napiVersion: keyless/v1\n\nprovider: google # for now\ngoogle:\n    pool: a\n\n    # a note\n    mode: uploaded\nstore:\n  secrets:\n    - a\n"
            .to_owned()
            .into(),
    ]
}

fn google_errors() -> Vec<Seed> {
    let detailed = json!({"error": {"code": 403, "message": "Permission 'a.b.c' denied on resource", "status": "PERMISSION_DENIED",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
            "metadata": {"service": "iam.googleapis.com", "permission": "a.b.c"}}]}});
    let organisation = json!({"error": {"code": 400, "status": "FAILED_PRECONDITION",
        "message": "Operation denied by org policy: [\"constraints/iam.disableServiceAccountKeyCreation\": \"x\"]."}});
    let exchange =
        json!({"error": "invalid_grant", "error_description": "The audience in ID Token does not match."});
    let storage = json!({"error": {"errors": [{"reason": "forbidden", "message": "no"}], "code": 403, "message": "no"}});
    [detailed, organisation, exchange, storage].map(|body| format!("\u{3}{body}").into()).into()
}

fn entra_errors() -> Vec<Seed> {
    let refused = json!({"error": "invalid_client", "error_codes": [700_211], "correlation_id": "1",
        "error_description": "AADSTS700211: No matching federated identity record found.\r\nTrace ID: 1"});
    let metadata = json!({"error": "invalid_request", "error_description": "Identity not found"});
    [refused, metadata].map(|body| format!("\u{3}{body}").into()).into()
}

fn s3_errors() -> Vec<Seed> {
    let error = |code: &str, message: &str| {
        format!(
            "\u{3}<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>1</RequestId></Error>"
        )
    };
    let all = [
        error(
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/me is not authorized to perform: s3:PutObject",
        ),
        error("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-central-1'"),
        error("SignatureDoesNotMatch", &format!("&lt;b&gt; {SENT}")),
        error("PreconditionFailed", "no"),
        "\u{3}<html>Bad gateway</html>".to_owned(),
        "\u{5}{\"code\":\"NoSuchKey\"}".to_owned(),
    ];
    all.into_iter().map(Seed::from).collect()
}

fn s3_policies() -> Vec<Seed> {
    let statement = json!({"Sid": "KeylessPublicDocuments", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::acme/x"});
    let deny = json!({"Effect": "Deny", "Principal": {"AWS": ["*"]}, "NotAction": ["s3:*"], "Resource": ["arn:aws:s3:::acme/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
    vec![
        json!({"Version": "2012-10-17", "Statement": [statement, deny]}).into(),
        json!({"Version": "2012-10-17", "Statement": statement}).into(),
        json!({"Version": "2008-10-17", "Id": "x", "Statement": []}).into(),
    ]
}

fn aws_errors() -> Vec<Seed> {
    let query = |code: &str, message: &str| {
        format!(
            "\u{3}<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        )
    };
    let json =
        |kind: &str| format!("\u{2}{}", json!({"__type": kind, "Message": "User: x is not authorized"}));
    let all = [
        query("AccessDenied", "User: arn:aws:iam::123456789012:user/me is not authorized"),
        query("SignatureDoesNotMatch", &format!("&lt;b&gt;&#x41;&#65; {SENT}")),
        query("LimitExceeded", "<![CDATA[Cannot exceed quota]]>"),
        "\u{3}<Response><Errors><Error><Code>Throttling</Code></Error></Errors></Response>".to_owned(),
        "\u{0}<GetRoleResponse><GetRoleResult><Role><Tags><member><Key>keyless</Key><Value/></member></Tags></Role>\
         </GetRoleResult></GetRoleResponse>"
            .to_owned(),
        "\u{3}<!DOCTYPE a [<!ENTITY b \"c\">]><ErrorResponse>&b;</ErrorResponse>".to_owned(),
        json("com.amazonaws.secretsmanager#ResourceNotFoundException"),
        json("AccessDeniedException:http://internal.amazon.com/"),
    ];
    all.into_iter().map(Seed::from).collect()
}

fn aws_policies() -> Vec<Seed> {
    let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-??????";
    let read = json!({"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [secret]});
    let search =
        json!({"Sid": "x", "Effect": "Allow", "Action": "secretsmanager:ListSecrets", "Resource": "*"});
    let parameter = json!({"Effect": "Allow", "Action": "ssm:GetParameter",
        "Resource": "arn:aws:ssm:eu-central-1:123456789012:parameter/prod/db"});
    let deny = json!({"Effect": "Deny", "NotAction": "*", "NotResource": [secret]});
    let trust = |condition: Value| {
        json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition,
            "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/a.example"}})
    };
    let one =
        trust(json!({"StringEquals": {"a.example:aud": "sts.amazonaws.com", "a.example:sub": ["a", "b"]}}));
    let any = trust(json!({"StringLike": {"a.example:sub": "*"}}));
    let of = |statement: Value| json!({"Version": "2012-10-17", "Statement": statement});
    vec![
        of(json!([read, search])).into(),
        of(parameter).into(),
        of(json!([read, deny])).into(),
        of(one).into(),
        of(json!([any])).into(),
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D".to_owned().into(),
    ]
}

fn vault_errors() -> Vec<Seed> {
    let messages = [
        "permission denied",
        "error validating token: expired",
        "missing role",
        "Vault is sealed",
        "no handler for route",
        "1 error occurred:\n\t* error checking oidc discovery URL",
        "unsupported path",
    ];
    let errors = messages.iter().map(|text| json!({"errors": [text]}));
    let health = json!({"initialized": false, "sealed": true, "standby": true, "version": "1.21.4", "enterprise": false});
    let login = json!({"auth": {"client_token": CANARY, "lease_duration": 900, "policies": ["keyless"]}});
    errors.chain([health, login]).map(|body| format!("\u{2}{body}").into()).collect()
}

fn vault_configs() -> Vec<Seed> {
    let pem = SigningKey::from_stock().public_pem();
    let private = SigningKey::from_stock().private_pem();
    vec![
        json!({"jwt_validation_pubkeys": [pem.trim(), pem], "oidc_discovery_url": "", "bound_issuer": "https://a.example"}).into(),
        json!({"jwt_validation_pubkeys": [private]}).into(),
        json!({"jwt_validation_pubkeys": [], "jwks_url": "https://a.example/jwks"}).into(),
    ]
}
