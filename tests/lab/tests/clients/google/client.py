"""Google's Python libraries against the stand-in; prints one line per read.

usage: client.py TRANSPORT CREDENTIALS ENDPOINT
TRANSPORT is rest or grpc, CREDENTIALS a file of type external_account or service_account.
"""
import json
import sys

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth import exceptions, identity_pool
from google.auth.transport.requests import Request
from google.cloud import secretmanager
from google.oauth2 import credentials as user
from google.oauth2 import service_account

transport, path, endpoint = sys.argv[1:]
scopes = ["https://www.googleapis.com/auth/cloud-platform"]
with open(path) as file:
    info = json.load(file)
if info["type"] == "external_account":
    credentials = identity_pool.Credentials.from_info(info, scopes=scopes)
elif info.get("self_signed"):
    credentials = service_account.Credentials.from_service_account_info(info)
else:
    # Asks the token endpoint, as clients do that sign no tokens of their own.
    signer = service_account.Credentials.from_service_account_info(info, scopes=scopes)
    try:
        signer.refresh(Request())
    except exceptions.GoogleAuthError as error:
        sys.exit(print("no token", error))
    credentials = user.Credentials(signer.token)

client = secretmanager.SecretManagerServiceClient(
    credentials=credentials, transport=transport, client_options=ClientOptions(api_endpoint=endpoint)
)
name = "projects/acme-prod/secrets/db"
try:
    answer = client.access_secret_version(name=name + "/versions/latest", retry=None, timeout=10)
    print("access", answer.name, answer.payload.data_crc32c, answer.payload.data.decode())
    for call in (
        lambda: client.get_secret(name=name, retry=None, timeout=10).name,
        lambda: [version.name for version in client.list_secret_versions(parent=name, retry=None, timeout=10)],
        lambda: [secret.name for secret in client.list_secrets(parent="projects/acme-prod", retry=None, timeout=10)],
    ):
        try:
            print("read", call())
        except GoogleAPICallError as error:
            print("refused", error.grpc_status_code or error.code, error.message)
except GoogleAPICallError as error:
    print("refused", error.code, error.message)
except exceptions.GoogleAuthError as error:
    print("no token", error)
