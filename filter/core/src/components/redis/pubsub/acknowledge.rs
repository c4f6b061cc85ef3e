//! Telling Redis what is settled: many entries in one command.

use super::super::{Command, resp::Reply};
use super::entries::EntryId;
use super::pump::Pump;
use super::topic::Topic;
use crate::runtime::link::Kind;
use std::rc::Rc;
use std::time::Duration;

/// How long after a failure the next try is made.
const PAUSE: Duration = Duration::from_millis(200);

/// Puts an entry among those to acknowledge. True if the caller has to run [`acknowledge`]; else somebody does.
#[must_use]
pub(super) fn settle(topic: &Topic, id: EntryId) -> bool {
    topic.settled.borrow_mut().push(id);
    !topic.acknowledging.replace(true)
}

/// Acknowledges what is settled; what is settled meanwhile goes into the next command. Goes on until Redis has
/// heard it: entries that were settled must not come again.
pub(super) async fn acknowledge(pump: Rc<Pump>, topic: Rc<Topic>) {
    loop {
        let ids = std::mem::take(&mut *topic.settled.borrow_mut());
        if ids.is_empty() {
            topic.acknowledging.set(false);
            return;
        }
        // Acknowledging twice does no harm.
        let answer = pump.writer.send(Kind::Read, topic.name.as_bytes(), command(&pump, &topic, &ids));
        match answer.await {
            Ok(Reply::Integer(_)) => {
                pump.release(&topic, &ids);
                continue;
            }
            // Something else has the stream's name: there is nothing to acknowledge any more.
            Ok(error) if error.is_error("WRONGTYPE") => {
                pump.release(&topic, &ids);
                continue;
            }
            Ok(other) => pump.warn(&topic.name, "Redis refused an acknowledgement", &other.unexpected()),
            // The link has told what happened to it.
            Err(_) => {}
        }
        topic.settled.borrow_mut().extend(ids);
        pump.runtime.sleep(PAUSE).await;
    }
}

fn command(pump: &Pump, topic: &Topic, ids: &[EntryId]) -> Vec<u8> {
    let mut command =
        Command::new(3 + ids.len(), 64).arg(b"XACK").arg(topic.name.as_bytes()).arg(pump.group.as_bytes());
    ids.iter().for_each(|id| command.add_pair(id.millis, id.sequence));
    command.into_bytes()
}
