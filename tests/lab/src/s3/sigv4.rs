//! AWS Signature Version 4 in the `Authorization` header, and the bodies that go with it
//! (IAM user guide, "Create a signed AWS API request"; S3 API reference, "Signature calculations").

use std::cmp::Ordering;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use bytes::Bytes;

use super::error::S3Error;
use super::{Flavour, Shared, User};
use crate::clock;
use crate::keys::hex;
use crate::wire::{Request, percent_decode, percent_encode};

/// The user that signed the request (`None`: unsigned), and its decoded body
pub(crate) fn authenticate<'a>(
    request: &Request,
    shared: &'a Shared,
) -> Result<(Option<&'a User>, Bytes), S3Error> {
    let Some(authorization) = request.header("authorization") else {
        return Ok((None, request.body.clone()));
    };
    let authorization = Authorization::parse(authorization)?;
    let user = shared.users.iter().find(|user| user.credentials.access_key_id == authorization.key_id);
    let user = user.ok_or_else(|| {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        S3Error::new(403, "InvalidAccessKeyId", message)
    })?;
    let region = &shared.settings.region;
    if shared.flavour == Flavour::Aws && authorization.region != region {
        let message = format!(
            "The authorization header is malformed; the region '{}' is wrong; expecting '{region}'",
            authorization.region
        );
        return Err(S3Error::new(400, "AuthorizationHeaderMalformed", message));
    }
    if request.header("x-amz-security-token") != user.credentials.session_token.as_deref() {
        let message = "The provided token is malformed or otherwise invalid.";
        return Err(S3Error::new(400, "InvalidToken", message));
    }
    let time = request.header("x-amz-date").unwrap_or_default();
    let skew = clock::parse_basic(time).map(|time| (time - clock::now(0)).abs());
    if skew.is_none_or(|skew| skew > 900) {
        let message = "The difference between the request time and the current time is too large.";
        return Err(S3Error::new(403, "RequestTimeTooSkewed", message));
    }
    let payload = request.header("x-amz-content-sha256").unwrap_or_default();
    let expected = authorization.signature_of(request, time, payload, &user.credentials.secret_access_key);
    if verify_slices_are_equal(expected.as_bytes(), authorization.signature.as_bytes()).is_err() {
        let message = "The request signature we calculated does not match the signature you provided. \
                       Check your key and signing method.";
        return Err(S3Error::new(403, "SignatureDoesNotMatch", message));
    }
    Ok((Some(user), body(request, payload)?))
}

/// `Authorization: AWS4-HMAC-SHA256 …`, for every service of Amazon
pub(crate) struct Authorization<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) date: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) signed_headers: &'a str,
    pub(crate) signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let fields = text.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let mut scope = field("Credential")?.split('/');
        Some(Self {
            key_id: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }

    fn parse(text: &'a str) -> Result<Self, S3Error> {
        let malformed = || {
            let message = "The authorization header is malformed; the Credential is mal-formed";
            S3Error::new(400, "AuthorizationHeaderMalformed", message)
        };
        Self::read(text).filter(|found| found.service == "s3").ok_or_else(malformed)
    }

    pub(crate) fn signature_of(&self, request: &Request, time: &str, payload: &str, secret: &str) -> String {
        let mut query = request.query_pairs();
        query.sort_by(|(a, x), (b, y)| match a.cmp(b) {
            Ordering::Equal => x.cmp(y),
            other => other,
        });
        let query: Vec<String> = query
            .iter()
            .map(|(key, value)| format!("{}={}", percent_encode(key, ""), percent_encode(value, "")))
            .collect();
        let headers: String = self
            .signed_headers
            .split(';')
            .map(|name| {
                let value = if name == "host" { Some(request.host.as_str()) } else { request.header(name) };
                let value = value.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
                format!("{name}:{value}\n")
            })
            .collect();
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{}\n{payload}",
            request.method,
            percent_encode(&percent_decode(&request.path), "/"),
            query.join("&"),
            self.signed_headers
        );
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            hex(digest(&SHA256, canonical.as_bytes()).as_ref())
        );
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [self.date, self.region, self.service, "aws4_request"] {
            key = hmac(&key, part);
        }
        hex(&hmac(&key, &to_sign))
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// The body as it is meant, checked against the signed hash where there is one
fn body(request: &Request, payload: &str) -> Result<Bytes, S3Error> {
    if payload.starts_with("STREAMING-") {
        let incomplete = || {
            let message =
                "You did not provide the number of bytes specified by the Content-Length HTTP header";
            S3Error::new(400, "IncompleteBody", message)
        };
        return chunks(&request.body).ok_or_else(incomplete);
    }
    if payload != "UNSIGNED-PAYLOAD" && payload != hex(digest(&SHA256, &request.body).as_ref()) {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Err(S3Error::new(400, "XAmzContentSHA256Mismatch", message));
    }
    Ok(request.body.clone())
}

/// The data of an `aws-chunked` body; its trailers are dropped
fn chunks(mut rest: &[u8]) -> Option<Bytes> {
    let mut out = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(out.into());
        }
        let data = rest.get(end + 2..end + 2 + size)?;
        out.extend_from_slice(data);
        rest = rest.get(end + 2 + size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::chunks;

    #[test]
    fn chunked_bodies_are_decoded() {
        let signed =
            b"4;chunk-signature=00\r\nWiki\r\n5;chunk-signature=00\r\npedia\r\n0;chunk-signature=00\r\n\r\n";
        assert_eq!(chunks(signed).unwrap(), "Wikipedia");
        assert_eq!(chunks(b"2\r\nhi\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n").unwrap(), "hi");
        assert!(chunks(b"5\r\nhi\r\n").is_none());
    }
}
