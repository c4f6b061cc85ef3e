//! The scripts that make a compare and a write one step.

use super::super::{Client, Command, resp::Reply};
use crate::runtime::link::{Kind, LinkError};

/// A Lua script and the name under which Redis remembers it.
pub(super) struct Script {
    pub(super) text: &'static str,
    /// SHA-1 of `text`, in hex.
    pub(super) sha: &'static str,
}

/// `KEYS`: the key. `ARGV`: etag or `0`, data, first-write mark (`0` sets it), TTL in seconds or empty.
/// Gives 1 if it was done, 0 if the version does not fit.
///
/// A key of another type is overwritten. Without a mark, `0` fits every version. The version is counted up first,
/// so that one which is no number fails before anything is changed.
pub(super) const SET: Script = Script {
    text: "local k=KEYS[1]
local v=redis.pcall('HMGET',k,'version','first-write')
if v.err then
if not string.find(v.err,'WRONGTYPE',1,true) then return v end
redis.call('DEL',k)
v={false,false}
end
if v[1] and v[1]~='' and v[1]~=ARGV[1] and (v[2] or ARGV[1]~='0') then return 0 end
redis.call('HINCRBY',k,'version',1)
if ARGV[3]=='0' then redis.call('HSET',k,'data',ARGV[2],'first-write',0) else redis.call('HSET',k,'data',ARGV[2]) end
local t=tonumber(ARGV[4])
if t then if t>0 then redis.call('EXPIRE',k,t) else redis.call('PERSIST',k) end end
return 1",
    sha: "dec307250b7f60cbcc8145c7c2f101b04ff898de",
};

/// `KEYS`: the key. `ARGV`: etag. Gives 1 if the key is gone, 0 if the version does not fit.
pub(super) const DELETE: Script = Script {
    text: "local v=redis.pcall('HGET',KEYS[1],'version')
if type(v)=='table' then
if not string.find(v.err,'WRONGTYPE',1,true) then return v end
v=false
end
if v and v~='' and v~=ARGV[1] then return 0 end
redis.call('DEL',KEYS[1])
return 1",
    sha: "3a9e56b03ccad41573fdc95787e740cee7e84c89",
};

/// `KEYS`: the key of each operation. `ARGV`, for each operation: `S`, etag or `0`, data, mark, TTL as in [`SET`]; or
/// `D`, etag or `0`. Gives 0 if all were done, else the number of the first that does not fit, and nothing is done.
///
/// First all are tried on a picture of the versions, so that one key may occur several times; then all are done.
/// Redis takes nothing back when a script fails, so whatever could fail in a write is looked at before the first:
/// that a version can be counted up (15 digits are far from where Redis and Lua stop counting) and, from Redis 7 on,
/// that the user may run the command on that key. A full memory and a replica refuse the first write already.
pub(super) const TRANSACT: Script = Script {
    text: "local now,a={},1
local may=redis.acl_check_cmd
local function denied(k,...)
for _,c in ipairs({...}) do
if may and not may(c,k) then return redis.error_reply('NOPERM this user may not run '..c..' on '..k) end
end
end
for i,k in ipairs(KEYS) do
local c=now[k]
if not c then
local v=redis.pcall('HMGET',k,'version','first-write')
c={}
if v.err then
if not string.find(v.err,'WRONGTYPE',1,true) then return v end
c.wrong=true
else
c.v=v[1]
c.m=v[2]
if c.v=='' then c.v=false end
end
now[k]=c
end
local e=ARGV[a+1]
if ARGV[a]=='S' then
if c.v and c.v~=e and (c.m or e~='0') then return i end
if c.v and (#c.v>15 or c.v~='0' and not string.match(c.v,'^-?[1-9]%d*$')) then
return redis.error_reply('ERR the version of '..k..' is no integer that can be counted up')
end
local t=tonumber(ARGV[a+4])
local d=denied(k,'HINCRBY','HSET',c.wrong and 'DEL' or 'HSET',t and (t>0 and 'EXPIRE' or 'PERSIST'))
if d then return d end
c.v=string.format('%.0f',(tonumber(c.v or 0) or 0)+1)
if ARGV[a+3]=='0' then c.m='0' end
a=a+5
else
if c.v and c.v~=e and e~='0' then return i end
local d=denied(k,'DEL')
if d then return d end
c.v=false
c.m=false
a=a+2
end
end
a=1
for _,k in ipairs(KEYS) do
if now[k].wrong then
redis.call('DEL',k)
now[k].wrong=false
end
if ARGV[a]=='S' then
redis.call('HINCRBY',k,'version',1)
redis.call('HSET',k,'data',ARGV[a+2])
if ARGV[a+3]=='0' then redis.call('HSET',k,'first-write',0) end
local t=tonumber(ARGV[a+4])
if t then if t>0 then redis.call('EXPIRE',k,t) else redis.call('PERSIST',k) end end
a=a+5
else
redis.call('DEL',k)
a=a+2
end
end
return 0",
    sha: "97f65b0ac4089a54cc719759148fba33871e809b",
};

/// How a script is named in a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// By its hash, which Redis knows if it has seen the script.
    Hash,
    /// By its text.
    Text,
}

impl Script {
    /// A command that runs it; `arguments` and `size` are those that the caller adds.
    pub(super) fn call(&self, by: By, arguments: usize, size: usize) -> Command {
        match by {
            By::Hash => Command::new(arguments + 2, size + 64).arg(b"EVALSHA").arg(self.sha.as_bytes()),
            By::Text => Command::new(arguments + 2, size + self.text.len() + 16).arg(b"EVAL").arg(self.text.as_bytes()),
        }
    }
}

/// Runs a script about `key` by its hash, and by its text if Redis does not know it.
///
/// # Errors
/// What the link says.
pub(super) async fn run(client: &Client, key: &str, encode: &dyn Fn(By) -> Vec<u8>) -> Result<Reply, LinkError> {
    let reply = client.send(Kind::Write, key.as_bytes(), encode(By::Hash)).await?;
    // The script did not run, so it may be sent again.
    if reply.is_error("NOSCRIPT") {
        return client.send(Kind::Write, key.as_bytes(), encode(By::Text)).await;
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha1::{Digest, Sha1};

    #[test]
    fn each_hash_is_that_of_its_script() {
        for script in [SET, DELETE, TRANSACT] {
            let hash =
                Sha1::digest(script.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            assert_eq!(script.sha, hash, "{}", script.text);
        }
    }
}
