//! PURE. One file per distribution: its issuer flags, and where they are written.
