//! PURE. Images, told by their repository: a mirror has another registry, and its path ends the same.

/// Whether an image is of this repository: `metallb/controller` is `quay.io/metallb/controller:v0.15.2` and
/// `mirror.example/quay/metallb/controller@sha256:…`, and neither `metallb/controller-next` nor `xmetallb/controller`.
pub(super) fn is_of(image: &str, repository: &str) -> bool {
    let name = repository_of(image);
    name.strip_suffix(repository).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// The last segment of its path, without tag and digest.
pub(super) fn name_of(image: &str) -> &str {
    repository_of(image).rsplit('/').next().unwrap_or_default()
}

/// Without tag and digest.
fn repository_of(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        // A colon before a slash belongs to the registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_is_known_by_its_path() {
        for image in [
            "quay.io/metallb/controller:v0.15.2",
            "metallb/controller",
            "mirror.example:5000/quay/metallb/controller@sha256:00",
            "mirror.example:5000/metallb/controller:v1@sha256:00",
        ] {
            assert!(is_of(image, "metallb/controller"), "{image}");
        }
        for image in [
            "quay.io/xmetallb/controller:v1",
            "quay.io/metallb/controller-next:v1",
            "quay.io/metallb/controller/x",
            "metallb-controller",
            "controller",
            "",
            "a:b/metallb:controller",
        ] {
            assert!(!is_of(image, "metallb/controller"), "{image}");
        }
    }
}
