//! The bounds that the README shows.

use super::text::Document;
use crate::paths;

#[test]
fn the_readme_shows_the_limits_that_are_checked() {
    let readme = Document::read(paths::root().join("README.md")).text;
    for limits in weft_limits::ALL {
        let head = format!("| `{}` |", limits.module);
        let row = readme.lines().find(|line| line.starts_with(&head)).expect("a row of the table of memory and size");
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let shown = (cells.get(3).copied(), cells.get(5).copied());
        let (resident, size) = (limits.resident_mib.to_string(), limits.size_kib.to_string());
        assert_eq!(shown, (Some(resident.as_str()), Some(size.as_str())), "{row}");
    }
}
