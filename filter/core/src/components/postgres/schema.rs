//! The tables, and the statements that read and write them.

use super::message::Messages;
use crate::placeholder::fill;

/// Types of parameters, by PostgreSQL's numbers.
const TEXT: u32 = 25;
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const UUID: u32 = 2950;

/// A prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its name on a connection.
    pub name: &'static str,
    /// The name of the same that fails where it would change nothing; for transactions, which are then undone.
    pub strict: &'static str,
    sql: &'static str,
    types: &'static [u32],
}

/// `$1`: key. Gives value, etag and milliseconds since the epoch at which it goes away.
pub(crate) const GET: Statement = Statement {
    name: "get",
    strict: "",
    sql: "SELECT value, etag::text, (extract(epoch FROM expires_at) * 1000)::bigint FROM {table} \
        WHERE key = $1 AND (expires_at IS NULL OR expires_at > now())",
    types: &[TEXT],
};

/// `$1`: key, `$2`: value, `$3`: seconds that it lives or `NULL`.
pub(crate) const SET: Statement = Statement {
    name: "set",
    strict: "set",
    sql: "INSERT INTO {table} (key, value, etag, expires_at) \
        VALUES ($1, $2, gen_random_uuid(), now() + $3 * interval '1 second') \
        ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, etag = EXCLUDED.etag, updated_at = now(), \
        expires_at = EXCLUDED.expires_at",
    types: &[TEXT, BYTEA, INT8],
};

/// As [`SET`], where there is no value.
pub(crate) const SET_FIRST: Statement = Statement {
    name: "first",
    strict: "first!",
    sql: "INSERT INTO {table} AS kept (key, value, etag, expires_at) \
        VALUES ($1, $2, gen_random_uuid(), now() + $3 * interval '1 second') \
        ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, etag = EXCLUDED.etag, updated_at = now(), \
        expires_at = EXCLUDED.expires_at WHERE kept.expires_at <= now()",
    types: &[TEXT, BYTEA, INT8],
};

/// As [`SET`], where the value has the etag `$4`.
pub(crate) const SET_IF: Statement = Statement {
    name: "if",
    strict: "if!",
    sql: "UPDATE {table} SET value = $2, etag = gen_random_uuid(), updated_at = now(), \
        expires_at = now() + $3 * interval '1 second' \
        WHERE key = $1 AND etag = $4 AND (expires_at IS NULL OR expires_at > now())",
    types: &[TEXT, BYTEA, INT8, UUID],
};

/// `$1`: key.
pub(crate) const DELETE: Statement =
    Statement { name: "delete", strict: "delete", sql: "DELETE FROM {table} WHERE key = $1", types: &[TEXT] };

/// As [`DELETE`], where the value has the etag `$2`.
pub(crate) const DELETE_IF: Statement = Statement {
    name: "delete-if",
    strict: "delete-if!",
    sql: "DELETE FROM {table} WHERE key = $1 AND etag = $2 AND (expires_at IS NULL OR expires_at > now())",
    types: &[TEXT, UUID],
};

/// `$1`: milliseconds. Changes a row if nobody else has taken the turn for that long.
pub(crate) const TAKE_TURN: Statement = Statement {
    name: "turn",
    strict: "",
    sql: "INSERT INTO {metadata} AS kept (key, value) VALUES ('last-cleanup-state-v2-{prefix}', now()::text) \
        ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value \
        WHERE kept.value::timestamptz < now() - $1 * interval '1 millisecond'",
    types: &[INT8],
};

/// Removes some values whose time has come; never more than [`BATCH`].
pub(crate) const CLEAN: Statement = Statement {
    name: "clean",
    strict: "",
    sql: "DELETE FROM {table} WHERE expires_at <= now() \
        AND key IN (SELECT key FROM {table} WHERE expires_at <= now() LIMIT 1000)",
    types: &[],
};

/// The most values that [`CLEAN`] removes.
pub(crate) const BATCH: u64 = 1000;

impl Statement {
    /// How many parameters it has.
    pub(crate) fn parameters(&self) -> usize {
        self.types.len()
    }

    /// Whether it compares an etag.
    pub(crate) fn compares(&self) -> bool {
        self.types.contains(&UUID)
    }
}

const ALL: [Statement; 8] = [GET, SET, SET_FIRST, SET_IF, DELETE, DELETE_IF, TAKE_TURN, CLEAN];

/// The error of a strict statement that would change nothing.
pub(crate) const NOTHING_CHANGED: &str = "22012";

/// What daprd's component makes when it finds nothing, and how it notes that. The lock is its own; workers, which would
/// meet before there is a table to lock, take PostgreSQL's as well. A later daprd goes on from here.
const MIGRATE: &str = "SELECT pg_advisory_xact_lock(hashtext('weft {metadata}'));
CREATE TABLE IF NOT EXISTS {metadata} (key text NOT NULL PRIMARY KEY, value text NOT NULL);
INSERT INTO {metadata} (key, value) VALUES ('lock', 'lock') ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value;
CREATE TABLE IF NOT EXISTS {table} (
key text NOT NULL PRIMARY KEY,
value bytea NOT NULL,
etag uuid NOT NULL DEFAULT gen_random_uuid(),
created_at timestamp with time zone NOT NULL DEFAULT now(),
updated_at timestamp with time zone,
expires_at timestamp with time zone);
CREATE INDEX IF NOT EXISTS {index} ON {table} (expires_at);
INSERT INTO {metadata} (key, value) VALUES ('migrations-state-v2-{prefix}', '1') ON CONFLICT (key) DO NOTHING;
DEALLOCATE ALL";

/// The tables of one component.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    /// What stands before the name of the table with the values, perhaps with a schema.
    pub prefix: String,
    /// Where the state of the tables is.
    pub metadata: String,
}

impl Schema {
    /// Where the values are.
    pub(crate) fn table(&self) -> String {
        [&self.prefix, "state"].concat()
    }

    #[inline(never)]
    fn fill(&self, sql: &str) -> String {
        let table = self.table();
        let index = [table.rsplit('.').next().unwrap_or_default(), "_expires_at_idx"].concat();
        let places =
            [("table}", table.as_str()), ("metadata}", &self.metadata), ("prefix}", &self.prefix), ("index}", &index)];
        fill(sql, &places)
    }

    /// Prepares all statements.
    #[inline(never)]
    pub(crate) fn prepare(&self) -> Vec<u8> {
        let mut messages = Messages::with_room(4096);
        for Statement { name, strict, sql, types } in ALL {
            let sql = self.fill(sql);
            messages.parse(name, &sql, types);
            if strict.ends_with('!') {
                // A division by zero undoes the whole transaction.
                let sql = ["WITH done AS (", &sql, " RETURNING 1) SELECT 1 / count(*) FROM done"].concat();
                messages.parse(strict, &sql, types);
            }
        }
        messages.sync()
    }

    /// Makes what is missing, one connection at a time.
    #[inline(never)]
    pub(crate) fn migrate(&self) -> String {
        self.fill(MIGRATE)
    }
}
