//! The same steps as people do them: a script of gcloud commands. Where gcloud is not installed, the requests that it
//! was recorded to send.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lab::{Heard, PROJECT_ID, PROJECT_NUMBER};
use reqwest::{Certificate, Client, Method, Proxy};
use serde_json::{Value, json};

use crate::ground::{Ground, ISSUER};

const RECORDED: &str = include_str!("gcloud.jsonl");
const POOL: &str = "keyless-bench";
const SUBJECT: &str = "system:serviceaccount:external-secrets:keyless-gcp";

/// One command, and what it logs in with if that is not the owner's token.
struct Command {
    arguments: Vec<String>,
    as_workload: bool,
}

/// What was asked, and by which command.
type Asked = (String, Heard);

/// Everything in the commands that is this ground's own, by the name that it has in the record.
fn own(ground: &Ground) -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let audience = format!("//iam.googleapis.com/{}", provider());
    let claims = json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": [format!("https:{audience}")], "iat": now, "nbf": now, "exp": now + 900,
        "kubernetes.io": {"namespace": "external-secrets", "serviceaccount": {"name": "keyless-gcp"}},
    });
    let mut key = ground.key.jwk();
    key.as_object_mut()
        .ok_or("a JWK is an object")?
        .retain(|name, _| ["alg", "e", "kid", "kty", "n", "use"].contains(&name.as_str()));
    Ok(vec![
        ("{EMAIL}", ground.email.clone()),
        ("{KEY}", ground.key_id.clone()),
        ("{KID}", ground.key.kid()),
        ("{MODULUS}", key["n"].as_str().unwrap_or_default().to_owned()),
        ("{JWKS}", json!({"keys": [key]}).to_string()),
        ("{TOKEN}", ground.key.jws(&claims)),
    ])
}

fn provider() -> String {
    format!("projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/{POOL}/providers/cluster")
}

/// The script. The token of the workload and the key set are there already; nothing is done in the cluster.
fn commands(ground: &Ground) -> Vec<Command> {
    let place = format!("--location=global --workload-identity-pool={POOL}");
    let member = format!(
        "principal://iam.googleapis.com/projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/{POOL}/subject/{SUBJECT}"
    );
    let mapping = "google.subject=assertion.sub,attribute.namespace=assertion['kubernetes.io']['namespace'],\
                   attribute.service_account_name=assertion['kubernetes.io']['serviceaccount']['name']";
    let (email, key) = (&ground.email, &ground.key_id);
    let lines = [
        "services enable iam.googleapis.com sts.googleapis.com secretmanager.googleapis.com".to_owned(),
        format!("projects describe {PROJECT_ID} --format=value(projectNumber)"),
        format!("iam workload-identity-pools create {POOL} --location=global"),
        format!(
            "iam workload-identity-pools providers create-oidc cluster {place} --issuer-uri={ISSUER} \
             --jwk-json-path=jwks.json --attribute-mapping={mapping} --attribute-condition=assertion.sub=='{SUBJECT}'"
        ),
        format!(
            "secrets add-iam-policy-binding db --role=roles/secretmanager.secretAccessor --member={member}"
        ),
        "secrets versions access latest --secret=db".to_owned(),
        format!("iam service-accounts keys disable {key} --iam-account={email}"),
        format!("iam service-accounts keys delete {key} --iam-account={email}"),
    ];
    lines
        .into_iter()
        .map(|line| Command {
            arguments: line.split_whitespace().map(str::to_owned).collect(),
            as_workload: line.starts_with("secrets versions"),
        })
        .collect()
}

/// Runs the script with gcloud, command after command; gives back what that took and what was asked.
pub(crate) fn gcloud(ground: &Ground) -> Result<(Duration, Vec<Asked>), Box<dyn Error>> {
    let own = own(ground)?;
    let value = |name: &str| own.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    ground.write("jwks.json", value("{JWKS}").unwrap_or_default())?;
    ground.write("token", value("{TOKEN}").unwrap_or_default())?;
    let owner = ground.write("owner", &ground.google.token())?;
    let workload = json!({
        "type": "external_account", "audience": format!("//iam.googleapis.com/{}", provider()),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": ground.dir.path().join("token")},
    });
    let workload = ground.write("workload.json", &workload.to_string())?;
    let proxy = ground.internet.url();
    let (address, port) = proxy.trim_start_matches("http://").split_once(':').ok_or("a proxy has a port")?;
    let mut asked = Vec::new();
    let start = Instant::now();
    for Command { arguments, as_workload } in commands(ground) {
        let mut command = ground.command("gcloud");
        for name in ["CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
            command.env(name, &ground.ca_file);
        }
        command
            .args(&arguments)
            .env("CLOUDSDK_CONFIG", ground.dir.path().join("gcloud"))
            .env("CLOUDSDK_CORE_PROJECT", PROJECT_ID)
            .env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1")
            .env("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1")
            .env("CLOUDSDK_CORE_CHECK_GCE_METADATA", "0")
            .env("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1")
            .env("CLOUDSDK_PROXY_TYPE", "http")
            .env("CLOUDSDK_PROXY_ADDRESS", address)
            .env("CLOUDSDK_PROXY_PORT", port);
        match as_workload {
            true => command.env("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", &workload),
            false => command.env("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", &owner),
        };
        let output = command.output()?;
        if !output.status.success() {
            let messages = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("gcloud {}: {}\n{messages}", arguments.join(" "), output.status).into());
        }
        let heard = ground.google.heard();
        asked.extend(heard.into_iter().skip(asked.len()).map(|heard| (arguments.join(" "), heard)));
    }
    let wall = start.elapsed();
    done(ground)?;
    Ok((wall, asked))
}

