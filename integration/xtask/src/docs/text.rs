//! The documents of the repository.

use crate::paths;
use std::fs;
use std::path::{Path, PathBuf};

/// A Markdown file.
pub(super) struct Document {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Document {
    pub(super) fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// The lines outside of code blocks.
    pub(super) fn prose(&self) -> impl Iterator<Item = &str> {
        let mut is_code = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        })
    }
}

/// Every Markdown file of the repository.
pub(super) fn all() -> Vec<Document> {
    let mut found = Vec::new();
    collect(&paths::root(), &mut found);
    assert!(found.len() > 3, "the documents are not where they were");
    found.into_iter().map(Document::read).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_ours = name != "target" && name != "node_modules" && !name.to_string_lossy().starts_with('.');
        if path.is_dir() && is_ours {
            collect(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}
