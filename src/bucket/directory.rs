//! A folder that some web server shows to the world.
//!
//! It keeps bytes only: content type and cache time are the web server's. Writers lock the folder that holds
//! the file (the lock lives in the kernel and leaves nothing behind), and a file appears whole, by renaming.

mod lock;

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use aws_lc_rs::digest;
use futures::{FutureExt, future::ready};
use url::Url;

use self::lock::lock;
use super::{
    Bucket, Change, Condition, Expected, KeylessWriter, Kind, Leads, Place, PublicAccess, Stored, Version,
    WriteError, changed, random,
};
use crate::{
    error::{Code, Error, Result},
    http::{self, MAX_BODY},
    oidc::Document,
    plan::{Act, Action, Say, Step, Target},
    retry::Backoff,
};

/// A writer needs milliseconds; one that holds the folder longer hangs.
const LOCK: Backoff =
    Backoff::poll(Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(10));

/// What unfinished files are called: never like a document.
const UNFINISHED: (&str, &str) = (".keyless-", ".unfinished");

pub(super) const KIND: Kind = Kind {
    scheme: "file",
    form: "file:///FOLDER",
    takes: &[],
    token_variable: None,
    sends_login: false,
    parse: |path| match path.starts_with('/') {
        true => Ok(Place { name: path.to_owned(), prefix: String::new() }),
        false => Err("the folder must be given by its absolute path"),
    },
    connect: |settings, _| {
        let directory = Directory::new(settings.place.name.clone().into(), settings.public_url.clone());
        ready(Ok(Box::new(directory) as Box<dyn Bucket>)).boxed()
    },
};

/// A folder as a bucket.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    public_url: Option<String>,
    lock: Backoff,
}

impl Directory {
    pub(super) fn new(root: PathBuf, public_url: Option<String>) -> Self {
        Self { root, public_url, lock: LOCK }
    }

    /// Where an object lies. A name cannot lead out of the folder.
    fn path(&self, name: &str) -> Result<PathBuf> {
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        if !name.split('/').all(plain) {
            return Err(Error::usage(
                Code::BucketObjectName,
                format!("{name:?} cannot be the name of a file"),
            )
            .hint("a prefix has no empty part, no `.` and no `..`"));
        }
        Ok(self.root.join(name))
    }

    /// The folders between the root and a file, outermost first. A symbolic link among them could lead
    /// anywhere, so it is refused, and so is whatever is neither a folder nor a file; the root itself may be a link.
    fn folders(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let mut folders: Vec<_> =
            path.ancestors().skip(1).take_while(|folder| *folder != self.root).map(Path::to_owned).collect();
        folders.reverse();
        for place in folders.iter().chain([&path.to_owned()]) {
            match fs::symlink_metadata(place) {
                Ok(found) if found.is_symlink() => return Err(symlink(place)),
                Ok(found) if !found.is_file() && !found.is_dir() => return Err(special(place, &found)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                Err(error) => return Err(describe(&error, "look at", place)),
            }
        }
        Ok(folders)
    }

    /// Makes the folders for a file, below a root that exists. Gives back the ones that it made.
    fn make_folders(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let folders = self.folders(path)?;
        self.root_exists()?;
        let mut made = Vec::new();
        for folder in folders {
            if make_folder(&folder)? {
                made.push(folder);
            }
        }
        Ok(made)
    }

    fn root_exists(&self) -> Result<()> {
        match fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(describe(&ErrorKind::NotADirectory.into(), "use", &self.root)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Error::failed(Code::BucketMissing, format!("{self} does not exist"))
                    .hint("`keyless publish --create` makes the folder"))
            }
            Err(error) => Err(describe(&error, "look at", &self.root)),
        }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file://{}", self.root.display())
    }
}

#[async_trait]
impl Bucket for Directory {
    fn public_url(&self) -> Option<String> {
        self.public_url.clone()
    }

    fn keyless_writer(&self) -> KeylessWriter {
        KeylessWriter::NoLogin
    }

    /// Any web server may show the folder.
    fn leads(&self, _: &Url) -> Leads {
        Leads::Unknown
    }

    fn knows_absence(&self) -> bool {
        true
    }

    async fn read(&self, name: &str) -> Result<Option<Stored>> {
        let path = self.path(name)?;
        self.folders(&path)?;
        self.root_exists()?;
        Ok(read(&path)?.map(|body| Stored {
            version: version(name, &body),
            body,
            content_type: None,
            cache_control: None,
        }))
    }

    async fn write(
        &self,
        name: &str,
        document: &Document,
        expected: &Expected,
    ) -> Result<Condition, WriteError> {
        let path = self.path(name)?;
        self.make_folders(&path)?;
        let folder = path.parent().unwrap_or(&self.root);
        let lock = lock(folder, self.lock).await?;
        let found = read(&path)?.map(|body| version(name, &body));
        match (expected, &found) {
            (Expected::Absent, None) => {}
            (Expected::Present(version), Some(found)) if version == found => {}
            (_, None) => return Err(WriteError::Conflict(format!("{} is gone", path.display()))),
            (_, Some(_)) => return Err(WriteError::Conflict(format!("{} has changed", path.display()))),
        }
        if lock.is_some() {
            sweep(folder);
        }
        replace(folder, &path, &document.body)?;
        Ok(if lock.is_some() { Condition::Kept } else { Condition::Unknown })
    }

