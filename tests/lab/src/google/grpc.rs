//! Secret Manager over gRPC (HTTP/2): the four reads that its clients make, and the one write.
//!
//! Framing: gRPC over HTTP2 (grpc/grpc doc/PROTOCOL-HTTP2.md). Messages: field numbers of
//! googleapis google/cloud/secretmanager/v1/{service,resources}.proto.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::callers::Who;
use super::error::{Code, GoogleError, Result};
use super::secrets;
use super::state::{State, is_project};
use crate::clock;
use crate::crc32c::crc32c;
use crate::protobuf::{Field, bytes, fields, number};
use crate::wire::{Reply, Request, percent_encode};

/// Answers a call; the status follows the message as a trailer, or is sent alone
pub(crate) fn reply(request: &Request, state: &mut State) -> Reply {
    let head = Reply::new(200, "application/grpc", "");
    match call(request, state) {
        Ok(message) => {
            let length = u32::try_from(message.len()).unwrap_or_default().to_be_bytes();
            let body = [&[0], length.as_slice(), &message].concat();
            Reply { body: body.into(), ..head.with("grpc-status", "0") }
        }
        Err(error) => head
            .with("grpc-status", error.code.grpc().to_string())
            .with("grpc-message", percent_encode(&error.message, " '\"/:()[]{},;!?=@")),
    }
}

fn call(request: &Request, state: &mut State) -> Result<Vec<u8>> {
    let who = state.authenticate(request)?;
    state.need_service("secretmanager", "Secret Manager API")?;
    let message = framed(&request.body).ok_or_else(|| GoogleError::invalid("Malformed message."))?;
    let name = text(message, 1).ok_or_else(|| GoogleError::invalid("Malformed message."))?;
    let parts: Vec<&str> = name.split('/').collect();
    if parts.first() != Some(&"projects") || !parts.get(1).is_some_and(|project| is_project(project)) {
        let error = GoogleError::denied("secretmanager.versions.access", &name);
        return Err(secrets::for_resource(error, &name));
    }
    answer(request, &who, &parts, state).map_err(|error| error.naming(parts[1]))
}

fn answer(request: &Request, who: &Who, parts: &[&str], state: &mut State) -> Result<Vec<u8>> {
    let method = request.path.rsplit('/').next().unwrap_or_default();
    let (location, rest) = match &parts[2..] {
        ["locations", location, rest @ ..] => (Some(*location), rest),
        rest => (None, rest),
    };
    let local = |id: &str| secrets::local_id(location, id);
    match (method, rest) {
        ("AccessSecretVersion", ["secrets", id, "versions", version]) => {
            let found = secrets::access(who, &local(id), version, state)?;
            let data = found["payload"]["data"].as_str().unwrap_or_default();
            let data = STANDARD.decode(data).unwrap_or_default();
            let payload = [bytes(1, &data), number(2, crc32c(&data).into())].concat();
            Ok([string(1, &found["name"]), bytes(2, &payload)].concat())
        }
        ("GetSecret", ["secrets", id]) => Ok(secret(&secrets::get(who, &local(id), state)?)),
        ("ListSecrets", []) => {
            let found = secrets::list(who, location, &filtered(request), state)?;
            let all = found["secrets"].as_array().into_iter().flatten();
            let mut out: Vec<u8> = all.flat_map(|it| bytes(1, &secret(it))).collect();
            out.extend(number(3, found["totalSize"].as_u64().unwrap_or_default()));
            Ok(out)
        }
        ("ListSecretVersions", ["secrets", id]) => {
            let found = secrets::list_versions(who, &local(id), &filtered(request), state)?;
            let all = found["versions"].as_array().into_iter().flatten();
            let mut out: Vec<u8> = all.flat_map(|it| bytes(1, &version(it))).collect();
            out.extend(number(3, found["totalSize"].as_u64().unwrap_or_default()));
            Ok(out)
        }
        ("AddSecretVersion", ["secrets", id]) => {
            let malformed = || GoogleError::invalid("Malformed message.");
            let message = framed(&request.body).and_then(fields).ok_or_else(malformed)?;
            let payload = message.into_iter().find_map(|field| field.bytes(2)).unwrap_or_default();
            let payload = fields(payload).ok_or_else(malformed)?;
            let (mut data, mut checksum) = (&[][..], None);
            for field in payload {
                match field {
                    Field::Bytes(1, bytes) => data = bytes,
                    Field::Varint(2, number) => checksum = i64::try_from(number).ok(),
                    _ => {}
                }
            }
            Ok(version(&secrets::add(who, &local(id), data, checksum, state)?))
        }
        _ => Err(GoogleError::new(Code::Unimplemented, "The lab does not know this method.")),
    }
}

/// The whole list; both requests have their filter in field 4
fn filtered(request: &Request) -> secrets::Page {
    let filter = framed(&request.body).and_then(|message| text(message, 4)).unwrap_or_default();
    secrets::Page { filter, ..secrets::Page::default() }
}

fn secret(secret: &Value) -> Vec<u8> {
    // Replication is always automatic: an empty message in field 1.
    let replication = bytes(2, &bytes(1, b""));
    [
        string(1, &secret["name"]),
        replication,
        time(3, &secret["createTime"]),
        map(4, &secret["labels"]),
        string(8, &secret["etag"]),
        map(13, &secret["annotations"]),
    ]
    .concat()
}

/// `map<string, string>`: one message with a key and a value for each entry
fn map(field: u64, texts: &Value) -> Vec<u8> {
    let entries = texts.as_object().into_iter().flatten();
    entries
        .flat_map(|(key, value)| bytes(field, &[bytes(1, key.as_bytes()), string(2, value)].concat()))
        .collect()
}

fn version(version: &Value) -> Vec<u8> {
    let state = match version["state"].as_str() {
        Some("ENABLED") => 1,
        Some("DISABLED") => 2,
        _ => 3,
    };
    [
        string(1, &version["name"]),
        time(2, &version["createTime"]),
        number(4, state),
        string(6, &version["etag"]),
    ]
    .concat()
}

/// `google.protobuf.Timestamp` of whole seconds
fn time(field: u64, text: &Value) -> Vec<u8> {
    let basic: String =
        text.as_str().unwrap_or_default().chars().filter(|c| *c != '-' && *c != ':').collect();
    let seconds = clock::parse_basic(&basic).and_then(|seconds| u64::try_from(seconds).ok());
    bytes(field, &number(1, seconds.unwrap_or_default()))
}

/// The one message of a unary request
fn framed(body: &[u8]) -> Option<&[u8]> {
    let (head, message) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?);
    (head[0] == 0 && message.len() == length as usize).then_some(message)
}

/// A text of a message
fn text(message: &[u8], number: u64) -> Option<String> {
    let bytes = fields(message)?.into_iter().find_map(|field| field.bytes(number))?;
    String::from_utf8(bytes.to_vec()).ok()
}

fn string(field: u64, text: &Value) -> Vec<u8> {
    bytes(field, text.as_str().unwrap_or_default().as_bytes())
}
