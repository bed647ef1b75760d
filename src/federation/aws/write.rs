//! Rights to write: asked for, and nothing is written.
//!
//! `iam:SimulatePrincipalPolicy` knows the policies of the role. It knows neither the policy of a secret nor that of a
//! customer's key. So a right counts as held only if the secret has neither; else it is not proved.

use serde_json::{Value, json};

use super::{
    Aws, Service,
    api::Signer,
    place::Api,
    policy,
    refusal::{Outcome, Refusal},
    trials::is_about,
};
use crate::xml::Element;
use crate::{
    federation::{Right, judged::Seen},
    retry::Repeat,
};

/// The keys of the services themselves, which every user of the service may use.
const OWN_KEYS: [&str; 2] = ["alias/aws/secretsmanager", "alias/aws/ssm"];

/// Asks as the administrator.
pub(super) async fn write(aws: &Aws, right: &Right) -> Seen {
    let Ok(given) = policy::gives([right], &aws.settings) else {
        return Seen::NotProved("the right names no secret of this account".to_owned());
    };
    for (resource, action) in &given {
        match simulate(aws, action, resource).await {
            Ok(decision) if decision == "allowed" => {}
            Ok(decision) if ["implicitDeny", "explicitDeny"].contains(&decision.as_str()) => {
                return Seen::Failed {
                    seen: format!("not held: {action} on {resource} ({decision})"),
                    cause: format!(
                        "the policies of the role {} do not give this right, or deny it",
                        aws.settings.role
                    ),
                    remedy: "run `keyless setup`, which shows what it takes and grants it".to_owned(),
                    of_the_thing: false,
                };
            }
            Ok(_) => return Seen::NotProved("IAM gives no decision that keyless knows".to_owned()),
            Err(refusal) => {
                return Seen::NotProved(format!(
                    "AWS can be asked only with iam:SimulatePrincipalPolicy on {} ({})",
                    aws.role_arn(),
                    refusal.summary()
                ));
            }
        }
    }
    let Some(secret) = right.secret().filter(|_| !given.is_empty()) else {
        return Seen::NotProved("the right names no secret".to_owned());
    };
    match beyond(aws, secret).await {
        Ok(None) => Seen::Passed("held by the policies of the role (asked for, not used)".to_owned()),
        Ok(Some(why)) => Seen::NotProved(format!("the policies of the role give it, but {why}")),
        Err(refusal) => Seen::NotProved(format!(
            "the policies of the role give it, but whether the secret has a policy or key of its own is not known ({})",
            refusal.summary()
        )),
    }
}

/// What IAM decides (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>).
async fn simulate(aws: &Aws, action: &str, resource: &str) -> Outcome<String> {
    let role = aws.role_arn();
    let parameters = [
        ("PolicySourceArn", role.as_str()),
        ("ActionNames.member.1", action),
        ("ResourceArns.member.1", resource),
    ];
    let asked = aws.client.query(
        Api::Iam,
        Signer::Administrator,
        "SimulatePrincipalPolicy",
        &parameters,
        Repeat::Safe,
    );
    let answer = asked.await?;
    let result = answer.get("SimulatePrincipalPolicyResult").cloned().unwrap_or_default();
    decision(&result, action, resource)
}

/// The one decision, if it is about what was asked.
fn decision(result: &Element, action: &str, resource: &str) -> Outcome<String> {
    let results: Vec<_> = result.members("EvaluationResults").collect();
    let [one] = results[..] else {
        return Err(Refusal::without(Api::Iam, &format!("{} decisions on one action", results.len())));
    };
    for (member, asked) in [("EvalActionName", action), ("EvalResourceName", resource)] {
        let seen = one.text_at(&[member]);
        if seen != Some(asked) {
            return Err(Refusal::about_another(Api::Iam, asked, seen));
        }
    }
    Ok(one.text_at(&["EvalDecision"]).unwrap_or_default().to_owned())
}

/// What decides beside the policies of the role: a clause. `None`: nothing does.
async fn beyond(aws: &Aws, secret: &str) -> Outcome<Option<String>> {
    if aws.settings.kms_key.is_some() {
        return Ok(Some("aws.kmsKey has a policy of its own, which IAM does not look at".to_owned()));
    }
    let Some((key, has_policy)) = of_secret(aws, secret).await? else {
        // What the operator creates has no policy, and the key of the service.
        return Ok(None);
    };
    Ok(match key {
        Some(key) if !OWN_KEYS.iter().any(|own| key.ends_with(own)) => Some(format!(
            "the secret is encrypted with {}, whose policy IAM does not look at",
            key.escape_debug()
        )),
        _ if has_policy => Some("the secret has a policy of its own, which IAM does not look at".to_owned()),
        _ => None,
    })
}

/// Its key if one is named, and whether it has a policy of its own. `None`: there is no such secret.
async fn of_secret(aws: &Aws, secret: &str) -> Outcome<Option<(Option<String>, bool)>> {
    let ask = |action: &'static str, body: Value| async move {
        let api = aws.settings.service.api();
        match aws.client.json(api, Signer::Administrator, action, &body).await {
            Ok(answer) => Ok(Some(answer)),
            Err(refusal) if refusal.is_absent() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    };
    match aws.settings.service {
        Service::SecretsManager => {
            let Some(described) = ask("DescribeSecret", json!({ "SecretId": secret })).await? else {
                return Ok(None);
            };
            is_about(&aws.settings, secret, &described["ARN"])?;
            let Some(policy) = ask("GetResourcePolicy", json!({ "SecretId": secret })).await? else {
                return Ok(None);
            };
            is_about(&aws.settings, secret, &policy["ARN"])?;
            Ok(Some((text(&described["KmsKeyId"]), !policy["ResourcePolicy"].is_null())))
        }
        Service::ParameterStore => {
            let filter = json!({ "Key": "Name", "Option": "Equals", "Values": [secret] });
            let described = ask("DescribeParameters", json!({ "ParameterFilters": [filter] })).await?;
            let described = described.unwrap_or_default();
            let no_list = || Refusal::without(Api::Ssm, "no Parameters");
            let Some(one) = described["Parameters"].as_array().ok_or_else(no_list)?.first() else {
                return Ok(None);
            };
            is_about(&aws.settings, secret, &one["ARN"])?;
            let Some(policies) = ask("GetResourcePolicies", json!({ "ResourceArn": one["ARN"] })).await?
            else {
                return Ok(None);
            };
            let none = policies["Policies"].as_array().is_some_and(Vec::is_empty);
            Ok(Some((text(&one["KeyId"]), !none)))
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
