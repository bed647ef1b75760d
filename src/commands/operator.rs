//! PURE. Which controller of External Secrets Operator an administrator has installed.

use crate::{
    cluster::{
        objects::Look,
        snapshot::{Controller, Estate},
    },
    error::{Code, Error, Result},
    secret_store::StoreName,
};

/// The controller of External Secrets Operator that decides where a store's identity is, and who mints its tokens: one that
/// an administrator has installed. For a SecretStore, one in its own namespace does as well: what can run there can have
/// any identity of the namespace already.
pub(super) fn controller<'a>(estate: &'a Estate, store: Option<&StoreName>) -> Result<&'a Controller> {
    let is_near = |it: &&Controller| match store {
        Some(store) => store.namespace() == Some(it.namespace.as_str()),
        // Which store is meant is not known yet.
        None => estate.stores.iter().any(|store| store.0.namespace() == it.namespace),
    };
    let installed = installed(&estate.controllers);
    let found = installed.first().copied().or_else(|| estate.controllers.iter().find(is_near));
    found.ok_or_else(|| no_controller(estate))
}

/// Those that an administrator has installed. Where that may not be looked at, the only one that there is counts.
pub(crate) fn installed(controllers: &[Controller]) -> Vec<&Controller> {
    let proved: Vec<_> = controllers.iter().filter(|it| it.installed == Look::Seen(true)).collect();
    let is_only = |it: &&Controller| {
        matches!(it.installed, Look::Unseen(_))
            && controllers.iter().all(|other| other.service_account == it.service_account)
    };
    match proved.as_slice() {
        [] => controllers.iter().filter(is_only).collect(),
        _ => proved,
    }
}

fn no_controller(estate: &Estate) -> Error {
    let Some(found) = estate.controllers.first() else {
        if !estate.stores.is_empty() || matches!(estate.schema(true), Look::Seen(_)) {
            return Error::failed(
                Code::EsoControllerUnknown,
                "External Secrets Operator is installed in this cluster, and no workload is recognised as its controller",
            )
            .caused_by("none has an image, a label, a flag or a port by which it is known")
            .hint(
                "if it runs from an image of another name, label it: kubectl label --namespace NAMESPACE deployment NAME \
                 app.kubernetes.io/name=external-secrets",
            )
            .hint("if it does not run, start the one that was installed (`helm list --all-namespaces`): a second one would serve the same objects");
        }
        return Error::failed(Code::EsoMissing, "External Secrets Operator is not installed in this cluster, or may not be seen")
            .caused_by(estate.unseen.iter().map(|unseen| unseen.right.clone()).collect::<Vec<_>>().join(", "))
            .hint("install it first: helm install external-secrets external-secrets/external-secrets -n external-secrets --create-namespace");
    };
    let error = Error::failed(
        Code::EsoNotInstalled,
        format!("{} runs, and it is not known that an administrator has installed it", found.describe()),
    );
    match &found.installed {
        Look::Unseen(unseen) => error
            .caused_by(unseen.to_string())
            .hint(format!("give the right to see what its ServiceAccount is bound to: {}", unseen.right)),
        Look::Seen(_) | Look::Absent => error
            .caused_by(format!(
                "no ClusterRoleBinding gives the ServiceAccount {} the operator's rights on ExternalSecrets, and anyone who may \
                 run pods can run this image",
                found.service_account
            ))
            .hint("install it for the whole cluster (rbac.create: true in its chart), or remove it")
            .hint("an operator for one namespace serves SecretStores of that namespace: set store.name and store.namespace"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{objects::Unseen, snapshot::tests};

    /// Deployments of the operator's image in these namespaces, and a SecretStore in `team`.
    fn estate(controllers: &[(&str, Look<bool>)]) -> Estate {
        let mut text = "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: main, namespace: team}\n".to_owned();
        for (namespace, _) in controllers {
            text += &format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: eso, namespace: {namespace}}}\nspec: \
                 {{template: {{spec: {{containers: [{{image: 'ghcr.io/external-secrets/external-secrets:v2.5.0'}}]}}}}}}\n"
            );
        }
        let mut estate = tests::estate(&text);
        for controller in &mut estate.inventory_mut().controllers {
            let (_, installed) =
                controllers.iter().find(|(namespace, _)| *namespace == controller.namespace).unwrap();
            controller.installed = installed.clone();
        }
        estate
    }

    fn chosen(
        controllers: &[(&str, Look<bool>)],
        store: Option<&StoreName>,
    ) -> std::result::Result<String, Code> {
        let estate = estate(controllers);
        controller(&estate, store).map(|it| it.namespace.clone()).map_err(|error| error.code)
    }

    #[test]
    fn lookalike_in_namespace_is_not_chosen() {
        let cluster = StoreName::Cluster("main".into());
        let own = StoreName::Namespaced { namespace: "team".into(), name: "main".into() };
        let (fake, real) = (("team", Look::Seen(false)), ("operator", Look::Seen(true)));
        for store in [None, Some(&cluster), Some(&own)] {
            assert_eq!(chosen(&[fake.clone(), real.clone()], store).as_deref(), Ok("operator"));
        }
        assert_eq!(chosen(std::slice::from_ref(&fake), Some(&cluster)), Err(Code::EsoNotInstalled));
        assert_eq!(chosen(&[("other", Look::Seen(false))], Some(&own)), Err(Code::EsoNotInstalled));
        assert_eq!(chosen(&[("other", Look::Absent)], None), Err(Code::EsoNotInstalled));
        // Whatever runs there can have every identity of that namespace.
        assert_eq!(chosen(&[fake], Some(&own)).as_deref(), Ok("team"));
        assert_eq!(chosen(&[], None), Err(Code::EsoControllerUnknown));
    }

    #[test]
    fn unseen_bindings_single_out_no_operator() {
        let right = "list clusterrolebindings";
        let unseen = Unseen { what: "bindings".into(), right: right.into(), why: "no".into() };
        let unseen = Look::Unseen(unseen);
        let cluster = StoreName::Cluster("main".into());
        let estate = estate(&[("a-team", unseen.clone()), ("operator", unseen.clone())]);
        let error = controller(&estate, Some(&cluster)).unwrap_err();
        assert_eq!(error.code, Code::EsoNotInstalled);
        assert!(error.hints.iter().any(|hint| hint.contains(right)), "{error}");
        // There is nothing that it could be taken for another of.
        assert_eq!(chosen(&[("operator", unseen)], Some(&cluster)).as_deref(), Ok("operator"));
    }
}
