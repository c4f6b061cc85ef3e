//! What the pump does when Redis, or the way to it, fails.

use super::*;

/// Takes everything until nothing comes any more.
fn settle(root: &Root) {
    for _ in 0..20 {
        root.pass(Duration::from_millis(500));
        root.app.settle_all();
    }
    root.pass(SOON);
}

#[test]
fn entries_of_a_lost_read_are_found_again() {
    let root = Root::subscribed(&[], &["t"]);
    root.redis.lose("XREADGROUP");
    (0..5).for_each(|number| root.add("t", &number.to_string()));
    settle(&root);
    let mut given = root.given();
    given.sort();
    assert_eq!(given, ["0", "1", "2", "3", "4"], "each once");
    assert_eq!(root.pending("t"), 0);
}

#[test]
fn entries_that_are_too_large_together_are_fetched_one_by_one() {
    let root = Root::subscribed(&[], &["t"]);
    (0..3).for_each(|number| root.add("t", &number.to_string().repeat(23 << 20)));
    settle(&root);
    let given = root.given();
    assert_eq!(
        given.iter().map(|data| (&data[..1], data.len())).collect::<Vec<_>>(),
        [("0", 23 << 20), ("1", 23 << 20), ("2", 23 << 20)]
    );
    assert_eq!(root.pending("t"), 0);
    assert!(!root.log_has("connection lost"));
}

#[test]
fn an_entry_that_is_too_large_alone_is_told_and_stays_pending() {
    let root = Root::subscribed(&[], &["t"]);
    root.add("t", &"x".repeat(65 << 20));
    root.pass(Duration::from_millis(500));
    assert!(root.log_has("67108864 bytes") && !root.log_has("connection lost"), "{:?}", root.host.log.borrow());
    assert_eq!((root.given().len(), root.pending("t")), (0, 1));
}

#[test]
fn entries_of_a_lost_claim_are_found_again() {
    let root = Root::subscribed(&[("processingTimeout", "1s"), ("redeliverInterval", "1s")], &["t"]);
    let gone = root.neighbour();
    root.broker.subscribe(Vec::new(), Rc::clone(&root.app) as Rc<dyn Deliver>);
    root.pass(SOON);
    gone.subscribe(&["t"]);
    (0..5).for_each(|number| gone.add("t", &number.to_string()));
    gone.pass(SOON);
    assert_eq!(gone.given().len(), 5);
    root.redis.model.borrow_mut().abandon("t", root.host.now());
    root.redis.lose("XAUTOCLAIM");
    root.pass(Duration::from_secs(2));
    root.subscribe(&["t"]);
    settle(&root);
    let mut given = root.given();
    given.sort();
    assert_eq!(given, ["0", "1", "2", "3", "4"]);
    assert_eq!(root.pending("t"), 0);
}

#[test]
fn a_lost_acknowledgement_is_made_again_and_the_event_does_not_come_twice() {
    let root = Root::subscribed(&[], &["t"]);
    root.add("t", "x");
    root.pass(SOON);
    root.redis.lose("XACK");
    root.answer(0, Delivered::Settled);
    settle(&root);
    assert_eq!((root.given().len(), root.pending("t"), root.broker.in_flight()), (1, 0, 0));
}

#[test]
fn a_refused_acknowledgement_is_made_again() {
    let root = Root::subscribed(&[], &["t"]);
    root.add("t", "x");
    root.pass(SOON);
    root.redis.refuse("XACK", "LOADING Redis is loading the dataset in memory");
    root.answer(0, Delivered::Settled);
    assert!(root.log_has("LOADING"));
    settle(&root);
    assert_eq!((root.given().len(), root.pending("t")), (1, 0));
}

#[test]
fn connections_that_end_at_any_time_lose_no_event() {
    let root = Root::subscribed(&[], &["t", "u"]);
    for number in 0..20 {
        root.add(if number % 2 == 0 { "t" } else { "u" }, &number.to_string());
        root.pass(Duration::from_millis(7 * number));
        root.redis.hang_up();
        root.app.settle_all();
    }
    settle(&root);
    let mut given = root.given();
    given.sort_by_key(|data| data.parse::<u32>().unwrap());
    given.dedup();
    assert_eq!(given, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!((root.pending("t"), root.pending("u")), (0, 0));
}

#[test]
fn events_flow_on_when_redis_is_back_after_a_while() {
    let root = Root::subscribed(&[], &["t"]);
    root.redis.down.set(true);
    root.redis.hang_up();
    root.pass(Duration::from_secs(60));
    root.redis.down.set(false);
    root.add("t", "x");
    root.pass(Duration::from_secs(2));
    assert_eq!(root.given(), ["x"]);
}

#[test]
fn a_stream_or_group_that_was_removed_is_made_again() {
    let root = Root::subscribed(&[], &["t"]);
    root.redis.model.borrow_mut().0.clear();
    root.add("t", "x");
    root.pass(Duration::from_secs(1));
    assert_eq!(root.given(), ["x"]);
    root.redis.model.borrow_mut().0.clear();
    root.answer(0, Delivered::Settled);
    root.add("t", "y");
    root.pass(Duration::from_secs(6));
    assert_eq!(root.given(), ["x", "y"]);
    assert_eq!(root.broker.in_flight(), 1);
}

#[test]
fn a_read_that_redis_unblocks_is_made_again() {
    let root = Root::subscribed(&[], &["t"]);
    root.redis.refuse("XREADGROUP", "UNBLOCKED the stream key no longer exists");
    root.pass(Duration::from_secs(6));
    root.add("t", "x");
    root.pass(SOON);
    assert_eq!(root.given(), ["x"]);
    assert!(!root.log_has("UNBLOCKED"), "that is no fault");
}

#[test]
fn a_refused_read_is_told_and_tried_again() {
    let root = Root::subscribed(&[], &["t"]);
    root.redis.refuse("XREADGROUP", "NOPERM this user has no permissions");
    root.pass(Duration::from_secs(6));
    assert!(root.log_has("NOPERM"));
    root.add("t", "x");
    root.pass(Duration::from_secs(2));
    assert_eq!(root.given(), ["x"]);
}

#[test]
fn a_name_that_is_no_stream_holds_up_no_other_topic() {
    let root = Root::new(&[]);
    root.redis.refuse("XGROUP", "WRONGTYPE Operation against a key holding the wrong kind of value");
    root.subscribe(&["bad", "good"]);
    assert!(root.log_has("WRONGTYPE"));
    root.add("good", "x");
    root.pass(SOON);
    assert_eq!(root.given(), ["x"]);
    root.add("bad", "y");
    root.pass(Duration::from_secs(6));
    assert_eq!(root.given(), ["x", "y"], "it is looked at again");
}

#[test]
fn an_entry_that_was_trimmed_away_while_pending_is_acknowledged() {
    let root = Root::subscribed(&[], &["t"]);
    root.redis.lose("XREADGROUP");
    root.add("t", "gone");
    root.pass(SOON);
    root.redis.model.borrow_mut().0.get_mut("t").unwrap().entries.clear();
    root.add("t", "x");
    settle(&root);
    assert_eq!(root.given().last().map(String::as_str), Some("x"));
    assert_eq!(root.pending("t"), 0);
}
