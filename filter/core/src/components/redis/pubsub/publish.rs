//! Adding an event to its topic's stream.

use super::super::{Client, Command, resp::Reply, settings::Trim};
use crate::host::Time;
use crate::json::write_string_map;
use crate::pubsub::{BrokerError, Message};
use crate::runtime::link::{Kind, LinkError};

/// Adds an entry; ends after Redis has it.
pub(super) async fn publish(client: Client, trim: Trim, now: Time, message: Message) -> Result<(), BrokerError> {
    let command = encode(trim, now, &message);
    let answer = client.send(Kind::Write, message.topic.as_bytes(), command);
    drop(message);
    match answer.await {
        Ok(Reply::Bulk(_)) => Ok(()),
        Ok(other) => Err(BrokerError::Failed { reason: other.unexpected() }),
        Err(LinkError::NotSent { reason }) => Err(BrokerError::Failed { reason }),
        Err(LinkError::OutcomeUnknown { reason }) => Err(BrokerError::OutcomeUnknown { reason }),
    }
}

/// `XADD <topic> [MAXLEN ~ <n> | MINID ~ <id>] * data <bytes> metadata <JSON object>`.
fn encode(trim: Trim, now: Time, message: &Message) -> Vec<u8> {
    let metadata = write_string_map(&message.metadata);
    let size = message.topic.len() + message.data.len() + metadata.len() + 64;
    let trimming = if trim == Trim::Never { 0 } else { 3 };
    let mut command = Command::new(7 + trimming, size).arg(b"XADD").arg(message.topic.as_bytes());
    match trim {
        Trim::Never => {}
        Trim::Length(length) => command = command.arg(b"MAXLEN").arg(b"~").number(length),
        Trim::Age(age) => {
            let oldest = now.saturating_sub(age).as_millis();
            command = command.arg(b"MINID").arg(b"~");
            command.add_pair(u64::try_from(oldest).unwrap_or(u64::MAX), 1);
        }
    }
    command.arg(b"*").arg(b"data").arg(&message.data).arg(b"metadata").arg(&metadata).into_bytes()
}
