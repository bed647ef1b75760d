//! PURE. One file per rule: which credentials never expire.
