//! Services read from a folder at run time: `--services-dir DIR`.

use std::path::Path;
use std::sync::Arc;

use service_layout::files::{self, Found};
use service_layout::{Layout, SqlFile};

use super::assemble::{SourceError, Text, assemble};
use super::definition::Definition;
use domain::{Fleet, Service, ServiceName, ServiceNameError, Version};

/// Reads every folder below `folder` that holds a `service.toml`.
///
/// A folder with `migrations/` but without `service.toml`, and anything unreadable, are errors rather than silently ignored.
pub fn load_folder(folder: &Path) -> Result<Fleet, SourceError> {
    let mut services = Vec::new();
    for path in files::entries(folder).map_err(SourceError::Folder)? {
        let is_folder = files::look(&path)? == Some(Found::Folder);
        if is_folder
            && (files::look(&path.join("service.toml"))?.is_some()
                || files::look(&path.join("migrations"))?.is_some())
        {
            services.push(load_service(&path)?);
        }
    }
    if services.is_empty() {
        return Err(SourceError::NoService {
            path: folder.display().to_string(),
        });
    }
    Ok(Fleet::new(services)?)
}

fn load_service(folder: &Path) -> Result<Service, SourceError> {
    let toml = folder.join("service.toml");
    let path = toml.display().to_string();
    let text = files::read_text(&toml)?;
    files::check_within(&toml, folder)?;
    let definition = Definition::parse(&path, &text)?;
    check_name(folder, &path, &definition.name)?;
    let layout = Layout::read(folder)?;
    assemble(
        &path,
        definition,
        texts(layout.migrations)?,
        texts(layout.reverts)?,
    )
}

fn check_name(folder: &Path, path: &str, name: &ServiceName) -> Result<(), SourceError> {
    let folder_name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    folder_name
        .parse::<ServiceName>()
        .map_err(|source: ServiceNameError| SourceError::FolderName {
            path: folder.display().to_string(),
            source,
        })?;
    if name.as_str() == folder_name {
        Ok(())
    } else {
        Err(SourceError::NameMismatch {
            path: path.to_owned(),
            name: name.to_string(),
            folder: folder_name.to_owned(),
        })
    }
}

/// The fewest files for which another thread is worth its start.
const FILES_PER_THREAD: usize = 500;

/// Reads files, on several threads if there are many. Of several errors, the one of the first file counts.
fn texts(files: Vec<SqlFile>) -> Result<Vec<Text>, SourceError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let size = files.len().div_ceil(threads).max(FILES_PER_THREAD);
    let read = |files: &[SqlFile]| files.iter().map(text).collect::<Result<Vec<_>, _>>();
    let Some((first, others)) = files.split_at_checked(size) else {
        return read(&files);
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = others
            .chunks(size)
            .map(|chunk| (chunk, scope.spawn(move || read(chunk))))
            .collect();
        let mut texts = read(first)?;
        for (chunk, thread) in others {
            // A thread that could not do its work leaves it to this one.
            texts.extend(thread.join().unwrap_or_else(|_| read(chunk))?);
        }
        Ok(texts)
    })
}

fn text(file: &SqlFile) -> Result<Text, SourceError> {
    Ok(Text {
        version: Version::new(file.name.version),
        path: file.path.display().to_string(),
        sql: Arc::from(files::read_listed_text(&file.path, file.is_regular)?),
        name: file.name.name.clone(),
    })
}
