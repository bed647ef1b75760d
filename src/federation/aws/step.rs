//! One planned step, done.

use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::{AUDIENCE, Aws, Step, api::Signer, place::Api, policy, wanted::TAG};
use crate::{
    error::Result,
    plan::{Act, Say},
    retry::Repeat,
};

/// For people who find it.
const DESCRIPTION: &str = "Lets a ServiceAccount of a Kubernetes cluster read secrets";

/// A step, done at AWS.
pub(super) struct AtAws {
    pub(super) aws: Aws,
    pub(super) step: Step,
}

#[async_trait]
impl Act for AtAws {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        let Self { aws, step } = self;
        let role = ("RoleName", aws.settings.role.as_str());
        let named = ("PolicyName", policy::NAME);
        let tag =
            |mark: &str| [("Tags.member.1.Key", TAG.to_owned()), ("Tags.member.1.Value", mark.to_owned())];
        let text = |(name, value): (&'static str, &str)| (name, value.to_owned());
        let (action, parameters, repeat) = match step {
            Step::CreateProvider { url, mark } => {
                let mut all = vec![("Url", url.clone()), ("ClientIDList.member.1", AUDIENCE.to_owned())];
                all.extend(tag(mark));
                ("CreateOpenIDConnectProvider", all, Repeat::Unsafe)
            }
            // Adding one that is there changes nothing.
            Step::AddClient(arn) => (
                "AddClientIDToOpenIDConnectProvider",
                vec![("OpenIDConnectProviderArn", arn.clone()), ("ClientID", AUDIENCE.to_owned())],
                Repeat::Safe,
            ),
            Step::CreateRole { trust, mark } => {
                let mut all = vec![text(role), ("AssumeRolePolicyDocument", trust.to_string())];
                all.push(("Description", DESCRIPTION.to_owned()));
                all.extend(tag(mark));
                ("CreateRole", all, Repeat::Unsafe)
            }
            Step::UpdateTrust(trust) => (
                "UpdateAssumeRolePolicy",
                vec![text(role), ("PolicyDocument", trust.to_string())],
                Repeat::Safe,
            ),
            Step::PutPolicy(document) => (
                "PutRolePolicy",
                vec![text(role), text(named), ("PolicyDocument", document.to_string())],
                Repeat::Safe,
            ),
            Step::DeletePolicy => ("DeleteRolePolicy", vec![text(role), text(named)], Repeat::Safe),
            Step::DeleteRole => ("DeleteRole", vec![text(role)], Repeat::Safe),
            Step::DeleteProvider(arn) => {
                ("DeleteOpenIDConnectProvider", vec![("OpenIDConnectProviderArn", arn.clone())], Repeat::Safe)
            }
        };
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let done = aws.client.query(Api::Iam, Signer::Administrator, action, &parameters, repeat).await;
        let deletes = matches!(step, Step::DeletePolicy | Step::DeleteRole | Step::DeleteProvider(_));
        match done {
            Ok(_) => aws.written.store(true, Ordering::Relaxed),
            // An attempt before this one may have done it.
            Err(refusal) if deletes && refusal.is_absent() => {}
            Err(refusal) => {
                // What marks a new object is a permission of its own.
                let also = match step {
                    Step::CreateProvider { .. } => " and iam:TagOpenIDConnectProvider",
                    Step::CreateRole { .. } => " and iam:TagRole",
                    _ => "",
                };
                return Err(refusal.error(
                    &format!("calling {action} in the AWS account {}", aws.settings.account),
                    &format!("iam:{action}{also}"),
                ));
            }
        }
        Ok(())
    }
}
