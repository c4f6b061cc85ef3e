//! Every decision of the Weft filter, as pure logic behind one [`host`] trait.
#![forbid(unsafe_code)]

pub mod config;
