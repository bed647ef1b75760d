//! PURE. What a login needs at AWS to be asked by `keyless audit --cloud`.

use crate::{error::Code, federation::cloud::AuditRights};

pub(crate) static RIGHTS: AuditRights = AuditRights {
    refused: Code::AwsForbidden,
    permissions: &["iam:GetAccessKeyLastUsed", "iam:GetRole", "iam:ListAccessKeys", "sts:GetAccessKeyInfo"],
    grant: r#"# AWS: in the account whose users and roles the cluster names.
: "${ACCOUNT:?the ID of the account}" "${ROLE:?the name of the role that audits}"
aws iam create-policy --policy-name keyless-audit --policy-document '{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": ["iam:GetAccessKeyLastUsed", "iam:GetRole", "iam:ListAccessKeys", "sts:GetAccessKeyInfo"],
    "Resource": "*"
  }]
}'
aws iam attach-role-policy --role-name "$ROLE" --policy-arn "arn:aws:iam::$ACCOUNT:policy/keyless-audit"
"#,
};
