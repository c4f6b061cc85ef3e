//! The cost of a delivered event.

use crate::measure::{self, Cost};
use crate::rig;
use crate::sink::Sink;
use std::time::{Duration, Instant};
use weft_tests::redis::Redis;

/// Fills a stream, starts an Envoy with Weft whose application subscribes to it, and waits until all are delivered.
///
/// # Errors
/// Not all events came in time.
pub fn once(redis: &Redis, events: u64, cost: &mut Cost) -> Result<(), String> {
    let topic = format!("bench-{}", redis.client().run::<u64>(&["INCR", "bench-topics"]));
    fill(redis, &topic, events);
    let sink = Sink::start(Some(&topic)).map_err(|error| error.to_string())?;
    let (envoy, _) = rig::redis_envoy(sink.port, redis.port(), 1);
    let pids = [envoy.pid()];
    let begun = wait(&sink, 1)?;
    let (before, first) = (measure::total(&pids)?, sink.events());
    let ended = wait(&sink, events)?;
    let used = measure::total(&pids)?.saturating_sub(before);
    let counted = (events - first).max(1) as f64;
    cost.cpu_us.0.push(used.as_secs_f64() * 1e6 / counted);
    cost.per_second.0.push(counted / (ended - begun).as_secs_f64());
    Ok(())
}

fn wait(sink: &Sink, count: u64) -> Result<Instant, String> {
    let begun = Instant::now();
    while sink.events() < count {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(format!("only {} of {count} events were delivered", sink.events()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(Instant::now())
}

fn fill(redis: &Redis, topic: &str, events: u64) {
    let data = r#"{"data":{"id":"a4c1d3a2-7f1e-4a57-9d51-0d3f2b7c9e10"},"datacontenttype":"application/json","id":"1","pubsubname":"pubsub","source":"bench","specversion":"1.0","topic":"t","type":"com.dapr.event.sent"}"#;
    let script = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'data', ARGV[2], 'metadata', '{}') end";
    redis.client().run::<()>(&["EVAL", script, "1", topic, &events.to_string(), data]);
}
