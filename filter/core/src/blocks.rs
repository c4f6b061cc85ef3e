//! The building blocks that need a backend, gathered for [`crate::app::App`].
//!
//! A module for routing only is built without them and answers as daprd does where nothing is configured.

mod routing;

pub use routing::Blocks;
