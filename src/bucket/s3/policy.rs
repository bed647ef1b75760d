//! PURE. The bucket policy: what lets everyone read exactly our objects, merged into what is there.

use serde_json::{Map, Value, json};

use crate::error::{Code, Error, Result};

/// How our statement is found again.
const SID: &str = "KeylessPublicDocuments";

/// The same in a bucket that this program made: the mark by which it may remove it again. Few stores know tags,
/// and some drop the `Id` of a policy.
const OWN_BUCKET_SID: &str = "KeylessPublicDocumentsInOwnBucket";

/// Whether a bucket with this policy was made by this program, and it was not opened to anything else since.
pub(super) fn marks_as_ours(policy: &str) -> Result<bool> {
    let policy = parse(policy)?;
    let statements = policy.get("Statement").and_then(Value::as_array);
    Ok(statements.is_some_and(|statements| {
        statements.iter().all(is_ours)
            && statements.iter().any(|statement| statement["Sid"] == OWN_BUCKET_SID)
    }))
}

/// The policy that lets everyone read these objects: the given one with at most one statement more, or one
/// statement longer. `None` when it does already. Nothing that is there is taken away.
/// `made`: the bucket is new, and marked as this program's.
pub(super) fn opened(policy: Option<&str>, arns: &[String], made: bool) -> Result<Option<String>> {
    let mut policy = match policy.map(str::trim).filter(|text| !text.is_empty()) {
        None => Map::from_iter([("Version".to_owned(), json!("2012-10-17"))]),
        Some(text) => parse(text)?,
    };
    let mut statements = match policy.remove("Statement") {
        None => Vec::new(),
        Some(Value::Array(statements)) => statements,
        Some(single) => vec![single],
    };
    let missing: Vec<_> =
        arns.iter().filter(|arn| !statements.iter().any(|statement| allows(statement, arn))).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    match statements.iter_mut().find(|statement| is_ours(statement)) {
        Some(ours) => {
            let mut resources: Vec<_> = strings(&ours["Resource"]).map(str::to_owned).collect();
            resources.extend(missing.into_iter().cloned());
            ours["Resource"] = json!(resources);
        }
        None => {
            let taken = |sid: &str| statements.iter().any(|statement| statement["Sid"] == sid);
            let sid = std::iter::once(if made { OWN_BUCKET_SID } else { SID }.to_owned())
                .chain((2..).map(|number| format!("{SID}{number}")))
                .find(|sid| !taken(sid));
            statements.push(json!({
                "Sid": sid,
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": missing,
            }));
        }
    }
    policy.insert("Statement".to_owned(), Value::Array(statements));
    Ok(Some(Value::Object(policy).to_string()))
}

/// The statements of ours that differ between two policies: their Sid, and both forms.
pub(super) fn changed_statements(before: Option<&str>, after: &str) -> Vec<(String, Option<Value>, Value)> {
    let statements = |text: Option<&str>| -> Vec<Value> {
        let policy: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        match policy.get("Statement") {
            Some(Value::Array(statements)) => statements.clone(),
            Some(single) => vec![single.clone()],
            None => Vec::new(),
        }
    };
    let (before, after) = (statements(before), statements(Some(after)));
    let changed = after.into_iter().filter(|statement| !before.contains(statement));
    changed
        .map(|statement| {
            let sid = statement["Sid"].as_str().unwrap_or_default().to_owned();
            let former = before.iter().find(|other| other["Sid"] == sid.as_str()).cloned();
            (sid, former, statement)
        })
        .collect()
}

fn parse(text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|error| {
        Error::failed(Code::BucketPolicy, "the bucket has a policy that is not a JSON object")
            .caused_by_chain(&error)
            .hint("look at it (`aws s3api get-bucket-policy`): nothing is put in its place")
    })
}

/// Our statement, as we write it. A statement that was changed by hand belongs to the user.
fn is_ours(statement: &Value) -> bool {
    let sid = statement["Sid"].as_str().unwrap_or_default();
    sid.starts_with(SID)
        && statement["Effect"] == "Allow"
        && is_everyone(&statement["Principal"])
        && strings(&statement["Action"]).eq(["s3:GetObject"])
        && !statement["Resource"].is_null()
        && ["Condition", "NotPrincipal", "NotAction", "NotResource"]
            .iter()
            .all(|key| statement.get(key).is_none())
}

/// Whether everyone may read the object by this statement, without any condition.
fn allows(statement: &Value, arn: &str) -> bool {
    statement["Effect"] == "Allow"
        && statement.get("Condition").is_none()
        && is_everyone(&statement["Principal"])
        && strings(&statement["Action"]).any(|action| matches(&action.to_ascii_lowercase(), "s3:getobject"))
        && strings(&statement["Resource"]).any(|resource| matches(resource, arn))
}

fn is_everyone(principal: &Value) -> bool {
    principal == "*" || strings(&principal["AWS"]).any(|principal| principal == "*")
}

/// One string or a list of them: policies have both.
fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_str)
}

