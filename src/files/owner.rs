//! Who may have written a file. What others could have written is theirs as much as the user's.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// Owner and mode of a file or folder.
#[derive(Clone, Copy, Debug)]
struct Owner {
    user: u32,
    group: u32,
    mode: u32,
}

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Why others than `user` (an effective user ID) could have written a file; `None`: they could not.
pub(crate) fn foreign_writer(path: &Path, user: u32) -> io::Result<Option<&'static str>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let owner = |path: &Path, follow: bool| -> io::Result<Owner> {
        let found = if follow { fs::metadata(path)? } else { fs::symlink_metadata(path)? };
        Ok(Owner { user: found.uid(), group: found.gid(), mode: found.mode() })
    };
    Ok(why_untrusted(owner(path, true)?, owner(path, false)?, owner(folder, true)?, user))
}

/// `entry` is the file itself, or the symbolic link that leads to it.
fn why_untrusted(file: Owner, entry: Owner, folder: Owner, user: u32) -> Option<&'static str> {
    let foreign = |owner: Owner| owner.user != user && owner.user != 0;
    if foreign(file) || foreign(entry) {
        Some("another user owns it")
    } else if foreign(folder) {
        Some("another user owns its folder")
    } else if others_write(file) {
        Some("others can write it")
    } else if others_write(folder) && folder.mode & STICKY == 0 {
        Some("others can write its folder")
    } else {
        None
    }
}

/// A group of the user's own (its number is the user's, as `useradd` makes it) has no other member.
fn others_write(owner: Owner) -> bool {
    let of_its_own = owner.user != 0 && owner.group == owner.user;
    owner.mode & OTHERS_WRITE != 0 || (owner.mode & GROUP_WRITES != 0 && !of_its_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;

    fn owner(user: u32, group: u32, mode: u32) -> Owner {
        Owner { user, group, mode }
    }

    fn untrusted(file: Owner, folder: Owner) -> bool {
        why_untrusted(file, file, folder, ME).is_some()
    }

    #[test]
    fn own_and_root_files_are_trusted() {
        let mine = owner(ME, 100, 0o644);
        let folder = owner(ME, 100, 0o755);
        for (file, folder, refused) in [
            (mine, folder, false),
            (owner(0, 0, 0o644), folder, false),
            (owner(0, 0, 0o644), owner(0, 0, 0o755), false),
            (owner(ME, ME, 0o664), owner(ME, ME, 0o775), false),
            (mine, owner(0, 0, 0o1777), false),
            (owner(1001, 100, 0o644), folder, true),
            (owner(1001, 100, 0o644), owner(0, 0, 0o1777), true),
            (mine, owner(1001, 100, 0o755), true),
            (owner(ME, 100, 0o664), folder, true),
            (owner(ME, ME, 0o666), folder, true),
            (owner(0, 0, 0o664), folder, true),
            (mine, owner(ME, 100, 0o775), true),
            (mine, owner(ME, ME, 0o777), true),
            (mine, owner(0, 0, 0o777), true),
        ] {
            assert_eq!(untrusted(file, folder), refused, "{file:?} in {folder:?}");
        }
        // Another user's link to a file of mine is another user's choice.
        assert!(why_untrusted(mine, owner(1001, 100, 0o777), folder, ME).is_some());
        assert!(why_untrusted(mine, owner(ME, 100, 0o777), folder, ME).is_none());
    }
}
