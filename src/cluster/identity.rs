//! What tells one cluster from every other: the UID of its namespace `kube-system`.

use super::{
    Cluster,
    objects::{Object, Resource},
};
use crate::{
    error::{Code, Error, Result},
    target::{ClusterTarget, is_uid},
};

static NAMESPACES: Resource = Resource::new("", "v1", "namespaces", "Namespace", false);

impl Cluster {
    /// What this cluster is called, for people and scripts.
    pub(crate) fn target(&self) -> ClusterTarget {
        ClusterTarget {
            context: self.context.clone(),
            server: self.base.clone(),
            uid: self.uid.as_ref().ok().cloned(),
        }
    }

    /// The UID of the namespace `kube-system`, once [`Self::identify`] has asked for it; else why it is not known.
    pub(crate) fn uid(&self) -> Result<&str> {
        self.uid.as_deref().map_err(Clone::clone)
    }

    /// Asks for the UID. It is no error that it may not be read, or that the server fails to look it up: a publisher goes on
    /// without.
    ///
    /// Errors: the cluster cannot be reached, or does not accept the credential. What answers otherwise is kept: see
    /// [`Self::uid`].
    pub(crate) async fn identify(&mut self) -> Result<()> {
        let answer = self.get_object(&NAMESPACES, None, "kube-system").await;
        self.uid = match answer {
            Ok(Some(namespace)) => {
                let is_it = namespace.kind() == "Namespace" && namespace.name() == "kube-system";
                match is_it && is_uid(namespace.uid()) {
                    true => Ok(namespace.uid().to_owned()),
                    false => Err(Error::failed(
                        Code::ClusterAnswer,
                        format!("{}: what answers for the namespace kube-system is no namespace", self.base),
                    )
                    .hint("look at what listens there: `kubectl get namespace kube-system -o yaml`")),
                }
            }
            Ok(None) => Err(Error::failed(Code::ClusterUidUnknown, "there is no namespace kube-system")
                .hint("is this a whole cluster?")),
            // Another API server may do better: which ones there are is another question.
            Err(error)
                if matches!(
                    error.code,
                    Code::ClusterForbidden | Code::ClusterAnswer | Code::ClusterBusy | Code::ClusterRefused
                ) =>
            {
                Err(error)
            }
            Err(error) => return Err(error),
        };
        Ok(())
    }

    /// Whether what answers is still the cluster that [`Self::identify`] found: one that was rebuilt behind the same address
    /// is another one. A UID that was not readable is not asked for again.
    ///
    /// Errors: `cluster-mismatch`; the UID cannot be read any more.
    pub(crate) async fn confirm(&self) -> Result<()> {
        let Ok(known) = &self.uid else { return Ok(()) };
        let namespace = self.get_object(&NAMESPACES, None, "kube-system").await?;
        match namespace.as_ref().map(Object::uid) {
            Some(uid) if uid == known => Ok(()),
            found => Err(Error::failed(
                Code::ClusterMismatch,
                format!("{} is another cluster than at the start: nothing was published", self.base),
            )
            .caused_by(format_args!(
                "at the start: {known}, now: {}",
                found.unwrap_or("no namespace kube-system")
            ))
            .hint(
                "if the cluster was rebuilt, start this command again, with the settings of the new cluster",
            )),
        }
    }
}
