//! What is trusted now.

use futures::future::join_all;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{
    Aws,
    api::Signer,
    place::Api,
    policy,
    refusal::{Outcome, Refusal},
    wanted::{TAG, provider_arn},
};
use crate::{
    error::{Code, Error, Result},
    federation::Trust,
    retry::Repeat,
    xml::Element,
};

/// How many pages of a list are read.
const MOST_PAGES: usize = 100;

/// The OIDC provider of the issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) client_ids: Vec<String>,
    /// The value of our tag.
    pub(super) mark: Option<String>,
}

/// One role.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Role {
    /// `None`: it cannot be read.
    pub(super) trust: Option<Value>,
    pub(super) mark: Option<String>,
    /// The policy that keyless writes.
    pub(super) policy: Option<Policy>,
    /// Other policies that it has, by name.
    pub(super) others: Vec<String>,
}

/// A role of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    /// It is known to lie in a path of IAM other than `/`.
    pub(super) is_in_path: bool,
}

/// The policy of a role. `None`: it is no JSON.
pub(super) type Policy = Option<Value>;

impl Aws {
    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Outcome<Element> {
        self.client.query(Api::Iam, Signer::Administrator, action, parameters, Repeat::Safe).await
    }

    /// Refuses another account than the settings name.
    pub(super) async fn check_account(&self) -> Result<()> {
        let answer = self
            .client
            .query(Api::Sts, Signer::Administrator, "GetCallerIdentity", &[], Repeat::Safe)
            .await
            .map_err(|refusal| refusal.error("asking whose the credentials are", "sts:GetCallerIdentity"))?;
        let account = answer.text_at(&["GetCallerIdentityResult", "Account"]).unwrap_or_default();
        let wanted = &self.settings.account;
        if account == wanted {
            return Ok(());
        }
        Err(Error::failed(
            Code::AwsOtherAccount,
            format!(
                "the AWS credentials are of the account {}, and aws.account is {wanted}",
                account.escape_debug()
            ),
        )
        .hint("log in to that account: AWS_PROFILE, or `aws sso login`")
        .hint("or correct aws.account"))
    }

    /// The OIDC provider of this ARN.
    pub(super) async fn provider(&self, arn: &str) -> Result<Option<Provider>> {
        match self.iam("GetOpenIDConnectProvider", &[("OpenIDConnectProviderArn", arn)]).await {
            Ok(answer) => {
                let result = answer.get("GetOpenIDConnectProviderResult").cloned().unwrap_or_default();
                let (asked, url) = (arn.split_once("oidc-provider/"), result.text_at(&["Url"]));
                let bare = url.map(|url| url.strip_prefix("https://").unwrap_or(url));
                if bare.is_none() || bare != asked.map(|(_, url)| url) {
                    let refusal = Refusal::about_another(Api::Iam, arn, url);
                    return Err(refusal.error(&format!("looking at {arn}"), ""));
                }
                let client_ids =
                    result.members("ClientIDList").map(|member| member.text().to_owned()).collect();
                Ok(Some(Provider { client_ids, mark: mark(&result) }))
            }
            Err(refusal) if refusal.is_absent() => Ok(None),
            Err(refusal) => Err(refusal
                .error(&format!("looking at {arn}"), &format!("iam:GetOpenIDConnectProvider on {arn}"))),
        }
    }

