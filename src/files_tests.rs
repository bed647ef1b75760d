use std::{
    os::unix::{fs::symlink, net::UnixListener},
    process::Command,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn written_file_is_read_back() {
    let folder = folder();
    let file = folder.path().join("keyless.yaml");
    assert!(read(&file, Accept::File, 10).unwrap_err().is_missing());
    replace(&file, b"one").unwrap();
    replace(&file, b"two").unwrap();
    assert_eq!(read_text(&file, Accept::File, 3).unwrap(), "two");
    assert!(matches!(read(&file, Accept::File, 2), Err(FileError::TooLarge(2))));
    assert_eq!(names(&folder), ["keyless.yaml"], "nothing unfinished is left");
}

#[test]
fn mode_of_original_is_kept() {
    let folder = folder();
    for (number, bits) in [0o600, 0o640, 0o644, 0o400, 0o777].into_iter().enumerate() {
        let file = folder.path().join(number.to_string());
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(bits)).unwrap();
        replace(&file, b"new").unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (bits, b"new".to_vec()));
    }
}

#[test]
fn setuid_bit_is_not_kept() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o4755)).unwrap();
    replace(&file, b"new").unwrap();
    assert_eq!(mode(&file), 0o755);
}

#[test]
fn link_is_written_through() {
    let (folder, dotfiles) = (folder(), folder());
    let file = dotfiles.path().join("settings");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let (first, second) = (folder.path().join("keyless.yaml"), folder.path().join("second"));
    symlink("second", &first).unwrap();
    symlink(&file, &second).unwrap();
    replace(&first, b"new").unwrap();
    assert!(fs::symlink_metadata(&first).unwrap().is_symlink());
    assert!(fs::symlink_metadata(&second).unwrap().is_symlink());
    assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"new".to_vec(), 0o600));
    assert_eq!((names(&folder).len(), names(&dotfiles).len()), (2, 1));
}

#[test]
fn links_to_nothing_are_refused() {
    let folder = folder();
    let (file, other) = (folder.path().join("keyless.yaml"), folder.path().join("other"));
    symlink("missing", &file).unwrap();
    assert!(matches!(replace(&file, b"new"), Err(FileError::DanglingLink)));
    symlink("other", &other).unwrap();
    assert!(matches!(replace(&other, b"new"), Err(FileError::DanglingLink)));
    assert_eq!(names(&folder), ["keyless.yaml", "other"]);
}

/// Whatever lies where an unfinished file could have been expected is left alone.
#[test]
fn foreign_part_file_is_not_followed() {
    let folder = folder();
    let (file, victim) = (folder.path().join("keyless.yaml"), folder.path().join("victim"));
    fs::write(&victim, "untouched").unwrap();
    symlink(&victim, folder.path().join("keyless.yaml.part")).unwrap();
    replace(&file, b"new").unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
    assert_eq!(names(&folder), ["keyless.yaml", "keyless.yaml.part", "victim"]);
}

#[test]
fn special_files_are_refused_immediately() {
    let folder = folder();
    let (pipe, socket) = (folder.path().join("pipe"), folder.path().join("socket"));
    fifo(&pipe);
    let _listener = UnixListener::bind(&socket).unwrap();
    let began = Instant::now();
    for (path, kind) in [
        (folder.path(), "a directory"),
        (&pipe, "a named pipe"),
        (&socket, "a socket"),
        (Path::new("/dev/zero"), "a device"),
        (Path::new("/dev/full"), "a device"),
    ] {
        for error in [read(path, Accept::File, 10).unwrap_err(), replace(path, b"x").unwrap_err()] {
            assert_eq!(error.to_string(), format!("it is {kind}, not a regular file"), "{path:?}");
            assert!(!error.is_read_only());
        }
    }
    let link = folder.path().join("link");
    symlink(&pipe, &link).unwrap();
    assert!(matches!(read(&link, Accept::File, 10), Err(FileError::NotAFile("a named pipe"))));
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn pipe_is_read_to_its_end() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    fifo(&pipe);
    let mut writer = Command::new("sh")
        .arg("-c")
        .arg("exec >pipe; echo one; sleep 0.1; echo two")
        .current_dir(&folder)
        .spawn();
    let writer = writer.as_mut().unwrap();
    // Until the other end is open there is nothing to read, and no end either.
    let content = loop {
        match read(&pipe, Accept::FileOrPipe, 100).unwrap() {
            content if content.is_empty() => thread::sleep(PIPE_PAUSE),
            content => break content,
        }
    };
    writer.wait().unwrap();
    assert_eq!(content, b"one\ntwo\n");
}

#[test]
fn endless_pipe_ends_at_limit() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    fifo(&pipe);
    let mut writer = Command::new("sh").arg("-c").arg("exec yes >pipe").current_dir(&folder).spawn().unwrap();
    let refused = loop {
        match read(&pipe, Accept::FileOrPipe, 100_000) {
            Ok(_) => thread::sleep(PIPE_PAUSE),
            Err(error) => break error,
        }
    };
    drop(writer.kill());
    writer.wait().unwrap();
    assert!(matches!(refused, FileError::TooLarge(_)), "{refused}");
}

#[test]
fn binary_content_is_no_text() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, b"\xff\xfe").unwrap();
    let error = read_text(&file, Accept::File, 10).unwrap_err();
    assert!(matches!(error, FileError::NotText), "{error}");
}

#[test]
fn missing_folder_leaves_nothing() {
    let folder = folder();
    let error = replace(&folder.path().join("missing/keyless.yaml"), b"new").unwrap_err();
    assert!(error.is_missing() && !error.is_read_only(), "{error}");
    assert!(names(&folder).is_empty());
}
