//! Checks and reads files.
//!
//! Distinguishes "absent" from "cannot be read", and reads only regular files of a bounded size: a FIFO would block
//! forever, a device would never end, and a link could lead out of the folder.

use std::env;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The default maximum size of a file in bytes; [`LIMIT_VARIABLE`] overrides it.
const LARGEST: u64 = 64 << 20;

/// The environment variable with the maximum size of a file, such as `200MB`.
const LIMIT_VARIABLE: &str = "ORCHESTRATOR_MAX_FILE_SIZE";

/// What exists at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A regular file or a link to one.
    File,
    /// A folder or a link to one.
    Folder,
}

/// Checks what exists at a path. Returns `None` only if nothing does; a path that cannot be checked is an error.
pub fn look(path: &Path) -> Result<Option<Found>, FileError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(Found::File)),
        Ok(metadata) if metadata.is_dir() => Ok(Some(Found::Folder)),
        Ok(metadata) => Err(FileError::new(path, FileProblem::Special(kind(&metadata)))),
        Err(error) if is_absent(&error) => match dangling_link(path)? {
            Some(link) => Err(FileError::new(&link, FileProblem::DanglingLink)),
            None => Ok(None),
        },
        Err(error) => Err(FileError::io(path, error)),
    }
}

/// Whether a folder exists; a file with that name is an error.
pub fn is_folder(path: &Path) -> Result<bool, FileError> {
    match look(path)? {
        Some(Found::Folder) => Ok(true),
        Some(Found::File) => Err(FileError::new(path, FileProblem::NoFolder)),
        None => Ok(false),
    }
}

/// Whether a regular file exists; a folder with that name is an error.
pub fn is_file(path: &Path) -> Result<bool, FileError> {
    match look(path)? {
        Some(Found::File) => Ok(true),
        Some(Found::Folder) => Err(FileError::new(path, FileProblem::Folder)),
        None => Ok(false),
    }
}

/// Reads a file that must exist.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    read_optional(path)?.ok_or_else(|| FileError::io(path, io::Error::from(ErrorKind::NotFound)))
}

/// Reads a file if it exists.
pub fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    if !is_file(path)? {
        return Ok(None);
    }
    read_regular(path).map(Some)
}

/// Reads a file that was just seen to be a regular one.
fn read_regular(path: &Path) -> Result<Vec<u8>, FileError> {
    let limit = limit().map_err(|problem| FileError::new(path, problem))?;
    let failed = |error| FileError::io(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut size = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    if size <= limit {
        let expected = usize::try_from(size).unwrap_or_default();
        // One byte more than the file has: fewer bytes than asked for are all of a regular file, so its end needs no other read.
        bytes.resize(expected.saturating_add(1), 0);
        let read = file.read(&mut bytes).map_err(failed)?;
        bytes.truncate(read);
        if read != expected {
            // It changed since, or the read was interrupted. It may still grow.
            let rest = limit.saturating_add(1).saturating_sub(read as u64);
            file.take(rest).read_to_end(&mut bytes).map_err(failed)?;
        }
        size = bytes.len() as u64;
    }
    if size > limit {
        return Err(FileError::new(path, FileProblem::TooLarge { limit }));
    }
    Ok(bytes)
}

/// Reads a text file that was found in its folder, not through a link.
pub fn read_listed_text(path: &Path, is_regular: bool) -> Result<String, FileError> {
    match is_regular {
        true => text(path, read_regular(path)?),
        false => read_text(path),
    }
}

/// Reads a text file that must exist.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    text(path, read(path)?)
}

/// Reads a text file if it exists.
pub fn read_optional_text(path: &Path) -> Result<Option<String>, FileError> {
    read_optional(path)?
        .map(|bytes| text(path, bytes))
        .transpose()
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, FileError> {
    String::from_utf8(bytes).map_err(|_| FileError::new(path, FileProblem::NotUtf8))
}

/// Refuses a path that leads out of a folder through links.
pub fn check_within(path: &Path, folder: &Path) -> Result<(), FileError> {
    let real = |path: &Path| fs::canonicalize(path).map_err(|error| FileError::io(path, error));
    let target = real(path)?;
    if target.starts_with(real(folder)?) {
        return Ok(());
    }
    Err(FileError::new(path, FileProblem::Outside { target }))
}

/// The entries of a folder, sorted by name. Skips hidden files and editor backups (`x~`, `x.swp`, `.#x`).
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = typed_entries(folder)?.into_iter();
    Ok(entries.map(|(path, _)| path).collect())
}

/// The same, each with whether it is known to be a regular file, not a link to one.
pub(crate) fn typed_entries(folder: &Path) -> Result<Vec<(PathBuf, bool)>, FileError> {
    let failed = |error| FileError::io(folder, error);
    if look(folder)? == Some(Found::File) {
        return Err(FileError::new(folder, FileProblem::NoFolder));
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if !(name.starts_with(b".") || name.ends_with(b"~") || name.ends_with(b".swp")) {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            paths.push((entry.path(), is_file));
        }
    }
    // All are in one folder: comparing whole paths, component by component, takes several times as long.
    paths.sort_by(|(a, _), (b, _)| a.file_name().cmp(&b.file_name()));
    Ok(paths)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The link at or above a path whose target does not exist.
fn dangling_link(path: &Path) -> Result<Option<PathBuf>, FileError> {
    for above in path.ancestors() {
        match fs::symlink_metadata(above) {
            Ok(metadata) => return Ok(metadata.is_symlink().then(|| above.to_owned())),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(FileError::io(above, error)),
        }
    }
    Ok(None)
}

#[cfg(unix)]
fn kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn kind(_metadata: &Metadata) -> &'static str {
    "a special file"
}

