//! Reading a mapping member by member, so that everything that is wrong with it is told at once.

use super::{Document, Key, Node, Value};
use crate::problem::{Place, Problems};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// A mapping that is being read.
pub struct Fields<'a> {
    file: Arc<Path>,
    problems: &'a Problems,
    /// What the mapping describes, for messages, such as `Component "store"`.
    subject: String,
    /// Where in the subject, such as `spec.`.
    path: String,
    line: usize,
    entries: &'a [(Key, Node)],
    read: Vec<&'static str>,
}

/// A value and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The value.
    pub value: String,
    /// Where.
    pub place: Place,
}

impl<'a> Fields<'a> {
    /// Begins to read a document. Anything but a mapping is a problem.
    pub fn of_document(document: &'a Document, subject: &str, problems: &'a Problems) -> Option<Self> {
        Self::of(&document.root, &document.file, subject.to_owned(), String::new(), problems)
    }

    fn of(node: &'a Node, file: &Arc<Path>, subject: String, path: String, problems: &'a Problems) -> Option<Self> {
        let file = Arc::clone(file);
        let Value::Map(entries) = &node.value else {
            let what = path.strip_suffix('.').map(|path| format!("{subject}: {path}")).unwrap_or(subject);
            let place = Place { file, line: node.line };
            problems.add(&place, format!("{what} is {} where a mapping should be", node.value.kind()));
            return None;
        };
        Some(Self { file, problems, subject, path, line: node.line, entries, read: Vec::new() })
    }

    /// From now on problems name this.
    pub fn set_subject(&mut self, subject: String) {
        self.subject = subject;
    }

    /// What the mapping describes.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Where the mapping begins.
    pub fn place(&self) -> Place {
        self.at(self.line)
    }

    fn at(&self, line: usize) -> Place {
        Place { file: Arc::clone(&self.file), line }
    }

    /// Adds a problem of one member.
    pub fn problem(&self, place: &Place, name: &str, why: &str) {
        self.problems.add(place, format!("{}: {} {why}", self.subject, self.member(name)));
    }

    /// Adds a remark about one member, or about all of them if it has no name.
    pub fn remark(&self, place: &Place, name: &str, why: &str) {
        self.problems.remark(place, format!("{}: {} {why}", self.subject, self.member(name)));
    }

    /// Where a member stands in the document; without a name, where all of them do.
    fn member(&self, name: &str) -> String {
        if name.is_empty() { self.path.trim_end_matches('.').to_owned() } else { format!("{}{name}", self.path) }
    }

