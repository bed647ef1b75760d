//! PURE. Keys, key sets and PEM files.

macro_rules! keys {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            JwkAlgorithm "jwk-algorithm"
                "The key's `alg` is not what Kubernetes signs with it."
                causes "The key is for another purpose."
                remedy "Remove the key from this set at its source.";
            JwkBadRsa "jwk-bad-rsa"
                "An RSA key has an exponent or modulus that no verifier takes."
                causes "It was made by an unusual tool, or was damaged."
                remedy "Make a new key with `openssl genrsa 2048`.";
            JwkCurve "jwk-curve"
                "The key is on a curve that no relying party takes."
                causes "A curve other than P-256, P-384 and P-521."
                remedy "Sign with RSA 2048 or P-256.";
            JwkDuplicateKid "jwk-duplicate-kid"
                "Two different keys have the same kid."
                causes "A key was replaced at one API server or in the bucket."
                remedy "Compare `kubectl get --raw /openid/v1/jwks` of every API server, and find out who \
                    changed it. The holder of the other key can sign as every workload.";
            JwkForeignMember "jwk-foreign-member"
                "A key holds a member that Google and AWS refuse."
                causes "Something other than an API server wrote it."
                remedy "Remove the member at its source.";
            JwkHugeRsa "jwk-huge-rsa"
                "An RSA key is larger than relying parties verify with."
                causes "More than 8192 bit."
                remedy "Sign with 2048 to 4096 bit.";
            JwkMalformed "jwk-malformed"
                "A key is malformed."
                causes "It was damaged on the way."
                remedy "Compare it with `kubectl get --raw /openid/v1/jwks`.";
            JwkNoKid "jwk-no-kid"
                "A key has no `kid`."
                causes "Something other than an API server wrote it."
                remedy "Publish with `keyless publish`, which writes the kid of the API server.";
            JwkNotOnCurve "jwk-not-on-curve"
                "The point of an EC key is not on its curve."
                causes "The key was damaged on the way."
                remedy "Compare it with `kubectl get --raw /openid/v1/jwks`, and remove it.";
            JwkPrivateMember "jwk-private-member"
                "A key holds a private member."
                causes "A private key was published."
                remedy "Replace the cluster's signing key: anyone who reads this one can sign as every \
                    workload. Find out where it was served.";
            JwkUnknownType "jwk-unknown-type"
                "A key is neither RSA nor EC."
                causes "The cluster signs with another type."
                remedy "Sign with RSA 2048 or P-256.";
            JwkUse "jwk-use"
                "The key's `use` is not `sig`."
                causes "It is an encryption key."
                remedy "Publish signing keys only.";
            JwkWeakRsa "jwk-weak-rsa"
                "An RSA key is too short."
                causes "Less than 2048 bit."
                remedy "Sign with at least 2048 bit.";
            JwkWrongKid "jwk-wrong-kid"
                "The kid is not that of the key."
                causes "The key or its kid was changed on the way."
                causes "An external signer names the keys."
                remedy "Compare with `kubectl get --raw /openid/v1/jwks`. For an external signer (KEP-740), \
                    give --external-signer.";
            KeySetEmpty "key-set-empty"
                "The key set has no key that relying parties can read."
                causes "The cluster signs with a key of another type."
                causes "The set was emptied."
                remedy "Sign with an RSA or EC key. Restore an emptied set by `keyless publish --restore`.";
            KeySetMalformed "key-set-malformed"
                "The document has no array `keys`."
                causes "Something else is served at this address."
                remedy "Open the URL in the error with `curl`, and correct what serves it.";
            KeySetTooLarge "key-set-too-large"
                "The key set has more keys than relying parties keep."
                causes "Something keeps adding keys."
                remedy "Find out what adds them, and remove those whose tokens have all expired.";
            KeyUnsupported "key-unsupported"
                "The file holds a key of a type that API servers do not sign with."
                causes "DSA, Ed25519, or another curve."
                remedy "Give an RSA key, or an EC key on P-256, P-384 or P-521.";
            PemKind "pem-kind"
                "A PEM block is of a kind that the API server does not take."
                causes "The file holds something other than keys and certificates."
                remedy "Give PUBLIC KEY or CERTIFICATE blocks; `openssl pkey -in sa.key -pubout` makes the \
                    first.";
            PemMalformed "pem-malformed"
                "The file is not PEM."
                causes "It was cut off or converted."
                remedy "Give PUBLIC KEY or CERTIFICATE blocks; `openssl pkey -in sa.key -pubout` makes the \
                    first.";
            PemNoKey "pem-no-key"
                "The file holds no key."
                causes "It is empty."
                remedy "Give PUBLIC KEY or CERTIFICATE blocks; `openssl pkey -in sa.key -pubout` makes the \
                    first.";
        }
    };
}
