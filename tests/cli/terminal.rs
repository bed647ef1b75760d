//! A terminal before the program: it asks only a person who sits at one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::Path,
    process::Command,
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

/// The end at which the person sits.
pub(crate) struct Terminal(File);

impl Terminal {
    /// The command reads from it, and from nothing else.
    pub(crate) fn of(command: &mut Command) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let name = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let program = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(name)
            .unwrap();
        command.stdin(program);
        Self(File::from(person))
    }
}

impl Write for Terminal {
    fn write(&mut self, typed: &[u8]) -> io::Result<usize> {
        self.0.write(typed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
