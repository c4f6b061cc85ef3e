//! Files that Weft ships for its users, started as they stand but for their ports.

use crate::envoy::EnvoyProcess;
use crate::{env, ports};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

/// Where Envoy's configuration names a port.
const MARK: &str = "port_value: ";

/// A bootstrap file in which every port was replaced by one that is free here.
#[derive(Debug)]
pub struct Example {
    text: String,
    ports: BTreeMap<u16, u16>,
}

impl Example {
    /// Reads a file of the workspace.
    ///
    /// # Panics
    /// If the file cannot be read.
    #[must_use]
    pub fn read(path: &str) -> Self {
        let text = fs::read_to_string(env::workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self::new(text)
    }

    /// Takes a bootstrap as text.
    #[must_use]
    pub fn new(text: String) -> Self {
        let named = text.split(MARK).skip(1).filter_map(|rest| first_number(rest)?.parse().ok());
        let ports = named.map(|port| (port, ports::free())).collect();
        Self { text, ports }
    }

    /// Puts `real` in place of the port that the file names `written`, where something listens already.
    ///
    /// # Panics
    /// If the file does not name it.
    #[must_use]
    pub fn with(mut self, written: u16, real: u16) -> Self {
        let known = self.ports.insert(written, real);
        assert!(known.is_some(), "the file names no port {written}");
        self
    }

    /// Puts `fresh` in place of a text of the file, such as a host's name that means nothing here.
    ///
    /// # Panics
    /// If the file does not hold it.
    #[must_use]
    pub fn replace(mut self, text: &str, fresh: &str) -> Self {
        assert!(self.text.contains(text), "the file has no {text}");
        self.text = self.text.replace(text, fresh);
        self
    }

    /// `host:port` of what the file puts on port `written`.
    ///
    /// # Panics
    /// If the file does not name it.
    #[must_use]
    pub fn address(&self, written: u16) -> String {
        let port = self.ports.get(&written).unwrap_or_else(|| panic!("the file names no port {written}"));
        format!("127.0.0.1:{port}")
    }

    /// Starts Envoy in a folder that holds the modules, and nothing else of ours.
    #[must_use]
    pub fn start(&self, workers: u32) -> EnvoyProcess {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let modules = [
            (env::module(), "weft.wasm"),
            (env::route_module(), "weft-route.wasm"),
            (env::full_module(), "weft-full.wasm"),
        ];
        for (file, name) in modules {
            symlink(file, folder.path().join(name)).expect("the module can be put beside the bootstrap");
        }
        let text = renumber(&self.text, &self.ports);
        fs::write(folder.path().join("bootstrap.yaml"), text).expect("the bootstrap can be written");
        EnvoyProcess::start_file(folder, "bootstrap.yaml", workers)
    }
}

fn first_number(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit()).next()
}

/// Replaces whole numbers only, so that a new port is never taken for an old one.
fn renumber(text: &str, ports: &BTreeMap<u16, u16>) -> String {
    let mut fresh = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let number = first_number(from).unwrap_or_default();
        fresh.push_str(before);
        match number.parse().ok().and_then(|port: u16| ports.get(&port)) {
            Some(real) => fresh.push_str(&real.to_string()),
            None => fresh.push_str(number),
        }
        rest = &from[number.len()..];
    }
    fresh.push_str(rest);
    fresh
}

#[cfg(test)]
mod tests {
    use super::renumber;
    use std::collections::BTreeMap;

    #[test]
    fn only_whole_numbers_are_replaced_and_each_only_once() {
        let ports = BTreeMap::from([(80, 8080), (8080, 90)]);
        assert_eq!(renumber("a: 80, b: 8080, c: 801, 80", &ports), "a: 8080, b: 90, c: 801, 8080");
    }
}
