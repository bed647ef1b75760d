//! Google's Python libraries.
