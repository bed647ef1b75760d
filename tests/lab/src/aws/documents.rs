//! What IAM accepts as a policy document (IAM user guide, "IAM JSON policy elements reference").

use serde_json::Value;

use super::error::{Refusal, Result};
use super::policy::{statements, texts};

const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
const OPERATORS: [&str; 28] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
    "BoolIfExists",
];

/// The document as a value
pub(crate) fn read(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(Value::is_object)
}

/// A trust policy
pub(crate) fn trust(text: &str) -> Result<Value> {
    let document = read(text).ok_or_else(|| Refusal::malformed("This policy contains invalid Json"))?;
    for statement in shape(&document)? {
        if has(statement, "Resource") {
            return Err(Refusal::malformed("Has prohibited field Resource"));
        }
        if !statement["Principal"].is_object() && statement["Principal"] != "*" {
            return Err(Refusal::malformed("Missing required field Principal"));
        }
        for (kind, who) in statement["Principal"].as_object().into_iter().flatten() {
            let known = ["AWS", "Service", "Federated", "CanonicalUser"].contains(&kind.as_str());
            if !known || texts(who).is_empty() {
                return Err(Refusal::malformed("Invalid principal in policy"));
            }
            let invalid = |it: &String| !it.starts_with("arn:aws") && !it.contains('.');
            if kind == "Federated" && texts(who).iter().any(invalid) {
                let message = "Federated principals must be valid domain names or SAML metadata ARNs";
                return Err(Refusal::malformed(message));
            }
        }
        let actions = texts(&statement["Action"]);
        if !actions.iter().all(|action| action.to_ascii_lowercase().starts_with("sts:")) {
            return Err(Refusal::malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
    }
    if text.chars().filter(|c| !c.is_whitespace()).count() > 2048 {
        let message = "Cannot exceed quota for ACLSizePerRole: 2048";
        return Err(Refusal::new(409, "LimitExceeded", message));
    }
    Ok(document)
}

/// A permissions policy
pub(crate) fn permissions(text: &str) -> Result<Value> {
    let document = read(text).ok_or_else(|| Refusal::malformed("Syntax errors in policy."))?;
    for statement in shape(&document)? {
        if has(statement, "Principal") {
            return Err(Refusal::malformed("Policy document should not specify a principal."));
        }
        if !has(statement, "Resource") {
            return Err(Refusal::malformed("Policy statement must contain resources."));
        }
        let named = |element: &str| {
            texts(&statement[element]).into_iter().chain(texts(&statement[format!("Not{element}")]))
        };
        if let Some(odd) = named("Resource").find(|it| it != "*" && !it.starts_with("arn:")) {
            let message = format!("Resource {odd} must be in ARN format or \"*\".");
            return Err(Refusal::malformed(message));
        }
        if named("Action").any(|it| it != "*" && !it.contains(':')) {
            let message = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
            return Err(Refusal::malformed(message));
        }
    }
    Ok(document)
}

fn has(statement: &Value, element: &str) -> bool {
    !statement[element].is_null() || !statement[format!("Not{element}")].is_null()
}

/// What both kinds have in common
fn shape(document: &Value) -> Result<Vec<&Value>> {
    let syntax = || Refusal::malformed("Syntax errors in policy.");
    let version = &document["Version"];
    if !version.is_null() && !VERSIONS.iter().any(|known| version == known) {
        return Err(Refusal::malformed("Policy document must be version 2012-10-17 or greater."));
    }
    let members = document.as_object().into_iter().flatten();
    if members.map(|(name, _)| name.as_str()).any(|name| !["Version", "Id", "Statement"].contains(&name)) {
        return Err(syntax());
    }
    let statements = statements(document);
    if statements.is_empty() {
        return Err(syntax());
    }
    for statement in &statements {
        let members = statement.as_object().ok_or_else(syntax)?;
        if members.keys().any(|name| !ELEMENTS.contains(&name.as_str())) {
            return Err(syntax());
        }
        if statement["Effect"] != "Allow" && statement["Effect"] != "Deny" {
            return Err(syntax());
        }
        if !has(statement, "Action") {
            return Err(Refusal::malformed("Policy statement must contain actions."));
        }
        let lists = ["Action", "NotAction", "Resource", "NotResource"];
        let broken = |name: &str| !statement[name].is_null() && texts(&statement[name]).is_empty();
        if lists.into_iter().any(broken) {
            return Err(syntax());
        }
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            let plain = operator.split_once(':').map_or(operator.as_str(), |(_, plain)| plain);
            let plain = plain.strip_suffix("IfExists").unwrap_or(plain);
            if !OPERATORS.contains(&plain) || !keys.is_object() {
                return Err(Refusal::malformed(format!("Invalid Condition type : {operator}.")));
            }
        }
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_documents_are_refused() {
        let rest = r#""Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::1:x"}"#;
        assert!(trust(&format!(r#"{{"Statement":{{"Effect":"Allow",{rest}}}}}"#)).is_ok());
        for bad in [
            "".to_owned(),
            "[]".into(),
            "{}".into(),
            r#"{"Statement":[]}"#.into(),
            format!(r#"{{"Version":"2020-01-01","Statement":{{"Effect":"Allow",{rest}}}}}"#),
            format!(r#"{{"Statement":{{"Effect":"allow",{rest}}}}}"#),
            format!(r#"{{"Statement":{{"Effect":"Allow","Resource":"*",{rest}}}}}"#),
            format!(r#"{{"Statement":{{"Effect":"Allow","Extra":"*",{rest}}}}}"#),
            format!(r#"{{"Statement":{{"Effect":"Allow","Condition":{{"Like":{{"a":"b"}}}},{rest}}}}}"#),
            r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity"}}"#.into(),
            r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Principal":"*"}}"#.into(),
        ] {
            assert_eq!(trust(&bad).unwrap_err().code, "MalformedPolicyDocument", "{bad}");
        }
        assert!(permissions(r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}"#).is_ok());
        for bad in [
            r#"{"Statement":{"Effect":"Allow","Action":"a:b"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a","Resource":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"name"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Principal":"*"}}"#,
        ] {
            assert_eq!(permissions(bad).unwrap_err().code, "MalformedPolicyDocument", "{bad}");
        }
    }
}