    async fn remove(&self, name: &str, expected: &Version) -> Result<()> {
        let path = self.path(name)?;
        let Some(folder) = path.parent().filter(|folder| folder.is_dir()) else { return Ok(()) };
        let _lock = lock(folder, self.lock).await?;
        match read(&path)? {
            Some(body) if version(name, &body) == *expected => {
                fs::remove_file(&path).map_err(|error| describe(&error, "remove", &path))
            }
            Some(_) => Err(changed(&path.display().to_string())),
            None => Ok(()),
        }
    }

    /// A folder cannot be marked without leaving a file in it that is public.
    async fn is_ours(&self) -> Result<bool> {
        Ok(false)
    }

    async fn remove_bucket(&self) -> Result<bool> {
        Ok(false)
    }

    async fn plan_public<'a>(&'a self, names: &[String]) -> Result<PublicAccess<'a>> {
        let mut folders: Vec<PathBuf> = self.root.ancestors().map(Path::to_owned).collect();
        folders.reverse();
        for name in names {
            for folder in self.folders(&self.path(name)?)? {
                if !folders.contains(&folder) {
                    folders.push(folder);
                }
            }
        }
        let mut access = PublicAccess::default();
        for folder in folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()) {
            match fs::metadata(&folder) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(describe(&ErrorKind::NotADirectory.into(), "use", &folder)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    access.create.push(MakeFolder::change(folder));
                }
                Err(error) => return Err(describe(&error, "look at", &folder)),
            }
        }
        Ok(access)
    }
}

/// A folder that is missing.
struct MakeFolder(PathBuf);

impl MakeFolder {
    fn change<'a>(folder: PathBuf) -> Change<'a> {
        let name = format!("folder {}", folder.display());
        let step =
            Step::new(Target::Bucket, Action::Create, name, "there is none; a web server can enter it");
        Change::new(step.field("mode", None, Some("0755".into())), Box::new(Self(folder)))
    }
}

#[async_trait]
impl Act for MakeFolder {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        make_folder(&self.0).map(|_| ())
    }
}

/// Makes one folder that a web server can enter, whatever the umask is. `false` when it is there.
fn make_folder(folder: &Path) -> Result<bool> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => {
            fs::set_permissions(folder, Permissions::from_mode(0o755))
                .map_err(|error| describe(&error, "open up", folder))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(false),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(describe(&ErrorKind::NotADirectory.into(), "use", folder))
        }
        Err(error) => Err(describe(&error, "make", folder)),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let failed = |error: io::Error| describe(&error, "read", path);
    // What is there can have changed since it was looked at: a pipe would wait for a writer, a link lead anywhere.
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Err(symlink(path)),
        Err(error) => return Err(failed(error)),
    };
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() && !found.is_dir() {
        return Err(special(path, &found));
    }
    let mut body = Vec::new();
    file.take(MAX_BODY as u64 + 1).read_to_end(&mut body).map_err(failed)?;
    if body.len() > MAX_BODY {
        return Err(http::too_large(&path.display().to_string()));
    }
    Ok(Some(body))
}

fn symlink(path: &Path) -> Error {
    Error::failed(Code::BucketSymlink, format!("{} is a symbolic link", path.display())).hint(
        "inside the bucket there are folders and files only: remove the link, or point --bucket at where it leads",
    )
}

/// A pipe, a socket, a device: reading it could wait for ever, or do something.
fn special(path: &Path, found: &fs::Metadata) -> Error {
    let kind = found.file_type();
    let kind = match () {
        () if kind.is_fifo() => "a named pipe (FIFO)",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "neither a file nor a folder",
    };
    Error::failed(Code::BucketNotAFile, format!("{} is {kind}", path.display()))
        .hint("inside the bucket there are folders and files only: move it away")
}

/// The state of a file: what it is called and what it holds.
fn version(name: &str, body: &[u8]) -> Version {
    let mut digest = digest::Context::new(&digest::SHA256);
    digest.update(name.as_bytes());
    digest.update(&[0]);
    digest.update(body);
    Version(crate::hex::hex(digest.finish().as_ref()))
}

/// Puts the bytes in place of whatever is there: whole, on disk, and readable by everyone.
fn replace(folder: &Path, path: &Path, body: &[u8]) -> Result<()> {
    let unfinished = folder.join(format!("{}{}{}", UNFINISHED.0, random()?, UNFINISHED.1));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&unfinished)?;
        file.write_all(body)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    })();
    written.map_err(|error| {
        // Best effort: if even this fails, the next writer sweeps.
        let _ = fs::remove_file(&unfinished);
        describe(&error, "write", path)
    })?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| describe(&error, "write", path))
}

/// Removes what killed writers left. Only under the lock: no other writer is at work then.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn describe(error: &io::Error, doing: &str, path: &Path) -> Error {
    let failed = |code| Error::failed(code, format!("cannot {doing} {}", path.display())).caused_by(error);
    match error.kind() {
        ErrorKind::PermissionDenied => failed(Code::BucketForbidden)
            .hint("give the user that runs keyless the right to write in this folder"),
        ErrorKind::ReadOnlyFilesystem => failed(Code::BucketReadOnly)
            .hint("mount the file system writable, or name another folder with --bucket file:///DIR"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => failed(Code::BucketFull)
            .hint("make room; nothing was changed, so the same command can be repeated"),
        ErrorKind::NotADirectory => {
            failed(Code::BucketNotAFolder).hint("a file lies where a folder must be: move it away")
        }
        ErrorKind::IsADirectory => {
            failed(Code::BucketNotAFile).hint("a folder lies where a document must be: move it away")
        }
        _ => failed(Code::BucketIo).hint("look at the disk and at the mount"),
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
