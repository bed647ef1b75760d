//! PURE. Private keys in texts (PEM, RFC 7468), and the public half of each.

use std::fmt::Write;

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, PublicKeyX509Der},
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};

use super::{
    Halves, Same, Who,
    text::{has, is_placeholder},
};
use crate::cluster::private_keys;

/// A private key in a text.
pub(super) struct PrivateKey {
    /// `RSA PRIVATE KEY`.
    pub(super) tag: String,
    pub(super) who: Who,
    /// Where it is named by a public half that only lies beside the private one.
    pub(super) halves: Halves,
}

const BEGIN: &str = "-----BEGIN ";

/// Shorter ones hold nothing.
const SHORTEST: usize = 40;

/// Every private key in a text. What has a beginning and no end is one as well: something cut it off.
pub(super) fn private_keys_in(text: &str) -> Vec<PrivateKey> {
    if !has(text, "PRIVATE KEY") {
        return Vec::new();
    }
    private_keys(text.as_bytes()).iter().filter_map(|pem| of_pem(pem)).collect()
}

fn of_pem(pem: &str) -> Option<PrivateKey> {
    let tag = pem.strip_prefix(BEGIN)?.split_once("-----")?.0;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    if body.len() < SHORTEST || is_placeholder(&body) {
        return None;
    }
    let decoded = STANDARD.decode(&body).ok();
    let known = decoded.as_deref().and_then(|der| match tag {
        "OPENSSH PRIVATE KEY" => {
            open_ssh(der).map(|(name, half)| (Who::Named(name), Halves::from([Who::Same(half)])))
        }
        _ => public_half(der).map(|public| {
            (Who::Key(format!("key:sha256:{}", hex(digest(&SHA256, &public).as_ref()))), Halves::new())
        }),
    });
    let (who, halves) = known.unwrap_or_else(|| (Who::Same(Same::of(body.as_bytes())), Halves::new()));
    Some(PrivateKey { tag: tag.to_owned(), who, halves })
}

/// SubjectPublicKeyInfo, in DER.
fn public_half(der: &[u8]) -> Option<Vec<u8>> {
    let rsa = rsa::KeyPair::from_pkcs8(der).or_else(|_| rsa::KeyPair::from_der(der));
    if let Ok(pair) = rsa {
        return Some(AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).ok()?.as_ref().to_vec());
    }
    for algorithm in
        [&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P521_SHA512_FIXED_SIGNING]
    {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der)
            .or_else(|_| EcdsaKeyPair::from_private_key_der(algorithm, der));
        if let Ok(pair) = pair {
            return Some(AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).ok()?.as_ref().to_vec());
        }
    }
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    Some(AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).ok()?.as_ref().to_vec())
}

/// The fingerprint that `ssh-keygen -l` shows: the public key lies in clear beside the private one
/// (openssh `PROTOCOL.key`). Whether they belong together is not known, so the private one is told from others as well.
fn open_ssh(blob: &[u8]) -> Option<(String, Same)> {
    let mut rest = blob.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = ssh_string(&mut rest)?;
    for _ in ["function", "options"] {
        ssh_string(&mut rest)?;
    }
    rest = rest.split_at_checked(4)?.1;
    let public = ssh_string(&mut rest)?;
    // Cut off, it is one as well.
    let private = ssh_string(&mut rest).unwrap_or(rest);
    let name = format!("ssh:SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, public)));
    if cipher != b"none" {
        return Some((name, Same::of(private)));
    }
    // Two numbers that are new each time it is written; the numbers of the key; a comment, and what fills it up.
    let mut rest = private.get(8..).unwrap_or_default();
    let mut numbers: Vec<&[u8]> = std::iter::from_fn(|| ssh_string(&mut rest)).collect();
    numbers.pop();
    let half = if numbers.is_empty() {
        Same::of(private)
    } else {
        Same::of_named(numbers.into_iter().map(|it| ("", it)))
    };
    Some((name, half))
}

/// A string of SSH (RFC 4251, 5), taken off the rest.
fn ssh_string<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    let (taken, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
