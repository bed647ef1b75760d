//! The two documents as anyone on the internet gets them.

use crate::check::{Checked, check};
use crate::world::World;

/// Checks that both name this issuer, with every key of every API server, and gives back their URLs: the discovery document's,
/// the key set's.
pub(crate) async fn documents(world: &World, issuer: &str) -> Checked<[String; 2]> {
    let [discovery, key_set] =
        [format!("{issuer}/.well-known/openid-configuration"), format!("{issuer}/openid/v1/jwks")];
    let document = world.public(&discovery).await?;
    check!(document["issuer"] == issuer, "the public document's issuer is {}", document["issuer"]);
    check!(document["jwks_uri"] == key_set, "its jwks_uri is {}", document["jwks_uri"]);
    let public = world.public(&key_set).await?.to_string();
    for server in world.servers()? {
        for kid in server.kids().await? {
            check!(public.contains(&kid), "{kid} of {} is not public: {public}", server.settings.name);
        }
    }
    Ok([discovery, key_set])
}
