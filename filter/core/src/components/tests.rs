//! The README's table of components, beside what they say they support.

use super::*;
use crate::config::LogLevel;
use crate::fake::FakeHost;
use std::collections::{BTreeMap, BTreeSet};

const README: &str = include_str!("../../../../README.md");

impl Site {
    /// Of the application `orders`, with that backend behind the link `link`.
    pub(super) fn of_orders(runtime: &Runtime, backend: &str) -> Self {
        Self {
            runtime: runtime.clone(),
            app_id: "orders".to_owned(),
            namespace: "default".to_owned(),
            target: Some(TcpTarget { link: "link".to_owned(), backend: backend.to_owned(), node: None }),
        }
    }
}

/// The names of metadata in a row of the table.
fn documented(kind: &str) -> BTreeSet<String> {
    let row = README.lines().find_map(|line| line.strip_prefix(&format!("| `{kind}` |")));
    let cells = row.unwrap_or_else(|| panic!("the README has no row for {kind}"));
    cells.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names that a component offers in place of one that it does not know.
fn supported(kind: &str) -> BTreeSet<String> {
    let component = Component {
        name: "c".to_owned(),
        kind: kind.to_owned(),
        version: "v1".to_owned(),
        cluster: None,
        metadata: BTreeMap::from([("unheard-of".to_owned(), String::new())]),
    };
    let site = Site::of_orders(&Runtime::new(Rc::new(FakeHost::default()), LogLevel::Info), "backend");
    let problems = if kind.starts_with("pubsub.") {
        build_broker(&component, &site).err()
    } else {
        build_store(&component, &site).err()
    };
    let problems = problems.expect("the component refuses what it does not know");
    let listed = problems.iter().find_map(|problem| problem.remedy.split_once("supported: "));
    listed.expect("the remedy lists the names").1.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_readme_lists_every_component_with_all_of_its_metadata() {
    for kind in SUPPORTED {
        assert_eq!(documented(kind), supported(kind), "{kind}");
    }
}
