//! A terminal before the program: it asks only a person who sits at one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::Path,
    process::Command,
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
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

/// A screen of so many columns: the end that a person looks at, and the one that a program prints to.
pub(crate) fn screen(columns: u16) -> (File, File) {
    let mut command = Command::new("true");
    let Terminal(person) = Terminal::of(&mut command);
    let name = ptsname(&person, Vec::new()).unwrap();
    let name = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let flags = OFlags::NOCTTY.bits().cast_signed();
    let program = OpenOptions::new().read(true).write(true).custom_flags(flags).open(name).unwrap();
    let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&person, size).unwrap();
    (person, program)
}

/// What is on it once the program has ended: then the terminal is gone, which is an error to its reader.
pub(crate) fn shown(mut person: File) -> String {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = person.read(&mut part) {
        all.extend_from_slice(&part[..length]);
    }
    String::from_utf8(all).unwrap().replace("\r\n", "\n")
}
