use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::{canonical::Canonical, known::Known, *};

/// A secret that no other test holds: the registry is one for the whole process.
pub(super) fn secret(name: &str, length: usize) -> String {
    let text = format!("{name}zQ7/+k9_Xw-R2.vB8~mT4yL6%pN3&cF5=hJ1");
    text.chars().cycle().take(length).collect()
}

/// The forms in which a server may send back what it was sent.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("a", secret).finish();
    let html: String = secret.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    let mut forms = vec![
        secret.to_owned(),
        percent.to_lowercase(),
        percent,
        form,
        html,
        secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
        json!(secret).to_string(),
        json!(json!(secret).to_string()).to_string(),
        format!("{secret:?}"),
    ];
    for before in ["", "-", "::", "user:"] {
        forms.push(STANDARD.encode(format!("{before}{secret}")));
        forms.push(URL_SAFE_NO_PAD.encode(format!("{before}{secret}\n")));
    }
    forms.push(STANDARD.encode(json!({ "token": secret }).to_string()));
    forms
}

#[test]
fn every_form_of_secret_is_redacted() {
    for length in [6, 8, 11, 12, 20, 23, 24, 25, 26, 27, 40, 700] {
        let secret = secret(&format!("F{length}"), length);
        let mut known = Known::default();
        known.add(&format!("{secret}\n"));
        for form in forms(&secret) {
            let text = format!("it is <{form}>, bad");
            let shown = cut(&text, known.find(&text));
            assert!(!shown.contains(&form), "{length}: {shown}");
            assert!(shown.starts_with("it is <") && shown.ends_with(">, bad"), "{length}: {text} {shown}");
            assert!(shown.len() < 40, "{length}: {text} {shown}");
        }
    }
}

#[test]
fn part_of_long_secret_is_redacted() {
    let secret = secret("P", 300);
    let mut known = Known::default();
    known.add(&secret);
    for start in 0..8 {
        for length in [23, 24, 31, 60, 200] {
            let text = format!("token \"{}\" is wrong", &secret[start..start + length]);
            let shown = cut(&text, known.find(&text));
            assert_eq!(shown, "token \"…\" is wrong", "{start} {length}");
        }
    }
    let wrapped = format!("a {}\n  {}\nb", &secret[..64], &secret[64..128]);
    assert_eq!(cut(&wrapped, known.find(&wrapped)), "a …\nb");
    let nothing = &secret[..12];
    assert!(known.find(nothing).is_empty());
}

#[test]
fn private_key_lines_are_each_redacted() {
    let body: Vec<_> = (0..8).map(|line| secret(&format!("L{line}"), 64).replace(['%', '&'], "A")).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", body.join("\n"));
    for held in [pem.clone(), json!({ "type": "service_account", "private_key": pem }).to_string()] {
        remember_content(held.as_bytes());
        for text in
            [pem.clone(), json!(pem).to_string(), STANDARD.encode(&pem), body.join(" "), body[3].clone()]
        {
            let shown = message(&text);
            assert!(body.iter().all(|line| !shown.contains(&line[8..40])), "{shown}");
        }
    }
    // What is public in the file stays.
    let hint = "-----BEGIN PRIVATE KEY----- is missing; the type is service_account";
    assert!(line(hint).ends_with("…"), "{}", line(hint));
    assert_eq!(line("the type is service_account"), "the type is service_account");
}

#[test]
fn ordinary_words_survive_short_secrets() {
    let mut known = Known::default();
    for short in ["", "t", "ab", "abcde", "hunter2", "secret9", "e-mail"] {
        known.add(short);
    }
    for text in ["abcdef", "the token", "hunter22", "xhunter2", "secret99", "e-mailing"] {
        assert!(known.find(text).is_empty(), "{text}");
    }
    for text in ["hunter2", "a-hunter2.", "password=hunter2&x", "\"hunter2\"", "secret9!"] {
        assert_ne!(cut(text, known.find(text)), text);
    }
    // Half of it is left out only from 23 characters on.
    known.add("external-secrets-k8s1");
    assert!(known.find("the namespace external-secrets of this cluster").is_empty());
}

