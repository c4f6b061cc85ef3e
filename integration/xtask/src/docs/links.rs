//! Links inside the repository.

use super::text::{self, Document};

#[test]
fn every_link_to_a_file_or_a_heading_leads_somewhere() {
    let mut broken = Vec::new();
    for document in text::all() {
        for target in document.prose().flat_map(targets).filter(|it| is_ours(it)) {
            if !resolves(&document, target) {
                broken.push(format!("{}: {target}", document.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What stands in the brackets behind `](`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

fn is_ours(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:")
}

fn resolves(from: &Document, target: &str) -> bool {
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let folder = from.path.parent().expect("a file lies in a folder");
    let path = if file.is_empty() { from.path.clone() } else { folder.join(file) };
    match heading {
        None => path.exists(),
        Some(heading) => path.is_file() && has_heading(&Document::read(path), heading),
    }
}

fn has_heading(document: &Document, slug: &str) -> bool {
    let mut headings = document.prose().filter_map(|line| line.strip_prefix('#'));
    headings.any(|line| slug_of(line.trim_start_matches('#').trim()) == slug)
}

/// As the usual viewers of Markdown make it.
fn slug_of(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn headings_become_slugs() {
    assert_eq!(slug_of("What `weft run` does, and why"), "what-weft-run-does-and-why");
}
