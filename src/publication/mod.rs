//! The two public documents: observe, plan, apply, read back.

pub(crate) mod live;
pub(crate) mod location;
pub(crate) mod read_back;
pub(crate) mod stored;