#[test]
fn passwords_in_urls_are_left_out() {
    for (text, shown) in [
        ("GET https://user:pw@host:6443/x failed", "GET https://…@host:6443/x failed"),
        ("`https://tok@host`", "`https://…@host`"),
        ("https://us%40er:p%40w@host", "https://…@host"),
        ("https://user:p@ss@host/a@b", "https://…@host/a@b"),
        ("https://user:pa/ss@host", "https://…@host"),
        ("https://user:p#s?s@host is not a URL", "https://…@host is not a URL"),
        ("s3://user:pw@bucket/prefix", "s3://…@bucket/prefix"),
        ("socks5://a:b@[::1]:1080", "socks5://…@[::1]:1080"),
        ("https://host/a@b:c", "https://host/a@b:c"),
        ("https://127.0.0.1:8443/v1/eso@acme.iam:x", "https://127.0.0.1:8443/v1/eso@acme.iam:x"),
        ("https://[::1]:8443/eso@acme", "https://[::1]:8443/eso@acme"),
        (
            "serviceAccount:eso@acme.iam.gserviceaccount.com",
            "serviceAccount:eso@acme.iam.gserviceaccount.com",
        ),
    ] {
        assert_eq!(line(text), shown);
    }
    assert_eq!(given("user:pw@host"), "…@host");
    assert_eq!(given("https://user:12/34@host"), "…@host");
    for (text, password) in [
        ("https://user:hunter77@host", "hunter77"),
        ("user:hunter77@host", "hunter77"),
        ("https://user:12/hunter77@host", "12/hunter77"),
        ("https://hunter77@host", "hunter77"),
    ] {
        assert_eq!(shapes::password(text), Some(password), "{text}");
    }
    assert_eq!(shapes::password("https://host/x"), None);
}

#[test]
fn credentials_are_known_by_their_shape() {
    let jwt = format!("eyJ{}.eyJ{}.{}", "hbGciOiJSUzI1", "pc3MiOiJodHRw", "c2lnbmF0dXJl");
    let long = "aB3".repeat(9);
    for (text, shown) in [
        (format!("token {jwt} is bad"), "token … is bad".to_owned()),
        (format!("(hvs.{long})"), "(…)".into()),
        (format!("ya29.{long}"), "…".into()),
        (format!("Authorization: Bearer {long}"), "Authorization: …".into()),
        (format!("authorization: Basic {long}, x"), "authorization: … x".into()),
        (format!("Bearer {long} was refused"), "Bearer … was refused".into()),
        ("X-Vault-Token: root, X-Vault-Namespace: a".into(), "X-Vault-Token: …, X-Vault-Namespace: a".into()),
        ("\"x-vault-token\": \"ro ot\"".into(), "\"x-vault-token\": \"…\"".into()),
        (
            "{\"private_key\":\"x\",\"private_key_id\":\"y\"}".into(),
            "{\"private_key\":\"…\",\"private_key_id\":\"y\"}".into(),
        ),
        ("{\\\"client_secret\\\": \\\"x y\\\"}".into(), "{\\\"client_secret\\\": \\\"…\\\"}".into()),
        ("?X-Amz-Signature=abc&X-Amz-Date=1".into(), "?X-Amz-Signature=…&X-Amz-Date=1".into()),
        ("--oidc-client-secret=abc --x".into(), "--oidc-client-secret=… --x".into()),
        ("-----BEGIN EC PRIVATE KEY-----\\nMHc\\n-----END EC PRIVATE KEY----- end".into(), "… end".into()),
        ("-----BEGIN RSA PRIVATE KEY-----\\nMHc".into(), "…".into()),
        (
            format!("illegal section start: {:?}", b"-----BEGIN PRIVATE KEY-----MIIE"),
            "illegal section start: […]".into(),
        ),
    ] {
        assert_eq!(line(&text), shown, "{text}");
        assert_eq!(message(&text), shown, "{text}");
    }
}

#[test]
fn ordinary_lines_stay_as_they_are() {
    for text in [
        "read of the secret db: 18 bytes",
        "  hint: VAULT_TOKEN=$(vault print token), or BAO_TOKEN=$(bao print token)",
        "1. a stored credential: Vault token in Secret shop/vt (token): used by SecretStore shop/vault-token",
        "key 3f1a2b4c5d6e7f80912233445566778899aabbcc of eso@acme-prod.iam.gserviceaccount.com",
        "+ aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9f  RS256 RSA 2048  added",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "-----BEGIN PUBLIC KEY-----",
        "the API server accepts the bearer token of the kubeconfig",
        "Basic authentication is off",
        "serviceaccounts/token: create",
        "\"service-account-issuer=https://oidc.example.com\"",
        "google.subject=assertion.sub",
        "naïve Ünïcode – 漢字 ✓ é",
    ] {
        assert_eq!(line(text), text);
    }
}

