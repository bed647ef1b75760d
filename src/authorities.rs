//! Certificate authorities of a file.

use std::path::Path;

use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::{
    error::{Code, Error, Result},
    files::{self, Accept, MAX_SMALL},
};

/// The text of a CA file, which may be a pipe: it is read once.
pub(crate) fn ca_text(path: &Path) -> Result<String> {
    let text = files::read_text(path, Accept::FileOrPipe, MAX_SMALL)
        .map_err(|error| unusable_ca(path).caused_by(error))?;
    certificates(&text, path)?;
    Ok(text)
}

pub(crate) fn certificates(text: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| unusable_ca(path).caused_by_chain(&error))?;
    if found.is_empty() { Err(unusable_ca(path).caused_by("it holds no certificate")) } else { Ok(found) }
}

fn unusable_ca(path: &Path) -> Error {
    Error::usage(Code::CaFile, format!("{} cannot be used as CA file", path.display()))
        .hint("--ca-file takes PEM certificates of certificate authorities")
}
