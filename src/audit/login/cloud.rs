//! Google, AWS and Azure.

use serde_json::Value;

use super::{AWS_VARIABLES, Login, has, secrets_below, stored, stranger, tokens};

/// `secretRef`, then `workloadIdentity`, then federation, then the pod's own.
pub(super) fn google(settings: &Value) -> Login {
    let auth = has(settings, "/auth");
    if let Some(name) = stranger(auth, &["secretRef", "workloadIdentity", "workloadIdentityFederation"]) {
        return Login::Unknown { why: format!("gcpsm.auth.{name} is not known to this program") };
    }
    if has(settings, "/auth/secretRef").is_some() {
        return stored("gcpsm", settings, "gcpsm.auth.secretRef");
    }
    if has(settings, "/auth/workloadIdentity").is_some() {
        return tokens("gcpsm.auth.workloadIdentity");
    }
    let path = "gcpsm.auth.workloadIdentityFederation";
    let Some(federation) = has(settings, "/auth/workloadIdentityFederation") else {
        return Login::Ambient { variables: &["GOOGLE_APPLICATION_CREDENTIALS"] };
    };
    // Access keys of AWS, stored, inside a block that is called federation.
    if has(federation, "/awsSecurityCredentials").is_some() {
        return stored("gcpsm", settings, &format!("{path}.awsSecurityCredentials"));
    }
    // ESO takes exactly one; what a `credConfig` holds is judged by a rule of its own.
    let sources = ["serviceAccountRef", "credConfig"].into_iter();
    let mut sources = sources.filter(|member| has(federation, &format!("/{member}")).is_some());
    match (sources.next(), sources.next()) {
        (Some(member), None) => tokens(&format!("{path}.{member}")),
        (Some(_), Some(_)) => Login::Unknown { why: format!("{path} names several sources of tokens") },
        (None, _) => Login::Unknown { why: format!("{path} names no source of tokens") },
    }
}

/// `jwt`, then `secretRef`, then the SDK's own chain.
pub(super) fn aws(settings: &Value) -> Login {
    if let Some(name) = stranger(has(settings, "/auth"), &["jwt", "secretRef"]) {
        return Login::Unknown { why: format!("aws.auth.{name} is not known to this program") };
    }
    if has(settings, "/auth/jwt").is_some() {
        return tokens("aws.auth.jwt");
    }
    match has(settings, "/auth/secretRef") {
        Some(keys) if has(keys, "/sessionTokenSecretRef").is_some() => Login::Unknown {
            why: "aws.auth.secretRef holds temporary keys: who renews them, and with what, is not seen here"
                .into(),
        },
        Some(_) => stored("aws", settings, "aws.auth.secretRef"),
        None => Login::Ambient { variables: AWS_VARIABLES },
    }
}

/// `authType` alone decides; without one it is a service principal with a stored secret.
pub(super) fn azure(settings: &Value) -> Login {
    match settings["authType"].as_str().unwrap_or("ServicePrincipal") {
        "ServicePrincipal" => {
            let secret = secrets_below("azurekv", settings, "azurekv.authSecretRef");
            if secret.is_empty() {
                return Login::Unknown {
                    why: "azurekv.authSecretRef names neither secret nor certificate".into(),
                };
            }
            Login::Stored { paths: secret }
        }
        "ManagedIdentity" => tokens("azurekv.authType: ManagedIdentity"),
        "WorkloadIdentity" if has(settings, "/serviceAccountRef").is_some() => {
            tokens("azurekv.serviceAccountRef")
        }
        "WorkloadIdentity" => {
            Login::Ambient { variables: &["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH"] }
        }
        other => Login::Unknown {
            why: format!("azurekv.authType `{}` is not known to this program", other.escape_debug()),
        },
    }
}
