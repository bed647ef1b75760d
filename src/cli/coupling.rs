//! Arguments of `keyless coupling` and `keyless doctor`.

use clap::Args;

/// State which cloud the cluster's parts tie the platform to
///
/// Four concerns, on one page: the trust root of secrets (each store of External Secrets Operator, its provider and account,
/// and whether its login is keyless), the GPU stack (operator or device plugin, and whether workloads that share a GPU are
/// isolated), the storage classes (whose they are, ReadWriteMany, the volumes in use), and load balancing (controllers, and
/// what serves each Service of the type LoadBalancer). For each: what it is tied to, the object that says so, whether it is
/// portable, and what a move to another substrate has to solve again. The last lines name the swap point: the
/// ClusterSecretStore.
///
/// What is on no table of keyless, or could not be read, is `unknown`, never portable. Objects inform: nothing is changed,
/// and no cloud is asked.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 everything was read · 3 something could not be read: the page names it, and the right\n\n\
    For scripts: -o json has `concerns`, each with `to`, `portable` and `ties`, and `complete`\n\n\
    Needs: what deploy/coupling grants: get /apis; get on two customresourcedefinitions of External Secrets Operator and \
    one of the GPU Operator; list on their objects, nodes, storage classes, persistent volumes, services, ingress classes, \
    DaemonSets and Deployments; get on the ConfigMaps that ClusterPolicies name\n\n\
    Examples:\n  \
    keyless coupling\n  \
    keyless coupling --context prod -o json | jq '.concerns[] | {id, to, portable}'"
)]
pub(crate) struct CouplingArgs {}

/// Run verify, audit and coupling against the same cluster
///
/// Connects once and shows one line for each check: passed, failed, or not evaluated and why. What failed has its details
/// below it. The last line counts: `N passed, N failed`, and how many were skipped because they could not be evaluated.
/// Where there is neither an issuer nor a store to verify, verify is not evaluated; the line names the command to run. Nothing
/// is written.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: the worst of the three: 0 all passed · 1 something failed · 3 something could not be \
    established\n\n\
    For scripts: -o json holds the results of the three commands as `verify`, `audit` and `coupling`, and `checks`\n\n\
    Needs: what verify, audit and coupling need\n\n\
    Examples:\n  \
    keyless doctor\n  \
    keyless doctor --config keyless.yaml -o json | jq '.checks[] | select(.result != \"passed\")'"
)]
pub(crate) struct DoctorArgs {}
