//! PURE. PKCS#12 files (RFC 7292): whether this is one, and whether its integrity is protected by a password. Nothing in it
//! is decrypted.

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256},
    hmac,
};

/// `pkcs7-data`, 1.2.840.113549.1.7.1.
const DATA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// Of a file that was made to keep this program busy.
const MOST_ITERATIONS: u32 = 100_000;

/// Whether these bytes begin as such a file: a sequence, version 3, and data.
pub(super) fn is_file(bytes: &[u8]) -> bool {
    // Some programs write it without lengths (BER): then its content is not looked at.
    parts(bytes).is_some() || bytes.starts_with(&[0x30, 0x80, 0x02, 0x01, 0x03])
}

/// Content and, if it has one, what its integrity is checked by.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (pfx, _) = element(bytes, 0x30)?;
    let (version, rest) = element(pfx, 0x02)?;
    let (info, mac) = element(rest, 0x30)?;
    let data = info.strip_prefix(DATA)?;
    let (explicit, _) = element(data, 0xa0)?;
    let (content, _) = element(explicit, 0x04)?;
    (version == [3]).then_some((content, mac))
}

/// Whether this is the password of its integrity (appendix B of RFC 7292).
pub(super) fn has_password(bytes: &[u8], password: &str) -> bool {
    verified(bytes, password).unwrap_or(false)
}

fn verified(bytes: &[u8], password: &str) -> Option<bool> {
    const SHA1: &[u8] = &[0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a];
    const SHA_256: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    let (content, mac) = parts(bytes)?;
    let (mac, _) = element(mac, 0x30)?;
    let (info, rest) = element(mac, 0x30)?;
    let (salt, rest) = element(rest, 0x04)?;
    let iterations = match element(rest, 0x02) {
        Some((number, _)) if number.len() <= 4 => {
            number.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte))
        }
        Some(_) => return None,
        None => 1,
    };
    let (algorithm, digest) = element(info, 0x30)?;
    let (expected, _) = element(digest, 0x04)?;
    let (hash, hmac_of) = match algorithm {
        _ if algorithm.starts_with(SHA1) => (&SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        _ if algorithm.starts_with(SHA_256) => (&SHA256, hmac::HMAC_SHA256),
        _ => return None,
    };
    if iterations > MOST_ITERATIONS || salt.len() > 64 {
        return None;
    }
    let key = key_of(hash, password, salt, iterations);
    let tag = hmac::sign(&hmac::Key::new(hmac_of, &key), content);
    Some(verify_slices_are_equal(tag.as_ref(), expected).is_ok())
}

/// One block of key for integrity (ID 3), of as many bytes as the hash has.
fn key_of(hash: &'static Algorithm, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
    const BLOCK: usize = 64;
    let password: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let filled = |bytes: &[u8]| -> Vec<u8> {
        let length = bytes.len().div_ceil(BLOCK) * BLOCK;
        bytes.iter().copied().cycle().take(length).collect()
    };
    let mut context = Context::new(hash);
    context.update(&[3; BLOCK]);
    context.update(&filled(salt));
    context.update(&filled(&password));
    let mut key = context.finish().as_ref().to_vec();
    for _ in 1..iterations {
        let mut context = Context::new(hash);
        context.update(&key);
        key = context.finish().as_ref().to_vec();
    }
    key
}

/// The content of the element of this tag at the beginning, and what follows it (DER).
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if *first != tag { None } else { rest.split_at_checked(length) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, length[0], length[1]], content].concat()
    }

    /// A file with this password and nothing of worth in it.
    pub(crate) fn file(password: &str) -> Vec<u8> {
        let content = der(0x30, b"nothing");
        let salt = b"saltsalt";
        let key = key_of(&SHA1_FOR_LEGACY_USE_ONLY, password, salt, 7);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &content);
        let algorithm = der(0x30, &[0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00]);
        let info = der(0x30, &[algorithm, der(0x04, tag.as_ref())].concat());
        let mac = der(0x30, &[info, der(0x04, salt), der(0x02, &[7])].concat());
        let data = [DATA.to_vec(), der(0xa0, &der(0x04, &content))].concat();
        der(0x30, &[der(0x02, &[3]), der(0x30, &data), mac].concat())
    }

    #[test]
    fn only_its_own_password_fits() {
        let file = file("notasecret");
        assert!(is_file(&file) && has_password(&file, "notasecret"));
        assert!(!has_password(&file, "hunter2") && !has_password(&file, ""));
        for end in 0..file.len() {
            assert!(!has_password(&file[..end], "notasecret"));
        }
        assert!(!is_file(b"") && !is_file(&[0x30]) && !is_file(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]));
    }
}
