//! PURE. What a variable of a container's environment is by its name. Of names that a vendor's library or the words in
//! them could make a login, only those on a list are harmless.

/// What a variable is to those who ask what a container logs in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// No library logs in with it.
    Harmless,
    /// The address of a server: harmless as long as it is nothing but that.
    Address,
    /// The address of a server that hands out credentials: harmless if it is the platform's own.
    CredentialServer,
    /// A file that holds a token: harmless if the kubelet renews it.
    TokenFile,
    /// A file, or the text itself, of Google's credentials.
    GoogleFile,
    /// A file that holds credentials.
    CredentialFile,
    /// The public half of a credential, which says that there is one.
    Identifier,
    /// A credential.
    Credential,
    /// Part of a credential that expires by itself.
    SessionToken,
    /// It may be a login, or lead to one.
    Unknown,
}

/// Beginnings of what vendors' libraries read.
const VENDORS: [&str; 41] = [
    "AKEYLESS_",
    "ALIBABA_",
    "ALICLOUD_",
    "AWS_",
    "AZURE_",
    "BAO_",
    "BEYONDTRUST_",
    "BWS_",
    "CHEF_",
    "CLOUDSDK_",
    "CLOUDSMITH_",
    "CONJUR_",
    "DELINEA_",
    "DOPPLER_",
    "DVLS_",
    "FORTANIX_",
    "GCE_",
    "GCLOUD_",
    "GCP_",
    "GITHUB_",
    "GITLAB_",
    "GOOGLE_",
    "GRAFANA_",
    "IBM_",
    "IBMCLOUD_",
    "IDENTITY_",
    "IMDS_",
    "INFISICAL_",
    "KSM_",
    "MSI_",
    "NGROK_",
    "OCI_",
    "OP_",
    "OS_",
    "PULUMI_",
    "QUAY_",
    "SCW_",
    "VAULT_",
    "VOLC",
    "YANDEX_",
    "YC_",
];
/// Parts of a name that tell a credential, or the way to one.
const WORDS: [&str; 12] = [
    "APIKEY",
    "AUTH",
    "BEARER",
    "CERT",
    "CREDENTIAL",
    "KEY",
    "KUBECONFIG",
    "LOGIN",
    "PASS",
    "PRIVATE",
    "SECRET",
    "TOKEN",
];

const HARMLESS: [&str; 66] = [
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "ALIBABA_CLOUD_ROLE_ARN",
    "GCP_PROJECT_ID",
    "VOLCENGINE_OIDC_ROLE_TRN",
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_OUTPUT",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENABLE_ENDPOINT_DISCOVERY",
    "AWS_EXECUTION_ENV",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_MAX_ATTEMPTS",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
    "AWS_METADATA_SERVICE_TIMEOUT",
    "AWS_REGION",
    "AWS_RETRY_MODE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SDK_UA_APP_ID",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AZURE_CLIENT_ID",
    "AZURE_CLOUD",
    "AZURE_ENVIRONMENT",
    "AZURE_REGION",
    "AZURE_REGIONAL_AUTHORITY_NAME",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "BAO_CACERT",
    "BAO_CAPATH",
    "BAO_CLIENT_TIMEOUT",
    "BAO_MAX_RETRIES",
    "BAO_NAMESPACE",
    "BAO_SKIP_VERIFY",
    "BAO_TLS_SERVER_NAME",
    "CLOUDSDK_COMPUTE_REGION",
    "CLOUDSDK_COMPUTE_ZONE",
    "CLOUDSDK_CORE_PROJECT",
    "CLOUDSDK_PYTHON",
    "GCLOUD_PROJECT",
    "GCP_PROJECT",
    "GITHUB_REPOSITORY",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GOOGLE_CLOUD_REGION",
    "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
    "GOOGLE_SDK_GO_LOGGING_LEVEL",
    "OCI_REGION",
    "OCI_RESOURCE_PRINCIPAL_REGION",
    "OCI_RESOURCE_PRINCIPAL_VERSION",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "VAULT_CACERT",
    "VAULT_CAPATH",
    "VAULT_CLIENT_TIMEOUT",
    "VAULT_FORMAT",
    "VAULT_MAX_RETRIES",
    "VAULT_NAMESPACE",
    "VAULT_RATE_LIMIT",
    "VAULT_SKIP_VERIFY",
    "VAULT_TLS_SERVER_NAME",
    "VOLCENGINE_REGION",
    "VOLCENGINE_ROLE_TRN",
    "YC_CLOUD_ID",
];

