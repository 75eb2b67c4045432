//! Byte-pair encoding of one piece: of all neighbours the ones that make the token of the lowest rank become one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::tekken::Vocabulary;

/// The end of a part that has become part of its left neighbour.
const GONE: usize = 0;

/// Room to encode pieces in, one after the other.
#[derive(Default)]
pub(super) struct Merger {
    /// For each byte that starts a part: where the part ends.
    ends: Vec<usize>,
    /// For each byte that starts a part: where the part before it starts.
    before: Vec<usize>,
    /// Neighbours that make a token: its rank, its start, its end. The lowest rank comes first, then the leftmost.
    pairs: BinaryHeap<Reverse<(u32, usize, usize)>>,
}

impl Merger {
    /// The number of tokens of a piece, at most its bytes.
    pub(super) fn tokens(&mut self, vocabulary: &Vocabulary, piece: &[u8]) -> u64 {
        if vocabulary.rank(piece).is_some() {
            return 1;
        }
        self.lay_out(vocabulary, piece);
        let mut parts = piece.len() as u64;
        while let Some(Reverse((_, start, end))) = self.pairs.pop() {
            if self.merge(start, end) {
                parts = parts.saturating_sub(1);
                self.offer(vocabulary, piece, start, self.end(end));
                if let Some(before) = self.before.get(start).copied().filter(|_| start > 0) {
                    self.offer(vocabulary, piece, before, Some(end));
                }
            }
        }
        parts
    }

    /// Every byte is a part.
    fn lay_out(&mut self, vocabulary: &Vocabulary, piece: &[u8]) {
        self.ends.clear();
        self.before.clear();
        self.ends.extend((0..piece.len()).map(|at| at.saturating_add(1)));
        self.before.extend((0..piece.len()).map(|at| at.saturating_sub(1)));
        for start in 0..piece.len() {
            self.offer(vocabulary, piece, start, self.end(start.saturating_add(1)));
        }
    }

    /// Where the part that starts at `start` ends.
    fn end(&self, start: usize) -> Option<usize> {
        self.ends.get(start).copied()
    }

    fn offer(&mut self, vocabulary: &Vocabulary, piece: &[u8], start: usize, end: Option<usize>) {
        let bytes = end.and_then(|end| piece.get(start..end));
        if let (Some(end), Some(rank)) = (end, bytes.and_then(|bytes| vocabulary.rank(bytes))) {
            self.pairs.push(Reverse((rank, start, end)));
        }
    }

    /// Makes one part of the two that reach from `start` to `end`, if they still stand there.
    fn merge(&mut self, start: usize, end: usize) -> bool {
        let Some(middle) = self.end(start).filter(|middle| *middle != GONE) else { return false };
        if self.end(middle) != Some(end) {
            return false;
        }
        if let Some(place) = self.ends.get_mut(start) {
            *place = end;
        }
        if let Some(place) = self.ends.get_mut(middle) {
            *place = GONE;
        }
        if let Some(place) = self.before.get_mut(end) {
            *place = start;
        }
        true
    }
}
