//! One entry on its way to the application, as often as it takes.

use super::acknowledge::{acknowledge, settle};
use super::entries::EntryId;
use super::pump::Pump;
use super::topic::Topic;
use crate::pubsub::{Delivered, Message};
use crate::runtime::Runtime;
use std::rc::Rc;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Begins to deliver an entry.
pub(super) fn start(pump: &Rc<Pump>, topic: &Rc<Topic>, id: EntryId, message: Message) {
    let flow = deliver(Rc::clone(pump), Rc::clone(topic), id, message);
    pump.runtime.spawn(Box::pin(flow));
}

/// Delivers until the event is settled, then has it acknowledged.
async fn deliver(pump: Rc<Pump>, topic: Rc<Topic>, id: EntryId, message: Message) {
    let message = Rc::new(message);
    let mut pause = FIRST_PAUSE;
    loop {
        let deliver = Rc::clone(&topic.deliver.borrow());
        if deliver.deliver(Rc::clone(&message)).await == Delivered::Settled {
            break;
        }
        if pump.keeps(&topic) {
            back_off(&pump, &topic, pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            pump.check_hold(&topic);
        }
        if !pump.keeps(&topic) {
            // It stays pending in Redis, for whoever reads the topic next.
            return pump.release(&topic, &[id]);
        }
    }
    drop(message);
    if settle(&topic, id) {
        acknowledge(pump, topic).await;
    }
}

async fn back_off(pump: &Pump, topic: &Topic, pause: Duration) {
    topic.waiting.set(topic.waiting.get() + 1);
    pump.runtime.sleep(jitter(&pump.runtime, pause)).await;
    topic.waiting.set(topic.waiting.get().saturating_sub(1));
    if topic.waiting.get() == 0 {
        pump.changed.raise();
    }
}

/// Between three quarters and five quarters of `time`.
fn jitter(runtime: &Runtime, time: Duration) -> Duration {
    let mut byte = [0_u8; 1];
    runtime.host().fill_random(&mut byte);
    let [byte] = byte;
    time * 3 / 4 + time * u32::from(byte) / 512
}
