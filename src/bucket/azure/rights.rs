//! PURE. Which built-in role has a permission: the smallest one, in one place.

/// What the permissions of blobs and containers begin with.
const CONTAINERS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";

pub(super) const READ: &str = "blobs/read";
pub(super) const WRITE: &str = "blobs/write";
pub(super) const DELETE: &str = "blobs/delete";
pub(super) const SEE_CONTAINER: &str = "read";
pub(super) const CREATE_CONTAINER: &str = "write";
pub(super) const DELETE_CONTAINER: &str = "delete";
pub(super) const READ_ACCESS: &str = "getAcl/action";
pub(super) const SET_ACCESS: &str = "setAcl/action";

/// Of the service as a whole: its static website.
pub(super) const READ_SERVICE: &str = "Microsoft.Storage/storageAccounts/blobServices/read";
pub(super) const WRITE_SERVICE: &str = "Microsoft.Storage/storageAccounts/blobServices/write";

/// The whole name of a permission.
pub(super) fn whole(permission: &str) -> String {
    if permission.contains('.') { permission.to_owned() } else { format!("{CONTAINERS}/{permission}") }
}

fn role(permission: &str) -> &'static str {
    match permission {
        READ_SERVICE | WRITE_SERVICE => "Storage Account Contributor",
        READ_ACCESS | SET_ACCESS => "Storage Blob Data Owner",
        _ => "Storage Blob Data Contributor",
    }
}

/// A permission with the role that has it.
pub(super) fn needs(permission: &str) -> String {
    format!("{} (role \"{}\")", whole(permission), role(permission))
}
