//! The demo: three small applications that know nothing of Weft, only Dapr's HTTP API, and the program that runs them
//! by `weft run`, sends real traffic and shows what happened.

// An absent member of a JSON value reads as null; nothing else is indexed.
#![allow(clippy::indexing_slicing)]

mod courier;
mod dapr;
mod drive;
mod journal;
mod server;
mod shop;
mod warehouse;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A shop, a warehouse and a courier behind one Envoy.
#[derive(Debug, Parser)]
struct Demo {
    #[command(subcommand)]
    app: Option<App>,
    #[command(flatten)]
    options: drive::Options,
}

#[derive(Debug, Subcommand)]
enum App {
    /// Takes orders; calls the warehouse by name, keeps orders in a store, publishes an event for each.
    Shop,
    /// Keeps the stock in a store and reserves goods.
    Warehouse,
    /// Hears of orders by an event and tells the shop by name that they are on their way.
    Courier,
}

fn main() -> ExitCode {
    let demo = Demo::parse();
    let outcome = match demo.app {
        Some(App::Shop) => shop::run(),
        Some(App::Warehouse) => warehouse::run(),
        Some(App::Courier) => courier::run(),
        None => drive::run(&demo.options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("demo: {why}");
            ExitCode::FAILURE
        }
    }
}
