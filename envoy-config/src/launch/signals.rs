//! The signals that end a session.

use super::member::Event;
use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::mpsc::Sender;

/// From now on SIGINT, SIGTERM and SIGHUP are events.
///
/// # Errors
/// The handlers cannot be set.
pub fn watch(events: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// What the applications are sent when this program gets `number`. They know the end of a terminal by its output.
pub fn passed_on(number: i32) -> Signal {
    if number == SIGINT { Signal::INT } else { Signal::TERM }
}
