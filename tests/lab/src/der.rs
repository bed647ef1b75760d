//! The little of DER (X.690) that taking keys apart needs. Input is always our own: it may panic.

/// The `subjectPublicKey` of a SubjectPublicKeyInfo (RFC 5280 §4.1)
pub(crate) fn public_key(spki: &[u8]) -> &[u8] {
    let (_, algorithm_and_key, _) = element(spki);
    let (_, _, key) = element(algorithm_and_key);
    let (_, bits, _) = element(key);
    &bits[1..] // the count of unused bits, always 0
}

/// The `privateKey` of a PrivateKeyInfo (RFC 5208 §5)
pub(crate) fn private_key(pkcs8: &[u8]) -> &[u8] {
    let (_, info, _) = element(pkcs8);
    let (_, _version, rest) = element(info);
    let (_, _algorithm, rest) = element(rest);
    element(rest).1
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017 §A.1.1) without leading zeros
pub(crate) fn rsa_public(pkcs1: &[u8]) -> (&[u8], &[u8]) {
    let (_, numbers, _) = element(pkcs1);
    let (_, n, rest) = element(numbers);
    let (_, e, _) = element(rest);
    (n.strip_prefix(&[0]).unwrap_or(n), e.strip_prefix(&[0]).unwrap_or(e))
}

/// An ECPrivateKey (RFC 5915 §3) with the curve named in it, as a file of its own needs it
pub(crate) fn ec_private_key(inner: &[u8], curve: &[u8], point: &[u8]) -> Vec<u8> {
    let (_, fields, _) = element(inner);
    let (_, _version, rest) = element(fields);
    let (_, secret, _) = element(rest);
    let public = [&[0], point].concat();
    let parts = [
        write(0x02, &[1]),
        write(0x04, secret),
        write(0xa0, &write(0x06, curve)),
        write(0xa1, &write(0x03, &public)),
    ];
    write(0x30, &parts.concat())
}

/// Tag, content and what follows the first element
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let short = usize::from(der[1]);
    let (length, start) = if short < 0x80 {
        (short, 2)
    } else {
        let end = 2 + (short & 0x7f);
        (der[2..end].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), end)
    };
    (der[0], &der[start..start + length], &der[start + length..])
}

/// The parts of an X.509 certificate (RFC 5280 §4.1) that a server judges a client by
pub(crate) struct Names<'a> {
    /// TBSCertificate, whole
    pub(crate) signed: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// SubjectPublicKeyInfo, whole
    pub(crate) public_key_info: &'a [u8],
    subject: &'a [u8],
}

impl Names<'_> {
    /// The first value of this attribute in the subject
    pub(crate) fn subject_attribute(&self, attribute: &[u8]) -> Option<String> {
        let mut rest = self.subject;
        while !rest.is_empty() {
            let (_, set, more) = element(rest);
            let (_, pair, _) = element(set);
            let (_, oid, value) = element(pair);
            if oid == attribute {
                return String::from_utf8(element(value).1.to_vec()).ok();
            }
            rest = more;
        }
        None
    }
}

/// Takes a certificate of version 1 or 3 apart
pub(crate) fn names(certificate: &[u8]) -> Names<'_> {
    let (_, parts, _) = element(certificate);
    let (_, fields, after) = element(parts);
    let signed = &parts[..parts.len() - after.len()];
    let (_, _algorithm, after) = element(after);
    let (_, bits, _) = element(after);
    let mut rest = fields;
    if rest[0] == 0xa0 {
        rest = element(rest).2; // the version
    }
    let (_, _serial, rest) = element(rest);
    let (_, _algorithm, rest) = element(rest);
    let (_, _issuer, rest) = element(rest);
    let (_, _validity, rest) = element(rest);
    let (_, subject, rest) = element(rest);
    let after = element(rest).2;
    Names { signed, signature: &bits[1..], public_key_info: &rest[..rest.len() - after.len()], subject }
}

pub(crate) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    out.extend_from_slice(content);
    out
}
