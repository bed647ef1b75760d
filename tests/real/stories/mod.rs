//! The stories. A new one is one file and one line here.

mod audit_denied_lists;
mod azurite;
mod chart_upgrade;
mod crd_versions;
mod entra_clients_read;
mod entra_setting;
mod eso_far_sides;
mod find_fetch_push;
mod from_one_to_zero;
mod from_one_to_zero_aws;
mod from_one_to_zero_entra;
mod gcs;
mod google_clients_read;
mod hourly_refresh;
mod image;
mod job_cannot_mint;
mod k3s_on_kine;
mod kubeadm_judges;
mod publish_from_ha;
mod publisher_without_key;
mod rbac;
mod relying_parties_accept;
mod rotations;
mod second_key;
mod setting;
mod static_root;
mod teardown_wrong_context;

use std::pin::Pin;

use crate::check::Checked;
use crate::far_sides::FarSide::{
    self, Aws, Azurite, Entra, EntraClients, ExternalSecrets, FakeGcs, Google, GoogleClients, Helm, Image,
    Keyless, Kine, Kubeadm, Kubernetes, OpenBao, SeaweedFs,
};
use crate::world::World;

type Play = for<'a> fn(&'a mut World) -> Pin<Box<dyn Future<Output = Checked> + 'a>>;

pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// What holds when it passes.
    pub(crate) tells: &'static str,
    pub(crate) needs: &'static [FarSide],
    pub(crate) play: Play,
}

