//! PURE. Buckets.

macro_rules! bucket {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            BucketAccessPerObject "bucket-access-per-object"
                "The Google bucket lets each object have its own access list, so no workload of the cluster can \
                    be given a right on it."
                causes "Uniform bucket-level access is off."
                remedy "Run `gcloud storage buckets update gs://NAME --uniform-bucket-level-access`, if no \
                    object needs a list of its own. `publish --create` makes buckets with it on.";
            BucketAnswer "bucket-answer"
                "The bucket's server answered with something that no such store sends."
                causes "--endpoint names another server."
                causes "A proxy or gateway changes the answers."
                remedy "Check --endpoint (bucket.endpoint in keyless.yaml), and what is between this machine \
                    and the store.";
            BucketChanged "bucket-changed"
                "Something in the bucket has changed since it was read or planned upon."
                causes "Another publisher or a person wrote it at the same time."
                remedy "Run the command again: it reads what is there now and shows a new plan.";
            BucketContended "bucket-contended"
                "The bucket, or its policy, kept changing while it was being read or written."
                causes "More than one publisher runs all the time."
                causes "Another tool writes the same bucket policy."
                remedy "Keep one publisher per bucket, then run the command again.";
            BucketCredentials "bucket-credentials"
                "There are no credentials for the bucket, or the store does not accept them."
                causes "No login is configured here."
                causes "The access key or token has expired, or belongs to another store."
                causes "The clock of this machine is wrong."
                remedy "For S3, run `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and \
                    AWS_SECRET_ACCESS_KEY. For Google, run `gcloud auth application-default login`. For Azure, \
                    run `az login`. In a cluster, use a token of the pod: see deploy/aws, deploy/azure and \
                    deploy/gcp.";
            BucketEncrypted "bucket-encrypted"
                "The object is encrypted with SSE-KMS, so it cannot be read without credentials."
                causes "The bucket encrypts with a KMS key by default."
                remedy "Let the bucket encrypt with SSE-S3 (AES256), remove both documents, and run `keyless \
                    publish`.";
            BucketEndpoint "bucket-endpoint"
                "The endpoint cannot be the base URL of the store's API."
                causes "The bucket's name or an object path is part of it."
                causes "It is not a URL."
                remedy "Give --endpoint the base URL, e.g. https://s3.example.com, and the bucket by \
                    --bucket.";
            BucketForbidden "bucket-forbidden"
                "The credentials may not do this with the bucket."
                causes "They lack the permission that the error names."
                causes "The bucket has another owner."
                causes "For a folder: the user that runs keyless may not write there."
                remedy "Grant the permission that the error names, or choose another bucket with --bucket. \
                    `aws sts get-caller-identity` shows whose the AWS credentials are.";
            BucketFull "bucket-full"
                "There is no room to write the documents into the folder."
                causes "The disk or the quota is full."
                remedy "Make room, and run the command again. Nothing was changed.";
            BucketHoldsMore "bucket-holds-more"
                "The bucket holds other objects, and would be opened as a whole."
                causes "The Google bucket or the Azure container is shared with other uses."
                remedy "Choose a bucket for the documents alone with --bucket.";
            BucketIo "bucket-io"
                "The folder of the documents cannot be read or written."
                causes "The disk or the mount has failed."
                remedy "Look at the disk and at the mount, then run the command again.";
            BucketLocked "bucket-locked"
                "Another process holds the lock on the folder of the documents."
                causes "A run of keyless hangs."
                remedy "Find the process that the error names (`ps`, `lsof`), end it if it hangs, and run \
                    the command again.";
            BucketMissing "bucket-missing"
                "There is no such bucket, or no such folder."
                causes "It was not made yet."
                causes "--bucket, --endpoint or --region name another place."
                remedy "Run `keyless publish --create`, or correct --bucket, --endpoint and --region.";
            BucketNameDot "bucket-name-dot"
                "The bucket's name has a dot, so no certificate fits its own host name."
                causes "The store addresses buckets as hosts."
                remedy "Choose a name without dots, or give --addressing path if the store takes it.";
            BucketName "bucket-name"
                "The text cannot be the name of a bucket of this kind."
                causes "It has capitals, spaces, or the wrong length."
                remedy "Choose a name of 3 to 63 lower-case letters, digits and hyphens with --bucket; for an \
                    Azure storage account, 3 to 24 lower-case letters and digits.";
            BucketNoIam "bucket-no-iam"
                "The server knows no IAM policies, so keyless cannot open the bucket."
                causes "--endpoint names a server that is not Google's."
                remedy "Open the bucket by the server's own means, and leave out --create.";
            BucketNotAFile "bucket-not-a-file"
                "A folder, a pipe or a device is where a document must be."
                causes "Something else uses this folder."
                remedy "Move it away, or name another folder with --bucket.";
            BucketNotAFolder "bucket-not-a-folder"
                "A file is where a folder must be."
                causes "--bucket names a file."
                causes "A file has the name of a path segment of the issuer."
                remedy "Move the file away, or name another folder with --bucket.";
            BucketNotEmpty "bucket-not-empty"
                "The bucket is kept, because it holds other objects."
                causes "Something else was put into it."
                remedy "Remove the other objects if they are not needed, then delete the bucket by hand or \
                    run `keyless teardown` again.";
            BucketNotNamed "bucket-not-named"
                "No bucket is named, and the command needs one."
                causes "Neither --bucket nor bucket.url in keyless.yaml is set."
                remedy "Give --bucket s3://NAME, gs://NAME, az://ACCOUNT/CONTAINER or file:///FOLDER, or set \
                    bucket.url.";
            BucketNotPublic "bucket-not-public"
                "keyless cannot make the bucket readable for everyone."
                causes "The store has no bucket policies, and its public access lists have no effect."
                remedy "Open the bucket by the store's own means. If it is read at another address, give \
                    --public-url.";
            BucketObjectName "bucket-object-name"
                "An object name in the folder cannot be the name of a file."
                causes "The prefix has an empty part, `.` or `..`."
                remedy "Correct the prefix in --bucket, or the path of --issuer.";
            BucketOfAnotherOwner "bucket-of-another-owner"
                "The bucket belongs to another customer of the store."
                causes "Bucket names are unique among all customers."
                remedy "Choose another name with --bucket.";
            BucketOtherIssuer "bucket-other-issuer"
                "The bucket holds the documents of another issuer."
                causes "Two clusters share a bucket or path."
                causes "The issuer has changed."
                remedy "Use a bucket or path of its own for each issuer. If no trust names the old issuer \
                    any more, delete its two documents first.";
            BucketPolicy "bucket-policy"
                "The policy of the bucket cannot be read, so it is not replaced."
                causes "Another tool wrote it in a form that keyless does not know."
                remedy "Look at it with `aws s3api get-bucket-policy` or `gcloud storage buckets \
                    get-iam-policy`, and correct it there.";
            BucketProject "bucket-project"
                "The Google project in which to make the bucket is not known."
                causes "Bucket.project is not set."
                remedy "Set bucket.project in keyless.yaml, or make the bucket with `gcloud storage buckets \
                    create`.";
            BucketReadOnly "bucket-read-only"
                "The file system of the folder is read-only."
                causes "It is mounted read-only."
                remedy "Mount it writable, or name another folder with --bucket file:///DIR.";
            BucketRefused "bucket-refused"
                "The store refused the request for a reason that keyless does not know."
                causes "The error repeats the store's own reason."
                remedy "Look the reason up in the store's documentation.";
            BucketRegionMalformed "bucket-region-malformed"
                "The region of the bucket is not the name of a region."
                causes "--region, AWS_REGION or the AWS profile holds several words or other characters."
                remedy "Give one word with --region, e.g. eu-central-1.";
            BucketRegionUnknown "bucket-region-unknown"
                "The region of the bucket is not known."
                causes "Neither --region nor AWS_REGION is set, and the AWS profile names none."
                remedy "Give --region, or set AWS_REGION.";
            BucketRegion "bucket-region"
                "The bucket is in another region."
                causes "--region, AWS_REGION or the AWS profile name another one."
                remedy "Give the region that the error names with --region.";
            BucketRequest "bucket-request"
                "The request to the store could not be made."
                causes "A header or address cannot be sent."
                remedy "Check --endpoint and the settings of the bucket; `-v` shows what is sent where.";
            BucketServer "bucket-server"
                "The store has failed."
                causes "The store answered with a status of 500 or more."
                remedy "Run the command again later. The store's operator finds the request by the number in \
                    the error.";
            BucketSymlink "bucket-symlink"
                "A symbolic link is inside the folder of the documents."
                causes "Another user or tool made it."
                remedy "Remove the link, or let --bucket name the folder that it points to.";
            BucketThrottled "bucket-throttled"
                "The store is overloaded, or limits the number of requests."
                causes "Many requests at the same time."
                causes "One object is written more than once a second."
                remedy "Run the command again later.";
            BucketTimeout "bucket-timeout"
                "The store did not answer in time."
                causes "The store is overloaded."
                causes "A firewall drops the connection."
                remedy "Check the store, and what is between this machine and it.";
            BucketUnreachable "bucket-unreachable"
                "The store cannot be reached, or broke its answer off."
                causes "A wrong --endpoint."
                causes "DNS, firewall, proxy or certificate."
                remedy "Read the cause in the error; check --endpoint, HTTPS_PROXY and --ca-file.";
            BucketUnsupported "bucket-unsupported"
                "The store cannot do what keyless asked of it."
                causes "It does not know this call of the S3 API."
                remedy "Prepare the bucket by the store's own tools and leave out --create, or use another \
                    store.";
            BucketUrl "bucket-url"
                "The text does not name a bucket."
                causes "The scheme is missing or unknown."
                remedy "Write s3://NAME[/PREFIX], gs://NAME[/PREFIX], az://ACCOUNT/CONTAINER[/PREFIX] or \
                    file:///FOLDER.";
            CacheControlFixed "cache-control-fixed"
                "The store sets its own Cache-Control header."
                causes "A gateway or a setting of the store replaces the header of the writer."
                remedy "Let the store keep the header that a writer sends, or set the value that the error \
                    names there.";
            ConditionsIgnored "conditions-ignored"
                "The store ignores conditional writes, so two publishers could overwrite each other."
                causes "The store does not have them."
                remedy "Let only one publisher write to this bucket.";
            ConditionsRefused "conditions-refused"
                "The store refuses conditional writes, although the object has not changed."
                causes "A gateway before the store changes the request."
                causes "The store implements them wrongly."
                remedy "Check what is before the store, or use another store.";
            ContentTypeFixed "content-type-fixed"
                "The store sets its own Content-Type header."
                causes "A gateway or a setting of the store replaces the header of the writer."
                remedy "Let the store keep the header that a writer sends, or set the value that the error \
                    names there.";
            FlagWithoutBucket "flag-without-bucket"
                "A flag is about a bucket of another kind, or no bucket is named."
                causes "The flag is left over from another command."
                remedy "Name the bucket by --bucket or bucket.url, or leave the flag out.";
            Leftover "leftover"
                "A file of an interrupted run stays in the bucket."
                causes "It may not be deleted with these credentials."
                remedy "Delete the object that the warning names by hand.";
            PublicAccessBlocked "public-access-blocked"
                "Public bucket policies are blocked for the whole account or organization."
                causes "S3 Block Public Access is on for the account."
                remedy "An administrator can lift BlockPublicPolicy and RestrictPublicBuckets. Or keep the \
                    bucket private behind CloudFront, give --public-url, and leave out --create.";
            PublicAccessPrevented "public-access-prevented"
                "Google or Azure does not let the bucket be opened to everyone."
                causes "The Google bucket or an organization policy enforces public access prevention."
                causes "The Azure storage account does not allow anonymous access (allowBlobPublicAccess)."
                remedy "For Google, run `gcloud storage buckets update gs://NAME --no-public-access-prevention`, \
                    or have the organization policy changed. For Azure, run `az storage account update --name \
                    ACCOUNT --allow-blob-public-access true`, or use the static website: --bucket \
                    'az://ACCOUNT/$web'.";
            Random "random"
                "The operating system gives no random bytes."
                causes "A restricted container or a damaged system."
                remedy "Run keyless on another system.";
        }
    };
}
