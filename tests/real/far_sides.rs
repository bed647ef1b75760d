//! Which programs of other people are at hand, and why the others are not.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What a story cannot do without: a program, or one of the stand-ins of `lab`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FarSide {
    /// STS, IAM, Secrets Manager; a part of this program, so never missing.
    Aws,
    /// Of Azure's makers; beside it the token endpoint of `lab`.
    Azurite,
    /// The token endpoint, Resource Manager, Graph, Key Vault; a part of this program, so never missing.
    Entra,
    /// Microsoft's own Python libraries.
    EntraClients,
    ExternalSecrets,
    FakeGcs,
    /// All of Google but its buckets; a part of this program, so never missing.
    Google,
    /// Google's own Python libraries.
    GoogleClients,
    /// Of the tools that judge `deploy/`.
    Helm,
    /// The container image around the binary under test, as an OCI archive.
    Image,
    Keyless,
    /// The store of k3s.
    Kine,
    Kubeadm,
    Kubernetes,
    OpenBao,
    SeaweedFs,
}

impl FarSide {
    /// The folder's name in the cache that `far-sides` fills.
    fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azurite => "azurite",
            Self::Entra => "entra",
            Self::EntraClients => "entra-clients",
            Self::ExternalSecrets => "external-secrets",
            Self::FakeGcs => "fake-gcs-server",
            Self::Google => "google",
            Self::GoogleClients => "google-clients",
            Self::Helm => "helm",
            Self::Image => "image",
            Self::Keyless => "keyless",
            Self::Kine => "kine",
            Self::Kubeadm => "kubeadm",
            Self::Kubernetes => "kubernetes",
            Self::OpenBao => "openbao",
            Self::SeaweedFs => "seaweedfs",
        }
    }

    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::ExternalSecrets => &["external-secrets", "crds.yaml", "crds-next.yaml"],
            Self::FakeGcs => &["fake-gcs-server"],
            Self::Aws | Self::Entra | Self::Google | Self::Image | Self::Keyless => &[],
            Self::Azurite => &["azurite"],
            Self::EntraClients | Self::GoogleClients => &["python"],
            Self::Helm => &["helm"],
            Self::Kine => &["kine"],
            Self::Kubeadm => &["kubeadm", "kube-controller-manager"],
            Self::Kubernetes => &["kube-apiserver", "etcd", "kubectl"],
            Self::OpenBao => &["bao"],
            Self::SeaweedFs => &["weed"],
        }
    }
}

pub(crate) struct FarSides {
    cache: PathBuf,
    kubebuilder_assets: Option<PathBuf>,
    entra_clients: Option<PathBuf>,
    google_clients: Option<PathBuf>,
    azurite: Option<PathBuf>,
    helm: Option<PathBuf>,
    /// The binary under test.
    keyless: Option<PathBuf>,
    image: Option<PathBuf>,
    no_image: Option<String>,
}

impl FarSides {
    /// From the environment that the script `run` sets.
    pub(crate) fn from_environment() -> Option<Self> {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Some(Self {
            cache: path("KEYLESS_REAL_FAR_SIDES")?,
            kubebuilder_assets: path("KUBEBUILDER_ASSETS"),
            entra_clients: path("KEYLESS_REAL_ENTRA_CLIENTS"),
            google_clients: path("KEYLESS_REAL_GOOGLE_CLIENTS"),
            azurite: path("KEYLESS_REAL_AZURITE"),
            helm: path("KEYLESS_REAL_HELM"),
            keyless: path("KEYLESS_REAL_BINARY"),
            image: path("KEYLESS_REAL_IMAGE"),
            no_image: env::var("KEYLESS_REAL_NO_IMAGE").ok(),
        })
    }

    /// The folder of its programs (of `keyless`: the program), or why there is none.
    pub(crate) fn locate(&self, far_side: FarSide) -> Result<PathBuf, String> {
        if far_side == FarSide::Keyless {
            return self.keyless.clone().ok_or_else(|| "keyless: it was not built".to_owned());
        }
        if far_side == FarSide::Image {
            let reason = || self.no_image.clone().unwrap_or_else(|| "it was not built".to_owned());
            return self.image.clone().ok_or_else(|| format!("image: {}", reason()));
        }
        let name = far_side.name();
        // Nothing of a stand-in can be absent from its folder.
        let elsewhere = match far_side {
            FarSide::Azurite => self.azurite.clone(),
            FarSide::EntraClients => self.entra_clients.clone(),
            FarSide::GoogleClients => self.google_clients.clone(),
            FarSide::Helm => self.helm.clone(),
            FarSide::Kubernetes => self.kubebuilder_assets.clone(),
            _ => None,
        };
        let folder = elsewhere.unwrap_or_else(|| self.cache.join(name));
        let absent: Vec<&str> =
            far_side.programs().iter().copied().filter(|program| !folder.join(program).exists()).collect();
        if absent.is_empty() {
            return Ok(folder);
        }
        let lacks = format!("{} lacks {}", folder.display(), absent.join(", "));
        // Beside the folder, where there is one of the cache's own.
        let reason = fs::read_to_string(folder.with_extension("missing")).unwrap_or(lacks);
        Err(format!("{name}: {}", reason.trim()))
    }

    /// The program of a far side, where it has several the first.
    pub(crate) fn program(&self, far_side: FarSide) -> Result<PathBuf, String> {
        let folder = self.locate(far_side)?;
        Ok(far_side.programs().first().map_or(folder.clone(), |program| Path::join(&folder, program)))
    }
}