/// In the order in which they run: the first finds an empty bucket.
pub(crate) const STORIES: &[Story] = &[
    Story {
        name: "publish-from-ha",
        tells: "two API servers' keys reach S3; only the two documents are public; again changes nothing",
        needs: &[Keyless, Kubernetes, SeaweedFs],
        play: |world| Box::pin(publish_from_ha::play(world)),
    },
    Story {
        name: "relying-parties-accept",
        tells: "OpenBao and another API server accept a token by the public documents only",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao],
        play: |world| Box::pin(relying_parties_accept::play(world)),
    },
    Story {
        name: "second-key",
        tells: "a key that only one API server has is published, and its tokens are accepted",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao],
        play: |world| Box::pin(second_key::play(world)),
    },
    Story {
        name: "gcs",
        tells: "objects reach Google Cloud Storage with conditions, and are read back",
        needs: &[Keyless, Kubernetes, FakeGcs],
        play: |world| Box::pin(gcs::play(world)),
    },
    Story {
        name: "azurite",
        tells: "blobs reach Azure's own stand-in with conditions, and are read back by everyone",
        needs: &[Keyless, Kubernetes, Azurite],
        play: |world| Box::pin(azurite::play(world)),
    },
    Story {
        name: "rbac",
        tells: "the API server takes deploy/; its rights suffice, and none of them can be left out",
        needs: &[Keyless, Kubernetes, SeaweedFs],
        play: |world| Box::pin(rbac::play(world)),
    },
    Story {
        name: "chart-upgrade",
        tells: "Helm takes the chart from a CronJob to a Deployment, to its next version and back; the ledger stays, nothing else is left",
        needs: &[Keyless, Kubernetes, SeaweedFs, Helm],
        play: |world| Box::pin(chart_upgrade::play(world)),
    },
    Story {
        name: "job-cannot-mint",
        tells: "the CronJob's token mints no token that a relying party accepts, and publishes all the same",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, Google],
        play: |world| Box::pin(job_cannot_mint::play(world)),
    },
    Story {
        name: "publisher-without-key",
        tells: "the publisher writes by its own token at SeaweedFS' STS; locked out by a rotation, it names the remedy",
        needs: &[Keyless, Kubernetes, SeaweedFs],
        play: |world| Box::pin(publisher_without_key::play(world)),
    },
    Story {
        name: "static-root",
        tells: "the release binary publishes from a root folder that holds nothing else",
        needs: &[Keyless, Kubernetes, SeaweedFs],
        play: |world| Box::pin(static_root::play(world)),
    },
    Story {
        name: "image",
        tells: "the container image publishes and verifies with the user, mounts and environment of the CronJob's pod",
        needs: &[Keyless, Kubernetes, SeaweedFs, Image],
        play: |world| Box::pin(image::play(world)),
    },
    Story {
        name: "kubeadm-judges",
        tells: "kubeadm takes the rendered configuration, and API servers run with the flags for kubeadm and k3s",
        needs: &[Keyless, Kubernetes, Kubeadm],
        play: |world| Box::pin(kubeadm_judges::play(world)),
    },
    Story {
        name: "k3s-on-kine",
        tells: "an API server as k3s starts it, on SQLite and a loopback address, is published, verified and given a new key",
        needs: &[Keyless, Kubernetes, Kine, SeaweedFs],
        play: |world| Box::pin(k3s_on_kine::play(world)),
    },
    Story {
        name: "eso-far-sides",
        tells: "External Secrets Operator reads by a key, by federation and by OpenBao, as stores written by hand say",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, Google, ExternalSecrets],
        play: |world| Box::pin(eso_far_sides::play(world)),
    },
    Story {
        name: "google-clients-read",
        tells: "google-auth and gcloud read a secret through the credential file that keyless wrote, in both modes",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, Google, GoogleClients, ExternalSecrets],
        play: |world| Box::pin(google_clients_read::play(world)),
    },
    Story {
        name: "from-one-to-zero",
        tells: "a stored key becomes federation by public documents, then OpenBao, then nothing, under one ExternalSecret",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, Google, ExternalSecrets],
        play: |world| Box::pin(from_one_to_zero::documents(world)),
    },
    Story {
        name: "from-one-to-zero-uploaded",
        tells: "the same by uploaded keys: no bucket, and no change of any API server",
        needs: &[Keyless, Kubernetes, OpenBao, Google, ExternalSecrets],
        play: |world| Box::pin(from_one_to_zero::uploaded(world)),
    },
    Story {
        name: "from-one-to-zero-aws",
        tells: "a stored access key becomes an IAM role, then OpenBao, then the role again, under one ExternalSecret",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, Aws, ExternalSecrets],
        play: |world| Box::pin(from_one_to_zero_aws::play(world)),
    },
    Story {
        name: "from-one-to-zero-entra",
        tells: "a stored client secret becomes a managed identity, then OpenBao, then the identity again, under one ExternalSecret",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, Entra, ExternalSecrets],
        play: |world| Box::pin(from_one_to_zero_entra::play(world)),
    },
    Story {
        name: "entra-clients-read",
        tells: "azure-identity, msal and azure-keyvault-secrets read as the managed identity that keyless made; what is refused is their own error",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, Entra, EntraClients, ExternalSecrets],
        play: |world| Box::pin(entra_clients_read::play(world)),
    },
    Story {
        name: "find-fetch-push",
        tells: "searches, metadata and a PushSecret go over to the new login with just their rights; the key goes last",
        needs: &[Keyless, Kubernetes, OpenBao, Google, ExternalSecrets],
        play: |world| Box::pin(find_fetch_push::play(world)),
    },
    Story {
        name: "hourly-refresh",
        tells: "the key stays until the operator has run what runs once an hour by the new login",
        needs: &[Keyless, Kubernetes, OpenBao, Google, ExternalSecrets],
        play: |world| Box::pin(hourly_refresh::play(world)),
    },
    Story {
        name: "teardown-wrong-context",
        tells: "of two clusters in a kubeconfig, the one that was not set up is refused, and nothing changes anywhere",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, Google, ExternalSecrets],
        play: |world| Box::pin(teardown_wrong_context::play(world)),
    },
    // `run` plays these two in a world of their own, beside the others: most of the time they wait.
    Story {
        name: "careless-rotation",
        tells: "a key that nothing knew is public one poll after an API server signs with it; the former key stays",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, ExternalSecrets],
        play: |world| Box::pin(rotations::careless(world)),
    },
    Story {
        name: "staged-rotation",
        tells: "OpenBao, another API server and the operator refuse nothing while two API servers change their key",
        needs: &[Keyless, Kubernetes, SeaweedFs, OpenBao, ExternalSecrets],
        play: |world| Box::pin(rotations::staged(world)),
    },
    Story {
        name: "audit-denied-lists",
        tells: "an auditor that may not list one kind gets no zero, whichever it is, and is told which",
        needs: &[Keyless, Kubernetes, ExternalSecrets],
        play: |world| Box::pin(audit_denied_lists::play(world)),
    },
    // Last: it changes the definitions under the operator.
    Story {
        name: "crd-versions",
        tells: "whichever versions of the custom resources are served, nothing is missed, and nothing written is lost",
        needs: &[Keyless, Kubernetes, OpenBao, Google, ExternalSecrets],
        play: |world| Box::pin(crd_versions::play(world)),
    },
];
