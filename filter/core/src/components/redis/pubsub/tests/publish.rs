//! Adding events.

use super::*;

#[test]
fn an_entry_has_daprds_fields() {
    let root = Root::new(&[]);
    let metadata = [("b".to_owned(), "\"".to_owned()), ("a".to_owned(), "1".to_owned())].into();
    let event = Message { data: vec![0, b'\r', b'\n', 255], metadata, ..message("t", "") };
    assert_eq!(root.publish(event, SOON), Some(Ok(())));
    let words = &root.redis.asked("XADD")[0].words;
    let wanted: [&[u8]; 7] =
        [b"XADD", b"t", b"*", b"data", &[0, b'\r', b'\n', 255], b"metadata", b"{\"a\":\"1\",\"b\":\"\\\"\"}"];
    assert_eq!(words, &wanted);
    assert_eq!(root.publish(message("t", ""), SOON), Some(Ok(())));
    assert_eq!(root.redis.asked("XADD")[1].line(), "XADD t * data  metadata {}");
}

#[test]
fn a_stream_is_kept_short_as_the_component_says() {
    let oldest = 1_780_000_000_000_u64 - 3_600_000;
    for (name, value, trimming) in
        [("maxLenApprox", "100", "MAXLEN ~ 100".to_owned()), ("streamTTL", "1h", format!("MINID ~ {oldest}-1"))]
    {
        let root = Root::new(&[(name, value)]);
        assert_eq!(root.publish(message("t", "x"), SOON), Some(Ok(())));
        assert_eq!(root.redis.asked("XADD")[0].line(), format!("XADD t {trimming} * data x metadata {{}}"));
    }
}

#[test]
fn redis_own_words_are_passed_on() {
    let root = Root::new(&[]);
    root.redis.refuse("XADD", "OOM command not allowed");
    let reason = "OOM command not allowed".to_owned();
    assert_eq!(root.publish(message("t", "x"), SOON), Some(Err(BrokerError::Failed { reason })));
}

#[test]
fn a_lost_reply_is_an_unknown_outcome_and_nothing_is_added_twice() {
    let root = Root::new(&[]);
    root.redis.lose("XADD");
    let outcome = root.publish(message("t", "x"), Duration::from_secs(1));
    assert!(matches!(outcome, Some(Err(BrokerError::OutcomeUnknown { .. }))), "{outcome:?}");
    assert_eq!(root.redis.asked("XADD").len(), 1);
    assert_eq!(root.publish(message("t", "y"), Duration::from_secs(1)), Some(Ok(())), "the link is up again");
}

#[test]
fn without_a_connection_the_event_is_certainly_not_published() {
    let root = Root::new(&[]);
    root.redis.down.set(true);
    let outcome = root.publish(message("t", "x"), Duration::from_secs(4));
    assert!(matches!(outcome, Some(Err(BrokerError::Failed { .. }))), "{outcome:?}");
    root.redis.down.set(false);
    root.pass(Duration::from_secs(2));
    assert!(root.redis.asked("XADD").is_empty());
}
