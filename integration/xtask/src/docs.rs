//! What the documents say has to be true: links lead somewhere, commands exist, tables are complete.

mod commands;
mod limits;
mod links;
mod plugin_table;
mod text;
