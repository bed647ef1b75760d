//! PURE. Whom the trust policy of a role lets in.

use serde_json::Value;

use super::named::RoleArn;
use crate::federation::{Subject, cloud::Admits, own_issuer::ISSUER_NOT_KNOWN};

/// How the cluster comes to the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// With a token of a ServiceAccount.
    Token,
    /// From another login, which the store makes first.
    Login,
}

/// What is the cluster's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    /// `None`: not known.
    pub(super) issuer: Option<&'a str>,
    /// The roles that its stores become: whom each of them lets in is judged too.
    pub(super) roles: &'a [&'a RoleArn],
}

/// Whether it takes the issuer of the cluster to judge it.
pub(super) fn names_issuer(document: &Value) -> bool {
    document.to_string().contains(":oidc-provider/")
}

/// Actions that alone let none in.
const NO_LOGIN: [&str; 3] = ["sts:tagsession", "sts:setsourceidentity", "sts:setcontext"];

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
pub(super) fn admits(document: &Value, by: By, own: Own<'_>) -> Admits {
    let statements = match &document["Statement"] {
        Value::Array(all) => all.iter().collect(),
        one @ Value::Object(_) => vec![one],
        _ => return Admits::NotKnown("it has no statements"),
    };
    let (mut more, mut unknown, mut denies) = (None, None, false);
    for statement in statements {
        match statement["Effect"].as_str() {
            Some("Allow") => match of_statement(statement, by, own) {
                Admits::Named => {}
                Admits::More(who) => more = more.or(Some(who)),
                Admits::NotKnown(why) => unknown = unknown.or(Some(why)),
            },
            Some("Deny") => denies = true,
            _ => return Admits::NotKnown("a statement neither allows nor denies"),
        }
    }
    match (more, unknown) {
        // What is denied may be exactly that.
        (Some(_), _) if denies => Admits::NotKnown("it also denies"),
        (Some(who), _) => Admits::More(who),
        (None, Some(why)) => Admits::NotKnown(why),
        (None, None) => Admits::Named,
    }
}

fn of_statement(statement: &Value, by: By, own: Own<'_>) -> Admits {
    let Some(actions) = texts(&statement["Action"]) else {
        return Admits::NotKnown("a statement has no list of actions");
    };
    if actions.iter().all(|action| NO_LOGIN.contains(&action.to_ascii_lowercase().as_str())) {
        return Admits::Named;
    }
    let principals = match (&statement["Principal"], &statement["NotPrincipal"]) {
        (Value::String(everyone), Value::Null) if everyone == "*" => {
            return Admits::More("everyone (Principal: *)".into());
        }
        (Value::Object(principals), Value::Null) if !principals.is_empty() => principals,
        (Value::Null, not) if !not.is_null() => {
            return Admits::More("everyone but a few (NotPrincipal)".into());
        }
        _ => return Admits::NotKnown("a statement names its principals in a form that is not known"),
    };
    let mut unknown = None;
    for (kind, names) in principals {
        let Some(names) = texts(names) else {
            return Admits::NotKnown("a statement names its principals in a form that is not known");
        };
        for name in names {
            match of_principal(kind, name, &statement["Condition"], by, own) {
                Admits::Named => {}
                more @ Admits::More(_) => return more,
                Admits::NotKnown(why) => unknown = Some(why),
            }
        }
    }
    unknown.map_or(Admits::Named, Admits::NotKnown)
}

fn of_principal(kind: &str, name: &str, condition: &Value, by: By, own: Own<'_>) -> Admits {
    let shown = name.escape_debug();
    match kind {
        "AWS" if name == "*" => Admits::More("everyone (AWS: *)".into()),
        "AWS" if by == By::Login && is_role(name) => match own.roles.iter().any(|role| is_of(name, role)) {
            true => Admits::Named,
            false => Admits::More(format!("the role {shown}, which no store becomes")),
        },
        "AWS" => Admits::More(format!("the AWS principal {shown}, with whatever keys it has")),
        "Service" => Admits::More(format!("the AWS service {shown}")),
        "Federated" => match name.split_once(":oidc-provider/") {
            Some((_, issuer)) => of_issuer(issuer, condition, own.issuer),
            None => Admits::More(format!("the identity provider {shown}")),
        },
        _ => Admits::NotKnown("a statement names a principal of a kind that is not known"),
    }
}

