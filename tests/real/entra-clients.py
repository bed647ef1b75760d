"""Reads secrets of a key vault with Microsoft's own clients: each line of the file that is named is a JSON object, a step.

`by` is token (WorkloadIdentityCredential), secret (ClientSecretCredential) or msal (a token alone). Prints `ok VALUE`, or the
class of the error, its status and the numbers of Entra in it.
"""

import json
import re
import sys

import msal
from azure.core.exceptions import AzureError
from azure.identity import ClientSecretCredential, WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient

AUTHORITY = "https://login.microsoftonline.com"


def by_msal(step):
    with open(step["token_file"], encoding="ascii") as file:
        assertion = file.read()
    application = msal.ConfidentialClientApplication(
        step["client_id"],
        authority=f"{AUTHORITY}/{step['tenant']}",
        client_credential={"client_assertion": lambda: assertion},
    )
    answer = application.acquire_token_for_client(scopes=["https://vault.azure.net/.default"])
    if "access_token" in answer:
        return f"ok {answer['token_type']} {answer['expires_in']}"
    return f"{answer['error']} {answer['error_codes']}"


def read(step):
    if step["by"] == "token":
        credential = WorkloadIdentityCredential(
            tenant_id=step["tenant"], client_id=step["client_id"], token_file_path=step["token_file"]
        )
    else:
        credential = ClientSecretCredential(step["tenant"], step["client_id"], step["client_secret"])
    with credential, SecretClient(vault_url=step["vault"], credential=credential) as client:
        return f"ok {client.get_secret(step['name']).value}"


def answer(step):
    try:
        return by_msal(step) if step["by"] == "msal" else read(step)
    except AzureError as error:
        text = str(error)
        status = getattr(error, "status_code", None)
        inner = re.findall(r"Inner error: .*?\"code\": \"(\w+)\"", text, re.DOTALL)
        # The clients' own credentials keep the text of a refusal, and not its status.
        details = [*([str(status)] if status else []), *dict.fromkeys(re.findall(r"AADSTS\d+", text) + inner)]
        return " ".join([type(error).__name__, *details])


with open(sys.argv[1], encoding="utf-8") as steps:
    for line in steps:
        print(answer(json.loads(line)))
