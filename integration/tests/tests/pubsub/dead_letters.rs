//! Events that the application did not take and that have a topic to go to.

use super::{Bus, on_each_broker};
use weft_tests::app::{Reply, TestApp};
use weft_tests::{dapr, wait};

fn courier<'a>(bus: &Bus<'a>) -> &'a TestApp {
    &bus.mesh.app("courier").server
}

#[test]
fn an_event_that_was_not_taken_goes_to_the_dead_letter_topic_at_once() {
    on_each_broker(|bus| {
        // A delivery that is answered 404 is reported as an error, also when the event is not lost.
        bus.mesh.envoy.expect_log(
            &format!(
                "path=\"/{}/mortal\" what=\"an event was not taken\" why=\"the application has no such route",
                bus.name
            ),
            1..=1,
        );
        let (path, graves) = (format!("/{}/mortal", bus.name), format!("/{}/graves", bus.name));
        let replies = [Reply::event("RETRY"), Reply::event("DROP"), Reply::status(500), Reply::status(404)];
        let count = replies.len();
        courier(bus).on(&graves, Reply::status(200));
        courier(bus).on_call(&path, move |seen| replies[seen.json()["data"].as_u64().unwrap() as usize].clone());
        for place in 0..count {
            let call = bus.publish("mortal").header("content-type", "application/json").body(place.to_string());
            dapr::no_content(&call.send());
        }
        let mut buried = courier(bus).wait_for(&graves, count);
        let mut tried = courier(bus).seen(&path);
        buried.sort_by_key(|seen| seen.json()["data"].as_u64());
        tried.sort_by_key(|seen| seen.json()["data"].as_u64());
        let bodies = |list: &[weft_tests::app::Seen]| list.iter().map(|seen| seen.body.clone()).collect::<Vec<_>>();
        assert_eq!(bodies(&buried), bodies(&tried), "the event as it was, tried once");
        assert!(buried.iter().all(|seen| seen.json()["topic"] == "mortal"));
        if bus.name == "pubsub" {
            let done = || bus.mesh.redis().client().pending("mortal", "courier") == 0;
            wait::until_true("Redis is told", done);
            assert_eq!(bus.stored("graves").len(), count);
        }
    });
}