/// Sends what gcloud was recorded to send: each command's requests over connections of its own, as its process has
/// them, and nothing of the time that the process itself takes.
pub(crate) async fn recorded(ground: &Ground) -> Result<Duration, Box<dyn Error>> {
    let own = own(ground)?;
    let with_own = |text: &str| {
        own.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, &escaped(value)))
    };
    let (ca, token) = (Certificate::from_pem(&fs::read(&ground.ca_file)?)?, ground.google.token());
    let (mut client, mut command, mut bearer) = (None, None, token.clone());
    let mut answers: Vec<(String, Value)> = Vec::new();
    let start = Instant::now();
    for line in RECORDED.lines() {
        let recorded: Value = serde_json::from_str(&with_own(line))?;
        if command.as_ref() != Some(&recorded["command"]) {
            command = Some(recorded["command"].clone());
            bearer = token.clone();
            let proxy = Proxy::https(ground.internet.url())?;
            client = Some(Client::builder().tls_certs_only([ca.clone()]).proxy(proxy).build()?);
        }
        let Some(client) = &client else { continue };
        let text = |name: &str| recorded[name].as_str().unwrap_or_default();
        let (method, mut body) = (text("method").parse::<Method>()?, recorded["body"].clone());
        // An operation has another name each time, and a policy another etag.
        let operation = answers
            .iter()
            .rev()
            .find_map(|(_, answer)| answer["name"].as_str().filter(|name| name.contains("operations/")));
        let path = match (text("path").split_once("operations/"), operation) {
            (Some(_), Some(name)) => format!("/v1/{name}"),
            _ => text("path").to_owned(),
        };
        if body.pointer("/policy/etag").is_some() {
            let last = answers.iter().rev().find_map(|(_, answer)| answer["etag"].as_str());
            body["policy"]["etag"] = json!(last);
        }
        let query: Vec<_> = recorded["query"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name, value.as_str().unwrap_or_default()))
            .collect();
        let mut request = client.request(method, format!("https://{}{path}", text("host"))).query(&query);
        if text("host").starts_with("sts.") {
            body["subject_token"] = json!(with_own("{TOKEN}"));
            request = request.form(&body);
        } else {
            request = request.bearer_auth(&bearer);
            if !body.is_null() {
                request = request.json(&body);
            }
        }
        let answer = request.send().await?;
        let (status, answer) = (answer.status(), answer.json::<Value>().await?);
        if !status.is_success() {
            return Err(format!("the recorded {line}: {status}: {answer}").into());
        }
        if let Some(access) = answer["access_token"].as_str() {
            bearer = access.to_owned();
        }
        answers.push((path, answer));
    }
    let wall = start.elapsed();
    done(ground)?;
    Ok(wall)
}

/// Writes what gcloud asked, without what is this ground's own.
pub(crate) fn record(ground: &Ground, asked: &[Asked], file: &Path) -> Result<(), Box<dyn Error>> {
    let own = own(ground)?;
    let mut lines = String::new();
    for (command, request) in asked {
        let line = json!({
            "command": command, "method": request.method, "host": request.host, "path": request.path, "query": request.query, "body": request.body,
        });
        let text =
            own.iter().fold(line.to_string(), |text, (name, value)| text.replace(&escaped(value), name));
        lines.push_str(&text);
        lines.push('\n');
    }
    fs::write(file, lines)?;
    Ok(())
}

/// As inside a string of JSON.
fn escaped(value: &str) -> String {
    json!(value).to_string().trim_matches('"').to_owned()
}

fn done(ground: &Ground) -> Result<(), Box<dyn Error>> {
    match ground.google.keys(&ground.email).is_empty() && ground.google.is_enabled("sts.googleapis.com") {
        true => Ok(()),
        false => Err("the script has not done what it should".into()),
    }
}