impl Variable {
    pub(crate) fn of(name: &str) -> Self {
        match name {
            // The home decides where libraries look by themselves, and is judged with the mounts.
            "HOME" => return Self::Harmless,
            "AWS_WEB_IDENTITY_TOKEN_FILE"
            | "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
            | "AZURE_FEDERATED_TOKEN_FILE"
            | "ALIBABA_CLOUD_OIDC_TOKEN_FILE"
            | "VOLCENGINE_OIDC_TOKEN_FILE" => return Self::TokenFile,
            "GOOGLE_APPLICATION_CREDENTIALS" => return Self::GoogleFile,
            "AWS_CONFIG_FILE"
            | "AWS_SHARED_CREDENTIALS_FILE"
            | "ALIBABA_CLOUD_CREDENTIALS_FILE"
            | "AZURE_AUTH_LOCATION"
            | "AZURE_CLIENT_CERTIFICATE_PATH"
            | "AZURE_CONFIG_DIR"
            | "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"
            | "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"
            | "CLOUDSDK_CONFIG"
            | "IBM_CREDENTIALS_FILE"
            | "KUBECONFIG"
            | "OCI_CONFIG_FILE" => return Self::CredentialFile,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI" => return Self::CredentialServer,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT" => return Self::Unknown,
            "AWS_ACCESS_KEY_ID" | "AWS_ACCESS_KEY" => return Self::Identifier,
            "AWS_SESSION_TOKEN" | "AWS_SECURITY_TOKEN" => return Self::SessionToken,
            _ => {}
        }
        let upper = name.to_ascii_uppercase();
        if HARMLESS.contains(&upper.as_str()) {
            return Self::Harmless;
        }
        let is_address = matches!(
            upper.as_str(),
            "HTTP_PROXY"
                | "HTTPS_PROXY"
                | "ALL_PROXY"
                | "AZURE_AUTHORITY_HOST"
                | "VAULT_ADDR"
                | "BAO_ADDR"
                | "VAULT_AGENT_ADDR"
        ) || upper.starts_with("AWS_ENDPOINT_URL")
            || upper.starts_with("AWS_") && upper.ends_with("_ENDPOINT");
        if is_address {
            return Self::Address;
        }
        let vendor = VENDORS.iter().any(|beginning| upper.starts_with(beginning));
        let words: Vec<_> = upper.split('_').collect();
        let is_named = |list: &[&str]| words.iter().any(|word| list.iter().any(|it| word.contains(it)));
        match (vendor, is_named(&WORDS)) {
            (true, _) if is_named(&["KEY", "PASS", "SECRET", "TOKEN", "CREDENTIAL"]) => {
                if is_named(&["FILE", "PATH", "DIR", "LOCATION", "URI", "URL"]) {
                    Self::Unknown
                } else {
                    Self::Credential
                }
            }
            (false, false) => Self::Harmless,
            (true, _) | (false, true) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_names_are_harmless() {
        for name in [
            "AWS_REGION",
            "AWS_ROLE_ARN",
            "AZURE_CLIENT_ID",
            "GOOGLE_CLOUD_PROJECT",
            "LOG_LEVEL",
            "POD_NAMESPACE",
            "SSL_CERT_FILE",
            "NO_PROXY",
            "GOMAXPROCS",
            "TZ",
            "HOME",
            "KUBERNETES_SERVICE_HOST",
        ] {
            assert_eq!(Variable::of(name), Variable::Harmless, "{name}");
        }
        for name in [
            "AWS_SOMETHING_NEW",
            "AWS_PROFILE",
            "OCI_SOMETHING",
            "GCE_METADATA_HOST",
            "DB_PASSWORD",
            "API_KEY",
            "MY_TOKEN",
            "REGISTRY_AUTH",
            "MSI_ENDPOINT",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_TOKEN_URL",
            "SSH_PRIVATE",
            "CLIENT_CERT",
            "IDENTITY_ENDPOINT",
        ] {
            assert_eq!(Variable::of(name), Variable::Unknown, "{name}");
        }
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AZURE_CLIENT_SECRET",
            "AZURE_PASSWORD",
            "VAULT_TOKEN",
            "BAO_TOKEN",
            "OP_CONNECT_TOKEN",
            "VOLCENGINE_SECRET_KEY",
            "IBM_API_KEY",
            "MSI_SECRET",
            "SCW_SECRET_KEY",
            "GOOGLE_CREDENTIALS",
        ] {
            assert_eq!(Variable::of(name), Variable::Credential, "{name}");
        }
        for name in ["HTTPS_PROXY", "https_proxy", "AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL_S3", "VAULT_ADDR"] {
            assert_eq!(Variable::of(name), Variable::Address, "{name}");
        }
        assert_eq!(Variable::of("AWS_WEB_IDENTITY_TOKEN_FILE"), Variable::TokenFile);
        assert_eq!(Variable::of("AWS_CONTAINER_CREDENTIALS_FULL_URI"), Variable::CredentialServer);
        assert_eq!(Variable::of("AWS_SHARED_CREDENTIALS_FILE"), Variable::CredentialFile);
    }
}
