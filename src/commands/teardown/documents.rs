//! Which of the public documents this program wrote.

use crate::{
    bucket::{Bucket, Version},
    error::{Code, Result},
    oidc::{DISCOVERY_PATH, Discovery, Issuer, JWKS_PATH, KeySet, KidRule},
    publication::location::DocumentLocation,
};

/// The documents at an issuer's place in the bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Documents {
    /// In the order in which they go: a key set that nothing points at does no harm.
    pub(super) ours: Vec<(String, Version)>,
    pub(super) others: Vec<String>,
    /// What the key set says, if it is ours.
    pub(super) keys: Option<KeySet>,
}

impl Documents {
    pub(super) async fn read(bucket: &dyn Bucket, place: &DocumentLocation, rule: KidRule) -> Result<Self> {
        let names = (place.object(DISCOVERY_PATH), place.object(JWKS_PATH));
        let discovery = match bucket.read(&names.0).await {
            Err(error) if error.code == Code::BucketMissing => return Ok(Self::default()),
            read => read?,
        };
        let jwks = bucket.read(&names.1).await?;
        let mut documents = Self::default();
        // What is beside another issuer's discovery document is what it points at.
        let ours = discovery.as_ref().is_none_or(|stored| is_our_discovery(&stored.body, &place.issuer));
        let keys = jwks.as_ref().and_then(|stored| our_key_set(&stored.body, rule));
        let found = [(names.0, discovery, true), (names.1, jwks, keys.is_some())];
        for (name, stored, alone) in found {
            match stored {
                Some(stored) if ours && alone => documents.ours.push((name, stored.version)),
                Some(_) => documents.others.push(name),
                None => {}
            }
        }
        documents.keys = keys.filter(|_| ours);
        documents.ours.extend(bucket.leftovers(&place.prefix).await);
        Ok(documents)
    }
}

/// A document bears no mark of its maker: relying parties would have to understand it. So its bytes tell. What is written
/// is byte-stable, so rendering it again from what it says must give the very same; whatever another user wrote,
/// formatted or amended does not.
fn is_our_discovery(body: &[u8], issuer: &Issuer) -> bool {
    let Ok(found) = Discovery::parse(body, "") else { return false };
    let ours = Discovery {
        issuer: issuer.to_string(),
        jwks_uri: issuer.jwks_url(),
        algorithms: found.algorithms,
        missing: Vec::new(),
    };
    ours.to_json().as_bytes() == body
}

/// By the same rule. What is no key set that this program would publish is none that it did.
fn our_key_set(body: &[u8], rule: KidRule) -> Option<KeySet> {
    let (keys, _) = KeySet::parse(body, "", rule).ok()?;
    (keys.to_json().as_bytes() == body).then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = include_str!("../../../fixtures/jwks/valid/rsa-and-ec.json");

    fn issuer() -> Issuer {
        "https://oidc.acme.example/prod".parse().unwrap()
    }

    #[test]
    fn only_byte_identical_documents_are_ours() {
        let (keys, _) = KeySet::parse(KEYS.as_bytes(), "", KidRule::Computed).unwrap();
        let discovery = Discovery::new(&issuer(), &keys).to_json();
        assert!(is_our_discovery(discovery.as_bytes(), &issuer()));
        let pretty =
            serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&discovery).unwrap());
        for other in [
            pretty.unwrap(),
            format!("{discovery}\n"),
            discovery.replace("\"issuer\":", "\"issuer\": "),
            discovery.replace("/prod", "/other"),
            discovery.replace("openid/v1/jwks", "keys"),
            discovery.replacen('{', "{\"claims_supported\":[\"sub\"],", 1),
            // The issuer's name is in it, but as something else.
            "{\"note\":\"\\\"issuer\\\":\\\"https://oidc.acme.example/prod\\\"\"}".to_owned(),
            "<html>\"issuer\":\"https://oidc.acme.example/prod\"</html>".to_owned(),
            String::new(),
        ] {
            assert!(!is_our_discovery(other.as_bytes(), &issuer()), "{other}");
        }
        let set = keys.to_json();
        assert!(our_key_set(set.as_bytes(), KidRule::Computed).is_some());
        for other in [format!("{set}\n"), set.replace("\"keys\":", "\"keys\": "), "{\"keys\":[]}".into()] {
            assert!(our_key_set(other.as_bytes(), KidRule::Computed).is_none(), "{other}");
        }
    }
}
