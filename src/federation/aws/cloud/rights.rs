//! PURE. What a login needs at AWS to be asked by `keyless audit --cloud`.

use serde_json::json;

use crate::{error::Code, federation::cloud::AuditRights};

const PERMISSIONS: [&str; 4] =
    ["iam:GetAccessKeyLastUsed", "iam:GetRole", "iam:ListAccessKeys", "sts:GetAccessKeyInfo"];

pub(crate) static RIGHTS: AuditRights = AuditRights {
    refused: Code::AwsForbidden,
    permissions: || PERMISSIONS.map(str::to_owned).to_vec(),
    grant,
};

fn grant() -> String {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": PERMISSIONS, "Resource": "*" }],
    });
    format!(
        r#"# AWS: in the account whose users and roles the cluster names.
: "${{ACCOUNT:?the ID of the account}}" "${{ROLE:?the name of the role that audits}}"
aws iam create-policy --policy-name keyless-audit --policy-document '{policy:#}'
aws iam attach-role-policy --role-name "$ROLE" --policy-arn "arn:aws:iam::$ACCOUNT:policy/keyless-audit"
"#
    )
}