/// `*` matches any text, `?` one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, seen)) = star else { return false };
                star = Some((at, seen + 1));
                p = at + 1;
                t = seen + 1;
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "arn:aws:s3:::b/openid/v1/jwks";
    const DISCOVERY: &str = "arn:aws:s3:::b/.well-known/openid-configuration";

    fn open(policy: Option<&Value>, arns: &[&str]) -> Option<Value> {
        let arns: Vec<_> = arns.iter().map(|&arn| arn.to_owned()).collect();
        let text = policy.map(ToString::to_string);
        let opened = opened(text.as_deref(), &arns, false).unwrap()?;
        Some(serde_json::from_str(&opened).unwrap())
    }

    fn with(statement: Value) -> Value {
        json!({"Version": "2012-10-17", "Id": "theirs", "Statement": statement})
    }

    #[test]
    fn missing_policy_becomes_our_statement_alone() {
        let ours = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": SID, "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": [DISCOVERY, KEYS],
        }]});
        assert_eq!(open(None, &[DISCOVERY, KEYS]), Some(ours.clone()));
        assert_eq!(open(Some(&ours), &[KEYS, DISCOVERY]), None);
    }

    #[test]
    fn nothing_is_dropped() {
        let theirs = json!({"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        for policy in [with(json!([theirs])), with(theirs.clone())] {
            let opened = open(Some(&policy), &[KEYS]).unwrap();
            assert_eq!(opened["Id"], "theirs");
            assert_eq!(opened["Statement"][0], theirs);
            assert_eq!(opened["Statement"][1]["Resource"], json!([KEYS]));
            assert_eq!(opened["Statement"].as_array().unwrap().len(), 2);
        }
    }

    #[test]
    fn another_clusters_documents_stay_open() {
        let first = open(None, &["arn:aws:s3:::b/one/openid/v1/jwks"]).unwrap();
        let both = open(Some(&first), &["arn:aws:s3:::b/two/openid/v1/jwks"]).unwrap();
        let resources = json!(["arn:aws:s3:::b/one/openid/v1/jwks", "arn:aws:s3:::b/two/openid/v1/jwks"]);
        assert_eq!(both["Statement"][0]["Resource"], resources);
        assert_eq!(both["Statement"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_is_open_already_is_seen() {
        for (principal, action, resource) in [
            (json!("*"), json!("s3:GetObject"), json!(KEYS)),
            (json!({"AWS": "*"}), json!(["s3:ListBucket", "s3:Get*"]), json!("arn:aws:s3:::b/*")),
            (json!({"AWS": ["*"]}), json!("s3:*"), json!(["arn:aws:s3:::b/openid/v?/jwks"])),
            (json!("*"), json!("*"), json!("*")),
            (json!("*"), json!("S3:getobject"), json!("arn:aws:s3:::*jwks")),
        ] {
            let statement =
                json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource});
            assert_eq!(open(Some(&with(statement.clone())), &[KEYS]), None, "{statement}");
        }
    }

    #[test]
    fn lookalike_public_statements_are_not_open() {
        let open_to_all =
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": KEYS});
        for (key, value) in [
            ("Effect", json!("Deny")),
            ("Principal", json!({"AWS": "arn:aws:iam::123456789012:root"})),
            ("Principal", json!({"Service": "*"})),
            ("Action", json!("s3:GetObjectAcl")),
            ("Action", json!("s3:PutObject")),
            ("Resource", json!("arn:aws:s3:::b/openid/v1/jwks2")),
            ("Resource", json!("arn:aws:s3:::b")),
            ("Condition", json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
        ] {
            let mut statement = open_to_all.clone();
            statement[key] = value;
            let opened = open(Some(&with(json!([statement]))), &[KEYS]).expect("it is not open");
            assert_eq!(opened["Statement"][0], statement);
            assert_eq!(opened["Statement"][1]["Resource"], json!([KEYS]));
        }
    }

    #[test]
    fn altered_statement_of_ours_is_kept() {
        let changed = json!({"Sid": SID, "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "x"});
        let opened = open(Some(&with(json!([changed]))), &[KEYS]).unwrap();
        assert_eq!(opened["Statement"][0], changed);
        assert_eq!(opened["Statement"][1]["Sid"], format!("{SID}2"));
    }

    #[test]
    fn malformed_policy_is_not_replaced() {
        for text in ["[]", "<html>", "{\"Statement\":"] {
            assert_eq!(
                opened(Some(text), &[KEYS.to_owned()], false).unwrap_err().code,
                Code::BucketPolicy,
                "{text}"
            );
        }
    }

    #[test]
    fn only_our_statement_shows_as_changed() {
        let theirs =
            json!({"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"});
        let before = with(theirs).to_string();
        let first = opened(Some(&before), &[KEYS.to_owned()], false).unwrap().unwrap();
        let shown = changed_statements(Some(&before), &first);
        let [(sid, None, after)] = &shown[..] else { panic!("{shown:?}") };
        assert_eq!((sid.as_str(), &after["Resource"]), (SID, &json!([KEYS])));
        let second = opened(Some(&first), &[DISCOVERY.to_owned()], false).unwrap().unwrap();
        let shown = changed_statements(Some(&first), &second);
        assert_eq!(shown[0].1.as_ref().unwrap()["Resource"], json!([KEYS]));
        assert_eq!(shown[0].2["Resource"], json!([KEYS, DISCOVERY]));
        assert_eq!(changed_statements(Some(&second), &second), []);
    }

    #[test]
    fn wildcards() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("a?c", "ac", false),
            ("**b", "aab", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("?", "a", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
