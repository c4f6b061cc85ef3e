//! Commands on their way among servers.

use super::super::client::{Client, Reach};
use super::super::fake_redis::{Asked, FakeRedis, Model};
use super::super::settings::{Login, Servers};
use super::*;
use crate::components::Site;
use crate::fake::FakeHost;
use crate::host::{LogLevel, Time};
use crate::runtime::Runtime;
use std::collections::VecDeque;
use std::time::Duration;

/// In slot 12182, which the third node has.
const FOO: &str = "foo";
/// In slot 5061, which the first one has.
const BAR: &str = "bar";
const NODES: [&str; 3] = ["10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"];

type Replies = VecDeque<(&'static str, Reply)>;
type Outcome = Result<Reply, LinkError>;

/// Three masters, or one that Sentinels name.
#[derive(Default)]
struct World {
    /// Who has which third of the slots; the first one is the master that Sentinels name.
    masters: [&'static str; 3],
    /// What the next `GET` at a node is answered with in place of the node's name.
    replies: Replies,
    /// Nodes at which `GET` is not answered.
    silent: Vec<&'static str>,
    /// Nodes that say they are replicas.
    replicas: Vec<&'static str>,
}

impl Model for World {
    fn answer(&mut self, asked: &Asked, _asked_at: Time, _now: Time) -> Option<Reply> {
        let text = |text: &str| Reply::Bulk(text.as_bytes().to_vec());
        Some(match asked.name.as_str() {
            "CLUSTER" => {
                let range = |(place, node): (i64, &&str)| {
                    let (host, port) = node.split_once(':').unwrap();
                    let server = Reply::Array(vec![text(host), Reply::Integer(port.parse().unwrap())]);
                    let last = if place == 2 { 16_383 } else { place * 5_461 + 5_460 };
                    Reply::Array(vec![Reply::Integer(place * 5_461), Reply::Integer(last), server])
                };
                Reply::Array((0..).zip(&self.masters).map(range).collect())
            }
            "SENTINEL" => {
                let (host, port) = self.masters[0].split_once(':').unwrap();
                Reply::Array(vec![text(host), text(port)])
            }
            "ROLE" => {
                let is_replica = self.replicas.contains(&asked.node.as_str());
                Reply::Array(vec![text(if is_replica { "slave" } else { "master" })])
            }
            "ASKING" => Reply::Status(b"OK".to_vec()),
            "GET" if self.silent.contains(&asked.node.as_str()) => return None,
            "GET" => {
                let place = self.replies.iter().position(|(node, _)| *node == asked.node);
                place.and_then(|place| self.replies.remove(place)).map_or(text(&asked.node), |(_, reply)| reply)
            }
            other => panic!("unexpected {other}"),
        })
    }
}

struct Setup {
    runtime: Runtime,
    redis: FakeRedis<World>,
    client: Client,
    outcomes: Rc<RefCell<Vec<Outcome>>>,
}

impl Setup {
    fn new(servers: Servers) -> Self {
        let host = FakeHost::new();
        let runtime = Runtime::new(host.clone(), LogLevel::Info);
        let model = World { masters: NODES, ..World::default() };
        let redis = FakeRedis::with(Rc::new(RefCell::new(model)), &host, &runtime);
        let site = Site::of_orders(&runtime, "redis");
        let reach = Reach::new(&site, Login::default(), servers).unwrap();
        let client =
            reach.client(LinkSettings { fails_after: Some(Duration::from_secs(2)), ..LinkSettings::default() });
        Self { runtime, redis, client, outcomes: Rc::default() }
    }

    fn cluster() -> Self {
        Self::new(Servers::Cluster { seeds: vec!["seed:1".to_owned(), "10.0.0.1:6379".to_owned()] })
    }

    fn sentinel() -> Self {
        let sentinels = vec!["s1:26379".to_owned(), "s2:26379".to_owned()];
        Self::new(Servers::Sentinel { sentinels, master: "main".to_owned(), login: Login::default() })
    }

    /// Sends a command about a key, whose outcome will be found in `outcomes`.
    fn begin(&self, kind: Kind, key: &str) {
        let get = super::super::Command::new(2, 8).arg(b"GET").arg(key.as_bytes()).into_bytes();
        let answer = self.client.send(kind, key.as_bytes(), get);
        let outcomes = Rc::clone(&self.outcomes);
        self.runtime.spawn(Box::pin(async move {
            let outcome = answer.await;
            outcomes.borrow_mut().push(outcome);
        }));
        self.redis.serve();
    }

    fn taken(&self) -> Vec<Outcome> {
        self.outcomes.take()
    }

    /// What a command about a key gives in the end, as text.
    fn get(&self, key: &str) -> String {
        self.begin(Kind::Write, key);
        self.redis.pass(Duration::from_millis(2_000));
        match self.taken().pop() {
            Some(Ok(Reply::Bulk(text))) => String::from_utf8(text).unwrap(),
            other => format!("{other:?}"),
        }
    }

    /// The nodes that were asked by `GET`, in order.
    fn visited(&self) -> Vec<String> {
        self.redis.asked("GET").into_iter().map(|asked| asked.node).collect()
    }

    fn world(&self) -> std::cell::RefMut<'_, World> {
        self.redis.model.borrow_mut()
    }

    fn refuse(&self, node: &'static str, text: &str) {
        self.world().replies.push_back((node, Reply::Error(text.to_owned())));
    }
}

#[test]
fn a_command_goes_to_the_node_that_has_its_key() {
    let setup = Setup::cluster();
    assert_eq!((setup.get(FOO).as_str(), setup.get(BAR).as_str()), (NODES[2], NODES[0]));
    assert_eq!(setup.visited(), [NODES[2], NODES[0]]);
    assert_eq!(setup.redis.asked("CLUSTER")[0].node, "seed:1");
}

#[test]
fn a_node_that_says_where_the_key_is_now_is_believed_and_the_rest_is_looked_up() {
    let setup = Setup::cluster();
    setup.get(FOO);
    setup.world().masters[2] = "10.0.0.9:7";
    setup.refuse(NODES[2], "MOVED 12182 10.0.0.9:7");
    assert_eq!(setup.get(FOO), "10.0.0.9:7");
    assert_eq!(setup.get(FOO), "10.0.0.9:7");
    assert_eq!(setup.visited(), [NODES[2], NODES[2], "10.0.0.9:7", "10.0.0.9:7"]);
}

#[test]
fn a_key_that_is_being_moved_is_asked_for_once() {
    let setup = Setup::cluster();
    setup.get(FOO);
    setup.refuse(NODES[2], "ASK 12182 10.0.0.2:6379");
    assert_eq!(setup.get(FOO), NODES[1]);
    let log = setup.redis.asked.borrow();
    let at_second: Vec<&str> =
        log.iter().filter(|asked| asked.node == NODES[1]).map(|asked| asked.name.as_str()).collect();
    assert_eq!(at_second.iter().filter(|name| **name != "CLUSTER").collect::<Vec<_>>(), [&"ASKING", &"GET"]);
    drop(log);
    assert_eq!(setup.get(FOO), NODES[2], "the slot itself has not moved");
}

#[test]
fn what_passes_is_waited_for_and_what_does_not_is_told() {
    let setup = Setup::cluster();
    (0..5).for_each(|_| setup.refuse(NODES[2], "TRYAGAIN Multiple keys request during rehashing of slot"));
    assert_eq!(setup.get(FOO), NODES[2]);
    (0..1_000).for_each(|_| setup.refuse(NODES[0], "CLUSTERDOWN The cluster is down"));
    setup.begin(Kind::Write, BAR);
    setup.redis.pass(Duration::from_secs(5));
    assert_eq!(setup.taken(), [Ok(Reply::Error("CLUSTERDOWN The cluster is down".to_owned()))]);
}

#[test]
fn servers_that_send_a_command_round_are_not_followed_for_ever() {
    let setup = Setup::cluster();
    for _ in 0..1_000 {
        setup.refuse(NODES[2], "MOVED 12182 10.0.0.2:6379");
        setup.refuse(NODES[1], "MOVED 12182 10.0.0.3:6379");
    }
    setup.begin(Kind::Read, FOO);
    setup.redis.pass(Duration::from_secs(6));
    assert!(matches!(setup.taken().as_slice(), [Ok(Reply::Error(text))] if text.starts_with("MOVED")));
    assert!(setup.visited().len() < 100, "{}", setup.visited().len());
}

#[test]
fn what_waits_for_a_node_that_died_goes_to_its_successor_and_what_was_sent_does_not() {
    let setup = Setup::cluster();
    setup.get(FOO);
    setup.world().silent.push(NODES[2]);
    setup.begin(Kind::Write, FOO);
    setup.begin(Kind::Read, FOO);
    setup.redis.kill(NODES[2]);
    setup.begin(Kind::Write, FOO);
    setup.redis.pass(Duration::from_millis(600));
    let outcomes = setup.taken();
    assert!(matches!(outcomes.as_slice(), [Err(LinkError::OutcomeUnknown { .. })]), "{outcomes:?}");
    setup.world().masters[2] = "10.0.0.9:7";
    setup.redis.pass(Duration::from_millis(400));
    let name = Reply::Bulk(b"10.0.0.9:7".to_vec());
    assert_eq!(setup.taken(), [Ok(name.clone()), Ok(name)]);
}

#[test]
fn without_any_node_a_command_is_given_back_unsent_and_health_says_why() {
    let setup = Setup::cluster();
    setup.redis.down.set(true);
    setup.client.open();
    setup.begin(Kind::Write, FOO);
    setup.redis.pass(Duration::from_secs(6));
    let outcomes = setup.taken();
    assert!(
        matches!(outcomes.as_slice(), [Err(LinkError::NotSent { reason })] if reason.contains("by redis: the proxy could not connect")),
        "{outcomes:?}"
    );
    assert!(setup.client.never_up().unwrap().contains("could not connect"));
    setup.redis.down.set(false);
    setup.redis.pass(Duration::from_secs(2));
    assert_eq!(setup.client.never_up(), None);
    assert_eq!(setup.get(FOO), NODES[2]);
}

#[test]
fn a_client_that_is_closed_ends_what_waits() {
    let setup = Setup::cluster();
    setup.world().silent.push(NODES[2]);
    setup.begin(Kind::Write, FOO);
    let Client::Nodes(nodes) = &setup.client else { panic!("there are several servers") };
    nodes.close();
    setup.redis.serve();
    assert!(matches!(setup.taken().as_slice(), [Err(LinkError::OutcomeUnknown { .. })]));
}

#[test]
fn the_master_that_a_sentinel_names_is_used_until_it_names_another() {
    let setup = Setup::sentinel();
    assert_eq!((setup.get(FOO).as_str(), setup.get(BAR).as_str()), (NODES[0], NODES[0]));
    setup.redis.kill("s1:26379");
    setup.world().masters[0] = NODES[1];
    setup.redis.pass(Duration::from_secs(2));
    assert_eq!(setup.get(FOO), NODES[1], "although the old one is there still");
}

#[test]
fn a_server_that_says_it_is_a_replica_gets_no_command() {
    let setup = Setup::sentinel();
    setup.world().replicas.push(NODES[0]);
    setup.begin(Kind::Write, FOO);
    setup.redis.pass(Duration::from_millis(500));
    assert!(setup.taken().is_empty() && setup.visited().is_empty());
    setup.world().masters[0] = NODES[1];
    setup.redis.pass(Duration::from_millis(500));
    assert_eq!(setup.visited(), [NODES[1]]);
}

#[test]
fn a_write_that_a_former_master_refuses_is_made_on_the_new_one() {
    let setup = Setup::sentinel();
    setup.get(FOO);
    setup.world().masters[0] = NODES[1];
    setup.refuse(NODES[0], "READONLY You can't write against a read only replica.");
    assert_eq!(setup.get(FOO), NODES[1]);
}
