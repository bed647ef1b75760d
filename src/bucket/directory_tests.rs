use std::{collections::BTreeSet, os::unix::fs::symlink};

use tempfile::TempDir;

use super::*;
use crate::bucket::contract::{self, conflict, discovery, jwks, refused};
use crate::error::{Code, Kind};

fn bucket() -> (TempDir, Directory) {
    let home = TempDir::new().unwrap();
    let bucket = Directory::new(home.path().join("public"), None);
    (home, bucket)
}

async fn opened() -> (TempDir, Directory) {
    let (home, bucket) = bucket();
    contract::open(&bucket, &["openid/v1/jwks".to_owned()]).await.unwrap();
    (home, bucket)
}

fn files(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn keeps_the_contract() {
    let (_home, bucket) = opened().await;
    contract::holds(&bucket, contract::Traits { headers: false, condition: Condition::Kept }).await;
}

#[tokio::test]
async fn folders_from_open_are_world_readable() {
    let (home, bucket) = bucket();
    let names = ["a/.well-known/openid-configuration".to_owned(), "a/openid/v1/jwks".to_owned()];
    let done = contract::open(&bucket, &names).await.unwrap();
    assert_eq!(done.len(), 5, "{done:?}");
    for folder in ["public", "public/a", "public/a/openid/v1", "public/a/.well-known"] {
        assert_eq!(mode(&home.path().join(folder)), 0o755, "{folder}");
    }
    assert_eq!(contract::open(&bucket, &names).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn write_leaves_only_world_readable_files() {
    let (_home, bucket) = opened().await;
    let folder = bucket.root.join("openid/v1");
    fs::write(folder.join(".keyless-0123.unfinished"), "half a docum").unwrap();
    bucket.write("openid/v1/jwks", &jwks("{}"), &Expected::Absent).await.unwrap();
    assert_eq!(files(&folder), BTreeSet::from(["jwks".to_owned()]));
    assert_eq!(mode(&folder.join("jwks")), 0o644);
}

#[tokio::test]
async fn unfinished_files_are_no_documents() {
    let (_home, bucket) = opened().await;
    fs::write(bucket.root.join("openid/v1/.keyless-0123.unfinished"), "half a docum").unwrap();
    assert_eq!(bucket.read("openid/v1/jwks").await.unwrap(), None);
}

#[tokio::test]
async fn missing_folder_is_refused_with_remedy() {
    let (_home, bucket) = bucket();
    let read = bucket.read("openid/v1/jwks").await.unwrap_err();
    let written = refused(bucket.write("openid/v1/jwks", &jwks("{}"), &Expected::Absent).await);
    for error in [read, written] {
        assert_eq!(error.code, Code::BucketMissing);
        assert!(error.to_string().contains("--create"), "{error}");
    }
    assert!(!bucket.root.exists());
}

#[tokio::test]
async fn names_outside_the_folder_are_refused() {
    let (home, bucket) = opened().await;
    for name in ["../jwks", "a/../../jwks", "", "/etc/passwd", "a//b", "./jwks", "a/", "a\0b", ".."] {
        let error = refused(bucket.write(name, &jwks("{}"), &Expected::Absent).await);
        assert_eq!((error.code, error.kind), (Code::BucketObjectName, Kind::Usage), "{name:?}");
        assert_eq!(bucket.read(name).await.unwrap_err().code, Code::BucketObjectName, "{name:?}");
        assert_eq!(
            contract::open(&bucket, &[name.to_owned()]).await.unwrap_err().code,
            Code::BucketObjectName,
            "{name:?}"
        );
    }
    assert_eq!(files(home.path()), BTreeSet::from(["public".to_owned()]));
}

#[tokio::test]
async fn symbolic_links_are_not_followed() {
    let (home, bucket) = opened().await;
    let secret = home.path().join("elsewhere");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("openid-configuration"), "not yours").unwrap();
    symlink(&secret, bucket.root.join(".well-known")).unwrap();
    symlink(secret.join("openid-configuration"), bucket.root.join("openid/v1/jwks")).unwrap();
    for name in [".well-known/openid-configuration", "openid/v1/jwks"] {
        assert_eq!(bucket.read(name).await.unwrap_err().code, Code::BucketSymlink, "{name}");
        let error = refused(bucket.write(name, &discovery("{}"), &Expected::Absent).await);
        assert_eq!(error.code, Code::BucketSymlink, "{name}");
    }
    let error = contract::open(&bucket, &[".well-known/openid-configuration".to_owned()]).await.unwrap_err();
    assert_eq!(error.code, Code::BucketSymlink);
    assert_eq!(fs::read_to_string(secret.join("openid-configuration")).unwrap(), "not yours");
}

#[tokio::test]
async fn folder_may_be_a_symbolic_link() {
    let (home, bucket) = opened().await;
    let link = home.path().join("current");
    symlink(&bucket.root, &link).unwrap();
    let linked = Directory::new(link, None);
    linked.write("openid/v1/jwks", &jwks("{}"), &Expected::Absent).await.unwrap();
    assert!(bucket.read("openid/v1/jwks").await.unwrap().is_some());
}

#[tokio::test]
async fn file_instead_of_folder_is_refused() {
    let (home, bucket) = opened().await;
    fs::write(bucket.root.join(".well-known"), "").unwrap();
    let name = ".well-known/openid-configuration";
    let error = refused(bucket.write(name, &discovery("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketNotAFolder, "{error}");
    assert_eq!(contract::open(&bucket, &[name.to_owned()]).await.unwrap_err().code, Code::BucketNotAFolder);
    assert_eq!(bucket.read(name).await.unwrap_err().code, Code::BucketNotAFolder);

    fs::write(home.path().join("file"), "").unwrap();
    let file = Directory::new(home.path().join("file"), None);
    assert_eq!(file.read(name).await.unwrap_err().code, Code::BucketNotAFolder);
    assert_eq!(contract::open(&file, &[name.to_owned()]).await.unwrap_err().code, Code::BucketNotAFolder);
    let below = Directory::new(home.path().join("file/deep/er"), None);
    assert_eq!(contract::open(&below, &[name.to_owned()]).await.unwrap_err().code, Code::BucketNotAFolder);
}

#[tokio::test]
async fn folder_instead_of_file_is_refused() {
    let (_home, bucket) = opened().await;
    fs::create_dir(bucket.root.join("openid/v1/jwks")).unwrap();
    assert_eq!(bucket.read("openid/v1/jwks").await.unwrap_err().code, Code::BucketNotAFile);
    let error = refused(bucket.write("openid/v1/jwks", &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketNotAFile);
}

#[tokio::test]
async fn oversized_file_is_not_read_whole() {
    let (_home, bucket) = opened().await;
    File::create(bucket.root.join("openid/v1/jwks")).unwrap().set_len(1 << 30).unwrap();
    assert_eq!(bucket.read("openid/v1/jwks").await.unwrap_err().code, Code::BodyTooLarge);
}

/// What may lie where a document should, by what it is called in the refusal.
#[tokio::test]
async fn special_files_are_refused_without_waiting() {
    let (home, bucket) = opened().await;
    let path = bucket.root.join("openid/v1/jwks");
    let fifo = || assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let socket = || drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    for (make, kind) in [(&fifo as &dyn Fn(), "FIFO"), (&socket, "socket")] {
        make();
        let begun = std::time::Instant::now();
        let looked = bucket.read("openid/v1/jwks").await.unwrap_err();
        let written = refused(bucket.write("openid/v1/jwks", &jwks("{}"), &Expected::Absent).await);
        for error in [looked, written] {
            assert_eq!(error.code, Code::BucketNotAFile, "{error}");
            assert!(error.message.contains(kind), "{error}");
        }
        // As after it was put there between the look and the opening.
        assert!(read(&path).is_err_and(|error| error.code == Code::BucketNotAFile || kind == "socket"));
        assert!(begun.elapsed() < Duration::from_secs(5));
        fs::remove_file(&path).unwrap();
    }
    symlink(home.path().join("elsewhere"), &path).unwrap();
    assert_eq!(read(&path).unwrap_err().code, Code::BucketSymlink);
    symlink("/dev/zero", bucket.root.join("zero")).unwrap();
    assert_eq!(bucket.read("zero").await.unwrap_err().code, Code::BucketSymlink);
}

#[tokio::test]
async fn pipe_instead_of_folder_is_refused() {
    let (_home, bucket) = opened().await;
    let path = bucket.root.join(".well-known");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let name = ".well-known/openid-configuration";
    assert_eq!(bucket.read(name).await.unwrap_err().code, Code::BucketNotAFile);
    let error = refused(bucket.write(name, &discovery("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketNotAFile);
    // Opened as a folder, it does not wait either.
    assert_eq!(lock(&path, bucket.lock).await.unwrap_err().code, Code::BucketNotAFolder);
}

#[tokio::test]
async fn same_bytes_under_other_name_conflict() {
    let (_home, bucket) = opened().await;
    bucket.write("openid/v1/jwks", &jwks("{}"), &Expected::Absent).await.unwrap();
    bucket.write("b/openid/v1/jwks", &jwks("{}"), &Expected::Absent).await.unwrap();
    let other = bucket.read("b/openid/v1/jwks").await.unwrap();
    conflict(bucket.write("openid/v1/jwks", &jwks("[]"), &Expected::of(other.as_ref())).await);
}

#[tokio::test]
async fn hanging_writer_is_not_awaited() {
    let (_home, mut bucket) = opened().await;
    bucket.lock.deadline = Duration::from_millis(30);
    let holder = File::open(bucket.root.join("openid/v1")).unwrap();
    holder.lock().unwrap();
    let error = refused(bucket.write("openid/v1/jwks", &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketLocked, "{error}");
    let pid = format!("process {}", std::process::id());
    assert!(error.message.contains(&pid) || error.message.contains("another process"), "{error}");
    drop(holder);
    bucket.write("openid/v1/jwks", &jwks("{}"), &Expected::Absent).await.unwrap();
    assert_eq!(files(&bucket.root.join("openid/v1")), BTreeSet::from(["jwks".to_owned()]));
}

#[test]
fn every_disk_refusal_has_a_remedy() {
    let refusals = [
        (ErrorKind::PermissionDenied, Code::BucketForbidden),
        (ErrorKind::ReadOnlyFilesystem, Code::BucketReadOnly),
        (ErrorKind::StorageFull, Code::BucketFull),
        (ErrorKind::QuotaExceeded, Code::BucketFull),
        (ErrorKind::NotADirectory, Code::BucketNotAFolder),
        (ErrorKind::IsADirectory, Code::BucketNotAFile),
        (ErrorKind::Other, Code::BucketIo),
    ];
    for (kind, code) in refusals {
        let error = describe(&kind.into(), "write", Path::new("/srv/jwks"));
        assert_eq!((error.code, error.kind), (code, Kind::Failed));
        assert!(error.message.contains("/srv/jwks") && !error.hints.is_empty(), "{error}");
    }
}
