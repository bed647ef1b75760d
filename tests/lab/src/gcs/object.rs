//! Objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bucket::json_reply;
use super::error::GcsError;
use super::service::Context;
use super::{GcsObject, Shared};
use crate::clock;
use crate::crc32c::crc32c;
use crate::md5::md5;
use crate::wire::{Reply, percent_encode};

impl Context<'_> {
    pub(crate) fn upload(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.objects.create")?;
        let content_type = self.request.header("content-type").unwrap_or_default();
        let (metadata, body) = match self.request.query("uploadType").as_deref() {
            Some("multipart") => {
                let bad = || GcsError::new(400, "badRequest", "Invalid multipart request with 0 mime parts.");
                multipart(content_type, &self.request.body).ok_or_else(bad)?
            }
            Some("media") => (json!({"contentType": content_type}), self.request.body.to_vec()),
            _ => return Err(GcsError::new(400, "invalid", "Upload type not supported by the lab")),
        };
        let name = metadata["name"].as_str().map(str::to_owned).or_else(|| self.request.query("name"));
        let name = name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| GcsError::new(400, "required", "Required"))?;
        let bucket = self.own_bucket(shared, "storage.objects.create")?;
        let present = bucket.objects.get(&name).map(|object| object.generation);
        self.check_generation(present)?;
        if present.is_some() {
            // Replacing an object also takes the right to delete it.
            self.need("storage.objects.delete")?;
        }
        let text = |name: &str| metadata[name].as_str().map(str::to_owned);
        let generation = shared.next();
        let object = GcsObject {
            body,
            content_type: text("contentType"),
            cache_control: text("cacheControl"),
            generation,
            metageneration: 1,
            created: clock::now(0),
        };
        let reply = json_reply(object.resource(&self.origin, &self.bucket, &name));
        self.own_bucket(shared, "storage.objects.create")?.objects.insert(name, object);
        Ok(reply)
    }

    pub(crate) fn get_object(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.objects.get")?;
        let media = self.request.query("alt").as_deref() == Some("media");
        let object = self.present(shared, "storage.objects.get")?;
        Ok(if media {
            object.reply(None)
        } else {
            json_reply(object.resource(&self.origin, &self.bucket, &self.object))
        })
    }

    pub(crate) fn patch_object(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.objects.update")?;
        let wanted = self.json()?;
        let object = self.present(shared, "storage.objects.update")?;
        if let Some(cache_control) = wanted.get("cacheControl") {
            object.cache_control = cache_control.as_str().map(str::to_owned);
        }
        if let Some(content_type) = wanted.get("contentType") {
            object.content_type = content_type.as_str().map(str::to_owned);
        }
        object.metageneration += 1;
        Ok(json_reply(object.resource(&self.origin, &self.bucket, &self.object)))
    }

    pub(crate) fn delete_object(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.objects.delete")?;
        let generation = self.present(shared, "storage.objects.delete")?.generation;
        self.check_generation(Some(generation))?;
        self.own_bucket(shared, "storage.objects.delete")?.objects.remove(&self.object);
        Ok(Reply::empty(204))
    }

    pub(crate) fn list_objects(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.objects.list")?;
        let prefix = self.request.query("prefix").unwrap_or_default();
        let bucket = self.own_bucket(shared, "storage.objects.list")?;
        let found = bucket.objects.iter().filter(|(name, _)| name.starts_with(&prefix));
        let items: Vec<Value> =
            found.map(|(name, object)| object.resource(&self.origin, &self.bucket, name)).collect();
        Ok(json_reply(json!({"kind": "storage#objects", "items": items})))
    }

    fn present<'a>(&self, shared: &'a mut Shared, permission: &str) -> Result<&'a mut GcsObject, GcsError> {
        let bucket = self.own_bucket(shared, permission)?;
        let missing = || GcsError::no_such_object(&self.bucket, &self.object);
        bucket.objects.get_mut(&self.object).ok_or_else(missing)
    }

    fn check_generation(&self, present: Option<u64>) -> Result<(), GcsError> {
        let Some(wanted) = self.request.query("ifGenerationMatch") else { return Ok(()) };
        let wanted: u64 = wanted
            .parse()
            .map_err(|_| GcsError::new(400, "invalid", "Invalid value for ifGenerationMatch"))?;
        if present.unwrap_or_default() == wanted {
            return Ok(());
        }
        Err(GcsError::condition_not_met("At least one of the pre-conditions you specified did not hold."))
    }
}

