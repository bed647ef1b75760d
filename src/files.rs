//! Files: read whole, within a limit and without waiting for a writer; written whole or not at all.

mod owner;

use std::{
    error, fmt,
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::OFlags;

pub(crate) use self::owner::foreign_writer;

/// A settings file, a certificate bundle, a file of public keys: a few KiB each.
pub(crate) const MAX_SMALL: usize = 1 << 20;
/// How long a pipe may take to give everything: a command behind it runs meanwhile.
const PIPE_LIMIT: Duration = Duration::from_secs(10);
const PIPE_PAUSE: Duration = Duration::from_millis(5);
/// As many symbolic links as Linux follows.
const MAX_LINKS: usize = 40;
/// Readable by everyone whom the umask lets.
const NEW_MODE: u32 = 0o666;

/// A path that a file names: relative to the file's own folder. `~/` is the user's, wherever the file lies.
pub(crate) fn beside(file: &Path, named: &Path) -> PathBuf {
    if named.starts_with("~") { named.to_owned() } else { file.parent().unwrap_or(Path::new("")).join(named) }
}

/// What may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    File,
    /// Also `/dev/stdin` behind a pipe, and the pipes of a shell: `<(command)`.
    FileOrPipe,
}

/// Why a file was not read or written.
#[derive(Debug)]
pub(crate) enum FileError {
    Io(io::Error),
    /// E.g. `a directory`.
    NotAFile(&'static str),
    /// In bytes.
    TooLarge(usize),
    NotText,
    /// A pipe that gave no end.
    Slow,
    /// Another user made the symbolic link, and could lead the write anywhere. With that user's ID.
    ForeignLink(u32),
    /// A symbolic link that leads to nothing.
    DanglingLink,
}

impl FileError {
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == ErrorKind::NotFound)
    }

    /// There is a file, a folder or a link of this name.
    pub(crate) fn exists(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == ErrorKind::AlreadyExists)
    }

    /// Nothing can be written at this place, and nothing was: a matter of rights or of mounts, not of the disk.
    pub(crate) fn is_read_only(&self) -> bool {
        match self {
            Self::Io(error) => matches!(
                error.kind(),
                // A file that is mounted by itself, as containers do, is busy when another takes its name.
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::ResourceBusy
            ),
            Self::ForeignLink(_) | Self::DanglingLink => true,
            Self::NotAFile(_) | Self::TooLarge(_) | Self::NotText | Self::Slow => false,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NotAFile(kind) => write!(f, "it is {kind}, not a regular file"),
            Self::TooLarge(limit) => write!(f, "it has more than {} KiB", limit / 1024),
            Self::NotText => f.write_str("it is not UTF-8 text"),
            Self::Slow => write!(f, "it gave no end within {} s", PIPE_LIMIT.as_secs()),
            Self::ForeignLink(user) => {
                write!(f, "it is a symbolic link of another user (ID {user}): name the file that it leads to")
            }
            Self::DanglingLink => f.write_str("it is a symbolic link that leads to nothing"),
        }
    }
}

impl error::Error for FileError {}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, accept: Accept, limit: usize) -> Result<Vec<u8>, FileError> {
    // Before it is opened: opening can wait, and wake devices.
    acceptable(&fs::metadata(path)?, accept)?;
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    acceptable(&found, accept)?;
    if found.is_file() && found.len() > limit as u64 {
        return Err(FileError::TooLarge(limit));
    }
    let mut content = Vec::new();
    let (began, mut piece) = (Instant::now(), [0; 8192]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(content),
            Ok(length) => content.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PIPE_PAUSE),
            Err(error) => return Err(error.into()),
        }
        if content.len() > limit {
            return Err(FileError::TooLarge(limit));
        }
        if began.elapsed() > PIPE_LIMIT {
            return Err(FileError::Slow);
        }
    }
}

/// Reads a text file of at most `limit` bytes. The error never quotes it.
pub(crate) fn read_text(path: &Path, accept: Accept, limit: usize) -> Result<String, FileError> {
    String::from_utf8(read(path, accept, limit)?).map_err(|_| FileError::NotText)
}

fn acceptable(found: &Metadata, accept: Accept) -> Result<(), FileError> {
    let kind = found.file_type();
    match (kind.is_file(), kind.is_fifo(), accept) {
        (true, ..) | (_, true, Accept::FileOrPipe) => Ok(()),
        _ => Err(FileError::NotAFile(name(found))),
    }
}

fn name(found: &Metadata) -> &'static str {
    let kind = found.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Puts this content in place of the file, or makes it: whole or not at all, whenever the program is stopped. A
/// symbolic link stays, and the file that it leads to is replaced. Mode and, as far as this user may, owner stay; no
/// one gets to read it who could not before.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let path = target(path)?;
    let old = match fs::symlink_metadata(&path) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unfinished = folder.join(format!(".keyless-{}.unfinished", random()?));
    let written = (|| {
        // A new file, never through a link (POSIX open(2), O_CREAT with O_EXCL).
        let mode = if old.is_some() { 0o600 } else { NEW_MODE };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
        if let Some(old) = &old {
            file.set_permissions(Permissions::from_mode(keep_owner(&file, old)?))?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)
    })();
    if let Err(error) = written {
        // Best effort: it holds nothing that the file would not.
        drop(fs::remove_file(&unfinished));
        return Err(error.into());
    }
    // The name as well; not every file system can.
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

/// Makes a file that is not there yet, never through a link (POSIX open(2), O_CREAT with O_EXCL). What could not be written
/// whole is taken away again.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(NEW_MODE).open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|error| {
        drop(fs::remove_file(path));
        error.into()
    })
}

/// Gives the new file the old one's owner and group; the mode that it may have then.
fn keep_owner(file: &File, old: &Metadata) -> io::Result<u32> {
    let mode = old.mode() & 0o777;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid())
        || fchown(file, Some(old.uid()), Some(old.gid())).is_ok()
    {
        return Ok(mode);
    }
    if new.gid() == old.gid() || fchown(file, None, Some(old.gid())).is_ok() {
        return Ok(mode);
    }
    // What its group might do is not for another group.
    Ok(mode & !0o070)
}

/// The file that a path means after its symbolic links.
fn target(path: &Path) -> Result<PathBuf, FileError> {
    let me = rustix::process::geteuid().as_raw();
    let mut place = path.to_owned();
    for links in 0..MAX_LINKS {
        let found = match fs::symlink_metadata(&place) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound && links == 0 => return Ok(place),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(FileError::DanglingLink),
            Err(error) => return Err(error.into()),
        };
        if found.is_file() {
            return Ok(place);
        }
        if !found.is_symlink() {
            return Err(FileError::NotAFile(name(&found)));
        }
        if found.uid() != me && found.uid() != 0 {
            return Err(FileError::ForeignLink(found.uid()));
        }
        let next = fs::read_link(&place)?;
        place = place.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(FileError::DanglingLink)
}

fn random() -> io::Result<String> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no random bytes"))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
