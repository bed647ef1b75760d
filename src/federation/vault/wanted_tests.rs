//! Names, addresses, and the server's words when it cannot fetch the keys.

use super::{super::plan::tests::settings, *};

#[test]
fn unusable_names_and_addresses_are_refused() {
    for address in
        ["vault:8200", "ftp://h", "https://u:hunter2@h", "https://h/v1", "https://h/ui/", "https://h?x", ""]
    {
        let error = check_address(address).unwrap_err();
        assert_eq!(error.code, Code::VaultAddress, "{address}");
        assert!(!format!("{error}").contains("hunter2"), "{error}");
    }
    for path in ["", "/", "a//b", "../x", "a b", "a*"] {
        assert_eq!(super::path("vault.mount", path).unwrap_err().code, Code::VaultSetting, "{path}");
    }
    assert_eq!(path("vault.kv", "/team/kv/").unwrap(), "team/kv");
    for namespace in ["team//prod", "team prod", "team\nprod", "tëam"] {
        assert_eq!(super::namespace(Some(namespace)).unwrap_err().code, Code::VaultSetting, "{namespace}");
    }
    assert_eq!(namespace(Some("/team/prod/")).unwrap().as_deref(), Some("team/prod"));
    for root in [None, Some(""), Some("/")] {
        assert_eq!(namespace(root).unwrap(), None);
    }
}

#[test]
fn key_fetch_failure_names_its_cause() {
    let cases = [
        (
            "Get \"https://h\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            Code::VaultCa,
        ),
        ("could not parse CA PEM value successfully", Code::VaultCa),
        ("issuer did not match the returned issuer, expected \"a\" got \"b\"", Code::VaultIssuerDiffers),
        ("dial tcp 127.0.0.1:9: connect: connection refused", Code::VaultCannotFetch),
        ("dial tcp: lookup oidc.lab.test: no such host", Code::VaultCannotFetch),
        ("404 Not Found: <Error><Code>NoSuchKey</Code>", Code::VaultCannotFetch),
        ("error checking jwks URL", Code::VaultCannotFetch),
        ("error checking jwks_ca_pem", Code::VaultCa),
        ("error checking oidc discovery URL: Get \"https://h/x\": EOF", Code::VaultCannotFetch),
        (
            "error checking oidc discovery URL: failed to decode OIDC discovery document: expected Content-Type = \
             application/json, got \"text/html\": invalid character '<' looking for beginning of value",
            Code::VaultCannotFetch,
        ),
        ("error checking oidc discovery URL: 403 Forbidden: AccessDenied", Code::VaultCannotFetch),
        ("something else", Code::VaultRefused),
    ];
    for (reply, code) in cases {
        let error = Error::failed(Code::VaultRefused, "it refuses").caused_by(reply).hint("look");
        let error = explain_fetch(error, &settings());
        assert_eq!(error.code, code, "{reply}");
        assert_eq!(error.causes, [reply], "the server's message is kept");
        assert!(!error.hints.is_empty());
    }
    let error = Error::failed(Code::VaultForbidden, "no");
    assert_eq!(explain_fetch(error, &settings()).code, Code::VaultForbidden);
}