    /// A member, unless it is absent or null.
    pub fn node(&mut self, name: &'static str) -> Option<&'a Node> {
        if !self.read.contains(&name) {
            self.read.push(name);
        }
        let (_, node) = self.entries.iter().find(|(key, _)| key.name == name)?;
        (node.value != Value::Null).then_some(node)
    }

    /// A single value.
    pub fn text(&mut self, name: &'static str) -> Option<Text> {
        let node = self.node(name)?;
        self.scalar(node, name)
    }

    fn scalar(&self, node: &Node, name: &str) -> Option<Text> {
        let place = self.at(node.line);
        match &node.value {
            Value::Scalar(value) => Some(Text { value: value.clone(), place }),
            other => {
                self.problem(&place, name, &format!("is {} where a single value should be", other.kind()));
                None
            }
        }
    }

    /// A single value that has to be there and not to be empty.
    pub fn required(&mut self, name: &'static str) -> Option<Text> {
        let missing = self.node(name).is_none();
        let text = self.text(name);
        match &text {
            Some(text) if text.value.is_empty() => self.problem(&text.place, name, "is empty"),
            None if missing => self.problem(&self.place(), name, "is missing"),
            _ => return text,
        }
        None
    }

    /// A single value that may be absent but not empty.
    pub fn required_if_there(&mut self, name: &'static str) -> Option<Text> {
        self.node(name)?;
        self.required(name)
    }

    /// A mapping inside this one that has to be there.
    pub fn required_fields(&mut self, name: &'static str) -> Option<Fields<'a>> {
        if self.node(name).is_none() {
            self.problem(&self.place(), name, "is missing");
        }
        self.fields(name)
    }

    /// A single value of a type. `expected` says what it should be.
    pub fn parsed<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = text.value.parse().ok();
        if value.is_none() {
            self.problem(&text.place, name, &format!("is {:?}, which is not {expected}", text.value));
        }
        value
    }

    /// `true` or `false`; `false` if absent.
    pub fn flag(&mut self, name: &'static str) -> bool {
        self.parsed(name, "true or false").unwrap_or_default()
    }

    /// The members of a list; none if it is absent.
    pub fn list(&mut self, name: &'static str) -> &'a [Node] {
        match self.node(name) {
            None => &[],
            Some(Node { value: Value::List(items), .. }) => items,
            Some(other) => {
                self.problem(&self.at(other.line), name, &format!("is {} where a list should be", other.value.kind()));
                &[]
            }
        }
    }

    /// A list of single values.
    pub fn texts(&mut self, name: &'static str) -> Vec<Text> {
        self.list(name).iter().filter_map(|item| self.scalar(item, name)).collect()
    }

    /// A list of mappings.
    pub fn each(&mut self, name: &'static str) -> Vec<Fields<'a>> {
        let items = self.list(name).iter().enumerate();
        let path = |at: usize| format!("{}{name}[{at}].", self.path);
        items
            .filter_map(|(at, item)| Self::of(item, &self.file, self.subject.clone(), path(at), self.problems))
            .collect()
    }

    /// A mapping inside this one.
    pub fn fields(&mut self, name: &'static str) -> Option<Fields<'a>> {
        let node = self.node(name)?;
        let path = format!("{}{name}.", self.path);
        Self::of(node, &self.file, self.subject.clone(), path, self.problems)
    }

    /// A mapping of any names to single values.
    pub fn pairs(&mut self, name: &'static str) -> Vec<(String, Text)> {
        self.fields(name).map(|fields| fields.all_pairs()).unwrap_or_default()
    }

    /// A mapping of any names to mappings.
    pub fn members(&mut self, name: &'static str) -> Vec<(String, Fields<'a>)> {
        let Some(inner) = self.fields(name) else { return Vec::new() };
        let one = |(key, node): &'a (Key, Node)| {
            let path = format!("{}{}.", inner.path, key.name);
            let fields = Self::of(node, &inner.file, inner.subject.clone(), path, inner.problems)?;
            Some((key.name.clone(), fields))
        };
        inner.entries.iter().filter_map(one).collect()
    }

    /// All members as single values, whatever their names.
    #[must_use]
    pub fn all_pairs(&self) -> Vec<(String, Text)> {
        self.entries.iter().filter_map(|(key, node)| Some((key.name.clone(), self.value(key, node)?))).collect()
    }

    /// Where a member is, if it is there.
    pub fn place_of(&mut self, name: &'static str) -> Option<Place> {
        self.node(name).map(|node| self.at(node.line))
    }

    fn value(&self, key: &Key, node: &Node) -> Option<Text> {
        match node.value {
            Value::Null => Some(Text { value: String::new(), place: self.at(node.line) }),
            _ => self.scalar(node, &key.name),
        }
    }

    /// A member that is not supported: a problem if it is there, unless it holds nothing or `harmless`.
    pub fn refuse(&mut self, name: &'static str, harmless: Option<&str>, why: &str) {
        let Some(node) = self.node(name) else { return };
        let is_harmless = match &node.value {
            Value::Null => true,
            Value::Scalar(text) => Some(text.as_str()) == harmless,
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
        };
        if !is_harmless {
            self.problem(&self.at(node.line), name, &format!("is not supported: {why}"));
        }
    }

    /// Every member that nobody has asked for is a problem.
    pub fn finish(self) {
        let unknown = self.entries.iter().filter(|(key, _)| !self.read.contains(&key.name.as_str()));
        for (key, _) in unknown {
            let known = self.read.join(", ");
            self.problem(&self.at(key.line), &key.name, &format!("is not known; there may be {known}"));
        }
    }
}