fn limit() -> Result<u64, FileProblem> {
    match env::var(LIMIT_VARIABLE) {
        Ok(value) if !value.trim().is_empty() => {
            parse_size(&value).ok_or(FileProblem::Limit { value })
        }
        _ => Ok(LARGEST),
    }
}

/// Parses a whole number of bytes, or of `kB`, `MB` or `GB` as PostgreSQL counts them.
fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, factor) = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30), ("", 1)]
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    number.trim_end().parse::<u64>().ok()?.checked_mul(factor)
}

/// Why a file was not read.
#[derive(Debug)]
pub struct FileError {
    /// The file, or the link on the path to it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: FileProblem,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum FileProblem {
    /// The operating system reported an error.
    Io(io::Error),
    DanglingLink,
    /// Neither a regular file nor a folder.
    Special(&'static str),
    /// A folder where a file is expected.
    Folder,
    /// A file where a folder is expected.
    NoFolder,
    /// A link out of the folder.
    Outside {
        /// The link's target.
        target: PathBuf,
    },
    /// Larger than the limit.
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Not valid UTF-8.
    NotUtf8,
    /// The limit itself is not a valid size.
    Limit {
        /// The variable's value.
        value: String,
    },
}

impl FileError {
    fn new(path: &Path, problem: FileProblem) -> Self {
        Self {
            path: path.to_owned(),
            problem,
        }
    }

    fn io(path: &Path, error: io::Error) -> Self {
        Self::new(path, FileProblem::Io(error))
    }

    /// Whether the file does not exist.
    pub fn is_absent(&self) -> bool {
        matches!(&self.problem, FileProblem::Io(error) if is_absent(error))
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::DanglingLink => f.write_str("a dangling link"),
            Self::Special(kind) => write!(f, "{kind} and not a regular file"),
            Self::Folder => f.write_str("a folder and not a regular file"),
            Self::NoFolder => f.write_str("a file and not a folder"),
            Self::Outside { target } => write!(
                f,
                "a link out of the folder, to {}; replace it with a copy",
                target.display()
            ),
            Self::TooLarge { limit } => write!(
                f,
                "larger than {limit} bytes; set {LIMIT_VARIABLE} to read it, for example to 200MB"
            ),
            Self::NotUtf8 => f.write_str("cannot be read as UTF-8 text"),
            Self::Limit { value } => write!(
                f,
                "cannot be read: {LIMIT_VARIABLE} is {value:?}; expected a size such as 64MB"
            ),
        }
    }
}

impl std::error::Error for FileError {}

impl From<FileError> for io::Error {
    /// For errors that already name the path.
    fn from(error: FileError) -> Self {
        match error.problem {
            FileProblem::Io(error) => error,
            problem => Self::new(ErrorKind::InvalidData, problem.to_string()),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_missing_files_are_absent() {
        let folder = env::temp_dir().join(format!("files-{}", std::process::id()));
        let at = |name: &str| folder.join(name);
        fs::create_dir_all(at("a")).expect("a folder");
        fs::write(at("a/x"), "text").expect("a file");
        symlink(at("a/x"), at("link")).expect("a link");
        symlink(at("nothing"), at("dangling")).expect("a link");
        symlink(at("loop"), at("loop")).expect("a link");
        let _socket = UnixListener::bind(at("socket")).expect("a socket");

        assert_eq!(look(&at("a/x")).ok(), Some(Some(Found::File)));
        assert_eq!(look(&at("link")).ok(), Some(Some(Found::File)));
        assert_eq!(look(&at("a")).ok(), Some(Some(Found::Folder)));
        for absent in ["nothing", "nothing/x", "a/x/y"] {
            assert_eq!(look(&at(absent)).ok(), Some(None), "{absent}");
        }
        for unseen in ["dangling", "dangling/x", "loop", "loop/x", "socket"] {
            assert!(look(&at(unseen)).is_err(), "{unseen}");
            assert!(read_optional(&at(unseen)).is_err(), "{unseen}");
        }
        assert!(look(Path::new("/dev/zero")).is_err());

        assert!(read(&at("a")).is_err());
        assert!(read(&at("nothing")).is_err_and(|error| error.is_absent()));
        assert_eq!(read_text(&at("link")).ok().as_deref(), Some("text"));
        assert!(check_within(&at("link"), &folder).is_ok());
        assert!(check_within(&at("link"), &at("a")).is_ok());
        symlink("/etc/passwd", at("a/out")).expect("a link");
        assert!(check_within(&at("a/out"), &at("a")).is_err());
        fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn sizes_have_units() {
        for (text, size) in [
            ("64MB", Some(64 << 20)),
            ("1 gb", Some(1 << 30)),
            ("10", Some(10)),
            ("many", None),
            ("-1", None),
            ("99999999999GB", None),
        ] {
            assert_eq!(parse_size(text), size, "{text}");
        }
    }
}
