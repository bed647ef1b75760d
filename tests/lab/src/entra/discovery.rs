//! What Microsoft's own clients read before they ask for a token: which hosts are one cloud, and where a tenant's endpoints are.

use serde_json::{Value, json};

use super::TENANT;
use super::service::base;
use crate::azure::aadsts;
use crate::wire::{Reply, Request};

const INSTANCE: &str = "/common/discovery/instance";
const METADATA: &str = "/v2.0/.well-known/openid-configuration";
const HOST: &str = "login.microsoftonline.com";

pub(crate) fn is_path(path: &str) -> bool {
    path == INSTANCE || path.ends_with(METADATA)
}

pub(crate) fn answer(request: &Request) -> Reply {
    let base = base(request);
    if request.path == INSTANCE {
        return Reply::json(200, &instances(&base));
    }
    let tenant = request.path.trim_start_matches('/').strip_suffix(METADATA).unwrap_or_default();
    if tenant != TENANT {
        return aadsts(400, "invalid_tenant", 90002, &format!("Tenant '{tenant}' not found."));
    }
    Reply::json(200, &metadata(&base))
}

fn instances(base: &str) -> Value {
    json!({
        "tenant_discovery_endpoint": format!("{base}/{TENANT}{METADATA}"),
        "api-version": "1.1",
        "metadata": [{
            "preferred_network": HOST,
            "preferred_cache": "login.windows.net",
            "aliases": [HOST, "login.windows.net", "login.microsoft.com", "sts.windows.net"],
        }],
    })
}

fn metadata(base: &str) -> Value {
    json!({
        "issuer": format!("{base}/{TENANT}/v2.0"),
        "token_endpoint": format!("{base}/{TENANT}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{base}/{TENANT}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/{TENANT}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/{TENANT}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    })
}
