//! Who signed a request (IAM user guide, "Create a signed AWS API request").

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use super::ACCOUNT;
use super::error::{Refusal, Result, refused};
use super::state::{Caller, State};
use crate::clock;
use crate::keys::hex;
use crate::s3::sigv4::Authorization;
use crate::wire::Request;

/// Seconds that a signature's time may differ
const SKEW: i64 = 300;

/// The caller, if the signature is right, for this service and fresh
pub(crate) fn authenticate(request: &Request, service: &str, state: &mut State) -> Result<Caller> {
    let Some(authorization) = request.header("authorization") else {
        return refused(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
    };
    let Some(authorization) = Authorization::read(authorization) else {
        let message =
            "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.";
        return refused(403, "IncompleteSignature", message);
    };
    let token = request.header("x-amz-security-token");
    let invalid = || {
        let message = "The security token included in the request is invalid.";
        Refusal::new(403, "InvalidClientTokenId", message)
    };
    let now = state.now();
    let (caller, secret) = if let Some(session) = state.sessions.get(authorization.key_id) {
        if token != Some(session.token.as_str()) {
            return Err(invalid());
        }
        if session.expires <= now {
            let message = "The security token included in the request is expired";
            return refused(403, "ExpiredToken", message);
        }
        let id = state.roles.get(&session.role).map_or("AROA", |role| &role.id);
        let caller = Caller {
            arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{}/{}", session.role, session.name),
            id: format!("{id}:{}", session.name),
            user: None,
            region: authorization.region.to_owned(),
            policies: state.policies_of(&session.role),
        };
        (caller, session.secret.clone())
    } else {
        let key = state.keys.get(authorization.key_id).filter(|key| key.active && token.is_none());
        let key = key.ok_or_else(invalid)?;
        let user = state.users.get(&key.user).ok_or_else(invalid)?;
        let caller = Caller {
            arn: format!("arn:aws:iam::{ACCOUNT}:user/{}", key.user),
            id: user.id.clone(),
            user: Some(key.user.clone()),
            region: authorization.region.to_owned(),
            policies: user.policies.clone(),
        };
        (caller, key.secret.clone())
    };
    check(request, &authorization, service, &secret, now)?;
    if let Some(key) = state.keys.get_mut(authorization.key_id) {
        key.last_used = Some((now, service.to_owned(), authorization.region.to_owned()));
    }
    Ok(caller)
}

fn check(
    request: &Request,
    authorization: &Authorization<'_>,
    service: &str,
    secret: &str,
    now: i64,
) -> Result<()> {
    let mismatch = |message: String| refused(403, "SignatureDoesNotMatch", message);
    if authorization.service != service {
        return mismatch(format!("Credential should be scoped to correct service: '{service}'. "));
    }
    if service == "iam" && authorization.region != "us-east-1" {
        return mismatch("Credential should be scoped to a valid region. ".into());
    }
    let time = request.header("x-amz-date").unwrap_or_default();
    let Some(signed_at) = clock::parse_basic(time) else {
        let message = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
        return refused(403, "IncompleteSignature", message);
    };
    if !time.starts_with(authorization.date) {
        return mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', \
             from '{time}'.",
            authorization.date,
            &time[..8]
        ));
    }
    let basic = |seconds: i64| clock::rfc3339(seconds).replace(['-', ':'], "");
    if signed_at + SKEW < now {
        let (earliest, now) = (basic(now - SKEW), basic(now));
        return mismatch(format!(
            "Signature expired: {time} is now earlier than {earliest} ({now} - 5 min.)"
        ));
    }
    if signed_at - SKEW > now {
        let (latest, now) = (basic(now + SKEW), basic(now));
        return mismatch(format!(
            "Signature not yet current: {time} is still later than {latest} ({now} + 5 min.)"
        ));
    }
    let signed: Vec<&str> = authorization.signed_headers.split(';').collect();
    let must_be = |name: &str| name == "host" || name.starts_with("x-amz-");
    let unsigned = ["host"].into_iter().chain(request.headers.keys().map(|name| name.as_str()));
    if let Some(name) = unsigned.filter(|name| must_be(name)).find(|name| !signed.contains(name)) {
        return mismatch(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."));
    }
    let payload = hex(digest(&SHA256, &request.body).as_ref());
    let expected = authorization.signature_of(request, time, &payload, secret);
    if verify_slices_are_equal(expected.as_bytes(), authorization.signature.as_bytes()).is_err() {
        return mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details."
                .into(),
        );
    }
    Ok(())
}