/// What a condition says about one claim.
enum Claim<'a> {
    /// Exactly one of these.
    Is(Vec<&'a str>),
    /// A pattern.
    Like(&'a str),
    NotKnown,
    Nothing,
}

/// `own`: the cluster's. AWS leaves out its scheme.
fn of_issuer(issuer: &str, condition: &Value, own: Option<&str>) -> Admits {
    let issuer_shown = issuer.escape_debug();
    let subjects = match claim(condition, &format!("{issuer}:sub")) {
        Claim::Is(subjects) => subjects,
        Claim::Like(pattern) => {
            return Admits::More(format!("every subject like {} of {issuer_shown}", pattern.escape_debug()));
        }
        Claim::Nothing => {
            return Admits::More(format!("every subject of {issuer_shown}: no condition names any"));
        }
        Claim::NotKnown => return Admits::NotKnown("its condition on the subject is of another form"),
    };
    if let Some(other) = subjects.iter().find(|subject| Subject::account_of(subject).is_none()) {
        return Admits::More(format!(
            "{} of {issuer_shown}, which is no ServiceAccount",
            other.escape_debug()
        ));
    }
    match own.map(|own| own.strip_prefix("https://").unwrap_or(own)) {
        Some(own) if own != issuer => {
            return Admits::More(format!(
                "ServiceAccounts of another issuer, {issuer_shown}; this cluster's is {}",
                own.escape_debug()
            ));
        }
        _ => {}
    }
    match claim(condition, &format!("{issuer}:aud")) {
        Claim::Is(_) if own.is_none() => Admits::NotKnown(ISSUER_NOT_KNOWN),
        Claim::Is(_) => Admits::Named,
        Claim::Like(pattern) => Admits::More(format!(
            "tokens for every audience like {} of {issuer_shown}",
            pattern.escape_debug()
        )),
        Claim::Nothing => Admits::More(format!(
            "tokens for every audience that the provider {issuer_shown} takes: no condition names one"
        )),
        Claim::NotKnown => Admits::NotKnown("its condition on the audience is of another form"),
    }
}

/// All conditions must hold, so that one exact one is enough.
fn claim<'a>(condition: &'a Value, name: &str) -> Claim<'a> {
    let mut found = Claim::Nothing;
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            if !key.eq_ignore_ascii_case(name) {
                continue;
            }
            let values = texts(values).filter(|values| !values.iter().any(|value| value.contains("${")));
            let pattern =
                |values: &[&'a str]| values.iter().copied().find(|value| value.contains(['*', '?']));
            match (operator.to_ascii_lowercase().as_str(), values) {
                ("stringequals", Some(values)) => return Claim::Is(values),
                ("stringlike", Some(values)) => match pattern(&values) {
                    None => return Claim::Is(values),
                    Some(pattern) => found = Claim::Like(pattern),
                },
                _ if matches!(found, Claim::Like(_)) => {}
                _ => found = Claim::NotKnown,
            }
        }
    }
    found
}

/// A text, or a list of texts that is not empty.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(all) if !all.is_empty() => all.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// `arn:aws:iam::123456789012:role/NAME`, or a session of one.
fn is_role(arn: &str) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let ["arn", _, service, "", account, resource] = parts.as_slice() else { return false };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let kinds = [("iam", "role/"), ("sts", "assumed-role/")];
    is_account && kinds.iter().any(|(of, begin)| service == of && resource.starts_with(begin))
}

/// Whether an ARN is that of this role, or of a session of it. A session's has no path: the name is one of its account.
fn is_of(arn: &str, role: &RoleArn) -> bool {
    let of_session = || {
        let (_, rest) = arn.split_once(":sts::")?;
        let (account, rest) = rest.split_once(":assumed-role/")?;
        let (name, _) = rest.split_once('/')?;
        Some(account == role.account && name == role.name)
    };
    arn == role.text || of_session().unwrap_or_default()
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
