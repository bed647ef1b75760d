//! PURE. UUIDs out of content (RFC 9562 §5.5, version 5): the same report has the same.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::hex::hex;

/// The namespace of URLs (RFC 9562 §6.6).
const URL: [u8; 16] =
    [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

/// Of the parts that make up a name. They are told apart, whatever is in them.
pub(super) fn uuid(parts: &[&str]) -> String {
    let mut name = URL.to_vec();
    name.extend_from_slice(b"keyless:audit");
    for part in parts {
        name.extend_from_slice(format!(":{}:{part}", part.len()).as_bytes());
    }
    version_5(&name)
}

/// `name` begins with the namespace.
fn version_5(name: &[u8]) -> String {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, name);
    let mut bytes: Vec<u8> = digest.as_ref().iter().take(16).copied().collect();
    if let Some(byte) = bytes.get_mut(6) {
        *byte = (*byte & 0x0f) | 0x50;
    }
    if let Some(byte) = bytes.get_mut(8) {
        *byte = (*byte & 0x3f) | 0x80;
    }
    let digits = hex(&bytes);
    let parts =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default().to_owned());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_5_is_that_of_others() {
        // Python: uuid.uuid5(uuid.NAMESPACE_URL, "https://example.com/")
        let name = [&URL[..], b"https://example.com/"].concat();
        assert_eq!(version_5(&name), "dd2c1780-811a-5296-81c5-178a0ef488bc");
        assert_ne!(uuid(&["a", "b"]), uuid(&["ab"]));
        assert_ne!(uuid(&["a:1:b"]), uuid(&["a", "b"]));
    }
}
