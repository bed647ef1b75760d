use std::fs;

use super::*;

fn parse(text: &str) -> Result<File> {
    File::parse(text.as_bytes(), Path::new("/etc/kube"))
}

#[test]
fn paths_are_relative_to_file() {
    let file = parse(
        "clusters: [{name: c, cluster: {certificate-authority: pki/ca.pem}}]\n\
         users: [{name: u, user: {tokenFile: token, client-certificate: /abs/c.pem, client-key: ~/c.key, \
         exec: {command: ./plugin}}}, {name: v, user: {exec: {command: plugin}}}]\n",
    )
    .unwrap();
    let user = &file.users[0].1;
    assert_eq!(file.clusters[0].1.authority_file.as_deref(), Some(Path::new("/etc/kube/pki/ca.pem")));
    assert_eq!(user.token_file.as_deref(), Some(Path::new("/etc/kube/token")));
    assert_eq!(user.certificate_file.as_deref(), Some(Path::new("/abs/c.pem")));
    // kubectl knows no home folder in here.
    assert_eq!(user.key_file.as_deref(), Some(Path::new("/etc/kube/~/c.key")));
    let command = |user: &User| user.exec.as_ref().unwrap().command.clone().unwrap();
    assert_eq!((command(user), command(&file.users[1].1)), ("/etc/kube/./plugin".into(), "plugin".into()));
}

#[test]
fn base64_is_decoded_like_go() {
    let bytes = |value: &str| {
        let text = format!("users: [{{name: u, user: {{client-certificate-data: {value}}}}}]\n");
        parse(&text).map(|file| file.users[0].1.certificate.clone())
    };
    assert_eq!(bytes("aGVsbG8=").unwrap(), Some(b"hello".to_vec()));
    assert_eq!(bytes("\"aGVs\\nbG8=\\r\\n\"").unwrap(), Some(b"hello".to_vec()));
    assert_eq!(bytes("''").unwrap(), None);
    assert_eq!(bytes("aGVsbG9=").unwrap(), Some(b"hello".to_vec()), "unused bits");
    for wrong in ["aGVsbG8", "'aGVs bG8='", "' aGVsbG8='", "aGVsbG8==", "a-_=", "12345"] {
        assert!(bytes(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn encodings_of_file_are_recognised() {
    let text = "current-context: a\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [
        text.as_bytes().to_vec(),
        [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat(),
        [&[0xff, 0xfe][..], &little].concat(),
        [&[0xfe, 0xff][..], &big].concat(),
    ] {
        let file = File::parse(&bytes, Path::new("/")).unwrap();
        assert_eq!(file.current_context.as_deref(), Some("a"));
    }
    for bytes in [&[0xff, 0xfe, 0x41][..], b"a: \xff", &little] {
        assert!(File::parse(bytes, Path::new("/")).is_err(), "{bytes:?}");
    }
}

#[test]
fn only_first_document_counts() {
    let file = parse("current-context: a\n---\ncurrent-context: b\n").unwrap();
    assert_eq!(file.current_context.as_deref(), Some("a"));
    for empty in ["", "\n", "# nothing\n", "null\n", "---\n"] {
        assert!(parse(empty).unwrap().contexts.is_empty(), "{empty:?}");
    }
}

/// `fixtures/kubeconfig/invalid/`: every kind of damage, each beside credentials.
#[test]
fn invalid_files_are_refused_without_quotes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubeconfig");
    let read = |name: &str| -> Vec<_> {
        let mut files: Vec<_> =
            fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    };
    let (invalid, valid) = (read("invalid"), read("valid"));
    for path in &invalid {
        let bytes = fs::read(path).unwrap();
        let error = File::parse(&bytes, Path::new("/")).expect_err(&path.display().to_string());
        let text = error.to_string();
        assert!(!text.contains("CANARY"), "{}: {text}", path.display());
        assert!(!error.hints.is_empty(), "{}", path.display());
    }
    for path in &valid {
        File::parse(&fs::read(path).unwrap(), Path::new("/"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    assert!(invalid.len() > valid.len());
}
