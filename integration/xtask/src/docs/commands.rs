//! Commands that the documents name.

use super::text;
use crate::tools::envoy;
use crate::{Xtask, paths};
use clap::{Command, CommandFactory};

#[test]
fn every_verb_and_flag_of_cargo_xtask_in_the_documents_exists() {
    let xtask = Xtask::command();
    let mut wrong = Vec::new();
    for document in text::all() {
        for rest in document.text.split("cargo xtask ").skip(1) {
            let command = rest.split(['\n', '`', ';', '#', '(', ')', '|', '"', '\'']).next().unwrap_or_default();
            if let Err(why) = check(&xtask, command) {
                wrong.push(format!("{}: cargo xtask {command}: {why}", document.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words of a sentence may follow a verb; only what looks like a flag has to be one.
fn check(xtask: &Command, command: &str) -> Result<(), String> {
    let mut words = command.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ':']));
    let verb = words.next().unwrap_or_default();
    if verb.starts_with('<') || verb.starts_with('-') {
        return Ok(());
    }
    let found = xtask.find_subcommand(verb).ok_or("no such verb")?;
    let known = |flag: &str| flag == "help" || found.get_arguments().any(|it| it.get_long() == Some(flag));
    match words.filter_map(|word| word.trim_matches(['[', ']']).strip_prefix("--")).find(|flag| !known(flag)) {
        Some(flag) => Err(format!("no flag --{flag}")),
        None => Ok(()),
    }
}

#[test]
fn the_readme_says_where_the_fetched_envoy_lies() {
    let readme = text::Document::read(paths::root().join("README.md")).text;
    let export = format!("ENVOY_BIN=\"$PWD/target/tools/envoy-{}/envoy\"", envoy::DEFAULT);
    assert!(readme.contains(&export), "{export}");
}

#[test]
fn a_wrong_verb_or_flag_is_found() {
    let xtask = Xtask::command();
    assert_eq!(check(&xtask, "test --only unit, and then"), Ok(()));
    assert_eq!(check(&xtask, "tests"), Err("no such verb".to_owned()));
    assert_eq!(check(&xtask, "demo --twice"), Err("no flag --twice".to_owned()));
}
