"""Steps with boto3: each line of the standard input is a JSON list [service, method, parameters, options].

Prints `ok {answer}` or `CODE STATUS MESSAGE` for each. Options: key (credentials), region, secret (another secret key),
as (a name under which the credentials of the answer are kept), use (such a name), unsigned.
"""

import json
import os
import sys

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

kept = {}


def client(service, options):
    key = kept[options["use"]] if "use" in options else options.get("key", [None, None, None])
    settings = {"retries": {"max_attempts": 0}}
    if options.get("unsigned"):
        settings["signature_version"] = UNSIGNED
    return boto3.client(
        service,
        # IAM has one endpoint, and signs for its region. Without Amazon's host name boto3 does not know that.
        region_name="us-east-1" if service == "iam" else options.get("region", "eu-central-1"),
        endpoint_url=os.environ["ENDPOINT"],
        verify=os.environ["CA"],
        aws_access_key_id=key[0],
        aws_secret_access_key=options.get("secret", key[1]),
        aws_session_token=key[2],
        config=Config(**settings),
    )


for line in sys.stdin:
    service, method, parameters, options = json.loads(line)
    try:
        answer = getattr(client(service, options), method)(**parameters)
        answer.pop("ResponseMetadata", None)
        if "as" in options:
            given = answer["Credentials"]
            kept[options["as"]] = [given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]]
            assert given["AccessKeyId"].startswith("ASIA")
            del answer["Credentials"]
        print("ok", json.dumps(answer, default=str, sort_keys=True))
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        print(error.response["Error"]["Code"], status, error.response["Error"].get("Message", ""))
    except ParamValidationError as error:
        print("ParamValidationError 0", str(error).replace("\n", " "))