#[test]
fn document_line_with_secret_is_found() {
    let manifest = "kind: Store\nspec:\n\tname: \"x\"\n";
    assert_eq!((secret_line(manifest), document(manifest)), (None, manifest.to_owned()));
    let held = secret("M", 30).replace('%', "A");
    remember_object(
        &json!({ "spec": { "headers": { "X-Vault-Token": held, "X-Vault-Namespace": "a-namespace" } } }),
    );
    assert_eq!(secret_line(&format!("{manifest}token: {held}\n")), Some(4));
    assert_eq!(secret_line(&format!("{manifest}data: {}\n", STANDARD.encode(&held))), Some(4));
    assert_eq!(secret_line("namespace: a-namespace"), None);
    remember_object(&json!([{ "server": "https://user:hunter99@vault" }]));
    assert_eq!(secret_line("a: hunter99"), Some(1));
    assert_eq!(secret_line("a: 1\nurl: https://user:pw@vault\n"), Some(2));
    assert_eq!(secret_line("{\n  \"X-Vault-Token\": \"root\"\n}"), Some(2));
    for named in
        ["{\"automountServiceAccountToken\": false, \"secretKey\": \"password\"}", "clientSecret: {name: a}"]
    {
        assert_eq!(secret_line(named), None, "{named}");
    }
}

#[test]
fn lines_cannot_act_on_a_terminal() {
    let text = "a\x1b[31mred\nZERO\r\tx\u{9b}2J\u{7f}\u{202e}gpj\u{200b}\u{feff}\u{2028}y\u{e0041}";
    assert_eq!(
        line(text),
        "a\\u{1b}[31mred\\nZERO\\r\\tx\\u{9b}2J\\u{7f}\\u{202e}gpj\\u{200b}\\u{feff}\\u{2028}y\\u{e0041}"
    );
    assert_eq!(message(text), "a [31mred ZERO  x 2J gpj y");
    assert_eq!(line(&format!("z{}", "\u{301}".repeat(500))).chars().count(), 5);
    let mut value = json!({ "a\x1b": ["b\u{9b}\nc", 1, null] });
    json(&mut value);
    assert_eq!(value, json!({ "a\\u{1b}": ["b\\u{9b}\nc", 1, null] }));
}

#[test]
fn hidden_characters_do_not_hide_secret() {
    let held = secret("H", 40);
    remember(&held);
    let text: String = held.chars().flat_map(|c| [c, '\u{200b}', '\0']).collect();
    assert_eq!(message(&format!("a {text} b")), "a … b");
}

#[test]
fn long_texts_are_cut() {
    let kid = "k".repeat(1 << 20);
    assert_eq!(message(&kid).chars().count(), LONGEST_MESSAGE + 1);
    let shown = line(&format!("key {kid}"));
    assert_eq!(shown.chars().count(), LONGEST_MESSAGE + 5);
    let words = line(&"ab ".repeat(1 << 18));
    assert_eq!(words.chars().count(), LONGEST_LINE + 1);
    let mut value = json!({ kid.clone(): kid });
    json(&mut value);
    assert!(value.to_string().len() < 2 * LONGEST_TEXT + 100);
    let exact = "é".repeat(LONGEST_MESSAGE);
    assert_eq!(message(&exact), exact);
}

#[test]
fn messages_stay_and_secrets_go() {
    let arn = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: s3:PutObject on resource: \
               \"arn:aws:s3:::a-bucket-with-a-long-name-for-the-keys-of-this-cluster/openid/v1/jwks\"";
    assert_eq!(message(arn), arn);
    let role =
        "User: arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_1a2b3c4d5e6f7a8b/me";
    assert_eq!(message(role), role);
    let key = message("the key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is wrong");
    assert_eq!(key, "the key … is wrong");
    let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    assert_eq!(message(&format!("Signature={signature}, end")), "Signature=…, end");
    let token = format!("ya29.{}", "a0AfH6SMB-x_9".repeat(12));
    assert!(!message(&format!("bad token {token}!")).contains("a0AfH6"));
    let session = format!("IQoJb3JpZ2luX2VjE{}/{}==", "aZ09+".repeat(9), "bY8".repeat(30));
    assert!(!message(&session).contains("aZ09"), "{}", message(&session));
}

