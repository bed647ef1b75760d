//! What `setup` asks of AWS.

use super::{PLAN, Row, Table, read};

pub(crate) const AWS: Table = Table { title: "AWS", rows: &ROWS, login: None };

/// A call that waits for others.
pub(super) const fn act(
    name: &'static str,
    call: (&'static str, &'static str, &'static str),
    needs: &'static [(&'static str, &'static str)],
) -> Row {
    Row { name, call, times: 1, needs }
}

const KEYS: (&str, &str, &str) = ("iam", "POST", "ListAccessKeys");
const LAST_USED: (&str, &str, &str) = ("iam", "POST", "GetAccessKeyLastUsed");

const ROWS: [Row; 18] = [
    // Of the account, and with each look at the key: nothing else tells whose keys are listed.
    Row { times: 6, ..read("ask whose the login is", ("sts", "POST", "GetCallerIdentity")) },
    read("look at the role", ("iam", "POST", "GetRole")),
    read("look at the identity provider", ("iam", "POST", "GetOpenIDConnectProvider")),
    read("ask when the old key was used last", LAST_USED),
    read("look at the old key", KEYS),
    act("make the identity provider", ("iam", "POST", "CreateOpenIDConnectProvider"), &[PLAN]),
    act(
        "make the role",
        ("iam", "POST", "CreateRole"),
        &[("make the identity provider", "its trust names the identity provider")],
    ),
    act(
        "let the role read the secret",
        ("iam", "POST", "PutRolePolicy"),
        &[("make the role", "the policy is one of the role")],
    ),
    act(
        "exchange a token of the workload",
        ("sts", "POST", "AssumeRoleWithWebIdentity"),
        &[("make the role", "the role must let the token in")],
    ),
    act(
        "read the secret with it",
        ("secretsmanager", "POST", "GetSecretValue"),
        &[
            ("exchange a token of the workload", "it is signed with what was exchanged"),
            ("let the role read the secret", "it must be allowed to"),
        ],
    ),
    act(
        "ask whether the old key was used since",
        LAST_USED,
        &[("read the secret with it", "the store turns to what has read a secret, and then leaves the key")],
    ),
    act(
        "look at the old key right before it is disabled",
        KEYS,
        &[("read the secret with it", "the old way stays until the new one has read a secret")],
    ),
    act(
        "disable the old key",
        ("iam", "POST", "UpdateAccessKey"),
        &[
            ("look at the old key right before it is disabled", "IAM takes no condition along with a write"),
            ("ask whether the old key was used since", "a user that is not known may use it"),
        ],
    ),
    act(
        "see that the old key is disabled",
        KEYS,
        &[("disable the old key", "the effect of an act is never taken for granted")],
    ),
    act(
        "look at the old key right before it is deleted",
        KEYS,
        &[("see that the old key is disabled", "it is deleted only when nothing broke without it")],
    ),
    act(
        "delete the old key",
        ("iam", "POST", "DeleteAccessKey"),
        &[(
            "look at the old key right before it is deleted",
            "no key is deleted that another user has enabled again",
        )],
    ),
    act(
        "see that the old key is gone",
        KEYS,
        &[("delete the old key", "the effect of an act is never taken for granted")],
    ),
    // No call waits for its answer.
    read("open the way to Secrets Manager", ("secretsmanager", "HEAD", "/")),
];
