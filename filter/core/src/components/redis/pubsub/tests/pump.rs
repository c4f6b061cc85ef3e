//! Reading, delivering and acknowledging while all is well.

use super::*;

#[test]
fn a_topic_gets_a_group_from_its_beginning_and_old_entries_are_delivered() {
    let root = Root::new(&[]);
    root.add("t", "early");
    root.subscribe(&["t"]);
    assert_eq!(root.redis.asked("XGROUP")[0].line(), "XGROUP CREATE t orders 0 MKSTREAM");
    assert_eq!(root.given(), ["early"]);
    root.add("t", "late");
    root.pass(SOON);
    assert_eq!(root.given(), ["early", "late"]);
}

#[test]
fn another_consumer_id_names_the_group() {
    let root = Root::subscribed(&[("consumerID", "team")], &["t"]);
    root.add("t", "x");
    root.pass(SOON);
    assert_eq!(root.given(), ["x"]);
    assert_eq!(root.redis.model.borrow().pending("t", "team").len(), 1);
}

#[test]
fn a_consumer_id_may_hold_the_names_of_the_application() {
    let root = Root::subscribed(&[("consumerID", "team-{namespace}-{appID}")], &["t"]);
    assert_eq!(root.redis.asked("XGROUP")[0].text(3), "team-default.orders-orders");
}

#[test]
fn an_entry_is_acknowledged_after_it_was_settled_and_not_before() {
    let root = Root::subscribed(&[], &["t"]);
    root.add("t", "x");
    root.pass(Duration::from_secs(5));
    assert_eq!((root.pending("t"), root.broker.in_flight()), (1, 1));
    root.answer(0, Delivered::Settled);
    assert_eq!((root.pending("t"), root.broker.in_flight()), (0, 0));
    assert_eq!(root.given().len(), 1);
}

#[test]
fn entries_that_end_together_are_acknowledged_together() {
    let root = Root::subscribed(&[], &["t"]);
    (0..10).for_each(|number| root.add("t", &number.to_string()));
    root.pass(SOON);
    assert_eq!(root.app.settle_all(), 10);
    root.pass(SOON);
    assert_eq!(root.pending("t"), 0);
    assert!(root.redis.asked("XACK").len() <= 2, "{}", root.redis.asked("XACK").len());
}

#[test]
fn the_message_has_the_topic_the_bytes_and_the_metadata() {
    let root = Root::subscribed(&[], &["t"]);
    root.add_words(&[b"XADD", b"t", b"*", b"metadata", b"{\"a\":\"1\"}", b"other", b"x", b"data", b"y"]);
    root.pass(SOON);
    let metadata = [("a".to_owned(), "1".to_owned())].into();
    assert_eq!(root.app.messages(), [Message { metadata, ..message("t", "y") }]);
}

#[test]
fn an_entry_without_data_is_acknowledged_and_broken_metadata_are_left_out() {
    let root = Root::subscribed(&[], &["t"]);
    root.add_words(&[b"XADD", b"t", b"*", b"foreign", b"x"]);
    for metadata in [&b"{\"a\":1}"[..], b"[", b"null", b""] {
        root.add_words(&[b"XADD", b"t", b"*", b"data", b"y", b"metadata", metadata]);
    }
    root.pass(SOON);
    assert_eq!(root.app.messages(), vec![message("t", "y"); 4]);
    assert_eq!(root.pending("t"), 4);
    assert!(root.log_has("it has no field data"));
}

