//! A credential that a state names and that there is no connection to.

use async_trait::async_trait;

use crate::{
    error::{Code, Error, Result},
    federation::credential::{self, Standing, StoredCredential},
};

/// Takes the place where a state names more credentials than there are connections: it does nothing.
pub(super) struct NoProvider;

#[async_trait]
impl StoredCredential for NoProvider {
    async fn look(&self) -> Result<Standing> {
        Err(no_provider())
    }

    async fn last_use(&self) -> credential::LastUse {
        credential::LastUse::NotKnown
    }

    async fn disable(&self) -> Result<()> {
        Err(no_provider())
    }

    async fn enable(&self) -> Result<()> {
        Err(no_provider())
    }

    async fn delete(&self) -> Result<()> {
        Err(no_provider())
    }

    fn needs(&self, _act: credential::Act) -> String {
        String::new()
    }
}

fn no_provider() -> Error {
    Error::failed(Code::CredentialByHand, "keyless does not speak to the provider of this credential")
        .hint("revoke it there by hand")
}
