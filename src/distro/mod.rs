//! PURE. One file per distribution: its issuer flags, and where they are written.
//!
//! For tokens to be accepted outside, the API server must sign with the public issuer. The change is small and
//! breaks a running cluster when it is done in the wrong order, so it is told in full: what to write where, in
//! which order, how to see that it worked. Whatever the distribution, three things hold:
//!
//! * The first `--service-account-issuer` signs, all are accepted. The old one stays: pods hold its tokens.
//! * With several API servers, each must accept the new issuer before one of them signs with it.
//! * The address of the key set in the API server's own document does not follow from the issuer.

mod cluster_api;
mod facts;
mod k0s;
mod k3d;
mod k3s;
mod keys;
mod kind;
mod kops;
mod kubeadm;
mod kubespray;
mod managed;
mod microk8s;
mod minikube;
mod old_issuer;
mod registry;
mod static_pods;
mod talos;
mod text;
mod vcluster;

use serde::Serialize;

use self::old_issuer::{Basis, Unproven, header, pinned_audiences};
pub(crate) use self::{
    facts::{ClusterFacts, NodeFacts},
    keys::{key_files, rotation},
    old_issuer::old_issuer,
    registry::{Distribution, detect, of_issuer, parser},
};
use self::{
    keys::action,
    registry::{Accepts, Audiences, DefaultIssuer},
};

use crate::{
    error::{Code, Error, Result},
    oidc::SignedIssuer,
    shell,
    warning::Warning,
};

/// The domain of a cluster's services where none is configured.
const DEFAULT_DOMAIN: &str = "cluster.local";

/// What the API servers are to sign as.
#[derive(Clone, Debug)]
pub(crate) struct IssuerChange {
    pub(crate) issuer: SignedIssuer,
    /// The URL of its published key set; `None`: keyless publishes none for it.
    pub(crate) jwks_uri: Option<String>,
    /// Issuers that stay accepted, the one that signs now first: read from tokens, or given. Empty: no one has asked the
    /// cluster, so they are derived from its configuration, or assumed.
    pub(crate) accepted: Vec<SignedIssuer>,
    /// How many API servers there are.
    pub(crate) servers: usize,
    /// The cluster's own configuration, which the change is put into; kubeadm only.
    pub(crate) cluster_configuration: Option<String>,
    /// Minor version of Kubernetes 1, if known.
    pub(crate) minor: Option<u32>,
}

/// The change, told in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instructions {
    pub(crate) distro: Option<&'static Distribution>,
    pub(crate) issuer: String,
    /// What the old issuer is taken from, if it is not known.
    pub(crate) unproven: Option<Unproven>,
    /// What can lock running pods out.
    #[serde(skip)]
    pub(crate) warnings: Vec<Warning>,
    /// In this order; each on all API servers, one server after the other, before the next begins.
    pub(crate) rollouts: Vec<Rollout>,
    /// What goes wrong most often.
    pub(crate) notes: Vec<Note>,
}

/// Something to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Note {
    pub(crate) text: String,
    /// Shown in every form of the instructions.
    #[serde(skip)]
    pub(crate) always: bool,
}

impl Note {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), always: false }
    }

    fn always(text: impl Into<String>) -> Self {
        Self { text: text.into(), always: true }
    }
}

/// One change of all API servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rollout {
    pub(crate) stage: Stage,
    /// The flags of kube-apiserver that this rollout ends with, in their order.
    pub(crate) flags: Vec<Flag>,
    /// The first is the one to be changed; others belong to it.
    pub(crate) files: Vec<File>,
    pub(crate) steps: Vec<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Every server accepts the new issuer, and signs with the old one
    Accept,
    /// Every server signs with the new issuer, and accepts the old one
    Sign,
}

/// A flag of kube-apiserver, without the two hyphens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// A file as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) content: String,
}

/// Something to do or to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Action {
    pub(crate) what: String,
    pub(crate) commands: Vec<String>,
}

impl Rollout {
    /// What is printed when a file is asked for: the one to be changed.
    pub(crate) fn file(&self) -> &str {
        self.files.first().map_or("", |file| file.content.as_str())
    }
}

impl Instructions {
    /// The rollout of this stage, or the first.
    pub(crate) fn rollout(&self, stage: Option<Stage>) -> Option<&Rollout> {
        self.rollouts.iter().find(|rollout| stage.is_none_or(|stage| rollout.stage == stage))
    }
}

