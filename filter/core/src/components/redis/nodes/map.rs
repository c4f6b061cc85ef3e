//! Which server does what.

use super::super::resp::Reply;
use super::address;
use std::rc::Rc;

/// A server, `host:port`.
pub(super) type Node = Rc<str>;

/// Which server has which slots, sorted by slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map(Vec<Range>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    node: Node,
}

impl Map {
    /// One server has everything.
    pub(super) fn whole(node: &str) -> Self {
        Self(vec![Range { first: 0, last: u16::MAX, node: node.into() }])
    }

    /// The masters in the reply of `asked` to `CLUSTER SLOTS`; `None` if it is another kind of reply.
    #[inline(never)]
    pub(super) fn read(reply: Reply, asked: &str) -> Option<Self> {
        let Reply::Array(items) = reply else { return None };
        let mut ranges: Vec<Range> = Vec::new();
        for item in items {
            let range = Range::read(item, asked)?;
            let place = ranges.partition_point(|known| known.first < range.first);
            ranges.insert(place, range);
        }
        Some(Self(ranges))
    }

    /// The server that has a slot; `None` if none has.
    pub(super) fn node(&self, slot: u16) -> Option<Node> {
        let after = self.0.partition_point(|range| range.first <= slot);
        let range = self.0.get(after.checked_sub(1)?)?;
        (slot <= range.last).then(|| Rc::clone(&range.node))
    }

    /// The servers, each once.
    pub(super) fn nodes(&self) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for Range { node, .. } in &self.0 {
            if !nodes.contains(node) {
                nodes.push(Rc::clone(node));
            }
        }
        nodes
    }
}

impl Range {
    /// `[first slot, last slot, [host, port, …] of the master, … of its replicas]`.
    fn read(item: Reply, asked: &str) -> Option<Self> {
        let Reply::Array(parts) = item else { return None };
        let mut parts = parts.into_iter();
        let (Some(Reply::Integer(first)), Some(Reply::Integer(last)), Some(Reply::Array(master))) =
            (parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let (host, port) = match master.as_slice() {
            [Reply::Bulk(host), Reply::Integer(port), ..] => (std::str::from_utf8(host).ok()?, port),
            [Reply::Nil, Reply::Integer(port), ..] => ("", port),
            _ => return None,
        };
        let node = address::write(host, &port.to_string(), asked).into();
        Some(Self { first: u16::try_from(first).ok()?, last: u16::try_from(last).ok()?, node })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: i64, last: i64, host: Reply, port: i64) -> Reply {
        let master = Reply::Array(vec![host, Reply::Integer(port), Reply::Bulk(b"id".to_vec()), Reply::Array(vec![])]);
        let replica = Reply::Array(vec![Reply::Bulk(b"10.0.0.9".to_vec()), Reply::Integer(9)]);
        Reply::Array(vec![Reply::Integer(first), Reply::Integer(last), master, replica])
    }

    fn host(name: &str) -> Reply {
        Reply::Bulk(name.as_bytes().to_vec())
    }

    #[test]
    fn each_slot_has_the_master_of_its_range() {
        let reply = Reply::Array(vec![
            range(5461, 10922, host("10.0.0.2"), 6379),
            range(0, 5460, Reply::Nil, 6379),
            range(10924, 16383, host("fe80::3"), 6380),
        ]);
        let map = Map::read(reply, "10.0.0.1:7").unwrap();
        let node = |slot| map.node(slot).map(|node| node.to_string());
        assert_eq!(node(0).as_deref(), Some("10.0.0.1:6379"));
        assert_eq!(node(5460).as_deref(), Some("10.0.0.1:6379"));
        assert_eq!(node(5461).as_deref(), Some("10.0.0.2:6379"));
        assert_eq!(node(10923), None, "nobody has it");
        assert_eq!(node(16383).as_deref(), Some("[fe80::3]:6380"));
        assert_eq!(map.nodes().len(), 3);
    }

    #[test]
    fn what_is_no_list_of_ranges_is_refused_and_none_is_one() {
        assert_eq!(Map::read(Reply::Nil, "a:1"), None);
        assert_eq!(Map::read(Reply::Array(vec![Reply::Integer(1)]), "a:1"), None);
        assert_eq!(Map::read(Reply::Array(vec![range(0, 70_000, host("a"), 1)]), "a:1"), None);
        assert_eq!(Map::read(Reply::Array(vec![]), "a:1").unwrap().node(0), None);
    }
}
