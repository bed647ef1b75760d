//! Who keeps an object as it is: a change by hand would be put back, or lost with the next release.

use serde_json::Value;

use crate::cluster::objects::Object;

/// Field managers of controllers that put back what they find changed, and how people call them.
pub(crate) const GITOPS: [(&str, &str); 6] = [
    ("argocd-controller", "Argo CD"),
    ("argocd-application-controller", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
    ("fleetagent", "Fleet"),
    ("config-management-operator", "Config Sync"),
];

/// What writes an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Puts it back within minutes: Argo CD, Flux, an owner.
    PutsBack { by: String },
    /// Would write it again with its next run: Helm, `kubectl apply` of a file.
    WritesAgain { by: String },
}

/// Who manages an object, if anybody does.
pub(crate) fn manager(object: &Object) -> Option<Manager> {
    let puts_back = |by: String| Some(Manager::PutsBack { by });
    if let Some(tracking) = object.annotation("argocd.argoproj.io/tracking-id") {
        let application = tracking.split(':').next().unwrap_or_default();
        return puts_back(format!("Argo CD (application {application})"));
    }
    if let Some(application) = object.label("argocd.argoproj.io/instance") {
        return puts_back(format!("Argo CD (application {application})"));
    }
    for (label, kind) in
        [("kustomize.toolkit.fluxcd.io", "Kustomization"), ("helm.toolkit.fluxcd.io", "HelmRelease")]
    {
        if let Some(name) = object.label(&format!("{label}/name")) {
            let namespace = object.label(&format!("{label}/namespace")).unwrap_or_default();
            return puts_back(format!("Flux ({kind} {namespace}/{name})"));
        }
    }
    let fields = object.0.pointer("/metadata/managedFields").and_then(Value::as_array);
    // A manager that writes only the status does not keep the object.
    let writers = fields
        .into_iter()
        .flatten()
        .filter(|entry| entry["subresource"].as_str().is_none_or(str::is_empty))
        .filter_map(|entry| entry["manager"].as_str());
    for writer in writers {
        if let Some((_, by)) = GITOPS.iter().find(|(name, _)| *name == writer) {
            return puts_back(format!("{by} (field manager {writer})"));
        }
    }
    let owners = object.0.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    if let Some(owner) = owners.into_iter().flatten().find(|owner| owner["controller"] == true) {
        let text = |name: &str| owner[name].as_str().unwrap_or_default();
        return puts_back(format!("its owner, {} {}", text("kind"), text("name")));
    }
    if let Some(release) = object.annotation("meta.helm.sh/release-name") {
        let namespace = object.annotation("meta.helm.sh/release-namespace").unwrap_or_default();
        return Some(Manager::WritesAgain { by: format!("the Helm release {namespace}/{release}") });
    }
    object
        .annotation("kubectl.kubernetes.io/last-applied-configuration")
        .map(|_| Manager::WritesAgain { by: "a file that was applied with kubectl".into() })
}