/// The change for a distribution; `None` is one whose files are not known here: its flags only.
pub(crate) fn instructions(
    distro: Option<&'static Distribution>,
    change: &IssuerChange,
) -> Result<Instructions> {
    if let Some(managed) = distro.filter(|distro| distro.instead().is_some()) {
        return Err(not_by_user(managed));
    }
    let guide = distro.and_then(Distribution::guide);
    let mut change = change.clone();
    let present = guide.map(|guide| (guide.present)(&change)).transpose()?.unwrap_or_default();
    let given = change.accepted.clone();
    let known = !given.is_empty();
    // Tokens tell more than a configuration that may not be rolled out yet.
    let signs_already = !known && present.named.first() == Some(&change.issuer);
    // What is accepted stays so, whatever else was named.
    change.accepted.extend(present.named.iter().cloned());
    // The new issuer is accepted by itself; a value given twice keeps the server from starting.
    let mut seen = vec![change.issuer.clone()];
    change.accepted.retain(|issuer| {
        let new = !seen.contains(issuer);
        seen.push(issuer.clone());
        new
    });
    let mut basis = (!known).then_some(Basis::Configuration);
    if change.accepted.is_empty() {
        let domain = present.domain.as_deref().unwrap_or(DEFAULT_DOMAIN);
        basis = Some(present.domain.as_ref().map_or(Basis::Assumed, |_| Basis::Configuration));
        let default: SignedIssuer = match guide.map_or(DefaultIssuer::OfDomain, |guide| guide.default_issuer)
        {
            DefaultIssuer::OfDomain => format!("https://kubernetes.default.svc.{domain}").parse()?,
            DefaultIssuer::Fixed(issuer) => issuer.parse()?,
            DefaultIssuer::Unknown => {
                return Err(old_issuer::unknown(distro.map_or("", |distro| distro.title)));
            }
        };
        change.accepted.extend(Some(default).filter(|default| *default != change.issuer));
    }
    let unproven = change.accepted.first().zip(basis).map(|(issuer, basis)| Unproven {
        issuer: issuer.as_str().to_owned(),
        new: change.issuer.clone(),
        basis,
        check: old_issuer::CHECK.iter().map(|command| (*command).to_owned()).collect(),
    });
    if let Some(minor) = change.minor.filter(|minor| *minor < 22) {
        return Err(Error::failed(Code::DistroTooOld, format!("Kubernetes 1.{minor} knows one issuer only"))
            .hint("before 1.22, a change of the issuer is an outage for every pod: upgrade first"));
    }
    let only_one = guide.is_some_and(|guide| guide.accepts == Accepts::One);
    let stages = if change.servers > 1 && !change.accepted.is_empty() && !signs_already && !only_one {
        vec![Stage::Accept, Stage::Sign]
    } else {
        vec![Stage::Sign]
    };
    let rollouts = stages.into_iter().map(|stage| {
        let mut rollout = match guide {
            Some(guide) => (guide.rollout)(&change, &given, &present, stage)?,
            None => flags_only(&change, stage),
        };
        if let (Some(unproven), Some(file)) = (&unproven, rollout.files.first_mut()) {
            file.content.insert_str(header(&file.content), &unproven.comment());
        }
        Ok(rollout)
    });
    let rollouts = rollouts.collect::<Result<_>>()?;
    let audiences = guide.map_or(Audiences::Kept, |guide| guide.audiences);
    let mut notes = if only_one { Vec::new() } else { notes(&change, audiences) };
    notes.extend(guide.map(|guide| (guide.notes)(&change)).unwrap_or_default());
    let outage = distro.filter(|_| only_one && !change.accepted.is_empty()).map(one_issuer);
    let warnings = unproven
        .iter()
        .map(Unproven::warning)
        .chain(pinned_audiences(&change, &present))
        .chain(outage)
        .collect();
    Ok(Instructions {
        distro,
        issuer: change.issuer.as_str().to_owned(),
        unproven,
        warnings,
        rollouts,
        notes,
    })
}

/// Its API servers belong to a provider, which publishes the documents.
pub(crate) fn not_by_user(distro: &Distribution) -> Error {
    let error = Error::failed(
        Code::DistroManaged,
        format!("the API servers of {} cannot be made to sign as another issuer", distro.title),
    );
    distro.instead().into_iter().fold(error, Error::hint)
}

