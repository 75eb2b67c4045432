//! How much of a budget is used: a bar with the thresholds, what calls under way hold, and where it leads.

use crate::figures::{dollars, number, per_cent};
use maud::{Markup, html};

/// A budget as a bar. Amounts are of one unit, whatever that is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter<'a> {
    /// Whose it is.
    pub(crate) label: &'a str,
    /// Used.
    pub(crate) used: i64,
    /// Held by calls under way.
    pub(crate) held: i64,
    /// The limit.
    pub(crate) limit: i64,
    /// What it will be at the end of the period, at this pace.
    pub(crate) forecast: Option<i64>,
    /// Per cents at which people are told.
    pub(crate) thresholds: &'a [u8],
    /// Whether the amounts are tokens; else they are nano-dollars.
    pub(crate) tokens: bool,
    /// Without thresholds, for a row of a table.
    pub(crate) slim: bool,
}

impl Meter<'_> {
    /// Draws it.
    pub(crate) fn draw(&self) -> Markup {
        let share = share(self.used, self.limit);
        let height = if self.slim { "6" } else { "10" };
        let told = self.told(share);
        html! {
            span.meter."at-50"[(50.0..80.0).contains(&share)]."at-80"[(80.0..95.0).contains(&share)]
                ."at-95"[share >= 95.0].slim[self.slim] {
                svg role="img" aria-label=(told) {
                    rect.track width="100%" height=(height) rx="2" {}
                    @if self.held > 0 {
                        rect.hold x=(per_cent(share)) width=(per_cent(self::share(self.held, self.limit))) height=(height) {}
                    }
                    rect.fill width=(per_cent(share)) height=(height) rx="2" {}
                    @if !self.slim {
                        @for threshold in self.thresholds {
                            @let place = per_cent(f64::from(*threshold));
                            line.tick.hit[share >= f64::from(*threshold)] x1=(place) x2=(place) y1="12" y2="17" {}
                        }
                        @if let Some(forecast) = self.forecast {
                            svg.at x=(per_cent(self::share(forecast, self.limit))) y="11" {
                                path.cast.over[forecast > self.limit] d="M0 0l4.5 7h-9z" {}
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Meter<'_> {
    fn told(&self, share: f64) -> String {
        let amount = |amount| amount_of(amount, self.tokens);
        let (used, limit) = (amount(self.used), amount(self.limit));
        let held = if self.held > 0 { format!(", {} held", amount(self.held)) } else { String::new() };
        let forecast = self.forecast.map(|cast| format!("; forecast {}", amount(cast))).unwrap_or_default();
        format!("{}: {used} of {limit} used, {share:.0} %{held}{forecast}", self.label)
    }
}

/// An amount in its unit: tokens, or nano-dollars.
pub(crate) fn amount_of(amount: i64, tokens: bool) -> String {
    if tokens { format!("{} tokens", number(amount.max(0).unsigned_abs())) } else { dollars(amount) }
}

/// Per cent of a limit, at most all of it.
#[expect(clippy::cast_precision_loss, reason = "a picture is as exact as its pixels")]
pub(crate) fn share(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 100.0 } else { (part as f64 / whole as f64 * 100.0).clamp(0.0, 100.0) }
}
