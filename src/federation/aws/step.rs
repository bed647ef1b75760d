//! One planned step, done.

use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::{
    AUDIENCE, Aws, Step,
    again::{Before, provider_differs},
    api::Signer,
    observe::{Provider, is_about},
    obstacle,
    place::Api,
    plan::role_object,
    policy,
    refusal::Outcome,
    wanted::TAG,
};
use crate::{
    error::Result,
    plan::{Act, Say},
    retry::Repeat,
    xml::Element,
};

/// A step, done at AWS.
pub(super) struct AtAws {
    pub(super) aws: Aws,
    pub(super) step: Step,
}

/// What is found right before a step.
enum Still {
    Same,
    /// Nothing has to be deleted any more.
    Gone,
}

impl AtAws {
    /// Looks again at the very object that is changed or deleted next.
    async fn look_again(&self) -> Result<Still> {
        let Self { aws, step } = self;
        let (object, differs, deletes) = match step {
            Step::CreateProvider { .. } | Step::CreateRole { .. } | Step::PutPolicy { before: None, .. } => {
                return Ok(Still::Same);
            }
            Step::UpdateTrust { before, .. } | Step::PutPolicy { before: Some(before), .. } => {
                (role_object(&aws.settings), self.role_differs(before).await?, false)
            }
            Step::DeletePolicy(before) | Step::DeleteRole(before) => {
                (role_object(&aws.settings), self.role_differs(before).await?, true)
            }
            Step::AddClient { arn, seen } => {
                (format!("OIDC provider {arn}"), self.provider_differs(arn, seen).await?, false)
            }
            Step::DeleteProvider { arn, seen, roles } => {
                let mut differs = self.provider_differs(arn, seen).await?;
                if let Some(differs) = &mut differs {
                    let trusting = aws.roles_by(arn).await?;
                    differs.extend(trusting.iter().any(|it| !roles.contains(it)).then_some("who trusts it"));
                }
                (format!("OIDC provider {arn}"), differs, true)
            }
        };
        match differs {
            Some(differs) if differs.is_empty() => Ok(Still::Same),
            None if deletes => Ok(Still::Gone),
            Some(differs) => Err(obstacle::changed(&object, &differs.join(", "))),
            None => Err(obstacle::changed(&object, "it is gone")),
        }
    }

    /// What was created must be what was asked for: everything else of the plan names it.
    fn is_what_was_made(&self, answer: &Element) -> Outcome<()> {
        let (at, member, asked): (&[&str], _, _) = match &self.step {
            Step::CreateProvider { arn, .. } => {
                (&["CreateOpenIDConnectProviderResult"], "OpenIDConnectProviderArn", arn.clone())
            }
            Step::CreateRole { .. } => (&["CreateRoleResult", "Role"], "Arn", self.aws.role_arn()),
            _ => return Ok(()),
        };
        is_about(&answer.at(at).cloned().unwrap_or_default(), &[(member, asked.as_str())])
    }

    /// `None`: it is gone.
    async fn role_differs(&self, before: &Before) -> Result<Option<Vec<&'static str>>> {
        Ok(self.aws.role().await?.map(|now| before.differs(&now)))
    }

    async fn provider_differs(&self, arn: &str, seen: &Provider) -> Result<Option<Vec<&'static str>>> {
        Ok(self.aws.provider(arn).await?.map(|now| provider_differs(seen, &now)))
    }
}

#[async_trait]
impl Act for AtAws {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        let Self { aws, step } = self;
        aws.ahead.forget();
        if let Still::Gone = self.look_again().await? {
            return Ok(());
        }
        let role = ("RoleName", aws.settings.role.as_str());
        let named = ("PolicyName", policy::NAME);
        let tag =
            |mark: &str| [("Tags.member.1.Key", TAG.to_owned()), ("Tags.member.1.Value", mark.to_owned())];
        let text = |(name, value): (&'static str, &str)| (name, value.to_owned());
        let (action, parameters, repeat) = match step {
            Step::CreateProvider { url, mark, .. } => {
                let mut all = vec![("Url", url.clone()), ("ClientIDList.member.1", AUDIENCE.to_owned())];
                all.extend(tag(mark));
                ("CreateOpenIDConnectProvider", all, Repeat::Unsafe)
            }
            // Adding one that is there changes nothing.
            Step::AddClient { arn, .. } => (
                "AddClientIDToOpenIDConnectProvider",
                vec![("OpenIDConnectProviderArn", arn.clone()), ("ClientID", AUDIENCE.to_owned())],
                Repeat::Safe,
            ),
            Step::CreateRole { trust, mark, description } => {
                let mut all = vec![text(role), ("AssumeRolePolicyDocument", trust.to_string())];
                all.push(("Description", (*description).to_owned()));
                all.extend(tag(mark));
                ("CreateRole", all, Repeat::Unsafe)
            }
            Step::UpdateTrust { trust, .. } => (
                "UpdateAssumeRolePolicy",
                vec![text(role), ("PolicyDocument", trust.to_string())],
                Repeat::Safe,
            ),
            Step::PutPolicy { document, .. } => (
                "PutRolePolicy",
                vec![text(role), text(named), ("PolicyDocument", document.to_string())],
                Repeat::Safe,
            ),
            Step::DeletePolicy(_) => ("DeleteRolePolicy", vec![text(role), text(named)], Repeat::Safe),
            Step::DeleteRole(_) => ("DeleteRole", vec![text(role)], Repeat::Safe),
            Step::DeleteProvider { arn, .. } => {
                ("DeleteOpenIDConnectProvider", vec![("OpenIDConnectProviderArn", arn.clone())], Repeat::Safe)
            }
        };
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let done = aws.client.query(Api::Iam, Signer::Administrator, action, &parameters, repeat).await;
        let deletes =
            matches!(step, Step::DeletePolicy(_) | Step::DeleteRole(_) | Step::DeleteProvider { .. });
        match done {
            Ok(answer) => {
                aws.written.store(true, Ordering::Relaxed);
                let made = self.is_what_was_made(&answer);
                made.map_err(|refusal| refusal.error(&format!("{action} in {aws}"), ""))?;
            }
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
