//! The building blocks that need a backend, gathered for [`crate::app::App`].
//!
//! A module for routing only is built without them and answers as daprd does where nothing is configured.

#[cfg(not(feature = "blocks"))]
mod routing;
#[cfg(feature = "blocks")]
mod serving;

#[cfg(not(feature = "blocks"))]
pub use routing::Blocks;
#[cfg(feature = "blocks")]
pub use serving::Blocks;
