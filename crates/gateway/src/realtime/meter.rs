//! Counts a session's audio and pays for it: nothing goes upstream that no slice was reserved for.

use super::slices::{SLICE, Slice, Want};
use crate::reply::Failure;
use crate::settle::{Outcome, Ticket};
use louver_mistral::realtime::Format;
use louver_mistral::usage::{Found, Usage};

/// More seconds than so many times those that were counted nobody can have heard: the widest format there is
/// (48,000 samples of four bytes), taken for the narrowest (8,000 of one).
const MISREAD: u64 = 24;

/// What a session has reserved and used.
///
/// The first slice stays open until the end, and with it the session's place among calls at the same time. Of the
/// further ones each is settled, in full, when the next one is needed.
pub(super) struct Meter {
    first: Option<Slice>,
    further: Option<Slice>,
    /// Seconds of the slices that are settled.
    settled: u64,
    bytes: u64,
    format: Format,
    /// Seconds as upstream told them.
    told: Option<u64>,
    pub(super) client_left: bool,
}

impl Meter {
    pub(super) const fn new(first: Slice) -> Self {
        Self {
            first: Some(first),
            further: None,
            settled: 0,
            bytes: 0,
            format: Format::DEFAULT,
            told: None,
            client_left: false,
        }
    }

    /// Whether audio has gone upstream.
    pub(super) const fn has_begun(&self) -> bool {
        self.bytes > 0
    }

    /// The ticket of the session.
    pub(super) fn ticket(&self) -> Option<&Ticket> {
        self.first.as_ref().map(|first| &first.ticket)
    }

    /// Upstream takes the audio in that format.
    pub(super) fn read_as(&mut self, format: Format) {
        self.format = if self.has_begun() { self.format.slower(format) } else { format };
    }

    /// Whether upstream told what it has heard.
    pub(super) const fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Upstream told what it has heard.
    pub(super) fn hear(&mut self, seconds: u64) {
        self.told = Some(seconds);
    }

    fn seconds(&self) -> u64 {
        self.format.seconds(self.bytes)
    }

    fn reserved(&self) -> u64 {
        let open = [&self.first, &self.further].into_iter().flatten().map(|slice| slice.seconds);
        open.fold(self.settled, u64::saturating_add)
    }

    /// Counts so many bytes, if they are paid for: `want` asks for more slices where they are not. An error means that
    /// they must not go upstream.
    pub(super) async fn cover(&mut self, bytes: u64, want: Want<'_>) -> Result<(), Failure> {
        let needed = self.format.seconds(self.bytes.saturating_add(bytes));
        while needed > self.reserved() {
            if let Some(used) = self.further.take() {
                self.settled = self.settled.saturating_add(used.seconds);
                settle(used.ticket, used.seconds, false);
            }
            let least = needed.saturating_sub(self.reserved()).min(SLICE);
            let continues = self.ticket().map(|ticket| {
                let credential = ticket.credential.credential();
                (credential.id, credential.server)
            });
            let mut slice = Want { least, continues, ..want }.reserve().await?;
            // From here on any of it may have gone upstream.
            slice.ticket.sent = true;
            slice.ticket.status = SWITCHED;
            self.further = Some(slice);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Settles what is open: by what upstream told, where that can be, else by what it was sent.
    pub(super) fn settle(&mut self) {
        let Some(first) = self.first.take() else { return };
        let counted = self.seconds();
        let most = counted.saturating_mul(MISREAD);
        if let Some(told) = self.told.filter(|told| *told != counted) {
            tracing::warn!(counted, told, "upstream heard another length of audio than it was sent");
        }
        if self.told.is_some_and(|told| told > most) {
            tracing::error!(counted, "ALARM: upstream names a length of audio that nobody can have heard");
        }
        let total = self.told.filter(|told| *told <= most).unwrap_or(counted);
        let open = total.saturating_sub(self.settled);
        let further = self.further.take();
        let of_first = if further.is_some() { open.min(first.seconds) } else { open };
        settle(first.ticket, of_first, self.client_left);
        if let Some(further) = further {
            settle(further.ticket, open.saturating_sub(of_first), self.client_left);
        }
    }
}

impl Drop for Meter {
    /// The session was cut, or its task panicked.
    fn drop(&mut self) {
        self.settle();
    }
}

/// The status of a session that was held.
pub(super) const SWITCHED: u16 = 101;

/// Settles a ticket by so many seconds; none cost nothing.
fn settle(mut ticket: Ticket, seconds: u64, client_left: bool) {
    ticket.client_left = client_left;
    if seconds == 0 {
        return ticket.settle(&Outcome::Unsent);
    }
    let usage = Usage { audio_seconds: seconds, ..Usage::default() };
    ticket.settle(&Outcome::Whole(&Found { usage: Some(Ok(usage)), ..Found::default() }));
}
