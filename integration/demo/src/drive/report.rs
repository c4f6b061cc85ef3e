//! What a person sees of each step.

/// A step that held.
#[derive(Debug)]
pub struct Held {
    /// What was seen.
    pub what: String,
    /// How long it took, in milliseconds, where that says something.
    pub millis: Option<f64>,
}

/// Prints steps, and remembers whether one did not hold.
#[derive(Debug, Default)]
pub struct Report {
    held: usize,
    failed: usize,
}

impl Report {
    /// Prints one step: who, and what was seen or what was wrong.
    pub fn step(&mut self, who: &str, outcome: Result<Held, String>) {
        match outcome {
            Ok(Held { what, millis }) => {
                self.held += 1;
                let time = millis.map(|millis| format!("{millis:.1} ms")).unwrap_or_default();
                println!("  ok    {who:<22} {time:>8}  {what}");
            }
            Err(why) => {
                self.failed += 1;
                println!("  WRONG {who:<22} {:>8}  {why}", "");
            }
        }
    }

    /// Prints the sum.
    pub fn end(&self) {
        println!("\n{} of {} steps held", self.held, self.held + self.failed);
    }

    /// Whether a step did not hold.
    pub fn failed(&self) -> bool {
        self.failed > 0
    }
}
