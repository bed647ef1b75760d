//! Writing: apply, patch, delete. Each refusal says whose fields they are, or which field is not known.

use http::Method;
use serde_json::{Value, json};

use super::{
    ApplyOptions, FIELD_MANAGER, Object, Resource,
    read::{MAX_ANSWER, no_object, parse},
};
use crate::{
    cluster::{Cluster, requests::Question, snapshot::GITOPS},
    error::{Code, Error, Result},
};

impl Cluster {
    /// Server-side apply: the fields of `manifest` become ours, others stay as they are.
    pub(crate) async fn apply(
        &self,
        resource: &Resource,
        manifest: &Value,
        options: ApplyOptions,
    ) -> Result<Object> {
        let object = Object(manifest.clone());
        let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
        let path = format!(
            "{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict&force={}{}",
            resource.path(namespace, Some(object.name())),
            options.force,
            dry(options.dry_run)
        );
        let right = resource.right("patch and create", namespace, Some(object.name()));
        self.write(Method::PATCH, &path, "application/apply-patch+yaml", manifest, &right)
            .await
            .map_err(|error| explain_refused_write(error, &object.describe()))
    }

    /// Makes an object that is not there. If one of its name is, that is an error of the code `apply-raced`.
    pub(crate) async fn create(&self, resource: &Resource, manifest: &Value) -> Result<Object> {
        let object = Object(manifest.clone());
        let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
        let path =
            format!("{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict", resource.path(namespace, None));
        let right = resource.right("create", namespace, None);
        self.write(Method::POST, &path, "application/json", manifest, &right)
            .await
            .map_err(|error| explain_refused_write(error, &object.describe()))
    }

    /// Puts this in the place of an object (verb `update`). With `metadata.resourceVersion` in it, only if the object has not
    /// changed since: else that is an error of the code `apply-raced`.
    pub(crate) async fn replace(&self, resource: &Resource, manifest: &Value) -> Result<Object> {
        let object = Object(manifest.clone());
        let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
        let path = format!(
            "{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict",
            resource.path(namespace, Some(object.name()))
        );
        let right = resource.right("update", namespace, Some(object.name()));
        self.write(Method::PUT, &path, "application/json", manifest, &right)
            .await
            .map_err(|error| explain_refused_write(error, &object.describe()))
    }

    /// JSON merge patch (RFC 7386): what is `null` goes. With `metadata.resourceVersion` in it, only if the object
    /// has not changed since.
    pub(crate) async fn merge_patch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        dry_run: bool,
    ) -> Result<Object> {
        let path = format!(
            "{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{}",
            resource.path(namespace, Some(name)),
            dry(dry_run)
        );
        let right = resource.right("patch", namespace, Some(name));
        self.write(Method::PATCH, &path, "application/merge-patch+json", patch, &right)
            .await
            .map_err(|error| explain_refused_write(error, &format!("{} {name}", resource.kind)))
    }

    /// Deletes this very object, not one that has its name by then. `false`: it was gone already.
    pub(crate) async fn delete_object(&self, resource: &Resource, object: &Object) -> Result<bool> {
        self.delete(resource, object, json!({ "uid": object.uid() })).await
    }

    /// The same, and only as it was seen: if it has changed since, that is an error of the code `apply-raced`.
    pub(crate) async fn delete_unchanged(&self, resource: &Resource, object: &Object) -> Result<bool> {
        let version = object.text("/metadata/resourceVersion");
        self.delete(resource, object, json!({ "uid": object.uid(), "resourceVersion": version }))
            .await
            .map_err(|error| explain_refused_write(error, &object.describe()))
    }

    async fn delete(&self, resource: &Resource, object: &Object, preconditions: Value) -> Result<bool> {
        let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
        let right = resource.right("delete", namespace, Some(object.name()));
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions,
        });
        let path = resource.path(namespace, Some(object.name()));
        match self.ask_objects(Method::DELETE, &path, Some(&options), &right).await {
            Ok(_) => Ok(true),
            Err(error) if error.code == Code::ClusterNotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: &Value,
        right: &str,
    ) -> Result<Object> {
        let question =
            Question { method, path, content_type, body: Some(body), limit: MAX_ANSWER, object: true, right };
        let answer = self.ask_one(&self.by_kubeconfig(), question).await?;
        Object::written(parse(&answer.body, path)?).map_err(no_object(path))
    }
}

fn dry(run: bool) -> &'static str {
    if run { "&dryRun=All" } else { "" }
}

/// Names what prevents a write: another manager, or a field that the schema does not have.
fn explain_refused_write(error: Error, object: &str) -> Error {
    let messages = error.causes.join("\n");
    match error.code {
        Code::ClusterConflict if messages.contains("conflict with \"") => {
            let manager = messages.split("conflict with \"").nth(1).and_then(|rest| rest.split('"').next());
            let manager = manager.unwrap_or_default();
            let hint = match GITOPS.iter().find(|(name, _)| *name == manager) {
                Some((_, by)) => format!("{by} would revert it: change it in the source that {by} reads"),
                None => {
                    format!(
                        "another tool writes these fields as `{manager}`: change them there, or let it give them up"
                    )
                }
            };
            let message = format!("{object}: some of its fields belong to the field manager `{manager}`");
            Error { code: Code::ApplyConflict, message, hints: vec![hint], ..error }
        }
        Code::ClusterConflict => Error {
            code: Code::ApplyRaced,
            message: format!("{object} was changed by another client meanwhile"),
            ..error
        },
        // Server-side apply answers 500 where every other write answers 400; only the message distinguishes it.
        Code::ClusterRefused if messages.contains("field not declared in schema") => Error {
            code: Code::ApplyInvalid,
            hints: vec![
                "the installed schema does not have this field: upgrade the custom resource definitions"
                    .into(),
            ],
            ..error
        }
        .at(object),
        Code::ClusterInvalid => Error { code: Code::ApplyInvalid, ..error }.at(object),
        _ => error,
    }
}
