//! What the documents say of `weft`, beside what the program itself says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;
use weft_tests::env;

#[test]
fn every_flag_of_weft_in_the_readme_exists() {
    let readme = std::fs::read_to_string(env::workspace().join("README.md")).unwrap();
    for verb in ["run", "render"] {
        let help = Command::new(env::weft()).args([verb, "--help"]).output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let known: Vec<&str> = help.split([' ', ',', '\n']).filter(|word| word.starts_with('-')).collect();
        let mut seen = 0;
        for rest in readme.split(&format!("weft {verb} ")).skip(1) {
            let command = rest.split(['\n', '`', '|', '#']).next().unwrap().split(" -- ").next().unwrap();
            for flag in command.split_whitespace().filter(|word| word.starts_with('-')) {
                assert!(known.contains(&flag), "weft {verb} has no {flag}; it has {known:?}");
                seen += 1;
            }
        }
        assert!(seen > 0, "the README shows no use of weft {verb}");
    }
}