impl GcsObject {
    /// The content with its headers; `otherwise`: the `Cache-Control` of an object without one
    pub(crate) fn reply(&self, otherwise: Option<&str>) -> Reply {
        let content_type = self.content_type.as_deref().unwrap_or("application/octet-stream");
        let reply = Reply::new(200, content_type, self.body.clone())
            .with("etag", format!("\"{}\"", self.etag()))
            .with("last-modified", clock::http_date(self.created))
            .with("x-goog-generation", self.generation.to_string())
            .with("x-goog-metageneration", self.metageneration.to_string())
            .with("x-goog-hash", format!("crc32c={},md5={}", self.crc32c(), STANDARD.encode(md5(&self.body))))
            .with("x-goog-stored-content-length", self.body.len().to_string());
        match self.cache_control.as_deref().or(otherwise) {
            Some(cache_control) => reply.with("cache-control", cache_control),
            None => reply,
        }
    }

    fn resource(&self, origin: &str, bucket: &str, name: &str) -> Value {
        let created = clock::rfc3339(self.created);
        let path = format!("storage/v1/b/{bucket}/o/{}", percent_encode(name, ""));
        let mut resource = json!({
            "kind": "storage#object", "id": format!("{bucket}/{name}/{}", self.generation), "name": name,
            "bucket": bucket, "generation": self.generation.to_string(),
            "metageneration": self.metageneration.to_string(), "size": self.body.len().to_string(),
            "storageClass": "STANDARD", "md5Hash": STANDARD.encode(md5(&self.body)), "crc32c": self.crc32c(), "etag": self.etag(),
            "timeCreated": created, "updated": created, "selfLink": format!("{origin}/{path}"),
            "mediaLink": format!("{origin}/download/{path}?generation={}&alt=media", self.generation),
        });
        for (name, value) in [("contentType", &self.content_type), ("cacheControl", &self.cache_control)] {
            if let Some(value) = value {
                resource[name] = json!(value);
            }
        }
        resource
    }

    fn etag(&self) -> String {
        STANDARD.encode([self.generation.to_be_bytes(), self.metageneration.to_be_bytes()].concat())
    }

    /// CRC32C, big-endian, Base64, as Google writes it
    fn crc32c(&self) -> String {
        STANDARD.encode(crc32c(&self.body).to_be_bytes())
    }
}

/// Metadata and content of a `multipart/related` body (RFC 2387), also with bare line feeds
/// The name that an upload is for, wherever it says it
pub(crate) fn uploaded_name(request: &crate::wire::Request) -> Option<String> {
    let content_type = request.header("content-type").unwrap_or_default();
    let metadata = multipart(content_type, &request.body).map(|(metadata, _)| metadata).unwrap_or_default();
    metadata["name"].as_str().map(str::to_owned).or_else(|| request.query("name"))
}

fn multipart(content_type: &str, body: &[u8]) -> Option<(Value, Vec<u8>)> {
    let boundary = content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let boundary = format!("--{}", boundary.trim_matches(['"', '\'']));
    let mut parts = split(body, boundary.as_bytes()).into_iter().skip(1).map(content);
    let metadata = serde_json::from_slice(parts.next()??).ok()?;
    Some((metadata, parts.next()??.to_vec()))
}

fn split<'a>(mut rest: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let mut out = Vec::new();
    while let Some(at) = rest.windows(boundary.len()).position(|window| window == boundary) {
        out.push(&rest[..at]);
        rest = &rest[at + boundary.len()..];
    }
    out.push(rest);
    out
}

/// What follows the headers of a part, without the line break before the next boundary
fn content(part: &[u8]) -> Option<&[u8]> {
    let after = |pattern: &[u8]| {
        let at = part.windows(pattern.len()).position(|window| window == pattern)?;
        Some((at, &part[at + pattern.len()..]))
    };
    let body = [after(b"\r\n\r\n"), after(b"\n\n")].into_iter().flatten().min_by_key(|(at, _)| *at)?.1;
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    Some(body.strip_suffix(b"\r").unwrap_or(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_taken_apart() {
        let body =
            b"--=x\r\ncontent-type: application/json\r\n\r\n{\"name\":\"a\"}\r\n--=x\r\n\r\n{}\n\r\n--=x--";
        assert_eq!(
            multipart("multipart/related; boundary=\"=x\"", body).unwrap(),
            (json!({"name": "a"}), b"{}\n".to_vec())
        );
    }
}