#[test]
fn messages_are_one_short_clean_line() {
    assert_eq!(message(" a\nb\u{1b}[31mc "), "a b [31mc");
    assert_eq!(message(&"ab ".repeat(1000)).chars().count(), LONGEST_MESSAGE + 1);
    assert_eq!(message(""), "");
}

#[test]
fn content_is_remembered_by_its_form() {
    let found = |text: &str| {
        let mut found = Vec::new();
        content::secrets_in(text, &mut |secret| found.push(secret.to_owned()));
        found
    };
    for (text, secrets) in [
        ("hunter2\n", vec!["hunter2\n"]),
        ("external-secrets", vec![]),
        ("eu-west", vec![]),
        ("AKIAIOSFODNN7EXAMPLE", vec![]),
        ("aws_access_key_id = A1\naws_secret_access_key = B2\n", vec!["B2"]),
        ("users:\n- user:\n    token: T1\n    client-key-data: 'K1'\n", vec!["T1", "K1"]),
        (
            r#"{"client_email":"a@b","private_key_id":"i1","client_secret":"S1","refresh_token":"R1"}"#,
            vec!["S1", "R1"],
        ),
        (r#"{"auths":{"ghcr.io":{"auth":"dTpw","password":"P1"}}}"#, vec!["dTpw", "P1"]),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", vec![]),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", vec!["\nMIIE\n"]),
    ] {
        assert_eq!(found(text), secrets, "{text}");
    }
}

#[test]
fn canonical_text_knows_its_source() {
    let text = "é%2Bx\\u002b&#x2B; \n y\u{200b}z";
    let canonical = Canonical::decoded(text);
    assert_eq!(String::from_utf8_lossy(&canonical.bytes), "é+x++ yz");
    let at = |part: std::ops::Range<usize>| &text[canonical.source(part)];
    assert_eq!((at(0..2), at(2..3), at(3..4), at(4..5), at(5..6)), ("é", "%2B", "x", "\\u002b", "&#x2B;"));
    assert_eq!(at(6..7), " \n ");
}

/// In any combination: nothing panics, and a secret is never shown.
#[test]
fn any_mixture_of_text_is_taken() {
    const PARTS: [&str; 40] = [
        "…",
        "é",
        "漢",
        "\u{200b}",
        "\u{202e}",
        "=",
        ":",
        "\"",
        "'",
        "\\",
        "%",
        "%4",
        "%41",
        "%C3%A9",
        "&#",
        "&#x41;",
        "&amp;",
        "\\u00",
        "\\u{e9}",
        "\\n",
        "://",
        "@",
        "/",
        "?",
        "[",
        "1, 2",
        "]",
        "eyJ",
        "hvs.",
        "Bearer ",
        "token",
        "X-Vault-Token",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "-----END ",
        "\n",
        " ",
        "\x1b[31m",
        "\0",
        "AbC1/+_-",
    ];
    let secret = secret("X", 30);
    remember(&secret);
    // A generator of numbers that is the same each time (Knuth, MMIX).
    let mut state: u64 = 1;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..4000 {
        let mut text = String::new();
        for _ in 0..next(24) {
            match next(12) {
                0 => text.push_str(&secret),
                1 => text.push_str(&STANDARD.encode(&secret)),
                _ => text.push_str(PARTS[next(PARTS.len())]),
            }
        }
        let mut value = json!({ text.clone(): text });
        json(&mut value);
        for shown in [message(&text), line(&text), given(&text), value.to_string(), document(&text)] {
            assert!(
                !shown.contains(visible::is_unprintable) || shown.contains(['\n', '\t']),
                "{text:?}: {shown:?}"
            );
        }
        for shown in [message(&text), line(&text), value.to_string()] {
            assert!(
                !shown.contains(&secret) && !shown.contains(&STANDARD.encode(&secret)[..36]),
                "{text:?}: {shown:?}"
            );
        }
        // Not into the registry of the process: ordinary words would be secrets to the tests beside this one.
        let mut known = Known::default();
        content::secrets_in(&text, &mut |secret| known.add(secret));
        shapes::password(&text).into_iter().for_each(|secret| known.add(secret));
        known.find(&text);
        secret_line(&text);
    }
}
