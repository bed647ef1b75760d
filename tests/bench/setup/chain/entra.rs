//! What `setup` asks of Entra, Azure Resource Manager, Microsoft Graph and Key Vault.

use super::aws::act;
use super::{PLAN, Row, Table, read};

pub(crate) const ENTRA: Table = Table { title: "Entra", rows: &ROWS, login: Some(LOGIN) };

const LOGIN: &str = "get a token of the administrator";
const TOKEN: (&str, &str, &str) = ("login", "POST", "/oauth2/v2.0/token");
const IDENTITY: (&str, &str, &str) = ("management", "GET", "/userAssignedIdentities/keyless-bench?");
const PRINCIPAL: (&str, &str, &str) = ("graph", "GET", "/servicePrincipals(");
const AGAIN: &str =
    "Resource Manager replaces with the call that creates, and takes no condition along with it";

const ROWS: [Row; 27] = [
    // For Resource Manager, and for Graph.
    Row { times: 2, ..read(LOGIN, TOKEN) },
    read(
        "look at the subscription",
        ("management", "GET", "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee?"),
    ),
    read("look at the resource group", ("management", "GET", "/resourceGroups/platform?")),
    read("look at the vault", ("management", "GET", "/vaults/acmevault?")),
    read("look at the identity", IDENTITY),
    read("look at the old secret", PRINCIPAL),
    // With each look at the old secret, and at the same time.
    Row {
        times: 5,
        ..read("look at the application of the old secret", ("graph", "GET", "$select=appId,signInAudience"))
    },
    Row {
        times: 5,
        ..read("look at the application's other logins", ("graph", "GET", ")/federatedIdentityCredentials"))
    },
    // With each look at the identity once it is there, and at the same time.
    Row {
        times: 2,
        ..read(
            "look at what the identity lets in",
            ("management", "GET", "/keyless-bench/federatedIdentityCredentials?"),
        )
    },
    Row { times: 2, ..read("look at the roles of the identity", ("management", "GET", "/roleAssignments?")) },
    act("see that there is no such identity yet", IDENTITY, &[PLAN]),
    act(
        "make the identity",
        ("management", "PUT", "/userAssignedIdentities/keyless-bench?"),
        &[("see that there is no such identity yet", AGAIN)],
    ),
    act(
        "look at the identity right before it lets a token in",
        IDENTITY,
        &[("make the identity", "it must be there")],
    ),
    act(
        "let the workload's token in",
        ("management", "PUT", "/federatedIdentityCredentials/keyless?"),
        &[("look at the identity right before it lets a token in", AGAIN)],
    ),
    act(
        "look at the identity right before it is given a role",
        IDENTITY,
        &[("let the workload's token in", "what it is given, all whom it lets in are given")],
    ),
    act(
        "let the identity read the secret",
        ("management", "PUT", "/roleAssignments/"),
        &[("look at the identity right before it is given a role", AGAIN)],
    ),
    act(
        "exchange a token of the workload",
        TOKEN,
        &[("let the workload's token in", "the identity must let the token in")],
    ),
    act(
        "read the secret with it",
        ("acmevault", "GET", "/secrets/db"),
        &[
            ("exchange a token of the workload", "it is asked with the token that was exchanged"),
            ("let the identity read the secret", "it must be allowed to"),
        ],
    ),
    act(
        "look at the old secret right before the sign-in ends",
        PRINCIPAL,
        &[("read the secret with it", "the old way stays until the new one has read a secret")],
    ),
    act(
        "end the sign-in by the old secret",
        ("graph", "PATCH", "/servicePrincipals("),
        &[(
            "look at the old secret right before the sign-in ends",
            "Graph takes no condition along with a write",
        )],
    ),
    act(
        "see that the sign-in has ended",
        PRINCIPAL,
        &[("end the sign-in by the old secret", "the effect of an act is never taken for granted")],
    ),
    act(
        "look at the old secret right before it is deleted",
        PRINCIPAL,
        &[("see that the sign-in has ended", "it is deleted only when nothing broke without it")],
    ),
    act(
        "delete the old secret",
        ("graph", "POST", "/removePassword"),
        &[(
            "look at the old secret right before it is deleted",
            "no secret is deleted whose sign-in another user has allowed again",
        )],
    ),
    act(
        "see that the old secret is gone",
        PRINCIPAL,
        &[("delete the old secret", "the effect of an act is never taken for granted")],
    ),
    // No call waits for their answers: subscription, vault, group and identity are looked at at the same time, and so are
    // the three sides of the old secret, as soon as there is a token.
    Row { times: 4, ..read("open the ways to Resource Manager", ("management", "HEAD", "/")) },
    Row { times: 3, ..read("open the ways to Graph", ("graph", "HEAD", "/")) },
    read("open the way to the vault", ("acmevault", "HEAD", "/")),
];
