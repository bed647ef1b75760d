//! PURE. Why an object cannot be created or changed, and what to do about it.

use serde_json::Value;

use super::{
    AUDIENCE, Settings,
    observe::{Provider, Role},
    plan::{provider_object, role_object},
    policy,
    wanted::{TAG, mark, other_cluster, provider_arn},
};
use crate::{
    error::{Code, Error},
    federation::{Trust, Workload},
    plan::Obstacle,
    shell,
};

pub(super) fn of_provider(
    settings: &Settings,
    want: &Trust,
    have: Option<&Provider>,
    obstacle: Obstacle,
) -> Error {
    let object = provider_object(want);
    let arn = provider_arn(settings, want);
    let tag = have.and_then(|have| have.mark.as_deref());
    let take_over = format!(
        "`aws iam tag-open-id-connect-provider --open-id-connect-provider-arn {} --tags {}`",
        shell::quote(&arn),
        tags(want)
    );
    match obstacle {
        Obstacle::OtherCluster => of_another_cluster(&object, other_cluster(tag, want), want)
            .hint("two clusters cannot share one issuer: give each documents of its own")
            .hint(format!("if that cluster is no more and this one takes its place: {take_over}, and start again")),
        Obstacle::Unproven | Obstacle::OtherIssuer => unknown(&object)
            .hint(format!("if it is this cluster's: {take_over}, and run setup again")),
        Obstacle::Foreign | Obstacle::Unfit | Obstacle::Missing | Obstacle::Used => {
            Error::failed(Code::AwsProviderForeign, format!("{object} was not made by keyless, and does not take {AUDIENCE}"))
                .hint(format!(
                    "let its owner add it: `aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {} --client-id {AUDIENCE}`",
                    shell::quote(&arn)
                ))
        }
    }
}

pub(super) fn of_role(settings: &Settings, want: &Trust, have: Option<&Role>, obstacle: Obstacle) -> Error {
    let object = role_object(settings);
    let tag = have.and_then(|have| have.mark.as_deref());
    let take_over = format!("`aws iam tag-role --role-name {} --tags {}`", settings.role, tags(want));
    let remedy = "choose another name: aws.role";
    match obstacle {
        Obstacle::OtherCluster => {
            of_another_cluster(&object, other_cluster(tag, want), want).hint(remedy).hint(format!(
                "if that cluster is no more and this one takes its place: {take_over}, and start again"
            ))
        }
        Obstacle::Unproven | Obstacle::OtherIssuer => unknown(&object)
            .hint(remedy)
            .hint(format!("if it is this cluster's: {take_over}, and run setup again")),
        Obstacle::Foreign | Obstacle::Unfit | Obstacle::Missing | Obstacle::Used => {
            Error::failed(Code::AwsRoleForeign, format!("{object} was not made by keyless"))
                .caused_by(format_args!("it has no tag `{TAG}` that names this cluster"))
                .hint(remedy)
        }
    }
}

/// Another ServiceAccount assumes it.
pub(super) fn role_of_another(settings: &Settings, workload: &Workload) -> Error {
    Error::failed(Code::AwsRoleForeign, format!("{} is another workload's", role_object(settings)))
        .caused_by(format_args!("its trust policy does not name {} alone", workload.account))
        .hint("other settings make a role of the same name: choose another aws.role in one of them")
        .hint(format!("look at it: `aws iam get-role --role-name {}`", settings.role))
}

/// Letting a workload into it would give more than keyless has written.
pub(super) fn role_with_other_policies(settings: &Settings, others: &str) -> Error {
    Error::failed(
        Code::AwsRoleForeign,
        format!(
            "{} also has what keyless did not write, and would let in another token",
            role_object(settings)
        ),
    )
    .caused_by(format_args!("they are: {others}"))
    .hint("choose another aws.role, or take that out of it first")
    .hint(format!("look at it: `aws iam get-role --role-name {}`", settings.role))
}

/// Of what it says, something would be lost unseen.
pub(super) fn unread_policy(settings: &Settings) -> Error {
    let (role, name) = (&settings.role, policy::NAME);
    Error::failed(Code::AwsPolicyUnread, format!("the policy {name} of the role {role} was changed by hand, and is left as it is"))
        .caused_by("a statement that keyless wrote says something else now, or the document has another form or version")
        .hint(format!("look at it: `aws iam get-role-policy --role-name {role} --policy-name {name}`"))
        .hint("give a statement that was changed a Sid of its own, and it stays as it is; or take it out, and keyless writes it again")
}

/// Whom the role lets in is not known: nothing is changed, and the person is asked to look.
pub(super) fn unread_trust(settings: &Settings, wanted: &Value) -> Error {
    let role = &settings.role;
    Error::failed(Code::AwsPolicyUnread, format!("the trust policy of the role {role} was changed by hand, and is left as it is"))
        .caused_by("it is not of the form that keyless writes, so whom it lets in is not known")
        .hint(format!("look at it: `aws iam get-role --role-name {role}`"))
        .hint(format!(
            "if nothing else needs it: `aws iam update-assume-role-policy --role-name {role} --policy-document {}`, and run setup again",
            shell::quote(&wanted.to_string())
        ))
        .hint("or choose another name: aws.role")
}

/// It is not any more what the plan was made from.
pub(super) fn changed(object: &str, what: &str) -> Error {
    Error::failed(Code::AwsChanged, format!("the {object} was changed since the plan was made: {what}"))
        .caused_by("nothing was done about it")
        .hint("run the command again, and look at the new plan")
}

fn of_another_cluster(object: &str, cluster: Option<&str>, want: &Trust) -> Error {
    Error::failed(Code::AwsOtherCluster, format!("the {object} belongs to another cluster")).caused_by(
        format_args!(
            "it is marked for the cluster {}, and this one is {}: the UIDs of their namespaces kube-system",
            cluster.unwrap_or_default().escape_debug(),
            want.cluster_id
        ),
    )
}

fn unknown(object: &str) -> Error {
    Error::failed(Code::AwsOwnerUnknown, format!("the {object} does not say which cluster it was made for"))
}

fn tags(want: &Trust) -> String {
    shell::quote(&format!("Key={TAG},Value={}", mark(want))).to_string()
}
