//! Writes that the replicas have before they are answered.
//!
//! They go over a link of their own: `WAIT` holds up its whole connection, and counts only the writes that came over
//! it.

#[cfg(feature = "redis-nodes")]
use super::super::nodes::{Course, Nodes};
use super::super::{Client, Command, RedisLink, resp::Reply};
use super::{Writing, read, replies};
use crate::runtime::link::{Kind, LinkError};
use crate::state::StoreError;

/// How long the replicas may take, as with daprd.
const PATIENCE_MS: u64 = 1000;

/// A write that may be begun again on another server.
type Write = Box<dyn Fn(Client) -> Writing>;

/// Does a write about a key of that slot, and answers it once all replicas that are connected have it.
///
/// # Errors
/// Those of the write; [`StoreError::OutcomeUnknown`] if it was done and not all replicas said in time that they
/// have it.
pub(super) fn write(client: Client, slot: u16, write: Write) -> Writing {
    #[cfg(not(feature = "redis-nodes"))]
    let _ = slot;
    match client {
        Client::One(link) => Box::pin(on(Client::One(link.clone()), link, write)),
        #[cfg(feature = "redis-nodes")]
        Client::Asking(link) => Box::pin(on(Client::Asking(link.clone()), link, write)),
        #[cfg(feature = "redis-nodes")]
        Client::Nodes(nodes) => Box::pin(on_owner(nodes, slot, std::rc::Rc::new(write))),
    }
}

/// Does it on the server that has the slot. All that belongs to one write goes to one server.
#[cfg(feature = "redis-nodes")]
async fn on_owner(nodes: std::rc::Rc<Nodes>, slot: u16, action: std::rc::Rc<Write>) -> Result<(), StoreError> {
    let mut course = Course::new(nodes, slot);
    loop {
        let client = course.onward().await.map_err(|reason| StoreError::Unavailable { reason })?;
        let action = std::rc::Rc::clone(&action);
        match write(client, slot, Box::new(move |client| action(client))).await {
            // It was not done.
            Err(StoreError::Failed { reason }) if course.follows(&reason).await => {}
            Err(StoreError::Unavailable { .. }) if course.leads_elsewhere().await => {}
            Err(StoreError::OutcomeUnknown { reason }) => {
                course.doubts();
                return Err(StoreError::OutcomeUnknown { reason });
            }
            other => return other,
        }
    }
}

/// Does it on one server, by the client of that link.
async fn on(client: Client, link: RedisLink, write: Write) -> Result<(), StoreError> {
    // Before the write: whoever may not ask is told so while nothing is changed.
    let replicas = match read(&client, b"INFO", "replication").await? {
        Reply::Bulk(text) => online(&text),
        other => return Err(replies::failed(other)),
    };
    let connection = link.connections();
    write(client).await?;
    if replicas == 0 {
        return Ok(());
    }
    let wait = Command::new(3, 16).arg(b"WAIT").number(replicas).number(PATIENCE_MS);
    let answer = link.send(Kind::Write, wait.into_bytes()).await;
    if link.connections() != connection {
        return Err(unconfirmed("the connection was lost in between"));
    }
    match answer {
        Ok(Reply::Integer(number)) if u64::try_from(number).is_ok_and(|number| number >= replicas) => Ok(()),
        Ok(Reply::Integer(number)) => Err(unconfirmed(&format!("{number} of {replicas} replicas have it"))),
        Ok(other) => Err(unconfirmed(&other.unexpected())),
        Err(LinkError::NotSent { reason } | LinkError::OutcomeUnknown { reason }) => Err(unconfirmed(&reason)),
    }
}

/// How many replicas `INFO replication` says are connected and have the data so far.
fn online(info: &[u8]) -> u64 {
    let is_online = |line: &&[u8]| line.starts_with(b"slave") && line.windows(13).any(|it| it == b",state=online");
    info.split(|byte| *byte == b'\n').filter(is_online).count() as u64
}

/// It stands in Redis, and may be lost with it.
#[inline(never)]
fn unconfirmed(why: &str) -> StoreError {
    StoreError::OutcomeUnknown { reason: ["Redis has stored it, and not all replicas: ", why].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_count_once_they_are_in_step() {
        let info = "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n\
            slave0:ip=10.0.0.1,port=6379,state=online,offset=1,lag=0\r\n\
            slave1:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0\r\n\
            slave2:ip=10.0.0.3,port=6379,state=online,offset=1,lag=1\r\nmaster_failover_state:no-failover\r\n";
        assert_eq!(online(info.as_bytes()), 2);
        assert_eq!(online(b"# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"), 0);
        assert_eq!(online(b""), 0);
    }
}
