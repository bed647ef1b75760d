//! PURE. AWS.

macro_rules! aws {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            AwsAnswer "aws-answer"
                "The answer of AWS cannot be used."
                causes "aws.endpoints names another server."
                causes "A proxy answers with a login page."
                remedy "Check aws.endpoints, and what is between this machine and AWS.";
            AwsBusy "aws-busy"
                "AWS is overloaded, or limits how often it is called."
                causes "Other programs call the same API."
                remedy "Run the command again later.";
            AwsChanged "aws-changed"
                "Something at AWS is not any more what the plan was made from, so nothing was done about it."
                causes "A person or another program changed it in the meantime."
                remedy "Run the command again, and look at the new plan.";
            AwsClock "aws-clock"
                "AWS does not accept the time of a request."
                causes "The clock of this machine is wrong."
                remedy "Set the clock by NTP, then run the command again.";
            AwsCredentials "aws-credentials"
                "There are no AWS credentials, or AWS does not accept them."
                causes "No login is configured here."
                causes "The session has expired, or the key was disabled."
                remedy "Log in with `aws sso login` and set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and \
                    AWS_SECRET_ACCESS_KEY.";
            AwsForbidden "aws-forbidden"
                "The credentials may not do this at AWS."
                causes "A policy misses an action, or a service control policy denies it."
                remedy "Give the identity the action that the error names.";
            AwsIssuer "aws-issuer"
                "AWS does not take the issuer."
                causes "It has a port or a query, is not https, or is longer than 255 characters."
                causes "Its documents are not published, and AWS can only fetch keys."
                remedy "Publish documents in a bucket, and sign as its public URL.";
            AwsIssuerUnreachable "aws-issuer-unreachable"
                "AWS cannot reach the issuer."
                causes "The host is not public, or answers too slowly."
                causes "Its certificate is not from a public authority."
                remedy "Run `keyless publish` and `keyless verify --public-only`, and correct what they name.";
            AwsKeyType "aws-key-type"
                "AWS does not verify with a key of the cluster."
                causes "The key is neither RSA nor EC."
                remedy "Sign with RSA 2048, and take other keys out of --service-account-key-file.";
            AwsKeyUser "aws-key-user"
                "It is not confirmed whose access key this is, so it is left as it is."
                causes "aws.keyUser does not name the IAM user of the key."
                causes "The key belongs to another account."
                remedy "Find out who uses the key; if it is the store's, set aws.keyUser to its IAM user.";
            AwsLimit "aws-limit"
                "A limit of the AWS account is reached."
                causes "An account has at most 100 OIDC providers, and a number of roles that can be raised."
                remedy "Delete providers or roles that are not used any more, or ask AWS for a higher limit.";
            AwsOtherAccount "aws-other-account"
                "The credentials are of another AWS account than the settings name."
                causes "AWS_PROFILE or the environment is that of another account."
                remedy "Log in to the account of aws.account, or correct that setting.";
            AwsOtherAnswer "aws-other-answer"
                "AWS answered about something else than was asked for."
                causes "The role has a path, or its name differs in upper and lower case."
                causes "aws.endpoints or a proxy leads to another account."
                remedy "Compare both names in the error. Choose another aws.role, or correct aws.endpoints.";
            AwsOtherCluster "aws-other-cluster"
                "The resource at AWS belongs to another cluster."
                causes "Two clusters use one issuer or one role."
                causes "The cluster was rebuilt."
                remedy "Choose another aws.role. For a rebuilt cluster, run the command in the error, then \
                    setup again.";
            AwsOwnerUnknown "aws-owner-unknown"
                "The resource at AWS does not say which cluster it was made for."
                causes "Its tag was changed by hand."
                remedy "Choose another aws.role. If it is this cluster's, run the command in the error, then \
                    setup again.";
            AwsPolicyTooLong "aws-policy-too-long"
                "The policy of a role would be longer than AWS takes."
                causes "Too many secrets are read with one ServiceAccount."
                remedy "Let stores use ServiceAccounts of their own, and take back what is not used: \
                    keyless setup --revoke-unused.";
            AwsPolicyUnread "aws-policy-unread"
                "A policy of the role was changed by hand, and is left as it is."
                causes "A statement that keyless wrote says something else now."
                causes "The trust policy is not of the form that keyless writes, so whom it lets in is not known."
                remedy "Look at the policy. Give a statement that must stay a Sid of its own; for a trust policy, run \
                    the command in the error.";
            AwsProviderForeign "aws-provider-foreign"
                "The OIDC provider of the issuer was not made by keyless and does not fit."
                causes "Another tool made it, with other client IDs."
                remedy "Let its owner add the client ID that the error names.";
            AwsRefused "aws-refused"
                "AWS refused the request for a reason that keyless does not know."
                causes "The error repeats the reason of AWS."
                remedy "Look up the code in the documentation of the service.";
            AwsRoleForeign "aws-role-foreign"
                "The role was not made by keyless, or trusts another workload."
                causes "Another role has this name."
                remedy "Choose another name: aws.role.";
            AwsSearchTooBroad "aws-search-too-broad"
                "A search finds more secrets than keyless looks at."
                causes "The path or the pattern of an ExternalSecret is too wide."
                remedy "Name a path in the ExternalSecret: find.path.";
            AwsSetting "aws-setting"
                "A setting of AWS is not a name, region or account."
                causes "It holds a character that no such name has."
                remedy "Correct the setting that the error names.";
            AwsTooManyKeys "aws-too-many-keys"
                "The cluster has more keys than AWS takes."
                causes "Former keys are still in --service-account-key-file."
                remedy "Remove keys whose tokens have all expired.";
        }
    };
}