/// It can name one issuer only.
fn one_issuer(distro: &'static Distribution) -> Warning {
    Warning::new(
        Code::OneIssuerOnly,
        format!(
            "{} can name one issuer only: from the restart of the API servers on, they refuse the tokens that running pods hold. \
             Plan an outage, and restart every pod afterwards",
            distro.title
        ),
    )
}

/// How to see that a stage is complete. `running`: a command that shows the flags which API servers run with.
fn check(change: &IssuerChange, stage: Stage, running: &str) -> Action {
    match stage {
        Stage::Accept => {
            action("Check before you continue: every API server runs with both issuers.", &[running])
        }
        Stage::Sign => action(
            &format!("Check: every server signs as {}, and relying parties accept it.", change.issuer),
            &[&format!("keyless verify --issuer {}", shell::quote(change.issuer.as_str()))],
        ),
    }
}

fn yaml(value: &serde_json::Value) -> Result<String> {
    serde_saphyr::to_string(value).map_err(|error| {
        Error::failed(Code::ClusterConfiguration, "the configuration cannot be written as YAML")
            .caused_by_chain(&error)
    })
}

fn flags_only(change: &IssuerChange, stage: Stage) -> Rollout {
    let flags = flags(change, stage);
    let list: Vec<_> =
        flags.iter().map(|flag| shell::quote(&format!("--{}={}", flag.name, flag.value))).collect();
    let what = "Start every kube-apiserver, one after the other, with these flags in this order, by the means of your distribution:";
    let steps = vec![Action { what: format!("{what}\n    {}", list.join("\n    ")), commands: Vec::new() }];
    Rollout { stage, flags, files: Vec::new(), steps }
}

/// The flags of a stage: order is meaning.
fn flags(change: &IssuerChange, stage: Stage) -> Vec<Flag> {
    let issuer = |value: &SignedIssuer| Flag { name: ISSUER_FLAG, value: value.as_str().to_owned() };
    let (new, old) = (issuer(&change.issuer), change.accepted.iter().map(issuer));
    let jwks = change.jwks_uri.as_ref().map(|url| Flag { name: JWKS_FLAG, value: url.clone() });
    match stage {
        Stage::Accept => old.chain([new]).collect(),
        Stage::Sign => [new].into_iter().chain(old).chain(jwks).collect(),
    }
}

const ISSUER_FLAG: &str = "service-account-issuer";
const JWKS_FLAG: &str = "service-account-jwks-uri";

fn notes(change: &IssuerChange, audiences: Audiences) -> Vec<Note> {
    let mut notes = Vec::new();
    if change.jwks_uri.is_some() {
        notes.push(Note::new(
            "Publish the documents first (`keyless publish`): tokens of the new issuer are refused until they are public.",
        ));
    }
    notes.push(Note::always(match audiences {
        Audiences::Kept => {
            "Leave --api-audiences as it is: unset, it takes all issuers; set to the new issuer alone, every running pod is refused."
        }
        Audiences::Named => {
            "The audiences must name the old issuer and the new one on every API server, in both rollouts, and what they name now: \
             without the old one, every running pod is refused."
        }
    }));
    notes.extend([
        Note::new(
            "One issuer in each flag: `a,b` is one issuer of that name. A value given twice keeps the server from starting.",
        ),
        Note::always(
            "Pods get tokens of the new issuer within an hour; programs that hold a token longer, within a day.",
        ),
        Note::always(
            "An issuer that the API servers accept beside these is not seen here: keep every --service-account-issuer that they \
             have now, after the new one.",
        ),
    ]);
    if !change.accepted.is_empty() {
        notes.push(Note::always(format!(
            "Keep {} for good: it is honoured with the cluster's own keys only, and costs nothing.",
            change.accepted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
        )));
    }
    if change.servers <= 1 {
        notes.push(Note::always(
            "With one API server, it is away while it restarts; running pods go on. With more than one, say so \
             (--servers): each must accept the new issuer before one signs with it.",
        ));
    }
    notes
}

#[cfg(test)]
mod facts_tests;
#[cfg(test)]
mod guides_tests;
#[cfg(test)]
mod tests;
