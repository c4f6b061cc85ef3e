//! From the parser's events to trees.

use super::{Key, Node, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::collections::BTreeMap;

/// No file of resources is deeper.
const DEEPEST: usize = 64;
/// Aliases are copies; this bounds what they may add up to.
const LARGEST: usize = 100_000;

/// Where, and why not.
type Fault = (usize, String);

/// A list or mapping that is not complete.
enum Open {
    List { line: usize, anchor: usize, items: Vec<Node> },
    Map { line: usize, anchor: usize, entries: Vec<(Key, Node)>, key: Option<Key> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    roots: Vec<Node>,
    size: usize,
}

/// The outermost values of a text, without empty ones.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, Fault> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| (error.marker().line(), error.info().to_owned()))?;
        builder.take(event, span.start.line())?;
    }
    Ok(builder.roots.into_iter().filter(|root| root.value != Value::Null).collect())
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain || checked(line, tag.as_deref())?;
                self.put(Node { line, value: scalar(&text, quoted) }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                checked(line, tag.as_deref())?;
                self.begin(line, Open::List { line, anchor, items: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                checked(line, tag.as_deref())?;
                self.begin(line, Open::Map { line, anchor, entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| (line, "an alias of what is not complete".to_owned()))?;
                self.size += size(&node);
                self.put(Node { line, ..node }, 0)
            }
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, line: usize, open: Open) -> Result<(), Fault> {
        if self.open.len() == DEEPEST {
            return Err((line, format!("more than {DEEPEST} levels")));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.open.pop() {
            Some(Open::List { line, anchor, items }) => self.put(Node { line, value: Value::List(items) }, anchor),
            Some(Open::Map { line, anchor, entries, .. }) => {
                self.put(Node { line, value: Value::Map(entries) }, anchor)
            }
            None => Ok(()),
        }
    }

    /// Puts a complete value where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        self.size += 1;
        if self.size > LARGEST {
            return Err((node.line, format!("more than {LARGEST} values")));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.roots.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(name(node, entries)?),
            },
        }
        Ok(())
    }
}

/// How many values a copy brings.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Scalar(_) => 1,
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|(_, node)| size(node)).sum::<usize>(),
    }
}

fn name(node: Node, entries: &[(Key, Node)]) -> Result<Key, Fault> {
    let line = node.line;
    let Value::Scalar(name) = node.value else {
        return Err((line, format!("{} where a name should be", node.value.kind())));
    };
    match entries.iter().find(|(key, _)| key.name == name) {
        Some((first, _)) => Err((line, format!("{name:?} is here a second time, first in line {}", first.line))),
        None => Ok(Key { name, line }),
    }
}

fn scalar(text: &str, quoted: bool) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" if !quoted => Value::Null,
        text => Value::Scalar(text.to_owned()),
    }
}

/// Whether a tag says that a plain value is text. Only tags of YAML itself mean something to us.
fn checked(line: usize, tag: Option<&Tag>) -> Result<bool, Fault> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => {
            Err((line, format!("the tag {}{} is not supported", tag.handle, tag.suffix)))
        }
        Some(tag) => Ok(tag.suffix == "str"),
        None => Ok(false),
    }
}