#[test]
fn no_more_entries_are_taken_than_the_window_has_places() {
    for (metadata, window) in [(&[][..], 16), (&[("concurrency", "3")], 3), (&[("queueDepth", "5")], 5)] {
        let root = Root::subscribed(metadata, &["t"]);
        (0..40).for_each(|number| root.add("t", &number.to_string()));
        root.pass(Duration::from_secs(1));
        assert_eq!((root.given().len(), root.pending("t")), (window, window));
        while root.app.settle_all() > 0 {
            root.pass(SOON);
        }
        assert_eq!(root.given(), (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(root.pending("t"), 0);
    }
}

#[test]
fn a_full_topic_does_not_hold_up_another() {
    let root = Root::subscribed(&[("concurrency", "1")], &["slow", "quick"]);
    root.add("slow", "s");
    root.pass(SOON);
    for number in 1..=5 {
        root.add("quick", &number.to_string());
        root.pass(Duration::from_millis(200));
        assert_eq!(root.given().len(), 1 + number);
        root.answer(number, Delivered::Settled);
    }
    assert_eq!(root.pending("slow"), 1);
}

#[test]
fn what_was_not_taken_comes_again_later_and_later() {
    let root = Root::subscribed(&[], &["t"]);
    root.add("t", "x");
    root.pass(SOON);
    for (number, pause) in [100_u64, 200, 400, 800].into_iter().enumerate() {
        root.app.answer(number, Delivered::Again);
        root.pass(Duration::from_millis(pause * 3 / 4 - 10));
        assert_eq!(root.given().len(), number + 1, "not before {pause} ms less a quarter");
        root.pass(Duration::from_millis(pause / 2 + 10));
        assert_eq!(root.given().len(), number + 2, "after {pause} ms and a quarter");
    }
    root.answer(4, Delivered::Settled);
    assert_eq!((root.pending("t"), root.broker.in_flight()), (0, 0));
}

#[test]
fn an_entry_that_waits_to_come_again_lets_no_other_pass() {
    let root = Root::subscribed(&[("concurrency", "1")], &["t"]);
    ["x", "y"].into_iter().for_each(|data| root.add("t", data));
    root.pass(SOON);
    root.app.answer(0, Delivered::Again);
    root.pass(Duration::from_secs(1));
    root.app.answer(1, Delivered::Again);
    root.pass(Duration::from_secs(1));
    root.answer(2, Delivered::Settled);
    assert_eq!(root.given(), ["x", "x", "x", "y"]);
}

#[test]
fn a_slow_application_keeps_its_entries_from_being_claimed_by_others() {
    let root = Root::subscribed(&[("processingTimeout", "3s")], &["t"]);
    root.add("t", "x");
    root.pass(SOON);
    for _ in 0..100 {
        root.pass(Duration::from_millis(300));
        let pending = root.redis.model.borrow().pending("t", "orders");
        let age = root.host.now() - pending.values().next().unwrap().since;
        assert!(age < Duration::from_secs(3), "it looks abandoned after {age:?}");
        assert_eq!(pending.values().next().unwrap().deliveries, 1);
    }
    assert_eq!(root.given().len(), 1);
}

#[test]
fn what_others_left_is_taken_over_after_its_time_however_much_it_is() {
    let root =
        Root::subscribed(&[("processingTimeout", "10s"), ("redeliverInterval", "1s"), ("concurrency", "4")], &["t"]);
    // Another consumer reads them and goes.
    let gone = root.neighbour();
    gone.subscribe(&["t"]);
    (0..15).for_each(|number| gone.add("t", &number.to_string()));
    gone.pass(SOON);
    let taken = gone.given().len();
    assert!(taken >= 11, "{taken}");
    drop(gone);
    let since = root.host.now();
    root.redis.model.borrow_mut().abandon("t", since);
    let before = root.given().len();
    root.app.settle_all();
    root.pass(Duration::from_secs(8));
    root.app.settle_all();
    assert!(root.given().len() < before + taken, "not yet");
    root.pass(Duration::from_secs(3));
    while root.app.settle_all() > 0 {
        root.pass(Duration::from_secs(1));
    }
    let mut all = root.given();
    all.sort_by_key(|data| data.parse::<u32>().unwrap());
    all.dedup();
    assert_eq!(all, (0..15).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(root.pending("t"), 0);
}

#[test]
fn nothing_is_claimed_where_the_component_says_so() {
    let root = Root::subscribed(&[("processingTimeout", "0")], &["t"]);
    root.add("t", "x");
    root.pass(Duration::from_secs(120));
    assert!(root.redis.asked("XAUTOCLAIM").is_empty() && root.redis.asked("XCLAIM").is_empty());
}

#[test]
fn two_workers_are_two_consumers_and_share_the_entries() {
    let one = Root::subscribed(&[], &["t"]);
    let two = one.neighbour();
    two.subscribe(&["t"]);
    (0..30).for_each(|number| one.add("t", &number.to_string()));
    one.pass(SOON);
    two.pass(SOON);
    assert_eq!((one.given().len(), two.given().len()), (16, 14));
    let pending = one.redis.model.borrow().pending("t", "orders");
    let names: std::collections::BTreeSet<String> = pending.into_values().map(|pending| pending.consumer).collect();
    assert_eq!(names.len(), 2);
    for name in &names {
        let number = name.rsplit('-').next().unwrap();
        assert!(name.starts_with("orders-") && number.parse::<u32>().is_ok(), "{name}");
    }
}

#[test]
fn draining_ends_what_is_with_the_application_and_leaves_the_rest_pending() {
    let root = Root::subscribed(&[], &["t"]);
    ["taken", "refused", "waiting"].into_iter().for_each(|data| root.add("t", data));
    root.pass(SOON);
    root.app.answer(2, Delivered::Again);
    root.runtime.run(crate::runtime::Scope::Root);
    root.broker.drain();
    root.add("t", "fresh");
    root.pass(SOON);
    assert_eq!(root.broker.in_flight(), 2);
    root.answer(0, Delivered::Settled);
    root.answer(1, Delivered::Again);
    root.pass(Duration::from_secs(30));
    assert_eq!((root.broker.in_flight(), root.pending("t"), root.given().len()), (0, 2, 3));
}

#[test]
fn a_topic_that_is_given_up_and_wanted_again_loses_nothing() {
    let root = Root::subscribed(&[], &["t"]);
    root.add("t", "x");
    root.pass(SOON);
    root.app.answer(0, Delivered::Again);
    root.subscribe(&["other"]);
    root.add("t", "y");
    root.add("other", "z");
    root.pass(Duration::from_secs(5));
    assert_eq!(root.given(), ["x", "z"]);
    root.subscribe(&["t", "other"]);
    root.pass(Duration::from_secs(1));
    let mut given = root.given();
    given.sort();
    assert_eq!(given, ["x", "x", "y", "z"]);
}