    /// The role that the settings name.
    pub(super) async fn role(&self) -> Result<Option<Role>> {
        let name = self.settings.role.as_str();
        let refused = |refusal: Refusal, action: &str| {
            refusal.error(
                &format!("looking at the role {name}"),
                &format!("iam:{action} on {}", self.role_arn()),
            )
        };
        let answer = match self.iam("GetRole", &[("RoleName", name)]).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_absent() => return Ok(None),
            Err(refusal) => return Err(refused(refusal, "GetRole")),
        };
        let role = answer.at(&["GetRoleResult", "Role"]).cloned().unwrap_or_default();
        is_about(&role, &[("Arn", &self.role_arn()), ("RoleName", name)])
            .map_err(|refusal| refused(refusal, "GetRole"))?;
        let trust = role.text_at(&["AssumeRolePolicyDocument"]).and_then(document);
        let (policy, inline, attached) = futures::join!(
            self.policy(),
            self.pages("ListRolePolicies", "RoleName", name),
            self.pages("ListAttachedRolePolicies", "RoleName", name),
        );
        let policy = policy.map_err(|refusal| refused(refusal, "GetRolePolicy"))?;
        let inline = inline.map_err(|refusal| refused(refusal, "ListRolePolicies"))?;
        let attached = attached.map_err(|refusal| refused(refusal, "ListAttachedRolePolicies"))?;
        let inline = inline.iter().flat_map(|page| page.members("PolicyNames")).map(Element::text);
        let inline = inline.filter(|name| *name != policy::NAME);
        let attached = attached.iter().flat_map(|page| page.members("AttachedPolicies"));
        let attached = attached.filter_map(|policy| policy.text_at(&["PolicyName"]));
        let others = inline.chain(attached).map(str::to_owned).collect();
        Ok(Some(Role { trust, mark: mark(&role), policy, others }))
    }

    async fn policy(&self) -> Outcome<Option<Policy>> {
        let named = [("RoleName", self.settings.role.as_str()), ("PolicyName", policy::NAME)];
        match self.iam("GetRolePolicy", &named).await {
            Ok(answer) => {
                let result = answer.get("GetRolePolicyResult").cloned().unwrap_or_default();
                is_about(&result, &named)?;
                Ok(Some(result.text_at(&["PolicyDocument"]).and_then(document)))
            }
            Err(refusal) if refusal.is_absent() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The roles that trust the OIDC provider of this ARN, by name.
    pub(super) async fn roles_by(&self, arn: &str) -> Result<Vec<String>> {
        Ok(self.listed_by(arn).await?.into_iter().map(|it| it.name).collect())
    }

    /// The same, as they are listed.
    pub(super) async fn listed_by(&self, arn: &str) -> Result<Vec<Listed>> {
        let pages = self.pages("ListRoles", "PathPrefix", "/").await;
        let pages = pages.map_err(|refusal| refusal.error("listing the roles", "iam:ListRoles"))?;
        let roles = pages.iter().flat_map(|page| page.members("Roles"));
        // What cannot be read may trust it as well.
        let trusts = |role: &&Element| {
            let trust = role.text_at(&["AssumeRolePolicyDocument"]).and_then(document);
            trust.is_none_or(|trust| names_provider(&trust, arn))
        };
        let listed = |role: &Element| {
            let is_in_path = role.text_at(&["Path"]).is_some_and(|path| path != "/");
            let name = role.text_at(&["RoleName"]).filter(|name| !name.is_empty()).map(str::to_owned);
            let unnamed = || Refusal::without(Api::Iam, "a role without a name");
            let name = name.ok_or_else(|| unnamed().error("listing the roles", "iam:ListRoles"))?;
            Ok(Listed { name, is_in_path })
        };
        roles.filter(trusts).map(listed).collect()
    }

    /// The results of a list, page by page.
    async fn pages(&self, action: &str, name: &str, value: &str) -> Outcome<Vec<Element>> {
        let (mut pages, mut marker) = (Vec::new(), None::<String>);
        while pages.len() < MOST_PAGES {
            let mut parameters = vec![(name, value)];
            parameters.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let answer = self.iam(action, &parameters).await?;
            // Half an answer is no list: something would be taken for absent.
            let broken =
                |what: &str| Refusal::without(Api::Iam, &format!("an answer to {action} without {what}"));
            let page = answer.get(&format!("{action}Result")).cloned().ok_or_else(|| broken("its result"))?;
            let is_last = match page.text_at(&["IsTruncated"]) {
                Some("true") => false,
                Some("false") => true,
                _ => return Err(broken("IsTruncated")),
            };
            marker = page.text_at(&["Marker"]).filter(|marker| !marker.is_empty()).map(str::to_owned);
            pages.push(page);
            if is_last {
                return Ok(pages);
            }
            if marker.is_none() {
                return Err(broken("the marker of the next page"));
            }
        }
        Err(Refusal::without(Api::Iam, &format!("more than {MOST_PAGES} pages of {action}")))
    }

    /// What the workloads share, and what each has for itself.
    pub(super) async fn observe_each(
        &self,
        want: &Trust,
    ) -> Result<(Option<Provider>, Vec<(Self, Result<Option<Role>>)>)> {
        let each: Vec<_> = want.workloads.iter().map(|workload| self.of_workload(workload)).collect();
        let arn = provider_arn(&self.settings, want);
        let role = async |aws: &Self| aws.ahead.roles.take_or(&aws.settings.role, aws.role()).await;
        let (account, provider, roles) = futures::join!(
            self.ahead.account.take_or(&(), self.check_account()),
            self.ahead.providers.take_or(&arn, self.provider(&arn)),
            join_all(each.iter().map(role))
        );
        // What was seen counts in the right account alone.
        account?;
        Ok((provider?, each.into_iter().zip(roles).collect()))
    }
}

/// Whether a trust policy names the provider of this ARN, anywhere in it and in whatever form. Another issuer may begin as
/// this one; a pattern may mean both.
fn names_provider(trust: &Value, arn: &str) -> bool {
    let names = |text: &str| text == arn || text.contains(arn) && text.contains(['*', '?']);
    match trust {
        Value::String(text) => names(text),
        Value::Array(items) => items.iter().any(|item| names_provider(item, arn)),
        Value::Object(members) => {
            members.iter().any(|(name, value)| names(name) || names_provider(value, arn))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Refuses an answer about another object than was asked for.
pub(super) fn is_about(answer: &Element, asked: &[(&str, &str)]) -> Outcome<()> {
    for (member, asked) in asked {
        let seen = answer.text_at(&[*member]);
        if seen != Some(*asked) {
            return Err(Refusal::about_another(Api::Iam, asked, seen));
        }
    }
    Ok(())
}

fn mark(object: &Element) -> Option<String> {
    let ours = |tag: &&Element| tag.text_at(&["Key"]) == Some(TAG);
    object.members("Tags").find(ours).map(|tag| tag.text_at(&["Value"]).unwrap_or_default().to_owned())
}

/// A policy as IAM gives it back: JSON, encoded as in a URL.
pub(super) fn document(text: &str) -> Option<Value> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    serde_json::from_str(&text).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_form_names_its_provider() {
        const ARN: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/prod";
        let federated = |arn: &str| json!({"Statement": [{"Principal": {"Federated": arn}}]});
        let more = |end: &str| format!("{ARN}{end}");
        for trust in [
            federated(ARN),
            json!({"Statement": {"Principal": {"Federated": ["arn:x", ARN]}}}),
            json!({"Statement": [{"Principal": "*", "Condition": {"StringEquals": {"aws:FederatedProvider": ARN}}}]}),
            json!({"Statement": [{"Condition": {"StringLike": {"aws:FederatedProvider": more("*")}}}]}),
            json!({"Statement": [federated(&more("-2")), federated(ARN)]}),
        ] {
            assert!(names_provider(&trust, ARN), "{trust}");
        }
        for trust in [
            json!({}),
            federated(&more("-2")),
            federated(&more("/eu")),
            federated(&more(".old")),
            federated(&ARN.replace("oidc-provider/", "oidc-provider/x/")),
            json!({"Statement": [{"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}]}),
            json!({"Statement": [{"Condition": {"StringEquals": {"oidc.example.com/prod:sub": "x"}}}]}),
        ] {
            assert!(!names_provider(&trust, ARN), "{trust}");
        }
    }
}
