//! The names under which workers read, and what becomes of old ones.

use super::pump::Pump;
use super::topic::Topic;
use super::{Command, Reply};
use crate::components::Site;
use crate::host::Host;
use crate::placeholder::fill;
use crate::runtime::link::LinkError;

/// Shared by all workers of one Envoy process.
const INSTANCE_KEY: &str = "weft/instance";
/// Two workers that keep losing to others would be a fault of the proxy.
const MAX_TRIES: usize = 1000;

/// The group that a component's `consumerID` names (`dapr-api` 2.12): `{appID}` and `{namespace}` are replaced.
#[inline(never)]
pub(super) fn group(template: &str, site: &Site) -> String {
    let in_namespace = [&site.namespace, ".", &site.app_id].concat();
    fill(template, &[("appID}", &site.app_id), ("namespace}", &in_namespace)])
}

/// A consumer name that nobody else has: `<group>-<process, 8 hex digits>-<number>`. With one name for several
/// workers, the entries of one would look like another's. The proxy's shared memory numbers the workers.
#[inline(never)]
pub(super) fn new_name(host: &dyn Host, group: &str, app_id: &str, component: &str) -> String {
    let instance = update(host, INSTANCE_KEY, |old| old.unwrap_or_else(|| format!("{:08x}", random(host))));
    let instance = instance.unwrap_or_else(|| format!("{:08x}", random(host)));
    let counter = format!("weft/consumer/{app_id}/{component}");
    let number = update(host, &counter, |old| {
        let last = old.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        (last + 1).to_string()
    });
    let number = number.unwrap_or_else(|| random(host).to_string());
    format!("{group}-{instance}-{number}")
}

/// Changes a shared text; gives the new one, or `None` if other workers were always faster.
fn update(host: &dyn Host, key: &str, next: impl Fn(Option<String>) -> String) -> Option<String> {
    for _ in 0..MAX_TRIES {
        let (old, seen) = host.shared_get(key);
        let old = old.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = next(old.clone());
        if old.as_ref() == Some(&text) || host.shared_set(key, text.as_bytes(), seen).is_ok() {
            return Some(text);
        }
    }
    None
}

fn random(host: &dyn Host) -> u32 {
    let mut bytes = [0; 4];
    host.fill_random(&mut bytes);
    u32::from_be_bytes(bytes)
}

/// `KEYS`: the stream. `ARGV`: group, prefix of our consumers' names, least idle time in ms. Gives how many were
/// removed. Within one step, so that a consumer cannot take an entry between the look and the removal.
const REMOVE_IDLE: &str = "local l=redis.pcall('XINFO','CONSUMERS',KEYS[1],ARGV[1])
if l.err then return 0 end
local n=0
for _,c in ipairs(l) do
local f={}
for i=1,#c,2 do f[c[i]]=c[i+1] end
local p=#ARGV[2]
if f.pending==0 and f.idle>tonumber(ARGV[3]) and string.sub(f.name,1,p)==ARGV[2] and string.match(string.sub(f.name,p+1),'^%x%x%x%x%x%x%x%x%-%d+$') then
redis.call('XGROUP','DELCONSUMER',KEYS[1],ARGV[1],f.name)
n=n+1
end
end
return n";
/// A consumer that serves asks at least every few seconds.
const IDLE_MILLIS: u64 = 3_600_000;

/// Removes consumers that earlier processes of this application left behind.
#[inline(never)]
pub(super) fn remove_idle(group: &str, topic: &str) -> Vec<u8> {
    let prefix = format!("{group}-");
    Command::new(7, REMOVE_IDLE.len() + 128)
        .arg(b"EVAL")
        .arg(REMOVE_IDLE.as_bytes())
        .number(1)
        .arg(topic.as_bytes())
        .arg(group.as_bytes())
        .arg(prefix.as_bytes())
        .number(IDLE_MILLIS)
        .into_bytes()
}

/// What came of [`remove_idle`].
#[inline(never)]
pub(super) fn removed(pump: &Pump, topic: &Topic, answer: Result<Reply, LinkError>) {
    let why = match answer {
        Ok(Reply::Integer(_)) => return,
        Ok(other) => other.unexpected(),
        Err(error) => error.to_string(),
    };
    pump.warn(&topic.name, "old consumers were not removed", &why);
}
