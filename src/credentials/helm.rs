//! PURE. Releases of Helm: a Secret or ConfigMap that holds the values and every rendered object of a release, in base64
//! of gzip of JSON (`helm.sh/helm/v4/pkg/storage/driver`).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    Holder,
    layers::{Inflated, MOST_INFLATED, inflated},
    text::shown,
};

/// The key of the release in its Secret or ConfigMap.
pub(super) const VALUE: &str = "release";
/// Objects of one release that are looked at singly.
const MOST_OBJECTS: usize = 5_000;

pub(super) enum Release {
    Read(Unpacked),
    /// It calls itself a release, and cannot be unpacked.
    NotRead,
}

pub(super) struct Unpacked {
    /// `release eso (revision 3):`.
    pub(super) name: String,
    /// Values of the user, and of the chart.
    pub(super) parts: Vec<(&'static str, Value)>,
    pub(super) objects: Vec<Value>,
    /// What could not be read as objects, and what is text.
    pub(super) texts: Vec<(&'static str, String)>,
}

/// `None` for what is no release.
pub(super) fn release(holder: &Holder, values: &[(&str, Vec<u8>)]) -> Option<Release> {
    let is_release = match holder.kind.as_str() {
        "Secret" => holder.secret_type == "helm.sh/release.v1",
        _ => holder.label("owner").is_some_and(|owner| owner.eq_ignore_ascii_case("helm")),
    };
    let (_, value) = values.iter().find(|(name, _)| *name == VALUE).filter(|_| is_release)?;
    Some(unpacked(value).map_or(Release::NotRead, Release::Read))
}

fn unpacked(value: &[u8]) -> Option<Unpacked> {
    let packed = STANDARD.decode(value.trim_ascii()).ok()?;
    let json = match packed.starts_with(&[0x1f, 0x8b]) {
        true => match inflated(&packed, MOST_INFLATED) {
            Inflated::Whole(json) => json,
            Inflated::Broken(_) | Inflated::TooLarge => return None,
        },
        // Helm 2 and early 3 wrote it without compression.
        false => packed,
    };
    let mut release: Value = serde_json::from_slice(&json).ok()?;
    drop(json);
    let name = release["name"].as_str().unwrap_or_default();
    let name =
        format!("release {} (revision {}):", shown(name), release["version"].as_u64().unwrap_or_default());
    let (mut objects, mut texts) = (Vec::new(), Vec::new());
    let mut manifests = vec![("manifest", release["manifest"].take())];
    for hook in release["hooks"].as_array_mut().into_iter().flatten() {
        manifests.push(("hooks", hook["manifest"].take()));
    }
    for (at, manifest) in manifests {
        let Value::String(manifest) = manifest else { continue };
        for document in manifest.split("\n---") {
            match serde_saphyr::from_str::<Value>(document.trim_start_matches("---")) {
                Ok(object @ Value::Object(_)) if objects.len() < MOST_OBJECTS => objects.push(object),
                Ok(Value::Null) => {}
                _ => texts.push((at, document.to_owned())),
            }
        }
    }
    if let Value::String(notes) = release["info"]["notes"].take() {
        texts.push(("notes", notes));
    }
    let parts = vec![
        ("values", release["config"].take()),
        ("values of the chart", release["chart"]["values"].take()),
        ("files of the chart", release["chart"]["files"].take()),
        ("templates of the chart", release["chart"]["templates"].take()),
    ];
    Some(Unpacked { name, parts, objects, texts })
}
